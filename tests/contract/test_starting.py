"""What a short command loads, and how the process leaves: modules by verb, exit codes, whole output (issue 13)."""

import asyncio
import fcntl
import gc
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lading import context as contexts
from lading import events, loading
from lading.ledger import ledger

LADING = (sys.executable, "-m", "lading")
DEPLOYMENT = "20261122-141503-4f2a"
ON_HOSTS = {"asyncssh", "cryptography", "stringprep", "psycopg", "lading.connecting", "lading.drivers.shell.observe"}
OF_REGISTRIES = {"httpx2", "urllib.request", "http.client"}
WAITING = {"asyncio", "ssl", "sqlite3"}  # asyncio itself loads ssl
LOADED = """
import gc, sys
gc.disable()
from lading.cli import main
code = main.run(sys.argv[1:])
print(code, gc.isenabled(), gc.get_freeze_count() > 0, *sys.modules, file=sys.stderr)
"""


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with a fleet file of many hosts, and a ledger of one deployment that has ended."""
    hosts = "".join(f"  web{number}: {{address: 192.0.2.1}}\n" for number in range(3000))
    (tmp_path / "lading.yaml").write_text(f"lading: 1\nhosts:\n{hosts}destinations: {{production: {{hosts: [web1]}}}}\n")
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}  # which loads modules of its own
    env = {**plain, "HOME": str(tmp_path), "LADING_CONFIG": str(tmp_path / "lading.yaml"), "XDG_STATE_HOME": str(tmp_path / "state")}

    async def fill() -> None:
        kept = await ledger.open_ledger(contexts.ledger_path(env))
        await kept.append(events.DeploymentPlanned(DEPLOYMENT, app="shop", version="1", hosts=("web1",)))
        await kept.append(events.DeploymentEnded(DEPLOYMENT, result="succeeded", hosts={"web1": "succeeded"}))
        await kept.close()

    asyncio.run(fill())
    return env


def completion(words: str) -> dict[str, str]:
    """What the shell says at Tab."""
    return {"_LADING_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}


CASES = {
    "--help": (("--help",), {}, ON_HOSTS | OF_REGISTRIES | WAITING | {"rich", "yaml"}),
    "hosts list": (("hosts", "list"), {}, ON_HOSTS | OF_REGISTRIES),  # the ledger says who is excluded
    "config allow": (("config", "allow", "--show"), {}, ON_HOSTS | OF_REGISTRIES | WAITING),
    "history": (("history", "--offline"), {}, ON_HOSTS | OF_REGISTRIES),
    "show": (("show", DEPLOYMENT), {}, ON_HOSTS | OF_REGISTRIES),
    "ledger verify": (("ledger", "verify"), {}, ON_HOSTS | OF_REGISTRIES),
    "Tab, a verb": ((), completion("lading ro"), ON_HOSTS | OF_REGISTRIES | WAITING),
    "Tab, a destination": ((), completion("lading deploy --to pr"), {"asyncssh", "stringprep", "psycopg"} | OF_REGISTRIES),
    "Tab, a deployment": ((), completion("lading show 2026"), ON_HOSTS | OF_REGISTRIES),
}


@pytest.mark.parametrize("case", CASES)
def test_a_verb_loads_what_it_needs(case: str, home: dict[str, str]) -> None:
    words, more, heavy = CASES[case]
    done = subprocess.run([sys.executable, "-c", LOADED, *words], env={**home, **more}, text=True, capture_output=True, check=True)
    code, _, _, *loaded = done.stderr.split()
    assert (code, heavy & set(loaded)) == ("0", set())
    assert done.stdout


STARTED = """
import sys
programs = []
sys.addaudithook(lambda event, said: programs.append(str(said[0])) if event == "subprocess.Popen" else None)
from lading.cli import main
main.run(sys.argv[1:])
print("asyncssh" in sys.modules, *programs, file=sys.stderr)
"""


def test_no_compiler_is_started_on_the_way_to_a_host(home: dict[str, str], tmp_path: Path) -> None:
    """asyncssh looks for optional libraries, and Python's way to find one ends with gcc and ld."""
    (tmp_path / "lading.yaml").write_text("lading: 1\nhosts: {web1: {address: 127.0.0.1, port: 1}}\n")
    done = subprocess.run([sys.executable, "-c", STARTED, "where"], env=home, text=True, capture_output=True, check=True)
    loaded, *programs = done.stderr.splitlines()[-1].split()
    assert loaded == "True"
    assert not {Path(one).name for one in programs} & {"ldconfig", "gcc", "cc", "ld"}


def test_garbage_is_looked_for_once_a_verb_is_loaded(home: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-c", LOADED, "hosts", "list"], env=home, text=True, capture_output=True, check=True)
    assert done.stderr.split()[1:3] == ["True", "True"], "looked for again, and what was loaded is left out"


@pytest.mark.parametrize("collected", [True, False])
def test_garbage_is_as_before_after_loading_later(collected: bool) -> None:
    code = ("import gc, sys\nfrom lading import loading\ngc.enable() if sys.argv[1] == 'True' else gc.disable()\n"
            "with loading.later():\n    print(gc.isenabled())\nprint(gc.isenabled())\n")
    done = subprocess.run([sys.executable, "-c", code, str(collected)], text=True, capture_output=True, check=True)
    assert done.stdout.split() == ["False", str(collected)]


def test_a_fault_while_loading_leaves_garbage_as_it_was() -> None:
    with pytest.raises(ImportError), loading.later():
        importlib.import_module("lading.is_not_there")
    assert gc.isenabled()


def test_a_slow_reader_gets_everything(home: dict[str, str]) -> None:
    whole = subprocess.run([*LADING, "hosts", "list", "--json"], env=home, stdout=subprocess.PIPE, check=True).stdout
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    with subprocess.Popen([*LADING, "hosts", "list", "--json"], env=home, stdout=write) as process:
        os.close(write)
        parts = []
        while part := os.read(read, 997):
            parts.append(part)
        assert process.wait(60) == 0
    os.close(read)
    assert b"".join(parts) == whole
    assert len(json.loads(whole)) == 3000


def test_a_reader_who_leaves_in_the_middle_is_no_fault(home: dict[str, str]) -> None:
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    with subprocess.Popen([*LADING, "hosts", "list", "--json"], env=home, stdout=write, stderr=subprocess.PIPE) as process:
        os.close(write)
        assert os.read(read, 10)
        os.close(read)
        assert process.stderr is not None and process.stderr.read() == b""
        assert process.wait(60) == 0


@pytest.mark.parametrize("words", [("--help",), ("hosts", "list"), ("history", "--offline")])
def test_a_stream_that_was_never_open_is_no_fault(words: tuple[str, ...], home: dict[str, str]) -> None:
    done = subprocess.run(["/bin/sh", "-c", 'exec "$@" >&-', "sh", *LADING, *words], env=home, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words", [("hosts", "list"), ("history", "--offline", "--json"), ("show", DEPLOYMENT)])
def test_a_full_disk_is_said(words: tuple[str, ...], home: dict[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*LADING, *words], env=home, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "the result cannot be written to stdout: No space left on device" in done.stderr


def test_an_error_is_whole_and_has_its_exit_code(home: dict[str, str]) -> None:
    done = subprocess.run([*LADING, "history", "nobody", "--offline", "--json"], env=home, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (2, "")
    assert json.loads(done.stdout)["error"]["kind"] == "unknown_release"


def test_what_others_want_done_at_the_end_is_done() -> None:
    code = ("import atexit, sys\nfrom lading.cli import entry, terminal\nterminal.prepare()\n"
            "atexit.register(lambda: sys.stdout.write('at the end'))\nterminal.out('before')\nentry.leave(3)\n")
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "before\nat the end", "")


def test_a_thread_that_still_works_is_waited_for() -> None:
    code = ("import os, threading\nfrom lading.cli import entry\n"
            "def work():\n    threading.main_thread().join()\n    os.write(1, b'worked')\n"
            "threading.Thread(target=work).start()\nentry.leave(3)\n")
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (3, "worked")
