"""Adopting: what is just so counts as the release's, what differs does not; what would lose data is refused with the way out."""

import json
from dataclasses import replace
from typing import Any

import pytest

from builders import PIN, a_release, a_service
from lading import state
from lading.compose import release
from lading.plan import adoption, likeness, planner

IMAGE = {"Id": "i1", "RepoDigests": ["other/web" + PIN, "r/web" + PIN], "Config": {}}
HERE = likeness.HERE
FOLDER = "/s/apps/shop"
NETWORK = {"Name": "shop_default", "Driver": "bridge", "Labels": {"com.docker.compose.network": "default"}, "IPAM": {"Config": [{"Subnet": "10.1.0.0/24"}]}}


def raw(service: str, **more: Any) -> dict[str, Any]:
    labels = {adoption.SERVICE: service, **more.pop("labels", {})}
    return {"Id": f"id-{service}", "Name": f"/shop-{service}-1", "Image": "i1", "NetworkSettings": {"Networks": {}}, "State": {"Running": True},
            "Config": {"Image": "r/web:1", "Labels": labels}, "HostConfig": {}, "Mounts": [], **more}


def tree(**services: Any) -> dict[str, Any]:
    return {"services": {name: {"image": "r/web:1", **more} for name, more in services.items()}}


def seen(*containers: dict[str, Any], networks: tuple[dict[str, Any], ...] = (), **more: Any) -> adoption.Running:
    made = adoption.running(containers, [IMAGE], networks)
    return replace(made, evidence=replace(made.evidence, **more))


def app(*containers: dict[str, Any], **more: Any) -> state.AppState:
    values: dict[str, Any] = {"status": "running", **more}
    return state.AppState("shop", containers=tuple(
        state.ContainerState("shop", c["Config"]["Labels"][adoption.SERVICE], c["Id"], "n", c["Config"]["Image"], "i1", **values) for c in containers))


def compared(made: release.Release, wanted: dict[str, Any], *containers: dict[str, Any], **more: Any) -> adoption.Compared:
    return adoption.compare("h", made, {}, wanted, seen(*containers), app(*containers, **more), FOLDER)


WEB = a_release(a_service("web", "r/web:1", networks=()), networks={})
SPEC = WEB.services["web"]


def test_what_is_just_so_counts_as_the_release() -> None:
    done = compared(WEB, tree(web={}), raw("web"))
    assert (done.changes, done.notes) == ((), ())
    assert done.adopted == {"id-web": state.Adopted(SPEC.content, SPEC.image)}


def test_an_adopted_container_is_left_alone_until_its_service_changes() -> None:
    one = state.ContainerState("shop", "web", "id-web", "n", "r/web:1", "i1", "running")
    current = state.Current("shop", WEB.id, "1", "d1", adopted=compared(WEB, tree(web={}), raw("web")).adopted)
    kept = {WEB.id: json.loads(WEB.canonical())}
    here = state.AppState("shop", current, kept, containers=state.recognised([one], current.adopted))
    assert planner.plan_host("h", WEB, {}, (), here, WEB).steps == ()
    extended = a_release(a_service("web", "r/web:1", networks=()), a_service("db", "r/db:1", networks=()), networks={})
    plan = planner.plan_host("h", extended, {}, (), here, WEB)
    assert (plan.services, plan.adopted) == (("db",), current.adopted)
    newer = a_release(a_service("web", "r/web:2", networks=()), networks={})
    assert planner.plan_host("h", newer, {}, (), here, WEB).services == ("web",)
    without = a_release(a_service("db", "r/db:1", networks=()), networks={})
    assert planner.plan_host("h", without, {}, (), here, WEB).adopted == {}


def test_what_differs_does_not_count() -> None:
    other = raw("web", HostConfig={"Privileged": True})
    done = compared(WEB, tree(web={}), other)
    assert [(c.service, c.field) for c in done.changes] == [("web", "privileged")]
    assert done.adopted == {"id-web": state.Adopted("", SPEC.image)}
    assert "web differ from the file" in done.notes[0]


def test_another_image_stays_what_it_is() -> None:
    other = raw("web", Image="i2")
    assert compared(WEB, tree(web={}), other).adopted == {"id-web": state.Adopted("", "r/web:1")}


def test_a_secret_of_its_service_has_the_hosts_number() -> None:
    made = a_release(a_service("web", "r/web:1", networks=()), networks={}, secrets={"var.P": b"p"}, uses={"web": ("var.P",)})
    done = adoption.compare("h", made, {"var.P": 3}, tree(web={}), seen(raw("web")), app(raw("web")), FOLDER)
    assert done.adopted["id-web"].secrets == "3"


def test_containers_of_ladings_own_need_no_record() -> None:
    mine = raw("web")
    one = state.ContainerState("shop", "web", "id-web", "n", SPEC.image, "i1", "running", content=SPEC.content, owned=True)
    done = adoption.compare("h", WEB, {}, tree(web={}), seen(mine), state.AppState("shop", containers=(one,)), FOLDER)
    assert (done.changes, done.adopted) == ((), {})


def test_containers_too_many_too_few_and_of_no_service() -> None:
    done = compared(WEB, tree(web={}), raw("web"), raw("web", Id="id-2"), raw("old"))
    assert [(c.service, c.field, c.old, c.new) for c in done.changes] == [
        ("web", "containers", "2", "1"), ("old", "service", "running", "not in the file")]
    assert done.adopted["id-old"] == state.Adopted("", "r/web:1")
    assert done.notes[-1] == "h: old are not in the file: the next deployment removes their containers"
    assert [c.old for c in compared(WEB, tree(web={})).changes] == ["0"]


@pytest.mark.parametrize(("state_", "word"), [({"status": "exited", "exit_code": 1}, ["exited"]), ({"status": "exited"}, []), ({"health": "starting"}, [])])
def test_states_are_told(state_: dict[str, Any], word: list[str]) -> None:
    assert [c.old for c in compared(WEB, tree(web={}), raw("web"), **state_).changes if c.field == "state"] == word


def test_one_off_containers_are_no_part_of_it() -> None:
    assert adoption.running([raw("web", labels={"com.docker.compose.oneoff": "True"})], [], []).containers == []


@pytest.mark.parametrize(("text", "ran", "expected"), [
    ("r/web:1", "r/web:1", PIN[1:]), ("r/web:2", "r/web:1", ""), ("r/web:1" + PIN, "r/web:1" + PIN, ""), ("q/web:1", "q/web:1", ""),
])
def test_what_runs_decides_the_digest(text: str, ran: str, expected: str) -> None:
    unknown = raw("db", Image="i9")
    unknown["Config"]["Image"] = ran
    one = raw("web")
    one["Config"]["Image"] = ran
    assert adoption.digest(text, seen(unknown, one)) == expected


BINDS = tree(web={"volumes": [
    {"type": "bind", "source": f"{HERE}project/data", "target": "/data"}, {"type": "bind", "source": f"{HERE}objects/o1", "target": "/conf"},
    {"type": "bind", "source": "/etc/hosts", "target": "/h"}, {"type": "bind", "source": "/etc/none", "target": "/none"}]})


def bound(data: dict[str, Any], conf: str = "/srv/app/conf") -> dict[str, Any]:
    return raw("web", Mounts=[data, {"Type": "bind", "Source": conf, "Destination": "/conf", "RW": True},
                              {"Type": "bind", "Source": "/etc/hosts", "Destination": "/h", "RW": True}])


DATA = {"Type": "bind", "Source": "/srv/app/data", "Destination": "/data", "RW": True}
VOLUME = {"Type": "volume", "Name": "rows", "Destination": "/data", "RW": True}


def test_what_must_be_looked_at_on_the_host() -> None:
    assert adoption.to_look_at(BINDS, seen(bound(DATA))) == (("/srv/app/conf",), (("project/data", "/srv/app/data"),))


def test_data_in_another_place_is_refused_with_the_way_out() -> None:
    assert adoption.traps(BINDS, seen(bound(DATA), same=frozenset([("project/data", "/srv/app/data")])), FOLDER) == []
    told = adoption.traps(BINDS, seen(bound(DATA)), FOLDER)
    assert len(told) == 1
    assert "write /srv/app/data instead of ./data" in told[0]
    assert f"mkdir -p {FOLDER}/project && ln -s /srv/app/data {FOLDER}/project/data" in told[0]
    assert "mount the volume rows in the Compose file" in adoption.traps(BINDS, seen(bound(VOLUME)), FOLDER)[0]


def test_the_way_out_can_be_pasted() -> None:
    there = adoption.traps(BINDS, seen(bound({**DATA, "Source": "/srv/$(touch pwn)"})), FOLDER)
    assert f"ln -s '/srv/$(touch pwn)' {FOLDER}/project/data" in there[0]


def test_old_folders_and_other_mounts_are_told() -> None:
    notes = compared(WEB, BINDS, bound(DATA)).notes
    assert "h: keep /srv/app/conf: web mount it until their next change" in notes
    assert "h: other mounts, so perhaps other data, from the next deployment on: web /conf, web /data, web /none" in notes
    assert not [n for n in compared(WEB, BINDS, bound(DATA, f"{FOLDER}/objects/o1")).notes if "keep " in n]
    assert compared(WEB, tree(web={"ulimits": {"nofile": 1}}), raw("web")).notes == ("web: ulimits were not compared",)


def test_a_network_is_as_in_the_file_or_refused() -> None:
    def told(want: dict[str, Any], have: dict[str, Any] = NETWORK) -> list[str]:
        wanted = {"services": {}, "networks": {"default": {"name": "shop_default", **want}, "out": {"name": "out", "external": True}}}
        return adoption.traps(wanted, seen(networks=(have, {"Name": "out"})), FOLDER)

    assert told({}) == told({"ipam": {"config": [{"subnet": "10.1.0.0/24"}]}}) == []
    assert told({}, {"Name": "other"}) == []
    assert "its internal is not as in the file" in told({"internal": True})[0]
    assert "its subnet is not as in the file" in told({"ipam": {"config": [{"subnet": "10.9.0.0/24"}]}})[0]
    assert "it was not made by Compose" in told({}, {"Name": "shop_default"})[0]
