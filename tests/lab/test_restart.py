"""`restart`: new containers of the release that runs, by the steps of a deployment (issue 14)."""

import json

from app_client import App
from lab_client import Lab


def test_a_service_then_the_whole_app(app: App, lab: Lab) -> None:
    assert app.deploy("1.0.0").returncode == 0
    before = app.ids("web1")
    wrong = app.lading("restart", f"{app.name}/wbe", "--to", "web1,web2", "--yes")
    assert (wrong.returncode, "did you mean `web`?" in wrong.stderr) == (2, True)
    shown = app.lading("restart", f"{app.name}/web", "--to", "web1,web2", "--dry-run", "--json")
    changes = json.loads(shown.stdout)["changes"]
    assert {(one["host"], one["service"], one["field"]) for one in changes} == {
        ("web1", "web", "recreated"), ("web2", "web", "recreated")}
    assert app.ids("web1") == before

    done = app.lading("restart", f"{app.name}/web", "--to", "web1,web2", "--yes", "--json", "--reason", "a leak")
    result = json.loads(done.stdout)
    assert (done.returncode, result["result"]) == (0, "succeeded"), done.stderr
    after = app.ids("web1")
    assert after["web"] != before["web"]
    assert after["store"] == before["store"]
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert app.lading("drift", app.name, "--to", "web1,web2").returncode == 0
    journal = map(json.loads, lab.exec("web1", f"cat /var/lib/lading/apps/{app.name}/journal").stdout.splitlines())
    assert [one["verb"] for one in journal if one["kind"] == "begin"] == ["deploy", "restart"]

    assert app.lading("restart", app.name, "--to", "web1", "--yes").returncode == 0
    assert not set(app.ids("web1").values()) & {after["web"], after["store"]}
    back = app.lading("rollback", app.name, "--to", "web1", "--yes")
    assert (back.returncode, "keeps no release" in back.stderr) == (2, True), "a restart is no release to go back to"


def test_one_that_does_not_come_up_again_is_told_as_it_is(app: App, lab: Lab) -> None:
    """What ran before is the same release: the undo cannot bring it up either, and says so."""
    volumes = 'volumes: ["/etc/hostname:/host-name:ro"'
    app.edit(volumes, f'entrypoint: [sh, -c, "test ! -e /data/broken && exec /app web"]\n    {volumes}, "data:/data:ro"')
    assert app.deploy("1.0.0", to="web1").returncode == 0
    flag = f"/var/lib/docker/volumes/{app.name}_data/_data/broken"
    lab.exec("web1", f"touch {flag}")
    broken = app.lading("restart", f"{app.name}/web", "--to", "web1", "--yes", "--json")
    result = json.loads(broken.stdout)
    assert (broken.returncode, result["result"]) == (5, "partial"), broken.stderr
    assert not {state for _, _, state in app.versions()} & {"healthy", "running"}
    lab.exec("web1", f"rm {flag}")
    mended = app.lading("restart", f"{app.name}/web", "--to", "web1", "--yes")
    assert mended.returncode == 0, mended.stderr
    assert app.versions() == {("web1", "1.0.0", "healthy")}
