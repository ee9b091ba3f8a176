"""Moving in and out: a project that others started is taken over as it runs, and given back as it runs."""

import json
from collections.abc import Iterator

import pytest
from app_client import LADING, App
from lab_client import Done, Lab

BOTH = ("web1", "web2")


class Playbook:
    """What the team had before: files copied to a folder on the host, `docker compose up` there, over ssh."""

    def __init__(self, app: App) -> None:
        self.app, self.lab = app, app.lab
        self.folder = f"/home/deploy/{app.name}"

    def login(self) -> None:
        for host in BOTH:
            self.lab.run("ssh", host, "docker login -u ci --password-stdin registry.lab:5000", stdin=self.lab.password)

    def up(self, host: str, version: str, *services: str, more: str = "") -> None:
        """Copy the app's folder, bring the project up."""
        self.lab.run("sh", "-c", f"tar -cf - . | ssh {host} 'mkdir -p {self.folder} && tar -C {self.folder} -xf -'", cwd=self.app.folder)
        self.lab.ssh(host, f"cd {self.folder} && env VERSION={version} {more} docker compose -f docker-compose.yml up -d {' '.join(services)}",
                     timeout=120)

    def forget(self) -> None:
        for host in BOTH:
            self.lab.exec(host, f"rm -rf {self.folder} /home/deploy/.docker", check=False)


@pytest.fixture
def playbook(app: App) -> Iterator[Playbook]:
    made = Playbook(app)
    made.login()
    yield made
    made.forget()


def adopt(app: App, *words: str, version: str = "1.0.0", to: str = "web1,web2", env: dict[str, str] | None = None) -> Done:
    return app.lading("adopt", app.name, "--version", version, "--to", to, *words, env=env)


def lives(app: App, host: str) -> dict[str, tuple[str, str, str]]:
    """Service → container id, when it was made, when it was started."""
    lines = app.lab.exec(
        host, f"docker ps -aq --no-trunc --filter label=com.docker.compose.project={app.name} | xargs -r docker inspect -f "
        "'{{index .Config.Labels \"com.docker.compose.service\"}} {{.Id}} {{.Created}} {{.State.StartedAt}}'").stdout.splitlines()
    return {line.split()[0]: (line.split()[1], line.split()[2], line.split()[3]) for line in lines}


def drift(app: App) -> set[tuple[str, str]]:
    done = app.lading("drift", app.name, "--json")
    found = {(row["service"], row["field"]) for row in json.loads(done.stdout)}
    assert done.returncode == (1 if found else 0)
    return found


def test_a_running_project_is_adopted_as_it_is(app: App, playbook: Playbook, lab: Lab) -> None:
    for host in BOTH:
        playbook.up(host, "1.0.0")
    lab.exec("web1", ["docker", "exec", app.ids("web1")["store"], "sh", "-c", "echo row >/data/kept"])
    before = {host: lives(app, host) for host in BOTH}
    networks = {host: {k: v for k, v in app.ids(host).items() if ":" in k} for host in BOTH}

    refused = app.deploy("1.0.0")
    assert refused.returncode == 4
    assert f"lading adopt {app.name} --to web1,web2" in refused.stderr

    done = adopt(app, "--yes", "--json", "--reason", "moving in")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["result"], told["version"]) == ("succeeded", "1.0.0")
    assert "differ" not in done.stderr
    assert {host: lives(app, host) for host in BOTH} == before

    rows = {(r["host"], r["service"]): r for r in app.where()}
    assert {(r["version"], r["release"], r["adopted"]) for r in rows.values()} == {("1.0.0", told["release"], True)}
    assert rows["web1", "migrate"]["state"] == "completed"
    assert drift(app) == set()
    assert {r["app"] for r in json.loads(app.lading("where", "--json").stdout)} >= {app.name}
    assert "1.0.0 (adopted)" in app.lading("where", app.name).stdout
    last = json.loads(app.lading("history", app.name, "--json").stdout)
    assert [(r["verb"], r["result"], r["reason"]) for r in last][:1] == [("adopt", "succeeded", "moving in")]
    again = app.deploy("1.0.0", "--json")
    assert (again.returncode, json.loads(again.stdout)["result"]) == (0, "unchanged")
    assert {host: lives(app, host) for host in BOTH} == before

    next_one = app.deploy("1.1.0", "--json")
    assert next_one.returncode == 0, next_one.stderr
    for host in BOTH:
        after = lives(app, host)
        assert after["store"] == before[host]["store"]
        assert (after["web"][0] != before[host]["web"][0], after["migrate"][0] != before[host]["migrate"][0]) == (True, True)
        assert {k: v for k, v in app.ids(host).items() if ":" in k} == networks[host]
    assert app.versions() == {("web1", "1.1.0", "healthy"), ("web2", "1.1.0", "healthy")}
    assert drift(app) == set()
    assert {(r["service"], r.get("adopted", False)) for r in app.where()} == {("web", False), ("migrate", False), ("store", True)}

    back = app.lading("rollback", app.name, "--to", "web1,web2", "--yes")
    assert back.returncode == 0, back.stderr
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert lives(app, "web1")["store"] == before["web1"]["store"]
    assert lab.exec("web1", ["docker", "exec", app.ids("web1")["store"], "cat", "/data/kept"]).stdout == "row\n"

    broken = app.deploy("1.2.0")
    assert broken.returncode == 5
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert lives(app, "web1")["store"] == before["web1"]["store"]


def test_differences_are_shown_and_mended_by_the_next_deployment(app: App, playbook: Playbook, lab: Lab) -> None:
    app.edit("    restart: unless-stopped\n    volumes: [\"/etc/h", "    restart: always\n    environment: {GREETING: \"${GREETING}\"}\n    volumes: [\"/etc/h")
    app.edit("  migrate:\n", "  old:\n    image: registry.lab:5000/store:1\n    command: [store]\n    volumes: [\"data:/data\"]\n  migrate:\n")
    playbook.up("web1", "1.0.0", more="GREETING=canary-theirs")
    before = lives(app, "web1")
    app.edit("  old:\n    image: registry.lab:5000/store:1\n    command: [store]\n    volumes: [\"data:/data\"]\n", "")
    app.edit("    restart: always\n", "    restart: unless-stopped\n")
    env = {"GREETING": "canary-mine"}

    shown = adopt(app, "--dry-run", "--json", to="web1", env=env)
    assert shown.returncode == 0, shown.stderr
    changes = {(c["service"], c["field"]): (c["old"], c["new"]) for c in json.loads(shown.stdout)["changes"]}
    assert changes.pop(("", "release"))[0] == ""
    assert changes == {
        ("web", "restart"): ("always", "unless-stopped"), ("web", "environment GREETING"): ("***", "changed"),
        ("old", "service"): ("running", "not in the file"),
    }
    assert app.lading("history", app.name, "--json").stdout.strip() == "[]"

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
    lab.run("sh", "-c", "git init -q . && git add -A && git -c user.email=a@b -c user.name=a commit -qm a", cwd=app.folder)
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
    assert (misnamed.returncode, f"the file says name: {app.name}, the command line other" in misnamed.stderr) == (2, True)
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


@pytest.mark.parametrize("how", ["resume", "adopt", "deploy"])
def test_killed_in_the_middle(app: App, playbook: Playbook, how: str) -> None:
    for host in BOTH:
        playbook.up(host, "1.0.0")
    before = {host: lives(app, host) for host in BOTH}
    left_open(app, "stage begins")
    assert ("", "deployment") in drift(app)
    if how == "resume":
        ended = app.lading("resume", app.name)
        assert ended.returncode == 0, ended.stderr
        assert "rolled_back" in ended.stdout
    if how == "deploy":
        refused = app.deploy("1.0.0")
        assert (refused.returncode, "lading adopt" in refused.stderr) == (4, True)
    assert {host: lives(app, host) for host in BOTH} == before
    done = adopt(app, "--yes", "--take-lease")
    assert done.returncode == 0, done.stderr
    assert {host: lives(app, host) for host in BOTH} == before
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert drift(app) == set()


def test_committed_on_one_host_is_finished_on_the_other(app: App, playbook: Playbook, lab: Lab) -> None:
    for host in BOTH:
        playbook.up(host, "1.0.0")
    before = {host: lives(app, host) for host in BOTH}
    assert adopt(app, "--yes").returncode == 0
    folder = lab.exec("web2", f"ls -d /home/deploy/.lading/*/apps/{app.name}").stdout.strip()
    lab.exec("web2", f"rm {folder}/current && sed -i '/kind.: .committed/d' {folder}/journal")  # as if the controller had died between the two
    ended = adopt(app, "--yes")
    assert ended.returncode == 0, ended.stderr
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert ({host: lives(app, host) for host in BOTH}, drift(app)) == (before, set())


def test_given_back_and_taken_again(app: App, playbook: Playbook, lab: Lab) -> None:
    app.edit('["/etc/hostname:/host-name:ro"]', '["/etc/hostname:/host-name:ro", "./conf:/conf:ro"]\n    environment: {GREETING: "${GREETING}"}')
    (app.folder / "conf").mkdir()
    (app.folder / "conf" / "a.conf").write_text("one\n")
    lab.run("sh", "-c", "git init -q . && git add -A && git -c user.email=a@b -c user.name=a commit -qm a", cwd=app.folder)
    playbook.up("web1", "1.0.0", more="GREETING=hello")
    env = {"GREETING": "hello"}
    assert adopt(app, "--yes", to="web1", env=env).returncode == 0
    assert app.deploy("1.1.0", to="web1", env=env).returncode == 0  # web is lading's now, store still adopted
    before = lives(app, "web1")

    both = app.lading("remove", app.name, "--to", "web1", "--keep-running", "--volumes", "--yes")
    assert both.returncode == 2
    done = app.lading("remove", app.name, "--to", "web1", "--keep-running", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    folder = f"/var/lib/lading/apps/{app.name}"
    assert (told["result"], f"go on with {folder}/compose" in told["note"]) == ("succeeded", True)
    assert f"still belongs to {playbook.folder}" in told["note"]
    assert lives(app, "web1") == before
    assert drift(app) == set()
    assert {(r["service"], r["version"], r["release"]) for r in app.where()} == {
        ("web", None, None), ("migrate", None, None), ("store", None, None)}
    listing = lab.exec("web1", f"cd {folder} && find . -type f").stdout
    assert "current" not in listing
    assert "release.json" not in listing
    assert lab.exec("web1", f"docker images -q --filter 'reference=lading-keep/{app.name}/*'").stdout == ""

    lab.exec("web1", f"docker restart -t 1 {before['web'][0]}")  # what it mounts is there (FACTS 12)
    assert "web" in lab.ssh("web1", f"docker compose -p {app.name} ps --services").stdout
    assert "web" in lab.ssh("web1", f"{folder}/compose logs web").stdout
    lab.ssh("web1", f"{folder}/compose up -d --no-deps web")
    assert lives(app, "web1")["web"][0] == before["web"][0]
    refused = app.deploy("1.1.0", to="web1", env=env)
    assert (refused.returncode, "lading adopt" in refused.stderr) == (4, True)

    before = lives(app, "web1")
    again = adopt(app, "--yes", to="web1", version="1.1.0", env=env)
    assert again.returncode == 0, again.stderr
    assert "differ" not in again.stderr
    assert (lives(app, "web1"), drift(app)) == (before, set())
    assert app.versions() == {("web1", "1.1.0", "healthy")}
    unchanged = app.deploy("1.1.0", "--json", to="web1", env=env)
    assert json.loads(unchanged.stdout)["result"] == "unchanged"
