"""Drift is a plan that has not been run: stopped, missing, extra, hand-edited; shipped files, host data, secrets."""

import json

import pytest
from app_client import App
from lab_client import Lab

FILES = """
    environment: {GREETING: "${GREETING}"}
    volumes: ["/etc/hostname:/host-name:ro", "./conf:/conf:ro", "./one.conf:/one.conf:ro", "./state:/state"]
"""


def drift(app: App) -> set[tuple[str, str]]:
    done = app.lading("drift", app.name, "--json")
    found = {(row["service"], row["field"]) for row in json.loads(done.stdout)}
    assert done.returncode == (1 if found else 0)
    return found


def test_drift_is_seen_and_mended(app: App, lab: Lab) -> None:
    assert app.deploy("1.0.0", to="web1").returncode == 0
    assert drift(app) == set()
    ids = app.ids("web1")
    lab.exec("web1", ["docker", "stop", "-t", "1", ids["web"]])
    assert drift(app) == {("web", "state")}
    assert app.deploy("1.0.0", to="web1").returncode == 0
    assert drift(app) == set()
    assert app.ids("web1")["web"] == ids["web"]
    lab.exec("web1", ["docker", "rm", "-f", ids["store"]])
    assert drift(app) == {("store", "missing")}
    lab.exec("web1", f"cd /var/lib/lading/apps/{app.name}/releases/*/files && echo '# by hand' >>docker-compose.yml")
    assert drift(app) == {("store", "missing"), ("", "file")}
    assert app.deploy("1.0.0", to="web1").returncode == 0
    assert drift(app) == set()


def test_operator_script(app: App, lab: Lab) -> None:  # promise 1: plain Compose stays
    assert app.deploy("1.0.0", to="web1").returncode == 0
    ids = app.ids("web1")
    folder = f"/var/lib/lading/apps/{app.name}"
    assert "web" in lab.exec("web1", f"{folder}/compose ps --services", user="alice").stdout
    lab.exec("web1", f"{folder}/compose up -d --no-deps web store", user="alice")
    assert app.ids("web1") == ids
    shipped = lab.exec("web1", f"cat {folder}/releases/*/files/docker-compose.yml").stdout
    assert shipped == (app.folder / "docker-compose.yml").read_text()
    listing = lab.exec("web1", f"find {folder}").stdout
    assert "override" not in listing  # R28


@pytest.fixture
def app_with_files(app: App, lab: Lab) -> App:
    app.edit('    volumes: ["/etc/hostname:/host-name:ro"]\n', FILES)
    (app.folder / "conf").mkdir()
    (app.folder / "conf" / "a.conf").write_text("one\n")
    (app.folder / "one.conf").write_text("as shipped\n")
    (app.folder / ".gitignore").write_text("state/\n")
    lab.run("sh", "-c", "git init -q . && git add -A && git -c user.email=a@b -c user.name=a commit -qm a", cwd=app.folder)
    return app


def told_files(app: App) -> set[tuple[str, str, str]]:
    """Host, path and what is told of it, of the files that `drift` names; it names nothing else."""
    rows = json.loads(app.lading("drift", app.name, "--json").stdout)
    assert {row["field"] for row in rows} <= {"file"}
    return {(row["host"], row["declared"], row["observed"]) for row in rows}


def test_a_folder_that_is_mounted_read_only_is_judged_and_put_right(app_with_files: App, lab: Lab) -> None:
    app, env = app_with_files, {"GREETING": "canary"}
    app.pass_env("GREETING")
    app.edit('"./state:/state"', '"./state:/state", "./www:/www"')
    (app.folder / "conf" / "in").mkdir()
    (app.folder / "conf" / "in" / "b.conf").write_text("below\n")
    (app.folder / "www").mkdir()
    (app.folder / "www" / "index.html").write_text("hello\n")
    lab.run("sh", "-c", "git add -A && git -c user.email=a@b -c user.name=a commit -qm b", cwd=app.folder)
    assert app.deploy("1.0.0", to="web1", env=env).returncode == 0
    assert told_files(app) == set()
    ids = app.ids("web1")
    shown = ["docker", "exec", ids["web"], "sh", "-c", "cd /conf && find . ! -type d | sort && cat a.conf in/b.conf"]
    shipped = lab.exec("web1", shown).stdout
    assert shipped == "./a.conf\n./in/b.conf\none\nbelow\n"

    lab.exec("web1", ["docker", "exec", ids["web"], "sh", "-c", "echo more >/www/index.html && echo own >/www/own"])
    assert told_files(app) == set()  # what is mounted writable is the app's
    conf = f"cd /var/lib/lading/apps/{app.name}/objects/*/in/.."
    lab.exec("web1", f"{conf} && sed -i s/one/two/ a.conf && rm in/b.conf && echo new >in/c.conf")
    lab.exec("web1", f"{conf} && mkdir off && ln -s ../a.conf off/on", user="deploy")
    told = {
        ("web1", "conf/a.conf", "edited by hand"), ("web1", "conf/in/b.conf", "missing"),
        ("web1", "conf/in/c.conf", "added by hand"), ("web1", "conf/off/on", "added by hand"),
    }
    assert told_files(app) == told
    plan = app.lading("plan", "--version", "1.0.0", "--to", "web1", "--json", env=env)
    assert {(c["host"], c["field"].removeprefix("file "), c["old"]) for c in json.loads(plan.stdout)["changes"]} == told
    assert app.deploy("1.0.0", to="web1", env=env).returncode == 0
    assert told_files(app) == set()
    assert app.ids("web1") == ids
    assert lab.exec("web1", shown).stdout == shipped

    lab.exec("web1", f"{conf} && rm -r in && echo new >in && rm a.conf && mkdir a.conf && touch a.conf/x")
    refused = app.deploy("1.1.0", to="web1", env=env)  # who deploys may not remove what is in root's folder
    assert refused.returncode == 5
    assert "a.conf/x': Permission denied; put that right by hand, as root or whoever made it" in refused.stderr
    lab.exec("web1", f"cd /var/lib/lading/apps/{app.name}/objects/*/a.conf/.. && rm -r a.conf")
    other = app.deploy("1.1.0", "--json", to="web1", env=env)  # another version, with the same folder
    assert other.returncode == 0, other.stderr
    assert told_files(app) == set()
    assert lab.exec("web1", ["docker", "exec", app.ids("web1")["web"], *shown[3:]]).stdout == shipped
    assert lab.exec("web1", ["docker", "exec", app.ids("web1")["web"], "cat", "/www/own"]).stdout == "own\n"


def test_shipped_files_host_data_and_secrets(app_with_files: App, lab: Lab) -> None:
    app, env = app_with_files, {"GREETING": "canary-first"}
    app.pass_env("GREETING")
    assert app.deploy("1.0.0", to="web1", env=env).returncode == 0
    first = app.ids("web1")
    exec_web = ["docker", "exec", first["web"]]
    assert lab.exec("web1", [*exec_web, "cat", "/conf/a.conf"]).stdout == "one\n"
    lab.exec("web1", [*exec_web, "sh", "-c", "echo row >/state/db"])

    (app.folder / "conf" / "a.conf").write_text("two\n")
    assert app.deploy("1.0.0", to="web1", env=env).returncode == 0
    second = app.ids("web1")
    assert second["web"] != first["web"]
    assert second["store"] == first["store"]
    assert lab.exec("web1", ["docker", "exec", second["web"], "cat", "/conf/a.conf", "/state/db"]).stdout == "two\nrow\n"

    conf = f"$(grep -l 'as shipped' /var/lib/lading/apps/{app.name}/objects/* 2>/dev/null)"
    lab.exec("web1", f"echo by hand >{conf}")
    assert drift(app) == {("", "file")}
    assert app.deploy("1.0.0", to="web1", env=env).returncode == 0
    assert drift(app) == set()
    assert app.ids("web1") == second
    assert lab.exec("web1", ["docker", "exec", second["web"], "cat", "/one.conf"]).stdout == "as shipped\n"

    plan = app.lading("plan", "--version", "1.0.0", "--to", "web1", "--json", env={"GREETING": "canary-second"})
    changes = json.loads(plan.stdout)["changes"]
    assert [(c["service"], c["field"], c["new"]) for c in changes] == [("web", "secret GREETING", "changed")]
    rotated = app.deploy("1.0.0", "--json", to="web1", env={"GREETING": "canary-second"})
    assert rotated.returncode == 0
    third = app.ids("web1")
    assert (third["web"] != second["web"], third["store"]) == (True, second["store"])
    assert "canary" not in rotated.stdout + rotated.stderr + plan.stdout + plan.stderr
    found = lab.exec("web1", f"grep -rl canary /var/lib/lading/apps/{app.name} || true").stdout.split()
    assert found
    assert all("/secrets/" in path for path in found)
    ledger = lab.run("sh", "-c", "cat $XDG_STATE_HOME/lading/ledger.db* | grep -c canary || true").stdout
    assert ledger.strip() == "0"

    back = app.lading("rollback", app.name, "--to", "web1", "--yes")
    assert back.returncode == 0, back.stderr
    shown = lab.exec("web1", ["docker", "exec", app.ids("web1")["web"], "cat", "/conf/a.conf", "/state/db"]).stdout
    assert shown == "one\nrow\n"
