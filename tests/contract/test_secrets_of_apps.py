"""Secrets of apps by reference, through the command line: read if they are wanted, once, side by side; never shown; refused where shown."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from a_project import Ended, Project

from lading import settings
from lading.deploy import resolution
from lading.deploy.request import Request

pytestmark = pytest.mark.contract
CANARY = "canary/of+the vault"
FLEET = "lading: 1\nhosts: {{web1: {{address: 127.0.0.1, port: 9}}}}\ndestinations:\n  production:\n    hosts: [web1]\n    secrets:\n{}"


def fleet(*lines: str, more: str = "") -> str:
    return FLEET.format("".join(f"      {line}\n" for line in lines)) + more


def compose(text: str, more: str = "") -> str:
    return f"name: shop\nservices:\n  web:\n    image: r.example/web:1\n{text}{more}"


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    made = Project.make(tmp_path / "shop")
    made.write({"compose.yaml": compose("    environment: {PW: '${DB_PASSWORD}'}\n")})
    return made


def program(shop: Project, name: str, text: str) -> Path:
    """A program beside lading.yaml."""
    path = shop.folder.parent / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def runs(shop: Project) -> int:
    """How often the program `get` was run."""
    path = shop.folder.parent / "runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def get(shop: Project, value: str = CANARY) -> None:
    program(shop, "get", f"echo run >>runs\nprintf '%s\\n' '{value}'")


def to(shop: Project, text: str, *words: str, env: dict[str, str] | None = None) -> Ended:
    return shop.bundle("--to", "production", *words, fleet=text, env=env)


def everything(done: Ended) -> str:
    """All that was printed and written."""
    written = [path.read_bytes().decode("utf-8", "replace") for path in sorted(done.out.rglob("*")) if path.is_file()]
    return "\n".join([done.said, *written])


def test_a_command_s_value_is_a_secret_variable_read_once_in_the_fleet_file_s_folder(shop: Project) -> None:
    get(shop)
    done = to(shop, fleet("DB_PASSWORD: {command: [./get, db]}"))
    assert done.status == 0, done.said
    assert done.service()["environment"] == {"PW": "${DB_PASSWORD}"}
    assert done.release["services"]["web"]["secrets"] == ["var.DB_PASSWORD"]
    assert CANARY not in everything(done)
    assert runs(shop) == 1


def test_one_that_nobody_refers_to_is_not_read(shop: Project) -> None:
    get(shop)
    done = to(shop, fleet("DB_PASSWORD: {env: PROD}", "OTHER: {command: [./get]}", "MORE: {file: nowhere}"), env={"PROD": CANARY})
    assert (done.status, runs(shop)) == (0, 0), done.said
    without = shop.bundle("--version", "1", "-e", "DB_PASSWORD=x", fleet=fleet("DB_PASSWORD: {command: [./get]}"))
    assert (without.status, runs(shop)) == (0, 0), without.said


def value(shop: Project, text: str, name: str = "DB_PASSWORD", env: dict[str, str] | None = None, **typed: str) -> bytes | None:
    """The value that an app would be given, if it is secret."""
    path = shop.folder.parent / "lading.yaml"
    path.write_text(text)
    environment = {"PATH": os.environ["PATH"], "HOME": str(shop.folder.parent), **(env or {})}
    fleet_file = settings.load(path, environment)
    request = Request(shop.folder, ("production",), overrides=typed)
    reading = resolution.read_project(environment, request, fleet_file.inventory.destinations["production"], fleet_file)
    return reading.secrets.get(f"var.{name}")


@pytest.mark.parametrize(("source", "env"), [
    ("{file: db.txt}", {}), ("{env: PROD_DB}", {"PROD_DB": CANARY}), ("{env: DB_PASSWORD}", {"DB_PASSWORD": CANARY}),
    ("{command: [./get]}", {"DB_PASSWORD": "of-some-other-day"}), ("{file: ~/db.txt}", {}),
])
def test_where_a_value_comes_from(shop: Project, source: str, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(shop.folder.parent))
    get(shop)
    (shop.folder.parent / "db.txt").write_text(CANARY + "\n")
    assert value(shop, fleet(f"DB_PASSWORD: {source}"), env=env) == CANARY.encode()


@pytest.mark.parametrize(("content", "kept"), [
    (b"a\n\n", b"a\n"), (b"a\r\n", b"a"), (b"a\r", b"a\r"), (b" a ", b" a "), (b"a\nb\n", b"a\nb"), ("é→".encode(), "é→".encode()), (b"$x'\"\\", b"$x'\"\\"),
])
def test_one_newline_at_the_end_is_cut_and_nothing_else(shop: Project, content: bytes, kept: bytes) -> None:
    (shop.folder.parent / "db.txt").write_bytes(content)
    assert value(shop, fleet("DB_PASSWORD: {file: db.txt}")) == kept


def test_the_order_of_those_who_give_a_value(shop: Project) -> None:
    """-e, then pass_env, then the destination's secrets, then a tracked .env: secret from whomever it is."""
    shop.write({"compose.yaml": compose("    environment: {A: '${PORT}'}\n"), ".env": "PORT=tracked\n"})
    get(shop, "fetched")
    own = fleet("PORT: {command: [./get]}")
    passed, env = own + "pass_env: [PORT]\n", {"PORT": "passed"}
    assert (value(shop, own, "PORT"), runs(shop)) == (b"fetched", 1)
    assert (value(shop, passed, "PORT", env), runs(shop)) == (b"passed", 1)
    assert (value(shop, passed, "PORT", env, PORT="typed"), runs(shop)) == (b"typed", 1)
    assert value(shop, fleet("OTHER: {env: X}"), "PORT") == b"tracked"


REFUSED = {
    "an image": (compose("").replace("web:1", "web:${DB_PASSWORD}"), {}, "the name of an image is shown"),
    "a default in an image": (compose("").replace("web:1", "web:${TAG:-${DB_PASSWORD}}"), {}, "the name of an image is shown"),
    "plain": (compose("    environment: {PW: '${DB_PASSWORD}'}\n", "x-lading: {plain: [DB_PASSWORD]}\n"), {}, "x-lading.plain says"),
    "the name": (compose("").replace("name: shop", "name: 'x${DB_PASSWORD}'"), {}, "`name:` is shown"),
    "the path of an env file": (compose("    env_file: ['./${DB_PASSWORD}.env']\n"), {}, "the path of an env_file"),
    "a tracked .env": (compose("    environment: {U: '${URL}'}\n"), {".env": "URL=postgres://${DB_PASSWORD}@db\n"}, ".env sees no secret"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_where_a_value_would_be_shown_it_is_refused_unread(shop: Project, case: str) -> None:
    text, files, why = REFUSED[case]
    get(shop)
    shop.write({"compose.yaml": text, **files})
    done = to(shop, fleet("DB_PASSWORD: {command: [./get]}"))
    assert done.status == 2 and runs(shop) == 0, done.said
    assert f"DB_PASSWORD is a secret (lading.yaml:7), and {why}" in done.message
    assert done.told["error"]["file"] and done.told["error"]["line"]


def test_all_that_cannot_be_had_is_told_at_once_without_what_programs_print_of_secrets(shop: Project) -> None:
    get(shop)
    program(shop, "fails", f"echo first >&2; echo {CANARY.split()[0]}; echo 'no such item for {CANARY.split()[0]}' >&2; exit 3")
    program(shop, "leaks", f"echo 'token {CANARY} is old' >&2; exit 1")
    names = ("A", "B", "C", "D", "E", "F", "G")
    shop.write({"compose.yaml": compose("    environment: {" + ", ".join(f"{name}: '${{{name}}}'" for name in names) + "}\n")})
    done = to(shop, fleet(
        "A: {command: [./fails, x]}", "B: {command: [no-such-program]}", "C: {file: nowhere}", "D: {env: UNSET}",
        "E: {command: ['true']}", "F: {command: [./get]}", "G: {command: [./leaks]}"))
    assert done.status == 2
    assert "A cannot be had from the command ./fails … (line 7): it ended with status 3: no such item for ***" in done.message
    assert "B cannot be had from the command no-such-program (line 8): no-such-program is not there, or cannot be run" in done.message
    assert f"C cannot be had from the file {shop.folder.parent}/nowhere (line 9): No such file or directory" in done.message
    assert "D cannot be had from the environment variable UNSET (line 10): it is not set, or empty" in done.message
    assert "E cannot be had from the command true (line 11): it prints nothing" in done.message
    assert "G cannot be had from the command ./leaks (line 13): it ended with status 1: token *** is old" in done.message
    assert "F cannot" not in done.message and CANARY.split()[0] not in done.said
    assert (done.told["error"]["file"], done.told["error"]["line"]) == (str(shop.folder.parent / "lading.yaml"), 7)
    assert "export UNSET=…" in done.message and "try it by hand: ./fails …" in done.message


def test_they_are_read_side_by_side(shop: Project) -> None:
    """Each waits until the others have begun."""
    program(shop, "meet", "touch here.$1\nwhile [ ! -e here.1 ] || [ ! -e here.2 ] || [ ! -e here.3 ]; do sleep 0.05; done\necho $1$1$1$1")
    shop.write({"compose.yaml": compose("    environment: {A: '${A}${B}${C}'}\n")})
    done = to(shop, fleet(*(f"{name}: {{command: [./meet, '{number}'], timeout: 20}}" for number, name in enumerate("ABC", 1))))
    assert done.status == 0, done.said


# The programs of password managers, as they fail, prompt and hang


STAND_INS = {  # name: (argv, what it does where nobody answers, what is said)
    "pass": ("[pass, show, shop/db]", "gpg: decryption failed: Inappropriate ioctl for device", 2),
    "op": ("[op, read, 'op://Shop/db/password']", "[ERROR] 2026/11/30 05:00:00 You are not currently signed in. Please run `op signin --help`", 1),
    "vault": ("[vault, kv, get, -field=password, secret/shop]", "Code: 403. Errors: * permission denied", 2),
    "bw": ("[bw, get, password, shop-db]", "Vault is locked.", 1),
    "aws": ("[aws, secretsmanager, get-secret-value, --secret-id, shop]", "Unable to locate credentials. You can configure credentials by running \"aws login\".", 253),
    "gcloud": ("[gcloud, secrets, versions, access, latest, --secret=db]", "ERROR: (gcloud.secrets.versions.access) Reauthentication failed. cannot prompt during non-interactive execution.", 1),
    "az": ("[az, keyvault, secret, show, --name, db]", "ERROR: Please run 'az login' to setup account.", 1),
}
ASKING = ("pass", "op", "bw", "aws", "gcloud", "az")


def test_managers_that_let_nobody_in_are_told_with_their_last_words(shop: Project) -> None:
    for name, (_, said, status) in STAND_INS.items():
        program(shop, name, f"echo noise >&2\ncat >&2 <<'END'\n{said}\nEND\nexit {status}")
    uses = "".join(f"${{{name.upper()}}}" for name in STAND_INS)
    shop.write({"compose.yaml": compose(f"    environment: {{A: '{uses}'}}\n")})
    env = {"PATH": f"{shop.folder.parent}:{os.environ['PATH']}"}
    done = to(shop, fleet(*(f"{name.upper()}: {{command: {argv}}}" for name, (argv, _, _) in STAND_INS.items())), env=env)
    assert done.status == 2
    for line, (name, (_, said, status)) in enumerate(STAND_INS.items(), 7):
        assert f"{name.upper()} cannot be had from the command {name} … (line {line}): it ended with status {status}: {said}" in done.message
        asks = "it seems to ask something, and gets no terminal and no input here: log in before, or unlock it; "
        assert f"{asks if name in ASKING else ''}try it by hand: {name} … </dev/null" in done.message


def test_sops_decrypts_one_key_of_a_file(shop: Project) -> None:
    program(shop, "sops", f"printf '%s\\n' \"$@\" >asked\nprintf '%s' '{CANARY}'")
    env = {"PATH": f"{shop.folder.parent}:{os.environ['PATH']}"}
    done = to(shop, fleet("DB_PASSWORD: {sops: prod.enc.yaml, key: [db, password]}"), env=env)
    assert done.status == 0, done.said
    assert (shop.folder.parent / "asked").read_text().splitlines() == [
        "--decrypt", "--extract", '["db"]["password"]', f"{shop.folder.parent}/prod.enc.yaml"]
    program(shop, "sops", "echo 'Failed to get the data key required to decrypt the SOPS file.' >&2; exit 128")
    failed = to(shop, fleet("DB_PASSWORD: {sops: prod.enc.yaml, key: DB}"), env=env)
    assert f"DB_PASSWORD cannot be had from DB in {shop.folder.parent}/prod.enc.yaml (sops): it ended with status 128: Failed to get" in failed.message


def test_one_that_prompts_gets_no_terminal(shop: Project) -> None:
    """`script` gives lading a terminal; the program finds none, neither on stdin nor as /dev/tty, nor by GPG_TTY."""
    program(shop, "asks", "[ -z \"$GPG_TTY\" ] || exit 9\nif ( : </dev/tty ) 2>/dev/null; then exit 8; fi\n"
            "echo 'cannot open terminal to prompt for the passphrase' >&2; exit 4")
    program(shop, "reads", "read answer || { echo 'Master password:' >&2; exit 5; }")
    config = shop.folder.parent / "lading.yaml"
    shop.write({"compose.yaml": compose("    environment: {A: '${A}${B}'}\n")})
    config.write_text(fleet("A: {command: [./asks]}", "B: {command: [./reads]}"))
    line = f"LADING_CONFIG={config} GPG_TTY=/dev/pts/0 python -m lading bundle --no-digests -o {shop.folder.parent}/out --to production"
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(shop.folder.parent)}
    done = subprocess.run(["script", "-qec", line, "/dev/null"], cwd=shop.folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    said = " ".join(done.stdout.split())
    assert "it ended with status 4: cannot open terminal to prompt for the passphrase" in said, said
    assert "it ended with status 5: Master password:" in said and "gets no terminal and no input here" in said


def test_one_that_hangs_is_ended_with_all_that_it_started(shop: Project) -> None:
    program(shop, "hangs", "echo 'Touch your security key' >&2\nsleep 3600 & echo $! >child\ntrap '' TERM\nwait")
    began = time.monotonic()
    done = to(shop, fleet("DB_PASSWORD: {command: [./hangs], timeout: 1}"))
    assert done.status == 2 and time.monotonic() - began < 30
    assert "DB_PASSWORD cannot be had from the command ./hangs: it did not end within 1 s, and was ended: Touch your security key" in done.message
    assert "timeout: 2" in done.message
    child = (shop.folder.parent / "child").read_text().strip()
    state = subprocess.run(["ps", "-o", "state=", "-p", child], capture_output=True, text=True, check=False).stdout.strip()
    assert state in ("", "Z")


# Values


def test_what_no_variable_can_carry_is_refused(shop: Project) -> None:
    wrong = {
        "A": (b"", "it is empty"), "B": (b"\n", "it is empty"), "C": (b"a\0b", "it is no text: it holds a NUL"),
        "D": (b"caf\xe9", "it is no text: it is not UTF-8"), "E": (b"x" * (96 * 1024 + 1), "it has more than 96 KiB"),
        "F": (b"x" * (2 << 20), "it has more than 1024 KiB"),
    }
    for name, (content, _) in wrong.items():
        (shop.folder.parent / name).write_bytes(content)
    os.mkfifo(shop.folder.parent / "G")
    uses = "".join(f"${{{name}}}" for name in "ABCDEFGH")
    shop.write({"compose.yaml": compose(f"    environment: {{A: '{uses}'}}\n")})
    done = to(shop, fleet(*(f"{name}: {{file: {name}}}" for name in "ABCDEFG"), "H: {file: .}"))
    said = {**{name: why for name, (_, why) in wrong.items()}, "G": "it is not a file: a folder, a pipe or a device", "H": "Is a directory"}
    for line, (name, why) in enumerate(said.items(), 7):
        assert re.search(rf"\b{name} cannot be had from the file [^;]* \(line {line}\): {re.escape(why)}", done.message), (name, done.message)


def test_a_value_of_several_lines_is_masked_line_by_line(shop: Project) -> None:
    (shop.folder.parent / "key.pem").write_text("-----BEGIN KEY-----\ncanary-line-one\ncanary-line-two\n-----END KEY-----\n")
    shop.write({"compose.yaml": compose("    ports: ['127.0.0.1:${DB_PASSWORD}:80']\n")})
    done = to(shop, fleet("DB_PASSWORD: {file: key.pem}"))
    assert done.status == 2 and "canary-line" not in done.said
    shop.write({"compose.yaml": compose("    environment: {K: '${DB_PASSWORD}'}\n")})
    assert to(shop, fleet("DB_PASSWORD: {file: key.pem}")).status == 0


def test_two_destinations_must_agree(shop: Project) -> None:
    text = fleet("DB_PASSWORD: {env: A}") + "  staging: {hosts: [web1], secrets: {DB_PASSWORD: {env: B}}}\n"
    done = shop.bundle("--to", "production,staging", fleet=text, env={"A": "a", "B": "b"})
    assert done.status == 2 and "DB_PASSWORD differs between the destinations production, staging" in done.message


def test_what_jenkins_must_be_given_is_said(shop: Project) -> None:
    text = fleet("A: {env: SHOP_A}", "B: {command: [pass, show, b]}", "C: {sops: x.yaml, key: C}", "D: {age: d.age, key: k.txt}", "E: {file: e}",
                 more="    notify: [{url: {env: HOOK}}, {url: {file: hook}, kind: slack}]\n")
    config = shop.folder / "lading.yaml"
    config.write_text(text)
    done = subprocess.run([sys.executable, "-m", "lading", "--config", str(config), "export", "jenkins"],
                          cwd=shop.folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for variable, credential in (("SHOP_A", "lading-shop-a"), ("HOOK", "lading-hook")):
        assert f"string(credentialsId: '{credential}', variable: '{variable}')" in done.stdout
    comments = [line for line in done.stdout.splitlines() if line.startswith("// ")]
    for words in ("Secret B of production comes from the command pass, which must be there, with what it needs, in the agent.",
                  f"Secret C of production comes from C in {shop.folder}/x.yaml (sops): sops must be there, with what it needs, in the agent.",
                  f"Secret D of production comes from the age file {shop.folder}/d.age by the key {shop.folder}/k.txt, which must be there, with lading[age], in the agent.",
                  f"Secret E of production comes from the file {shop.folder}/e, which must be there, in the agent.",
                  f"The address of a webhook of production comes from the file {shop.folder}/hook, which must be there, in the agent."):
        assert any(words in line for line in comments), (words, json.dumps(comments, indent=1))
