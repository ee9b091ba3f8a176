"""Can lading work with this machine and with each host: one row each, one round trip per host; nothing is changed."""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lading import context as contexts
from lading import errors, fence, state
from lading.compose import dialects, parse, plugin, registry
from lading.dataclass import dataclass
from lading.deploy import credentials
from lading.drivers import wants
from lading.drivers.shell import observe
from lading.engines import preflight
from lading.queries import look
from lading.transport import openssh

HERE = "(here)"  # the row of this machine
_KEY_SEEN = ("authentication", "shell", "command", "format")  # kinds of error of a host whose key was verified before


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of one host: column → (good, words); *hints*: what to do about what is not."""

    host: str
    columns: Mapping[str, tuple[bool, str]]
    hints: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether lading can deploy there."""
        return all(good for good, _ in self.columns.values())

    def as_json(self) -> dict[str, Any]:
        """One entry of `check --json`."""
        columns = {name: {"ok": good, "text": text} for name, (good, text) in self.columns.items()}
        return {"host": self.host, "ok": self.good, **columns, "hints": list(self.hints)}


async def check(context: contexts.Context, to: Sequence[str] = ()) -> tuple[Checked, ...]:
    """A row for this machine (Compose, Git, registries with their credentials), then one for each host."""
    _, chosen = context.choose(to)
    names = sorted(context.settings.registries)
    here, seen = await asyncio.gather(
        this_machine(context, [name for name in names if not context.settings.by_hosts(name)]),
        observe.fleet(context.transport, chosen, state_dir=context.settings.state_dir, engines=context.engines, registries=names, probe=True,
                      want=wants.RECORDS),
    )
    notes = context.settings.inventory.notes
    ours = await asyncio.to_thread(_probe, context.environment) if here.columns["compose"][0] else ""
    rows = [host_row(host, ours) for host in seen.hosts.values()]
    local = {host.name for host in chosen if host.is_local}
    rows = [_of_this_machine(row) if row.host in local else row for row in rows]
    context.notes.extend(look.repairs(seen))
    return (here, *(replace(row, hints=(*row.hints, *notes.get(row.host, ()))) for row in rows))


async def this_machine(context: contexts.Context, names: Sequence[str]) -> Checked:
    """What a deployment needs before any host: the Compose plug-in and what fences it in, Git, registries that let us in.

    *names*: the registries that are asked from here.
    """
    columns: dict[str, tuple[bool, str]] = {}
    hints: list[str] = []
    if not shutil.which("ssh", path=context.environment.get("PATH", "")) and _over_ssh(context):
        hints.append(openssh.MISSING)
    try:
        columns["compose"] = (True, plugin.version(context.environment))
    except errors.LadingError as missing:
        columns["compose"] = (False, missing.message)
        hints.append(missing.hint)
    columns["fence"] = (True, fence.describe())
    if not fence.version():
        hints.append("Compose runs without a fence: this kernel has no Landlock (Linux 5.13 or newer); it is still given only what lading has read")
    asked = await asyncio.gather(*(_ask(context, name) for name in names))
    hints += [hint for _, hint in asked if hint]
    columns["registry"] = _registries({name: fault for name, (fault, _) in zip(names, asked, strict=True)})
    git = bool(shutil.which("git", path=context.environment.get("PATH", "")))
    columns["tools"] = (git, "ok" if git else "git is not installed")
    return Checked(HERE, columns, tuple(hints))


def _over_ssh(context: contexts.Context) -> bool:
    return any(host.transport in ("", "ssh") for host in context.settings.inventory.hosts.values())


async def _ask(context: contexts.Context, name: str) -> tuple[str, str]:
    """What is wrong with a registry seen from here, and what to do; both empty if it answers and lets us in."""
    try:
        await registry.ping(name, credentials.access(context.settings, context.environment, context.known)(name))
    except errors.LadingError as wrong:
        return wrong.message, wrong.hint
    return "", ""


def _registries(faults: Mapping[str, str]) -> tuple[bool, str]:
    bad = [f"{name}: {fault}" for name, fault in faults.items() if fault]
    return (False, "; ".join(bad)) if bad else (True, "ok" if faults else "none named")


def _of_this_machine(row: Checked) -> Checked:
    """The row of a host that nothing leads to."""
    reached, text = row.columns["ssh"]
    return replace(row, columns={
        **row.columns, "ssh": (reached, "this machine" if reached else text), "key": (True, "none needed")})


def _size(mebibytes: int) -> str:
    return f"{mebibytes} MiB" if mebibytes < 10240 else f"{mebibytes // 1024} GiB"


def _probe(environment: Mapping[str, str]) -> str:
    """What the Compose here makes of the fixed file that each host's Compose reads too; "" where it reads none."""
    try:
        return plugin.probe(environment)
    except errors.LadingError:
        return ""


def reads_otherwise(here: str, there: str) -> str:
    """What a host's Compose reads of the fixed file otherwise than the Compose here; "" = nothing, or nothing is known."""
    if not here or here == there:
        return ""
    ours = here.encode()
    return dialects.difference(parse.load(ours), parse.foreign(there.encode(), ours))


def _key(host: state.HostState) -> tuple[bool, str]:
    """What is known of the key of a host that cannot be used."""
    if host.error_kind == "host_key":
        return False, host.error
    return (True, "pinned") if host.error_kind in _KEY_SEEN else (False, "not seen")


def host_row(host: state.HostState, ours: str = "") -> Checked:
    """The row of one host, from what was seen there; *ours*: what the Compose here makes of the fixed file."""
    if not host.reachable:
        columns = {"ssh": (False, host.error), "key": _key(host)}
        itself = host.error_hint == f"lading check {host.host}"
        hint = f"look there: ssh {host.host} docker version; with what was sent: lading check -v" if itself else host.error_hint
        return Checked(host.host, columns, (hint,) if hint else ())
    facts = host.facts
    wrong = preflight.tooling(facts)

    def column(part: preflight.Part, text: str) -> tuple[bool, str]:
        bad = [problem.why for problem in wrong if problem.about == part]
        return (False, bad[0]) if bad else (True, text)

    columns = {
        "ssh": (True, "ok"), "key": (True, "pinned"),
        "docker": column("docker", f"{facts.engine} ({facts.api})" if facts.engine and facts.api else facts.engine),
        "compose": (bool(facts.compose), facts.compose or "not asked") if facts.problem else column("compose", facts.compose),
        "registry": (False, "not asked") if facts.problem else
        _registries({name: preflight.unreached(said) for name, said in facts.registries.items()}),
        "disk": column("disk", _size(facts.disk_free)), "tools": column("tools", "ok"),
        "state_dir": column("state_dir", facts.state_dir),
    }
    hints = [problem.why for problem in wrong]
    if facts.compose and not wrong and (where := reads_otherwise(ours, facts.probe)):
        columns["compose"] = (False, f"{facts.compose} reads {where} otherwise than the Compose here")
        hints.append(f"deployments to {host.host} may be refused at stage: install the same version of Compose there and here")
    return Checked(host.host, columns, tuple(hints))
