"""Lease, fence, journal and state folder on a host, by the real shell (DESIGN §4, two locks)."""

import asyncio
import dataclasses
import fcntl
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from host_shell import HostShell
from lading import state
from lading.drivers.shell import commands, compose_call, observation, parsers, scripts
from lading.inventory import hosts
from lading.transport import command, local

BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
COMPOSE = compose_call.compose_call("shop", "cafe", ".", ("c.yml",), {}, {})
LEFTOVER = "0123456789ab_shop-web-1"


def take(host: HostShell, deployment: str = "d1", *, force: bool = False, **more: Any) -> command.Result:
    return host.run(lease_command(host, deployment, force=force, **more))


def lease_command(host: HostShell, deployment: str = "d1", *, force: bool = False, **more: Any) -> command.Command:
    values: dict[str, Any] = {
        "state_dir": str(host.state), "app": "shop", "deployment": deployment, "holder": "ann@laptop", "since": "then",
        "url": "https://ci/1", "take": force, "grace": 0, "begin": f'{{"v":1,"kind":"begin","deployment":"{deployment}"}}',
        "nonce": "n", "binds": (), **more,
    }
    return observation.lease("M", **values)


def act(host: HostShell, deployment: str = "d1", fence: int = 1) -> command.Result:
    return host.run(commands.tidy("M", host.hold(deployment, fence), intent='{"kind":"act"}', containers=(), networks=()))


def refusal(result: command.Result) -> str:
    assert result.status == 40
    return result.text("refused")


def change_lease(host: HostShell, **values: object) -> None:
    (host.app() / "lease").write_text("".join(f"{k}={v}\n" for k, v in {**host.lease(), **values}.items()))


def test_a_lease_is_taken_counted_and_journaled(host: HostShell) -> None:
    assert take(host).text("fence") == "1"
    assert host.lease() | {"expires": ""} == {
        "deployment": "d1", "fence": "1", "boot": BOOT, "expires": "", "state": "held", "holder": "ann@laptop",
        "since": "then", "url": "https://ci/1"}
    assert host.journal() == [{"v": 1, "kind": "begin", "deployment": "d1"}]
    assert (host.state / "format").read_text() == "1\n"
    assert host.app().joinpath("secrets").stat().st_mode & 0o777 == 0o700
    assert take(host).text("fence") == "2"  # the same deployment again, as in a resume


def test_a_held_lease_names_its_holder(host: HostShell) -> None:
    take(host)
    said = refusal(take(host, "d2"))
    assert said.splitlines()[0] == "held"
    assert {"holder=ann@laptop", "since=then", "url=https://ci/1"} < set(said.splitlines())
    assert 0 < int(said.rpartition("left=")[2]) <= 90
    assert host.lease()["deployment"] == "d1"


@pytest.mark.parametrize("lost", [{"expires": 0}, {"boot": "another"}, {"state": "free"}])
def test_a_lease_ends_by_uptime_boot_or_release(host: HostShell, lost: dict[str, object]) -> None:
    take(host)
    change_lease(host, **lost)
    assert take(host, "d2").text("fence") == "2"


def test_the_fence_stops_who_was_replaced(host: HostShell) -> None:
    take(host)
    assert act(host).status == 0
    assert take(host, "d2", force=True).text("fence") == "2"
    assert refusal(act(host)).startswith("fence\ndeployment=d2")
    assert refusal(act(host, "d2", 1)).startswith("fence")
    assert act(host, "d2", 2).status == 0
    assert [line["kind"] for line in host.journal()] == ["begin", "act", "begin", "act"]


def test_a_command_extends_the_lease_beyond_its_own_time_out(host: HostShell) -> None:
    take(host)
    change_lease(host, expires=1)
    act(host)
    assert int(host.lease()["expires"]) > float(Path("/proc/uptime").read_text().split()[0]) + 60


def test_a_command_that_still_runs_keeps_the_app(host: HostShell) -> None:  # a free lease is not a quiet host
    take(host)
    (host.app() / "op.info").write_text("d1 roll since then, pid 7\n")
    with (host.app() / "op.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert refusal(take(host, "d2", force=True)) == "busy\nd1 roll since then, pid 7"
        seen = host.run(observation.observe("M", state_dir=str(host.state), app="shop", facts=False))
        assert parsers.from_result("h", seen).apps["shop"].busy == "d1 roll since then, pid 7"
    assert take(host, "d2", force=True).text("fence") == "2"


def test_who_takes_over_waits_for_a_command_that_is_about_to_end(host: HostShell) -> None:  # as long as containers need to stop
    take(host)
    with subprocess.Popen(["flock", str(host.app() / "op.lock"), "sh", "-c", "echo locked; exec /bin/sleep 1"], stdout=subprocess.PIPE) as last:
        assert last.stdout is not None and last.stdout.readline() == b"locked\n"
        assert take(host, "d2", force=True, grace=10).text("fence") == "2"


def test_an_upload_whose_controller_is_gone_is_ended_by_who_takes_over(host: HostShell) -> None:  # a half-open connection
    take(host)
    whole = commands.stage("M", host.hold(), release="cafe", tar=b"x" * 10, images={}, logins=(), compose=COMPOSE, timeout=600)
    cut = dataclasses.replace(whole, payload=(b"xxx",))  # the rest never comes, nor does the end

    async def story() -> tuple[command.Result, command.Result]:
        transport = local.LocalTransport()
        here = hosts.Host("here")
        waiting = asyncio.create_task(transport.run(here, cut))
        while "ends " not in (host.app() / "op.info").read_text() if (host.app() / "op.info").exists() else True:
            await asyncio.sleep(0.01)
        taken = await transport.run(here, lease_command(host, "d1"))
        ended = await waiting
        await transport.close()
        return taken, ended

    taken, ended = asyncio.run(asyncio.wait_for(story(), 60))
    assert (taken.status, taken.text("fence")) == (0, "2")
    assert ended.status != 0
    assert host.run(commands.release_lease("M", host.hold("d1", 2), record='{"kind":"undone"}')).status == 0
    assert not [path.name for path in host.app().iterdir() if path.name.startswith(("incoming", "op.info"))]


def test_lease_of_a_holder_that_is_gone_waits_until_the_project_is_quiet(host: HostShell) -> None:
    take(host)
    others = "a3 shop \na4 other \nh2 other-hook-d0 True\nh3 shop-hook-d1 \nn1  \n"
    alone = "b" * 12 + "_shop-db-1"  # what it was made from is gone: it has its volumes, and gets its name
    host.docker({"ps*oneoff*": f"a1 shop \na2 shop \nh1 shop-hook-d0 True\n{others}",
                 "ps*project=shop --filter status=created*": f"a1 {LEFTOVER}\na2 shop-web-1\na5 {alone}\n",
                 f"container inspect {LEFTOVER[:12]}": "[]", "ps*": "a1 x running\n", "rm*": "", "rename*": "", "network prune*": ""})
    host.lines()
    take(host, "d2", force=True)
    lines = host.lines()
    assert sum("{{.State}}" in line for line in lines) == 2  # two equal looks
    assert [line for line in lines if line.startswith(("rm", "network", "rename"))] == [
        "rm -f h1", "network prune -f --filter label=com.docker.compose.project=shop-hook-d0", "rm a1", "rename a5 shop-db-1"]


@pytest.mark.parametrize(("text", "said"), [("2\n", "format\n2"), ("", "format")])
def test_a_newer_state_folder_is_refused(host: HostShell, text: str, said: str) -> None:
    (host.state / "format").write_text(text)
    assert refusal(take(host)) == said
    assert not (host.app() / "lease").exists()


def test_a_state_folder_that_cannot_be_made(host: HostShell) -> None:
    (host.state / "apps").write_text("a file\n")
    assert refusal(take(host)) == f"state\ncannot write {host.app()}"


def test_what_is_written_is_what_is_observed(host: HostShell) -> None:
    take(host)
    release = {"v": 1, "files": {"a b.yml": "0" * 64}, "services": {}}
    folder = host.app() / "releases" / "cafe"
    (folder / "files").mkdir(parents=True)
    (folder / "release.json").write_text(json.dumps(release))
    (folder / "files" / "a b.yml").write_text("services: {}\n")
    (host.app() / "objects" / ("b" * 64)).mkdir()
    secret = host.app() / "secrets" / "var.A%2FB"
    secret.mkdir()
    (secret / "2").write_text("canary")
    earlier = state.Changed("d0", release="beef")
    current = state.Current("shop", "cafe", "1", "d1", generations={"var.A/B": 2}, changed={"0123456789ab": earlier})
    (host.app() / "current").write_text(json.dumps(current.file_as_json(), separators=(",", ":")))
    seen = host.run(observation.observe("M", state_dir=str(host.state), nonce="salt"))
    app = parsers.from_result("h", seen).apps["shop"]
    assert app.current == current
    assert (dict(app.releases), sorted(app.objects)) == ({"cafe": release}, ["b" * 64])
    assert app.edited == ("files/a b.yml",)
    assert set(app.secrets) == {"var.A/B"} and set(app.secrets["var.A/B"]) == {2}
    assert app.held and app.open is not None and app.open.begun is app.journal[0]
    assert b"canary" not in b"".join(seen.parts.values())
    other = parsers.from_result("h", host.run(observation.observe("M", state_dir=str(host.state), app="shop", nonce="pepper")))
    assert other.apps["shop"].secrets != app.secrets  # salted: no dictionary helps who reads the answer
    assert seen.parts["end"] == b""


ENGINE = {
    "info -f engine*": "engine=20.10.24\nid=A:B\narch=x86_64\nctx=default\nplugin=v2.40.3\nruntimes=io.containerd.runc.v2 runc \nroot=/\n",
    "ps -a --no-trunc --format c=*": "c=0123456789abcdef edge \nport=edge 0.0.0.0:80->80/tcp, :::80->80/tcp\nnet=edge-1 shop_default,edge edge\n"
                             "port= 0.0.0.0:81-82->1-2/udp\nnet=lone bridge \nport=db 5432/tcp\nport=x :?->1/tcp\nnet=db,web/db bridge \n",
}


def facts(host: HostShell, **more: Any) -> state.Facts:
    return parsers.from_result("h", host.run(observation.observe("M", **{"state_dir": str(host.state), **more}))).facts


def test_facts_of_a_host(host: HostShell) -> None:
    host.docker(ENGINE)
    seen = facts(host, binds=("/", "/no/such"))
    assert (seen.engine, seen.engine_id, seen.compose, seen.architecture, seen.context) == (
        "20.10.24", "A:B", "2.40.3", "x86_64", "default")
    assert (seen.tools, seen.missing_paths, seen.problem, seen.state_dir) == ((), ("/no/such",), "", str(host.state))
    assert seen.disk_free > 0 and seen.docker_free > 0 and seen.state_fs
    assert seen.ports == {
        "0.0.0.0:80/tcp": "edge", ":::80/tcp": "edge", "0.0.0.0:81/udp": "(no project)", "0.0.0.0:82/udp": "(no project)"}
    assert seen.networks == {"shop_default": [("edge", "edge-1")], "edge": [("edge", "edge-1")], "bridge": [("", "lone"), ("", "db,web/db")]}
    assert (seen.runtimes, seen.containers) == (("io.containerd.runc.v2", "runc"), ("0123456789abcdef", "edge-1", "lone", "db"))


def test_facts_name_what_is_wrong(host: HostShell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert facts(host).problem == "no such thing"  # what Docker itself says
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere")
    host.docker(ENGINE)
    assert facts(host).context == "default tcp://elsewhere"


def test_state_is_kept_per_engine_where_there_is_no_common_folder(host: HostShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(host.folder))
    host.docker({"info -f engine*": "engine=1\nid=AB:CD\nroot=/\n"})
    wanted = "/var/lib/lading" if Path("/var/lib/lading").is_dir() else f"{host.folder}/.lading/ABCD"
    assert facts(host, state_dir="auto", facts=False).state_dir == wanted
    assert facts(host, state_dir="auto", facts=False).engine == ""


def test_links_under_what_is_mounted_are_followed(host: HostShell) -> None:
    data, shop = host.app() / "project" / "data", host.folder / "srv shop"
    data.mkdir(parents=True)
    shop.mkdir()
    for name, target in {"x": "/", "etc": "/etc", "own": ".", "loop": "loop", "nowhere": "/no/such/one", "a\nb": "/etc"}.items():
        (data / name).symlink_to(target)
    (shop / "x").symlink_to("/etc")
    asked = {"data": None, "data/x": "/", "data/etc/new/deep": "/etc/new/deep", "data/own": None, "data/loop": "", "data/nowhere": "",
             "data/new": None, "data/a\nb": "/etc", str(shop): None, f"{shop}/x": "/etc", "/etc": None, "/no/such": None}
    wanted = {number: real for number, real in enumerate(asked.values()) if real is not None}
    assert facts(host, app="shop", sources=list(asked)).links == wanted
    assert parsers.from_result("h", take(host, sources=list(asked))).facts.links == wanted


def test_what_a_folder_that_may_not_be_entered_hides_leads_nobody_knows_where(host: HostShell) -> None:
    host.program("readlink", '#!/bin/sh\ncase $2 in */data/*) exit 1;; esac\nexec /usr/bin/readlink "$@"\n')
    (host.app() / "project" / "data" / "x").mkdir(parents=True)
    assert facts(host, app="shop", sources=["data/x"]).links == {0: ""}


def test_what_a_host_says_of_links_is_a_path_or_nothing() -> None:
    said = b"0 /etc\n1 etc\n2 /a\x1bb\nx /etc\n-1 /etc\n3 /" + b"a" * 5000 + b"\n4 \n"
    assert parsers.host_state("h", [("links", said)]).facts.links == {0: "/etc", 1: "", 2: "", 3: "", 4: ""}


def test_volumes_and_host_data_are_told_in_the_same_look(host: HostShell) -> None:  # D8, D27
    place = host.app() / "project"
    for path in ("full/x", "empty", "two words/y"):
        (place / path).mkdir(parents=True)
    (place / "file").write_text("x")

    def look() -> state.HostState:
        asked = observation.observe("M", state_dir=str(host.state), app="shop", facts=False, volumes=("kept", "$(no name)"),
                               data=("full", "empty", "file", "absent", "two words", "two\nlines"))
        return parsers.from_result("h", host.run(asked))

    told = ('{"name":"shop_data","driver":"local","options":null,"labels":{"team":"a"}}\n'
            '{"name":"kept","driver":"nfs","options":{"o":"x"},"labels":null}\n')
    host.docker({"ps*": "", "volume ls*": f"shop_data shop\nother elsewhere\n{'a' * 64} shop\nkept \n", "volume inspect*": told})
    host.lines()
    seen = look()
    assert seen.volumes == {
        "shop_data": state.Volume("shop_data", "local", {}, {"team": "a"}), "other": state.Volume("other"),
        "kept": state.Volume("kept", "nfs", {"o": "x"})}
    assert [line.rpartition("} ")[2] for line in host.lines() if line.startswith("volume inspect")] == ["shop_data kept"]
    assert seen.data == {"full": True, "empty": False, "file": True, "two words": True}
    host.docker({"ps*": "", "volume ls*": ""})
    assert look().volumes == {}
    host.docker({"ps*": ""})
    assert observation.parse_volumes("no name\n") == {}
    assert look().volumes is None  # nobody knows: none is called new


def test_what_the_user_may_not_see_is_not_said_to_be_missing() -> None:
    somebody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups") if os.geteuid() == 0 else ()
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        top = Path(name)
        top.chmod(0o755)
        (top / "there").touch()
        (top / "shut").mkdir(mode=0o000)
        paths = [f"{top}/{path}" for path in ("there", "not", "not/at/all", "there/below", "shut", "shut/inside", "shut/in/side")]
        script = f"STATE_DIR=/; {scripts.parts('facts')}for p in {' '.join(paths)} /not-there/at-all; do ! is_gone \"$p\" || echo \"$p\"; done"
        done = subprocess.run([*somebody, "/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [f"{top}/not", f"{top}/not/at/all", f"{top}/there/below", "/not-there/at-all"]
