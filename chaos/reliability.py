"""docs/reliability.md, from what was found: the matrix fault × phase, both keepalives, random strikes, a row of kills."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from cell import Cell
from faults import FAULTS, RULES
from phases import PHASES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
HEAD = """# Reliability: every fault in every phase

<!-- made by `make chaos`; do not edit -->

Two real hosts (sshd, Docker Engine, Compose) and a private registry in the [lab](../lab/README.md). A deployment brings an
app with two services from one version to another, host by host (`update_config: {parallelism: 1}`). It is held at an event of
the phase, or by the app or a slow link in its middle; then the fault strikes the second host (in *hook* the first), or the
controller. *commit*: the decision to commit is stored, and no host knows it; *finish*: the second host has committed.
A cell is green if

- what the deployment said is so on every host: no two versions without a report that says so;
- nothing goes back after the decision to commit;
- **the next `lading deploy` alone ends what was left**, of a deployment that was left open within 45 seconds; only where a
  host did not answer `lading resume` may be needed before;
- both hosts are healthy then with the version asked for, and `lading drift` finds nothing;
- nothing is left: no temporary file, credential, lease, half-made container, network or process of lading's;
- the app's other service and a container of nobody's are the same containers as before;
- `lading ledger verify` finds nothing.

A cell tells the result of the struck deployment: `succeeded` `rolled_back` `failed` (nothing was changed) `partial` `unknown`
(as the [reference](how-to.md) says), *refused* before anything was changed, or *gone*: the controller was not there any more
to say anything. **Seconds**: a deployment was left open, and the next `lading deploy` had taken it over so long after its own
start, or after the end of the host's last changing command where that came later. **+r**: `lading resume` was needed before.
A number in round brackets is the rule by which the cell cannot matter.
"""


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried so far: at a keepalive of 1 s, at the default, at random, killed in a row.

    *count*: how many there should be, *kills_wanted* of them kills; *seed* of what is random; *seconds* that all took.
    """

    cells: Sequence[Cell]
    slow: Sequence[Cell]
    strikes: Sequence[Cell]
    kills: Sequence[Cell]
    count: int
    kills_wanted: int
    seed: int
    seconds: float

    @property
    def all(self) -> list[Cell]:
        """All that were tried."""
        return [*self.cells, *self.slow, *self.strikes, *self.kills]


def line(one: Cell, number: int) -> str:
    """A cell as it ends."""
    what = f"RED {one.red}" if one.red else f"{one.said}, ended by {one.path}"
    took = "" if one.takeover is None else f", taken over after {one.takeover:.0f} s"
    slowly = " at the default keepalive" if one.keepalive == "default" else ""
    return f"[{number}] {one.fault} in {one.phase}{slowly}: {what}{took} ({one.seconds:.0f} s)"


def write(tried: Tried) -> None:
    """Write the page."""
    PAGE.write_text("\n".join(page(tried)) + "\n")


def page(tried: Tried) -> Iterator[str]:
    """The lines of the page."""
    yield HEAD
    yield _count(tried)
    yield ""
    yield _takeovers(tried)
    yield ""
    yield "Keepalive of SSH: 1 second, two missed."
    yield ""
    yield from _table(tried.cells, slow=False)
    yield from ("", "## At the default keepalive\n", "15 seconds, three missed, as lading has it without any settings.\n")
    yield from _table(tried.slow, slow=True)
    yield from ("", "## Where a fault cannot matter\n")
    yield from (f"{number}. {text}" for number, text in enumerate(RULES.values(), 1))
    yield from ("", "## Random strikes\n")
    yield ("Cells by chance, one after the other in whatever state the last one left "
           f"(seed {tried.seed}; again: `make chaos CHAOS='--seed {tried.seed}'`).\n")
    yield from (f"- {one.fault} in {one.phase}: {_text(one)}" for one in tried.strikes)
    yield from ("", f"## {tried.kills_wanted} kills in a row\n")
    yield from _kills(tried)
    red = [one for one in tried.all if one.red]
    if red:
        yield from ("", "## Red\n")
        yield from (f"- {one.fault} in {one.phase} ({one.keepalive} keepalive): `{' '.join(one.red.split())[:600]}`" for one in red)


def _count(tried: Tried) -> str:
    found = tried.all
    red = sum(bool(one.red) for one in found)
    said = (f"{len(tried.cells)} cells, {len(tried.slow)} more at the default keepalive, {len(tried.strikes)} random strikes and "
            f"{len(tried.kills)} kills: {len(found) - red} green, {red} red; {tried.seconds / 60:.0f} minutes.")
    missing = tried.count - len(found)
    if not missing:
        return said
    return f"{said} **{missing} were not tried yet** (*not run*; `make chaos CHAOS=--continue` goes on where a run was ended)."


def _takeovers(tried: Tried) -> str:
    """What the run says of taking over, and of `lading resume`."""
    green = [one for one in tried.all if not one.red]
    took = [one.takeover for one in green if one.takeover is not None]
    resumed = [one for one in green if "resume" in one.path]
    where = ", ".join(sorted({f"*{_words(one.fault)}*" for one in resumed}))
    needed = f"`lading resume` was needed in {len(resumed)} cells ({where})." if resumed else "`lading resume` was needed nowhere."
    if not took:
        return needed
    return (f"{len(took)} deployments were left open. The next `lading deploy` took them over after {median(took):.0f} s in the "
            f"middle and {max(took):.0f} s at most; a lease that nobody renews ends after 30. {needed}")


def _words(fault: str) -> str:
    return next((one.words for one in FAULTS if one.name == fault), fault)


def _table(cells: Sequence[Cell], *, slow: bool) -> Iterator[str]:
    found = {(one.fault, one.phase): one for one in cells}
    rules = {name: f"({number})" for number, name in enumerate(RULES, 1)}
    yield "| fault | " + " | ".join(phase.name for phase in PHASES) + " |"
    yield "| --- |" + " --- |" * len(PHASES)
    for fault in FAULTS:
        wanted = fault.slow if slow else fault.phases
        row = [_shown(found.get((fault.name, phase.name)), tried=phase.name in wanted,
                      rule="" if slow else rules.get(fault.rule, "")) for phase in PHASES]
        if wanted:
            yield f"| {fault.words} | " + " | ".join(row) + " |"


def _shown(one: Cell | None, *, tried: bool, rule: str) -> str:
    if one is not None:
        return _text(one)
    return "*not run*" if tried else rule


def _text(one: Cell) -> str:
    if one.red:
        return "**RED**"
    word = one.said.partition(" ")[0]
    shown = f"*{word}*" if word in ("refused", "gone") else word
    took = "" if one.takeover is None else f" {one.takeover:.0f} s"
    return shown + took + (" **+r**" if "resume" in one.path else "")


def _kills(tried: Tried) -> Iterator[str]:
    """The row of kills, and what it came to."""
    green = [one for one in tried.kills if not one.red]
    took = [one.takeover for one in green if one.takeover is not None]
    yield ("`lading deploy`, killed (`kill -9`) after a time by chance, one after the other; after each kill one more "
           f"`lading deploy`, of a version by chance, and nothing else (seed {tried.seed}).\n")
    said = f"{len(green)} of {tried.kills_wanted} were ended by it: all hosts healthy with the version asked for"
    yield f"{said}; {len(took)} had left something open, taken over after {max(took, default=0.0):.0f} s at most.\n"
    yield from (f"- {one.phase}: {_text(one)}" for one in tried.kills)
