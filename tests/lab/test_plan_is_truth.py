"""The plan is the truth: whatever two things change at once, the containers that change are exactly those that it names.

One project is walked through pairs of changes; each deployment begins where the last one ended. Before each, `plan --json`
says what becomes of every container; afterwards the engine says what became of it. Then nothing may drift, and a second
plan must be empty.
"""

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple, TypeVar

import pytest
import yaml
from app_client import ALL_CASES, App

Value = TypeVar("Value")
SITES = ("one", "two")
"""Two services that have everything; the others are tied to one of them."""
AT_A_SITE = ("image", "secret", "variable", "network", "config", "replicas", "volume", "renamed volume", "anonymous volume")
KINDS = (*AT_A_SITE, "sidecar", "volumes_from", "depends_on restart", "profile", "service")

PAIRS_IN_A_WALK = 23
GO_BACK = {"network", "replicas"}
"""`make test` goes back from the pairs with these; `make corpus` from every pair, and there again."""


class Change(NamedTuple):
    """One thing that is switched from one of its two values to the other; *site*: where, if there is a choice."""

    kind: str
    site: str = ""


Pair = tuple[Change, Change]


def all_pairs(seed: int) -> list[Pair]:
    """Every pair of kinds once, each at sites that *seed* decides: at one service, or at both.

    The order is that of a tournament: every seven in a row are changes of all kinds.
    """
    chance = random.Random(seed)
    first, *others = KINDS
    found = []
    for _ in KINDS[1:]:
        table = [first, *others]
        half = len(table) // 2
        meeting = list(zip(table[:half], reversed(table[half:]), strict=True))
        chance.shuffle(meeting)
        found += [(_at(one, chance), _at(other, chance)) for one, other in meeting]
        others = [others[-1], *others[:-1]]
    return found


def walks() -> list[list[Pair]]:
    """All pairs, in a few walks that each begin with a first deployment; `make test` walks as far as every kind takes part."""
    pairs = all_pairs(seed=5)
    if not ALL_CASES:
        return [pairs[: len(KINDS) // 2]]
    return [pairs[start : start + PAIRS_IN_A_WALK] for start in range(0, len(pairs), PAIRS_IN_A_WALK)]


def _at(kind: str, chance: random.Random) -> Change:
    return Change(kind, chance.choice(SITES) if kind in AT_A_SITE else "")


@dataclass
class Project:
    """The project as it is now: which of its changes are *switched*."""

    app: App
    switched: set[Change] = field(default_factory=set)

    def switch(self, *changes: Change) -> None:
        """Make these changes, or take them back."""
        self.switched ^= set(changes)
        self.write()

    def write(self) -> None:
        """Write the Compose file and what it ships."""
        folder = self.app.folder
        (folder / "docker-compose.yml").write_text(yaml.safe_dump(self._compose(), sort_keys=False))
        (folder / "one.conf").write_text(self._one_of("config", "one", "first\n", "second\n"))
        (folder / "two.secret").write_text(self._one_of("secret", "two", "key-first\n", "key-second\n"))

    def words(self) -> list[str]:
        """What `plan` and `deploy` are given."""
        found = ["--version", "1.0.0", "--to", "web1"]
        found += ["-e", f"TOKEN={self._one_of('secret', 'one', 'token-first', 'token-second')}"]
        for site in SITES:
            found += ["-e", f"LEVEL_{site}={self._one_of('variable', site, 'quiet', 'loud')}"]
        return [*found, *self._one_of("profile", "", ["--profile", "debug"], [])]

    @property
    def cause(self) -> str:
        """The service with which `web` is to restart."""
        return self._one_of("depends_on restart", "", *SITES)

    def _one_of(self, kind: str, site: str, first: Value, second: Value) -> Value:
        return second if Change(kind, site) in self.switched else first

    def _compose(self) -> dict[str, Any]:
        services = {site: self._site(site) for site in SITES}
        services["side"] = _service(network_mode=f"service:{self._one_of('sidecar', '', *SITES)}")
        services["reader"] = _service(
            networks=["net-one"], volumes_from=[f"{self._one_of('volumes_from', '', *SITES)}:ro"]
        )
        services["web"] = _service(
            networks=["net-two"],
            depends_on={self.cause: {"condition": "service_started", "restart": True}},
        )
        services["extra"] = _service(networks=["net-two"], profiles=["debug"])
        services |= self._one_of("service", "", {"leaving": _service(networks=["net-one"])}, {})
        return {
            "name": self.app.name,
            "x-lading": {"plain": [f"LEVEL_{site}" for site in SITES]},
            "services": services,
            "networks": {f"net-{site}": self._network(site) for site in SITES},
            "volumes": {f"data-{site}": self._volume(site) for site in SITES}
            | {f"other-{site}": {} for site in SITES},
            "configs": {
                "conf-one": {"file": "./one.conf"},
                "conf-two": {"content": self._one_of("config", "two", "first", "second")},
            },
            "secrets": {"two": {"file": "./two.secret"}},
        }

    def _site(self, site: str) -> dict[str, Any]:
        secret: dict[str, Any] = {"environment": {"LEVEL": "${LEVEL_one}", "TOKEN": "${TOKEN}"}}
        if site == "two":
            secret = {"environment": {"LEVEL": "${LEVEL_two}"}, "secrets": ["two"]}
        volume = self._one_of("volume", site, f"data-{site}", f"other-{site}")
        return _service(
            image=f"registry.lab:5000/hello:{self._one_of('image', site, '1.0.0', '1.1.0')}",
            **secret,
            networks=[f"net-{site}"],
            configs=[f"conf-{site}"],
            scale=self._one_of("replicas", site, 1, 2),
            volumes=[f"{volume}:/data", *self._one_of("anonymous volume", site, ["/scratch"], [])],
        )

    def _network(self, site: str) -> dict[str, Any]:
        return {"labels": {"is": self._one_of("network", site, "first", "second")}}

    def _volume(self, site: str) -> dict[str, Any]:
        return {"name": f"{self.app.name}-{self._one_of('renamed volume', site, 'first', 'second')}-{site}"}


def _service(**keys: Any) -> dict[str, Any]:
    """A service that does nothing, and stops at once."""
    common = {
        "image": "registry.lab:5000/hello:1.0.0",
        "entrypoint": ["sleep", "1000000"],
        "stop_signal": "SIGKILL",
        "restart": "always",
        "deploy": {"update_config": {"monitor": "1ms"}},
    }
    return common | keys


class Seen(NamedTuple):
    """A container: whose, since when it runs, whether it does, and on which containers it is made."""

    service: str
    started: str
    running: bool
    made_on: tuple[str, ...]


LOOK = (
    '{"id":{{json .Id}},"labels":{{json .Config.Labels}},"state":{{json .State}},'
    '"mode":{{json .HostConfig.NetworkMode}},"from":{{json .HostConfig.VolumesFrom}}}'
)


def containers(app: App) -> dict[str, Seen]:
    """What the engine says, by id."""
    label = f"label=com.docker.compose.project={app.name}"
    told = app.lab.exec("web1", f"docker inspect -f '{LOOK}' $(docker ps -aq --filter {label})").stdout
    found = {}
    for one in map(json.loads, told.splitlines()):
        under = [one["mode"].removeprefix("container:")] if one["mode"].startswith("container:") else []
        under += [each.partition(":")[0] for each in one["from"] or ()]
        service, now = one["labels"]["com.docker.compose.service"], one["state"]
        found[one["id"]] = Seen(service, now["StartedAt"], now["Running"], tuple(under))
    return found


def planned(plan: Mapping[str, Any], before: Mapping[str, Seen]) -> list[str]:
    """What becomes of each container by the words of a plan, a line each."""
    fields: dict[str, dict[str, Mapping[str, str]]] = {}
    for change in plan["changes"]:
        fields.setdefault(change["service"], {})[change["field"]] = change
    leave = {one for step in plan["steps"] for one in step.get("containers", ())}
    found = []
    for id_, seen in before.items():
        word = _word(fields.get(seen.service, {}))
        found.append(f"{seen.service} {id_[:12]} {'gone' if id_ in leave else word}")
    there = Counter(seen.service for seen in before.values())
    for service, told in fields.items():
        count = int(told["containers"]["new"]) if "containers" in told else there[service]
        new = count if _word(told) == "gone" else count - there[service]
        found += [f"{service} new"] * new
    return sorted(found)


def _word(fields: Mapping[str, Mapping[str, str]]) -> str:
    """What becomes of a service's containers, if they are not taken away by id."""
    if set(fields) - {"containers", "state", "restarted", "stopped", "service"}:
        return "gone"
    if {"state", "restarted"} & set(fields):
        return "restarted"
    return "stopped" if "stopped" in fields else "same"


def happened(before: Mapping[str, Seen], after: Mapping[str, Seen]) -> list[str]:
    """What became of each container, in the same words."""
    found = []
    for id_, seen in before.items():
        found.append(f"{seen.service} {id_[:12]} {_fate(seen, after.get(id_))}")
    found += [f"{seen.service} new" for id_, seen in after.items() if id_ not in before]
    return sorted(found)


def _fate(before: Seen, after: Seen | None) -> str:
    if after is None:
        return "gone"
    if before.running and not after.running:
        return "stopped"
    return "same" if before == after else "restarted"


def document(app: App, *words: str) -> dict[str, Any]:
    """What `plan --json`, or another verb's, says."""
    done = app.lading(*words, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def untruths(project: Project, plan: Mapping[str, Any], *verb: str) -> list[str]:
    """Do it; in what that which happened is not what *plan* said, nor what the Compose file says."""
    before = containers(project.app)
    done = project.app.lading(*verb, "--yes")
    if done.returncode:
        return [done.stdout + done.stderr]
    after = containers(project.app)
    said, was = Counter(planned(plan, before)), Counter(happened(before, after))
    found = [f"planned, but did not happen: {one}" for one in (said - was).elements()]
    found += [f"happened, but was not planned: {one}" for one in (was - said).elements()]
    found += torn(after) + missed(project.cause, before, after)
    return [*found, json.dumps(plan["changes"]), json.dumps(plan["steps"])] if found else []


def torn(after: Mapping[str, Seen]) -> list[str]:
    """The containers that are made on one that is gone."""
    return [f"{seen.service} is made on a container that is gone" for seen in after.values() if set(seen.made_on) - set(after)]


def missed(cause: str, before: Mapping[str, Seen], after: Mapping[str, Seen]) -> list[str]:
    """Whether `web` went on though *cause*, with which it is to restart, got another container."""
    gone = {seen.service for id_, seen in before.items() if id_ not in after}
    new = {seen.service for id_, seen in after.items() if id_ not in before}
    went_on = [seen for id_, seen in before.items() if seen.service == "web" and after.get(id_) == seen]
    return [f"web did not restart with {cause}"] if went_on and cause in gone & new else []


def unfinished(project: Project) -> list[str]:
    """What drifts, and what would be done again."""
    app = project.app
    drift = app.start("drift", app.name, "--to", "web1")
    again = app.start("plan", *project.words(), "--json")
    drifts = "".join(drift.communicate(timeout=120))
    plan = json.loads(again.communicate(timeout=120)[0])
    found = [f"drift: {drifts}"] if drift.returncode else []
    return [*found, f"planned again: {plan['changes']}"] if plan["steps"] else found


def deployed(project: Project) -> list[str]:
    """What is untrue of a deployment of the project as it is now."""
    plan = document(project.app, "plan", *project.words())
    return untruths(project, plan, "deploy", *project.words()) + unfinished(project)


def rolled_back(project: Project) -> list[str]:
    """What is untrue of the way back to what the project is now."""
    verb = ("rollback", project.app.name, "--to", "web1")
    plan = document(project.app, *verb, "--dry-run")
    return untruths(project, plan, *verb) + unfinished(project)


@pytest.mark.parametrize("pairs", walks(), ids=count())
def test_pairs_of_changes(app: App, pairs: Sequence[Pair]) -> None:
    project = Project(app)
    project.write()
    done = app.lading("deploy", *project.words(), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = []
    for pair in pairs:
        what = " and ".join(" ".join(change).strip() for change in pair)
        project.switch(*pair)
        wrong += [f"{what}: {one}" for one in deployed(project)]
        if ALL_CASES or GO_BACK & {change.kind for change in pair}:
            project.switch(*pair)
            wrong += [f"back from {what}: {one}" for one in rolled_back(project)]
        if ALL_CASES:
            project.switch(*pair)
            done = app.lading("deploy", *project.words(), "--yes")
            assert done.returncode == 0, done.stdout + done.stderr
    assert not wrong, "\n".join(wrong)
