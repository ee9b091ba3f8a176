"""CPU of short commands, from the process's start to its exit: `make bench-start`.

User and system time of the whole process, as the kernel charged it, medians. Ladings beside this one
(`--beside FILE`) take turns with it, run by run: on a machine that has other work, only figures of the
same minute can be compared. The first row is Python itself.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from lading import context as contexts
from lading import events
from lading.ledger import ledger

DEPLOYMENTS = 200  # in the ledger; `history` shows 50
HERE = Path(sys.executable).with_name("lading")
COMMANDS = (
    ("--help",), ("--version",), ("hosts", "list"), ("history", "--offline"),
    ("show", "20261122-141503-0003", "--json"), ("ledger", "verify"), ("deploy", "--help"),
)
FLEET = """lading: 1
hosts: {web1: {address: 192.0.2.1}, web2: {address: 192.0.2.2}, stage1: {address: 192.0.2.3}}
destinations: {production: {hosts: [web1, web2]}, preview: {hosts: [stage1]}}
"""


def main() -> None:
    """Print a row per command: median and lowest, in milliseconds, of each lading."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--beside", type=Path, action="append", default=[], metavar="FILE",
                        help="Another lading's program.")
    options = parser.parse_args()
    programs = [HERE, *options.beside]
    with tempfile.TemporaryDirectory() as folder:
        environment = _scene(Path(folder))
        print("| CPU, ms: median (lowest) |", " | ".join(str(one) for one in programs), "|")
        print("| --- |", " | ".join("---" for _ in programs), "|")
        python = (sys.executable, "-c", "pass")
        _row("python -c pass", [python] * len(programs), environment, options.runs)
        for words in COMMANDS:
            variants = [(str(one), *words) for one in programs]
            _row(" ".join(words), variants, environment, options.runs)


def _scene(folder: Path) -> dict[str, str]:
    """The environment of the commands: a fleet file, and a ledger with deployments that have ended."""
    (folder / "lading.yaml").write_text(FLEET)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"), "LADING_CONFIG": str(folder / "lading.yaml"),
    }
    asyncio.run(_fill(contexts.ledger_path(environment)))
    return environment


async def _fill(place: Path) -> None:
    kept = await ledger.open_ledger(place)
    for number in range(DEPLOYMENTS):
        name = f"20261122-141503-{number:04x}"
        await kept.append(events.DeploymentPlanned(name, app="shop", version=str(number), hosts=("web1",)))
        await kept.append(events.DeploymentEnded(name, result="succeeded", hosts={"web1": "succeeded"}))
    await kept.close()


def _row(
    name: str, variants: Sequence[Sequence[str]], environment: Mapping[str, str], runs: int
) -> None:
    """Run the variants in turns; the first run of each may write compiled modules, and does not count."""
    taken: list[list[float]] = [[] for _ in variants]
    for number in range(runs + 1):
        for variant, times in zip(variants, taken, strict=True):
            spent = _cpu(variant, environment)
            if number:
                times.append(spent)
    cells = (f"{statistics.median(times) * 1000:.0f} ({min(times) * 1000:.0f})" for times in taken)
    print(f"| {name} |", " | ".join(cells), "|", flush=True)


def _cpu(argv: Sequence[str], environment: Mapping[str, str]) -> float:
    """The CPU seconds of one process, which has to succeed."""
    silent = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    process = os.posix_spawn(argv[0], list(argv), environment, file_actions=silent)
    _, status, used = os.wait4(process, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(argv)} has failed: {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
