"""Containers that newer Compose makes beside a service's own (`pre_start`) are no strangers, no rows and no drift."""

import json
from typing import Any

from builders import a_container, a_release, a_service, an_app
from lading import state
from lading.drivers.shell.observe import answered
from lading.engines import preflight
from lading.plan import adoption
from lading.queries import differences, listing
from lading.transport import command

MADE = a_release(a_service("web", restart="always"))
THREE = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web", "com.docker.compose.version": "5.3.0"}


def inspected(id: str, labels: dict[str, str], **more: Any) -> str:
    seen = a_container(MADE.services["web"])
    return json.dumps({"id": id, "name": f"/{id}", "image": seen.image, "labels": labels, "state": {"Status": "running"},
                       "networks": {name: {"NetworkID": "n"} for name in seen.networks}, **more})


def host(*lines: str) -> state.HostState:
    current = an_app(MADE).current
    assert current is not None
    parts = {"facts": "state=/s\n", "app:shop": "", "current:shop": json.dumps(current.as_json()),
             f"release:shop:{MADE.id}": MADE.canonical().decode(), "containers": "\n".join(lines)}
    return answered("h", command.Result(0, {**{key: text.encode() for key, text in parts.items()}, "end": b""}))


OWN = inspected("own", {**THREE, "com.docker.compose.oneoff": "False", "com.docker.compose.container-number": "1", "lading.app": "shop",
                        "lading.content": MADE.services["web"].content})
HELPER = inspected("helper", THREE, state={"Status": "exited", "ExitCode": 1})


def test_a_helper_that_failed_and_stays_is_no_stranger_and_no_row() -> None:
    seen = host(OWN, HELPER)
    assert preflight.ownership("shop", "", "", seen, False) is None
    assert [(row.container, row.drift) for row in listing.host_rows(seen, "shop")] == [("own", ())]
    assert differences.differences("h", seen.apps["shop"]) == ()
    raw = [{"Config": {"Labels": THREE}}, {"Config": {"Labels": {**THREE, "com.docker.compose.container-number": "1"}}}]
    assert len(adoption.running(raw, [], []).containers) == 1


def test_who_has_other_labels_is_a_stranger_as_before() -> None:
    for labels in ({**THREE, "com.docker.compose.container-number": "2"}, {key: THREE[key] for key in list(THREE)[:2]}):
        found = preflight.ownership("shop", "", "", host(OWN, inspected("other", labels)), False)
        assert found is not None and "containers that lading did not make" in found.why
    assert not state.is_helper({**THREE, "lading.app": "shop"})
