"""What an app may do with its hosts: shown in the plan, new or not, and refused where its destination does not allow it."""

import json
from pathlib import Path
from typing import Any

from app_client import App
from lab_client import Lab


def planned(app: App, version: str, *words: str, env: dict[str, str] | None = None) -> dict[str, list[str]]:
    """The rights of a plan for web1: word → the hosts where it is new."""
    done = app.lading("plan", "--version", version, "--to", "web1", "--json", *words, env=env)
    assert done.returncode == 0, done.stderr
    rights: list[dict[str, Any]] = json.loads(done.stdout)["rights"]
    return {f"{one['service']} {one['right']}": one["new"] for one in rights}


def fleet(lab: Lab, folder: Path, allow: str, more: str = "") -> dict[str, str]:
    """The lab's fleet file with rules for production, and with *more* destinations."""
    text = (lab.fleet / "lading.yaml").read_text().replace("known_hosts: known_hosts", f"known_hosts: {lab.fleet}/known_hosts")
    text = text.replace("ca: ca.pem", f"ca: {lab.fleet}/ca.pem")
    head, _, rest = text.partition("  production: {")
    (folder / "ruled.yaml").write_text(f"{head}{more}  production: {{allow: {allow}, {rest}")
    return {"LADING_CONFIG": str(folder / "ruled.yaml")}


def test_rights_are_shown_and_ruled(app: App, lab: Lab, tmp_path: Path) -> None:
    mount = "web host-path:/etc/hostname"
    assert planned(app, "1.0.0") == {mount: ["web1"]}
    assert app.deploy("1.0.0", to="web1").returncode == 0
    assert planned(app, "1.1.0") == {mount: []}

    app.edit('    volumes: ["/etc/hostname:/host-name:ro"]\n', '    cap_add: [SYS_PTRACE]\n    volumes: ["/etc/hostname:/host-name:ro"]\n')
    assert planned(app, "1.1.0") == {mount: [], "web capability:SYS_PTRACE": ["web1"]}
    said = app.lading("plan", "--version", "1.1.0", "--to", "web1").stderr
    assert "right: web: capability:SYS_PTRACE (its containers have" in said
    assert "host-path:/etc/hostname (reads and writes this path of the host, and what lies below)\n" in said

    own = fleet(lab, tmp_path, "['host-path:/etc']")
    for to in ("production", "web1", "web1,web2", "web*"):
        done = app.deploy("1.1.0", to=to, env=own)
        assert (done.returncode, "capability:SYS_PTRACE" in done.stderr, "host-path:/etc/hostname" in done.stderr) == (4, True, False), to
    assert app.versions() == {("web1", "1.0.0", "healthy")}

    given = fleet(lab, tmp_path, "['host-path:/etc', 'capability:SYS_PTRACE']")
    assert app.deploy("1.1.0", to="web1", env=given).returncode == 0
    own = fleet(lab, tmp_path, "['host-path:/etc']")
    back = app.lading("rollback", app.name, "--to", "web1", "--yes", env=own)  # to a release that asks for less
    assert back.returncode == 0, back.stderr
    forth = app.lading("rollback", app.name, "--to", "web1", "--release", "1.1.0", "--yes", env=own)
    assert (forth.returncode, "capability:SYS_PTRACE" in forth.stderr) == (4, True), forth.stderr
    assert app.versions() == {("web1", "1.0.0", "healthy")}


def test_a_host_of_several_destinations_takes_the_recorded_one(app: App, lab: Lab, tmp_path: Path) -> None:
    own = fleet(lab, tmp_path, "[]", "  canary: {hosts: [web1]}\n")
    done = app.deploy("1.0.0", to="web1", env=own)
    assert (done.returncode, "web1 is in several destinations (canary, production)" in done.stderr) == (2, True), done.stderr
    assert app.deploy("1.0.0", to="canary", env=own).returncode == 0
    done = app.deploy("1.1.0", to="web1", env=own)
    assert (done.returncode, "→ canary" in done.stdout) == (0, True), done.stderr
    assert app.lading("rollback", app.name, "--to", "web1", "--yes", env=own).returncode == 0
