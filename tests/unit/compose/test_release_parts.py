"""Secret files, env files and configs in a release and its overlay; pace, waits, what is stored."""

import pytest

from builders import a_release, a_service
from lading import errors, state
from lading.compose import project, release, restore

SECRETS = {"var.P": b"x", "env.conf/a.env": b"A=1", "file.tls/key": b"k"}


def test_files_of_secrets_and_configs_lie_where_the_overlay_says() -> None:
    web = a_service(
        "web", env_files=({"path": "./conf/a.env", "required": True}, {"path": "none.env", "required": False}),
        configs=(project.FileRef("c", "/c"), project.FileRef("inline", ""), project.FileRef("outside", "/o")))
    only = a_service("only", env_files=({"path": "none.env", "required": False},))
    made = a_release(
        web, only, secrets=SECRETS, uses={"web": tuple(SECRETS)}, binds={"c.conf": (project.ShippedFile("", b"1"),)},
        configs={"c": project.Resource("c", "shop_c", {}, file="./c.conf"), "inline": project.Resource("inline", "i", {"content": "x"}),
                 "else": project.Resource("else", "e", {}, file="/etc/else")},
        top_secrets={"key": project.Resource("key", "shop_key", {}, file="tls/key"), "gone": project.Resource("gone", "g", {}, file="no/such"),
                     "name": project.Resource("name", "n", {}, environment="P")})
    (obj,) = made.objects
    lines = made.overlay.splitlines()
    at = lines.index("    env_file: !override")
    assert lines[at : at + 1] == ["    env_file: !override"] and "    env_file: !override []" in lines
    assert '      - {"path": "${LADING_DIR}/secrets/env.conf%2Fa.env/${LADING_GEN_0}", "required": true}' in lines
    assert f'    file: "${{LADING_DIR}}/objects/{obj}"' in lines
    assert '    file: "${LADING_DIR}/secrets/file.tls%2Fkey/${LADING_GEN_1}"' in lines
    assert not any(word in made.overlay for word in ("none.env", "inline", "no/such", "/etc/else", "gone"))
    assert release.interpolation(made, {"var.P": 3, "file.tls/key": 2}, "/x") == {
        "LADING_DIR": "/x", "LADING_GEN_0": "0", "LADING_GEN_1": "2", "LADING_GEN_2": "3",
        "LADING_SECRETS_1": release.generation_label(made.services["web"], {"var.P": 3, "file.tls/key": 2})}


def test_the_most_careful_pace_counts() -> None:
    made = a_release(
        a_service("web", rollout=project.Rollout(3, 1.0, 5.0)), a_service("db", rollout=project.Rollout(2, 9.0, 1.0)),
        a_service("all", rollout=project.Rollout(0), way_back=project.Rollout(1, 1.0, 2.0)), a_service("none"))
    assert (made.forth, made.back) == (release.Pace(2, 5.0), release.Pace(1, 5.0))
    assert {name: spec.bake for name, spec in made.services.items()} == {"web": 1.0, "db": 9.0, "all": 5.0, "none": 5.0}
    assert a_release(a_service("web")).forth == release.Pace(0, 0.0)


@pytest.mark.parametrize(("restart", "job"), [("no", True), ("on-failure", True), ("on-failure:3", True), ("always", False), ("unless-stopped", False)])
def test_a_restart_policy_makes_a_job(restart: str, job: bool) -> None:
    made = a_release(a_service("web", restart=restart, restart_written=True))
    assert made.services["web"].job is job


@pytest.mark.parametrize(("content", "said"), [(b"{", "damaged"), (b"[1]", "damaged"), (b"{}", "format None"), (b'{"v":1}', "damaged"), (b"\xff", "damaged")])
def test_stored_bytes_that_are_none(content: bytes, said: str) -> None:
    with pytest.raises(errors.InputError, match=said):
        restore.from_bytes(content)


def test_stored_bytes_both_ways() -> None:
    made = a_release(a_service("web"), binds={"/srv": ()}, secrets=SECRETS)
    assert restore.from_bytes(made.canonical()) == made


def test_a_release_of_nothing() -> None:
    assert (release.empty("shop").app, release.empty("shop").active, len(release.empty("shop").id)) == ("shop", {}, 64)


def test_absolute_binds_are_those_of_what_starts() -> None:
    mounts = (project.Mount("bind", "/srv/a", "/a"), project.Mount("bind", "./b", "/b"), project.Mount("volume", "/x", "/c"))
    idle = a_service("idle", mounts=(project.Mount("bind", "/srv/idle", "/a"),), profiles=("tool",))
    assert a_release(a_service("web", mounts=mounts), idle).absolute_binds == ("/srv/a",)


def test_a_release_of_a_newer_lading_is_an_error() -> None:
    assert state.release_from_json("cafe", {"v": 1}) == {"v": 1}
    with pytest.raises(state.NewerError, match="release cafe has format 2"):
        state.release_from_json("cafe", {"v": 2})


def test_a_changed_seccomp_profile_is_another_content() -> None:
    def content(text: bytes, **more: str) -> str:
        files = (project.ShippedFile("app/sec/own.json", text), project.ShippedFile("app/compose.yaml", b"services: {}\n"))
        made = a_release(a_service("web", seccomp=("./sec/own.json", "/etc/host.json")), a_service("db"), files=files, directory="app")
        return made.services[more.get("of", "web")].content

    assert content(b"{}") != content(b"[]")
    assert content(b"{}", of="db") == content(b"[]", of="db")
