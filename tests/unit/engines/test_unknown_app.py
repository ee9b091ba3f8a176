"""An app that nobody knows is an error, not one without drift, logs or open deployments; unless a host did not answer."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from lading import context, errors, settings
from lading.deploy import resume
from lading.inventory import hosts
from lading.ledger import ledger
from lading.queries import drift, logs, where
from lading.transport import command, recorder

Ask = Callable[[context.Context], Coroutine[Any, Any, Any]]
VERBS: dict[str, Ask] = {
    "drift": lambda here: drift.drift(here, "nope"),
    "where": lambda here: where.where(here, "nope"),
    "logs": lambda here: logs.logs(here, "nope"),
    "logs -f": lambda here: logs.logs(here, "nope", follow=True),
    "resume": lambda here: resume.resume(here, "nope"),
}


def here(answers: dict[str, str], kept: ledger.Ledger | None = None) -> context.Context:
    """Hosts, each with the part of its answer that tells of the app, or "lost"."""
    def answer(host: hosts.Host, what: command.Command) -> command.Result:
        if what.name == "observe" and answers[host.name] == "lost":
            raise errors.UnreachableError("no route")
        known: dict[str, bytes] = {answers[host.name]: b""} if answers[host.name] else {}
        return command.Result(0, {"facts": b"state=/s\n", **known, "end": b""})

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
    assert asyncio.run(drift.drift(here({"web1": ""}))) == ()


class Told:
    """A ledger that has told of the app."""

    async def history(self, app: str, limit: int) -> tuple[str, ...]:
        """One deployment."""
        return (app,) * limit

    async def commits(self, app: str) -> dict[str, object]:
        """None of this app: the hosts have nothing to lack."""
        return dict.fromkeys(())


def test_the_ledger_knows_it() -> None:
    assert asyncio.run(resume.resume(here({"web1": ""}, Told()), "nope")).ended == ()  # type: ignore[arg-type]
