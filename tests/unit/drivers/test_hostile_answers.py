"""Whatever a host answers, it becomes values or an error of that host; where, drift, history, plan and preflight live with them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import a_container, a_release, a_service
from lading import errors, state
from lading.compose import restore
from lading.deploy import host_checks, on_host, repair, rollback
from lading.drivers.shell import observation, observe, parsers, runtime
from lading.engines import preflight
from lading.health import watch
from lading.ledger import deployments
from lading.placement import assignment
from lading.plan import planner
from lading.queries import differences, listing
from lading.transport import command
from trees import changed, spots

MADE = a_release(a_service("web", "r.example/web:1"), a_service("db", "r.example/db:1"))
RAW = json.loads(MADE.canonical())
INSPECTED: dict[str, Any] = {
    "id": "abc", "name": "/shop-web-1", "image": MADE.services["web"].image, "image_id": "sha256:1", "restarts": 0,
    "labels": {observation.PROJECT: "shop", "com.docker.compose.service": "web", "lading.app": "shop",
               "lading.content": MADE.services["web"].content, "com.docker.compose.container-number": "1"},
    "state": {"Status": "running", "ExitCode": 0, "Health": {"Status": "healthy"}, "StartedAt": "2026-01-01T00:00:00Z"},
    "networks": {"shop_default": {"NetworkID": "n"}}, "mounts": [{"Destination": "/d", "Name": "v", "Source": "/s"}],
    "ports": {"80/tcp": [{"HostIp": "", "HostPort": "80"}]},
}
CURRENT = state.Current("shop", MADE.id, "1", "d1", "ann", "2026-01-01T00:00:00Z", "src", "production").as_json()
JOURNAL: list[dict[str, Any]] = [
    {"v": 1, "at": "2026-01-01T00:00:00Z", "kind": "begin", "deployment": "d1", "verb": "deploy", "app": "shop", "to": MADE.id,
     "version": "1", "destination": "production", "source": "src", "actor": "ann", "participants": ["h"], "parallelism": 1,
     "generations": {"var.P": 1}, "from": CURRENT},
    {"v": 1, "at": "2026-01-01T00:00:01Z", "kind": "committed", "deployment": "d1", "to": MADE.id, "ledger": {"seq": 1}},
    {"v": 1, "kind": "begin", "deployment": "d2", "from": None, "to": "0123456789ab"},
]
WHOLE: dict[str, Any] = {"containers": [INSPECTED], "current:shop": [CURRENT], f"release:shop:{MADE.id}": [RAW], "journal:shop": JOURNAL}
FACTS = (b"state=/var/lib/lading\nformat=1\nfree=900\ndockerfree=900\nengine=27.0\ncompose=2.40\narch=x86_64\n"
         b"listen=0050\nport=shop 0.0.0.0:80->80/tcp\nnet=shop-web-1 shop_default shop\n")
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(
    [10**400, -1, "", "²", "9" * 30, "a\0b", "\ud800", "x" * 3000, "../..", "\x1b[2J"])
junk = st.recursive(scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["Status", "v", "a", "kind"]), inner, max_size=2), max_leaves=4)


def parts(whole: dict[str, Any]) -> dict[str, bytes]:
    lines = {name: "\n".join(json.dumps(line) for line in found).encode() if isinstance(found, list) else json.dumps(found).encode()
             for name, found in whole.items()}
    return {"facts": FACTS, "app:shop": b"", "lease:shop": b"state=held\nexpires=9\nnow=1\n", "objects:shop": b"", **lines, "end": b""}


def refusal(do: Callable[[], object]) -> errors.LadingError | None:
    try:
        do()
    except errors.LadingError as refused:
        return refused
    return None


def used(seen: state.HostState) -> None:
    """All that lading does with what it saw: each ends with a value, or with one of its own errors."""
    fleet_state = state.FleetState({"h": seen})
    for row in listing.host_rows(seen, ""):
        json.dumps(row.as_json()).encode()
    told = deployments.from_journals(fleet_state)
    assert all(isinstance(text, str) for one in told for text in (one.verb, one.actor, one.started))
    deployments.attested(fleet_state)
    if refused := refusal(lambda: host_checks.check_reachable(fleet_state)):
        assert refused.hint and refused.host == "h"
        return
    app = seen.apps.get("shop", state.AppState("shop"))
    preflight.problems(MADE, planner.plan_host("h", MADE, {}, (), app, on_host.current_release(app)), seen, {})
    preflight.ownership("shop", "src", "production", seen, False)
    planner.prunable(app, MADE, {})
    assert app.held in (True, False)
    known = on_host.releases(app)

    def back() -> None:
        mine = rollback.deployed("h", seen, "shop")
        made = known[rollback._target("h", mine, "")]
        rollback._plan("h", made, assignment.by_default(made), mine, seen)

    refused = refusal(back)
    assert refused is None or (isinstance(refused, errors.UnknownReleaseError) and refused.hint)


def answered(found: dict[str, bytes]) -> state.HostState:
    return observe.answered("h", command.Result(0, found))


def test_the_whole_answer_is_read() -> None:
    seen = answered(parts(WHOLE))
    app = seen.apps["shop"]
    assert (seen.error, app.damaged, len(app.containers), len(app.journal)) == ("", (), 1, 3)
    used(seen)


@settings(max_examples=60)
@given(st.sampled_from(spots(WHOLE)), junk)
def test_any_value_of_another_type(path: tuple[Any, ...], new: Any) -> None:
    whole = changed(WHOLE, path, new)
    used(answered(parts(whole if isinstance(whole, dict) else WHOLE)))


@given(st.sampled_from(sorted(WHOLE)), st.binary(max_size=60), st.integers(0, 2000))
def test_bytes_and_cut_ends(name: str, noise: bytes, cut: int) -> None:
    found = parts(WHOLE)
    used(answered({**found, name: noise}))
    used(answered({**found, name: found[name][:cut]}))
    used(answered({**found, name: found[name][:cut] + noise + found[name][cut:]}))


@given(st.lists(st.tuples(st.sampled_from(["engine", "free", "listen", "port", "net", "tool", "format", "problem", "x"]),
                          st.text(st.sampled_from("0²-/:>,. aF\0\x1b=\u2028"), max_size=20)), max_size=6))
def test_facts_of_any_kind(lines: list[tuple[str, str]]) -> None:
    text = "\n".join(f"{key}={value}" for key, value in lines).encode()
    used(answered({**parts(WHOLE), "facts": text}))


@given(st.text(max_size=20), st.binary(max_size=20))
def test_parts_of_any_name(name: str, content: bytes) -> None:
    used(answered({**parts(WHOLE), name: content, f"app:{name}": b"", f"release:shop:{name}": content}))


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000, '{"labels":' + "[" * 900 + "]" * 900 + "}"])
def test_nesting_without_end(deep: str) -> None:
    for name in WHOLE:
        used(answered({**parts(WHOLE), name: deep.encode()}))


def test_ranges_of_ports_are_bounded() -> None:
    lines = "".join(f"port=p 10.0.{n // 256}.{n % 256}:1-65535->1-65535/tcp\n" for n in range(2000))
    assert len(parsers.host_state("h", [("facts", lines.encode())]).facts.ports) == parsers.PORT_LIMIT


@pytest.mark.parametrize("name", ["../../etc", "a b", "a;reboot", "A", "", "x" * 200, "a\x1b[2J"])
def test_names_that_are_no_apps_are_left_out(name: str) -> None:
    line = {**INSPECTED, "labels": {**INSPECTED["labels"], observation.PROJECT: name}}
    assert list(answered({"containers": json.dumps(line).encode(), f"app:{name}": b""}).apps) == []


@given(st.text(min_size=1) | st.sampled_from(["%", "_", "*", "'; rm -rf /", "\x1b[2J", "x" * 5000]))
def test_releases_that_nobody_keeps(wanted: str) -> None:
    refused = refusal(lambda: rollback._target("h", answered(parts(WHOLE)).apps["shop"], wanted))
    kept = MADE.id.startswith(wanted) or wanted == "1"
    assert kept or (isinstance(refused, errors.UnknownReleaseError) and MADE.id not in wanted and bool(refused.hint))


@pytest.mark.parametrize("file", ["current", "journal"])
def test_a_damaged_host_is_refused_and_shown(file: str) -> None:
    found = parts(WHOLE)
    damaged = answered({**found, f"{file}:shop": b"\0\0\0"})
    rows = listing.host_rows(damaged, "")
    assert ("unknown", f"{file}: damaged: it cannot be read") in [(row.state, row.drift[0]) for row in rows if row.service == ""]
    assert ("h", "shop", "", file) in {(d.host, d.app, d.service, d.field) for d in differences.differences("h", damaged.apps["shop"])}
    with pytest.raises(errors.ForeignError) as caught:
        host_checks.check_reachable(state.FleetState({"h": damaged}))
    assert caught.value.message.startswith(f"/var/lib/lading/apps/shop/{file} is damaged")
    assert "lading remove shop --to h" in caught.value.hint
    host_checks.check_reachable(state.FleetState({"h": damaged}), readable=False)
    alone = answered({**found, f"{file}:shop": b"\0\0\0", "containers": b""})
    assert [row.state for row in listing.host_rows(alone, "")][:1] == ["unknown"]  # not: nothing is deployed


def test_what_the_journal_tells_is_what_a_repair_writes() -> None:
    closed = parts({**WHOLE, "journal:shop": JOURNAL[:2]})
    with pytest.raises(errors.ForeignError) as caught:
        host_checks.check_reachable(state.FleetState({"h": answered({**closed, "current:shop": b""})}))
    assert "lading repair h shop" in caught.value.hint
    (told,) = repair._by_records(answered({**closed, "current:shop": b""}).apps["shop"])
    assert (told.release, told.version, told.deployment, told.numbers) == (MADE.id, "1", "d1", {"var.P": 1})
    assert (told.source, told.destination, told.actor) == ("src", "production", "ann")


def test_a_damaged_release_is_not_kept_and_is_named() -> None:
    other = {**RAW, "version": "2"}  # whole, but not the one whose hash it is filed under
    for raw in (other, {**RAW, "services": []}, {**RAW, "networks": {"default": {}}}):
        app = answered(parts({**WHOLE, f"release:shop:{MADE.id}": [raw]})).apps["shop"]
        assert (dict(app.releases), app.damaged) == ({}, (f"release {MADE.id}",))
        assert [d.observed for d in differences.differences("h", app) if d.field.startswith("release")] == ["damaged: it cannot be read"]
    assert restore.readable(state.AppState("shop", releases={MADE.id: RAW})).releases == {MADE.id: RAW}


@pytest.mark.parametrize("content", [b"not json\n", b'{"labels": [1]}\n', b"\xff\xfe\n"])
def test_a_snapshot_that_cannot_be_read_is_never_good(content: bytes) -> None:
    spec = MADE.services["web"]
    follows = watch.Watch(MADE, {"web": 1}, {"web"}, {})
    on_part = runtime._Shown(follows, lambda _: None).part
    on_part("up", "²\n".encode())
    assert follows.status == 1
    on_part("containers", content)
    assert on_part("tick", b"") is False
    assert "cannot be read" in follows.why
    follows.stop = lambda: True
    assert on_part("tick", b"") is True
    assert a_container(spec).service == "web"


def test_more_than_any_host_tells_is_refused() -> None:
    """Such answers at their full size: tests/contract/test_floods.py."""
    with pytest.raises(ValueError, match="more than 200,000 lines of journal"):
        parsers.host_state("h", [("journal:shop", b"\n" * (parsers.LINE_LIMIT + 1))])
    begin = {"kind": "begin", "deployment": "d", "v": 2, "to": "0" * 12}
    many = [{**begin, "participants": [f"web[1:{50_000 + number}]"]} for number in range(5)]
    journal = "".join(json.dumps(line) + "\n" for line in many)
    with pytest.raises(ValueError, match="name more than 200,000 participants"):
        parsers.host_state("h", [("app:shop", b""), ("journal:shop", journal.encode())])
