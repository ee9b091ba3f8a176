"""docs/reliability.md: the matrix fault × phase, the rules for what cannot matter, the random strikes."""

from collections.abc import Sequence
from pathlib import Path

from cell import Cell
from faults import FAULTS, RULES
from phases import PHASES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
HEAD = """# Reliability: every fault in every phase

<!-- made by `make chaos`; do not edit -->

Two real hosts (sshd, Docker Engine, Compose) and a private registry in the [lab](../lab/README.md). A deployment brings an app with two services from one version to another, host by host
(`update_config: {parallelism: 1}`). It is held at a stored event of the phase, or by the app itself in its middle; then the fault strikes the second host (in *hook* the first), or the controller.
SSH keepalive is 1 s, 2 missed. A cell is green if

- what the deployment said is so on every host: no two versions without a report that says so;
- `lading deploy`, and where it says so `lading resume`, then end it: both hosts healthy with the version asked for, `lading drift` finds nothing;
- nothing is left: no temporary file, credential, lease, half-made container, network or process of lading's;
- the app's other service and a container of nobody's are the same containers as before;
- `lading ledger verify` finds nothing.

A cell tells the result of the struck deployment: `succeeded` `rolled_back` `failed` (nothing was changed) `partial` `unknown` (as the [reference](how-to.md) says), *refused* before anything was changed, or *gone*: the controller
was not there any more to say anything. **+r**: `lading resume` was needed before the next `lading deploy`. A number is the rule by which the cell cannot matter.
"""


def line(one: Cell, number: int) -> str:
    """A cell as it ends."""
    what = f"RED {one.red}" if one.red else f"{one.said}, ended by {one.path}"
    return f"[{number}] {one.fault} in {one.phase}: {what} ({one.seconds:.0f} s)"


def _text(one: Cell) -> str:
    word = one.said.partition(" ")[0]
    shown = f"*{word}*" if word in ("refused", "gone") else word
    return "**RED**" if one.red else shown + (" **+r**" if "resume" in one.path else "")


def write(cells: Sequence[Cell], strikes: Sequence[Cell], count: int, seed: int, seconds: float) -> None:
    """Write the page; *count*: how many cells and strikes there should be."""
    found = {(one.fault, one.phase): one for one in cells}
    numbers = {name: str(number + 1) for number, name in enumerate(RULES)}
    missing = count - len(cells) - len(strikes)
    lines = [HEAD, f"{len(cells)} cells and {len(strikes)} random strikes: {sum(not one.red for one in (*cells, *strikes))} green, "
             f"{sum(bool(one.red) for one in (*cells, *strikes))} red; {seconds / 60:.0f} minutes."
             + (f" **{missing} were not tried yet** (*not run*; `make chaos CHAOS=--continue` goes on where a run was ended)." if missing else "") + "\n",
             "| fault | " + " | ".join(phase.name for phase in PHASES) + " |", "| --- |" + " --- |" * len(PHASES)]
    for fault in FAULTS:
        row = [_text(found[fault.name, phase.name]) if (fault.name, phase.name) in found
               else "*not run*" if phase.name in fault.phases else numbers.get(fault.rule, "") for phase in PHASES]
        lines.append(f"| {fault.words} | " + " | ".join(row) + " |")
    lines += ["", "## Where a fault cannot matter\n", *(f"{numbers[name]}. {text}" for name, text in RULES.items())]
    lines += ["", "## Random strikes\n", f"Cells by chance, one after the other in whatever state the last one left (seed {seed}; again: `make chaos CHAOS='--seed {seed}'`).\n",
              *(f"- {one.fault} in {one.phase}: {_text(one)}" for one in strikes)]
    red = [one for one in (*cells, *strikes) if one.red]
    if red:
        lines += ["", "## Red\n", *(f"- {one.fault} in {one.phase}: `{' '.join(one.red.split())[:600]}`" for one in red)]
    PAGE.write_text("\n".join(lines) + "\n")
