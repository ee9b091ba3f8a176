"""Controllers killed at random moments, one after the other, each followed by `lading deploy` alone."""

import random
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import cell
from scene import GOOD, HOSTS, TO, Red, Scene, healthy

KILLED = "killed"  # the `fault` of their cells; the phase says when, and how far the hosts were
LIMIT = 240.0  # seconds that a deployment may take


def row(scene: Scene, count: int, seed: int, note: Callable[[cell.Cell], None]) -> None:
    """Kill *count* deployments, each in the state that the one before left; the first that is red ends the row."""
    chance = random.Random(seed)
    scene.keep_alive("fast")
    version = cell.baseline(scene)
    ids = {host: scene.seen(host).ids for host in HOSTS}
    length = _undisturbed(scene, cell.other(version))
    version = cell.other(version)
    for number in range(count):
        moment, wanted = chance.uniform(0, length), chance.choice(GOOD)
        one = _kill(scene, cell.other(version), moment, wanted)
        if not one.red and number == count - 1:
            one = _look_at_the_end(scene, one, ids, wanted)
        note(one)
        if one.red:
            return
        version = wanted
    scene.settled = True


def _undisturbed(scene: Scene, version: str) -> float:
    """Seconds that a deployment takes by which everything is made anew."""
    begun = time.monotonic()
    done = scene.lading("deploy", "--version", version, "--to", TO, "--yes")
    if done.returncode:
        raise Red(f"without any fault: exit {done.returncode} {done.stdout[-600:]}{done.stderr[-600:]}")
    return time.monotonic() - begun


def _kill(scene: Scene, version: str, moment: float, wanted: str) -> cell.Cell:
    """A deployment of *version* that is killed after *moment* seconds; then *wanted* is deployed."""
    begun, takeover, red = time.monotonic(), None, ""
    killed = scene.begin("deploy", "--version", version, "--to", TO, "--yes")
    with suppress(subprocess.TimeoutExpired):
        killed.wait(moment)
    killed.kill()
    killed.communicate()
    where = f"after {moment:.1f} s ({', '.join(f'{host} {_reached(scene, host)}' for host in HOSTS)})"
    began = time.time()
    done = scene.lading("deploy", "--version", wanted, "--to", TO, "--yes", timeout=LIMIT)
    try:
        if done.returncode:
            raise Red(f"the next deploy did not end it: exit {done.returncode} {done.stdout[-600:]}{done.stderr[-600:]}")
        takeover = cell.took_over(scene, began)
        for host in HOSTS:
            if not healthy(scene.seen(host), wanted):
                raise Red(f"{host} ended with {scene.seen(host).web}, not healthy with {wanted}")
    except Red as wrong:
        red = str(wrong)
    said = "gone" if killed.returncode == -9 else f"exit {killed.returncode}"
    return cell.Cell(KILLED, where, said, "deploy", time.monotonic() - begun, red, takeover=takeover)


def _reached(scene: Scene, host: str) -> str:
    """The word of the last line in the app's journal on a host."""
    lines = scene.journal(host)
    return str(lines[-1]["kind"]) if lines else "nothing"


def _look_at_the_end(scene: Scene, one: cell.Cell, ids: dict[str, dict[str, str]], version: str) -> cell.Cell:
    try:
        cell.rest(scene, ids, version, judged=("store",))
    except Red as wrong:
        return replace(one, red=str(wrong))
    return one
