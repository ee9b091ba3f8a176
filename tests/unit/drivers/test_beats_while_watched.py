"""A byte of the controller that comes just when a script has ended to renew its lease by itself is answered in time."""

import os
import subprocess
import time

from lading.drivers.shell import scripts
from lading.transport import beats

SCRIPT = """MARKER=M
CHANGES=1
renew_lease() { :; }
renew_while_alive
sleep 0.5
hush
part up
answer_beats
"""


def test_what_was_taken_by_whoever_listened_before_is_answered() -> None:
    text = scripts.parts("held")
    ours, theirs = os.pipe()
    with subprocess.Popen(["/bin/sh", "-c", text + SCRIPT], stdin=ours, stdout=subprocess.PIPE, bufsize=0) as running:
        os.close(ours)
        assert running.stdout is not None
        said = b""
        while b"M up" not in said:
            said += os.read(running.stdout.fileno(), 4096)
        time.sleep(0.2)
        os.write(theirs, beats.BYTE)
        sent = time.monotonic()
        while b"M beat" not in said and time.monotonic() - sent < 3 * beats.ANSWER:
            said += os.read(running.stdout.fileno(), 4096)
        waited = time.monotonic() - sent
        os.close(theirs)
    assert waited < beats.ANSWER - 2
