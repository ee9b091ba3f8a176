"""Hosts that are damaged or lie: said so, nothing changed there, and no control character on the terminal."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app_client import App
from lab_client import Lab
from test_bad_hosts import on_terminal

OWN = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[hl]|\x1b\[[0-9]*[AK]|\r")
DOCKER = "/usr/bin/docker"
SSHD = "/etc/ssh/sshd_config"


@contextmanager
def lying(lab: Lab, host: str, script: str) -> Iterator[None]:
    """For a while, a program stands in front of a host's docker, and nobody gets at the engine but by docker."""
    first = 'case "$*" in "system dial-stdio") exit 1 ;; esac'
    lab.exec(host, f"mv {DOCKER} {DOCKER}.real && cat >{DOCKER} <<'EOS'\n#!/bin/sh\n{first}\n{script}\nEOS\nchmod 755 {DOCKER}; "
             f"cp {SSHD} {SSHD}.before; sed -i '1i AllowStreamLocalForwarding no' {SSHD}")
    again(lab, host)
    try:
        yield
    finally:
        lab.exec(host, f"mv {DOCKER}.real {DOCKER}; mv {SSHD}.before {SSHD}")
        again(lab, host)


def again(lab: Lab, host: str) -> None:
    """Let sshd read its settings."""
    lab.stop(host, "sshd")
    lab.start(host, "sshd")


def test_a_damaged_current_on_a_real_host(app: App, lab: Lab) -> None:
    assert app.deploy("1.0.0", to="web1").returncode == 0
    assert "lading-state-" not in lab.exec("web1", "docker volume ls -q").stdout  # all users share /var/lib/lading
    before, path = app.ids("web1"), f"/var/lib/lading/apps/{app.name}/current"
    lab.exec("web1", f"head -c 100 /dev/urandom >{path}")
    rows = [row for row in app.where() if row["host"] == "web1"]
    assert {row["state"] for row in rows if row["service"] is None} == {"unknown"}
    assert {row["version"] for row in rows if row["service"] == "web"} == {"1.0.0"}  # known by its content
    assert app.lading("drift", app.name).returncode == 1
    for words in (("deploy", "--version", "1.1.0"), ("rollback", app.name)):
        done = app.lading(*words, "--to", "web1", "--yes")
        assert (done.returncode, f"{path} is damaged" in done.stderr) == (4, True), done.stderr
    assert app.ids("web1") == before
    assert f"lading repair web1 {app.name}" in app.lading("where", app.name).stderr
    shown = app.lading("repair", "web1", app.name, "--dry-run", "--json")
    assert [one["field"] for one in json.loads(shown.stdout)["changes"]] == ["journal", "current"], shown.stderr
    done = app.lading("repair", "web1", app.name, "--plan", json.loads(shown.stdout)["hash"])
    assert done.returncode == 0, done.stderr
    assert (app.lading("drift", app.name).returncode, app.ids("web1")) == (0, before)
    done = app.deploy("1.0.0", to="web1")
    assert (done.returncode, "unchanged" in done.stdout) == (0, True), done.stderr
    lab.exec("web1", f": >{path}")
    assert app.lading("remove", app.name, "--to", "web1", "--yes").returncode == 0
    assert not [name for name in app.ids("web1") if not name.startswith("volume:")]
    assert app.deploy("1.1.0", to="web1").returncode == 0


def test_what_docker_says_is_no_truth(app: App, lab: Lab) -> None:
    assert app.deploy("1.0.0", to="web1").returncode == 0
    before = app.ids("web1")
    inspect = 'case "$*" in "container inspect"*) {} ;; esac\nexec ' + DOCKER + '.real "$@"'
    for does, words in (("printf '\\033[2J{}'; exit 0", "cannot be read"), ("head -c 100000000 /dev/zero; exit 0", "more than 16 MiB"),
                        ("printf '{\"labels\": [], \"state\": \"up\"}\\n'; exit 0", "cannot be read")):
        with lying(lab, "web1", inspect.replace("{}", does, 1)):
            done = app.deploy("1.1.0", to="web1")
            seen = app.where("--to", "web1")
        assert (done.returncode, words in done.stderr, "host web1" in done.stderr, "Traceback" in done.stderr) == (6, True, True, False), done.stderr
        assert [row["state"] for row in seen] == ["unknown"]
    assert app.ids("web1") == before


def test_logs_and_errors_on_a_terminal(app: App, lab: Lab, tmp_path: Path) -> None:
    assert app.deploy("1.0.0", to="web1").returncode == 0
    lies = ('case "$1" in logs) printf \'2026-01-01T00:00:00Z a\\033]0;owned\\007\\033[2J\\033[31mred\\033[0m\\n\'; exit 0;; esac\n'
          f'case "$*" in *"container inspect"*) printf \'\\033]0;owned\\007\' >&2; exit 1;; esac\nexec {DOCKER}.real "$@"')
    with lying(lab, "web1", lies):
        os.environ.setdefault("TERM", "xterm")
        shown = on_terminal(lab, app.folder, {}, "logs", app.name, "--to", "web1")
        where = on_terminal(lab, app.folder, {}, "where", app.name)
    assert "a�]0;owned��[2Jred" in shown.stdout
    for done in (shown, where):
        assert all(c.isprintable() or c in "\n\t" for c in OWN.sub("", done.stdout)), repr(done.stdout)


def test_files_that_are_gone_come_back_with_the_same_version(app: App, lab: Lab) -> None:
    assert app.deploy("1.0.0", to="web1").returncode == 0
    before, folder = app.ids("web1"), f"/var/lib/lading/apps/{app.name}/releases"
    lab.exec("web1", f"rm -rf {folder}/*/")
    assert "its files are gone" in app.lading("drift", app.name).stdout
    done = app.deploy("1.0.0", to="web1")
    assert (done.returncode, "unchanged" in done.stdout, app.ids("web1")) == (0, False, before), done.stderr
    assert app.lading("drift", app.name).returncode == 0
    lab.exec("web1", f"rm -rf {folder}/*/")
    assert app.lading("repair", "web1", app.name, "--yes").returncode == 0  # the record; no ledger keeps the files
    told = app.lading("drift", app.name)
    assert (told.returncode, "missing" in told.stdout, "edited" in told.stdout) == (1, True, False), told.stdout
    done = app.deploy("1.0.0", to="web1")
    assert (done.returncode, app.ids("web1")) == (0, before), done.stderr
    assert app.lading("drift", app.name).returncode == 0
    assert "unchanged" in app.deploy("1.0.0", to="web1").stdout


def test_a_journal_of_another_host(app: App, lab: Lab) -> None:
    assert app.deploy("1.0.0", to="web1").returncode == 0
    before, path = app.ids("web1"), f"/var/lib/lading/apps/{app.name}/journal"
    lab.exec("web1", f"""sed -i 's/"host":"web1"/"host":"old"/; s/"engine":"[^"]*"/"engine":"OLD:ID"/' {path}""")
    foreign = "another host's: it was written on old, for the engine OLD:ID"
    for verb in ("where", "drift"):
        told = app.lading(verb, app.name)
        said = told.stdout + told.stderr
        assert (foreign in said, f"lading repair web1 {app.name}" in said) == (True, True), said
    told = app.lading("history", app.name)
    assert (told.returncode, f"the journal of {app.name} is {foreign}" in told.stdout + told.stderr) == (6, True), told
    done = app.lading("repair", "web1", app.name, "--yes")
    assert (done.returncode, app.ids("web1")) == (0, before), done.stderr
    assert [app.lading(verb, app.name).returncode for verb in ("where", "drift", "history")] == [0, 0, 0]
