"""Bad input: the right message and exit code, and nothing changed on any host."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from app_client import LADING, App
from lab_client import Done, Lab

Setting = Callable[[App, Lab], Done]


def picture(lab: Lab) -> dict[str, str]:
    """All that a deployment could change on the hosts."""
    look = ("docker ps -a --no-trunc --format '{{.ID}} {{.Image}} {{.State}}' | sort; docker images -q | sort; "
            "docker network ls -q | sort; docker volume ls -q | sort; find /var/lib/lading /home/deploy/.lading "
            "-name journal -o -name current -o -name releases 2>/dev/null | sort | xargs ls -ld 2>/dev/null | cut -d' ' -f5-")
    return {host: lab.exec(host, look).stdout for host in ("web1", "web2")}


def deploy(version: str = "1.0.0", *words: str, to: str = "web1,web2", env: dict[str, str] | None = None) -> Setting:
    return lambda app, lab: app.deploy(version, *words, to=to, env=env)


def edited(old: str, new: str) -> Setting:
    def act(app: App, lab: Lab) -> Done:
        app.edit(old, new)
        return app.deploy("1.0.0")

    return act


def without_version(app: App, lab: Lab) -> Done:
    return app.lading("deploy", "--to", "web1", "--yes")


def fleet_with(old: str, new: str, *more: str) -> Setting:
    """A deployment with a fleet file in which *old* is *new*."""

    def act(app: App, lab: Lab) -> Done:
        text = (lab.fleet / "lading.yaml").read_text()
        assert old in text
        path = app.folder / "fleet.yaml"
        text = text.replace(old, new).replace("known_hosts: known_hosts", f"known_hosts: {lab.fleet}/known_hosts")
        path.write_text(text.replace("ca: ca.pem", f"ca: {lab.fleet}/ca.pem"))
        return app.lading("--config", str(path), "deploy", "--version", "1.0.0", "--to", "web1,web2", "--yes", *more)

    return act


def pinned_otherwise(line: Callable[[str], str]) -> Setting:
    def act(app: App, lab: Lab) -> Done:
        pins = app.folder / "pins"
        pins.write_text("".join(line(one) + "\n" for one in (lab.fleet / "known_hosts").read_text().splitlines()))
        return fleet_with("known_hosts: known_hosts", f"known_hosts: {pins}")(app, lab)

    return act


def with_override(name: str, content: str) -> Setting:
    def act(app: App, lab: Lab) -> Done:
        (app.folder / name).write_text(content)
        return app.deploy("1.0.0")

    return act


def registry_down(app: App, lab: Lab) -> Done:
    lab.registry("stop")
    try:
        return app.deploy("1.0.0")
    finally:
        lab.registry("start")


CASES: dict[str, tuple[Setting, int, str]] = {
    "version unset": (without_version, 2, "VERSION"),
    "version empty": (deploy(""), 2, "VERSION"),
    "version blank": (deploy("  "), 2, "VERSION"),
    "version hostile": (deploy("1.0; rm -rf /"), 2, "cannot be an image's tag"),
    "version injects": (deploy("1.0 DESTINATION=prod"), 2, "cannot be an image's tag"),
    "version long": (deploy("1" * 300), 2, "300 characters"),
    "version unicode": (deploy("1.0é"), 2, "cannot be an image's tag"),
    "moving tag": (deploy("latest", "--require-immutable"), 2, "moving tag"),
    "absent tag": (deploy("9.9.9"), 2, "there are: 1."),
    "unknown destination": (deploy(to="prodution"), 2, "did you mean production?"),
    "empty destination": (deploy(to=""), 2, "no destination"),
    "empty part of a destination": (deploy(to="web1,"), 2, "empty name"),
    "wrong password": (deploy(env={"REG_PASSWORD": "wrong"}), 2, "refuses the credentials of ci"),
    "no password": (deploy(env={"REG_PASSWORD": ""}), 2, "REG_PASSWORD"),
    "registry down": (registry_down, 2, "does not answer"),
    "no certificate": (fleet_with(', ca: ca.pem', ""), 2, "ca: FILE"),
    "unknown key in the fleet file": (fleet_with("state_dir: auto", "state_dri: auto"), 2, "did you mean state_dir?"),
    "fleet file of a newer format": (fleet_with("lading: 1", "lading: 7"), 2, "newer lading"),
    "host key unknown": (pinned_otherwise(lambda line: ""), 6, "lading hosts trust"),
    "host key changed": (
        pinned_otherwise(lambda line: line.split()[0] + " ssh-ed25519 "
                         "AAAAC3NzaC1lZDI1NTE5AAAAIGPjeHc2Q8Pgn0oXH0TGZoEB4GVeBVTRkMfdvXxxxxxx"), 6, "key"),
    "wrong user": (fleet_with("{address: 10.88.0.11, user: deploy}", "{address: 10.88.0.11, user: nobody}"), 6, "does not let nobody@10.88.0.11"),
    "user without docker": (
        fleet_with("{address: 10.88.0.11, user: deploy}", "{address: 10.88.0.11, user: ops}"), 4, "permission denied"),
    "yaml syntax": (edited("services:\n", "services: [\n"), 2, "docker-compose.yml:"),
    "unknown key in the Compose file": (edited("restart: unless-stopped", "restrat: unless-stopped"), 2, "restart"),
    "missing env_file": (edited('command: [migrate]', 'command: [migrate]\n    env_file: [nope.env]'), 2, "nope.env"),
    "path out of the project": (edited('"data:/data"', '"../../etc:/data"'), 2, "docker-compose.yml:"),
    "home in a path": (edited('"data:/data"', '"~/data:/data"'), 2, "~"),
    "$HOME in a path": (edited('"data:/data"', '"$HOME/data:/data"'), 2, "HOME"),
    "replicas with a fixed port": (edited("    restart: unless-stopped\n    volumes: [\"/etc", "    deploy: {replicas: 2}\n"
                                          "    volumes: [\"/etc"), 2, "port"),
    "several Compose files": (with_override("compose.yaml", "services: {}\n"), 2, "compose.yaml"),
    "missing absolute bind": (edited("/etc/hostname:", "/no/such/file:"), 4, "/no/such/file"),
    "not confirmed": (lambda app, lab: app.lading("deploy", "--version", "1.0.0", "--to", "web1"), 4, "--yes"),
    "unknown option": (lambda app, lab: app.lading("deploy", "--versoin", "1"), 2, "--versoin"),
}


@pytest.fixture(scope="class")
def untouched(running_lab: Lab, images: Lab) -> Iterator[Lab]:
    """The lab; when the class is over, nothing on any host is other than before."""
    running_lab.up(3)
    before = picture(running_lab)
    yield running_lab
    assert picture(running_lab) == before


class TestRefused:
    """Each case is refused in its own words, and touches no host."""

    @pytest.mark.parametrize("case", CASES)
    def test_refused(self, case: str, untouched: Lab, tmp_path: Path) -> None:
        act, code, words = CASES[case]
        done = act(App.copy(untouched, tmp_path / "project", "refused", 8080), untouched)
        said = done.stdout + done.stderr
        assert (done.returncode, words in said) == (code, True), said
        assert "Traceback" not in said
        assert "error:" in done.stderr


def test_error_as_json(app: App) -> None:
    done = app.deploy("9.9.9", "--json")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["kind"]) == (2, "registry")
    assert set(error) == {"kind", "message", "hint", "file", "line", "host", "step"}


def test_v1_file(app: App) -> None:
    (app.folder / "docker-compose.yml").write_text("web:\n  image: x:1\n")
    done = app.deploy("1.0.0")
    assert (done.returncode, "services:" in done.stderr) == (2, True)


def test_host_down_before_the_start(app: App, lab: Lab) -> None:
    lab.off("web2")
    done = app.deploy("1.0.0")
    assert (done.returncode, "web2" in done.stderr) == (6, True)
    assert app.ids("web1") == {}


def test_engine_down(app: App, lab: Lab) -> None:
    lab.stop("web2", "dockerd")
    done = app.deploy("1.0.0")
    assert (done.returncode, "web2" in done.stderr) == (4, True), done.stderr
    assert app.ids("web1") == {}


def test_port_is_taken(app: App, lab: Lab, tmp_path: Path) -> None:  # R68
    other = App.copy(lab, tmp_path / "other", "port-owner", 8080)
    try:
        assert other.deploy("1.0.0", to="web1").returncode == 0
        done = app.deploy("1.0.0", to="web1")
        assert (done.returncode, "port 8080 is taken by port-owner" in done.stderr) == (4, True), done.stderr
        assert app.ids("web1") == {}
    finally:
        other.remove()


def test_somebody_elses_containers(app: App, lab: Lab) -> None:
    assert app.deploy("1.0.0", to="web1").returncode == 0  # brings an image
    app.remove()
    label = f"--label com.docker.compose.project={app.name} --label com.docker.compose.service=web"
    lab.exec("web1", f"docker create {label} --name stranger $(docker images -q | head -n 1) web")
    try:
        done = app.deploy("1.0.0", to="web1")
        assert (done.returncode, "lading did not make" in done.stderr) == (4, True), done.stderr
    finally:
        lab.exec("web1", "docker rm -f stranger", check=False)


def test_other_source_other_destination_newer_state(app: App, lab: Lab, tmp_path: Path) -> None:
    text = (lab.fleet / "lading.yaml").read_text().replace("destinations:\n", "destinations:\n  first: {hosts: [web1]}\n  second: {hosts: [web1]}\n")
    fleet = tmp_path / "two.yaml"
    fleet.write_text(text.replace("known_hosts: known_hosts", f"known_hosts: {lab.fleet}/known_hosts").replace("ca: ca.pem", f"ca: {lab.fleet}/ca.pem"))
    own = {"LADING_CONFIG": str(fleet)}
    assert app.deploy("1.0.0", to="first", env=own).returncode == 0
    before = app.ids("web1")
    other = App.copy(lab, tmp_path / "elsewhere", app.name, 8080)
    done = other.deploy("1.1.0", to="first", env=own)
    assert (done.returncode, "belongs to" in done.stderr, "--take-over" in done.stderr) == (4, True, True)
    done = app.deploy("1.1.0", to="second", env=own)
    assert (done.returncode, "for destination first" in done.stderr) == (4, True), done.stderr
    done = app.deploy("1.0.0", to="web1", env=own)  # the same hosts by another name, with the same variables
    assert (done.returncode, "unchanged" in done.stdout) == (0, True), done.stderr
    lab.exec("web1", "echo 9 >/var/lib/lading/format")
    try:
        done = app.deploy("1.1.0", to="web1")
        assert (done.returncode, "format 9" in done.stderr) == (4, True), done.stderr
    finally:
        lab.exec("web1", "echo 1 >/var/lib/lading/format")
    assert app.ids("web1") == before


def test_ledger_cannot_be_used(app: App, lab: Lab, tmp_path: Path) -> None:
    home = tmp_path / "xdg"
    (home / "lading").mkdir(parents=True)
    (home / "lading" / "ledger.db").write_text("this is no database, and long enough to be taken for one" * 20)
    done = app.deploy("1.0.0", env={"XDG_STATE_HOME": str(home)})
    assert (done.returncode, "damaged" in done.stderr) == (7, True), done.stderr
    assert app.ids("web1") == {}


def test_no_compose_on_the_controller(app: App, lab: Lab) -> None:
    script = 'mount -t tmpfs none /usr/local/lib/docker/cli-plugins && exec "$@"'
    done = lab.run("unshare", "--mount", "sh", "-c", script, "sh", *LADING, "deploy", "--version", "1.0.0", "--to", "web1",
                   "--yes", cwd=app.folder, check=False)
    assert (done.returncode, "not installed here" in done.stderr) == (2, True), done.stderr
