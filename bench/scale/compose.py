"""What the real Compose says of a release that the stub `docker` is asked about: its config, and containers made of it."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

LABEL = "com.docker.compose"


def container(project: str, name: str, service: dict[str, Any]) -> dict[str, Any]:
    """A healthy container of a service, as `docker container inspect` shows it with the format of drivers/shell/observation.py."""
    networks = [f"{project}_{key}" for key in service.get("networks", {})]
    labels = {**service["labels"], f"{LABEL}.project": project, f"{LABEL}.service": name, f"{LABEL}.container-number": "1"}
    ports = {f"{p['target']}/tcp": [{"HostIp": "", "HostPort": str(p["published"])}] for p in service.get("ports", [])}
    return {
        "id": hashlib.sha256(f"{project} {service['labels']}".encode()).hexdigest(), "name": f"/{project}-{name}-1",
        "image": service["image"], "image_id": "sha256:" + "0" * 64, "labels": labels,
        "state": {"Status": "running", "StartedAt": "2026-01-01T00:00:00Z", "Health": {"Status": "healthy"}}, "restarts": 0,
        "networks": {key: {"NetworkID": key} for key in networks}, "mounts": [], "ports": ports,
    }


def main(kept: Path, words: list[str]) -> None:
    """Ask, and keep: KEPT.config with @DIR@ for the app's folder, KEPT.containers as lines of JSON."""
    real = shutil.which("docker", path=os.environ["PATH"].partition(":")[2]) or "docker"
    asked = [real, *words[: words.index("config") if "config" in words else words.index("up")], "config"]
    plain = subprocess.run([*asked, "--no-path-resolution"], check=True, capture_output=True, text=True).stdout
    told = json.loads(subprocess.run([*asked, "--format", "json"], check=True, capture_output=True, text=True).stdout)
    lines = "".join(json.dumps(container(told["name"], name, service), separators=(",", ":")) + "\n"
                    for name, service in told["services"].items())
    for ending, text in (("config", plain.replace(os.environ["LADING_DIR"], "@DIR@")), ("containers", lines)):
        new = Path(f"{kept}.{ending}.{os.getpid()}")
        new.write_text(text)
        new.rename(f"{kept}.{ending}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
