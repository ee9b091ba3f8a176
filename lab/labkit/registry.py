"""The lab's private registry: TLS by the lab's own authority, a user and a password."""

import functools
from pathlib import Path

from labkit import cgroup, network, process
from labkit.state import Lab
from labkit.topology import CONTROLLER_ADDRESS, REGISTRY

USER = "ci"
NAME = "registry"
CONFIG = """\
version: 0.1
log: {{level: info}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: "{address}:5000", secret: lab, tls: {{certificate: {folder}/cert.pem, key: {folder}/key.pem}}}}
auth: {{htpasswd: {{realm: lab, path: {folder}/htpasswd}}}}
"""


def prepare(lab: Lab, password: str) -> None:
    """Authority, certificate, password file, settings; fleet/ca.pem comes out of it."""
    folder = lab.root / NAME
    folder.mkdir(parents=True, exist_ok=True)
    lab.fleet.mkdir(parents=True, exist_ok=True)
    _make_authority(folder, lab.fleet / "ca.pem")
    hashed = process.run("htpasswd", "-niB", USER, stdin=password).stdout
    (folder / "htpasswd").write_text(hashed.strip() + "\n")
    (folder / "config.yml").write_text(CONFIG.format(folder=folder, address=CONTROLLER_ADDRESS))


def _make_authority(folder: Path, ca: Path) -> None:
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    process.run(
        "openssl", "req", "-x509", *key, "-keyout", str(folder / "ca-key.pem"), "-out", str(ca), "-days", "3650",
        "-subj", "/CN=lading lab authority",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip
    name = REGISTRY.split(":")[0]
    process.run(
        "openssl", "req", "-x509", *key, "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"),
        "-days", "3650", "-subj", f"/CN={name}", "-CA", str(ca), "-CAkey", str(folder / "ca-key.pem"),
        "-addext", f"subjectAltName=DNS:{name},IP:{CONTROLLER_ADDRESS}", "-addext", "extendedKeyUsage=serverAuth",
        "-addext", "basicConstraints=critical,CA:FALSE",
    )  # fmt: skip


def start(lab: Lab) -> None:
    """Start the registry in the controller's network, if it is not running."""
    if runs(lab):
        return
    pid = process.spawn(
        ["nsenter", _net(lab), "docker-registry", "serve", str(lab.root / NAME / "config.yml")],
        lab.logs / "registry.log",
        functools.partial(cgroup.enter, lab.layout, lab.name, NAME),
    )
    process.record(lab.pid_file(NAME), pid)


def wait_ready(lab: Lab) -> None:
    """Wait until the registry takes connections."""
    process.wait_until(lambda: answers(lab), f"registry answering (log: {lab.logs / 'registry.log'})")


def runs(lab: Lab) -> bool:
    """Is its process there?"""
    return process.recorded(lab.pid_file(NAME)) is not None


def answers(lab: Lab) -> bool:
    """Does the registry take a connection?"""
    probe = f"exec 3<>/dev/tcp/{CONTROLLER_ADDRESS}/5000"
    return process.run("nsenter", _net(lab), "timeout", "5", "bash", "-c", probe, check=False).returncode == 0


def stop(lab: Lab) -> None:
    """Stop the registry; what was pushed stays."""
    running = process.recorded(lab.pid_file(NAME))
    if running:
        running.kill()
        process.wait_until(lambda: not running.alive(), "end of the registry")
    lab.pid_file(NAME).unlink(missing_ok=True)


def _net(lab: Lab) -> str:
    return f"--net=/run/netns/{lab.namespace(network.CONTROLLER)}"
