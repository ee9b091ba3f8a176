"""What Compose reads of a repository when `lading` is called: seen by strace, through the command line."""

import os
import re
import subprocess
import sys
from pathlib import Path

from lading.compose import plugin

PLUGIN = plugin.find({})
OPENED = re.compile(r'open(?:at)?\((?:AT_FDCWD, )?"([^"]*)".* = \d+$')
STARTED = re.compile(r'execve\("([^"]*)"')
BORN = re.compile(r"clone3?\b.* = (\d+)$")
OWN = re.compile(r"/tmp/lading-|/proc/self/fd/|/dev/null$|/sys/|[ab]\.(?:env|labels)$")


def opened_by_compose(trace: str) -> list[str]:
    """The paths that Compose's processes opened, their threads included."""
    known: set[str] = set()
    found = []
    for line in trace.splitlines():
        process, _, call = line.partition(" ")
        started = STARTED.search(call)
        if started and started[1] == PLUGIN:
            known.add(process)
        if process not in known:
            continue
        if born := BORN.search(call):
            known.add(born[1])
        if opened := OPENED.search(call):
            found.append(opened[1])
    return found


def test_compose_never_opens_the_work_tree(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "compose.yaml").write_text("include: [base.yaml]\nservices: {a: {image: 'r/a:${VERSION}', env_file: [a.env]}}\n")
    (folder / "base.yaml").write_text("services: {b: {image: 'r/b:1', label_file: [b.labels]}}\n")
    (folder / "a.env").write_text("A=1\n")
    (folder / "b.labels").write_text("team=a\n")
    trace = tmp_path / "trace"
    argv = ["strace", "-f", "-qq", "-e", "trace=open,openat,execve,clone,clone3", "-o", str(trace), sys.executable, "-m", "lading", "bundle",
            "-C", str(folder), "--no-digests", "-o", str(tmp_path / "bundle"), "--version", "1.0"]
    env = {**os.environ, "HOME": str(tmp_path), "LADING_CONFIG": ""}
    done = subprocess.run(argv, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    opened = opened_by_compose(trace.read_text())
    assert [path for path in opened if path.endswith("base.yaml")]
    assert not [path for path in opened if path != PLUGIN and not OWN.match(path)]
