"""An app that nobody knows is an error, not one without drift, logs or open deployments; unless a host did not answer."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from lading import context, errors, settings, state
from lading.deploy import takeover
from lading.inventory import hosts
from lading.ledger import ledger
from lading.queries import drift, logs, where
from lading.transport import command, recorder

Ask = Callable[[context.Context], Coroutine[Any, Any, Any]]
VERBS: dict[str, Ask] = {
    "drift": lambda here: drift.drift(here, "nope"),
    "where": lambda here: where.where(here, "nope"),
    "logs": lambda here: logs.logs(here, "nope"),
    "logs -f": lambda here: logs.logs(here, "nope", logs.Wanted(follow=True)),
    "resume": lambda here: takeover.resume(here, "nope"),
}


def here(answers: dict[str, str], kept: ledger.Ledger | None = None, **parts: str) -> context.Context:
    """Hosts, each with the part of its answer that tells of the app, or "lost"; *parts*: what each says besides."""
    def answer(host: hosts.Host, what: command.Command) -> command.Result:
        if what.name == "observe" and answers[host.name] == "lost":
            raise errors.UnreachableError("no route")
        known: dict[str, bytes] = {answers[host.name]: b""} if answers[host.name] else {}
        more = {name: text.encode() for name, text in parts.items()}
        return command.Result(0, {"facts": b"state=/s\n", **known, **more, "end": b""})

    found = {name: hosts.Host(name) for name in answers}
    fleet_file = settings.Settings(Path("lading.yaml"), hosts.Inventory(found, {}))
    return context.Context(fleet_file, {}, recorder.RecorderTransport(answer), kept, "ann")


@pytest.mark.parametrize("verb", VERBS)
def test_an_app_that_nobody_knows(verb: str) -> None:
    with pytest.raises(errors.UnknownReleaseError, match="there is no app nope on web1, web2"):
        asyncio.run(VERBS[verb](here({"web1": "", "web2": "app:other"})))


@pytest.mark.parametrize("verb", VERBS)
def test_a_host_knows_it(verb: str) -> None:
    asyncio.run(VERBS[verb](here({"web1": "", "web2": "app:nope"})))


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"where"}))
def test_a_host_that_does_not_answer_may_know_it(verb: str) -> None:
    with pytest.raises(errors.UnansweredError, match=r"whether there is an app nope cannot be said.*web2: no route"):
        asyncio.run(VERBS[verb](here({"web1": "", "web2": "lost"})))


def test_every_app_may_be_none() -> None:
    found = asyncio.run(drift.drift(here({"web1": ""})))
    assert (found.differences, found.is_deployed) == ((), False)


class Told:
    """A ledger that has told of the app."""

    async def history(self, app: str, limit: int) -> tuple[str, ...]:
        """One deployment."""
        return (app,) * limit

    async def commits(self, app: str) -> dict[str, object]:
        """None of this app: the hosts have nothing to lack."""
        return dict.fromkeys(())

    async def excluded(self) -> tuple[object, ...]:
        """No host."""
        return ()


def test_the_ledger_knows_it() -> None:
    assert asyncio.run(takeover.resume(here({"web1": ""}, Told()), "nope")).ended == ()  # type: ignore[arg-type]


def test_where_shows_a_host_that_does_not_answer_all_the_same() -> None:
    asked = here({"web1": "", "web2": "lost"})
    answer = asyncio.run(where.where(asked, "nope"))
    assert [(row.host, row.state, row.drift) for row in answer.rows] == [("web2", "unknown", ("no route",))]
    assert (answer.lines, dict(asked.silent)) == (("web2 does not answer",), {"web2": "no route"})


def test_the_nearest_name_is_the_hint() -> None:
    other = state.Current("shop", "f" * 64, "1", "d0").as_json()
    asked = here({"web1": ""}, others=json.dumps(other))
    with pytest.raises(errors.UnknownReleaseError) as caught:
        asyncio.run(where.where(asked, "shpo"))
    assert (caught.value.exit_code, caught.value.hint) == (2, "did you mean `shop`? lading where")


@pytest.mark.parametrize("follow", [False, True])
def test_a_service_that_nobody_knows(follow: bool) -> None:
    container = {"id": "c", "labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "web", "lading.app": "shop"},
                 "state": {"Status": "running"}}
    asked = here({"web1": "app:shop"}, containers=json.dumps(container))
    with pytest.raises(errors.UnknownReleaseError) as caught:
        asyncio.run(logs.logs(asked, "shop", logs.Wanted("wbe", follow)))
    assert (caught.value.message, caught.value.hint) == ("shop has no service wbe", "did you mean `web`?")
    with pytest.raises(errors.UnknownReleaseError) as caught:
        asyncio.run(logs.logs(here({"web1": "app:shop"}), "shop", logs.Wanted("wbe", follow)))
    assert caught.value.hint == "services: none"
