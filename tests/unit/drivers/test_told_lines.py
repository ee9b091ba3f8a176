"""What programs print is told line by line as it comes, by the real shell; its last lines are kept for the error."""

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from a_party import DOCKER, Enough, Party
from builders import a_release, a_service
from host_shell import HostShell
from lading import state
from lading.drivers import base
from lading.drivers.shell import observation, said, scripts
from lading.plan import steps
from lading.transport import beats, command

WEB = "r/web:1@sha256:0"


@pytest.fixture
def staged(host: HostShell) -> HostShell:
    """A host on which deployment d1 is staged."""
    Party(host).come_to("staged")
    return host


def printing(host: HostShell, call: str, does: str, *answers: Any) -> None:
    """`docker` does this in shell when it is called so."""
    host.docker(*answers, DOCKER)
    text = (host.bin / "docker").read_text()
    host.program("docker", text.replace('case "$*" in', f'case "$*" in {call}) {does}; exit;; esac\ncase "$*" in', 1))


def wait_for(path: Path) -> str:
    return f"timeout 20 sh -c {shlex.quote(f'until [ -e {path} ]; do :; done')}"


class Heard:
    """Keeps what it is told; when it hears *cue*, it makes a file."""

    def __init__(self, cue: str = "", path: Path | None = None) -> None:
        self.lines: list[base.Said] = []
        self.cue, self.path = cue, path

    def __call__(self, one: base.Said) -> None:
        self.lines.append(one)
        if self.path is not None and one.text == self.cue:
            self.path.touch()

    def texts(self) -> list[str]:
        return [one.text for one in self.lines]


def roll(host: HostShell, listen: base.Listen | None, **more: Any) -> Enough:
    return Party(host, held=host.hold(), listen=listen).roll(**more)


def pull(host: HostShell, listen: base.Listen | None, **images: str) -> None:
    what = base.Pull("cafe", {name.replace("_", "+"): image for name, image in images.items()})
    host.ask(lambda ports: ports.runtime.pull(host.hold(), what, listen))


def hook(host: HostShell, listen: base.Listen | None) -> base.HookEnd:
    made = a_release(a_service("db", "r/db:1"))
    what = base.Hook(made, {}, state.AppState("shop"), steps.RunHook("migrate", "db", None, 60))
    return host.ask(lambda ports: ports.runtime.run_hook(host.hold(), what, listen))


def test_what_compose_prints_is_told_while_it_works(staged: HostShell, tmp_path: Path) -> None:
    go_on = tmp_path / "heard"
    printing(staged, "compose*up*", f"echo ' Container shop-web-1  Creating'; {wait_for(go_on)}; echo Started >&2; exit 3")
    made = a_release(a_service("web", "r/web:1"), a_service("db", "r/db:1", definition={"container_name": "data"}))
    heard = Heard("Container shop-web-1  Creating", go_on)
    seen = roll(staged, heard, release=made)
    assert heard.lines == [
        base.Said("compose", "web", "Container shop-web-1  Creating"), base.Said("compose", "", "Started")]
    assert (seen.status, seen.output.strip()) == (3, "Container shop-web-1  Creating\nStarted")


def test_a_pull_tells_of_which_service_and_how_far_it_is(staged: HostShell) -> None:
    prints = "printf '%s\\n' '0: Pulling from web' 'aaaaaa: Pulling fs layer' 'bbbbbb: Pulling fs layer' 'aaaaaa: Pull complete'"
    printing(staged, "--config*pull*", prints, {"image inspect*": 1, "tag*": ""})
    heard = Heard()
    pull(staged, heard, web=WEB, db_1=WEB, cache="r/cache:1@sha256:1")
    first = heard.lines[:4]
    assert [(one.service, one.progress) for one in first] == [("web,db", None), ("web,db", 0), ("web,db", 0), ("web,db", 0.5)]
    assert [one.service for one in heard.lines[4:]] == ["cache"] * 4


def test_a_pull_that_fails_says_its_last_line(staged: HostShell) -> None:
    printing(staged, "--config*pull*", "echo aaaaaa: Waiting; echo no space left >&2; exit 1", {"image inspect*": 1})
    heard = Heard()
    with pytest.raises(base.Refused, match=f"^pull: {WEB}\nno space left$"):
        pull(staged, heard, web=WEB)
    assert heard.texts() == ["aaaaaa: Waiting", "no space left"]


def test_a_hook_is_told_while_it_runs(staged: HostShell, tmp_path: Path) -> None:
    go_on = tmp_path / "heard"
    printing(staged, "compose*run*", f"echo migrating; {wait_for(go_on)}; printf 'no newline'; exit 4", {"ps*": ""})
    heard = Heard("migrating", go_on)
    assert hook(staged, heard) == base.HookEnd(4, "migrating\nno newline")
    assert heard.lines == [base.Said("hook", "db", "migrating"), base.Said("hook", "db", "no newline")]


def test_where_nobody_listens_nothing_crosses_the_wire(staged: HostShell) -> None:
    printing(staged, "compose*run*", "echo migrating; exit 4", {"ps*": ""})
    assert hook(staged, None) == base.HookEnd(4, "migrating")
    told = f"{scripts.parts('tell')}run_told web 20 echo migrating; printf '%s %s' \"$status\" \"$output\"\n"
    for limit, said_there in ((0, b""), (9, b"\nM said\nweb\nmigrating\n\nM next\n")):
        values = command.assign({"MARKER": "M", "APP": "shop", "TELL": limit})
        done = subprocess.run(["/bin/sh", "-c", values + told], capture_output=True, check=True)
        assert done.stdout == said_there + b"0 migrating"


@pytest.mark.parametrize("ends_with", ["", "\\n", "\\n\\n"])
def test_the_last_lines_are_kept_whatever_is_told(staged: HostShell, ends_with: str) -> None:
    printing(staged, "compose*up*", f"seq 1 1000; printf 'last{ends_with}'; exit 1")
    heard = Heard()
    seen = roll(staged, heard)
    kept = seen.output.splitlines()
    assert (kept[-2:], 18 < len(kept) < 22) == (["1000", "last"], True)
    assert heard.texts() == [*map(str, range(1, base.TOLD + 1)), "(what it says further is not told)"]


def test_a_long_line_is_cut_and_says_so(staged: HostShell) -> None:
    printing(staged, "compose*up*", "head -c 5000 /dev/zero | tr '\\0' x; echo; echo short")
    heard = Heard()
    seen = roll(staged, heard)
    assert [(len(one.text), one.is_cut) for one in heard.lines] == [(base.TOLD_BYTES, True), (5, False)]
    assert len(seen.output.splitlines()[0]) == 5000


def test_beats_do_not_cut_a_line(staged: HostShell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte every few milliseconds, which is answered between the lines."""
    monkeypatch.setattr(beats, "BEAT", 0.005)
    lines = [f"{number} {'x' * 900}" for number in range(300)]
    printing(staged, "compose*up*", "i=0; while [ $i -lt 300 ]; do printf '%s ' $i; head -c 900 /dev/zero | tr '\\0' x; echo; i=$((i+1)); done")
    heard = Heard()
    roll(staged, heard)
    assert heard.texts() == lines
    assert int(staged.lease()["beat"]) > 3


def test_what_a_host_says_is_bounded_whatever_it_is() -> None:
    heard = Heard()
    lines = said.Lines("pull", heard, said.of_image({"web": WEB}))
    assert lines.part("up", b"0\n") is False and heard.lines == []
    assert lines.part("said", f"{WEB}\n".encode() + b"\xff" * 1_000_000) is False
    assert (len(heard.lines[0].text), heard.lines[0].is_cut) == (base.TOLD_BYTES, True)
    for number in range(3000):
        lines.part("said", f"{WEB}\n{number:06x}: Waiting".encode())
    assert heard.lines[-1].progress is None
    assert len(lines._layers) < 1100


@pytest.mark.parametrize(("text", "service"), [
    ("Container shop-web-1  Started", "web"), ("Container shop-a-b-12  Created", "a-b"), ("Container data  Started", "db"),
    ("Container 0123456789ab_shop-web-1  Recreated", "web"), ("Container other-web-1 Started", ""), ("Network shop_default Created", ""),
    ("Container None  Started", ""), ("", ""),
])
def test_whose_container_compose_names(text: str, service: str) -> None:
    made = a_release(
        a_service("web"), a_service("a-b"), a_service("db", definition={"container_name": "data"}))
    about: Callable[[str, str], str] = said.of_container("shop", made)
    assert about("compose", text) == service


def test_what_the_last_health_check_said_is_seen() -> None:
    def seen(health: str) -> str:
        [one] = observation.parse_containers(f'{{"id": "c1", "state": {{"Status": "running", "Health": {health}}}}}')
        return one.probe

    log = '[{"ExitCode": 0, "Output": "old"}, {"ExitCode": 7, "Output": "curl: (7) refused\\n"}]'
    assert seen(f'{{"Status": "starting", "Log": {log}}}') == "exit code 7: curl: (7) refused"
    assert seen('{"Status": "starting", "Log": [{"ExitCode": 1, "Output": ""}]}') == "exit code 1: it said nothing"
    assert len(seen(f'{{"Log": [{{"ExitCode": 1, "Output": "{"x" * 9000}"}}]}}')) == base.PROBE_KEPT
    for nothing in ("null", "{}", '{"Log": null}', '{"Log": []}', '{"Log": ["x"]}', '{"Log": 3}'):
        assert seen(nothing) == ""




def test_of_what_an_engine_itself_says_no_more_is_told_than_of_a_script() -> None:
    heard = Heard()
    lines = said.Lines("pull", heard, said.of_image({"web": WEB}))
    for number in range(base.TOLD + 5):
        lines.tell(WEB, f"{number:06x}: Waiting")
    assert (len(heard.lines), heard.lines[0].service, heard.lines[0].text) == (base.TOLD, "web", "000000: Waiting")
    said.Lines("pull", None, said.of_image({})).tell(WEB, "nobody listens")
