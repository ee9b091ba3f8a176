"""Order across hosts and steps: hooks, changed networks, batches, pauses, what is kept (DESIGN §4, R17, R46)."""

import json
import os
import signal
import time

import pytest
from app_client import App, some
from lab_client import Lab
from test_interrupted import deploying

TOOL = """  tool:
    image: registry.lab:5000/hello:${VERSION}
    profiles: [tool]
    container_name: fixed
    labels: {traefik.enable: "true"}
    depends_on: [store]
    entrypoint: [/bin/sh, -c]
    volumes: ["data:/data"]
"""


def hook(app: App, command: str, timeout: str = "1m") -> None:
    """Give the app a hook that runs *command* in a shell, with the volume of the store."""
    path = app.folder / "docker-compose.yml"
    text = path.read_text().split("x-lading:")[0]
    if "tool:" not in text:
        text = text.replace("  store:\n", TOOL + "  store:\n", 1)
    words = json.dumps([command])
    path.write_text(f"{text}x-lading: {{hooks: {{before: {{service: tool, command: {words}, timeout: {timeout}}}}}}}\n")


def in_store(app: App, host: str, path: str) -> list[str]:
    """The lines of a file in the store's volume."""
    store = app.ids(host)["store"]
    return app.lab.exec(host, f"docker exec {store} cat {path}", check=False).stdout.split("\n")[:-1]


def leftovers(lab: Lab, host: str) -> str:
    """Containers, networks and volumes of throw-away projects."""
    return lab.exec(host, "docker ps -a --format '{{.Names}}' | grep -e -hook-2 -e fixed; "
                          "docker network ls --format '{{.Name}}' | grep -e -hook-2; "
                          "docker volume ls --format '{{.Name}}' | grep -e -hook-2", check=False).stdout


def test_hook_runs_once_before_anything_is_rolled(app: App, lab: Lab) -> None:  # issue 2, item 7
    hook(app, "echo hook $VERSION $$APP_VERSION >>/data/hooks")
    first = app.deploy("1.0.0")
    assert first.returncode == 0, first.stderr
    assert "hook before: tool runs once, on web1" in first.stderr
    assert in_store(app, "web1", "/data/hooks") == ["hook 1.0.0 1.0.0"]
    assert in_store(app, "web2", "/data/hooks") == []
    before = app.ids("web1")
    done = app.deploy("1.1.0")
    assert done.returncode == 0, done.stderr
    assert in_store(app, "web1", "/data/hooks") == ["hook 1.0.0 1.0.0", "hook 1.1.0 1.1.0"]
    assert done.stderr.index("hook begins") < done.stderr.index("roll begins")
    after = app.ids("web1")
    assert {k: v for k, v in after.items() if k not in ("web", "migrate")} == {
        k: v for k, v in before.items() if k not in ("web", "migrate")}
    assert "unchanged" in app.deploy("1.1.0").stdout
    assert app.lading("rollback", app.name, "--to", "web1,web2", "--yes").returncode == 0
    assert len(in_store(app, "web1", "/data/hooks")) == 2
    assert leftovers(lab, "web1") == ""
    assert app.lading("drift", app.name).returncode == 0


def test_hook_that_fails_stops_before_anything_is_rolled(app: App, lab: Lab) -> None:
    hook(app, "echo cannot migrate; exit 7")
    first = app.deploy("1.0.0", to="web1")
    assert (first.returncode, "exit code 7" in first.stderr, "cannot migrate" in first.stderr) == (5, True, True)
    assert [key for key in app.ids("web1") if not key.startswith("volume:")] == []
    hook(app, "true")
    assert app.deploy("1.0.0", to="web1").returncode == 0
    before = app.ids("web1")
    hook(app, "echo cannot migrate; exit 7")
    failed = app.deploy("1.1.0", "--json", to="web1")
    told = json.loads(failed.stdout)
    assert (failed.returncode, told["result"], told["hosts"]["web1"]["result"]) == (5, "failed", "untouched")
    hook(app, "sleep 300", timeout="2s")
    late = app.deploy("1.1.0", to="web1")
    assert (late.returncode, "time is up (2 s)" in late.stderr) == (5, True)
    assert app.ids("web1") == before
    assert leftovers(lab, "web1") == ""
    hook(app, "true")
    assert app.deploy("1.1.0", to="web1").returncode == 0


@pytest.mark.parametrize(("words", "said"), [
    ("{before: {service: tol}}", "there is no service tol"), ("{after: {service: web}}", "one key, `before`"),
    ("{before: {command: x}}", "needs a `service:`"), ("{before: {service: web, timeout: soon}}", "no duration"),
])
def test_wrong_hook_is_refused_with_its_line(app: App, words: str, said: str) -> None:
    path = app.folder / "docker-compose.yml"
    path.write_text(path.read_text() + f"x-lading:\n  hooks: {words}\n")
    done = app.deploy("1.0.0", to="web1")
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert "docker-compose.yml:" in done.stderr
    assert app.ids("web1") == {}


def attached(lab: Lab, host: str, container: str, network: str) -> list[str]:
    form = '{{json (index .NetworkSettings.Networks "' + network + '").Aliases}}'
    return json.loads(lab.exec(host, f"docker inspect -f '{form}' {container}").stdout) or []


def test_changed_network_with_a_stranger_on_it(app: App, lab: Lab) -> None:  # DESIGN §4: plan steps are exact
    assert app.deploy("1.0.0", to="web1").returncode == 0
    image = lab.exec("web1", f"docker inspect -f '{{{{.Config.Image}}}}' {app.ids('web1')['store']}").stdout.strip()
    net, stranger = f"{app.name}_default", f"{app.name}-stranger"
    lab.exec("web1", f"docker run -d --name {stranger} --network {net} --network-alias mon {image} web")
    try:
        before = app.ids("web1")
        id_ = lab.exec("web1", f"docker inspect -f '{{{{.Id}}}}' {stranger}").stdout
        path = app.folder / "docker-compose.yml"
        path.write_text(path.read_text() + "networks: {default: {driver_opts: {com.docker.network.driver.mtu: '1400'}}}\n")
        plan = app.lading("plan", "--version", "1.0.0", "--to", "web1")
        assert f"{stranger} of others will be detached" in plan.stderr + plan.stdout
        broken = app.deploy("1.2.0", to="web1")
        assert (broken.returncode, "rolled_back" in broken.stdout) == (5, True), broken.stderr
        assert "mon" in attached(lab, "web1", stranger, net)
        assert app.versions() == {("web1", "1.0.0", "healthy")}
        assert in_store(app, "web1", "/data/schema") == ["schema 1.0.0", "schema 1.2.0"]
        assert app.lading("drift", app.name).returncode == 0
        good = app.deploy("1.1.0", to="web1")
        assert good.returncode == 0, good.stderr
        assert "mon" in attached(lab, "web1", stranger, net)
        assert lab.exec("web1", f"docker inspect -f '{{{{.Id}}}}' {stranger}").stdout == id_
        assert lab.exec("web1", f"docker network inspect -f '{{{{json .Options}}}}' {net}").stdout.find("1400") > 0
        assert app.ids("web1")[f"network:{net}"] != before[f"network:{net}"]
        assert lab.exec("web1", f"ls /var/lib/lading/apps/{app.name}").stdout.find("detached") < 0
        gone = app.lading("remove", app.name, "--to", "web1", "--yes")
        assert (gone.returncode, stranger in gone.stderr) == (5, True), gone.stderr
    finally:
        lab.exec("web1", f"docker rm -f {stranger}", check=False)


def test_hosts_in_batches_and_the_way_back(app: App, lab: Lab) -> None:  # update_config.parallelism; promise 2
    app.edit("    stop_grace_period: 2s\n  migrate", "    deploy: {update_config: {parallelism: 1, monitor: 1s}}\n"
             "    stop_grace_period: 2s\n  migrate")
    assert app.deploy("1.0.0", to="production").returncode == 0
    before = app.ids("web3")
    app.edit("    ports:", "    entrypoint: [/bin/sh, -c, 'grep -q web2 /host-name && exit 3; exec /app web']\n    ports:")
    done = app.deploy("1.1.0", "--json", to="production")
    told = json.loads(done.stdout)
    results = {name: host["result"] for name, host in told["hosts"].items()}
    assert (done.returncode, told["result"]) == (5, "rolled_back"), done.stderr
    assert results == {"web1": "rolled_back", "web2": "rolled_back", "web3": "untouched"}
    said = [" ".join(line.split()) for line in done.stderr.splitlines()]
    order = [line for line in said if line.endswith(("roll begins", "undo begins"))]
    assert [line.split()[-3:-1] for line in order] == [["web1", "roll"], ["web2", "roll"], ["web2", "undo"], ["web1", "undo"]]
    assert app.ids("web3") == before
    assert app.versions() == {(f"web{n}", "1.0.0", "healthy") for n in (1, 2, 3)}


def test_ctrl_c_ends_the_pause_between_batches(app: App) -> None:  # update_config.delay
    assert app.deploy("1.0.0").returncode == 0
    app.edit("    stop_grace_period: 2s\n  migrate", "    deploy: {update_config: {parallelism: 1, delay: 1h, monitor: 1s, "
             "order: start-first}}\n    stop_grace_period: 2s\n  migrate")
    with deploying(app, "1.1.0", "web1       roll done") as process:
        os.kill(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=120)
    assert (process.returncode, "rolled_back" in out) == (5, True)
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    warned = app.lading("plan", "--version", "1.1.0", "--to", "web1,web2").stderr
    assert "batch 2: web2" in warned
    assert "update_config.order: start-first is not carried out" in warned


def test_five_releases_stay_and_survive_a_prune(app: App, lab: Lab) -> None:  # DESIGN §4 commit, R64
    for number in range(7):
        app.edit("    ports:" if not number else f"    environment: {{N: '{number - 1}'}}\n    ports:",
                 f"    environment: {{N: '{number}'}}\n    ports:")
        assert app.deploy("1.0.0" if number % 2 else "1.1.0", to="web1").returncode == 0
    state = f"/var/lib/lading/apps/{app.name}"
    kept = lab.exec("web1", f"ls {state}/releases").stdout.split()
    assert len(kept) == 5
    tags = lab.exec("web1", f"docker images --format '{{{{.Repository}}}} {{{{.Tag}}}}' | grep lading-keep/{app.name}/web").stdout
    assert {line.split()[1] for line in tags.splitlines()} == set(kept)
    lab.exec("web1", "docker image prune -af")
    lab.registry("stop")
    try:
        lines = lab.exec("web1", f"cat {state}/journal").stdout.splitlines()
        oldest = next(one["to"] for one in map(json.loads, lines) if one["kind"] == "committed" and one["to"] in kept)
        back = app.lading("rollback", app.name, "--release", oldest, "--to", "web1", "--yes")
    finally:
        lab.registry("start")
    assert back.returncode == 0, back.stderr
    assert {row["release"] for row in app.where() if (row["host"], row["service"]) == ("web1", "web")} == {oldest}


@pytest.mark.parametrize(("struck", "said"), some([("docker exec {web} touch /bad", "unhealthy"),
                                                   ("kill -9 $(docker inspect -f '{{{{.State.Pid}}}}' {web})", "it restarts")]))
def test_what_is_not_well_any_more_when_all_is_rolled_is_not_committed(app: App, lab: Lab, struck: str, said: str) -> None:
    app.edit('test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/"], interval: 2s, timeout: 2s, retries: 5}',
             'test: [CMD, test, "!", -e, /bad], interval: 1s, timeout: 30s, retries: 1}\n'
             "    deploy: {update_config: {parallelism: 1, delay: 8s}}")
    assert app.deploy("1.0.0").returncode == 0
    with deploying(app, "1.1.0", "web1       roll done") as process:
        lab.exec("web1", struck.format(web=app.ids("web1")["web"]))
        out, err = process.communicate(timeout=120)
    assert process.returncode == 5, out + err
    assert f"web does not run any more as it was judged: {said}" in out + err
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert app.deploy("1.0.0", to="web2").returncode == 0, "the one-shot had run as 1.1.0, and an undo runs none"
    lab.exec("web2", f"docker exec {app.ids('web2')['web']} touch /bad")
    until = time.monotonic() + 60
    while ("web2", "1.0.0", "unhealthy") not in app.versions():
        assert time.monotonic() < until, app.versions()
    again = app.deploy("1.0.0", to="web2")
    assert (again.returncode, "web on web2 is unhealthy" in again.stdout + again.stderr) == (0, True), again.stdout + again.stderr
