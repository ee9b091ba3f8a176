"""The release: same inputs, same id; no secret in it; content by service."""

import json
import re
from dataclasses import field, fields, make_dataclass, replace
from typing import Any

import pytest

from builders import a_reading, a_release, a_service
from lading import canonical, errors
from lading.compose import bundle, project, release, restore

WEB, DB = a_service("web", "r/web:1"), a_service("db", "r/db:1")


def test_same_inputs_same_id() -> None:
    assert a_release(WEB, DB).id == a_release(DB, WEB).id
    assert re.fullmatch("[0-9a-f]{64}", a_release(WEB).id)


def later(kind: type[Any], **fields: Any) -> type[Any]:
    """The class as a later lading has it: with fields that came with format 2."""
    added = [(name, type(value), field(default=value, metadata={release.SINCE: 2})) for name, value in fields.items()]
    added.append(("marks", list, field(default_factory=list, metadata={release.SINCE: 3})))
    return make_dataclass(kind.__name__, added, bases=(kind,), frozen=True)


def test_a_field_that_came_later_changes_nothing_until_it_is_used() -> None:
    """Upgrading lading gives no release another id, so that nothing is restarted."""
    made = a_release(WEB, DB)
    spec, whole = later(release.ServiceSpec, may_end=False), later(release.Release, links="")
    services = {name: spec(**{one.name: getattr(each, one.name) for one in fields(each)}) for name, each in made.services.items()}
    same = whole(**{**{one.name: getattr(made, one.name) for one in fields(made)}, "services": services})
    assert (same.canonical(), same.id) == (made.canonical(), made.id)
    for used, format in ((replace(same, links="a"), 2), (replace(same, marks=["a"]), 3), (replace(
            same, services={**services, "web": replace(services["web"], may_end=True)}), 2)):
        assert json.loads(used.canonical())["v"] == format
        assert used.id != made.id


@pytest.mark.parametrize("more", [
    {"plain": {"VERSION": "2"}}, {"files": (project.ShippedFile("docker-compose.yml", b"other"),)},
    {"files": (project.ShippedFile("docker-compose.yml", b"services: {}\n", True),)}, {"version": "2"},
    {"binds": {"conf": (project.ShippedFile("", b"x"),)}}, {"extension": {"on_undo": "run"}},
])
def test_any_change_changes_the_id(more: dict[str, object]) -> None:
    assert a_release(WEB, **more).id != a_release(WEB).id


def test_secret_content_is_not_in_it() -> None:
    one = a_release(WEB, secrets={"var.P": b"canary"}, uses={"web": ("var.P",)})
    two = a_release(WEB, secrets={"var.P": b"other"}, uses={"web": ("var.P",)})
    assert one.id == two.id
    assert b"canary" not in one.canonical()


def test_round_trip_and_newer_format() -> None:
    made = a_release(WEB, DB, secrets={"var.P": b"x"}, uses={"web": ("var.P",)})
    stored = json.loads(made.canonical())
    assert restore.from_json(stored) == made
    assert restore.from_json(stored).id == made.id
    with pytest.raises(errors.InputError, match="format 2"):
        restore.from_json({**stored, "v": 2})
    with pytest.raises(errors.InputError, match="damaged"):
        restore.from_json({"v": 1, "services": {}})


def test_content_follows_mounted_files_of_its_own_service_only() -> None:
    web = a_service("web", mounts=(project.Mount("bind", "./conf", "/conf"),))

    def contents(text: bytes) -> dict[str, str]:
        made = a_release(web, DB, binds={"conf": (project.ShippedFile("a", text),)})
        return {name: spec.content for name, spec in made.services.items()}

    one, two = contents(b"1"), contents(b"2")
    assert one["web"] != two["web"]
    assert one["db"] == two["db"]


def test_overlay_as_people_read_it() -> None:
    web = a_service(
        "web", "r/web:1", has_build=True, mounts=(project.Mount("bind", "./conf", "/c$d", True),
                                                project.Mount("bind", "data", "/data"), project.Mount("volume", "v", "/v"),
                                                project.Mount("bind", "./conf", "/z", True, {"selinux": "z"})),
        definition={"deploy": {"placement": {}}},
    )
    made = a_release(web, binds={"conf": (project.ShippedFile("a", b"1"),)}, secrets={"var.P": b"x"}, uses={"web": ("var.P",)})
    lines = made.overlay.splitlines()
    obj = next(iter(made.objects))
    assert "    build: !reset null" in lines
    assert "      placement: !reset null" in lines
    assert '      lading.secrets: "${LADING_SECRETS_0}"' in lines
    assert f'      - {{"type": "bind", "source": "${{LADING_DIR}}/objects/{obj}", "target": "/c$$d", "read_only": true}}' in lines
    assert '      - {"type": "bind", "source": "${LADING_DIR}/project/data", "target": "/data"}' in lines
    assert f'      - {{"type": "bind", "source": "${{LADING_DIR}}/objects/{obj}", "target": "/z", "read_only": true, "bind": {{"selinux": "z"}}}}' in lines
    assert "/v" not in made.overlay.replace("/var", "")
    assert release.interpolation(made, {"var.P": 7}, "/x") == {
        "LADING_DIR": "/x", "LADING_GEN_0": "7", "LADING_SECRETS_0": "7"}


def test_jobs_waits_and_bakes() -> None:
    made = a_release(
        a_service("web", health=project.Health(interval=1, timeout=1, retries=2, start_period=100),
                  depends_on={"migrate": "service_completed_successfully"}),
        a_service("migrate"), a_service("once", restart="on-failure:3", restart_written=True), a_service("plain"),
    )
    got = {name: (spec.job, spec.wait, spec.bake) for name, spec in made.services.items()}
    assert got == {"web": (False, 136.0, 0.0), "migrate": (True, 900.0, 0.0), "once": (True, 900.0, 0.0),
                   "plain": (False, 60.0, 5.0)}


def test_tar_has_neither_owner_nor_time() -> None:
    import io
    import tarfile

    made = release.build(a_reading(WEB), {})
    with tarfile.open(fileobj=io.BytesIO(bundle.tar(bundle.release_files(made)))) as archive:
        members = archive.getmembers()
    assert {(m.uid, m.uname, m.mtime, m.mode) for m in members} == {(0, "", 0, 0o644)}
    assert {m.name for m in members} == {"release.json", "compose.overlay.yaml", "plain.env", "files/docker-compose.yml"}


def test_what_lies_in_shipped_folders_goes_with_a_release_as_its_ids_were_made() -> None:
    folder = (project.ShippedFile("b", b"2", True), project.ShippedFile("a", b"1"))
    made = release.build(replace(a_reading(WEB), binds={"conf": folder, "one.conf": (project.ShippedFile("", b"1"),)}), {})
    told = {one.path: one.content for one in bundle.release_files(made)}["shipped.json"]
    folders = json.loads(told)["folders"]
    assert {id: canonical.object_id([tuple(one) for one in files]) for id, files in folders.items()} == {
        id: id for id, source in made.release.objects.items() if source == "conf"}


def test_profiles_that_were_asked_for_are_kept_where_they_say_something() -> None:
    tool = a_service("tool", profiles=("tools",))
    asked = release.build(replace(a_reading(WEB, replace(tool, asked=True)), profiles=("tools", "debug")), {}).release
    assert restore.from_bytes(asked.canonical()).profiles == ("debug", "tools")
    assert set(asked.active) == {"web", "tool"}
    assert release.build(a_reading(WEB, tool), {}).release.profiles == ()
    assert release.build(replace(a_reading(WEB), profiles=("tools",)), {}).release.id == release.build(a_reading(WEB), {}).release.id


def test_labels_of_files_stand_in_the_overlay() -> None:
    made = release.build(a_reading(replace(WEB, file_labels={"team": "a$$b"})), {}).release
    assert "label_file: !reset null" in made.overlay and 'team: "a$$b"' in made.overlay
    assert "label_file" not in release.build(a_reading(WEB), {}).release.overlay
