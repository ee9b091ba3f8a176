"""A `docker` on a host that is a script: it does not pass SIGTERM on, and what it started stays (D11)."""

import os
import subprocess
from pathlib import Path

from lading.drivers.shell import scripts

WRAPPER = """#!/bin/sh
case $1 in
events) sh -c 'trap "" TERM; echo $$ >"$0"; exec tail -f /dev/null' {pid} ;;
*) exit 0 ;;
esac
"""
SCRIPT = """MARKER=M
APP=shop
CHANGES=1
renew_lease() { :; }
part next
watch_containers
part over
"""


def test_a_watch_ends_though_its_events_do_not(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    os.mkfifo(pid)
    docker = tmp_path / "docker"
    docker.write_text(WRAPPER.format(pid=pid))
    docker.chmod(0o755)
    given = f"app_dir={tmp_path}\nof_app=label=x\nexpected=\n"
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with subprocess.Popen(
        ["/bin/sh", "-c", given + scripts.parts("snapshot", "held") + SCRIPT], env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        deaf = int(pid.read_text())
        try:
            running.stdin.close()
            ended = running.wait(timeout=20)
            said = running.stdout.read()
        finally:
            os.kill(deaf, 9)
            running.kill()
    assert (ended, b"M over" in said) == (0, True)
