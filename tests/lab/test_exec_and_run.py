"""`exec` and `run` on real engines: a terminal, Ctrl-C, exit status; what a run has made goes, whatever becomes of its caller."""

import json
import signal

from app_client import LADING, App
from lab_client import Lab

from at_terminal import AtTerminal
from labkit.process import wait_until

# docker tells a terminal its size once the command has begun
SIZE, RESIZED = (f"until stty size 2>/dev/null | grep {one}; do sleep 0.1; done" for one in (".", "120"))
LOOP = "trap 'echo got it; exit 3' INT; echo rea''dy; while :; do sleep 0.1; done"


def at_terminal(app: App, *words: str) -> AtTerminal:
    """lading at a terminal, in the app's folder."""
    return AtTerminal(app.lab.run_argv(*LADING, *words), cwd=app.folder)


def nothing_left(app: App, lab: Lab) -> bool:
    """Whether what runs have made on web1 is gone: containers, networks, files."""
    looks = ("docker ps -aq --filter label=com.docker.compose.oneoff=True; docker network ls -q --filter name=-run-;"
             f"ls /var/lib/lading/apps/{app.name} | grep -e -run-")
    return not lab.exec("web1", looks, check=False).stdout.split()


def test_exec(app: App) -> None:
    assert app.deploy("1.0.0").returncode == 0
    place = f"{app.name}/web"
    both = app.lading("exec", place, "--", "true")
    assert (both.returncode, "web runs in 2 containers: web1 (number 1), web2 (number 1)" in both.stderr) == (4, True), both.stderr
    one = at_terminal(app, "exec", place, "--host", "web2", "--", "sh", "-c", f"{SIZE}; {RESIZED}; {LOOP}")
    one.sees("37 91")
    one.resize(120, 50)
    one.sees("50 120")
    one.sees("ready")
    one.type(b"\x03")
    one.sees("got it")
    assert one.leaves() == 3
    assert app.lading("exec", place, "--host", "web2", "--", "/host-name").returncode == 126
    with app.start("exec", place, "--host", "web1", "--", "sh", "-c", LOOP) as piped:
        assert piped.stdout is not None
        assert piped.stdout.readline() == "ready\n"
        piped.send_signal(signal.SIGINT)
        assert (piped.stdout.read(), piped.wait(60)) == ("got it\n", 3)

    broken = app.deploy("1.2.0")
    assert broken.returncode == 5, broken.stderr
    id = json.loads(app.lading("history", app.name, "--json").stdout)[0]["deployment"]
    kept = app.lading("logs", app.name, "--deployment", id[:15], "--grep", "FATAL")
    assert (kept.returncode, "web | hello 1.2.0: FATAL: setting GREETING_TEMPLATE is missing" in kept.stdout) == (0, True), kept
    nobody = app.lading("logs", app.name, "--deployment", id, "--service", "wbe")
    assert (nobody.returncode, "did you mean `web`?" in nobody.stderr) == (2, True), nobody.stderr
    unknown = app.lading("logs", app.name, "--deployment", "20200101-000000-0000")
    assert (unknown.returncode, "this ledger knows no deployment" in unknown.stderr) == (2, True), unknown.stderr


def test_run(app: App, lab: Lab) -> None:
    app.edit("  store:\n", "  shell:\n    image: registry.lab:5000/hello:${VERSION}\n    entrypoint: []\n    restart: always\n"
             "    environment: {GREETING: $WORD, OTHER: its own}\n    volumes: [\"data:/data\"]\n    deploy: {replicas: 0}\n"
             "    depends_on: [web]\n  store:\n")
    done = app.deploy("1.0.0", "-e", "WORD=s3cret", to="web1")
    assert done.returncode == 0, done.stderr
    before, place = app.ids("web1"), f"{app.name}/shell"
    ran = app.lading("run", "-v", place, "-e", "MORE=$x 'y'", "--", "sh", "-c",
                     "echo $GREETING $OTHER $MORE; wget -qO- web:8080; cat /data/schema; exit 7")
    said = ["s3cret its own $x 'y'", "hello 1.0.0 from web1", "schema 1.0.0"]
    assert (ran.returncode, ran.stdout.splitlines()) == (7, said), ran.stderr
    assert "'y'" not in ran.stderr
    one = at_terminal(app, "run", place, "--", "sh", "-c", f"{SIZE}; {LOOP}")
    one.sees("37 91")
    one.sees("ready")
    rows = app.where()
    assert {row["service"] for row in rows if row["state"] not in ("healthy", "completed")} == set()
    assert app.lading("drift", app.name).returncode == 0
    one.type(b"\x03")
    assert one.leaves() == 3
    assert nothing_left(app, lab)
    for number in (signal.SIGINT, signal.SIGKILL):
        with app.start("run", place, "--", "sh", "-c", LOOP) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(number)
            assert process.wait(60) in (3, -signal.SIGKILL)
        wait_until(lambda: nothing_left(app, lab), "what a run has made is gone", 60)
    assert app.ids("web1") == before
