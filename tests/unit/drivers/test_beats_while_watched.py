"""A byte of the controller that a script loses is answered in time all the same."""

import os
import select
import subprocess
import time
from pathlib import Path

from lading.drivers.shell import scripts
from lading.transport import beats

BEGINNING = "MARKER=M\nrenew_lease() { :; }\nrenew_while_alive\n"
WATCHED = """CHANGES=1
sleep 0.5
hush
part up
answer_beats
"""
WORKING = """part up
cat "$GATE"
hush
"""
FORGETFUL = "#!/bin/sh\nhead -c 1 >/dev/null\nexec tail -f /dev/null\n"
"""A dd whose time is always over between reading its byte and writing it."""


def seconds_until_answered(script: str, environment: dict[str, str]) -> float:
    """How long a byte waits for its answer that comes once the script has said that it is up."""
    text = scripts.parts("held") + BEGINNING + script
    ours, theirs = os.pipe()
    with subprocess.Popen(
        ["/bin/sh", "-c", text], stdin=ours, stdout=subprocess.PIPE, bufsize=0, env=environment
    ) as running:
        os.close(ours)
        assert running.stdout is not None
        said = b""
        while b"M up" not in said:
            said += os.read(running.stdout.fileno(), 4096)
        time.sleep(0.2)
        os.write(theirs, beats.BYTE)
        sent = time.monotonic()
        while b"M beat" not in said and select.select([running.stdout], [], [], 2 * beats.ANSWER)[0]:
            said += os.read(running.stdout.fileno(), 4096)
        waited = time.monotonic() - sent
        os.close(theirs)
        if "GATE" in environment:
            Path(environment["GATE"]).write_bytes(b"")
    return waited


def test_what_was_taken_by_whoever_listened_before_is_answered() -> None:
    assert seconds_until_answered(WATCHED, dict(os.environ)) < beats.ANSWER - 2


def test_what_was_read_just_as_the_time_to_listen_was_over_is_answered(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    dd = tmp_path / "dd"
    dd.write_text(FORGETFUL)
    dd.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "GATE": str(gate)}
    assert seconds_until_answered(WORKING, environment) < beats.ANSWER - 2
