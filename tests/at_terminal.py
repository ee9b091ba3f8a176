"""A program at a terminal, and the person who sits there."""

import errno
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

LIMIT = 60.0  # seconds until a test is said to hang


class AtTerminal:
    """A program whose terminal is ours; *said*: all that it has shown so far."""

    def __init__(
        self, argv: Sequence[str], *, columns: int = 91, rows: int = 37, cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._ours, theirs = pty.openpty()
        self.resize(columns, rows)
        self.modes = termios.tcgetattr(theirs)
        self._kept = theirs
        self.said = b""
        self.process = subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, columns: int, rows: int) -> None:
        """Drag the window to another size."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._ours, keys)

    def sees(self, words: str, times: int = 1) -> None:
        """Wait until *words* have been shown."""
        until = time.monotonic() + LIMIT
        while self.said.count(words.encode()) < times:
            assert time.monotonic() < until, self.said
            if not self._read(0.1):
                assert self.process.poll() is None or self._read(0.1), self.said

    def leaves(self) -> int:
        """Its exit status once it has ended; the terminal is as it was before."""
        status = self.process.wait(LIMIT)
        while self._read(0.1):
            pass
        assert termios.tcgetattr(self._kept) == self.modes
        return status

    def hang_up(self) -> None:
        """Close the window: whoever is there gets SIGHUP."""
        os.close(self._kept)
        os.close(self._ours)
        self.process.wait(LIMIT)

    def kill(self) -> None:
        """End it at once."""
        self.process.send_signal(signal.SIGKILL)

    def _read(self, patience: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], patience)
        if not ready:
            return False
        try:
            self.said += os.read(self._ours, 65536)
        except OSError as gone:
            if gone.errno != errno.EIO:
                raise
            return False
        return True
