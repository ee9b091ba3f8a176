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

    def do_lease(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """Taken, unless another deployment has it."""
        if self.lease["state"] == "held" and self.lease["deployment"] != words["DEPLOYMENT"] and words["TAKE"] != "1":
            return {"refused": b"held\nholder=somebody\n"}
        self.lease = {"fence": str(int(self.lease["fence"]) + 1), "state": "held", "deployment": words["DEPLOYMENT"], "expires": "99"}
        self.jot(words["BEGIN"])
        return {"fence": self.lease["fence"].encode(), **self.do_observe(what, words)}

    def do_stage(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """Unpack, and show what the real Compose makes of it."""
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
            return {"dir": folder.encode(), "config": done.stdout}

    def do_roll(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """The services that the intent names run as the release says."""
        intent = json.loads(words["INTENT"])
        made = json.loads(self.releases[intent["to"]])
        for service in intent["services"]:
            self.containers[service] = container(self.app, service, made["services"][service], intent["deployment"])
        self.jot(json.dumps(intent))
        self.jot(json.dumps({**intent, "kind": "result", "rc": 0}))
        return {"up": b"0\n", "containers": self.inspected(), "tick": b""}

    do_undo = do_roll

    def do_tidy(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """Containers go by their ids."""
        self.containers = {name: one for name, one in self.containers.items() if one["id"] not in what.script}
        return {}

    def do_commit(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """Refused where something runs otherwise than it was judged."""
        for line in words["JUDGED"].splitlines():
            service, content, count, *_ = line.split()
            if count != "0" and self.containers.get(service, {}).get("labels", {}).get("lading.content") != content:
                return {"refused": f"changed\n{service}\n".encode()}
        self.jot(words["RECORD"])
        self.current = words["CURRENT"]
        self.lease["state"] = "free"
        return {}

    def do_release_lease(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """The journal has a line more, and the lease is free."""
        self.jot(words["RECORD"])
        self.lease["state"] = "free"
        return {}

    def do_vanish(self, what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        """All containers go, and what lading keeps if the script says so."""
        self.containers = {}
        if words["FORGET"] == "1":
            self.releases, self.current, self.files = {}, "", {}
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
