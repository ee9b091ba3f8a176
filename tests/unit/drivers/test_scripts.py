"""What is observed on a host, by the real shell."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from a_party import Party
from host_shell import HostShell
from lading import state
from lading.drivers import base
from lading.drivers.shell import observation, parsers, scripts


@pytest.mark.parametrize(("text", "said"), [("2\n", "format: 2"), ("", "format")])
def test_a_newer_state_folder_is_refused(host: HostShell, text: str, said: str) -> None:
    (host.state / "format").write_text(text)
    with pytest.raises(base.Refused, match=f"^{said}$"):
        Party(host).begin()
    assert not (host.app() / "lease").exists()


def test_a_state_folder_that_cannot_be_made(host: HostShell) -> None:
    (host.state / "apps").write_text("a file\n")
    with pytest.raises(base.Refused, match=f"^state: cannot write {host.app()}: Not a directory$"):
        Party(host).begin()


def test_what_is_written_is_what_is_observed(host: HostShell) -> None:
    Party(host).begin()
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
    assert Party(host).begin(look=base.Look(sources=list(asked))).seen.facts.links == wanted


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
