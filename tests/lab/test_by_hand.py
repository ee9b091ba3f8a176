"""`stop`, `start` and `scale`: kept by the hosts until the next deployment, told by another controller (issue 14)."""

import json

from app_client import App
from lab_client import Lab


def test_scaled_stopped_started_and_deployed(app: App, lab: Lab) -> None:
    assert app.deploy("1.0.0").returncode == 0
    both = ("--to", "web1,web2")
    port = app.lading("scale", f"{app.name}/web=2", *both, "--yes")
    assert (port.returncode, "cannot share the host port" in port.stderr) == (2, True)
    before = app.ids("web1")

    scaled = app.lading("scale", f"{app.name}/store=3", *both, "--yes", "--json")
    assert (scaled.returncode, json.loads(scaled.stdout)["result"]) == (0, "succeeded"), scaled.stderr
    store = [row for row in app.where() if row["service"] == "store"]
    assert [(row["host"], row["by_hand"], row["drift"]) for row in store] == [
        (host, 3, []) for host in ("web1", "web2") for _ in range(3)]

    stopped = app.lading("stop", f"{app.name}/web", *both, "--yes", "--reason", "it floods the database")
    assert stopped.returncode == 0, stopped.stderr
    assert "web" not in app.ids("web1")
    app.forget()  # another controller, without this one's ledger
    web = [row for row in app.where() if row["service"] == "web"]
    assert [(row["state"], row["by_hand"], row["drift"]) for row in web] == [("stopped", 0, [])] * 2
    assert "web stopped by hand on web" in app.lading("where", app.name).stdout
    assert app.lading("drift", app.name, *both).returncode == 0

    started = app.lading("start", app.name, *both, "--yes")
    assert started.returncode == 0, started.stderr
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert app.ids("web1").keys() == before.keys()

    lab.exec("web1", f"docker kill {app.name}-web-1")  # down, and by nobody's hand: as after a reboot without `restart:`
    again = app.lading("start", app.name, *both, "--yes")
    assert (again.returncode, "unchanged" in again.stdout, "exited → running" in again.stderr) == (0, False, True), again.stderr
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}

    plan = json.loads(app.lading("plan", "--version", "1.1.0", *both, "--json").stdout)
    assert ("store", "3 by hand", "1") in {(one["service"], one["old"], one["new"]) for one in plan["changes"]}
    failed = app.deploy("1.2.0")
    assert failed.returncode != 0
    assert [row["by_hand"] for row in app.where() if row["service"] == "store"] == [3] * 6, "it went back to what was"
    assert app.deploy("1.1.0").returncode == 0
    assert ["by_hand" in row for row in app.where() if row["service"] == "store"] == [False] * 2
