"""What Compose reads of a repository when `lading` is called: seen by strace, through the command line."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from registry_server import Serve

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
            "-C", str(folder), "--no-digests", "--app", "shop", "-o", str(tmp_path / "bundle"), "--version", "1.0"]
    env = {**os.environ, "HOME": str(tmp_path), "LADING_CONFIG": ""}
    done = subprocess.run(argv, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    opened = opened_by_compose(trace.read_text())
    assert [path for path in opened if path.endswith("base.yaml")]
    assert not [path for path in opened if path != PLUGIN and not OWN.match(path)]


FLEET = """lading: 1
hosts: {{web1: {{address: 127.0.0.1, port: 9}}}}
destinations: {{production: {{hosts: [web1]}}}}
registries: {{"{registry}": {{insecure: true}}}}
"""
SERVICES = "services:\n  web: {{image: '{registry}/leak:${{STOLEN:-x}}'}}\n"
HOSTILE = {  # what the file is, the line that is refused, and words of the refusal
    "two documents": (SERVICES + "---\nservices: {{web: {{env_file: ['{out}/x.env']}}}}\n", 3, "several documents"),
    "an include in base64": (SERVICES + "!!binary 'aW5jbHVkZQ==':\n  - path: in.yml\n    env_file: '{out}/x.env'\n", 3, "a key with a tag"),
    "an include of an absolute path": (SERVICES + "include:\n  - '{out}/x.yml'\n", 4, "absolute path"),
    "an include above the tree": (SERVICES + "include:\n  - ../out/x.yml\n", 4, "lies outside"),
    "an include through a symlink": (SERVICES + "include:\n  - way-out/x.yml\n", 4, "symlink"),
    "an include from Git": (SERVICES + "include:\n  - 'https://127.0.0.1:{port}/x.git'\n", 4, "not in this project"),
    "an include from Git by a short name": (SERVICES + "include:\n  - 'git@127.0.0.1:x/y'\n", 4, "not in this project"),
    "an include from a registry": (SERVICES + "include:\n  - 'oci://{registry}/x:1'\n", 4, "not in this project"),
    "an include by a variable": (SERVICES + "include:\n  - '${{WHERE:-{out}/x.yml}}'\n", 4, "has a variable in it"),
    "an env file of an include": (SERVICES + "include:\n  - path: in.yml\n    env_file: '{out}/x.env'\n", 4, "absolute path"),
    "an include within a merge": (SERVICES + "x-a: &a\n  include: ['{out}/x.yml']\n<<: *a\n", 0, "absolute path"),
    "extends": (SERVICES + "  b:\n    extends: {{file: '{out}/x.yml', service: s}}\n", 4, "absolute path"),
    "extends from a registry": (SERVICES + "  b:\n    extends: {{file: 'oci://{registry}/x:1', service: s}}\n", 4, "not in this project"),
    "an env file": (SERVICES + "  b:\n    image: x\n    env_file: ['{out}/x.env']\n", 5, "absolute path"),
    "an env file through a symlink": (SERVICES + "  b:\n    image: x\n    env_file: [way-out/x.env]\n", 5, "symlink"),
    "a label file": (SERVICES + "  b:\n    image: x\n    label_file: ['{out}/x.env']\n", 5, "absolute path"),
    "a secret": (SERVICES + "  b: {{image: x, secrets: [s]}}\nsecrets:\n  s: {{file: '{out}/x.env'}}\n", 5, "absolute path"),
    "a config": (SERVICES + "  b: {{image: x, configs: [s]}}\nconfigs:\n  s: {{file: ../out/x.env}}\n", 5, "lies outside"),
    "an included file with two documents": (SERVICES + "include: [two.yml]\n", 2, "several documents"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_what_would_read_elsewhere_is_refused_with_its_line(case: str, tmp_path: Path, serve: Serve) -> None:
    text, line, message = HOSTILE[case]
    server, out, folder = serve(), tmp_path / "out", tmp_path / "shop"
    out.mkdir()
    (out / "x.env").write_text("STOLEN=canary\n")
    (out / "x.yml").write_text("services: {s: {image: 'r/canary:1'}}\n")
    folder.mkdir()
    (folder / "compose.yaml").write_text(text.format(registry=server.name, port=server.port, out=out))
    (folder / "in.yml").write_text("services: {i: {image: 'r/i:1'}}\n")
    (folder / "two.yml").write_text("services: {i: {image: 'r/i:1'}}\n---\nservices: {j: {image: 'r/j:1'}}\n")
    (folder / "way-out").symlink_to("../out")
    subprocess.run("git init -q . && git remote add origin https://git.example/team/shop && git add -A", shell=True, cwd=folder, check=True)
    (tmp_path / "fleet.yaml").write_text(FLEET.format(registry=server.name))
    argv = [sys.executable, "-m", "lading", "--config", str(tmp_path / "fleet.yaml"), "plan", "--json", "-C", str(folder), "--version", "1",
            "--to", "production"]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(argv, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    error = json.loads(done.stdout)["error"]
    assert message in error["message"]
    assert (error["file"], error["line"] or 0) == ("two.yml" if "included file" in case else "compose.yaml", line)
    assert "canary" not in done.stdout + done.stderr
    assert server.seen == []
