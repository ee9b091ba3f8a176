"""Root on web2 edits what lading keeps there: web1 is deployed to as if web2 had not spoken (promise 8)."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

from app_client import EXAMPLE, App
from lab_client import Lab
from test_interrupted import deploying

from lading import canonical

FAR = "2099-01-01T00:00:00Z"


class Root:
    """Root on a host, in the folder of an app."""

    def __init__(self, app: App, host: str) -> None:
        self.app, self.host = app, host
        places = f"ls -d /var/lib/lading/apps/{app.name} /home/*/.lading/*/apps/{app.name}"
        self.folder = app.lab.exec(host, places, check=False).stdout.split()[0]

    def run(self, line: str) -> str:
        """A line of shell in the app's folder."""
        return self.app.lab.exec(self.host, f"cd {self.folder} && {line}").stdout

    def write(self, path: str, text: str) -> None:
        """Replace a file."""
        self.run(f"printf '%s\\n' {shlex.quote(text)} >{path}")

    def current(self) -> dict[str, Any]:
        """What the host says is deployed."""
        found: dict[str, Any] = json.loads(self.run("cat current"))
        return found

    def forge(self, name: str, **changed: Any) -> str:
        """Keep a copy of a release with some fields changed, under the id that its bytes have; the id."""
        made = {**json.loads(self.run(f"cat releases/{name}/release.json")), **changed}
        forged = canonical.digest(made)[:len(name)]
        self.run(f"cp -a releases/{name} releases/{forged}")
        self.write(f"releases/{forged}/release.json", canonical.form(made).decode())
        return forged

    def release(self) -> dict[str, Any]:
        """The release that is current there."""
        found: dict[str, Any] = json.loads(self.run(f"cat releases/{self.current()['release']}/release.json"))
        return found


def another_store(lab: Lab, folder: Path) -> str:
    """An image that is pushed to the repository of `store`, by its digest."""
    subprocess.run([EXAMPLE / "build-context", folder], check=True)
    return lab.build(folder, "registry.lab:5000/store:other", VERSION="other").rpartition("@")[2]


def images(lab: Lab, host: str, app: App) -> str:
    """What the app's containers on a host run."""
    return lab.exec(host, f"docker ps --filter label=com.docker.compose.project={app.name} --format '{{{{.Image}}}}'").stdout


def test_the_digest_of_one_host_is_not_that_of_another(app: App, lab: Lab, tmp_path: Path) -> None:
    digest = another_store(lab, tmp_path / "context")
    assert app.deploy("1.0.0").returncode == 0
    store = app.ids("web1")["store"]
    root = Root(app, "web2")
    services = root.release()["services"]
    services["store"]["image"] = f"{services['store']['image'].partition('@')[0]}@{digest}"
    root.write("current", json.dumps({**root.current(), "release": root.forge(root.current()["release"], services=services), "since": FAR}))
    home = tmp_path / "home"
    home.mkdir()
    (home / ".ssh").symlink_to("/root/.ssh")
    refused = app.lading("deploy", "--version", "1.1.0", "--to", "web1,web2", "--yes", options=["--home", str(home)])
    assert refused.returncode == 4, refused.stdout + refused.stderr
    assert all(word in refused.stderr for word in ("store:1", "web1", "web2", digest, "--refresh")), refused.stderr
    done = app.deploy("1.1.0")
    assert digest not in images(lab, "web1", app)
    assert app.ids("web1")["store"] == store, done.stdout


def test_what_was_left_open_ends_by_each_hosts_own_record(app: App, lab: Lab) -> None:
    assert app.deploy("1.0.0").returncode == 0
    honest, root = Root(app, "web1"), Root(app, "web2")
    before = honest.current()
    with deploying(app, "1.1.0", "web1       roll begins") as process:
        process.kill()
    lines = [json.loads(line) for line in root.run("cat journal").splitlines()]
    begin = next(line for line in reversed(lines) if line["kind"] == "begin")
    forged = root.forge(begin["to"], version="6.6.6", directory="../../tmp/x")
    begin |= {"to": forged, "version": "6.6.6", "source": "https://git.example/mallory", "destination": "elsewhere"}
    lines.insert(0, {"v": begin["v"], "kind": "committed", "deployment": begin["deployment"], "to": forged, "version": "6.6.6"})
    root.write("journal", "\n".join(map(json.dumps, lines)))
    done = app.lading("resume", app.name)
    current, kept = honest.current(), honest.run("ls releases")
    assert (current["source"], current["destination"]) == (before["source"], before["destination"]), done.stdout + done.stderr
    assert current["version"] in ("1.0.0", "1.1.0")
    assert current["release"] in kept and forged not in kept
    assert "tmp/x" not in honest.run("cat compose")
    assert app.deploy("1.1.0", to="web1").returncode == 0, "its own source is still its owner"
