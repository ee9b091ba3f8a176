"""A plan, and how its deployment ended, as a terminal shows them."""

from lading import canonical, events, spans
from lading.cli import render, terminal
from lading.compose import sent
from lading.deploy import ended as endings
from lading.placement import assignment as assignments
from lading.placement import choices
from lading.plan import outage, steps


def plan(made: steps.Plan) -> None:
    """A plan as a table of changes, on stderr (stdout belongs to the result)."""
    if made.empty:
        terminal.err(f"{made.app} {made.version}: nothing to do, {canonical.short(made.release)} is there already")
        assignment(made.assignment)
        approvable(made)
        return
    terminal.err(_heading(made))
    assignment(made.assignment)
    terminal.err("")
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for c in made.changes:
        groups.setdefault((c.service or "(app)", c.field, c.old, c.new), []).append(c.host)
    rows = [(", ".join(on), service, field, _what(field, old, new)) for (service, field, old, new), on in groups.items()]
    render.table(("host", "service", "what", "change"), rows, error=True, fold=("host", "change"))
    terminal.err("")
    for name, host in made.hosts.items():
        for step in host.steps:
            if isinstance(step, steps.RunHook):
                terminal.err(f"hook {step.hook}: {step.service} runs once, on {name}, before anything is rolled")
    for number, batch in enumerate(made.batches, 1):
        if len(made.batches) > 1:
            terminal.err(f"batch {number}: {', '.join(batch)}")
    for one in made.sent:
        size = sent.megabytes(one.size)
        terminal.err(f"image {one.image}: sent from this machine ({size}) to {', '.join(spans.packed(one.hosts))}")
    for sentence in outage.expected(made):
        terminal.err(f"outage: {sentence}")
    for right in made.rights:
        terminal.err(f"right: {_right(right, tuple(made.hosts))}")
    for warning in made.warnings:
        terminal.err(f"note: {warning}")
    approvable(made)


def _heading(made: steps.Plan) -> str:
    """What a plan is about: which version goes where; of one that removes, from where."""
    if made.verb == "remove":
        what = " ".join(filter(None, [made.app, made.version]))
        return f"give back {what} on {made.destination}" if _gives_back(made) else f"remove {what} from {made.destination}"
    return f"{made.app} {made.version} → {made.destination}, release {canonical.short(made.release)}"


def _gives_back(made: steps.Plan) -> bool:
    """Whether what runs is left running, and only lading's own files go."""
    todo = [step for host in made.hosts.values() for step in host.steps if isinstance(step, steps.RemoveApp)]
    return bool(todo) and all(step.kept for step in todo)


def assignment(made: assignments.Assignment) -> None:
    """Each host that came into question, yes or no, and the rule that decided; those with one rule in one row."""
    rows = []
    for (chosen, rule), names in choices.grouped(made.rows).items():
        rows.append((", ".join(spans.packed(names)), "yes" if chosen else "no", rule))
    if rows:
        render.table(("host", "chosen", "rule"), rows, error=True, fold=("host", "rule"))


def approvable(made: steps.Plan) -> None:
    """The last line of a plan: the hash by which it can be approved, or why it has none."""
    if made.unfinished:
        told = ", ".join(f"{deployment} on {host}" for host, deployment in made.unfinished.items())
        terminal.err(f"no hash, since a deployment is open ({told}): plan again once it has ended; lading where {made.app} says "
                     f"whether somebody works on it, and if nobody does: lading resume {made.app}")
        return
    short = canonical.short(made.hash)
    terminal.err(f"plan {short}: --plan {short} carries out just this, or refuses (secrets are bound by name, not by value)")


def _right(right: steps.Right, hosts: tuple[str, ...]) -> str:
    """A right as a line of the plan: whose, which, what it means, and where it is new."""
    new = ""
    if right.new:
        new = ", new" if right.new == hosts else f", new on {', '.join(right.new)}"
    return f"{right.service or 'the project'}: {right.right} ({right.says}){new}"


def ended(done: endings.Ended) -> None:
    """How a deployment ended: what failed where and its last lines, each host if not all is good, then one closing line."""
    report = done.report
    if report.why:
        at = " ".join(filter(None, [report.host, report.step]))
        terminal.err(f"{done.app} {done.version} failed at {at or 'the controller'}: {report.why}")
        if report.log:
            terminal.err(f"last lines of what failed on {report.host or 'the controller'}:")
        for text in report.log:
            terminal.err(f"  | {text}")
        terminal.err("")
    if done.result not in ("succeeded", "unchanged"):
        render.table(("host", "result", "runs now", "why"),
                     [(name, h.result, _runs(done, h), h.error) for name, h in report.outcome.hosts.items()],
                     error=True, fold=("why",))
    terminal.out(_outcome(done) + (f", deployment {done.deployment}" if done.deployment else ""))
    for one in done.excluded:
        terminal.err(f" note: {one.host} was left out: it is {one.words}")
    if done.note:
        terminal.err(f" note: {done.note}")
    hints = _hints(done)
    if done.result in hints:
        terminal.err(f" hint: {hints[done.result]}")


def _outcome(done: endings.Ended) -> str:
    """What came of which app, where."""
    count = len(done.report.outcome.hosts)
    hosts = f"({count} host{'s' if count != 1 else ''})"
    if done.verb != "remove":
        return f"{done.app} {done.version} → {done.destination}: {done.result} {hosts}"
    if done.given_back:
        return f"give back {done.app} on {done.destination}: {done.result} {hosts}"
    if done.result == "succeeded":
        return f"{done.app}: removed from {done.destination} {hosts}"
    return f"remove {done.app} from {done.destination}: {done.result} {hosts}"


def _runs(done: endings.Ended, host: events.HostOutcome) -> str:
    """What a host runs at the end: the version that people know; of a release of which none is known, its id."""
    if host.result == "unknown":
        return "unknown"
    return done.versions.get(host.release, "") or canonical.short(host.release) or "-"


def _hints(done: endings.Ended) -> dict[str, str]:
    """What to type after each result: first what tells why."""
    why = f"lading logs {done.app} --deployment {done.deployment}, lading show {done.deployment}"
    partial = f"hosts differ: lading where {done.app}; why: {why}; then lading resume {done.app} or deploy again"
    if any(host.result == "unwell" for host in done.report.outcome.hosts.values()):
        partial = f"it is deployed, but not all services are well: lading logs {done.app}; the way back: lading rollback {done.app}"
    return {
        "rolled_back": f"every host is back on what it ran before; why: {why}",
        "failed": f"no host was changed; why: {why}",
        "partial": partial,
        "unknown": f"a host does not answer: lading where {done.app}; then lading resume {done.app}",
    }


def _what(field: str, old: str, new: str) -> str:
    """What a change is, in words: the reason of one that has no old value, else old → new."""
    return new if field in ("recreated", "restarted", "removed") else change(old, new)


def change(old: str, new: str) -> str:
    """Old → new; of digests the first 12 digits, of two images of one repository that repository once."""
    old, new = _by_digest(old), _by_digest(new)
    short = [canonical.short(text).replace("@sha256:", "@") or "-" for text in (old, new)]
    names = [text.partition("@")[0].rpartition(":")[0] for text in short]
    if names[0] == names[1] != "" and "@sha256:" in old and "@sha256:" in new:
        short[1] = "…" + short[1].removeprefix(names[1])
    return f"{short[0]} → {short[1]}"


def _by_digest(text: str) -> str:
    """A name that says the content of what was sent, as a digest says it."""
    image, digest = sent.split(text)
    return f"{image}@{digest}" if digest and sent.is_sent(text) else text
