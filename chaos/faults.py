"""The faults: how each strikes and how it is healed, and in which phases it can matter, with the rule where it cannot."""

import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from phases import RETRIES, TARGET, Phase
from scene import APP, BROKEN, Controller, Red, Scene, wait

ALL = ("resolve", "lease", "preflight", "upload", "pull", "hook", "roll", "up", "health", "commit", "undo")
BEGUN = ALL[1:]


@dataclass(slots=True)
class Strike:
    """What a fault is given: the scene, the phase, the controller (None before the start)."""

    scene: Scene
    phase: Phase
    controller: Controller | None = None
    lock: sqlite3.Connection | None = None

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

    *phases*: where it can matter, *rule* names why not elsewhere; *fast*: the one phase in which CI tries it; *expected*: exit codes that are right; *dead*: the controller is gone and says nothing; *edits* of the Compose file;
    *version*: what is deployed instead of a good one; *replaces*: its deployment replaces the app's other service too.
    """

    name: str
    words: str
    phases: tuple[str, ...]
    fast: str
    strike: Act = no
    early: Act = no
    after: Act = no
    rule: str = ""
    dead: bool = False
    expected: tuple[int, ...] = ()
    version: str = ""
    edits: tuple[tuple[str, str], ...] = ()
    replaces: bool = False


def _cut_shortly(one: Strike) -> None:
    one.scene.lab.cut(one.phase.host)
    threading.Timer(4, one.scene.lab.heal, [one.phase.host]).start()  # the fault itself lasts so long


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
    done = one.scene.lading("deploy", "--version", "2", "--to", "web1,web2", "--yes")
    if done.returncode not in (4, 5) or ("held" not in done.stderr + done.stdout and "still runs" not in done.stderr + done.stdout):
        raise Red(f"a second controller was not refused: exit {done.returncode}\n{done.stdout[-500:]}{done.stderr[-500:]}")


def _overtaken(one: Strike) -> None:
    """Frozen; somebody else waits for the lease to expire, or takes it; then it wakes."""
    os.kill(one.pid, signal.SIGSTOP)
    took = [] if one.phase.name == "preflight" else ["--take-lease"]

    def other() -> bool:
        done = one.scene.lading("deploy", "--version", _other(one), "--to", "web1,web2", "--yes", *took)
        if done.returncode not in (0, 4):
            raise Red(f"who took over did not succeed: {done.stdout[-800:]}{done.stderr[-800:]}")
        return done.returncode == 0

    wait(other, "the lease expires and is taken over", 150)
    os.kill(one.pid, signal.SIGCONT)


def _other(one: Strike) -> str:
    tags = {tag for tag, _ in one.scene.seen("web1").web}
    return "1" if tags == {"1"} else "2"


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
NETWORK = (("networks: {front: {}}", "networks: {front: {labels: {changed: 'yes'}}}"),)
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
    "frozen": "While a command of the frozen one runs on a host its lock is held, and nobody takes over (as with a second controller).",
}
FAULTS = (
    Fault("cut", "host's link cut for ever", ALL, "roll", _cut, after=_heal),
    Fault("cut-4s", "host's link cut for 4 s", BEGUN, "up", _cut_shortly, after=_heal, rule="host"),
    Fault("half-open", "packets dropped, no reset", ALL, "upload", _drop, after=_heal),
    Fault("power", "host powered off, later on", ALL, "health", _off, after=_switch_on),
    Fault("dockerd", "dockerd killed", BEGUN, "up", _killed("dockerd"), rule="host"),
    Fault("containerd", "containerd killed", BEGUN, "health", _killed("containerd"), rule="host"),
    Fault("disk", "disk filled in mid-pull", ("pull",), "pull", _fill, after=_on("rm -f /var/lib/docker/filler"), rule="disk"),
    Fault("date", "host's `date` an hour off", ("resolve",), "resolve", early=_date_off, after=_on("rm /usr/local/bin/date"),
          rule="whole", expected=(0,)),
    Fault("crash", "new version crashes at once", ("health",), "health", version=BROKEN, rule="version", expected=(5,)),
    Fault("sick", "new version never healthy", ("health",), "health", edits=RETRIES, rule="version", expected=(5,)),
    Fault("registry", "registry killed", ("resolve", "pull", "undo"), "pull", _registry_killed, after=_registry_back, rule="registry"),
    Fault("foreign", "foreign container on a network that changes", ("roll",), "roll", _foreigner, edits=NETWORK, rule="network",
          after=_foreigner_still_there, expected=(0,), replaces=True),
    Fault("client", "client of `up` killed inside a recreate", ("up",), "up", _client_killed, rule="client"),
    Fault("operator", "operator's `docker compose up` and `docker image prune -f`", ("roll", "health", "commit", "undo"), "commit", _operator,
          rule="operator"),
    Fault("SIGKILL", "controller killed", BEGUN, "up", _signalled(KILL), rule="begun", dead=True),
    Fault("gone", "controller and its ledger gone for ever", BEGUN, "commit", _gone_for_ever, rule="begun", dead=True),
    Fault("SIGTERM", "controller told to stop", BEGUN, "hook", _signalled(TERM), rule="begun"),
    Fault("SIGINT", "Ctrl-C", BEGUN, "health", _signalled(INT), rule="begun"),
    Fault("SIGINT-2", "Ctrl-C twice", BEGUN, "roll", _signalled(INT, INT), rule="begun", dead=True, expected=(130,)),
    Fault("SIGHUP", "controller's terminal closed", ("lease", "roll", "health", "commit", "undo"), "roll", _signalled(HUP), rule="closed"),
    Fault("ledger-full", "ledger's disk full", ("lease", "upload", "roll", "commit", "undo"), "roll", _ledger_full, early=_small_ledger,
          after=_ledger_freed, rule="ledger"),
    Fault("ledger-locked", "ledger's file locked", ("roll", "commit"), "commit", _lock, early=_stranger, after=_unlock, rule="locked"),
    Fault("two", "two controllers at once", ("preflight", "upload", "up", "health", "commit", "undo"), "up", _second, rule="two", expected=(0, 5)),
    Fault("frozen", "controller frozen past its lease, then woken", ("preflight", "roll", "commit"), "roll", _overtaken, rule="frozen",
          expected=(4, 5)),
)
