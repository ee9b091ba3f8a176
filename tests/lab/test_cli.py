"""What a person and a program see: progress, colour, questions, JSON documents, logs (DESIGN §3, issue 2 item 11)."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from typing import Any

import pytest
from app_client import LADING, App

CHANGE = {"host", "service", "field", "old", "new"}
ROW = {"v", "app", "service", "host", "container", "version", "release", "image", "digest", "state", "since", "deployment",
       "actor", "drift", "destination", "app_version", "label", "restarts", "one_shot", "unwell", "silent"}


class Terminal:
    """lading on a terminal of 80 columns, which is its own; what it shows is kept as it comes."""

    def __init__(self, app: App, *words: str, env: dict[str, str] | None = None) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
        argv = app.lab.run_argv(*LADING, *words, env=env)
        self.process = subprocess.Popen(argv, cwd=app.folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(theirs)
        self.said = ""

    def until(self, wanted: str) -> None:
        """Read until *wanted* is shown."""
        limit = time.monotonic() + 120
        while wanted not in self.said:
            assert select.select([self.ours], [], [], max(0.0, limit - time.monotonic()))[0], self.said
            try:
                self.said += os.read(self.ours, 4096).decode("utf-8", "replace")
            except OSError:
                raise AssertionError(f"it ended without {wanted!r}: {self.said}") from None

    def answer(self, text: str) -> None:
        """Type a line."""
        os.write(self.ours, f"{text}\n".encode())

    def end(self) -> int:
        """The exit code, after all that it still says."""
        while True:
            try:
                self.said += os.read(self.ours, 4096).decode("utf-8", "replace")
            except OSError:
                return self.process.wait(timeout=60)

    def hang_up(self) -> int:
        """Close the terminal, as a lost connection does; the exit code then."""
        os.close(self.ours)
        self.ours = -1
        return self.process.wait(timeout=120)

    def close(self) -> None:
        """End it if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.ours >= 0:
            os.close(self.ours)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for one in opened:
        one.close()


def test_question_progress_and_colour_on_a_terminal(app: App, terminals: list[Terminal]) -> None:
    terminals.append(first := Terminal(app, "deploy", "--version", "1.0.0", "--to", "web1"))
    first.until("[y/N]")
    first.answer("n")
    assert first.end() == 4
    assert "nothing of this plan was carried out" in first.said
    assert app.ids("web1") == {}
    terminals.append(second := Terminal(app, "deploy", "--version", "1.0.0", "--to", "web1"))
    second.until("[y/N]")
    second.answer("y")
    assert second.end() == 0
    assert "\x1b[2K" in second.said  # a live line
    assert re.search("roll.* s", second.said)
    terminals.append(coloured := Terminal(app, "where", app.name, "--to", "web1"))
    assert coloured.end() == 0
    assert "\x1b[32mhealthy" in coloured.said
    terminals.append(plain := Terminal(app, "where", app.name, "--to", "web1", env={"NO_COLOR": "1"}))
    assert plain.end() == 0
    assert not re.search(r"\x1b\[3\dm", plain.said)
    terminals.append(agent := Terminal(app, "deploy", "--version", "1.1.0", "--to", "web1", env={"CI": "true"}))
    assert (agent.end(), "--yes" in agent.said) == (4, True)


def test_a_terminal_that_is_closed_is_the_first_ctrl_c(app: App, terminals: list[Terminal]) -> None:
    app.edit("8080/\"], interval: 2s", "8080/\"], interval: 8s")
    assert app.deploy("1.0.0").returncode == 0
    terminals.append(closed := Terminal(app, "deploy", "--version", "1.1.0", "--to", "web1,web2", "--yes"))
    closed.until("web1  roll  ")
    assert closed.hang_up() == 5
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert json.loads(app.lading("history", app.name, "--json").stdout)[0]["result"] == "rolled_back"


def someone_else_deploys(app: App, before: dict[str, dict[str, Any]]) -> None:
    """The next version by ben: what it leaves alone keeps its own version, time and person; what nobody knows is an error."""
    assert app.deploy("1.1.0", env={"USER": "ben"}).returncode == 0
    rows = {(row["host"], row["service"]): row for row in app.where("--to", "web1,web2")}
    for host, store in before.items():
        after = rows[host, "store"]
        assert (after["version"], after["app_version"] != "1.1.0") == ("1", True)
        assert {key: after[key] for key in ("since", "actor", "deployment", "release")} == {
            key: store[key] for key in ("since", "actor", "deployment", "release")}
        assert str(rows[host, "web"]["actor"]).startswith("ben@")
        assert rows[host, "web"]["deployment"] > store["deployment"]
    noted = json.loads(app.lab.exec("web1", f"cat /var/lib/lading/apps/{app.name}/current").stdout)["changed"]
    assert [one["deployment"] for one in noted if "web" in one["of"]] == [rows["web1", "web"]["deployment"]]
    shown = app.lading("where", app.name, "--to", "web1,web2").stdout.splitlines()
    assert shown[0] == f"{app.name} production: 1.1.0 on 2 hosts"
    assert shown[2].split() == ["APP", "DEST", "SERVICE", "HOST", "VERSION", "STATE", "SINCE", "BY"]
    assert [line.split()[2:5] for line in shown[3:]] == [
        ["store", "web1", "1"], ["store", "web2", "1"], ["web", "web1", "1.1.0"], ["web", "web2", "1.1.0"]]
    assert "completed" in app.lading("where", app.name, "--to", "web1", "--all").stdout
    near = app.lading("where", app.name + "x", "--to", "web1")
    assert (near.returncode, f"did you mean `{app.name}`?" in near.stderr) == (2, True), near.stderr
    service = app.lading("logs", app.name, "--to", "web1", "--service", "wep")
    assert (service.returncode, "did you mean `web`?" in service.stderr) == (2, True), service.stderr
    back = app.lading("rollback", app.name, "--to", "web1", "--yes", env={"USER": "eve"})
    assert back.returncode == 0, back.stderr
    people = {row["service"]: str(row["actor"]).partition("@")[0] for row in app.where("--to", "web1")}
    assert (people["web"], people["store"]) == ("eve", str(before["web1"]["actor"]).partition("@")[0])


def test_one_document_on_stdout(app: App) -> None:  # the contract of --json
    planned = app.lading("plan", "--version", "1.0.0", "--to", "web1,web2", "--json")
    told = json.loads(planned.stdout)
    assert {"app", "version", "release", "destination", "hosts", "batches", "steps", "changes"} <= set(told)
    assert (planned.returncode, told["hosts"], told["batches"]) == (0, ["web1", "web2"], [["web1", "web2"]])
    assert all(set(change) == CHANGE for change in told["changes"])
    assert app.ids("web1") == {}
    dry = json.loads(app.deploy("1.0.0", "--dry-run", "--json").stdout)
    assert {**dry, "release": ""} == {**told, "release": ""}
    done = app.deploy("1.0.0", "--json", "--reason", "first")
    deployed = json.loads(done.stdout)
    assert set(deployed) == {"v", "deployment", "app", "version", "release", "destination", "result", "started", "finished",
                             "actor", "reason", "hosts", "note", "excluded"}
    assert (deployed["release"], deployed["reason"]) == (told["release"], "first")
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}", deployed["deployment"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", deployed["started"])
    rows = app.where("--to", "web1,web2")
    assert {row["state"] for row in rows} == {"healthy", "completed"}
    assert all(set(row) == ROW for row in rows)
    assert "\x1b" not in done.stdout + done.stderr
    empty = json.loads(app.lading("plan", "--version", "1.0.0", "--to", "web1,web2", "--json").stdout)
    assert (empty["steps"], empty["changes"]) == ([], [])
    someone_else_deploys(app, {row["host"]: row for row in rows if row["service"] == "store"})


def test_bundle_is_what_ships(app: App) -> None:  # R28
    done = app.lading("bundle", "--version", "1.0.0", "-o", "out", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["app"]) == (0, app.name)
    assert sorted(told["files"]) == sorted(str(p.relative_to(app.folder / "out")) for p in (app.folder / "out").rglob("*")
                                           if p.is_file())
    assert "@sha256:" in (app.folder / "out" / "compose.overlay.yaml").read_text()
    assert not [name for name in told["files"] if "override" in name]


def test_logs_follow_all_hosts_until_ctrl_c(app: App, terminals: list[Terminal]) -> None:
    assert app.deploy("1.0.0").returncode == 0
    terminals.append(logs := Terminal(app, "logs", app.name, "-f", "--service", "web", "--to", "web1,web2"))
    for host in ("web1", "web2"):
        logs.until(f"{host} | ")
    colours = set(re.findall(r"\x1b\[(3\d)mweb[12] \| ", logs.said))
    assert len(colours) == 2, logs.said
    assert re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", logs.said)
    app.lab.exec("web1", f"docker restart -t 1 {app.ids('web1')['web']}")
    logs.said = ""
    logs.until("hello 1.0.0 listens on 8080")
    assert app.deploy("1.1.0", to="web1,web2").returncode == 0
    logs.until("hello 1.1.0 listens on 8080")
    logs.process.send_signal(signal.SIGINT)
    assert logs.end() in (0, 130)


@pytest.mark.parametrize("first", ["sleep 9", "true"])
def test_logs_follow_loses_nothing_of_a_crash_loop(app: App, terminals: list[Terminal], first: str) -> None:
    """It starts more often than anybody looks, and says its first words before Docker has noted that it runs."""
    assert app.deploy("1.0.0", to="web1").returncode == 0
    labels = " ".join(f"--label com.docker.compose.{key}={value}"
                      for key, value in {"project": app.name, "service": "loop", "container-number": 1}.items())
    script = f'n=$(($(cat /n || echo 0) + 1)); echo $n >/n; echo "began $n"; [ $n = 1 ] && {first}; echo "ended $n"; exit 1'
    terminals.append(logs := Terminal(app, "logs", app.name, "-f", "--to", "web1", "--tail", "1"))
    logs.until("web-1 | ")
    image = app.lab.exec("web1", f"docker inspect -f {{{{.Image}}}} {app.ids('web1')['web']}").stdout.strip()
    made = app.lab.exec("web1", f"docker create --restart on-failure:6 {labels} --entrypoint sh {image} -c '{script}'").stdout
    try:
        app.lab.exec("web1", f"docker start {made.strip()}")
        logs.until("ended 7")
    finally:
        app.lab.exec("web1", f"docker rm -f {made.strip()}")
    logs.process.send_signal(signal.SIGINT)
    assert logs.end() in (0, 130)
    assert re.findall(r"loop-1 \| \S+ (\w+ \d)", logs.said) == [f"{word} {n}" for n in range(1, 8) for word in ("began", "ended")]
