"""A host at the Transport: it keeps what lading's commands write, and answers as a real one does; Compose is the real one."""

import copy
import hashlib
import io
import json
import re
import shlex
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from host_shell import by_compose
from lading.drivers.shell import observation
from lading.transport import command

AT = "2026-11-28T10:00:00Z"
FACTS = ("state=/s\nformat=1\nfs=ext4\nfree=9000\ndockerfree=9000\nengine=27.0.1\nid=E\ncompose=2.40.3\narch=x86_64\n"
         "context=default \n")
PHASES = {"begin": "begun"}
"""Words of the journal that are not those of a phase."""
CLOSED = ("ended", "undone")
_NAME = re.compile(r"([A-Z][A-Z0-9_]*)=")


def assignments(script: str) -> dict[str, str]:
    """The shell variables with which a script begins."""
    found, at = {}, 0
    while (name := _NAME.match(script, at)) is not None:
        end, quoted = name.end(), False
        while quoted or script[end] != "\n":
            quoted = not quoted if script[end] == "'" else quoted
            end += 2 if script[end] == "\\" and not quoted else 1
        found[name[1]] = "".join(shlex.split(script[name.end():end]))
        at = end + 1
    return found


class Machine:
    """One app on one host: what lading keeps there, and its containers by service."""

    def __init__(self, app: str) -> None:
        self.app = app
        self.current = ""
        self.journal: list[str] = []
        self.releases: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.lease = {"fence": "0", "state": "free", "deployment": ""}
        self.containers: dict[str, dict[str, Any]] = {}
        self.reaches: dict[str, bytes | str] = {}
        """What its engine finds in registries that nobody else reaches: full name → manifest, or the engine's words."""
        self.binds: list[str] = []
        """The absolute paths that it was asked for."""

    def copy(self) -> "Machine":
        """The same host, once more."""
        return copy.deepcopy(self)

    def run(self, what: command.Command) -> dict[str, bytes]:
        """Do a command; the parts of its answer."""
        words = assignments(what.script)
        if words.get("APP", "") not in ("", self.app):
            return {"facts": FACTS.encode(), "containers": b"", "end": b""}
        does = getattr(self, "do_" + what.name.replace("-", "_"))
        answer: dict[str, bytes] = does(what, words)
        return {**answer, "end": b""}

    def jot(self, line: str) -> None:
        """Add a line to the journal."""
        self.journal.append(f'{{"at":"{AT}",{line[1:]}')

    def do_observe(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """All that is there."""
        self.binds += words.get("BINDS", "").split()
        parts = {"facts": FACTS, "app:" + self.app: "", "journal:" + self.app: "".join(f"{one}\n" for one in self.journal),
                 "objects:" + self.app: "", "secrets:" + self.app: "",
                 "lease:" + self.app: "".join(f"{key}={value}\n" for key, value in self.lease.items()) + "boot=b\nnowboot=b\nnow=9\n"}
        if self.current:
            parts["current:" + self.app] = self.current
        found = {name: text.encode() for name, text in parts.items()}
        found |= {f"release:{self.app}:{name}": content for name, content in self.releases.items()}
        return {**found, "containers": self.inspected()}

    def do_resolve(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """Each question, as Docker's API answers it."""
        asked = [one.value if isinstance(one, command.Secret) else one for one in what.payload]
        names = [one.decode().removeprefix("GET /distribution/").partition("/json HTTP/1.0\r\n")[0] for one in asked]
        return {f"answer{number}": self.distribution(name) for number, name in enumerate(names)}

    def distribution(self, name: str) -> bytes:
        """The answer of `/distribution/NAME/json`."""
        found = self.reaches.get(name, "manifest unknown")
        if isinstance(found, str):
            return b"HTTP/1.0 404 Not Found\r\nServer: Docker\r\n\r\n" + json.dumps({"message": found}).encode()
        listed = [one["platform"] for one in json.loads(found).get("manifests", ())]
        told = {"Descriptor": {"digest": f"sha256:{hashlib.sha256(found).hexdigest()}", "size": len(found)}, "Platforms": listed}
        return b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + json.dumps(told).encode()

    @property
    def phase(self) -> str:
        """In which phase the deployment of the lease is; "" = it never began here."""
        said = [json.loads(line) for line in self.journal]
        kinds = [one["kind"] for one in said if one["deployment"] == self.lease["deployment"]]
        reached = [PHASES.get(kind, kind) for kind in kinds if kind not in ("taken", "left", "intent", "result")]
        return reached[-1] if reached else ""

    def do_lease(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """Taken, unless another process has it, or another deployment is open."""
        busy = self.lease["state"] == "held" and self.lease.get("process") != words["PROCESS"]
        if busy and words["OVERRIDE"] != "1":
            return {"refused": b"held\nholder=somebody\n"}
        is_open = self.phase not in ("", *CLOSED) and self.lease["deployment"]
        begins, ours = words["MODE"] == "begin", self.lease["deployment"] == words["DEPLOYMENT"]
        if begins and is_open and not ours:
            return {"refused": f"open\n{self.lease['deployment']}\n".encode()}
        if not begins and not (is_open and ours):
            phase = self.phase if ours else ""
            return {"fence": b"0", "phase": (phase or "none").encode(), **self.do_observe(what, words)}
        fence = str(int(self.lease["fence"]) + 1)
        self.lease = {"fence": fence, "state": "held", "deployment": words["DEPLOYMENT"], "process": words["PROCESS"], "expires": "99"}
        record = {**json.loads(words["RECORD" if begins and not (is_open and ours) else "TAKEN"]), "fence": int(fence)}
        self.jot(json.dumps(record))
        return {"fence": fence.encode(), "phase": self.phase.encode(), **self.do_observe(what, words)}

    def do_confirm(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """The phase."""
        return {"phase": self.phase.encode()}

    def do_stage(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """Pull; or unpack, and show what the real Compose makes of it."""
        if "STAGED" not in words:
            return {}
        content = what.payload[0]
        tar = content.value if isinstance(content, command.Secret) else content
        if tar:
            with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
                self.files |= {one.name: opened.extractfile(one).read() for one in opened if one.isfile()}  # type: ignore[union-attr]
        self.releases |= {name.split("/")[1]: self.files[name] for name in self.files if name.endswith("/release.json")}
        with tempfile.TemporaryDirectory() as folder:
            for path, file in self.files.items():
                (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
                (Path(folder) / path).write_bytes(file)
            text = by_compose({"COMPOSE": words["COMPOSE"]}, Path(folder), "config", "--no-path-resolution")
            done = subprocess.run(["/bin/sh", "-c", text], capture_output=True, check=True, timeout=60)
        self.jot(words["STAGED"])
        return {"dir": folder.encode(), "config": done.stdout}

    def do_roll(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """The services that the steps name run as the release says."""
        rolling = json.loads(words["ROLLING"])
        made = json.loads(self.releases[rolling["to"]])
        self.jot(words["ROLLING"])
        rolls = str(sum('"rolling"' in line for line in self.journal))
        for line in words["STEPS"].splitlines():
            step, *services = line.split()
            for service in services if step in ("up", "anew") else ():
                self.containers[service] = container(self.app, service, made["services"][service], rolls)
        self.jot(words["RESULT"])
        return {"up": b"0\n", "containers": self.inspected(), "tick": b""}

    def do_undo(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """The way back: a roll, or what a removal does."""
        if "ROLLING" in words:
            return self.do_roll(what, words)
        return self.do_tidy(what, words) if "INTENT" in words else self.do_remove(what, words)

    def do_tidy(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """Containers go by their ids."""
        self.jot(words["INTENT"])
        self.containers = {name: one for name, one in self.containers.items() if one["id"] not in what.script}
        self.jot(words["RESULT"])
        return {}

    def is_as_expected(self, words: Mapping[str, str]) -> bool:
        """Whether the containers are as the script is told: all of a machine's run, and are healthy."""
        return sorted(words["EXPECTED"].splitlines()) == sorted(
            f"{one['id']} running 0 0 healthy" for one in self.containers.values())

    def do_prepare(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """Prepared, if all runs as it was judged."""
        if not self.is_as_expected(words):
            return {"containers": self.inspected()}
        self.jot(words["PREPARED"])
        return {"prepared": b""}

    def do_commit(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """It is the current release."""
        self.jot(words["COMMITTED"])
        self.current = words["CURRENT"]
        return {}

    def do_finish(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """The deployment has ended, if all runs as it was judged."""
        if words["EXPECTED"] != "any" and not self.is_as_expected(words):
            return {"containers": self.inspected()}
        self.jot(words["ENDED"])
        self.lease["state"] = "free"
        return {"ended": b""}

    def do_release_lease(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """The journal has a line more, and the lease is free."""
        self.jot(words["UNDONE"] if "UNDONE" in words else words["LEFT"])
        self.lease["state"] = "free"
        return {}

    def do_remove(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """All containers go, and what lading keeps if the script says so."""
        self.jot(words["BEFORE"])
        self.containers = {}
        if words["FORGET"] == "1":
            self.releases, self.current, self.files = {}, "", {}
            self.lease["state"] = "free"
        self.jot(words["AFTER"])
        return {}

    def do_last_lines(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """Nothing was said."""
        return {}

    def do_logs(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """One line."""
        return {"log": f"web-1 | {AT} hello\n".encode()}

    def inspected(self) -> bytes:
        """The containers as observation.INSPECT shows them."""
        return "".join(json.dumps(one) + "\n" for one in self.containers.values()).encode()


def container(app: str, service: str, spec: Mapping[str, Any], salt: str) -> dict[str, Any]:
    """A healthy container of a service, as `docker container inspect` tells it."""
    labels = {observation.PROJECT: app, "com.docker.compose.service": service, "lading.app": app, "lading.content": spec["content"],
              "com.docker.compose.container-number": "1"}
    return {
        "id": hashlib.sha256(f"{service}{spec['content']}{salt}".encode()).hexdigest(), "name": f"/{app}-{service}-1", "image": spec["image"],
        "image_id": "sha256:1", "labels": labels, "restarts": 0,
        "state": {"Status": "running", "StartedAt": AT, "Health": {"Status": "healthy"}},
        "networks": {name: {"NetworkID": "n"} for name in spec["networks"]}, "mounts": [{"Destination": one} for one in spec.get("mounts", ())], "ports": {},
    }
