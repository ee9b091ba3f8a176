"""Commands on the wire and on paper: quoting in the real shell, secrets that never show, parts of an answer."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_shell import HostShell
from lading.inventory import hosts
from lading.transport import command, wire

TEXTS = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1, max_size=20)


def shell(script: str) -> bytes:
    return subprocess.run(["/bin/sh"], input=script.encode(), stdout=subprocess.PIPE, check=True).stdout


@given(TEXTS)
def test_a_quoted_text_is_one_word_for_the_shell(texts: list[str]) -> None:
    script = "".join(f"printf '%s\\0' {command.quote(text)}\n" for text in texts)
    assert shell(script).split(b"\0")[:-1] == [text.encode() for text in texts]


@given(TEXTS)
def test_an_argv_stays_an_argv(texts: list[str]) -> None:
    assert shell(f"printf '%s\\0' x {command.join(texts)}").split(b"\0")[1:-1] == [text.encode() for text in texts]


@given(TEXTS)
def test_an_argv_stays_one_through_the_shells_of_two_machines(texts: list[str]) -> None:
    line = command.by_ssh("web1", ["printf", "%s\\0", "x", *texts])
    there = shell(f'ssh() {{ shift; printf %s "$*"; }}\n{line}')  # as `ssh` sends its words
    assert shell(there.decode()).split(b"\0")[1:-1] == [text.encode() for text in texts]


def test_assignments_hold_hostile_values() -> None:
    script = command.assign({"A": "1.0; rm -rf /", "N": 7, "E": "", "Q": "it's $HOME `id`\n\\"}) + 'printf "%s|" "$A" "$N" "$E" "$Q"'
    assert shell(script).decode() == "1.0; rm -rf /|7||it's $HOME `id`\n\\|"


def test_no_shell_word_holds_a_nul() -> None:
    with pytest.raises(ValueError, match="NUL"):
        command.quote("a\0b")


def test_secrets_cross_the_wire_and_never_show() -> None:
    secret = command.Secret(b"canary")
    made = command.Command("stage", "cat\n", "m", (b"plain", secret))
    assert made.wire() == b"cat\nplaincanary"
    assert made.masked() == "cat\n\n<5 bytes>\n<6 secret bytes>"
    for shown in (str(secret), repr(secret), repr(made), made.masked()):
        assert "canary" not in shown


MARKER = "lading-00ff"


@given(st.binary(), st.lists(st.tuples(st.from_regex(r"[a-z:./-]{1,20}", fullmatch=True), st.binary())), st.integers(1, 9))
def test_parts_come_back_whatever_they_hold_and_however_they_are_cut(
    noise: bytes, parts: list[tuple[str, bytes]], size: int
) -> None:
    output = noise + b"".join(f"\n{MARKER} {name}\n".encode() + content for name, content in parts)
    assert command.split_parts(output, MARKER) == parts
    parser, seen = wire.Parser(MARKER), []
    for start in range(0, len(output), size):
        seen += parser.feed(output[start : start + size])
    assert seen + parser.end() == parts


def test_text_of_a_part() -> None:
    result = command.Result(0, {"fence": b"3\n", "log": b"\xff\n"})
    assert (result.text("fence"), result.text("log"), result.text("none")) == ("3", "�", "")


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(("at", "words"), [
    (hosts.Host("h"), None), (hosts.Host("h", sudo=True), "-n timeout -k 10 7"),
    (hosts.Host("h", sudo_group="it's a group"), "-n -g it's a group timeout -k 10 7"),
])
def test_the_line_reads_its_script_and_leaves_the_payload(
    host: HostShell, at: hosts.Host, words: str | None, waits: bool
) -> None:
    host.program("sudo", f'#!/bin/sh\nprintf "%s\\n" "$*" >{host.folder}/sudo\n'
                          'while [ "$1" != timeout ]; do shift; done; exec "$@"\n')
    made = command.Command("x", "printf '\\nM got\\n'; head -c 5; printf '\\nM %s\\n' \"$0\"", "M", (b"five!", b"more"), timeout=7)
    line = wire.waiting_line(at) if waits else wire.line(at, made)
    sent = wire.to_waiting(made) if waits else wire.outgoing(made)[1]
    done = subprocess.run(["/bin/sh", "-c", line], input=sent, stdout=subprocess.PIPE, check=True)
    assert command.split_parts(done.stdout, "M") == [("got", b"five!"), ("lading", b"")]
    assert (host.folder / "sudo").exists() is (words is not None)
    if words is not None:
        assert (host.folder / "sudo").read_text().split(" /bin/sh ")[0] == words


def test_a_shell_that_waits_runs_nothing_that_is_not_whole_and_bounds_nothing_that_is_not_to_be() -> None:
    made = command.Command("x", "printf '\\nM ran\\n'; ps -o args= -p $PPID", "M", timeout=0)
    line = wire.waiting_line(hosts.Host("h"))
    for sent, parts in [(b"", 0), (b"9", 0), (wire.to_waiting(made)[:-9], 0), (wire.to_waiting(made), 1)]:
        done = subprocess.run(["/bin/sh", "-c", line], input=sent, capture_output=True, check=False)
        assert len(command.split_parts(done.stdout, "M")) == parts
        assert (done.returncode == 0) is (parts == 1)
    assert b"timeout" not in done.stdout


@pytest.mark.parametrize("of", ["GNU", "BusyBox"])
def test_a_shell_that_waits_ends_after_its_time_with_a_status_that_says_so(
    of: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "WAITING", 1)
    if of == "BusyBox":
        (tmp_path / "timeout").symlink_to("/bin/busybox")
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with subprocess.Popen(["/bin/sh", "-c", wire.waiting_line(hosts.Host("h"))], stdin=subprocess.PIPE) as shell:
        assert shell.wait(timeout=30) == {"GNU": 124, "BusyBox": 143}[of]
    assert shell.returncode in command.TIMED_OUT
