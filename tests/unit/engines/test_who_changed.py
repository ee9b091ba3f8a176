"""A commit notes on the host who changed what: this deployment the services that it started, others what it left alone."""

import asyncio
import json
from typing import Any

from test_round_trips import HOSTS, Fleet, inspected

from builders import a_container, a_release, a_service
from lading import state
from lading.compose import project
from lading.transport import command

BEFORE = "20261101-100000-aaaa"
JOURNAL = (
    {"v": 3, "kind": "begin", "deployment": BEFORE, "actor": "ben", "at": "2026-11-01T10:00:01Z", "to": "e" * 64},
    {"v": 3, "kind": "committed", "deployment": BEFORE, "at": "2026-11-01T10:00:20Z", "to": "e" * 64},
)


class Noted(Fleet):
    """Hosts on which ben has deployed; what they are told to write as `current` is kept."""

    def __init__(self) -> None:
        db = a_service("db", "postgres:15", health=project.Health())
        old, new = (a_release(a_service("web", f"r.example/web:{one}", health=project.Health()), db, version=one) for one in "12")
        super().__init__(old, new)
        self.current: dict[str, Any] = {}

    def do_commit(self, host: str, what: command.Command) -> dict[str, bytes]:
        begin = what.script.index('{"v":2,"app":"shop"')
        self.current[host], _ = json.JSONDecoder().raw_decode(what.script[begin:])
        return super().do_commit(host, what)

    def do_observe(self, host: str, what: command.Command) -> dict[str, bytes]:
        journal = b"\n".join(json.dumps(line).encode() for line in JOURNAL)
        return {"journal:shop": journal, **super().do_observe(host, what)}

    def _containers(self, made: Any) -> bytes:
        found = [json.loads(inspected(a_container(spec, id=f"{name:0<64}"))) for name, spec in made.active.items()]
        return b"\n".join(json.dumps({**one, "created": "2026-11-01T10:00:09.5Z"}).encode() for one in found)


def test_what_a_commit_notes() -> None:
    hosted = Noted()
    assert asyncio.run(hosted.upgrade()).outcome.result == "succeeded"
    before = {"deployment": BEFORE, "actor": "ben", "since": "2026-11-01T10:00:00Z", "release": "e" * 64}
    mine = {"deployment": "d1", "actor": "ann", "since": "now", "release": hosted.new.id}
    assert list(hosted.current) == list(HOSTS)
    for written in hosted.current.values():
        assert written["changed"] == [{**mine, "of": ["web"]}, {**before, "of": ["db0000000000", "web000000000"]}]
    read = state.current_from_json(hosted.current["web1"])
    assert (read.changed["db0000000000"].actor, read.changed["web"].actor) == ("ben", "ann")
