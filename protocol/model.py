"""An executable model of lading's deployment protocol: leases, fences, journals, commit in two steps, takeover.

Hosts are passive: they run one short script at a time under `op.lock`. Controllers send scripts and wait for answers; an
answer may be lost after its effect, a script may start long after it was sent, a controller may die or sleep for ever
(it is then simply not chosen any more). Time is not modelled: a lease may expire at any moment, which allows more than
any clock does. One app, every deployment on all hosts, one batch per host.

`RULES` names the rules that the texts lack or leave open; each can be taken away, and explore.py then finds the
counterexample. `table` is the decision function and may serve as an oracle for the real one.
"""

import random

RULES = {
    "sync": "the lease is synced before its fence is used, and a fence is higher than every one in the journal",
    "open": "begin is refused, in the lease script, while another deployment is open on this host",
    "bar": "(not needed) whoever takes over a deployment that a host never began has it barred there, synced; begin is refused then",
    "confirm": "after the last lease was taken every held host is asked once more: all still mine, else nothing is decided",
    "phase": "a script checks its own host's journal: stage needs begun … commit needs prepared; undo refuses committed",
    "quiet": "whoever finds an intent without result waits until the engine is quiet, its own deployment's too",
    "retake": "after a lost answer or a failure: take every lease anew (fence + 1), read, decide by the table",
    "left": "a lease that is given back without an end leaves the deployment open (no `ended`)",
    "live": "a lease that lives is taken only by the process that holds it, not by anybody with the same deployment id",
    "prepared": "all prepared: forward, whatever was asked for (stop, undo) and whatever runs",
    "all": "forward only if every participant that answers is prepared or committed; else contradiction, nothing is sent",
    "close": "`committed` does not close: `ended` does, after `current` and after the second start of dead services",
    "ledger": "of the ledger only a decision to commit counts; one to undo never outranks a host",
    "proof": "(option) an answering host that is not prepared proves that nothing was decided: undo, though one is silent",
}
FRESH, DONE = ("begun", "staged", "rolling", "rolled", "failed"), ("undone", "ended")
NEED = {"stage": ("begun", "staged"), "roll": ("staged", "rolling", "rolled", "failed"), "prepare": ("rolled", "prepared"),
        "commit": ("prepared", "committed"), "finish": ("committed",), "undo": (*FRESH, "prepared", "undoing"),
        "close": ("begun", "staged", "undoing"), "leave": (*FRESH, "prepared", "undoing", "committed"), "confirm": (*FRESH, "prepared", "undoing", "committed")}
LONG = {"roll", "undo", "commit"}  # scripts of two steps: a crash, a kill or a reader may come between them
NOBODY = (0, 0, -1, False)  # lease: deployment, fence, holder (a controller), alive
TRIES = 9  # as often a controller takes all leases anew; the product counts seconds: all that is asked ends, or does not, in time


class Broken(Exception):
    """An invariant does not hold."""


class Copied:
    """Something of plain fields that can be copied fast and compared as a tuple."""

    __slots__ = ()

    def copy(self):
        new = object.__new__(type(self))
        for name in self.__slots__:
            value = getattr(self, name)
            setattr(new, name, dict(value) if type(value) is dict else value)
        return new

    def key(self):
        return tuple(tuple(sorted(v.items())) if type(v) is dict else v for v in (getattr(self, n) for n in self.__slots__))


class Host(Copied):
    """One host: what is on its disk (lease, journal), what runs, and what the checker remembers of it."""

    __slots__ = ("acted", "current", "disk", "given", "journal", "lease", "open", "pending", "runs", "script", "sick", "staged", "top")

    def __init__(self):
        self.lease, self.disk, self.top = NOBODY, NOBODY, 0  # disk: what a power cut would bring back; top: highest fence synced
        self.journal, self.open, self.current = {}, 0, 0     # journal: deployment → its last record
        self.runs, self.sick, self.pending = 0, False, None  # pending: what the engine still does for a script that is dead
        self.script, self.acted, self.given, self.staged = None, 0, 0, ()  # acted, given: highest fence that changed, was handed out


class Controller(Copied):
    """A process: where it is in its story, what it asked which host, what it was answered."""

    __slots__ = ("alive", "at", "dep", "fence", "mine", "over", "phase", "report", "serial", "stop", "tries", "unwell", "wait")

    def __init__(self, work):
        self.alive, self.at, self.mine, self.dep, self.over = True, "look", work, 0, False
        self.fence, self.wait, self.phase = {}, {}, {}
        self.stop, self.tries, self.serial, self.report, self.unwell = False, 0, 0, "", False


class World:
    """Everything; `actions` lists what may happen next, `do` lets it happen and checks it."""

    def __init__(self, a):
        self.rules, self.liar, self.shared = a.rules, a.liar, a.shared
        self.hosts = [Host() for _ in range(a.hosts)]
        self.controllers = [Controller(a.deploys) for _ in range(a.controllers)]
        self.ledger = [frozenset()] * a.controllers  # (deployment, "commit" | "undo")
        self.down, self.net, self.faults, self.next, self.decided = frozenset(), (), a.faults, 1, frozenset()

    def copy(self):
        new = object.__new__(World)
        new.__dict__.update(self.__dict__)
        new.hosts, new.controllers = [h.copy() for h in self.hosts], [c.copy() for c in self.controllers]
        new.ledger = list(self.ledger)
        return new

    def key(self):
        return hash((tuple(h.key() for h in self.hosts), tuple(c.key() for c in self.controllers), tuple(self.ledger), self.down,
                     self.net, self.faults, self.decided))

    def actions(self):
        out = []
        for c, ctl in enumerate(self.controllers):
            if ctl.alive and ctl.at != "end" and not any(w == "sent" for w, _ in ctl.wait.values()):
                out.append(("think", c))
        for i, (c, h, kind, *_) in enumerate(self.net):
            host = self.hosts[h]
            if host.script is None and not (host.pending and self.waits_for_quiet(host, kind, self.net[i][3])):
                out.append(("start", i))
        for h, host in enumerate(self.hosts):
            if host.script is not None:
                out.append(("finish", h))
            if host.pending:
                out.append(("engine", h))
            if host.lease[3]:
                out.append(("expire", h))
        out += [("heal", *pair) for pair in sorted(self.down)]
        if self.faults:
            for c, ctl in enumerate(self.controllers):
                if ctl.alive and ctl.at != "end":
                    out += [("die", c)] + ([] if ctl.stop else [("ctrl-c", c)])
                    out += [("cut", c, h) for h in range(len(self.hosts)) if (c, h) not in self.down]
            for h, host in enumerate(self.hosts):
                if host.journal:
                    out += [("power cut", h), ("restart", h)] + ([] if host.sick else [("service dies", h)])
                if host.script is not None and host.script[2] in ("roll", "undo"):
                    out += [("script killed", h), ("engine fails", h)]
        return out

    def waits_for_quiet(self, host, kind, dep):
        if "quiet" in self.rules:
            return kind in ("take", "begin", "roll", "undo", "prepare", "close")
        return kind in ("take", "begin") and host.lease[0] not in (0, dep)  # as src/lading/commands/files.py QUIET

    def do(self, action):
        name, *args = action
        if name in ("die", "ctrl-c", "cut", "power cut", "restart", "service dies", "script killed", "engine fails"):
            self.faults -= 1
        getattr(self, "on_" + name.replace(" ", "_").replace("-", "_"))(*args)

    def on_die(self, c):
        self.controllers[c].alive = False

    def on_ctrl_c(self, c):
        self.controllers[c].stop = True

    def on_cut(self, c, h):
        """The link goes; a command that was sent may run all the same, now or much later."""
        self.down |= {(c, h)}
        wait = self.controllers[c].wait
        if wait.get(h, ("",))[0] == "sent":
            wait[h] = ("lost", None)

    def on_heal(self, c, h):
        self.down -= {(c, h)}

    def on_expire(self, h):
        self.hosts[h].lease = (*self.hosts[h].lease[:3], False)

    def on_power_cut(self, h):
        """Boot id new, scripts and engine work gone; what was not synced may be gone too."""
        self.restart(h, self.hosts[h].lease if "sync" in self.rules else self.hosts[h].disk, False)

    def on_restart(self, h):
        """A container-style restart: same boot id, disk as it was; the lease may still look alive."""
        self.restart(h, self.hosts[h].lease, self.hosts[h].lease[3])

    def restart(self, h, lease, alive):
        host = self.hosts[h]
        self.answer(host.script or (0, -1, "", 0, 0, 0), ("lost", None))
        host.script = host.pending = None
        host.lease = host.disk = (*lease[:3], alive)

    def on_service_dies(self, h):
        self.hosts[h].sick = True

    def on_script_killed(self, h):
        """Its time-out, or the OOM killer: op.lock is free, the engine goes on with what it was told."""
        host = self.hosts[h]
        c, _, kind, dep, fence, _ = host.script
        host.pending = (kind, dep, fence)
        self.answer(host.script, ("failed", None))
        host.script = None

    def on_engine_fails(self, h):
        host = self.hosts[h]
        self.change(h, host.script)
        host.sick = True
        if host.script[2] == "roll":
            host.journal[host.script[3]] = "failed"
        self.answer(host.script, ("failed", None))
        host.script = None

    def on_engine(self, h):
        kind, dep, fence = self.hosts[h].pending
        self.hosts[h].pending = None
        self.change(h, (None, h, kind, dep, fence, 0))

    def answer(self, command, word):
        c, h, _, _, _, serial = command
        wait = self.controllers[c].wait
        if wait.get(h) == ("sent", serial):
            wait[h] = ("lost", None) if (c, h) in self.down else word

    def on_start(self, i):
        """A script gets op.lock, checks its lease and its journal, and does its first step."""
        command = self.net[i]
        self.net = self.net[:i] + self.net[i + 1:]
        c, h, kind, dep, fence, _ = command
        host = self.hosts[h]
        if h == self.liar:  # it answers what it likes; its own containers are its own affair
            word = random.choice(("begun", "rolled", "prepared", "committed", "undone", None))
            return self.answer(command, ("ok", (9, word) if kind in ("take", "begin") else None))
        if kind in ("take", "begin"):
            return self.answer(command, self.take(host, c, kind, dep))
        if host.lease[:2] != (dep, fence):
            return self.answer(command, ("fenced", None))
        if ("open" in self.rules and host.open != dep) or ("phase" in self.rules and host.journal.get(dep) not in NEED[kind]):
            return self.answer(command, ("refused", host.journal.get(dep)))
        host.lease = (*host.lease[:3], True)
        journal = host.journal
        if kind == "stage":
            journal[dep] = "staged"
            host.staged = (*host.staged, dep)
        elif kind == "prepare":
            if host.sick or host.runs != dep:
                return self.answer(command, ("failed", None))
            journal[dep] = "prepared"
        elif kind == "confirm":
            pass
        elif kind == "finish":
            self.close(host, dep, "ended")
        elif kind == "close":
            self.close(host, dep, "undone")
        elif kind == "leave":
            host.lease = (0, *host.lease[1:3], False)
        else:
            if kind == "commit":
                self.check(dep in self.decided or self.liar >= 0, f"I3: host {h} commits {dep}, which nobody decided")
                self.check(journal.get(dep) in ("prepared", "committed"), f"I3: host {h} commits {dep} without having prepared it")
                self.check("undone" not in [o.journal.get(dep) for o in self.hosts], f"I2: host {h} commits {dep}, which another undid")
                if "close" not in self.rules:
                    host.open = 0
            journal[dep] = {"roll": "rolling", "undo": "undoing", "commit": "committed"}[kind]
            if kind == "undo":
                if self.liar < 0:
                    self.check(dep not in self.decided, f"I2: host {h} undoes {dep}, which was decided to be committed")
                    self.check(not any(o.journal.get(dep) in ("committed", "ended") for o in self.hosts),
                               f"I2: host {h} undoes {dep}, which another committed")
                self.check(host.current != dep, f"I7: host {h} undoes {dep} after its own commit")
            host.script = command
            return None
        return self.answer(command, ("ok", kind == "finish" and host.sick))  # dead services were started once more: told if in vain

    def take(self, host, c, kind, dep):
        """The lease script: refuse, or fence + 1; answers with the last record of *dep* here."""
        holder_lives = host.lease[3] and host.lease[2] != c
        if holder_lives and ("live" in self.rules or host.lease[0] != dep):
            return ("held", host.journal.get(dep))
        known = host.journal.get(dep)
        if kind == "take" and known is None and "bar" in self.rules:
            known = host.journal[dep] = "undone"
        if kind == "take" and (known is None or known in DONE or (host.open != dep and "open" in self.rules)):
            return ("ok", (0, known))  # nothing to hold here: it counts as what it is
        if ("open" in self.rules and host.open not in (0, dep)) or ("bar" in self.rules and known in DONE):
            return ("refused", known)
        fence = max(host.lease[1], host.top if "sync" in self.rules else 0) + 1
        self.check(fence > host.given, f"I1: fence {fence} is handed out twice, to {host.lease[2]} and {c}")
        host.disk, host.given = host.lease, fence
        host.lease, host.top = (dep, fence, c, True), max(fence, host.top)
        if kind == "begin" and known is None:
            host.journal[dep], host.open = "begun", dep
        return ("ok", (fence, host.journal.get(dep)))

    def close(self, host, dep, word):
        host.journal[dep] = word
        host.open = 0 if host.open == dep else host.open
        host.lease = (0, *host.lease[1:3], False)

    def on_finish(self, h):
        """The second step: containers change, or `current`; then the result is written and told."""
        host, command = self.hosts[h], self.hosts[h].script
        kind, dep = command[2], command[3]
        host.script = None
        if kind == "commit":
            host.current = dep
            if "close" not in self.rules:
                host.lease = (0, *host.lease[1:3], False)
        else:
            self.change(h, command)
            if kind == "roll":
                host.journal[dep] = "rolled"
        self.answer(command, ("ok", host.sick))

    def change(self, h, command):
        host = self.hosts[h]
        _, _, kind, dep, fence, _ = command
        self.check(fence >= host.acted, f"I1: fence {fence} changes host {h} after fence {host.acted} did")
        self.check(host.script in (None, command), f"I1: two change host {h} at once")
        host.acted, host.sick = max(fence, host.acted), False
        host.runs = dep if kind == "roll" else host.current
        if kind == "roll":
            self.check(dep in host.staged, f"I7: host {h} runs {dep} that was not staged there")
            self.check(host.journal.get(dep) not in DONE, f"I4: {dep} comes back on host {h} after it was ended there")

    def send(self, c, kind, hosts):
        """Send one script to each of *hosts* and wait for all."""
        ctl = self.controllers[c]
        ctl.serial += 1
        for h in hosts:
            if (c, h) in self.down:
                ctl.wait[h] = ("lost", None)
            else:
                ctl.wait[h] = ("sent", ctl.serial)
                self.net = (*self.net, (c, h, kind, ctl.dep, ctl.fence.get(h, 0), ctl.serial))

    def go(self, c, at, kind="", hosts=()):
        """On to *at*, with *kind* sent to *hosts*; without any host the next thought follows at once."""
        ctl = self.controllers[c]
        ctl.at, ctl.wait = at, {}
        self.send(c, kind, hosts)

    def on_think(self, c):
        ctl = self.controllers[c]
        answers = {h: w for h, (w, _) in ctl.wait.items()}
        getattr(self, "at_" + ctl.at)(c, ctl, answers, all(w == "ok" for w in answers.values()))

    def at_look(self, c, ctl, answers, well):
        """A look without a lease: it only finds out which deployment to take up, it decides nothing."""
        seen = [h for h in range(len(self.hosts)) if (c, h) not in self.down]
        found = {self.hosts[h].open for h in seen if self.hosts[h].open}
        ctl.over, ctl.fence, ctl.phase, ctl.tries, ctl.stop, ctl.unwell = bool(found), {}, {}, 0, False, False
        if not found and (not ctl.mine or len(seen) < len(self.hosts)):
            return self.end(c, ctl.report or "refused")
        if not found:
            ctl.mine, ctl.dep, self.next = ctl.mine - 1, self.next, self.next + 1
        else:
            ctl.dep = min(found)
            return self.go(c, "first", "take", [h for h in sorted(seen) if self.hosts[h].open == ctl.dep])
        return self.go(c, "take", "begin", seen)

    def at_first(self, c, ctl, answers, well):
        """The hosts on which it is open come first: only if nobody lives there the others are asked (and barred)."""
        self.read(ctl)
        if "held" in answers.values():
            ctl.report = "refused"
            return self.go(c, "leave", "leave" if "left" in self.rules else "close", list(ctl.fence))
        return self.go(c, "take", "take", [h for h in range(len(self.hosts)) if h not in answers])

    def read(self, ctl):
        """What the lease scripts told: the last record of the deployment, and a fence where there is something to hold."""
        for h, (word, told) in ctl.wait.items():
            ctl.phase[h] = told[1] if word == "ok" else "silent" if word == "lost" else word
            if word == "ok" and told[0]:
                ctl.fence[h] = told[0]
            else:
                ctl.fence.pop(h, None)

    def at_take(self, c, ctl, answers, well):
        self.read(ctl)
        if not ctl.over:
            if well and not ctl.stop:
                return self.go(c, "stage", "stage", ctl.fence)
            return self.go(c, "close", "close", list(ctl.fence))  # nothing was touched
        if "held" in answers.values():  # somebody else lives: nothing is decided here
            ctl.report = "refused"
            return self.go(c, "leave", "leave" if "left" in self.rules else "close", list(ctl.fence))
        return self.go(c, "confirm", "confirm", list(ctl.fence)) if "confirm" in self.rules else self.decide(c, ctl)

    def at_confirm(self, c, ctl, answers, well):
        """All answers came after all leases: at one moment all were ours, and what was read was true."""
        if well:
            return self.decide(c, ctl)
        ctl.report = "refused"
        return self.go(c, "leave", "leave", [h for h, w in answers.items() if w == "ok"])

    def decide(self, c, ctl):
        """Forward, undo, continue, in doubt or contradiction, from what was read under the leases."""
        word = table(self.rules, ctl.phase, (ctl.dep, "commit") in self.ledger[c], (ctl.dep, "undo") in self.ledger[c], ctl.stop)
        if self.liar < 0:
            others = {table(self.rules, ctl.phase, known, False, ctl.stop) for known in (False, ctl.dep in self.decided)} | {word}
            self.check(word != "contradiction", f"I5: honest hosts contradict each other: {ctl.phase}")
            self.check(not {"forward", "undo"} <= others, f"I5: of {ctl.dep} one says forward and one says undo: {ctl.phase}")
        if word == "continue":
            return self.at_stage(c, ctl, {}, True)
        if word == "forward":
            return self.commit(c, ctl)
        if word == "undo":
            self.note(c, ctl.dep, "undo")
            return self.go(c, "undo", "undo", list(ctl.fence))
        if word == "doubt" and 0 < ctl.tries < TRIES:  # the silent one may answer yet
            return self.recover(c, ctl)
        ctl.report = "unknown" if word == "doubt" else word
        return self.go(c, "leave", "leave", list(ctl.fence))

    def at_stage(self, c, ctl, answers, well):
        """Roll the first host that has not rolled; when all have, prepare."""
        if not well or ctl.stop:
            return self.recover(c, ctl)
        if ctl.at == "roll":
            ctl.phase.update(dict.fromkeys(answers, "rolled"))
        left = [h for h in sorted(ctl.fence) if ctl.phase.get(h) not in ("rolled", "prepared")]
        if left:
            return self.go(c, "roll", "roll", left[:1])
        return self.go(c, "prepare", "prepare", [h for h in ctl.fence if "prepared" not in self.rules or ctl.phase[h] != "prepared"])

    at_roll = at_stage

    def at_prepare(self, c, ctl, answers, well):
        if not well or ctl.stop:
            return self.recover(c, ctl)
        return self.commit(c, ctl)

    def commit(self, c, ctl):
        """The decision: in the ledger before the first host is told."""
        self.note(c, ctl.dep, "commit")
        self.decided |= {ctl.dep}
        return self.go(c, "commit", "commit", [h for h in ctl.fence if ctl.phase[h] not in DONE])

    def at_commit(self, c, ctl, answers, well):
        if not well:
            return self.recover(c, ctl) if "retake" in self.rules else self.end(c, "unknown")
        if "close" in self.rules:
            return self.go(c, "finish", "finish", [h for h, w in answers.items() if w == "ok"])
        return self.at_finish(c, ctl, answers, well)

    def at_finish(self, c, ctl, answers, well):
        ctl.unwell = ctl.unwell or any(told for word, told in ctl.wait.values() if word == "ok")
        if not well or "silent" in ctl.phase.values():
            return self.recover(c, ctl) if "retake" in self.rules else self.end(c, "unknown")
        for h, host in enumerate(self.hosts):
            self.check(self.liar >= 0 or host.journal.get(ctl.dep) in ("ended", "committed"), f"I4: told succeeded, but host {h} is {host.journal.get(ctl.dep)}")
        return self.end(c, "partial" if ctl.unwell else "succeeded")

    def at_undo(self, c, ctl, answers, well):
        if not well and "retake" in self.rules:
            return self.recover(c, ctl)
        return self.go(c, "close", "close", [h for h, w in answers.items() if w == "ok"])

    def at_close(self, c, ctl, answers, well):
        well = well and "silent" not in ctl.phase.values()
        return self.recover(c, ctl) if not well and "retake" in self.rules else self.end(c, "rolled_back" if well else "unknown")

    def at_leave(self, c, ctl, answers, well):
        return self.end(c, ctl.report)

    def recover(self, c, ctl):
        """One way for every failure: take again, read, decide by the table; as texts: undo what was touched."""
        if "retake" not in self.rules:
            return self.go(c, "undo", "undo", list(ctl.fence))
        ctl.tries, ctl.over, ctl.stop = ctl.tries + 1, True, True
        if ctl.tries > TRIES:
            return self.end(c, "unknown")
        return self.go(c, "take", "take", range(len(self.hosts)))

    def end(self, c, report):
        ctl = self.controllers[c]
        again = ctl.over and ctl.mine and report not in ("unknown", "refused", "contradiction")
        ctl.at, ctl.wait, ctl.report = ("look" if again else "end"), {}, report
        ctl.fence, ctl.phase = {}, {}

    def note(self, c, dep, word):
        for i in range(len(self.ledger)):
            if i == c or self.shared:
                self.ledger[i] |= {(dep, word)}

    def check(self, good, words):
        if not good:
            raise Broken(words)

    def check_rest(self):
        """I4: when nothing works and nothing is open, all hosts run and declare one release."""
        if self.liar >= 0 or any(c.alive and c.at != "end" for c in self.controllers) or self.net:
            return
        if any(h.script or h.pending or h.open for h in self.hosts):
            return
        self.check(len({(h.runs, h.current) for h in self.hosts}) == 1 and all(h.runs == h.current for h in self.hosts),
                   f"I4: nothing is open and the hosts differ: {[(h.runs, h.current) for h in self.hosts]}")


def table(rules, phases, commit, undo, stop):
    """The decision from the participants' last records; None = begun nowhere there, "silent" = does not answer.

    *commit*, *undo*: what the caller's ledger knows; *stop*: the caller was asked to stop, or something failed.
    """
    words = list(phases.values())
    told = [word for word in words if word != "silent"]
    if undo and "ledger" not in rules:
        return "undo"
    if commit or any(word in ("committed", "ended") for word in told):
        if "all" in rules and any(word not in ("prepared", "committed", "ended") for word in told):
            return "contradiction"
        return "forward"
    unproved = [word for word in told if word != "prepared"]
    if len(told) < len(words) and not ("proof" in rules and unproved):
        return "doubt"
    if "prepared" in rules and not unproved:
        return "forward"
    ready = all(word in ("staged", "rolling", "rolled", "prepared") for word in words)
    return "continue" if ready and not stop else "undo"
