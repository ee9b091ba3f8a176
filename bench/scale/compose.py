"""What the real Compose says of a release that the stub of Compose is asked about: its config, and containers made of it."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

LABEL = "com.docker.compose"


def container(project: str, name: str, service: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """A healthy container of a service: its id, and how Docker's API lists and inspects it."""
    networks = {f"{project}_{key}": {"NetworkID": f"{project}_{key}"} for key in service.get("networks", {})}
    labels = {**service["labels"], f"{LABEL}.project": project, f"{LABEL}.service": name, f"{LABEL}.container-number": "1"}
    ports = [(port["target"], int(port["published"])) for port in service.get("ports", [])]
    bindings = {f"{inside}/tcp": [{"HostIp": "", "HostPort": str(outside)}] for inside, outside in ports}
    id, called = hashlib.sha256(f"{project} {service['labels']}".encode()).hexdigest(), f"/{project}-{name}-1"
    image = "sha256:" + "0" * 64
    listed = {
        "Id": id, "Names": [called], "Image": service["image"], "ImageID": image, "Labels": labels, "State": "running",
        "Ports": [{"IP": "0.0.0.0", "PrivatePort": inside, "PublicPort": outside, "Type": "tcp"} for inside, outside in ports],
        "NetworkSettings": {"Networks": networks}, "Mounts": [],
    }
    inspected = {
        "Id": id, "Name": called, "Image": image, "Created": "2026-01-01T00:00:00Z", "RestartCount": 0, "Mounts": [],
        "State": {"Status": "running", "StartedAt": "2026-01-01T00:00:00Z", "Health": {"Status": "healthy"}},
        "Config": {"Image": service["image"], "Labels": labels}, "NetworkSettings": {"Networks": networks},
        "HostConfig": {"VolumesFrom": None, "NetworkMode": next(iter(networks), ""), "IpcMode": "private", "PidMode": "", "PortBindings": bindings},
    }
    return id, listed, inspected


def line(project: str, name: str, service: dict[str, Any]) -> str:
    """A container as engine.c reads it."""
    id, *forms = container(project, name, service)
    return "\t".join([id, *(json.dumps(form, separators=(",", ":")) for form in forms)]) + "\n"


def main(kept: Path, words: list[str]) -> None:
    """Ask, and keep: KEPT.config with @DIR@ for the app's folder, KEPT.containers, a line each."""
    real = shutil.which("docker", path=os.environ["PATH"].partition(":")[2]) or "docker"
    asked = [real, *words[: words.index("config") if "config" in words else words.index("up")], "config"]
    environment = {**os.environ, "DOCKER_CONFIG": "/nonexistent"}  # the host's own leads back to the stub
    plain, told = (
        subprocess.run([*asked, *how], check=True, capture_output=True, text=True, env=environment).stdout
        for how in (["--no-path-resolution"], ["--format", "json"])
    )
    project = json.loads(told)
    lines = "".join(line(project["name"], name, service) for name, service in project["services"].items())
    for ending, text in (("config", plain.replace(os.environ["LADING_DIR"], "@DIR@")), ("containers", lines)):
        new = Path(f"{kept}.{ending}.{os.getpid()}")
        new.write_text(text)
        new.rename(f"{kept}.{ending}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
