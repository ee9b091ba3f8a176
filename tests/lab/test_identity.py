"""Which app a checkout is, and whose, on real hosts: never by the folder's name or path (B7, B8)."""

import json
import subprocess
from pathlib import Path

from app_client import App
from lab_client import Lab

REMOTE = "git@git.example:team/{}.git"


def into_git(app: App, folder: Path) -> App:
    """A checkout of the app's repository, which does not name the app, in *folder*."""
    folder.parent.mkdir(exist_ok=True)
    app.folder.rename(folder)
    file = folder / "docker-compose.yml"
    file.write_text(file.read_text().replace(f"name: {app.name}\n", "", 1))
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "a"], ["remote", "add", "origin", REMOTE.format(app.name)]):
        subprocess.run([*git, *words], check=True)
    app.folder = folder
    return app


def current(app: App, lab: Lab, host: str) -> dict[str, str]:
    text = lab.exec(host, f"cat /var/lib/lading/apps/{app.name}/current").stdout
    found: dict[str, str] = json.loads(text)
    return found


def test_two_checkouts_are_one_app(app: App, lab: Lab, tmp_path: Path) -> None:
    into_git(app, tmp_path / "first" / "main")
    assert app.deploy("1.0.0").returncode == 0
    again = App(lab, tmp_path / "main_feature@2", app.name)
    subprocess.run(["git", "clone", "-q", str(app.folder), str(again.folder)], check=True)
    subprocess.run(["git", "-C", str(again.folder), "remote", "set-url", "origin", f"https://ci:word@git.example:443/team/{app.name}"], check=True)
    done = again.deploy("1.1.0")
    assert done.returncode == 0, done.stderr
    running = lab.exec("web1", "docker ps --format '{{.Label \"com.docker.compose.project\"}}'").stdout.split()
    assert set(running) == {app.name}
    assert current(app, lab, "web1")["source"] == f"git.example/team/{app.name}"


def test_a_source_runs_under_one_name(app: App, lab: Lab, tmp_path: Path) -> None:
    into_git(app, tmp_path / "first" / "main")
    known = app.lading("deploy", "--app", app.name, "--version", "1.0.0", "--to", "web1", "--yes")
    assert known.returncode == 0, known.stderr
    other = app.lading("plan", "--app", f"{app.name}-2", "--version", "1.0.0", "--to", "web1")
    assert (other.returncode, f"runs there: web1 as {app.name}" in other.stderr) == (4, True), other.stderr


def test_the_recorded_name_and_the_old_owner_count(app: App, lab: Lab, tmp_path: Path) -> None:
    """An older lading took the checkout's name for the app's, and recorded the remote as it was written."""
    into_git(app, tmp_path / "first" / "main")
    subprocess.run(["git", "-C", str(app.folder), "remote", "set-url", "origin", "ssh://git@git.example:22/team/renamed.git"], check=True)
    first = app.lading("deploy", "--app", app.name, "--version", "1.0.0", "--to", "web1", "--yes")
    assert first.returncode == 0, first.stderr
    place = f"/var/lib/lading/apps/{app.name}"
    lab.exec("web1", f"sed -i 's#git.example/team/renamed#ssh://git.example:22/team/renamed.git#' {place}/current {place}/journal")
    app.forget()
    assert current(app, lab, "web1")["source"] == "ssh://git.example:22/team/renamed.git"
    done = app.lading("deploy", "--version", "1.1.0", "--to", "web1", "--yes")
    assert done.returncode == 0, done.stderr
    assert current(app, lab, "web1")["source"] == "git.example/team/renamed"
    assert app.versions() == {("web1", "1.1.0", "healthy")}


def test_another_folder_at_the_same_path_is_refused(app: App, lab: Lab, tmp_path: Path) -> None:
    assert app.deploy("1.0.0", to="web1").returncode == 0
    before = app.ids("web1")
    app.folder.rename(tmp_path / "before")
    App.copy(lab, app.folder, app.name, 8080)
    refused = app.deploy("1.1.0", to="web1")
    assert (refused.returncode, "another folder that was at" in refused.stderr, "source: NAME" in refused.stderr) == (4, True, True)
    assert f"1.0.0 was deployed at {current(app, lab, 'web1')['since']} by" in refused.stderr
    assert app.ids("web1") == before
    taken = app.deploy("1.0.0", "--take-over", to="web1")  # just what runs there: only the record changes
    assert (taken.returncode, "unchanged" in taken.stdout, "owner" in taken.stderr) == (0, False, True), taken.stderr
    assert app.ids("web1") == before
    assert "unchanged" in app.deploy("1.0.0", to="web1").stdout
    assert app.deploy("1.1.0", to="web1").returncode == 0
