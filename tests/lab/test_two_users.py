"""Two SSH users deploy to one host: one state where the folder is shared, a refusal where it is not (DESIGN §3 state_dir)."""

from pathlib import Path

from app_client import App
from lab_client import Lab
from test_interrupted import deploying, running


def as_alice(app: App, lab: Lab, *hosts: str) -> tuple[str, str]:
    """`--config` of a fleet file in which these hosts are reached as alice."""
    text = (lab.fleet / "lading.yaml").read_text().replace("known_hosts: known_hosts", f"known_hosts: {lab.fleet}/known_hosts")
    lines = [line.replace("user: deploy}", "user: alice}") if line.strip().startswith(tuple(f"{h}:" for h in hosts)) else line
             for line in text.replace("ca: ca.pem", f"ca: {lab.fleet}/ca.pem").splitlines()]
    path = Path(app.folder / "alice.yaml")
    path.write_text("\n".join(lines) + "\n")
    return "--config", str(path)


def test_two_users_on_one_host(app: App, lab: Lab) -> None:  # issue 2, item 7
    fleet = as_alice(app, lab, "web1", "web2")
    assert app.deploy("1.0.0", to="web1").returncode == 0
    store = app.ids("web1")["store"]
    second = app.lading(*fleet, "deploy", "--version", "1.1.0", "--to", "web1", "--yes")
    assert second.returncode == 0, second.stderr
    assert app.ids("web1")["store"] == store
    broken = app.deploy("1.2.0", to="web1")
    assert (broken.returncode, "rolled_back" in broken.stdout) == (5, True), broken.stderr
    assert app.versions() == {("web1", "1.1.0", "healthy")}
    back = app.lading(*fleet, "rollback", app.name, "--to", "web1", "--yes")
    assert back.returncode == 0, back.stderr
    assert app.lading("drift", app.name, "--to", "web1").returncode == 0
    third = app.deploy("1.1.0", to="web1")
    assert third.returncode == 0, third.stderr
    secret = lab.exec("web1", f"stat -c '%A' /var/lib/lading/apps/{app.name}/secrets").stdout
    assert secret[7:10] == "---", secret  # nobody else


def test_second_user_without_a_shared_folder_is_refused(app: App, lab: Lab) -> None:
    assert app.deploy("1.0.0", to="web2").returncode == 0
    before = app.ids("web2")
    done = app.lading(*as_alice(app, lab, "web2"), "deploy", "--version", "1.1.0", "--to", "web2", "--yes")
    assert (done.returncode, "another state folder" in done.stderr, "another SSH user" in done.stderr) == (4, True, True)
    assert app.ids("web2") == before


def test_the_second_waits_for_the_first(app: App) -> None:
    assert app.deploy("1.0.0", to="web1").returncode == 0
    first = app.start("deploy", "--version", "1.1.0", "--to", "web1", "--yes")
    assert first.stderr is not None
    said = ""
    while "web1       roll begins" not in said:
        line = first.stderr.readline()
        assert line, said
        said += line
    second = app.deploy("1.0.0", "--wait", "3m", to="web1")
    first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0), second.stderr
    assert f"{app.name} on web1 is held by " in second.stderr
    assert "waiting, at most 180 s" in second.stderr
    assert app.versions() == {("web1", "1.0.0", "healthy")}
    assert app.deploy("1.0.0", "--wait", "soon", to="web1").returncode == 2


def test_who_waits_takes_over_from_a_holder_that_dies(app: App) -> None:
    """The release that was begun is ended first, then comes what was asked for."""
    assert app.deploy("1.0.0", to="web1").returncode == 0
    app.edit("command: [migrate]", 'entrypoint: [sh, -c, "sleep 20; exec /app migrate"]')
    waiting = ("deploy", "--version", "1.0.0", "--to", "web1", "--yes", "--wait", "5m")
    with (
        deploying(app, "1.1.0", "web1       roll begins", to="web1") as holder,
        running(app, *waiting, until="waiting, at most 300 s") as second,
    ):
        holder.kill()
        _, said = second.communicate(timeout=200)
    assert second.returncode == 0, said
    assert f"of {app.name} 1.1.0 is ended: " in said, "what is done besides is told"
    assert app.versions() == {("web1", "1.0.0", "healthy")}
    assert app.lading("drift", app.name, "--to", "web1").returncode == 0
