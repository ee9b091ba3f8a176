"""The plan beside a model of what `docker compose up` makes of it: every container that changes is named, and no other.

The model is read off Compose 2.40 (`pkg/compose/convergence.go`); tests/lab/test_plan_is_truth.py asks a real engine.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from builders import a_container, a_release, a_service
from lading import state
from lading.compose import project, release
from lading.plan import planner, steps

SITES = ("one", "two")
TIED = ("sidecar", "volumes_from", "restart")
KINDS = [f"{kind} {site}" for kind in ("field", "secret", "network", "replicas", "volume", "renamed") for site in SITES]
KINDS += [*TIED, "web replicas", "profile", "service"]


@dataclass(frozen=True)
class Version:
    """The app with some of KINDS switched to their other value."""

    switched: frozenset[str] = frozenset()

    def site(self, kind: str) -> str:
        """The one of the two services that another one is tied to."""
        return SITES[kind in self.switched]

    @property
    def numbers(self) -> dict[str, int]:
        return {f"var.{site}": 1 + (f"secret {site}" in self.switched) for site in SITES}

    def made(self) -> release.Release:
        side, reader, cause = (self.site(kind) for kind in TIED)
        services = [self._site(site) for site in SITES]
        services += [
            a_service("side", networks=(), tied_to=(side,), restarts_with=(side,), depends_on={side: "service_started"},
                      definition={"network_mode": f"service:{side}"}),
            a_service("reader", networks=("one",), tied_to=(reader,), depends_on={reader: "service_started"},
                      definition={"volumes_from": [reader]}),
            a_service("web", networks=("two",), restarts_with=(cause,), depends_on={cause: "service_started"},
                      replicas=1 + ("web replicas" in self.switched)),
            a_service("after", networks=("one",), restarts_with=("web",), depends_on={"web": "service_started"}),
            a_service("extra", networks=("two",), profiles=("debug",), asked="profile" not in self.switched),
        ]
        if "service" not in self.switched:
            services.append(a_service("leaving", networks=("one",)))
        networks = {site: project.Resource(site, f"shop_{site}", {"mtu": f"network {site}" in self.switched}) for site in SITES}
        volumes = {site: project.Resource(site, self._volume(site), {}) for site in SITES}
        volumes["other"] = project.Resource("other", "shop_other", {})
        return a_release(*services, networks=networks, volumes=volumes, secrets=dict.fromkeys(self.numbers, b"s"),
                         uses={site: (f"var.{site}",) for site in SITES})

    def _site(self, site: str) -> project.Service:
        source = "other" if f"volume {site}" in self.switched else site
        mount = {"type": "volume", "source": source, "target": "/data"}
        definition = {"user": str(f"field {site}" in self.switched), "volumes": [mount]}
        return a_service(site, networks=(site,), definition=definition, mounts=(project.Mount("volume", source, "/data"),),
                         replicas=1 + (f"replicas {site}" in self.switched))

    def _volume(self, site: str) -> str:
        return f"renamed-{site}" if f"renamed {site}" in self.switched else f"shop_{site}"


@dataclass
class Engine:
    """A host: its containers, how often each was started, and by what Compose knows it."""

    app: state.AppState = field(default_factory=lambda: state.AppState("shop"))
    starts: Counter[str] = field(default_factory=Counter)
    hashes: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def of(self, service: str) -> list[state.ContainerState]:
        """A service's containers, in the order in which Compose takes the first."""
        return sorted((one for one in self.app.containers if one.service == service), key=lambda one: one.name)

    def put(self, *changed: state.ContainerState, without: Iterable[str] = ()) -> None:
        """Containers as they are now, and *without* those that are gone."""
        found = {one.id: one for one in self.app.containers} | {one.id: one for one in changed}
        self.app = replace(self.app, containers=tuple(one for id_, one in found.items() if id_ not in without))

    def carry_out(self, plan: steps.HostPlan, made: release.Release) -> None:
        """All steps of a plan, as lading's scripts send them."""
        for step in plan.steps:
            match step:
                case steps.RecreateNetwork(network):
                    self.put(*(replace(one, status="exited", exit_code=137, networks={})
                               for one in self.app.containers if network in one.networks))
                case steps.ScaleDown(_, ids) | steps.RemoveService(_, ids):
                    self.put(without=ids)
                case steps.StartServices(names, anew):
                    self.up(made, plan.generations, names, anew)
                case _:
                    pass
        raw = json.loads(made.canonical())
        current = state.Current("shop", made.id, made.version, "d", generations=dict(plan.generations))
        self.app = replace(self.app, current=current, releases={**self.app.releases, made.id: raw})

    def up(self, made: release.Release, numbers: Mapping[str, int], names: Sequence[str], anew: bool) -> None:
        """`docker compose up -d --no-deps NAMES`: converge in the order of dependencies, then start what does not run."""
        chosen = {name: made.services[name] for name in names}
        waiting = list(chosen)
        while waiting:
            name = next(one for one in waiting if not set(chosen[one].depends_on) & set(waiting))
            waiting.remove(name)
            self._converge(made, numbers, chosen, name, anew)
        for name in chosen:
            for seen in self.of(name):
                if seen.status != "running":
                    self.starts[seen.id] += 1
                    self.put(replace(seen, status="running", exit_code=0))

    def _converge(
        self, made: release.Release, numbers: Mapping[str, int], chosen: Mapping[str, release.ServiceSpec], name: str, anew: bool
    ) -> None:
        spec = chosen[name]
        under = tuple(self.of(base)[0].id for base in spec.tied_to)
        label = release.generation_label(spec, numbers) if spec.secrets else ""
        known = json.dumps([spec.content, label, under])
        mine = self.of(name)
        assert len(mine) <= spec.replicas, "Compose would choose by number whom it removes"
        for seen in mine:
            off = seen.status == "running" and set(spec.networks) - set(seen.networks)
            if anew or off or self.hashes[seen.id] != known:
                self._stop_dependents(chosen, name)
                self.put(without=[seen.id])
                self._create(made, spec, seen.number, known, under, label)
        for number in range(len(mine), spec.replicas):
            self._create(made, spec, number + 1, known, under, label)

    def _stop_dependents(self, chosen: Mapping[str, release.ServiceSpec], name: str) -> None:
        for other, spec in chosen.items():
            if name in spec.restarts_with:
                self.put(*(replace(one, status="exited", exit_code=137) for one in self.of(other)))

    def _create(
        self, made: release.Release, spec: release.ServiceSpec, number: int, known: str, under: tuple[str, ...], label: str
    ) -> None:
        self.made += 1
        id_ = f"{self.made:03}-{spec.name}"
        self.hashes[id_] = known
        mounts = {}
        for one in spec.definition.get("volumes") or ():
            mounts[str(one["target"])] = str(made.volumes[str(one["source"])]["name"])
        self.put(a_container(spec, id=id_, name=f"shop-{spec.name}-{number}", number=number, status="created", made_on=under,
                             secrets=label, mounts=mounts))

    def fates(self) -> dict[str, tuple[str, int, bool]]:
        """What can be told of each container: whose it is, how often it was started, whether it runs."""
        return {one.id: (one.service, self.starts[one.id], one.status == "running") for one in self.app.containers}


def planned(plan: steps.HostPlan, before: Mapping[str, tuple[str, int, bool]]) -> Counter[tuple[str, str, str]]:
    """What becomes of each container by the words of a plan."""
    fields: dict[str, dict[str, steps.Change]] = {}
    for change in plan.changes:
        fields.setdefault(change.service, {})[change.field] = change
    leave = {one for step in plan.steps for one in getattr(step, "containers", ())}
    found = [(service, id_, "gone" if id_ in leave else _word(fields.get(service, {}))) for id_, (service, _, _) in before.items()]
    there = Counter(service for service, _, _ in before.values())
    for service, told in fields.items():
        count = int(told["containers"].new) if "containers" in told else there[service]
        new = count if _word(told) == "gone" else count - there[service]
        found += [(service, "", "new")] * new
    return Counter(found)


def _word(fields: Mapping[str, steps.Change]) -> str:
    if set(fields) - {"containers", "state", "restarted", "stopped", "service"}:
        return "gone"
    if {"state", "restarted"} & set(fields):
        return "started"
    return "stopped" if "stopped" in fields else "same"


def happened(before: Mapping[str, tuple[str, int, bool]], engine: Engine) -> Counter[tuple[str, str, str]]:
    """What became of each container, in the same words."""
    after = engine.fates()
    found = [(service, "", "new") for id_, (service, _, _) in after.items() if id_ not in before]
    for id_, (service, starts, ran) in before.items():
        _, now, runs = after.get(id_, ("", 0, False))
        word = "same" if (starts, ran) == (now, runs) else "started" if runs else "stopped"
        found.append((service, id_, word if id_ in after else "gone"))
    return Counter(found)


WALKS = st.lists(st.sets(st.sampled_from(KINDS), min_size=1, max_size=3), min_size=1, max_size=6)


@settings(max_examples=60)
@example([{"profile"}, {"network two"}, {"profile"}])
@example([{"profile"}, {"network two", "profile"}])
@example([{"replicas one"}, {"replicas one", "secret two"}])
@example([{"renamed one", "restart"}, {"replicas one", "network two"}])
@given(WALKS)
def test_what_a_plan_names_is_what_compose_does(walk: list[set[str]]) -> None:
    version, engine = Version(), Engine()
    made = version.made()
    engine.carry_out(planner.plan_host("h", made, version.numbers, (), engine.app, None), made)
    for names in walk:
        old, version = made, Version(version.switched ^ names)
        made = version.made()
        plan = planner.plan_host("h", made, version.numbers, (), engine.app, old)
        before = engine.fates()
        engine.carry_out(plan, made)
        assert happened(before, engine) == planned(plan, before), sorted(names)
        on = {one.id for one in engine.app.containers}
        placed = [one for one in engine.app.containers if made.services[one.service].active]
        assert not [one for one in placed if set(one.made_on) - on], "made on a container that is gone"
        assert planner.plan_host("h", made, version.numbers, (), engine.app, made).steps == ()
