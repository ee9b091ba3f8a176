"""Which container `exec` means, and which host `run`: by what is seen, never by a guess."""

from collections.abc import Iterable, Mapping, Sequence

from lading import errors, spans, state
from lading.compose import complaints, release, restore
from lading.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for: APP/SERVICE, and where; *host* "": any that is meant, *index* 0: any container."""

    app: str
    service: str
    to: Sequence[str] = ()
    host: str = ""
    index: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """One app on one host."""

    host: str
    app: state.AppState

    def containers(self, service: str) -> tuple[state.ContainerState, ...]:
        """Those of a service, none that was made for one call."""
        mine = (one for one in self.app.containers if one.service == service and not one.one_off)
        return tuple(sorted(mine, key=lambda one: one.number))

    @property
    def services(self) -> frozenset[str]:
        """Those that its release or its containers name."""
        declared = self.app.releases.get(self.app.current.release, {}) if self.app.current is not None else {}
        running = {one.service for one in self.app.containers if not one.one_off}
        return frozenset({*declared.get("services", {}), *running})


def container(
    seen: Mapping[str, state.HostState], asked: Asked
) -> tuple[str, state.ContainerState]:
    """The host and the one running container that is meant.

    Raises:
        UnknownReleaseError: no host knows the service.
        RefusedError: there is none that runs, or there are several.
    """
    found = _known(seen, asked)
    every = [(one.host, each) for one in found for each in one.containers(asked.service)
             if asked.index in (0, each.number)]
    running = [(host, one) for host, one in every if one.status == "running"]
    match running:
        case [only]:
            return only
        case []:
            raise errors.RefusedError(
                f"no container of {asked.service} runs{_where(asked)}{_numbered(asked)}: {_told(every)}",
                f"lading where {asked.app}; for a container of its own: lading run {asked.app}/{asked.service} -- …")
    first, one = running[0]
    among = [host for host, _ in running]
    raise errors.RefusedError(
        f"{asked.service} runs in {len(running)} containers: {_told(running)}",
        "say which: " + _choice(first, one.number if len(set(among)) < len(among) else 0))


def release_on(
    seen: Mapping[str, state.HostState], asked: Asked
) -> tuple[str, state.AppState, release.Release]:
    """The one host that is meant, what there is of the app, and the release that is deployed there.

    Of several hosts those count on which the service has containers.

    Raises:
        UnknownReleaseError: no host knows the service.
        RefusedError: nothing is deployed, or on several hosts.
    """
    known = _known(seen, asked)
    deployed = [one for one in known if one.app.current is not None
                and asked.service in one.app.releases.get(one.app.current.release, {}).get("services", {})]
    if not deployed:
        raise errors.RefusedError(
            f"no release of {asked.app} with {asked.service} is known to be deployed on {_names(known)}",
            f"lading where {asked.app}")
    here = [one for one in deployed if one.containers(asked.service)] or deployed
    if len(here) > 1:
        raise errors.RefusedError(
            f"{asked.app} with {asked.service} is on {len(here)} hosts: {_names(here)}",
            f"say which: {_choice(here[0].host, 0)}")
    [one] = here
    assert one.app.current is not None
    return one.host, one.app, restore.from_json(one.app.releases[one.app.current.release])


def _known(seen: Mapping[str, state.HostState], asked: Asked) -> list[Found]:
    """The app on each host that knows the service.

    Raises:
        UnknownReleaseError: none does.
    """
    found = [Found(name, one.apps[asked.app]) for name, one in seen.items() if asked.app in one.apps]
    known = [one for one in found if asked.service in one.services]
    if not known:
        names = sorted({name for one in found for name in one.services})
        hint = complaints.nearest(asked.service, names) or f"services: {', '.join(names) or 'none'}"
        raise errors.UnknownReleaseError(f"{asked.app} has no service {asked.service}{_where(asked)}", hint)
    return known


def _where(asked: Asked) -> str:
    return f" on {asked.host}" if asked.host else ""


def _numbered(asked: Asked) -> str:
    return f" with number {asked.index}" if asked.index else ""


def _told(every: Iterable[tuple[str, state.ContainerState]]) -> str:
    """Each container by its host, its number, and how it is unless it runs."""
    said = [f"{host} (number {one.number}{'' if one.status == 'running' else f', {one.status}'})" for host, one in every]
    return ", ".join(said) or "there is none"


def _names(found: Iterable[Found]) -> str:
    return ", ".join(spans.packed([one.host for one in found]))


def _choice(host: str, number: int) -> str:
    return f"--host {host}" + (f" --index {number}" if number else "")
