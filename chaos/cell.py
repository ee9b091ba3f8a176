"""One cell of the matrix: strike, let it end, judge what was said, end it with no hand work, see what is left."""

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from faults import Fault, Strike, no
from phases import Phase
from scene import APP, GOOD, HOSTS, Controller, Red, Scene, healthy

TO = ",".join(HOSTS)


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell gave: *said* in a word or two by the struck controller, *path* = what ended it, *red* = why it is red."""

    fault: str
    phase: str
    said: str
    path: str
    seconds: float
    red: str = ""


def run(scene: Scene, fault: Fault, phase: Phase) -> Cell:
    """Try *fault* in *phase*; the scene is usable afterwards, if lading is."""
    begun = time.monotonic()
    said, path, red = "", "", ""
    try:
        old = baseline(scene)
        ids = {host: scene.seen(host).ids for host in HOSTS}
        said = struck(scene, fault, phase, old)
        path = " ".join(finish(scene, other(old)))
        rest(scene, ids, other(old), judged=() if fault.replaces else ("store",))
        scene.settled = not fault.edits
    except Red as wrong:
        red = str(wrong)
    except (AssertionError, OSError, ValueError) as wrong:
        red = f"{type(wrong).__name__}: {wrong}"
    finally:
        tidy(scene, broken=bool(red))
    return Cell(fault.name, phase.name, said, path, time.monotonic() - begun, red)


def baseline(scene: Scene) -> str:
    """Both hosts healthy with one good version, the usual Compose file; that version."""
    scene.home = None
    tags = {tag for host in HOSTS for tag, _ in scene.seen(host).web}
    version = tags.pop() if len(tags) == 1 and tags <= set(GOOD) else GOOD[0]
    scene.compose()
    if not scene.settled:
        finish(scene, version)
    scene.settled = False
    for host in HOSTS:
        if not healthy(scene.seen(host), version):
            raise Red(f"before the strike {host} was not healthy with {version}: {scene.seen(host).web}")
    return version


def other(version: str) -> str:
    """The good version that is not *version*."""
    return next(one for one in GOOD if one != version)


def struck(scene: Scene, fault: Fault, phase: Phase, old: str) -> str:
    """The deployment with its fault, to its end and with the fault healed; in a word what the controller said."""
    one = Strike(scene, phase)
    version = fault.version or other(old)
    fault.early(one)
    phase.prepare(scene)
    if fault.edits or phase.edits:
        scene.compose(*fault.edits, *phase.edits)
    try:
        if phase.hold is None:
            fault.strike(one)
        if phase.hold is None or fault.strike is no:  # it is there all the time
            controller = one.controller = scene.start(version)
        else:
            controller = one.controller = scene.start(version, phase.hold)
            controller.held()
            if phase.ripen is not None:
                phase.ripen(scene, controller.go)
            fault.strike(one)
            controller.go()
            phase.release(scene)
        code, said = controller.end()
    finally:
        fault.after(one)
        phase.release(scene)
    if phase.edits or fault.strike is no:
        scene.compose()
    return judged(scene, fault, code, said, old, version)


def judged(scene: Scene, fault: Fault, code: int, said: Mapping[str, Any], old: str, new: str) -> str:
    """Whether what was said is so; in a word.

    Raises:
        Red: a mix without a report, or a report that is not true.
    """
    tags = {host: [tag for tag, _ in scene.seen(host).web] for host in HOSTS}
    if fault.expected and code not in fault.expected:
        raise Red(f"exit {code}, expected {fault.expected}: {said}")
    if "ended" in said:
        return _report(said["ended"], tags, old, new)
    if "error" in said:
        if any(have != [old] for have in tags.values()):
            raise Red(f"refused, and yet {tags} (before: {old}): {said}")
        return f"refused ({said['error']['kind']})"
    if not fault.dead:
        raise Red(f"the controller was gone with exit {code} and said nothing")
    if any(have != [old] for have in tags.values()) and scene.lading("drift", APP).returncode == 0:
        raise Red(f"{tags} (before: {old}), and `drift` finds nothing")
    return "gone"


def _report(ended: Mapping[str, Any], tags: Mapping[str, list[str]], old: str, new: str) -> str:
    result = str(ended["result"])
    right = {"succeeded": [new], "rolled_back": [old], "untouched": [old], "unchanged": [old]}
    for host, outcome in ended["hosts"].items():
        wanted = right.get(outcome["result"])
        if wanted is not None and outcome["release"] and tags[host] != wanted:
            raise Red(f"{host} is said to be {outcome['result']}, but has {tags[host]} (before: {old}, asked for: {new}): {ended}")
    words = {outcome["result"] for outcome in ended["hosts"].values()}
    if result in ("succeeded", "rolled_back", "failed") and words & {"unknown", "failed"}:
        raise Red(f"{result} as a whole, and {words} by hosts: {ended}")
    return result


def finish(scene: Scene, version: str, limit: float = 150) -> list[str]:
    """Deploy *version*; where that is refused because a lease is held, resume as the hint says; the commands that it took.

    Raises:
        Red: it does not end with no more than these two commands.
    """
    until, path = time.monotonic() + limit, list[str]()
    while True:
        done = scene.lading("deploy", "--version", version, "--to", TO, "--yes")
        if done.returncode == 0:
            return [*path, "deploy"]
        told = f"deploy: exit {done.returncode} {done.stdout[-600:]}{done.stderr[-600:]}"
        if f"lading resume {APP}" in done.stderr + done.stdout:
            resumed = scene.lading("resume", APP)
            told += f"\nresume: exit {resumed.returncode} {resumed.stdout[-600:]}{resumed.stderr[-600:]}"
            path = [*path, "resume"] if "resume" not in path else path
        if time.monotonic() > until:
            raise Red(f"not ended by deploy and resume within {limit:.0f} s; last: {told}")


def rest(scene: Scene, ids: Mapping[str, Mapping[str, str]], version: str, judged: tuple[str, ...]) -> None:
    """All is as it should be: healthy, no drift, nothing left over, nothing else touched, the ledger whole.

    Raises:
        Red: it is not.
    """
    for host in HOSTS:
        seen = scene.seen(host)
        if not healthy(seen, version):
            raise Red(f"{host} ended with {seen.web}, not healthy with {version}")
        for name in ("bystander", *judged):
            if seen.ids.get(name) != ids[host].get(name):
                raise Red(f"{name} on {host} is another container: {ids[host].get(name)} → {seen.ids.get(name)}")
        _nothing_left(scene, host)
    for words in (("drift", APP), ("ledger", "verify")):
        done = scene.lading(*words)
        if done.returncode:
            raise Red(f"lading {' '.join(words)}: exit {done.returncode}\n{done.stdout[-800:]}{done.stderr[-800:]}")


def _nothing_left(scene: Scene, host: str) -> None:
    until = time.monotonic() + 30  # a cancelled command has some seconds to end
    while left := scene.left(host):
        if time.monotonic() > until:
            raise Red(f"left on {host}: {left}")


def tidy(scene: Scene, *, broken: bool) -> None:
    """Whatever a cell left open, also a red one: gates, wires, processes."""
    for one in scene.running:
        _end(one)
    scene.running.clear()
    if not broken:
        return
    with contextlib.suppress(AssertionError):
        scene.lab.up(len(HOSTS), "--no-staging", "--fast-keepalive", "--small-disk", "web2=1G")
        for host in HOSTS:
            scene.host(host, "rm -f /srv/gate/* /usr/local/bin/date /var/lib/docker/filler", check=False)


def _end(one: Controller) -> None:
    if one.process.poll() is None:
        one.process.kill()
        one.process.communicate()
