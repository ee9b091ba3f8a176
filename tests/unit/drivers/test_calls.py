"""How often Docker is asked: each call of its client costs a host more than lading's own work there."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from a_party import Party
from host_shell import Answers, HostShell
from lading.drivers import base
from lading.drivers.shell import observation, parsers, scripts
from lading.queries import check
from lading.state import journal

SNAPSHOT = f"APP=shop\napp_dir=${{0%/*}}\n{scripts.parts('snapshot')}part() {{ echo \"part $1\"; }}\n"
INFO = "engine=26.1\nid=AB:CD\narch=x86_64\nctx=default\nplugin=v2.40.3\n\nruntimes=runc \nroot=/\n"


@pytest.fixture
def home(host: HostShell, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the state lies on a host without /var/lib/lading that this user can write."""
    monkeypatch.setenv("HOME", str(host.folder))
    return host.folder / ".lading" / "ABCD"


def test_looking_asks_the_engine_once_for_all_it_says_of_itself(host: HostShell, home: Path) -> None:
    host.docker({"info*": INFO, "ps -a --no-trunc --format*": "port=shop 0.0.0.0:80->80/tcp\nnet=shop-web-1 shop_default shop\n"})
    seen = parsers.from_result("here", host.run(observation.observe("M", state_dir="auto", app="shop")))
    assert [line.split()[0] for line in host.lines() if line.startswith(("info ", "ps ", "compose ", "context "))] == ["info", "ps"]
    facts = seen.facts
    assert (facts.engine, facts.engine_id, facts.compose, facts.context.strip()) == ("26.1", "AB:CD", "2.40.3", "default")
    assert (facts.state_dir, facts.ports, facts.problem) == (str(home), {"0.0.0.0:80/tcp": "shop"}, "")


@pytest.mark.parametrize(("app", "inspected"), [("shop", "a1 a2"), ("shop-2", "b1"), ("", "a1 b1 d1"), ("none", "")])
def test_containers_are_found_in_the_list_of_all(host: HostShell, home: Path, app: str, inspected: str) -> None:
    listed = "c=a1 shop shop\nc=a2 shop \nc=b1 shop-2 shop-2\nc=c1 other \nc=d1  shop\nc=e1  \nport=shop \nnet=c=f1 shop shop\n"
    host.docker({"info*": INFO, "ps -a --no-trunc --format*": listed, "container inspect*": ""})
    host.run(observation.observe("M", state_dir="auto", app=app))
    shown = [line.rpartition("}}}")[2].split() for line in host.lines() if line.startswith("container inspect")]
    assert shown == ([inspected.split()] if inspected else [])


def test_a_client_that_does_not_tell_of_its_plugin_is_asked(host: HostShell, home: Path) -> None:
    host.docker({"info*": INFO.replace("plugin=v2.40.3", ""), "compose version*": "2.24.4", "ps*": ""})
    seen = parsers.from_result("here", host.run(observation.observe("M", state_dir="auto", app="shop")))
    assert (seen.facts.compose, seen.facts.state_dir) == ("2.24.4", str(home))


def test_an_engine_that_does_not_answer_is_said(host: HostShell, home: Path) -> None:
    host.docker({"info*": 1, "ps*": 1})
    seen = parsers.from_result("here", host.run(observation.observe("M", state_dir="auto", app="shop")))
    assert seen.facts.problem == "refused"


@pytest.mark.parametrize(("ps", "problem"), [("", ""), (1, "refused")])
def test_an_engine_that_told_of_itself_is_not_asked_again_and_yet_must_answer(host: HostShell, home: Path, ps: str | int, problem: str) -> None:
    host.docker({"info*": INFO, "ps*": ""})
    before = parsers.from_result("here", host.run(observation.observe("M", state_dir="auto", app="shop"))).facts
    host.docker({"ps*": ps})
    host.lines()
    claim = Party(host).claim(journal.Begun("d1", process="p1"), look=base.Look(engine_info=before.docker_info))
    after = parsers.from_result("here", host.run(observation.lease("M", claim, "auto", 60))).facts
    assert replace(after, disk_free=0, docker_free=0, listening=(), state_format="") == replace(
        before, disk_free=0, docker_free=0, listening=(), problem=problem, state_format="")
    assert not [line for line in host.lines() if line.startswith(("info", "compose"))]


def test_a_snapshot_after_a_container_was_replaced_shows_the_new_one(host: HostShell) -> None:
    host.docker({"ps -aq*": "new\n", "container inspect* old": 1, "container inspect* new": '{"id":"new"}\n'})
    script = host.folder / "script"
    script.write_text(SNAPSHOT + "ids=old\nsnapshot\nsnapshot\n")

    done = subprocess.run(["/bin/sh", "-eu", str(script)], capture_output=True, text=True, check=True)
    assert done.stdout == 'part containers\n{"id":"new"}\npart tick\npart next\n' * 2
    assert [line.split()[0] for line in host.lines() if line.startswith(("ps", "container"))] == ["container", "ps", "container", "container"]


@pytest.mark.parametrize("broken", ["ps -aq*", "container inspect*"])
def test_an_engine_that_does_not_answer_is_no_snapshot_of_nothing(host: HostShell, broken: str) -> None:
    host.docker({"ps -aq*": "c1\n", "container inspect*": "{}\n", broken: 1})
    script = host.folder / "script"
    script.write_text(SNAPSHOT + "ids=\nsnapshot\necho goes on\n")
    done = subprocess.run(["/bin/sh", "-eu", str(script)], capture_output=True, text=True, check=True)
    assert done.stdout == "goes on\n"


def test_the_end_of_the_input_ends_the_watch_at_once(host: HostShell) -> None:
    host.docker({"ps -aq*": "c1\n", "container inspect*": "{}\n"})
    script = host.folder / "script"
    script.write_text(SNAPSHOT + "watch_containers\npart end\n")
    done = subprocess.run(["/bin/sh", "-eu", str(script)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert done.stdout == "part containers\n{}\npart tick\npart next\npart end\n"


def test_a_container_that_ends_or_tells_of_its_health_is_looked_at_at_once(host: HostShell) -> None:
    host.docker({"ps -aq*": "c1\n", "container inspect*": "{}\n", "events*": "exec_start: x\nhealth_status: healthy\nexec_die\ndie\n"})
    host.program("timeout", '#!/bin/sh\nshift\nexec "$@"\n')  # no second passes: one look at the beginning, all others by events
    script = host.folder / "script"
    script.write_text(SNAPSHOT + "watch_containers\npart end\n")
    with subprocess.Popen(["/bin/sh", "-eu", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdin is not None and watch.stdout is not None
        said = [watch.stdout.readline() for _ in range(12)]
        watch.stdin.close()
        said += watch.stdout.readlines()
    assert "".join(said) == "part containers\n{}\npart tick\npart next\n" * 3 + "part end\n"


# What `docker` says where it is podman-docker's script (of podman 4.3.1), and where it talks to Podman's socket.
SHIM = {"--version": "podman version 4.3.1\n", "info*": 125, "ps*": 125}
SOCKET = {"info*": INFO.replace("26.1", "4.9.3"), "--version": "Docker version 24.0.5, build 1\n",
          "version -f*": "Podman Engine 4.9.3;Conmon conmon version 2.1.6;OCI Runtime (crun) 1.8;", "ps*": ""}


@pytest.mark.parametrize(("says", "who"), [(SHIM, "podman version 4.3.1"), (SOCKET, "Podman Engine 4.9.3")])
def test_podman_is_told_as_what_it_is(host: HostShell, says: Answers, who: str) -> None:
    host.docker(says)
    seen = parsers.from_result("web1", host.run(observation.observe("M", state_dir=str(host.state), app="shop")))
    assert seen.facts.problem == f"docker on this host is {who}: lading needs Docker Engine"
    assert check.host_row(seen).columns["docker"] == (False, seen.facts.problem)


def test_an_engine_that_is_too_old_is_no_podman(host: HostShell) -> None:
    host.docker({"info*": INFO.replace("26.1", "19.3"), "version -f*": "Engine 19.3;containerd 1.2;", "--version": "Docker version 19.3\n", "ps*": ""})
    seen = parsers.from_result("web1", host.run(observation.observe("M", state_dir=str(host.state), app="shop")))
    assert (seen.facts.engine, seen.facts.problem) == ("19.3", "")
