"""What the two ports of a host do there, by the real shell on a state folder of its own."""

import dataclasses
import json
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from a_party import C1, DOCKER, MADE, Party, kinds
from builders import a_release, a_service
from host_shell import Answers, HostShell
from lading import state
from lading.compose import overlay, project
from lading.compose import release as releases
from lading.drivers import base
from lading.plan import steps
from lading.state import journal

WEB = "r/web:1@sha256:0"
PULLS: Answers = {"image inspect*": 1, "--config*pull*": "", "tag*": ""}


@pytest.fixture
def held(host: HostShell) -> HostShell:
    """A host on which deployment d1 has begun."""
    Party(host).come_to("begun")
    return host


def party(host: HostShell) -> Party:
    """Who has the lease there."""
    return Party(host, held=host.hold())


def refused(said: str) -> "pytest.RaisesExc[base.Refused]":
    return pytest.raises(base.Refused, match="^" + said)


# Upload


def file(path: str, content: str) -> project.ShippedFile:
    return project.ShippedFile(path, content.encode())


def upload(host: HostShell, *objects: str, content: str = "one", secrets: Mapping[str, bytes] | None = None,
           made: releases.Release = MADE, has: tuple[str, ...] = ()) -> str:
    """Upload a release with these objects, each with a file sub/a.conf, or as a file if its name begins with f.

    *has*: those that the host was seen to have.
    """
    shipped = {name: (file("" if name.startswith("f") else "sub/a.conf", content),) for name in objects}
    brought = secrets or {}
    bundle = releases.Bundle(made, (file("c.yml", "services: {}"),), shipped, brought)
    what = base.Upload(made, bundle, objects, dict.fromkeys(brought, 1), list(brought), state.AppState("shop", objects=frozenset(has)))
    return host.ask(lambda ports: ports.store.upload(party(host).hold, what)).text


def test_an_upload_stores_all_and_shows_what_the_hosts_compose_makes_of_it(held: HostShell) -> None:
    app = held.app()
    held.docker({"compose*config*": f"a: {app}/releases/{MADE.id}/x\nb: {app}/objects/o1\n"}, DOCKER)
    assert upload(held, "o1", secrets={"var.P": b"canary"}) == f"a: @DIR@/releases/{MADE.id}/x\nb: @DIR@/objects/o1\n"
    folder = app / "releases" / MADE.id
    assert (app / "objects/o1/sub/a.conf").read_text() == "one"
    assert stat.S_IMODE((folder / "release.json").stat().st_mode) & 0o444 == 0o444  # containers may be non-root
    assert (folder / "files/c.yml").exists()
    assert (app / "secrets/var.P/1").read_text() == "P='canary'\n"
    assert [path.name for path in app.iterdir() if path.name.startswith(("incoming", "tar", "config"))] == []
    (folder / "deployed.json").write_text("kept")
    upload(held, "o1")
    assert ((folder / "deployed.json").read_text(), (app / "objects/o1/sub/a.conf").read_text()) == ("kept", "one")
    assert kinds(held) == ["begin", "staged", "staged"]


def test_folders_that_ship_are_as_plain_compose_has_them(held: HostShell) -> None:  # E11: some programs refuse others
    for folder in (held.state, held.app(), held.app() / "objects"):
        folder.chmod(0o2770)
    upload(held, "o1", "f2")
    paths = ("o1", "o1/sub", "o1/sub/a.conf", "f2")
    modes = {path: oct((held.app() / "objects" / path).stat().st_mode & 0o7777) for path in paths}
    assert modes == {"o1": "0o755", "o1/sub": "0o755", "o1/sub/a.conf": "0o644", "f2": "0o644"}


def test_a_file_that_ships_again_is_put_right_in_its_place(held: HostShell) -> None:
    """A running container has it mounted by its inode."""
    upload(held, "f1", content="as shipped")
    path = held.app() / "objects/f1"
    before = path.stat().st_ino
    path.write_text("by hand")
    upload(held, "f1", content="as shipped")
    assert (path.read_text(), path.stat().st_ino) == ("as shipped", before)


def test_a_folder_that_ships_again_is_put_right_in_its_place(held: HostShell) -> None:
    """A running container has the folder mounted, and reads a file before or after, never half of it."""
    upload(held, "o1", "o2", "o3")
    folder, beside = held.app() / "objects/o1", held.app() / "beside"
    inode, first = folder.stat().st_ino, (folder / "sub/a.conf").stat().st_ino
    beside.write_text("another's")
    (folder / "sub/a.conf").write_text("by hand")
    same = (held.app() / "objects/o3/sub/a.conf").stat().st_ino
    (folder / "more" / "below").mkdir(parents=True)
    (folder / "more" / "below" / "x y").write_text("new")
    (folder / "to").symlink_to(beside)
    os.mkfifo(folder / "pipe")
    shutil.rmtree(held.app() / "objects/o2/sub")
    (held.app() / "objects/o2/sub").symlink_to(held.app())
    upload(held, "o1", "o2", "o3")
    for name in ("o1", "o2", "o3"):
        found = held.app() / "objects" / name
        assert sorted(str(path.relative_to(found)) for path in found.rglob("*")) == ["sub", "sub/a.conf"]
        assert not (found / "sub").is_symlink()
        assert (found / "sub/a.conf").read_text() == "one"
    assert (folder.stat().st_ino, beside.read_text()) == (inode, "another's")
    assert (folder / "sub/a.conf").stat().st_ino != first
    assert (held.app() / "objects/o3/sub/a.conf").stat().st_ino == same  # what is right already is left alone
    assert kinds(held) == ["begin", "staged", "staged"]


def test_a_folder_that_containers_may_write_is_left_to_them(held: HostShell) -> None:
    """It may look as if all were gone: a container has emptied it, or has made what lies there its own."""
    mounts = {name: {"volumes": [{"type": "bind", "source": f"{overlay.OBJECTS}{name}", "target": "/x"}]} for name in ("o1", "f1")}
    made = dataclasses.replace(MADE, overlay=overlay.write({"services": mounts}))
    upload(held, "o1", "f1", made=made)
    folder, single = held.app() / "objects/o1", held.app() / "objects/f1"
    shutil.rmtree(folder / "sub")
    (folder / "state.db").write_text("a container's")
    single.write_text("by hand")
    upload(held, "o1", "f1", made=made, has=("o1", "f1"))
    assert [path.name for path in folder.iterdir()] == ["state.db"]
    assert single.read_text() == "one"
    shutil.rmtree(folder)
    upload(held, "o1", made=made)
    assert (folder / "sub/a.conf").read_text() == "one"


def test_a_folder_that_cannot_be_put_right_is_refused_with_the_systems_reason(held: HostShell) -> None:
    upload(held, "o1")
    (held.app() / "objects/o1/new").write_text("by hand")
    held.program("rm", '#!/bin/sh\ncase "$*" in *o1/new) echo "rm: $2: not yours" >&2; exit 1;; esac\nexec /bin/rm "$@"\n')
    with refused(f"folder: rm: {held.app()}/objects/o1/new: not yours"):
        upload(held, "o1")
    assert [path.name for path in held.app().iterdir() if path.name.startswith(("incoming", "tar"))] == []
    assert kinds(held) == ["begin", "staged"]


@pytest.mark.parametrize("name", ["o1", "f1"])
def test_what_ships_takes_the_place_of_another_kind_and_follows_no_link(held: HostShell, name: str) -> None:
    upload(held, name)
    path, beside = held.app() / "objects" / name, held.app() / "beside"
    beside.write_text("another's")
    for spoil in (lambda: path.symlink_to(beside), path.mkdir, lambda: path.write_text("x")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        spoil()
        upload(held, name)
        assert (path / "sub/a.conf" if name == "o1" else path).read_text() == "one"
    assert beside.read_text() == "another's"


def test_an_upload_that_is_refused_stages_nothing(held: HostShell) -> None:
    held.docker({"compose*config*": 15}, DOCKER)
    with refused("config: refused"):
        upload(held, "o1")
    held.program("tar", "#!/bin/sh\ncat >/dev/null; echo no tar >&2; exit 2\n")
    with refused("upload: no tar"):
        upload(held, "o1")
    assert [path.name for path in held.app().iterdir() if path.name.startswith(("incoming", "config", "tar"))] == []
    assert kinds(held) == ["begin"]


# Pull


def pull(host: HostShell, images: Mapping[str, str] | None = None, **more: Any) -> None:
    what = base.Pull("cafe", {"web": WEB} if images is None else images, **more)
    host.ask(lambda ports: ports.runtime.pull(party(host).hold, what))


def test_a_pull_logs_in_by_stdin_in_memory_only_when_it_must(held: HostShell) -> None:
    login = base.Login("r.example", "ci", b"pass word\\n$x")
    held.docker({"--config*login*": ""}, PULLS)
    reading = f'case "$*" in *login*) cat >{held.folder}/password;; esac\ncase'
    held.program("docker", (held.bin / "docker").read_text().replace("case", reading, 1))
    pull(held, logins=(login,))
    lines = held.lines()
    (line,) = [line for line in lines if "login" in line]
    folder = line.split()[1]
    assert line == f"--config {folder} login -u ci --password-stdin r.example"
    assert folder.startswith("/dev/shm/lading.shop.")
    assert f"--config {folder} pull {WEB}" in lines
    assert f"tag {WEB} lading-keep/shop/web:cafe" in lines
    assert (held.folder / "password").read_bytes() == b"pass word\\n$x"
    assert not Path(folder).exists()
    held.docker({"image inspect*": "{}"}, PULLS)
    pull(held, logins=(login,))
    assert [line for line in held.lines() if "--config" in line] == []


def test_identity_tokens_are_written_into_a_configuration_in_memory(held: HostShell) -> None:
    entries = [f'"{name}":{{"auth":"MDA6","identitytoken":"t%s\\\\n{name}"}}' for name in ("a.example", "b.example")]
    logins = [base.Login(f"{name}.example", "<token>", entry.encode(), identity=True)
              for name, entry in zip("ab", entries, strict=True)]
    held.docker({"--config*login*": ""}, PULLS)
    kept = held.folder / "config.json"
    copying = f'case "$*" in *pull*) cp "$2/config.json" {kept};; esac\ncase'
    held.program("docker", (held.bin / "docker").read_text().replace("case", copying, 1))
    pull(held, logins=(*logins, base.Login("r.example", "ci", b"x")))
    assert json.loads(kept.read_text()) == {"auths": json.loads("{" + ",".join(entries) + "}")}
    lines = held.lines()
    assert not [line for line in lines if "identitytoken" in line or "MDA6" in line]
    assert [line.split()[-1] for line in lines if "login" in line] == ["r.example"]


@pytest.mark.parametrize(("more", "answers", "said"), [
    ({}, {"--config*pull*": 1}, f"pull: {WEB}\nrefused"),
    ({}, {"tag*": 1}, f"pull: {WEB}\ncannot tag it"),
    ({"kept": True}, {"--config*pull*": 1}, f"gone: {WEB}\nrefused"),
    ({"images": {"web": WEB, "own": "shop-own:1"}}, {}, "absent: shop-own:1"),
    ({"logins": (base.Login("r.example", "ci", b"x"),)}, {"--config*login*": 1}, "login: r.example\nrefused"),
])
def test_a_pull_that_is_refused_says_why(held: HostShell, more: dict[str, Any], answers: Answers, said: str) -> None:
    held.docker(answers, PULLS)
    with refused(said):
        pull(held, **more)


def test_what_is_there_or_has_no_digest_is_not_pulled(held: HostShell) -> None:
    held.docker({"image inspect shop-own:1": "{}"}, PULLS)
    pull(held, {"web": WEB, "own": "shop-own:1"}, folder="abc")
    lines = held.lines()
    assert len([line for line in lines if " pull " in line]) == 1
    assert [line for line in lines if line.startswith("tag")] == [
        f"tag {WEB} lading-keep/shop/web:abc", "tag shop-own:1 lading-keep/shop/own:abc"]


# Roll


@pytest.fixture
def staged(host: HostShell) -> HostShell:
    """A host on which deployment d1 is staged."""
    Party(host).come_to("staged")
    return host


def roll(host: HostShell, *todo: Any, services: tuple[str, ...] = ("web", "db"), **more: Any) -> Party:
    one = party(host)
    starts = (steps.StartServices(services, more.pop("anew", False)),) if services else ()
    one.roll(steps=(*todo, *starts), **more)
    return one


@pytest.mark.parametrize(("answer", "code"), [("Started\n", 0), (17, 17)])
def test_roll_names_its_services_and_journals_around_it(staged: HostShell, answer: str | int, code: int) -> None:
    staged.docker({"compose*up*": answer}, DOCKER)
    seen = party(staged).roll(steps=(steps.StartServices(("web", "db")),))
    assert (seen.status, seen.output) == (code, "refused" if code else "Started")
    assert [[one.id for one in shown] for shown in seen.seen] == [["c1"]]
    (up,) = [line for line in staged.lines() if line.startswith("compose")]
    assert up.endswith(" up -d --no-deps --no-build --pull never --quiet-pull web db")
    assert kinds(staged)[2:] == ["rolling", "rolled"] and staged.journal()[-1]["rc"] == code


def test_what_cannot_be_read_is_said(staged: HostShell) -> None:
    staged.docker({"container inspect*": "no JSON\n"}, DOCKER)
    (said,) = party(staged).roll().seen
    assert said.startswith("what docker says of the containers cannot be read")


def test_the_way_back_stops_and_recreates_but_removes_nothing(staged: HostShell) -> None:  # D8: anonymous volumes
    staged.docker({"ps -q --no-trunc --filter label=* --filter status=paused": "c3\n",
                   "ps -q --no-trunc --filter label=*": "c1\nc3\n", "ps*status=created*": f"c4 {'a' * 12}_shop-web-1\n",
                   "container inspect*": "[]", "ps*": "", "unpause*": "", "stop*": "", "rm*": "", "compose*": ""})
    party(staged).undo(whole=True, spares=("job",), steps=(steps.StartServices(("web",), anew=True),))
    lines = staged.lines()
    does = [line.split(" --project")[0] for line in lines if line.split()[0] in ("rm", "stop", "unpause", "compose")]
    assert next(line for line in lines if line.startswith("compose")).endswith(" --quiet-pull --force-recreate web")
    assert does == ["rm c4", "unpause c3", "stop c1 c3", "compose -p shop"]  # but what never started beside its original


def test_compose_never_asks(staged: HostShell) -> None:  # D8, I2: a "y" would delete data, and nobody answers
    said = 'case "$*" in compose*) { timeout 5 cat >/dev/null || echo it waits for an answer; } >>$0.asked;; esac\n'
    staged.docker({"ps*": "", "compose*": "", "network*": "", "volume*": ""})
    staged.program("docker", (staged.bin / "docker").read_text().replace("case", said + "case", 1))
    hook(staged)
    roll(staged)
    assert (staged.bin / "docker.asked").read_text() == ""


STRANGER = "c9"
CHANGED: Answers = {
    "network ls*": "n0 network\nn1 net\nn2 net\n",
    "ps -aq --no-trunc --filter network=n1": f"{STRANGER}\nc1\n", "ps -a --no-trunc --filter network=n1*": "c1 running web\n",
    f"inspect -f {{{{index*{STRANGER}": "edge\n", "inspect -f {{index*": "shop\n", f"inspect -f {{{{.Id*{STRANGER}": "c9 10.0.0.9 mon c9\n",
    "inspect -f {{.Name}}*": "/stranger\n", "inspect c9": "[]", "network disconnect*": "",
    "network rm*": "", "network connect*": "", "stop*": "", "compose*": "", "ps*status=*": "", "ps -q*network=n2*": "",
    "ps -q*": "c1\n", "ps*": "",
}
NET = steps.RecreateNetwork("net", ())


def test_containers_that_do_not_stop_keep_their_network(staged: HostShell) -> None:
    staged.docker({"stop*": 1}, CHANGED)
    with refused("network: its containers do not stop: refused"):
        roll(staged, NET)
    assert [line for line in staged.lines() if line.startswith(("network rm", "compose"))] == []
    assert kinds(staged)[-1] == "failed"


def test_strangers_on_a_changed_network_are_attached_again_as_they_were(staged: HostShell) -> None:
    staged.docker(CHANGED)
    roll(staged, NET)
    does = [line for line in staged.lines() if line.split()[0] in ("rm", "stop", "network", "compose") and "inspect" not in line]
    assert [line.split(" --")[0] if line.startswith(("compose", "network ls")) else line for line in does] == [
        "network ls", "network disconnect -f n1 c9", "stop c1", "network disconnect -f n1 c1", "network rm n1", "network rm n2", "compose -p shop",
        "network connect --ip 10.0.0.9 --alias mon net c9"]
    assert not (staged.app() / "detached").exists()


@pytest.mark.parametrize(("answers", "said"), [
    ({"network connect*": 1}, "network: stranger cannot be attached to net again: refused"),
    ({"network disconnect*": 1}, "network: stranger cannot be detached from net"),
    ({"network rm*": 1}, "network: net cannot be removed: refused"),
])
def test_a_stranger_that_is_lost_is_said_and_stays_noted(staged: HostShell, answers: Answers, said: str) -> None:
    staged.docker(answers, CHANGED)
    with refused(said):
        roll(staged, NET)
    assert (staged.app() / "detached").exists()
    staged.docker(CHANGED)
    roll(staged, services=())  # whoever comes next brings it back
    assert "network connect --ip 10.0.0.9 --alias mon net c9" in staged.lines()


VOLUME, OTHER, LOST = "a" * 64, "b" * 64, "c" * 64


def with_volumes(service: str, content: str, *mounts: str) -> state.ContainerState:
    found = {target: source for source, _, target in (mount.partition(" ") for mount in mounts)}
    return state.ContainerState("", service, "c1", "", "", "", "running", content=content, mounts=found)


def test_anonymous_volumes_that_compose_does_not_hand_on_are_mounted_again(staged: HostShell) -> None:
    """A version without the mount has a container without it: the way back makes a new one from that."""
    staged.docker({f"volume inspect {LOST}": 1, "volume inspect*": "[]", f"ps -aq --filter volume={OTHER}": "c2\n",
                   "ps*": "", "compose*": ""})
    said = f'case "$*" in compose*) cat "{staged.app()}/again.yaml" >>$0.again 2>/dev/null; esac\n'
    staged.program("docker", (staged.bin / "docker").read_text().replace("case", said + "case", 1))
    made = a_release(a_service("web"), a_service("db"))
    one, content = party(staged), made.services["web"].content
    for containers in ([with_volumes("web", content, f"{OTHER} /was")],
                       [with_volumes("web", content, f"{VOLUME} /data", f"{OTHER} /other", f"{LOST} /gone"),
                        with_volumes("db", "1", f"{VOLUME} /x")]):
        app = state.AppState("shop", containers=tuple(containers))
        one.roll(app=app)
    kept = (staged.app() / "anonymous").read_text().splitlines()
    assert sorted(kept) == sorted([f"db 1 {VOLUME} /x", f"web {content} {VOLUME} /data", f"web {content} {OTHER} /other",
                                   f"web {content} {LOST} /gone"])
    assert " -f " + str(staged.app() / "again.yaml") not in "".join(staged.lines())  # the way there mounts what its file says
    one.undo(release=made, restores=True, steps=(steps.StartServices(("web", "db")),))
    assert one.told == [f"web: /gone: its anonymous volume {LOST} is gone, so it has a new, empty one"]
    (up,) = [line for line in staged.lines() if line.startswith("compose")]
    assert f" -f {staged.app()}/again.yaml up -d " in up
    again = yaml.safe_load((staged.bin / "docker.again").read_text())
    assert again == {"services": {"web": {"volumes": [{"type": "volume", "source": VOLUME, "target": "/data"}]}},  # /other is mounted
                     "volumes": {VOLUME: {"name": VOLUME, "external": True}}}
    assert not (staged.app() / "again.yaml").exists()


# Hook


def hook(host: HostShell, made: releases.Release | None = None) -> base.HookEnd:
    keep = f'case "$*" in *" run "*) cat {host.app()}/hook.yaml >{host.folder}/hook;; esac\n'
    host.program("docker", (host.bin / "docker").read_text().replace("case", keep + "case", 1))
    spec = dataclasses.replace(
        a_release(a_service("tool")).services["tool"],
        definition={"volumes": [{"type": "volume", "source": "data", "target": "/data"}]})
    own = {"name": "shop_data", "external": False}
    tool = dataclasses.replace(
        MADE, services={"tool": spec}, volumes={"data": own},
        networks={"default": {"name": "shop_default", "external": False}, "back": {"name": "shop_back", "external": False}})
    what = base.Hook(made or tool, {}, state.AppState("shop"), steps.RunHook("before", "tool"))
    return host.ask(lambda ports: ports.runtime.run_hook(party(host).hold, what))


def test_a_hook_beside_a_running_app_is_a_project_of_its_own(staged: HostShell) -> None:
    staged.docker({"ps*project=shop": "c1\n", "ps*": "c5\n", "volume inspect*": "", "network inspect shop_default": "",
                   "network ls*": "n5\n", "network rm*": "", "rm*": "", "compose*run*": "migrated\n"})
    assert hook(staged) == base.HookEnd(0, "migrated")
    lines = staged.lines()
    (run,) = [line for line in lines if line.startswith("compose")]
    assert run.endswith(f"-p shop-hook-d1 -f {staged.app()}/hook.yaml run --rm --no-deps -T tool")
    text = (staged.folder / "hook").read_text()
    assert text.splitlines()[-5:] == [
        "networks:", '  "default": !override {name: "shop_default", external: true}', '  "back": {name: "shop-hook-d1-1"}',
        "volumes:", '  "data": !override {name: "shop_data", external: true}']
    assert "container_name: !reset" in text
    assert lines[-1] == "network rm n5" and "rm -f c5" in lines
    assert not (staged.app() / "hook.yaml").exists()
    assert staged.journal()[2:] == [
        {"v": 4, "kind": "intent", "deployment": "d1", "step": "hook", "hook": "before"},
        {"v": 4, "kind": "result", "deployment": "d1", "step": "hook", "hook": "before", "rc": 0}]


@pytest.mark.parametrize(("answer", "code", "removed"), [("ok\n", 0, False), (7, 7, True)])
def test_a_hook_before_the_first_deployment_is_the_apps_own(
    staged: HostShell, answer: str | int, code: int, removed: bool,
) -> None:
    staged.docker({"ps*": "", "network ls*": "n5\n", "network rm*": "", "compose*run*": answer})
    assert hook(staged).status == code
    lines = staged.lines()
    assert any(f"-p shop -f {staged.app()}/hook.yaml run" in line for line in lines)
    assert ("network rm n5" in lines) is removed
    assert "external" not in (staged.folder / "hook").read_text()


def test_a_hook_that_would_get_an_empty_volume_is_refused(staged: HostShell) -> None:
    staged.docker({"ps*": "c1\n"})
    with refused("hook: volume shop_data does not exist yet: deploy once without the hook"):
        hook(staged)
    assert kinds(staged)[-1] == "staged"  # nothing was begun


# Tidy


def tidy(host: HostShell, *todo: Any, **more: Any) -> None:
    what = base.Removal(todo, None, {}, state.AppState("shop"), **more)
    host.ask(lambda ports: ports.runtime.remove(party(host).hold, what))


GONE_SERVICE, GONE_NETWORK = steps.RemoveService("job", ("c1", "c2")), steps.RemoveNetwork("old")


def test_tidy_removes_what_its_steps_say_in_their_order(staged: HostShell) -> None:
    staged.docker({"rm -f*": "", "ps*": "", "network rm*": "", "network ls*": "n1 old\nn2 older\nn3 old\n"})
    tidy(staged, GONE_SERVICE, GONE_NETWORK, steps.RemoveNetwork("older"))
    assert [line for line in staged.lines() if "rm" in line.split()] == [
        "rm -f c1 c2", "network rm n1", "network rm n3", "network rm n2"]  # D9: by id, two have one name
    tidy(staged, GONE_NETWORK, GONE_SERVICE)
    assert [line for line in staged.lines() if "rm" in line.split()] == ["network rm n1", "network rm n3", "rm -f c1 c2"]
    assert kinds(staged)[2:] == ["intent", "result", "intent", "result"]
    tidy(staged, GONE_SERVICE, undo=True)
    assert kinds(staged)[-2:] == ["undoing", "result"]


@pytest.mark.parametrize(("answers", "said"), [
    ({"rm*": 1}, "remove: a container stayed"), ({"rm*": "", "ps*": "", "network ls*": "n1 old\n", "network rm*": 1}, "remove: network old stays: refused"),
    ({"rm*": "", **CHANGED, "network ls*": "n1 old\n"}, "remove: network old stays; on it: stranger"),
])
def test_what_stays_is_said(staged: HostShell, answers: Answers, said: str) -> None:
    staged.docker(answers)
    with refused(said):
        tidy(staged, GONE_SERVICE, GONE_NETWORK)
    assert staged.journal()[-1] == {"v": 4, "kind": "result", "deployment": "d1", "step": "tidy", "rc": 40}


# The end


def test_the_end_of_a_deployment_prunes_and_frees(host: HostShell) -> None:
    one, app = Party(host).come_to("committed"), host.app()
    for path in ("releases/old/x", f"releases/{MADE.id}/x", "objects/o1", "objects/o2", "secrets/var.P/1", "secrets/var.P/2"):
        (app / path).parent.mkdir(parents=True, exist_ok=True)
        (app / path).write_text("x")
    old = dataclasses.replace(a_release(a_service("web")), version="old")
    seen = state.AppState("shop", folders={"old": old.id}, releases={old.id: json.loads(old.canonical())})
    one.finish(releases=(old.id,), objects=("o1",), secrets=(("var.P", 1),), app=seen)
    left = {str(path.relative_to(app)) for path in app.rglob("*") if path.is_file()}
    assert {f"releases/{MADE.id}/x", "objects/o2", "secrets/var.P/2", "current", "compose"} <= left
    assert left & {"releases/old/x", "objects/o1", "secrets/var.P/1", "op.info", "current.new", "compose.new"} == set()
    assert [line for line in host.lines() if line.startswith("image")] == ["image rm lading-keep/shop/web:old"]
    assert stat.S_IMODE((app / "compose").stat().st_mode) == 0o755
    assert json.loads((app / "releases" / MADE.id / "deployed.json").read_text())["deployment"] == "d1"


def test_a_folder_of_another_user_s_goes_with_their_next_commit(host: HostShell) -> None:
    one = Party(host).come_to("committed")
    (host.app() / "objects" / "o1").mkdir()
    host.program("rm", '#!/bin/sh\ncase "$*" in */objects/*) exit 1;; esac\nexec /bin/rm "$@"\n')
    one.finish(objects=("o1",))
    assert [path.name for path in (host.app() / "objects").iterdir()] == ["o1.gone"]  # nobody takes it for what it was
    (host.bin / "rm").unlink()
    Party(host, "d2").come_to("ended")
    assert [path.name for path in (host.app() / "objects").iterdir()] == []


def test_a_commit_asks_the_engine_nothing(host: HostShell) -> None:
    one = Party(host).come_to("prepared")
    one.commit(ledger={"seq": 3})
    assert host.lines() == []
    assert (host.journal()[-1]["ledger"], host.lease()["state"]) == ({"seq": 3}, "held")


def test_a_deployment_that_touched_no_container_is_closed_in_every_phase(host: HostShell) -> None:
    one = Party(host).come_to("prepared")
    with refused("phase: prepared"):
        one.close()
    one.close(untouched=True)
    assert (kinds(host)[-2:], host.lease()["state"]) == (["undoing", "undone"], "free")


GONE: Answers = {"ps -aq*project=shop": "c1\n", "ps*": "", "rm*": "", "network ls*": "n1 shop_default\nn2 shop_default\n", "network rm*": "",
                 "volume ls*": "shop_data\n", "volume rm*": "", "images*": "lading-keep/shop/web:cafe\n", "image rm*": ""}


def depart(host: HostShell, step: steps.RemoveApp, made: releases.Release = MADE, app: state.AppState | None = None,
           **more: Any) -> None:
    what = base.Departure(step, made, {}, app or state.AppState("shop"), **more)
    host.ask(lambda ports: ports.runtime.remove_app(party(host).hold, what))


@pytest.mark.parametrize(("data", "undo"), [(False, False), (True, False), (False, True)])
def test_an_app_that_is_removed_takes_its_data_only_when_asked(held: HostShell, data: bool, undo: bool) -> None:
    app = held.app()
    (app / "project/data").mkdir(parents=True)
    (app / "current").write_text("{}")
    held.docker(GONE)
    depart(held, steps.RemoveApp(("c7",) if data else (), data=data), undo=undo)
    wanted = ["rm -f c7" if data else "rm -f c1", "network rm n1", "network rm n2", *(["volume rm shop_data"] if data else []),
              *([] if undo else ["image rm lading-keep/shop/web:cafe"])]
    assert [line for line in held.lines() if "rm" in line.split()] == wanted
    assert ((app / "project/data").exists(), (app / "current").exists()) == (not data, undo)
    assert kinds(held) == ["begin", *(["undoing", "result"] if undo else ["intent", "ended"])]
    assert held.lease()["state"] == ("held" if undo else "free")


@pytest.mark.parametrize(("answers", "said"), [
    ({"rm -f*": 1}, "a container stayed"), ({"volume rm*": 1}, "a volume stayed"),
    ({"network rm*": 1}, "network shop_default stays: refused")])
def test_what_of_an_app_stays_is_said(held: HostShell, answers: Answers, said: str) -> None:
    held.docker(answers, GONE)
    with refused(f"remove: {said}"):
        depart(held, steps.RemoveApp(data=True))
    assert kinds(held) == ["begin", "intent", "result"]
    held.docker(GONE)
    depart(held, steps.RemoveApp(data=True))  # once more
    assert kinds(held)[-1] == "ended"


def test_an_app_is_given_back(held: HostShell) -> None:
    held.docker({"images*": "lading-keep/shop/web:cafe\n", "image rm*": ""})
    app = held.app()
    for path in ("releases/cafe/release.json", "releases/cafe/files/c.yml", "releases/old/release.json", "objects/o1", "objects/o2",
                 "secrets/var.P/1", "secrets/var.P/2", "project/db", "compose", "current"):
        (app / path).parent.mkdir(parents=True, exist_ok=True)
        (app / path).write_text("x")
    container = dataclasses.replace(C1, mounts={"/x": "/var/lib/lading/apps/shop/objects/o1"})
    seen = state.AppState("shop", state.Current("shop", "cafe", "1", "d0", generations={"var.P": 2}), objects=frozenset({"o1", "o2"}),
                          containers=(container,), secrets={"var.P": {1: "", 2: ""}})
    depart(held, steps.RemoveApp(kept=True), app=seen)
    gone = ("releases/cafe/release.json", "releases/old", "objects/o2", "secrets/var.P/1", "current")
    assert [path for path in gone if (app / path).exists()] == []
    stays = {"releases/cafe/files/c.yml", "objects/o1", "secrets/var.P/2", "project/db", "compose"}
    assert {path for path in stays if (app / path).exists()} == stays
    assert (kinds(held), held.journal()[-1]["result"]) == (["begin", "intent", "ended"], "given back")
    assert held.lease()["state"] == "free"
    assert "image rm lading-keep/shop/web:cafe" in held.lines()


def test_whoever_has_a_pre_stop_is_stopped_before_it_is_removed(held: HostShell) -> None:
    held.docker({"compose*stop*": 3, "ps -aq*": "i1\n", "rm -f i1": "", "network ls*": ""}, GONE)
    spec = dataclasses.replace(a_release(a_service("web")).services["web"], definition={"pre_stop": [{"command": "x"}]})
    depart(held, steps.RemoveApp(), dataclasses.replace(MADE, services={"web": spec, "db": a_release(a_service("db")).services["db"]}))
    lines = held.lines()
    [stop] = [number for number, line in enumerate(lines) if line.startswith("compose") and line.endswith("stop web")]
    assert stop < lines.index("rm -f i1")


def test_the_last_lines_of_services_are_shown(held: HostShell) -> None:
    held.docker({"ps*service=web*": "c1\n", "ps*": "", "logs*c1": "it broke\n"})
    assert held.ask(lambda ports: ports.runtime.last_lines("shop", ["web", "db"])) == {"web": "it broke", "db": ""}


def test_an_answer_that_is_cut_off_is_no_answer(held: HostShell) -> None:
    held.program("flock", "#!/bin/sh\necho it broke >&2\nkill -KILL $PPID\n")
    with refused("broken: the command ended before it was done, with exit status 137"):
        party(held).confirm()


def test_a_folder_that_the_host_named_is_not_asked_for_again(host: HostShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(host.folder))
    monkeypatch.setattr(host, "state", "auto")
    host.docker({"info*": "engine=26.1\nid=AB:CD\nroot=/\n", "ps*": ""})

    async def story(ports: base.HostDriver) -> None:
        acquired = await ports.store.acquire(Party(host).claim(journal.Begun("d1", process="p1")))
        assert acquired.hold is not None
        host.lines()
        await ports.store.leave(acquired.hold)

    host.ask(story)
    assert host.lines() == []
