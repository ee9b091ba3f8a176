"""How many small programs a host starts for each script of an upgrade, by the real shell (0105)."""

import shutil
from collections import Counter
from collections.abc import Callable

from a_party import DOCKER, Party
from host_shell import HostShell

# Not those of the heartbeat and of a lease that is extended: how often these start depends on how long a script takes
COUNTED = ("awk", "cat", "chmod", "date", "grep", "mkdir", "rm", "sed", "sort", "tail", "touch", "tr")
STEPS: dict[str, tuple[Callable[[Party], object], dict[str, int]]] = {
    "lease": (Party.begin, {"awk": 3, "cat": 1, "chmod": 1, "date": 1, "grep": 1, "sed": 2, "tail": 6}),
    "upload": (Party.upload, {"date": 2, "rm": 3, "sed": 1, "tail": 2}),
    "roll": (Party.roll, {"cat": 1, "date": 3, "rm": 2, "sed": 1, "tail": 4}),
    "prepare": (Party.prepare, {"date": 2, "sed": 2, "sort": 1, "tail": 2}),
    "commit": (Party.commit, {"chmod": 1, "date": 2, "sed": 1, "tail": 2}),
    "finish": (Party.finish, {"date": 2, "rm": 1, "sed": 2, "sort": 1, "tail": 2}),
}


def count_programs(host: HostShell) -> Callable[[], dict[str, int]]:
    """From now on each of these programs is noted; what is returned tells which they were, and forgets them."""
    used = host.folder / "used"
    for name in COUNTED:
        # What `wait_alone` waits by is the heartbeat's
        host.program(name, f'#!/bin/sh\n[ "$1" = -f ] && [ "$2" = /dev/null ] || echo {name} >>{used}\n'
                           f'exec {shutil.which(name)} "$@"\n')

    def counted() -> dict[str, int]:
        found = Counter(used.read_text().split()) if used.exists() else Counter[str]()
        used.unlink(missing_ok=True)
        return dict(sorted(found.items()))

    return counted


def test_an_upgrade_starts_no_more_small_programs_than_it_needs(host: HostShell) -> None:
    Party(host, "d0", "p0").come_to("ended")
    host.docker(DOCKER)
    upgrade = Party(host)
    counted = count_programs(host)
    found = {}
    for name, (step, _) in STEPS.items():
        step(upgrade)
        found[name] = counted()
    assert found == {name: bound for name, (_, bound) in STEPS.items()}
