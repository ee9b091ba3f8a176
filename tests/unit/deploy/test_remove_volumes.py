"""What an earlier removal has left is found by the volumes; those of an app that was given back are somebody's."""

import asyncio
import json
from pathlib import Path

import pytest

from builders import a_release, a_service
from lading import context, errors, settings, state
from lading.deploy import remove
from lading.inventory import hosts
from lading.plan import steps
from lading.transport import command, recorder

VOLUME = {"name": "shop_rows", "driver": "local", "options": {}, "labels": {"com.docker.compose.project": "shop"}}
MADE = a_release(a_service("web"))


def planned(parts: dict[str, str], *, volumes: bool) -> steps.Plan:
    def answer(_host: hosts.Host, _what: command.Command) -> command.Result:
        seen = {"volumes": f"shop_rows\n{json.dumps(VOLUME)}"} if volumes else {}
        told = {"facts": "state=/s", "app:shop": "", **seen, **parts, "end": ""}
        return command.Result(0, {name: f"{text}\n".encode() for name, text in told.items()})

    file = settings.Settings(Path("lading.yaml"), hosts.Inventory({"web1": hosts.Host("web1")}, {}))
    here = context.Context(file, {}, recorder.RecorderTransport(answer), None, "ann")
    return asyncio.run(remove.plan(here, "shop", ["web1"], volumes=volumes))


def ended(result: str) -> dict[str, str]:
    line = {"v": 4, "at": "2026-11-28T10:00:09Z", "kind": "ended", "deployment": "d1", "result": result}
    return {"journal:shop": json.dumps(line)}


def test_volumes_that_a_removal_left_are_found_and_those_of_who_got_the_app_back_are_not() -> None:
    plan = planned(ended("well"), volumes=True)
    assert [one.field for one in plan.changes] == ["volume shop_rows"]
    with pytest.raises(errors.UnknownReleaseError):
        planned(ended("given back"), volumes=True)


def test_host_data_alone_is_not_promised_to_be_found_later() -> None:
    current = state.Current("shop", MADE.id, "1", "d1")
    parts = {"current:shop": json.dumps(current.as_json()), f"release:shop:{MADE.id}": MADE.canonical().decode(), **ended("well")}
    [told] = planned(parts, volumes=False).warnings
    assert told.startswith("volumes and host data: they stay")
    assert "later it finds an app only by its volumes" in told
