"""What a plan says of data: mounts that change, volumes that are new or left behind, what is refused (D8, D27)."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from builders import a_container, a_release, a_service, an_app
from lading import state
from lading.compose import overlay, project, release, restore
from lading.plan import mounts, planner, steps

ANONYMOUS = "0123456789abcdef" * 4
PROJECT = "/var/lib/lading/apps/shop/project/"
OBJECTS = "/var/lib/lading/apps/shop/objects/"
FILES = (project.ShippedFile("a", b"a"),)


def volume(key: str, name: str = "", **more: Any) -> project.Resource:
    external = more.pop("external", False)
    return project.Resource(key, name or f"shop_{key}", more, external=external)


def mounted(*found: project.Mount, name: str = "db", **more: Any) -> project.Service:
    """A service with mounts, as Compose's normal form has them."""
    written = [{"type": m.kind, "source": m.source, "target": m.target, "read_only": m.read_only} for m in found]
    return a_service(name, mounts=found, definition={"volumes": written}, **more)


def at(target: str, source: str = "", kind: str = "volume", *, read_only: bool = False) -> project.Mount:
    return project.Mount(kind, source, target, read_only)


def made(*found: project.Mount, volumes: tuple[project.Resource, ...] = (), **more: Any) -> release.Release:
    return a_release(mounted(*found), volumes={one.key: one for one in volumes}, **more)


def kept(made_: release.Release) -> release.Release:
    """A release as a host or the ledger gives it back: without what only its reader knew."""
    return restore.from_json(json.loads(made_.canonical()))


def there(*names: str) -> Mapping[str, state.Volume]:
    return {name: state.Volume(name) for name in names}


def changed(old: release.Release, new: release.Release, have: Mapping[str, str], volumes: Mapping[str, state.Volume] | None) -> list[tuple[str, ...]]:
    """Service, field, old and new of what a plan says where old's containers have *have* mounted."""
    app = an_app(old, a_container(old.services["db"], mounts=have))
    plan = planner.plan_host("h", new, {}, (), app, old, volumes=volumes, data={"full": True})
    return [(c.service, c.field, c.old, c.new) for c in plan.changes]


DATA, ROWS = volume("data"), volume("rows")
GOES_ON = "it goes on: Compose gives a mount without a source what was there before"  # `inherit` in its create.go


@pytest.mark.parametrize(("old", "new", "have", "says"), [
    pytest.param([at("/data", "data")], [at("/data", "rows")], "shop_data",
                 [("db", "mount /data", "volume shop_data", "volume shop_rows (new, empty; shop_data stays)"),
                  ("", "volume shop_rows", "", "new, empty"), ("", "volume shop_data", "mounted", "left behind: it stays, unused")],
                 id="another volume"),
    pytest.param([at("/data", "data")], [], "shop_data",
                 [("db", "mount /data", "volume shop_data", "none (shop_data stays)"),
                  ("", "volume shop_data", "mounted", "left behind: it stays, unused")], id="no volume any more"),
    pytest.param([at("/data")], [at("/data", "data")], ANONYMOUS,
                 [("db", "mount /data", "anonymous volume", "volume shop_data (new, empty; 0123456789ab stays)"),
                  ("", "volume shop_data", "", "new, empty")], id="an anonymous one gets a name"),
    pytest.param([at("/data", "data")], [at("/data")], "shop_data",
                 [("db", "mount /data", "volume shop_data", f"volume shop_data ({GOES_ON})")], id="and loses it"),
    pytest.param([at("/data", "./data", "bind")], [at("/data")], PROJECT + "data",
                 [("db", "mount /data", "host data data", f"host data data ({GOES_ON})")], id="host data goes on without its place"),
    pytest.param([at("/data", "data")], [at("/data", "", "tmpfs")], "shop_data",
                 [("db", "mount /data", "volume shop_data", f"volume shop_data ({GOES_ON})")], id="so it does under a tmpfs"),
    pytest.param([at("/data", "./data", "bind")], [at("/data", "./data2", "bind")], PROJECT + "data",
                 [("db", "mount /data", "host data data", "host data data2 (new, empty; data stays)")], id="another folder"),
    pytest.param([at("/data", "data")], [at("/data", "./full", "bind")], "shop_data",
                 [("db", "mount /data", "volume shop_data", "host data full (there already; shop_data stays)"),
                  ("", "volume shop_data", "mounted", "left behind: it stays, unused")], id="a volume becomes host data"),
    pytest.param([at("/data", "./data", "bind")], [at("/data", "data")], PROJECT + "data",
                 [("db", "mount /data", "host data data", "volume shop_data (new, empty; data stays)"),
                  ("", "volume shop_data", "", "new, empty")], id="host data"),
    pytest.param([at("/data", "/srv/data", "bind")], [at("/data", "data")], "/srv/data",
                 [("db", "mount /data", "the host's /srv/data", "volume shop_data (new, empty; /srv/data stays)"),
                  ("", "volume shop_data", "", "new, empty")], id="a path of the host"),
    pytest.param([at("/data", "data")], [at("/data", "data"), at("/tmp", "", "tmpfs")], "shop_data",
                 [("db", "definition", "", "")], id="a tmpfs is no data"),
])
def test_each_mount_that_changes_is_named(
    old: list[project.Mount], new: list[project.Mount], have: str, says: list[tuple[str, ...]]
) -> None:
    one, other = made(*old, volumes=(DATA, ROWS)), made(*new, volumes=(DATA, ROWS))
    found = changed(one, other, {"/data": have}, there("shop_data") if "data" in {m.source for m in old} else {})
    assert [("db", "definition", "", "") if c[1] == "definition" else c for c in found] == says


def test_the_same_mount_otherwise_is_told_by_its_definition() -> None:
    one, other = made(at("/data", "data"), volumes=(DATA,)), made(at("/data", "data", read_only=True), volumes=(DATA,))
    ((service, field, _, _),) = changed(one, other, {"/data": "shop_data"}, there("shop_data"))
    assert (service, field) == ("db", "volumes")


def test_a_volume_of_another_name_in_the_same_service_recreates_it() -> None:  # D8: recorded as done, and never happens
    one, other = made(at("/data", "data"), volumes=(DATA,)), made(at("/data", "data"), volumes=(volume("data", "kept"),))
    assert one.services["db"].content == other.services["db"].content
    app = an_app(one, a_container(one.services["db"], mounts={"/data": "shop_data", "/more": ANONYMOUS}))
    plan = planner.plan_host("h", other, {}, (), app, one, volumes=there("shop_data", "kept"))
    assert [(c.service, c.field, c.old, c.new) for c in plan.changes] == [
        ("db", "mount /data", "volume shop_data", "volume kept (there already; shop_data stays)"),
        ("", "volume kept", "there already", "mounted"), ("", "volume shop_data", "mounted", "left behind: it stays, unused")]
    assert steps.StartServices(("db",), anew=True) in plan.steps  # Compose alone would not see it everywhere


def test_what_is_started_beside_it_is_named_too() -> None:
    def version(name: str, replicas: int) -> release.Release:
        return a_release(mounted(at("/data", "data")), a_service("web", replicas=replicas), a_service("late"), a_service(
            "after", depends_on={"db": "service_started"}, restarts_with=("db",)), volumes={"data": volume("data", name)})

    one, other = version("a", 1), version("b", 2)
    app = an_app(one, a_container(one.services["db"], mounts={"/data": "a"}), a_container(one.services["web"]),
                 a_container(one.services["after"]))
    plan = planner.plan_host("h", other, {}, (), app, one)
    assert plan.services == ("after", "db", "late", "web") and plan.anew
    assert {(c.service, c.field) for c in plan.changes} >= {("after", "recreated"), ("web", "recreated"), ("web", "containers")}
    assert ("late", "recreated") not in {(c.service, c.field) for c in plan.changes}  # it had no container


def test_a_container_that_no_kept_release_explains() -> None:
    new = made(at("/data", "./conf", "bind"), at("/rows", "rows"), volumes=(ROWS,), binds={"conf": FILES})
    app = state.AppState("shop", containers=(
        a_container(new.services["db"], content="other", mounts={"/data": OBJECTS + "0", "/rows": "", "/x": OBJECTS + "1"}),))
    plan = planner.plan_host("h", new, {}, (), app, None, volumes={})
    assert [(c.field, c.old, c.new) for c in plan.changes if c.field.startswith("mount")] == [
        ("mount /rows", "tmpfs", "volume shop_rows (new, empty)")]


def test_what_a_secret_or_docker_hides_is_told_by_the_files() -> None:
    def version(source: str, n: str) -> release.Release:
        service = a_service("db", definition={"environment": {"N": n}, "volumes": [
            {"type": "bind", "source": source, "target": "/data"}, {"type": "image", "source": "r/i", "target": "/image"},
            {"type": "volume", "source": "${WHICH}", "target": "/which"}]})
        return kept(a_release(service))

    have = {"/data": "/srv/one", "/image": "/var/lib/docker/x", "/which": "rows"}
    one = version("${ROOT}/one", "1")
    assert [c[1] for c in changed(one, version("${ROOT}/one", "2"), have, {})] == ["environment"]
    assert changed(one, version("${ROOT}/two", "1"), have, {}) == [
        ("db", "mount /data", "what is at ${ROOT}/one", "what is at ${ROOT}/two")]
    assert changed(one, version("./data", "1"), have, {}) == [("db", "mount /data", "the host's /srv/one", "host data data (new, empty; /srv/one stays)")]
    assert planner.diff("h", one, {}, an_app(one, a_container(one.services["db"], mounts=have)), one) == ()
    strange = state.AppState("shop", containers=(a_container(one.services["db"], content="other", mounts=have),))
    assert [c.field for c in planner.diff("h", one, {}, strange, None)] == ["definition"]


def test_a_release_says_what_it_mounts() -> None:
    new = made(at("/a", "./conf", "bind"), at("/b", "./data/", "bind"), at("/c", "/srv", "bind"), at("/d", "i", "image"),
               at("/e", "stray"), binds={"conf": FILES})
    assert {target: str(one) for target, one in mounts.wanted(new, new.services["db"]).items()} == {
        "/a": "shipped files conf", "/b": "host data data", "/c": "the host's /srv", "/d": "image i", "/e": "volume stray"}
    listed = a_release(a_service("db", mounts=(at("/srv", "/srv", "bind"),), definition={"volumes": ["${SECRET}:/srv"]}))
    assert mounts.wanted(listed, listed.services["db"])["/srv"].varies
    masked = kept(a_release(a_service("db", definition={"volumes": ["${SECRET}:/data"]})))
    assert mounts.wanted(masked, masked.services["db"]) == {}


def by_variables(*found: tuple[str, project.Mount], **more: Any) -> release.Release:
    """A release whose definition hides the sources of its mounts: each as it is written, and what it is."""
    written = [{"type": m.kind, "source": text, "target": m.target} for text, m in found]
    service = a_service("db", mounts=(*(m for _, m in found), at("/tmp", "", "tmpfs")),
                        definition={"volumes": written, "tmpfs": ["/tmp"]})
    return a_release(service, **more)


SHIPS = {"conf": FILES}
HIDDEN = (("${CONF:-./conf}", at("/conf", "./conf", "bind")), ("${HD}", at("/hd", "./a/../hd", "bind")),
          ("/srv/${WHERE}/", at("/srv", "/srv/one/", "bind")), ("${VOL}", at("/rows", "rows")))


def test_variables_hide_no_mount() -> None:
    new = by_variables(*HIDDEN, volumes={"rows": ROWS}, binds=SHIPS)
    says = {"/conf": "shipped files conf", "/hd": "host data hd", "/srv": "the host's /srv/one", "/rows": "volume shop_rows"}
    for one in (new, kept(new)):
        assert {target: str(m) for target, m in mounts.wanted(one, one.services["db"]).items()} == says
        assert mounts.used(one) == {"shop_rows"}
    several = kept(by_variables(HIDDEN[3], volumes={"rows": ROWS, "data": DATA}))
    assert str(mounts.wanted(several, several.services["db"])["/rows"]) == "what is at ${VOL}"
    assert mounts.used(several) == {"shop_rows", "shop_data"}  # any of them, since nobody knows which


def test_a_target_by_a_variable_is_the_same_mount() -> None:
    service = a_service("db", mounts=(at("/conf", "conf", "bind"), at("/a", "data"), at("/b", "data")), definition={"volumes": [
        {"type": "bind", "source": "conf", "target": "${CONF}"}, {"type": "volume", "source": "data", "target": "${A}"}]})
    new = a_release(service, volumes={"data": DATA}, binds=SHIPS)
    assert {target: m.kind for target, m in mounts.wanted(new, new.services["db"]).items()} == {
        "/conf": "shipped", "/a": "volume", "/b": "volume"}
    assert {target: m.kind for target, m in mounts.wanted(kept(new), new.services["db"]).items()} == {
        "/conf": "shipped", "${A}": "volume"}  # it may be one of three


def test_another_value_is_another_place() -> None:
    def version(path: str, volume_: str) -> release.Release:
        return by_variables(("${P}", at("/srv", path, "bind")), ("${V}", at("/rows", volume_)),
                            volumes={"rows": ROWS, "data": DATA})

    one, other = version("/srv/one", "rows"), version("/srv/two", "data")
    assert one.services["db"].content == other.services["db"].content
    have = {"/srv": "/srv/one", "/rows": "shop_rows"}
    assert changed(one, other, have, there("shop_rows"))[:2] == [
        ("db", "mount /rows", "volume shop_rows", "volume shop_data (new, empty; shop_rows stays)"),
        ("db", "mount /srv", "the host's /srv/one", "the host's /srv/two (/srv/one stays)")]
    app = an_app(one, a_container(one.services["db"], mounts=have))
    assert planner.diff("h", one, {}, app, one) == planner.diff("h", kept(one), {}, app, kept(one)) == ()
    adopted = an_app(one, a_container(one.services["db"], mounts={**have, "/srv": "/home/ann/one"}, adopted=True))
    assert planner.diff("h", one, {}, adopted, one) == ()  # it is where it always was


def test_a_volume_by_a_variable_is_checked() -> None:  # its definition, and that an external one is there
    new = by_variables(HIDDEN[3], volumes={"rows": volume("rows", "kept", external=True)})
    assert problems(new, None, {}) == ["the external volume kept does not exist"]
    new = by_variables(HIDDEN[3], volumes={"rows": volume("rows", "shop_data", labels={"team": "a"})})
    assert len(problems(new, None, {"shop_data": LOCAL})) == 1


def test_host_data_by_a_variable_is_never_hidden() -> None:
    old = by_variables(("${D}", at("/conf", "conf", "bind")))
    new = by_variables(("${D}", at("/conf", "conf", "bind")), binds=SHIPS)
    app = an_app(old, a_container(old.services["db"], mounts={"/conf": PROJECT + "conf"}))
    for one in (new, kept(new)):
        (found,) = hidden(app, one, {"conf": True})
        assert "db: /conf: ./conf would become files that ship" in found.why


def test_only_the_value_of_a_secret_that_compose_sees_makes_nothing_else_anew() -> None:
    def version(path: str) -> release.Release:
        return a_release(a_service("db", mounts=(at("/srv", path, "bind"),), definition={
            "volumes": [{"type": "bind", "source": "${P}", "target": "/srv"}]}), secrets={"var.P": b"x"}, uses={"db": ("var.P",)})

    one = version("/srv/one")
    app = an_app(one, a_container(one.services["db"], mounts={"/srv": "/srv/one"}, secrets="1"), generations={"var.P": 1})
    plan = planner.plan_host("h", version("/srv/two"), {"var.P": 2}, (), app, one, volumes={})
    assert steps.StartServices(("db",)) in plan.steps
    assert [(c.field, c.new) for c in plan.changes] == [("mount /srv", "the host's /srv/two (/srv/one stays)"), ("secret P", "changed")]


LOCAL = state.Volume("shop_data", "local", {}, {"com.docker.compose.project": "shop"})


@pytest.mark.parametrize(("said", "seen", "says"), [
    ({}, LOCAL, []),
    ({"driver": "local"}, LOCAL, []),
    ({"labels": {"team": "a"}}, LOCAL, ["label team: (none) → a"]),
    ({}, state.Volume("v", "local", {}, {"team": "a"}), ["label team: (another) → (none)"]),
    ({"driver": "nfs"}, LOCAL, ["driver: local → nfs"]),
    ({"driver": "sshfs"}, state.Volume("v", "sshfs:latest"), []),
    ({"driver": "sshfs", "driver_opts": {"a": "1"}}, state.Volume("v", "sshfs"), []),  # it does not tell its options
    ({"driver_opts": {"type": "nfs", "o": "addr=$$x"}}, state.Volume("v", "local", {"type": "nfs", "o": "addr=$x"}), []),
    ({"driver_opts": {"type": "nfs", "o": "a"}}, state.Volume("v", "local", {"type": "nfs", "o": "b", "device": "c"}),
     ["driver_opts device", "driver_opts o"]),
    ({"driver_opts": {"o": "password=${PW}"}}, state.Volume("v", "local", {"o": "password=geheim"}), []),
    ({"driver_opts": {"o": "password=${PW}"}}, LOCAL, ["driver_opts o"]),
    ({"driver": "nfs"}, state.Volume("v"), []),  # only its name is known
])
def test_in_what_a_volume_is_not_as_the_file_says(said: Mapping[str, Any], seen: state.Volume, says: list[str]) -> None:
    assert mounts.definition(said, seen) == says


def problems(
    new: release.Release, old: release.Release | None, volumes: Mapping[str, state.Volume] | None, *moved: str
) -> list[str]:
    host = state.HostState("web1", volumes=volumes)
    return [one.why for one in mounts.problems(new, old, host, moved)]


def test_a_changed_definition_is_refused_with_what_to_do() -> None:
    old, new = made(at("/data", "data"), volumes=(DATA,)), made(at("/data", "data"), volumes=(volume("data", labels={"team": "a"}),))
    host = state.HostState("web1", volumes={"shop_data": LOCAL})
    (found,) = mounts.problems(new, old, host)
    assert "volume shop_data is there and not as the file says (label team: (none) → a)" in found.why
    assert "ssh web1 docker volume rm shop_data" in found.hint and "lading remove shop --to web1" in found.hint
    assert mounts.problems(new, new, host) == []  # it was recorded so by an older lading, and stays as it is
    assert problems(new, None, {"shop_data": LOCAL}) == [found.why]
    assert problems(new, old, {}) == problems(new, old, None) == []
    unused = a_release(a_service("db"), volumes=dict.fromkeys(("data",), volume("data", labels={"team": "a"})))
    assert problems(unused, old, {"shop_data": LOCAL}) == []


def test_a_secret_in_a_definition_that_changed_is_refused() -> None:
    new = made(at("/data", "data"), volumes=(volume("data", driver_opts={"o": "password=${PW}"}),))
    seen = {"shop_data": state.Volume("shop_data", "local", {"o": "password=x"})}
    (found,) = problems(new, new, seen, "PW")
    assert "secret PW changed" in found and "password" not in found
    assert problems(new, new, seen, "OTHER") == problems(new, new, {}, "PW") == []


def test_an_external_volume_must_be_there() -> None:
    new = made(at("/data", "data"), volumes=(volume("data", "rows", external=True),))
    assert problems(new, None, {}) == ["the external volume rows does not exist"]
    assert problems(new, None, {"rows": state.Volume("rows", "nfs", {}, {"a": "b"})}) == []


def test_the_line_that_makes_a_volume_can_be_pasted() -> None:
    new = made(at("/data", "data"), volumes=(volume("data", "a;touch pwn", external=True),))
    (found,) = mounts.problems(new, None, state.HostState("web1", volumes={}))
    assert shlex.split(found.hint)[:2] == ["ssh", "web1"]
    assert shlex.split(shlex.split(found.hint)[2]) == ["docker", "volume", "create", "a;touch pwn"]  # by the host's shell


def hidden(app: state.AppState, new: release.Release, filled: Mapping[str, bool]) -> list[mounts.Problem]:
    host = state.HostState("web1", state.Facts(state_dir="/var/lib/lading"), {"shop": app}, data=filled)
    return mounts.problems(new, None, host)


def test_host_data_is_never_hidden_by_files_that_ship() -> None:  # D27
    old, new = made(at("/data", "./data", "bind")), made(at("/data", "data", "bind"), binds={"data": FILES})
    app = an_app(old, a_container(old.services["db"], mounts={"/data": PROJECT + "data"}))
    (found,) = hidden(app, new, {"data": True})
    assert found.why == f"db: /data: ./data would become files that ship, but {PROJECT}data on web1 holds data of the app"
    assert "x-lading: {data: [data]}" in found.hint and f"ssh web1 mv {PROJECT}data {PROJECT}data.old" in found.hint
    assert hidden(app, new, {"data": False}) == hidden(app, new, {}) == hidden(app, old, {"data": True}) == []
    stopped = an_app(old, a_container(old.services["db"], mounts={}))
    assert len(hidden(stopped, new, {"data": True})) == 1  # the release says it, too
    assert len(hidden(state.AppState("shop"), new, {"data": True})) == 1  # the app was removed, its data was not
    never = an_app(new, a_container(new.services["db"], mounts={"/data": OBJECTS + "x"}))
    assert hidden(never, new, {"data": True}) == []  # it ships as it always did
    assert mounts.turned(app) == frozenset()
    kept = state.AppState("shop", releases={**app.releases, **never.releases})
    assert mounts.turned(kept) == {"data"}


def test_another_value_in_a_network_makes_it_anew() -> None:  # Compose would, and nobody would know
    networks = {"default": project.Resource("default", "shop_default", {"driver_opts": {"mtu": "${MTU}"}})}
    new = a_release(a_service("db"), networks=networks, secrets={"var.MTU": b"9000"})
    app = an_app(new, generations={"var.MTU": 1})
    assert planner.diff("h", new, {"var.MTU": 1}, app, new) == ()
    plan = planner.plan_host("h", new, {"var.MTU": 2}, (), app, new)
    assert steps.RecreateNetwork("shop_default", ("db",)) in plan.steps and plan.services == ("db",)
    assert {(c.service, c.field, c.new) for c in plan.changes} >= {("", "network shop_default", "new definition")}


def test_what_went_on_once_goes_on_without_a_word() -> None:
    one, other = made(at("/data"), at("/a", "rows"), volumes=(ROWS,)), made(at("/data"), volumes=(ROWS,))
    have = {"/data": "shop_data", "/a": "shop_rows"}
    assert changed(one, other, have, there("shop_data", "shop_rows")) == [
        ("db", "mount /a", "volume shop_rows", "none (shop_rows stays)"),
        ("", "volume shop_rows", "mounted", "left behind: it stays, unused")]


def test_another_folder_of_a_volume_is_named() -> None:
    def version(subpath: str) -> release.Release:
        return a_release(a_service("db", mounts=(at("/data", "data"),), definition={"volumes": [
            {"type": "volume", "source": "data", "target": "/data", "volume": {"subpath": subpath}}]}), volumes={"data": DATA})

    for one in (version("a"), kept(version("a"))):
        found = changed(one, version("b"), {"/data": "shop_data"}, there("shop_data"))
        assert ("db", "mount /data", "volume shop_data, folder a", "volume shop_data, folder b (what is in the other stays)") in found


def test_what_goes_with_its_service_is_left_behind() -> None:
    old = a_release(a_service("web"), mounted(at("/data", "data"), at("/any"), at("/hd", "./hd", "bind")), volumes={"data": DATA})
    new = a_release(a_service("web"))
    have = {"/data": "shop_data", "/any": ANONYMOUS, "/hd": PROJECT + "hd"}
    app = an_app(old, a_container(old.services["web"]), a_container(old.services["db"], mounts=have))
    plan = planner.plan_host("h", new, {}, (), app, old, volumes=there("shop_data"), data={})
    behind = "left behind: it stays, unused"
    assert {(c.service, c.field, c.old, c.new) for c in plan.changes} == {
        ("db", "service", "running", "removed"), ("", "volume shop_data", "mounted", behind),
        ("db", "mount /any", "anonymous volume 0123456789ab", behind), ("db", "mount /hd", "host data hd", behind)}


def test_a_service_that_nobody_asks_for_any_more_runs_on() -> None:
    def version(asked: bool, image: str) -> release.Release:
        return a_release(a_service("web", image), mounted(at("/data", "data"), profiles=("d",), asked=asked), volumes={"data": DATA})

    old, new = version(True, "r.example/app:1"), version(False, "r.example/app:2")
    app = an_app(old, a_container(old.services["web"]), a_container(old.services["db"], mounts={"/data": "shop_data"}))
    plan = planner.plan_host("h", new, {}, (), app, old, volumes=there("shop_data"))
    assert [(c.service, c.field, c.new) for c in plan.changes if c.field != "image"] == [
        ("db", "service", "runs on as it is: nobody asks for its profile any more")]


def test_somebody_elses_volume_is_taken_where_compose_takes_it() -> None:
    new = made(at("/data", "data"), volumes=(volume("data", "hello", labels={"team": "a"}),))
    bare = state.Volume("hello", "local", {}, {"backup": "yes"})
    other = state.Volume("hello", "local", {}, {"com.docker.compose.project": "other", "com.docker.compose.version": "2.20"})
    asked = state.Volume("hello", "local", {}, {**other.labels, "com.docker.compose.config-hash": "1"})
    for one, said in ((bare, "there already, not made by Compose"), (other, "there already, of project other")):
        assert problems(new, None, {"hello": one}) == []
        plan = planner.plan_host("h", new, {}, (), state.AppState("shop"), None, volumes={"hello": one})
        assert ("volume hello", said, "mounted") in [(c.field, c.old, c.new) for c in plan.changes]
    assert len(problems(new, None, {"hello": asked})) == 1  # Compose would ask whether its data may go
    was = made(at("/data", "data"), volumes=(volume("data", "hello"),))
    assert len(problems(new, was, {"hello": bare})) == 1  # the file says another thing now, which would never happen


def test_a_way_back_tells_of_anonymous_volumes() -> None:
    old, new = made(at("/data")), made()
    app = an_app(new, a_container(new.services["db"], mounts={}))
    host = planner.plan_host("h", old, {}, (), app, new, volumes={})
    said = "anonymous volumes that its last containers had are mounted again, where they are still there"
    assert said in planner.plan(old, "live", {"h": host}, back=True).warnings
    assert said not in planner.plan(old, "live", {"h": host}).warnings


UPLOADS = {"data/uploads": FILES}


@pytest.mark.parametrize(("old", "new", "ships", "filled", "says"), [
    pytest.param([at("/d", "data", "bind")], [at("/d/uploads", "data/uploads", "bind")], UPLOADS, "data/uploads",
                 "/d/uploads: ./data/uploads", id="a folder in it"),
    pytest.param([at("/d", ".", "bind")], [at("/d", "data/uploads", "bind")], UPLOADS, "data/uploads", "/d: ./data/uploads", id="in the whole"),
    pytest.param([at("/app/data", "app/data", "bind")], [at("/app", "app", "bind")], {"app": FILES}, "app/data",
                 "/app: ./app", id="the folder around it"),
    pytest.param([at("/data", "data", "bind")], [at("/app", ".", "bind")], {".": FILES}, "data", "/app: ./.", id="the whole around it"),
    pytest.param([at("/app/data", "app/data", "bind")], [at("/app", "app", "bind"), at("/app/data", "app/data", "bind")], {"app": FILES}, "app/data",
                 "", id="around it, and it stays where it was"),
    pytest.param([at("/data", "data", "bind")], [at("/data", "data2", "bind")], {"data2": FILES}, "data", "", id="beside it"),
])
def test_host_data_is_not_hidden_by_what_lies_around_or_in_it(
    old: list[project.Mount], new: list[project.Mount], ships: Mapping[str, Any], filled: str, says: str
) -> None:
    one, other = made(*old), made(*new, binds=ships)
    app = an_app(one, a_container(one.services["db"], mounts={}))
    found = [problem.why for problem in hidden(app, other, {filled: True})]
    assert found == ([f"db: {says} would become files that ship, but {PROJECT}{filled} on web1 holds data of the app"] if says else [])
    assert hidden(app, other, {filled: False}) == []
    kept_data = overlay.host_data(other.overlay)
    assert (filled in {*mounts.nested(ships, kept_data, app), *ships}) == bool(says)
    both = replace(app, releases={**app.releases, **an_app(other).releases})
    assert (filled in mounts.turned(both)) == (filled != "data" or bool(says))  # a rollback asks for it


@pytest.mark.parametrize("kind", ["configs", "secrets"])
def test_the_file_of_a_config_or_secret_that_was_host_data(kind: str) -> None:
    more: dict[str, Any] = {"configs" if kind == "configs" else "top_secrets": {"one": project.Resource("one", "one", {}, file="./own/one")}}
    ref: dict[str, Any] = {kind: (project.FileRef("one", "/one"),)}
    old = a_release(a_service("db", **ref), **more, host_data=("own/one",))
    ships = {"binds": {"own/one": FILES}} if kind == "configs" else {"secrets": {"file.own/one": b"x", "var.X": b"y"}}
    new = a_release(a_service("db", **ref), **more, **ships)
    (found,) = hidden(an_app(old), new, {"own/one": True})
    assert "./own/one would become files that ship" in found.why
    assert hidden(an_app(old), new, {}) == hidden(an_app(new), new, {"own/one": True}) == []
