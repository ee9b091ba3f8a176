"""The faults: how each strikes and how it is healed, and in which phases it can matter, with the rule where it cannot."""

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from phases import RETRIES, TARGET, Phase
from scene import APP, BROKEN, GOOD, TO, Controller, Red, Scene, wait

ALL = ("resolve", "lease", "preflight", "pull", "upload", "hook", "roll", "up", "health", "prepare", "commit", "finish", "undo")
BEGUN = ALL[1:]
CHANGED = ("pull", "upload", "roll", "up", "prepare", "commit", "finish")


@dataclass(slots=True)
class Strike:
    """What a fault is given: the scene, the phase, the controller (None before the start)."""

    scene: Scene
    phase: Phase
    controller: Controller | None = None
    lock: sqlite3.Connection | None = None
    flapping: threading.Thread | None = None

    @property
    def pid(self) -> int:
        """The controller's process."""
        assert self.controller is not None
        return self.controller.process.pid


Act = Callable[[Strike], None]


def no(_: Strike) -> None:
    """Nothing is to be done."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. *early*: before the deployment is started; *strike*: in the phase; *after*: once the controller ended.

    *phases*: where it can matter, *rule* names why not elsewhere; *fast*: the one phase in which CI tries it; *slow*: the
    phases in which it is tried at the default keepalive too; *expected*: exit codes that are right, *results*: words;
    *dead*: the controller is gone and says nothing; *silent*: a host does not answer, so that a person may have to
    resume; *restarts*: a host or its engine starts anew, so that the next deployment may come too early; *overtaken*:
    another deployment has gone on when this one ends; *edits* of the Compose file; *version*: what is deployed instead of
    a good one; *replaces*: its deployment replaces the app's other service too.
    """

    name: str
    words: str
    phases: tuple[str, ...]
    fast: str
    strike: Act = no
    early: Act = no
    after: Act = no
    rule: str = ""
    slow: tuple[str, ...] = ()
    dead: bool = False
    silent: bool = False
    restarts: bool = False
    overtaken: bool = False
    expected: tuple[int, ...] = ()
    results: tuple[str, ...] = ()
    version: str = ""
    edits: tuple[tuple[str, str], ...] = ()
    replaces: bool = False


def _flaps(seconds: float, down: float, up: float) -> Act:
    """The link is cut and healed again and again; so long lasts the fault itself."""

    def strike(one: Strike) -> None:
        one.flapping = threading.Thread(target=_flap, args=(one, seconds, down, up))
        one.flapping.start()

    return strike


def _flap(one: Strike, seconds: float, down: float, up: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        one.scene.lab.cut(one.phase.host)
        time.sleep(down)
        one.scene.lab.heal(one.phase.host)
        time.sleep(up)


def _flapped(one: Strike) -> None:
    if one.flapping is not None:
        one.flapping.join()


def _killed(service: str) -> Act:
    return lambda one: one.scene.lab.kill(one.phase.host, service)


def _signalled(*numbers: signal.Signals) -> Act:
    def strike(one: Strike) -> None:
        for number in numbers:
            os.kill(one.pid, number)
            wait(lambda number=number: _taken(one.pid, number), "the signal was taken", 5)  # type: ignore[misc]

    return strike


def _taken(pid: int, number: signal.Signals) -> bool:
    """Whether a signal does not wait any more for its process."""
    try:
        facts = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    except OSError:
        return True
    return "Z" in facts["State"] or not (int(facts["ShdPnd"], 16) | int(facts["SigPnd"], 16)) >> (number - 1) & 1


def _gone_for_ever(one: Strike) -> None:
    _signalled(signal.SIGKILL)(one)
    one.scene.stranger()


def _registry_killed(one: Strike) -> None:
    one.scene.lab.registry("stop")


def _fill(one: Strike) -> None:
    one.scene.host(TARGET, "free=$(df -Pm /var/lib/docker | awk 'NR==2{print $4}'); until fallocate -l ${free}M /var/lib/docker/filler; do "
                           "free=$((free - 1)); [ $free -gt 0 ] || exit 1; done")


def _date_off(one: Strike) -> None:
    one.scene.host(TARGET, """printf '#!/bin/sh\\nexec /bin/date -d "1 hour ago" "$@"\\n' >/usr/local/bin/date; chmod 755 /usr/local/bin/date
[ "$(date +%s)" -lt "$(($(/bin/date +%s) - 3000))" ]""")


def _foreigner(one: Strike) -> None:
    one.scene.host(TARGET, f"docker network connect {APP}_front bystander")


def _foreigner_still_there(one: Strike) -> None:
    on = one.scene.host(TARGET, f"docker network inspect -f '{{{{range .Containers}}}}{{{{.Name}}}} {{{{end}}}}' {APP}_front")
    if "bystander" not in on:
        raise Red(f"the foreign container was not attached again: {on}")
    one.scene.host(TARGET, f"docker network disconnect {APP}_front bystander")


def _client_killed(one: Strike) -> None:
    one.scene.host(TARGET, "pkill -9 -f 'compose.* [u]p -d'")


def _operator(one: Strike) -> None:
    host = one.phase.host
    line = (f"cd / && for S in /var/lib/lading /home/deploy/.lading/*; do [ ! -f $S/apps/{APP}/compose ] || sh $S/apps/{APP}/compose up -d; done; "
            "docker image prune -f")
    one.scene.host(host, line, check=False)


def _small_ledger(one: Strike) -> None:
    one.scene.stranger()
    assert one.scene.home is not None
    state = one.scene.home / ".local/state"
    one.scene.lab.run("mkdir", "-p", str(state))
    one.scene.lab.run("mount", "-t", "tmpfs", "-o", "size=2M", "ledger", str(state))


def _ledger_full(one: Strike) -> None:
    assert one.scene.home is not None
    one.scene.lab.run("sh", "-c", f"head -c 8M /dev/zero >{one.scene.home}/.local/state/filler", check=False)


def _ledger_freed(one: Strike) -> None:
    assert one.scene.home is not None
    one.scene.lab.run("rm", "-f", f"{one.scene.home}/.local/state/filler")


def _stranger(one: Strike) -> None:
    one.scene.stranger()


def _lock(one: Strike) -> None:
    assert one.scene.home is not None
    one.lock = sqlite3.connect(one.scene.home / ".local/state/lading/ledger.db", isolation_level=None)
    one.lock.execute("BEGIN EXCLUSIVE")


def _unlock(one: Strike) -> None:
    if one.lock is not None:
        one.lock.close()


def _second(one: Strike) -> None:
    """Refused while the first lives, soon, and by its name."""
    begun = time.monotonic()
    done = one.scene.lading("deploy", "--version", one.scene.coming, "--to", TO, "--yes")
    took, told = time.monotonic() - begun, done.stderr + done.stdout
    assert one.controller is not None
    if done.returncode != 4 or one.controller.deployment not in told:
        raise Red(f"a second controller was not refused by the name of {one.controller.deployment}: "
                  f"exit {done.returncode}\n{told[-1000:]}")
    if took > REFUSED + SLACK:
        raise Red(f"a second controller was refused after {took:.0f} s only")


def _overtaken(one: Strike) -> None:
    """Frozen; the next deployment takes over by itself; then it wakes."""
    os.kill(one.pid, signal.SIGSTOP)
    one.phase.release(one.scene)
    done = one.scene.lading("deploy", "--version", _other(one), "--to", TO, "--yes")
    os.kill(one.pid, signal.SIGCONT)
    if done.returncode:
        raise Red(f"who took over did not succeed: {done.stdout[-800:]}{done.stderr[-800:]}")


def _other(one: Strike) -> str:
    """The version from which the frozen one came."""
    return next(version for version in GOOD if version != one.scene.coming)


def _dies(one: Strike) -> None:
    """The container of the new version, and Docker does not start it again."""
    one.scene.host(one.phase.host, f"docker kill $(docker ps -q --filter name=^{APP}-web)")


def _on(line: str) -> Act:
    """A line of shell on the target."""

    def act(one: Strike) -> None:
        one.scene.host(TARGET, line, check=False)

    return act


def _cut(one: Strike) -> None:
    one.scene.lab.cut(one.phase.host)


def _drop(one: Strike) -> None:
    one.scene.lab.drop(one.phase.host)


def _heal(one: Strike) -> None:
    one.scene.lab.heal(one.phase.host)


def _off(one: Strike) -> None:
    one.scene.lab.off(one.phase.host)


def _switch_on(one: Strike) -> None:
    one.scene.lab.on(one.phase.host)


def _registry_back(one: Strike) -> None:
    one.scene.lab.registry("start")


KILL, TERM, INT, HUP = signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP
REFUSED = 12.0  # seconds after which whoever comes while another works has been refused
SLACK = 12.0  # seconds more that a busy machine takes to start lading, read the project and look at the hosts
NETWORK = (("networks: {front: {}}", "networks: {front: {labels: {changed: 'yes'}}}"),)
CLEAR = ("succeeded", "rolled_back", "failed", "refused")  # an end that leaves nothing open, on hosts that all say the same
RULES: Mapping[str, str] = {
    "host": "Over before the first connection: nothing is different.",
    "begun": "Nothing is stored and no host contacted: there is nothing to end.",
    "registry": "The registry is asked in resolve and in pull only; undo is struck to prove that it needs none.",
    "disk": "Images are written in pull only; a disk that is full before it is refused in preflight (tests/unit/engines/test_preflight.py).",
    "whole": "Present from the start to the end: one deployment goes through every phase with it.",
    "version": "A version shows what it is while its health is waited for; undo follows from it, and is struck by the other faults.",
    "network": "A network is changed in roll only.",
    "client": "It needs a recreate that is under way; the `up` of an undo is the same script.",
    "operator": "Before the first change the operator's `up` has nothing to change; inside a recreate it is the operator's that fails.",
    "closed": "To lading a closed terminal is the first Ctrl-C, which is struck in every phase.",
    "ledger": "In between, nothing is changed that the ledger must know of first.",
    "locked": "To lading a locked ledger is one that cannot be written, as a full disk; it only takes longer to say so.",
    "two": "The second comes where the first holds its lease; before, there is one.",
    "frozen": "As in a phase beside it: what runs on a host when its controller falls silent goes on, or is ended, by itself.",
    "died": "Before prepare it is the new version's health, which is judged (*new version crashes at once*).",
}
FAULTS = (
    Fault("cut", "host's link cut for ever", ALL, "roll", _cut, after=_heal, silent=True, slow=CHANGED),
    Fault("cut-4s", "host's link cut for 4 s", BEGUN, "up", _flaps(1, 4, 0), after=_flapped, rule="host", results=CLEAR, slow=BEGUN),
    Fault("flap", "host's link flaps for 30 s (3 s cut, 2 s not)", BEGUN, "prepare", _flaps(30, 3, 2), after=_flapped, rule="host",
          results=CLEAR, slow=BEGUN),
    Fault("half-open", "packets dropped, no reset", ALL, "upload", _drop, after=_heal, silent=True, slow=CHANGED),
    Fault("power", "host powered off, later on", ALL, "health", _off, after=_switch_on, silent=True, restarts=True),
    Fault("dockerd", "dockerd killed", BEGUN, "up", _killed("dockerd"), rule="host", restarts=True),
    Fault("containerd", "containerd killed", BEGUN, "health", _killed("containerd"), rule="host", restarts=True),
    Fault("disk", "disk filled in mid-pull", ("pull",), "pull", _fill, after=_on("rm -f /var/lib/docker/filler"), rule="disk",
          results=("failed",)),
    Fault("date", "host's `date` an hour off", ("resolve",), "resolve", early=_date_off, after=_on("rm /usr/local/bin/date"),
          rule="whole", expected=(0,)),
    Fault("crash", "new version crashes at once", ("health",), "health", version=BROKEN, rule="version", results=("rolled_back",)),
    Fault("sick", "new version never healthy", ("health",), "health", edits=RETRIES, rule="version", results=("rolled_back",)),
    Fault("died", "new version's container killed after it was healthy", ("prepare", "commit", "finish"), "prepare", _dies,
          rule="died"),
    Fault("registry", "registry killed", ("resolve", "pull", "undo"), "pull", _registry_killed, after=_registry_back, rule="registry"),
    Fault("foreign", "foreign container on a network that changes", ("roll",), "roll", _foreigner, edits=NETWORK, rule="network",
          after=_foreigner_still_there, expected=(0,), replaces=True),
    Fault("client", "client of `up` killed inside a recreate", ("up",), "up", _client_killed, rule="client"),
    Fault("operator", "operator's `docker compose up` and `docker image prune -f`",
          ("roll", "health", "prepare", "commit", "finish", "undo"), "prepare", _operator, rule="operator"),
    Fault("SIGKILL", "controller killed", BEGUN, "up", _signalled(KILL), rule="begun", dead=True),
    Fault("gone", "controller and its ledger gone for ever", BEGUN, "commit", _gone_for_ever, rule="begun", dead=True),
    Fault("SIGTERM", "controller told to stop", BEGUN, "hook", _signalled(TERM), rule="begun", results=CLEAR),
    Fault("SIGINT", "Ctrl-C", BEGUN, "health", _signalled(INT), rule="begun", results=CLEAR),
    Fault("SIGINT-2", "Ctrl-C twice", BEGUN, "roll", _signalled(INT, INT), rule="begun", dead=True, expected=(130,)),
    Fault("SIGHUP", "controller's terminal closed", ("lease", "roll", "health", "prepare", "commit", "undo"), "roll", _signalled(HUP),
          rule="closed", results=CLEAR),
    Fault("ledger-full", "ledger's disk full", ("lease", "upload", "roll", "prepare", "commit", "finish", "undo"), "roll", _ledger_full,
          early=_small_ledger, after=_ledger_freed, rule="ledger"),
    Fault("ledger-locked", "ledger's file locked", ("roll", "prepare", "commit"), "commit", _lock, early=_stranger, after=_unlock,
          rule="locked"),
    Fault("two", "two controllers at once", ("preflight", "up", "health", "prepare", "commit", "finish", "undo"), "health", _second,
          rule="two", results=("succeeded", "rolled_back")),
    Fault("frozen", "controller frozen, overtaken, then woken", ("preflight", "roll", "health", "prepare", "commit", "finish", "undo"), "roll",
          _overtaken, rule="frozen", overtaken=True),
)
