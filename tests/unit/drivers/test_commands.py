"""The changing commands of a deployment, run by the real shell on a state folder of their own."""

import io
import json
import stat
import tarfile
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from host_shell import Answers, HostShell
from lading.drivers.shell import commands, compose_call, observation
from lading.transport import command

INTENT, RESULT = {"kind": "intent"}, {"kind": "result"}
COMPOSE = compose_call.compose_call("shop", "cafe", ".", ("c.yml",), {}, {})
NAMED = {"intent": json.dumps(INTENT), "result": json.dumps(RESULT)}
WEB = "r/web:1@sha256:0"


@pytest.fixture
def held(host: HostShell) -> HostShell:
    """A host whose lease deployment d1 holds with fence 1."""
    taken = host.run(observation.lease(
        "M", state_dir=str(host.state), app="shop", deployment="d1", holder="h", since="s", url="", take=False, grace=0,
        begin='{"kind":"begin"}', nonce="", binds=()))
    assert taken.text("fence") == "1"
    host.lines()
    return host


def tar(files: Mapping[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o600
            made.addfile(entry, io.BytesIO(content.encode()))
    return out.getvalue()


def stage(host: HostShell, files: Mapping[str, str] | None = None, **more: Any) -> command.Result:
    values: dict[str, Any] = {"release": "cafe", "tar": tar(files) if files else b"", "images": {"web": WEB}, "logins": (),
                              "compose": COMPOSE, **more}
    return host.run(commands.stage("M", host.hold(), **values))


BUNDLE = {"objects/o1/a.conf": "one", "releases/cafe/release.json": "{}", "secrets/var.P/1": "canary"}
PULLS: Answers = {"image inspect*": 1, "--config*pull*": "", "tag*": "", "compose*config*": "services: {}\n"}


def test_stage_stores_pulls_tags_and_shows_the_hosts_config(held: HostShell) -> None:
    held.docker(PULLS)
    done = stage(held, BUNDLE)
    app = held.app()
    assert (done.status, done.text("pulled"), done.text("dir"), done.text("config")) == (0, WEB, str(app), "services: {}")
    assert (app / "objects/o1/a.conf").read_text() == "one"
    assert stat.S_IMODE((app / "releases/cafe/release.json").stat().st_mode) & 0o444 == 0o444  # containers may be non-root
    assert (app / "secrets/var.P/1").read_text() == "canary"
    assert [path.name for path in app.iterdir() if path.name.startswith(("incoming", "tar"))] == []
    assert f"tag {WEB} lading-keep/shop/web:cafe" in held.lines()
    (app / "releases/cafe/deployed.json").write_text("kept")
    again = stage(held, {"objects/o1/a.conf": "not taken", "releases/cafe/release.json": '{"new":1}'})
    assert (again.status, (app / "releases/cafe/deployed.json").read_text()) == (0, "kept")
    assert ((app / "objects/o1/a.conf").read_text(), (app / "releases/cafe/release.json").read_text()) == ("one", '{"new":1}')


def test_folders_that_ship_are_as_plain_compose_has_them(held: HostShell) -> None:  # E11: some programs refuse others
    held.docker(PULLS)
    for folder in (held.state, held.app(), held.app() / "objects"):
        folder.chmod(0o2770)
    assert stage(held, {"objects/o1/sub/a.conf": "one", "objects/o2": "file"}).status == 0
    modes = {path: oct((held.app() / "objects" / path).stat().st_mode & 0o7777) for path in ("o1", "o1/sub", "o1/sub/a.conf", "o2")}
    assert modes == {"o1": "0o755", "o1/sub": "0o755", "o1/sub/a.conf": "0o644", "o2": "0o644"}


def test_a_folder_of_another_user_s_goes_with_their_next_commit(held: HostShell) -> None:
    def commit(*objects: str) -> set[str]:
        done = held.run(commands.commit("M", held.hold(), release="cafe", deployed="{}", record='{"kind":"committed"}', current="{}", script="", runs={}, releases=(),
                                       objects=objects, secrets=(), tags=()))
        assert done.status == 0
        return {path.name for path in (held.app() / "objects").iterdir()}

    lease = (held.app() / "lease").read_text()
    (held.app() / "objects" / "o1").mkdir()
    held.program("rm", '#!/bin/sh\ncase "$*" in */objects/*) exit 1;; esac\nexec /bin/rm "$@"\n')
    assert commit("o1") == {"o1.gone"}  # no deployment takes it for what it was
    (held.bin / "rm").unlink()
    (held.app() / "lease").write_text(lease)
    assert commit() == set()


def test_a_file_that_ships_again_is_put_right_in_its_place(held: HostShell) -> None:
    """A running container has it mounted by its inode."""
    held.docker(PULLS)
    stage(held, {"objects/f1": "as shipped"})
    path = held.app() / "objects/f1"
    before = path.stat().st_ino
    path.write_text("by hand")
    assert stage(held, {"objects/f1": "as shipped"}).status == 0
    assert (path.read_text(), path.stat().st_ino) == ("as shipped", before)


def test_stage_logs_in_by_stdin_in_memory_only_when_it_must(held: HostShell) -> None:
    login = commands.Login("r.example", "ci", command.Secret(b"pass word\\n$x"))
    held.docker({"--config*login*": ""}, PULLS)
    docker_program = (held.bin / "docker").read_text()
    held.program("docker", docker_program.replace('case "$*"', f'case "$*" in *login*) cat >{held.folder}/password;; esac\ncase "$*"', 1))
    assert stage(held, BUNDLE, logins=(login,)).status == 0
    lines = held.lines()
    (line,) = [line for line in lines if "login" in line]
    folder = line.split()[1]
    assert line == f"--config {folder} login -u ci --password-stdin r.example"
    assert folder.startswith("/dev/shm/lading.shop.")
    assert f"--config {folder} pull -q {WEB}" in lines
    assert (held.folder / "password").read_bytes() == b"pass word\\n$x"
    assert not held.folder.joinpath(folder).exists()
    held.docker({"image inspect*": "{}"}, PULLS)
    assert stage(held, logins=(login,)).status == 0
    assert [line for line in held.lines() if "--config" in line] == []


def test_stage_writes_identity_tokens_into_a_configuration_in_memory(held: HostShell) -> None:
    entries = [f'"{name}":{{"auth":"MDA6","identitytoken":"t%s\\\\n{name}"}}' for name in ("a.example", "b.example")]
    logins = [commands.Login(f"{name}.example", "<token>", command.Secret(entry.encode()), identity=True)
              for name, entry in zip("ab", entries, strict=True)]
    held.docker({"--config*login*": ""}, PULLS)
    kept = held.folder / "config.json"
    text = (held.bin / "docker").read_text()
    held.program("docker", text.replace('case "$*"', f'case "$*" in *pull*) cp "$2/config.json" {kept};; esac\ncase "$*"', 1))
    assert stage(held, BUNDLE, logins=(*logins, commands.Login("r.example", "ci", command.Secret(b"x")))).status == 0
    assert json.loads(kept.read_text()) == {"auths": json.loads("{" + ",".join(entries) + "}")}
    lines = held.lines()
    assert not [line for line in lines if "identitytoken" in line or "MDA6" in line]
    assert [line.split()[-1] for line in lines if "login" in line] == ["r.example"]


@pytest.mark.parametrize(("more", "answers", "said"), [
    ({}, {"--config*pull*": 1}, f"pull\n{WEB}\nrefused"),
    ({}, {"tag*": 1}, f"pull\n{WEB}\ncannot tag it"),
    ({"kept": True}, {"--config*pull*": 1}, f"gone\n{WEB}\nrefused"),
    ({"images": {"web": WEB, "own": "shop-own:1"}}, {}, "absent\nshop-own:1"),
    ({"logins": (commands.Login("r.example", "ci", command.Secret(b"x")),)}, {"--config*login*": 1}, "login\nr.example\nrefused"),
    ({}, {"compose*config*": 15}, "config\nrefused"),
    ({"tar": b"no tar"}, {}, "upload"),
])
def test_stage_refuses_and_leaves_nothing_behind(
    held: HostShell, more: dict[str, Any], answers: Answers, said: str
) -> None:
    held.docker(answers, PULLS)
    done = stage(held, **more)
    assert (done.status, done.text("refused")[: len(said)]) == (40, said)
    assert [path.name for path in held.app().iterdir() if path.name.startswith(("incoming", "config", "tar"))] == []


def test_kept_images_are_pulled_only_where_they_are_gone(held: HostShell) -> None:
    held.docker(PULLS)
    assert stage(held, kept=True).text("pulled") == WEB
    held.docker({"image inspect*": "{}"}, PULLS)
    held.lines()
    assert stage(held, kept=True, images={"web": WEB, "job": WEB}).status == 0
    assert [line for line in held.lines() if line.startswith("tag")] == [
        f"tag {WEB} lading-keep/shop/web:cafe", f"tag {WEB} lading-keep/shop/job:cafe"]


def test_an_image_without_a_digest_is_not_pulled(held: HostShell) -> None:
    held.docker({"image inspect shop-own:1": "{}"}, PULLS)
    done = stage(held, images={"web": WEB, "own": "shop-own:1"})
    assert (done.status, done.text("pulled")) == (0, WEB)
    assert "tag shop-own:1 lading-keep/shop/own:cafe" in held.lines()


def roll(host: HostShell, **more: Any) -> command.Result:
    values: dict[str, Any] = {**NAMED, "compose": COMPOSE, "services": ("web", "db"), "networks": (), "spare": (),
                              "whole": False, "wait": 5, **more}
    return host.run(commands.roll("M", host.hold(), **values), enough="tick")


@pytest.mark.parametrize(("answer", "code"), [("Started\n", 0), (17, 17)])
def test_roll_names_its_services_and_journals_around_it(held: HostShell, answer: str | int, code: int) -> None:
    held.docker({"compose*up*": answer, "ps*": "c1\n", "container inspect*": '{"id":"c1"}\n'})
    done = roll(held)
    assert done.text("up").splitlines() == [str(code), "refused" if code else "Started"]
    assert done.text("containers") == '{"id":"c1"}'
    (up,) = [line for line in held.lines() if line.startswith("compose")]
    assert up.endswith(" up -d --no-deps --no-build --pull never --quiet-pull web db")
    assert held.journal()[1:] == [INTENT, {**RESULT, "rc": code}]


def test_roll_without_services_starts_nothing(held: HostShell) -> None:
    held.docker({"ps*": ""})
    assert roll(held, services=()).text("up") == "0"
    assert [line for line in held.lines() if line.startswith("compose")] == []


def test_surplus_goes_before_compose_would_choose_by_number(held: HostShell) -> None:  # D4
    held.docker({"ps*": "", "rm -f c1": "", "rm -f c2": 1, "container inspect c2": 1, "compose*": ""})
    assert roll(held, surplus=("c1", "c2"), services=("web",)).status == 0
    lines = held.lines()
    assert lines.index("rm -f c2") < next(n for n, line in enumerate(lines) if line.startswith("compose"))


def test_surplus_that_stays_is_said(held: HostShell) -> None:
    held.docker({"ps*": "", "rm*": 1, "container inspect*": "[]"})
    assert roll(held, surplus=("c1",)).text("refused") == "remove\ncontainer c1 stays"


def test_the_way_back_stops_and_recreates_but_removes_nothing(held: HostShell) -> None:  # D8: anonymous volumes
    held.docker({"ps -q --no-trunc --filter label=* --filter status=paused": "c3\n", "ps -q --no-trunc --filter label=*": "c1\nc3\n",
                 "ps*status=created*": f"c4 {'a' * 12}_shop-web-1\n", "container inspect*": "[]", "ps*": "", "unpause*": "",
                 "stop*": "", "rm*": "", "compose*": ""})
    assert roll(held, whole=True, anew=True, spare=("job",), services=("web",), name="undo").status == 0
    lines = held.lines()
    does = [line.split(" --project")[0] for line in lines if line.split()[0] in ("rm", "stop", "unpause", "compose")]
    assert next(line for line in lines if line.startswith("compose")).endswith(" --quiet-pull --force-recreate web")
    assert does == ["rm c4", "unpause c3", "stop c1 c3", "compose -p shop"]  # but what never started beside what it was made from


def test_containers_that_do_not_stop_keep_their_network(held: HostShell) -> None:
    held.docker({"stop*": 1}, CHANGED)
    done = roll(held, networks=("net",))
    assert done.text("refused") == "network\nits containers do not stop: refused"
    assert [line for line in held.lines() if line.startswith(("network rm", "compose"))] == []


def test_compose_never_asks(held: HostShell) -> None:  # D8, I2: a "y" would delete data, and nobody answers
    said = 'case "$*" in compose*) { timeout 5 cat >/dev/null || echo it waits for an answer; } >>$0.asked;; esac\n'
    held.docker({"ps*": "", "compose*": "", "network*": "", "volume*": ""})
    held.program("docker", (held.bin / "docker").read_text().replace("case", said + "case", 1))
    assert roll(held).status == 0
    assert stage(held, images={}).status == 0
    assert held.run(commands.hook("M", held.hold(), **HOOK)).status == 0
    assert (held.bin / "docker.asked").read_text() == ""


STRANGER = "c9"
CHANGED: Answers = {
    "ps -aq --no-trunc --filter network=net": f"{STRANGER}\nc1\n", "ps -a --no-trunc --filter network=net*": "c1 running web\n",
    f"inspect -f {{{{index*{STRANGER}": "edge\n", "inspect -f {{index*": "shop\n", f"inspect -f {{{{.Id*{STRANGER}": "c9 10.0.0.9 mon c9\n",
    "inspect -f {{.Name}}*": "/stranger\n", "inspect c9": "[]", "network disconnect*": "", "network inspect*": "[]",
    "network rm*": "", "network connect*": "", "stop*": "", "compose*": "", "ps*status=*": "", "ps -q*": "c1\n", "ps*": "",
}


def test_strangers_on_a_changed_network_are_attached_again_as_they_were(held: HostShell) -> None:
    held.docker(CHANGED)
    assert roll(held, networks=("net",)).status == 0
    does = [line for line in held.lines() if line.split()[0] in ("rm", "stop", "network", "compose") and "inspect" not in line]
    assert [line.split(" --project")[0] for line in does] == [
        "network disconnect -f net c9", "stop c1", "network disconnect -f net c1", "network rm net", "compose -p shop",
        "network connect --ip 10.0.0.9 --alias mon net c9"]
    assert not (held.app() / "detached").exists()


@pytest.mark.parametrize(("answers", "said", "noted"), [
    ({"network connect*": 1}, "network\nstranger cannot be attached to net again: refused", True),
    ({"network disconnect*": 1}, "network\nstranger cannot be detached from net", True),
    ({"network rm*": 1}, "network\nnet cannot be removed: refused", True),
])
def test_a_stranger_that_is_lost_is_said_and_stays_noted(held: HostShell, answers: Answers, said: str, noted: bool) -> None:
    held.docker(answers, CHANGED)
    done = roll(held, networks=("net",))
    assert (done.status, done.text("refused").rstrip("; ")) == (40, said)
    assert (held.app() / "detached").exists() is noted
    held.docker(CHANGED)
    assert roll(held, services=()).status == 0  # whoever comes next brings it back
    assert "network connect --ip 10.0.0.9 --alias mon net c9" in held.lines()


HOOK: dict[str, Any] = {
    **NAMED, "service": "tool", "compose": COMPOSE, "overlay": "services: {}\n",
    "networks": {"default": "shop_default", "back": "shop_back"}, "volumes": {"data": "shop_data"}, "needed": ("shop_data",), "timeout": 60,
}


def hook(host: HostShell, **more: Any) -> command.Result:
    values = {**HOOK, **more}
    keep = f'case "$*" in *" run "*) cat {host.app()}/hook.yaml >{host.folder}/hook;; esac\n'
    host.program("docker", (host.bin / "docker").read_text().replace("case", keep + "case", 1))
    return host.run(commands.hook("M", host.hold(), **values))


def test_a_hook_beside_a_running_app_is_a_project_of_its_own(held: HostShell) -> None:
    held.docker({"ps*project=shop": "c1\n", "ps*": "c5\n", "volume inspect*": "", "network inspect shop_default": "",
                 "network ls*": "n5\n", "network rm*": "", "rm*": "", "compose*run*": "migrated\n"})
    done = hook(held)
    assert done.text("hook").splitlines() == ["0", "migrated"]
    lines = held.lines()
    (run,) = [line for line in lines if line.startswith("compose")]
    assert run.endswith(f"-p shop-hook-d1 -f {held.app()}/hook.yaml run --rm --no-deps -T tool")
    assert (held.folder / "hook").read_text().splitlines() == [
        "services: {}", "networks:", '  "default": !override {name: "shop_default", external: true}',
        '  "back": {name: "shop-hook-d1-1"}', "volumes:", '  "data": !override {name: "shop_data", external: true}']
    assert lines[-1] == "network rm n5" and "rm -f c5" in lines
    assert not (held.app() / "hook.yaml").exists()
    assert held.journal()[1:] == [INTENT, {**RESULT, "rc": 0}]


@pytest.mark.parametrize(("answer", "code", "removed"), [("ok\n", 0, False), (7, 7, True)])
def test_a_hook_before_the_first_deployment_is_the_apps_own(held: HostShell, answer: str | int, code: int, removed: bool) -> None:
    held.docker({"ps*": "", "network ls*": "n5\n", "network rm*": "", "compose*run*": answer})
    done = hook(held, networks={}, volumes={}, needed=())
    assert done.text("hook").splitlines()[0] == str(code)
    lines = held.lines()
    assert any(f"-p shop -f {held.app()}/hook.yaml run" in line for line in lines)
    assert ("network rm n5" in lines) is removed
    assert (held.folder / "hook").read_text() == "services: {}\n"


def test_a_hook_that_would_get_an_empty_volume_is_refused(held: HostShell) -> None:
    held.docker({"ps*": "c1\n"})
    assert hook(held).text("refused") == "hook\nvolume shop_data does not exist yet: deploy once without the hook"


def tidy(host: HostShell, **more: Any) -> command.Result:
    return host.run(commands.tidy("M", host.hold(), **{"intent": NAMED["intent"], "containers": (), "networks": (), **more}))


def test_tidy_removes_containers_then_networks(held: HostShell) -> None:
    held.docker({"rm -f*": "", "ps*": "", "network rm*": ""})
    assert tidy(held, containers=("c1", "c2"), networks=("old", "older")).status == 0
    assert [line for line in held.lines() if "rm" in line.split()] == ["rm -f c1 c2", "network rm old", "network rm older"]
    assert tidy(held, networks=("last",)).status == 0
    assert [line for line in held.lines() if "rm" in line.split()] == ["network rm last"]
    assert held.journal()[1:] == [INTENT, INTENT]


@pytest.mark.parametrize(("answers", "said"), [
    ({"rm*": 1}, "remove\na container stayed"), ({"rm*": "", "ps*": "", "network rm*": 1}, "remove\nnetwork old stays: refused"),
    ({"rm*": "", **CHANGED}, "remove\nnetwork old stays; on it: stranger"),
])
def test_what_stays_is_said(held: HostShell, answers: Answers, said: str) -> None:
    held.docker({key.replace("network=net", "network=old"): value for key, value in answers.items()})
    assert tidy(held, containers=("c1",), networks=("old",)).text("refused") == said


def test_commit_switches_current_prunes_and_frees(held: HostShell) -> None:
    app = held.app()
    for path in ("releases/old/x", "releases/new/x", "objects/o1", "objects/o2", "secrets/var.P/1", "secrets/var.P/2"):
        (app / path).parent.mkdir(parents=True, exist_ok=True)
        (app / path).write_text("x")
    held.docker({"image rm*": ""})
    done = held.run(commands.commit(
        "M", held.hold(), release="new", deployed='{"v":1}', record='{"kind":"committed"}', current='{"v":1,"q":"it\'s"}', script="#!/bin/sh\n", runs={}, releases=("old",),
        objects=("o1",), secrets=("var.P/1",), tags=("lading-keep/shop/web:old",)))
    assert done.status == 0
    assert (app / "current").read_text() == '{"v":1,"q":"it\'s"}\n'
    assert stat.S_IMODE((app / "compose").stat().st_mode) == 0o755
    left = {str(path.relative_to(app)) for path in app.rglob("*") if path.is_file()}
    assert {"releases/new/x", "objects/o2", "secrets/var.P/2"} <= left
    assert left & {"releases/old/x", "objects/o1", "secrets/var.P/1", "op.info", "current.new", "compose.new"} == set()
    assert held.lines() == ["image rm lading-keep/shop/web:old"]
    assert (held.lease()["state"], held.journal()[-1]) == ("free", {"kind": "committed"})
    assert (app / "releases/new/deployed.json").read_text() == '{"v":1}\n'


def test_commit_that_prunes_nothing_asks_docker_nothing(held: HostShell) -> None:
    done = held.run(commands.commit("M", held.hold(), release="cafe", deployed='{"v":1}', record='{"kind":"committed"}', current="{}", script="", runs={}, releases=(),
                                   objects=(), secrets=(), tags=()))
    assert (done.status, held.lines()) == (0, [])


UP, STORE = "web False c1  running/healthy 0\n", "db False c2 1.2 running 4\n"


@pytest.mark.parametrize(("runs", "said"), [
    (UP + UP + STORE + "other False c9  exited 0\n", ""), (STORE + UP + UP.replace("False", "True").replace("running", "exited") + UP, ""),
    (UP + UP + STORE.replace("1.2", "1.3"), "db"), (UP + UP, "db"), (UP + STORE, "web"), (UP + UP.replace("c1", "c11") + STORE, "web"), ("", "web"),
    (UP + UP.replace("healthy", "unhealthy") + STORE, "web; it is unhealthy"), (UP + UP.replace("0", "1") + STORE, "web; it restarts"),
    (UP + UP + STORE.replace("running", "restarting"), "db; it is restarting"), (UP + UP + STORE.replace("running", "exited"), "db; it is exited"),
])
def test_what_does_not_run_any_more_as_it_was_judged_is_not_committed(held: HostShell, runs: str, said: str) -> None:
    held.docker({"ps*project=shop*": "i1\ni2\n" if runs else "", "container inspect*i1 i2": runs})
    before = held.journal()
    done = held.run(commands.commit("M", held.hold(), release="cafe", deployed='{"v":1}', record='{"kind":"committed"}', current="{}", script="", releases=(), objects=(),
                                   runs={"web": commands.Judged("c1", "", 2, True), "db": commands.Judged("c2", "1.2")}, secrets=(), tags=()))
    assert "; ".join(done.text("refused").split("\n")) == (f"changed; {said}" if said else "")
    assert (held.app() / "current").exists() is not bool(said)
    assert held.journal() == [*before, *([] if said else [{"kind": "committed"}])]
    assert held.lease()["state"] == ("held" if said else "free")


STARTING: Answers = {"ps*project=shop*": "i1\n", "container inspect*": "web False c1  running/starting 0\n"}


@pytest.mark.parametrize(("first", "then", "said"), [
    (STARTING, "running/healthy", ""), (STARTING, "running/unhealthy", "it is unhealthy"), (STARTING, "running/starting", "it is starting"),
    ({}, "running/healthy", ""),
])
def test_what_starts_again_with_its_engine_is_waited_for_at_the_commit(held: HostShell, first: Answers, then: str, said: str) -> None:
    held.docker({"ps*project=shop*": "i1\n", "container inspect*": f"web False c1  {then} 0\n"})
    (held.bin / "docker").rename(held.bin / "docker-later")
    held.docker(first)
    held.program("sleep", f"#!/bin/sh\ncp {held.bin}/docker-later {held.bin}/docker\n")
    done = held.run(commands.commit("M", held.hold(), release="cafe", deployed='{"v":1}', record='{"kind":"committed"}', current="{}", script="", releases=(), objects=(),
                                   runs={"web": commands.Judged("c1", "")}, secrets=(), tags=()))
    assert "; ".join(done.text("refused").split("\n")) == (f"changed; web; {said}" if said else "")


def test_an_undone_host_is_free_and_says_so(held: HostShell) -> None:
    assert held.run(commands.release_lease("M", held.hold(), record='{"kind":"undone"}')).status == 0
    assert (held.lease()["state"], held.journal()[-1]) == ("free", {"kind": "undone"})


GONE: Answers = {"ps -aq*project=shop": "c1\n", "ps*": "", "rm*": "", "network ls*": "shop_default\n", "network rm*": "",
                 "volume ls*": "shop_data\n", "volume rm*": "", "images*": "lading-keep/shop/web:cafe\n", "image rm*": ""}


@pytest.mark.parametrize(("volumes", "forget"), [(False, False), (True, False), (False, True), (True, True)])
def test_vanish_takes_data_only_when_asked(held: HostShell, volumes: bool, forget: bool) -> None:
    app = held.app()
    (app / "project/data").mkdir(parents=True)
    (app / "current").write_text("{}")
    held.docker(GONE)
    done = held.run(commands.remove_app("M", held.hold(), record='{"kind":"gone"}', volumes=volumes, forget=forget))
    assert done.status == 0
    wanted = ["rm -f c1", "network rm shop_default", *(["volume rm shop_data"] if volumes else []),
              *(["image rm lading-keep/shop/web:cafe"] if forget else [])]
    assert [line for line in held.lines() if "rm" in line.split()] == wanted
    assert ((app / "project/data").exists(), (app / "current").exists()) == (not volumes, not forget)
    assert held.journal()[-1] == {"kind": "gone"}


@pytest.mark.parametrize(("answers", "said"), [
    ({"rm -f*": 1}, "a container stayed"), ({"volume rm*": 1}, "a volume stayed"), ({"network rm*": 1}, "network shop_default stays: refused")])
def test_vanish_says_what_stayed(held: HostShell, answers: Answers, said: str) -> None:
    held.docker(answers, GONE)
    done = held.run(commands.remove_app("M", held.hold(), record='{"kind":"gone"}', volumes=True, forget=True))
    assert (done.status, done.text("refused")) == (40, f"remove\n{said}")


def test_an_app_is_given_back(held: HostShell) -> None:
    held.docker({"images*": "lading-keep/shop/web:cafe\n", "image rm*": ""})
    app = held.app()
    for path in ("releases/cafe/release.json", "releases/cafe/files/c.yml", "releases/old/release.json", "objects/o1", "objects/o2",
                 "secrets/var.P/1", "secrets/var.P/2", "project/db", "compose", "current"):
        (app / path).parent.mkdir(parents=True, exist_ok=True)
        (app / path).write_text("x")
    done = held.run(commands.detach_app("M", held.hold(), record=NAMED["intent"], ended='{"kind":"ended"}', release="cafe", objects=["o2"],
                                      secrets=["var.P/1"]))
    assert done.status == 0
    gone = ("releases/cafe/release.json", "releases/old", "objects/o2", "secrets/var.P/1", "current")
    assert [path for path in gone if (app / path).exists()] == []
    assert {path for path in ("releases/cafe/files/c.yml", "objects/o1", "secrets/var.P/2", "project/db", "compose") if (app / path).exists()} == {
        "releases/cafe/files/c.yml", "objects/o1", "secrets/var.P/2", "project/db", "compose"}
    assert [line["kind"] for line in held.journal()] == ["begin", "intent", "ended"]
    assert held.lease()["state"] == "free"
    assert "image rm lading-keep/shop/web:cafe" in held.lines()


def test_whoever_has_a_pre_stop_is_stopped_before_it_is_removed(held: HostShell) -> None:
    held.docker({"compose*stop*": 3, "ps -aq*": "i1\n", "rm -f i1": ""})
    done = held.run(commands.remove_app("M", held.hold(), record='{"kind":"gone"}', volumes=False, forget=False,
                                   stop=commands.Stop(COMPOSE, ["web"])))
    lines = held.lines()
    [stop] = [number for number, line in enumerate(lines) if line.startswith("compose") and line.endswith("stop web")]
    assert (done.status, stop < lines.index("rm -f i1")) == (0, True)


VOLUME, OTHER, LOST = "a" * 64, "b" * 64, "c" * 64


def test_anonymous_volumes_that_compose_does_not_hand_on_are_mounted_again(held: HostShell) -> None:
    """A version without the mount has a container without it: the way back makes a new one from that."""
    held.docker({f"volume inspect {LOST}": 1, "volume inspect*": "[]", f"ps -aq --filter volume={OTHER}": "c2\n", "ps*": "", "compose*": ""})
    said = f'case "$*" in compose*) cat "{held.app()}/again.yaml" >>$0.again 2>/dev/null; esac\n'
    held.program("docker", (held.bin / "docker").read_text().replace("case", said + "case", 1))
    assert roll(held, had={("web", "old"): [f"{OTHER} /was"]}).status == 0
    assert roll(held, had={("web", "old"): [f"{VOLUME} /data", f"{OTHER} /other", f"{LOST} /gone"], ("db", "1"): [f"{VOLUME} /x"]}).status == 0
    kept = (held.app() / "anonymous").read_text().splitlines()
    assert sorted(kept) == [f"db 1 {VOLUME} /x", f"web old {VOLUME} /data", f"web old {OTHER} /other", f"web old {LOST} /gone"]
    assert " -f " + str(held.app() / "again.yaml") not in "".join(held.lines())  # the way there mounts what its file says
    done = roll(held, again=(("web", "old"), ("db", "2")), name="undo")
    assert done.text("gone") == f"web: /gone: its anonymous volume {LOST} is gone, so it has a new, empty one"
    (up,) = [line for line in held.lines() if line.startswith("compose")]
    assert f" -f {held.app()}/again.yaml up -d " in up
    again = yaml.safe_load((held.bin / "docker.again").read_text())
    assert again == {"services": {"web": {"volumes": [{"type": "volume", "source": VOLUME, "target": "/data"}]}},  # /other is mounted
                     "volumes": {VOLUME: {"name": VOLUME, "external": True}}}
    assert not (held.app() / "again.yaml").exists()


def test_where_no_anonymous_volume_is_known_nothing_is_mounted_again(held: HostShell) -> None:
    held.docker({"volume*": "[]", "ps*": "", "compose*": ""})
    assert roll(held, again=(("web", "old"),)).status == 0
    roll(held, had={("web", "new"): [f"{VOLUME} /data"]})
    done = roll(held, again=(("web", "old"),))
    assert (done.text("gone"), [line for line in held.lines() if "again.yaml" in line]) == ("", [])
