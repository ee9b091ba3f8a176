"""Services that must end, may end, or never should: through a deployment, drift, an undo, a resume and a rollback."""

from app_client import App
from lab_client import Lab
from test_interrupted import deploying, open_intents

MORE = """  worker:
    image: registry.lab:5000/hello:${VERSION}
    entrypoint: [sleep, "100000"]
    restart: on-failure
    stop_grace_period: 1s
  buckets:
    image: registry.lab:5000/hello:${VERSION}
    entrypoint: [sh, -c, "echo $$APP_VERSION >>/data/buckets"]
    volumes: ["data:/data"]
  retried:
    image: registry.lab:5000/hello:${VERSION}
    entrypoint: [sh, -c, "test -e /data/retried && exit 0; touch /data/retried; exit 1"]
    restart: on-failure
    volumes: ["data:/data"]
  store:
"""
ENDED = {"buckets", "migrate", "retried"}


def states(app: App, host: str) -> dict[str, str]:
    """The state of each service on a host, as `where` tells it."""
    return {row["service"]: row["state"] for row in app.where("--to", host)}


def ran(app: App, lab: Lab, host: str) -> list[str]:
    """With which versions `buckets` has run on a host."""
    return lab.exec(host, f"cat /var/lib/docker/volumes/{app.name}_data/_data/buckets").stdout.split()


def worker(app: App, host: str) -> tuple[str, str]:
    """The version and state of the worker on a host."""
    [row] = [row for row in app.where("--to", host) if row["service"] == "worker"]
    return row["version"], row["state"]


def test_who_may_end_through_undo_resume_and_rollback(app: App, lab: Lab) -> None:
    app.edit("  store:\n", MORE)
    app.edit("command: [migrate]", 'entrypoint: [sh, -c, "sleep 3; exec /app migrate"]')
    done = app.deploy("1.0.0", to="web1")
    assert done.returncode == 0, done.stderr
    assert "may end: buckets, retried, worker" in done.stderr
    assert "waits for migrate to end, store to become healthy (at most 900 s)" in done.stderr
    seen = states(app, "web1")
    assert {name for name, word in seen.items() if word == "completed"} == ENDED
    assert (seen["worker"], app.lading("drift", app.name, "--to", "web1").returncode) == ("running", 0)
    assert "unchanged" in app.deploy("1.0.0", to="web1").stdout
    assert ran(app, lab, "web1") == ["1.0.0"]

    undone = app.deploy("1.2.0", to="web1")  # whose web does not start
    assert (undone.returncode, "rolled_back" in undone.stdout) == (5, True), undone.stderr
    assert worker(app, "web1") == ("1.0.0", "running")
    assert ran(app, lab, "web1") == ["1.0.0", "1.2.0"], "an undo runs nothing again that had ended"

    with deploying(app, "1.1.0", "web1       roll begins") as process:
        process.kill()
    resumed = app.lading("resume", app.name, "--undo")
    assert (resumed.returncode, open_intents(app)) == (0, []), resumed.stderr
    assert worker(app, "web1") == ("1.0.0", "running")
    assert [one for one in ran(app, lab, "web1") if one == "1.0.0"] == ["1.0.0"]

    assert app.deploy("1.1.0", to="web1").returncode == 0
    back = app.lading("rollback", app.name, "--to", "web1", "--yes")
    assert back.returncode == 0, back.stderr
    assert worker(app, "web1") == ("1.0.0", "running")
    assert [one for one in ran(app, lab, "web1") if one == "1.0.0"] == ["1.0.0"]
    assert app.lading("drift", app.name, "--to", "web1").returncode == 0


def test_an_end_of_who_is_meant_to_run_on_is_a_failure(app: App) -> None:
    app.edit("      store: {condition: service_healthy}\n", "")
    app.edit("command: [store]\n    restart: unless-stopped", 'entrypoint: [sh, -c, "exit 0"]\n    ports: ["80"]')
    done = app.deploy("1.0.0", to="web1")
    assert (done.returncode, "exited with code 0, but a service with a health check is meant to run on" in done.stderr) == (5, True), done.stderr
    app.edit('    ports: ["80"]', "    restart: always")
    again = app.deploy("1.0.0", to="web1")
    assert (again.returncode, "store: it restarts" in again.stderr) == (5, True), again.stderr
