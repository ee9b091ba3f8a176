"""Moving in: a project that others started is taken over as it runs; what differs is shown; nothing is lost on the way."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from app_client import LADING, App, some
from lab_client import Lab
from playbook import BOTH, Playbook, adopt, all_lives, commit_all, drift, lives


def test_a_running_project_is_adopted_as_it_is(app: App, playbook: Playbook) -> None:
    for host in BOTH:
        playbook.up(host, "1.0.0")
    before = all_lives(app)
    refused = app.deploy("1.0.0")
    assert (refused.returncode, f"lading adopt {app.name} --to web1" in refused.stderr) == (4, True)

    done = adopt(app, "--yes", "--json", "--reason", "moving in")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["result"], told["version"], "differ" in done.stderr) == ("succeeded", "1.0.0", False)
    assert all_lives(app) == before

    rows = {(r["host"], r["service"]): r for r in app.where()}
    assert {(r["app_version"], r["release"], r["adopted"], r["actor"]) for r in rows.values()} == {("1.0.0", told["release"], True, None)}
    assert rows["web1", "migrate"]["state"] == "completed"
    assert drift(app) == set()
    assert {r["app"] for r in json.loads(app.lading("where", "--json").stdout)} >= {app.name}
    assert "1.0.0 (adopted)" in app.lading("where", app.name).stdout
    newest = json.loads(app.lading("history", app.name, "--json").stdout)[0]
    assert (newest["verb"], newest["result"], newest["reason"]) == ("adopt", "succeeded", "moving in")
    again = app.deploy("1.0.0", "--json")
    assert (again.returncode, json.loads(again.stdout)["result"]) == (0, "unchanged")
    assert all_lives(app) == before


def test_the_next_deployment_touches_only_what_changed(app: App, playbook: Playbook, lab: Lab) -> None:
    for host in BOTH:
        playbook.up(host, "1.0.0")
    lab.exec("web1", ["docker", "exec", app.ids("web1")["store"], "sh", "-c", "echo row >/data/kept"])
    before = all_lives(app)
    networks = {host: {k: v for k, v in app.ids(host).items() if ":" in k} for host in BOTH}
    assert adopt(app, "--yes").returncode == 0

    done = app.deploy("1.1.0", "--json")
    assert done.returncode == 0, done.stderr
    for host in BOTH:
        after = lives(app, host)
        assert after["store"] == before[host]["store"]
        assert {service for service in after if after[service][0] != before[host][service][0]} == {"web", "migrate"}
        assert {k: v for k, v in app.ids(host).items() if ":" in k} == networks[host]
    assert app.versions() == {("web1", "1.1.0", "healthy"), ("web2", "1.1.0", "healthy")}
    assert drift(app) == set()
    assert {(r["service"], r.get("adopted", False)) for r in app.where()} == {("web", False), ("migrate", False), ("store", True)}

    back = app.lading("rollback", app.name, "--to", "web1,web2", "--yes")
    assert back.returncode == 0, back.stderr
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    broken = app.deploy("1.2.0")
    assert broken.returncode == 5
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert lives(app, "web1")["store"] == before["web1"]["store"]
    assert lab.exec("web1", ["docker", "exec", app.ids("web1")["store"], "cat", "/data/kept"]).stdout == "row\n"


def test_differences_are_shown_and_mended_by_the_next_deployment(app: App, playbook: Playbook, lab: Lab) -> None:
    app.edit("    restart: unless-stopped\n    volumes: [\"/etc/h", "    restart: always\n    environment: {GREETING: \"${GREETING}\"}\n    volumes: [\"/etc/h")
    app.edit("  migrate:\n", "  old:\n    image: registry.lab:5000/store:1\n    command: [store]\n    volumes: [\"data:/data\"]\n  migrate:\n")
    playbook.up("web1", "1.0.0", more="GREETING=canary-theirs")
    before = lives(app, "web1")
    app.edit("  old:\n    image: registry.lab:5000/store:1\n    command: [store]\n    volumes: [\"data:/data\"]\n", "")
    app.edit("    restart: always\n", "    restart: unless-stopped\n")
    env = {"GREETING": "canary-mine"}
    app.pass_env("GREETING")

    shown = adopt(app, "--dry-run", "--json", to="web1", env=env)
    assert shown.returncode == 0, shown.stderr
    changes = {(c["service"], c["field"]): (c["old"], c["new"]) for c in json.loads(shown.stdout)["changes"]}
    assert changes.pop(("", "release"))[0] == ""
    assert changes == {
        ("web", "restart"): ("always", "unless-stopped"), ("web", "environment GREETING"): ("***", "changed"),
        ("old", "service"): ("running", "not in the file"),
    }
    assert app.lading("history", app.name, "--json").returncode == 2, "nothing was recorded"

    done = adopt(app, "--yes", to="web1", env=env)
    assert done.returncode == 0, done.stderr
    assert "web differ from the file: the next deployment brings them to what it says" in done.stderr
    assert "old are not in the file: the next deployment removes their containers" in done.stderr
    assert lives(app, "web1") == before
    assert "canary" not in done.stdout + done.stderr + shown.stdout + shown.stderr
    assert {service for service, _ in drift(app)} == {"web", "old"}

    assert app.deploy("1.0.0", to="web1", env=env).returncode == 0
    after = lives(app, "web1")
    assert (after["store"], after["migrate"]) == (before["store"], before["migrate"])
    assert after["web"][0] != before["web"][0]
    assert "old" not in after
    assert drift(app) == set()


def test_data_beside_the_compose_file_is_not_left_behind(app: App, playbook: Playbook, lab: Lab) -> None:  # FACTS 1
    app.edit('["data:/data"]\n    healthcheck', '["./data:/data"]\n    healthcheck')
    playbook.up("web1", "1.0.0")
    lab.exec("web1", f"echo row >{playbook.folder}/data/kept")
    before = lives(app, "web1")

    refused = adopt(app, "--yes", to="web1")
    assert refused.returncode == 4
    place = f"/var/lib/lading/apps/{app.name}/project"
    assert f"store has its data for /data in {playbook.folder}/data" in refused.stderr
    way = f"mkdir -p {place} && ln -s {playbook.folder}/data {place}/data"
    assert way in refused.stderr
    assert lab.exec("web1", f"ls /var/lib/lading/apps | grep -c {app.name} || true").stdout.strip() == "0"

    lab.ssh("web1", way)  # the first way: lading's folder leads to the data
    adopted = adopt(app, "--yes", to="web1")
    assert adopted.returncode == 0, adopted.stderr
    assert lives(app, "web1") == before
    app.edit("    command: [store]\n", "    command: [store]\n    environment: {A: b}\n")
    assert app.deploy("1.0.0", to="web1").returncode == 0
    assert lives(app, "web1")["store"] != before["store"]
    assert lab.exec("web1", ["docker", "exec", app.ids("web1")["store"], "cat", "/data/kept"]).stdout == "row\n"


def test_data_under_its_old_path_in_the_file(app: App, playbook: Playbook, lab: Lab) -> None:  # the second way
    app.edit('["data:/data"]\n    healthcheck', '["./data:/data"]\n    healthcheck')
    playbook.up("web1", "1.0.0")
    before = lives(app, "web1")
    app.edit("./data:/data", f"{playbook.folder}/data:/data")
    done = adopt(app, "--yes", to="web1")
    assert done.returncode == 0, done.stderr
    assert (lives(app, "web1"), drift(app)) == (before, set())


def test_shipped_files_are_compared_by_content(app: App, playbook: Playbook, lab: Lab) -> None:
    app.edit('["/etc/hostname:/host-name:ro"]', '["/etc/hostname:/host-name:ro", "./conf:/conf:ro"]\n    secrets: [key]')
    app.edit("volumes:\n  data: {}\n", "volumes:\n  data: {}\nsecrets:\n  key: {file: ./key.txt}\n")
    (app.folder / "conf").mkdir()
    (app.folder / "conf" / "a.conf").write_text("one\n")
    (app.folder / "key.txt").write_text("canary-key\n")
    commit_all(app)
    playbook.up("web1", "1.0.0")
    before = lives(app, "web1")
    (app.folder / "key.txt").write_text("canary-new\n")
    (app.folder / "conf" / "a.conf").write_text("two\n")
    shown = adopt(app, "--dry-run", "--json", to="web1")
    assert {c["field"] for c in json.loads(shown.stdout)["changes"]} == {"release", "mount /conf", "mount /run/secrets/key"}
    (app.folder / "key.txt").write_text("canary-key\n")
    (app.folder / "conf" / "a.conf").write_text("one\n")
    done = adopt(app, "--yes", to="web1")
    assert done.returncode == 0, done.stderr
    assert f"keep {playbook.folder}/conf: web mount it until their next change" in done.stderr
    assert "canary" not in shown.stdout + shown.stderr + done.stdout + done.stderr
    assert (lives(app, "web1"), drift(app)) == (before, set())

    (app.folder / "key.txt").write_text("canary-rotated\n")
    assert app.deploy("1.0.0", to="web1").returncode == 0
    after = lives(app, "web1")
    assert (after["store"], after["web"][0] != before["web"][0]) == (before["store"], True)
    assert lab.exec("web1", ["docker", "exec", after["web"][0], "cat", "/conf/a.conf", "/run/secrets/key"]).stdout == "one\ncanary-rotated\n"


def test_what_cannot_be_adopted(app: App, playbook: Playbook, lab: Lab) -> None:
    nothing = adopt(app, "--yes", to="web1")
    assert (nothing.returncode, f"no Compose project {app.name} on web1" in nothing.stderr) == (2, True)
    asked = adopt(app, to="web1")
    assert (asked.returncode, "add --yes" in asked.stderr) == (4, True)
    playbook.up("web1", "1.0.0", "store")
    misnamed = app.lading("adopt", "other", "--version", "1.0.0", "--to", "web1", "--yes")
    assert (misnamed.returncode, f"the files call the app {app.name}, the command line other" in misnamed.stderr) == (2, True)
    elsewhere = adopt(app, "--yes")
    assert (elsewhere.returncode, "web2" in elsewhere.stderr) == (2, True)
    assert "there: " in elsewhere.stderr
    absent = adopt(app, "--yes", to="web1", version="9.9.9")
    assert absent.returncode == 2
    lab.exec("web1", f"docker stop -t 1 {app.ids('web1')['store']}")
    still = adopt(app, "--yes", to="web1")
    assert (still.returncode, "none of its 1 containers does" in still.stderr) == (4, True)
    lab.exec("web1", f"docker rm {app.ids('web1')['store']}")
    assert app.deploy("1.0.0", to="web1").returncode == 0
    mine = adopt(app, "--yes", "--json", to="web1")
    assert mine.returncode == 4
    assert "lading has it" in json.loads(mine.stdout)["error"]["message"].replace(f"{app.name} there", "it")


def left_open(app: App, until: str) -> None:
    """Kill an adoption in the middle."""
    process = app.lab.popen(*LADING, "adopt", app.name, "--version", "1.0.0", "--to", "web1,web2", "--yes", cwd=app.folder)
    assert process.stderr is not None
    said = ""
    while until not in said:
        line = process.stderr.readline()
        assert line, f"it never said {until!r}, but:\n{said}"
        said += line
    process.kill()
    process.communicate()


@pytest.mark.parametrize("how", some(["resume", "adopt", "deploy"]))
def test_killed_in_the_middle(app: App, playbook: Playbook, how: str) -> None:
    for host in BOTH:
        playbook.up(host, "1.0.0")
    before = all_lives(app)
    left_open(app, "stage begins")
    assert ("", "deployment") in drift(app)
    if how == "resume":
        ended = app.lading("resume", app.name)
        assert ended.returncode == 0, ended.stderr
        assert "rolled_back" in ended.stdout
    if how == "deploy":
        refused = app.deploy("1.0.0")
        assert (refused.returncode, "lading adopt" in refused.stderr) == (4, True)
    assert all_lives(app) == before
    done = adopt(app, "--yes", "--take-lease")
    assert done.returncode == 0, done.stderr
    assert all_lives(app) == before
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert drift(app) == set()


def test_committed_on_one_host_is_finished_on_the_other(app: App, playbook: Playbook, lab: Lab, tmp_path: Path) -> None:
    for host in BOTH:
        playbook.up(host, "1.0.0")
    before = all_lives(app)
    assert adopt(app, "--yes").returncode == 0
    folder = lab.exec("web2", f"ls -d /home/deploy/.lading/*/apps/{app.name}").stdout.strip()
    lab.exec("web2", f"rm {folder}/current && sed -i '/kind.: .committed/d' {folder}/journal")  # as if the controller had died between the two
    home = tmp_path / "home"  # another controller's: the ledger of this one saw web2 commit
    home.mkdir()
    (home / ".ssh").symlink_to("/root/.ssh")
    other = replace(app, options=("--home", str(home)))
    ended = adopt(other, "--yes")
    assert ended.returncode == 0, ended.stderr
    assert other.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert (all_lives(app), drift(other)) == (before, set())
