"""What Docker and Compose really do, where the design rests on it: plain Compose on one real host, without lading.

Each test is one fact of docs/facts.md. If one fails after an upgrade of Docker or Compose, read what rests on it.
"""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from app_client import EXAMPLE
from lab_client import PREFIX, TOOL, Done, Lab

IMAGE = "registry.lab:5000/plain"
HOST = "web1"
# As PID 1 `sleep` takes no SIGTERM: it is stopped by the time its grace is over.
SERVICE = f'image: "{IMAGE}:1", entrypoint: [/bin/sleep, "100000"], stop_grace_period: 0s'
PROJECT = "com.docker.compose.project"


@dataclass
class Plain:
    """A Compose project in a folder of the host, driven by hand."""

    lab: Lab
    name: str

    @property
    def folder(self) -> str:
        return f"/root/plain/{self.name}"

    def sh(self, line: str, check: bool = True) -> Done:
        return self.lab.exec(HOST, f"mkdir -p {self.folder} && cd {self.folder} && {{ {line}\n}} 2>&1", check=check)

    def write(self, text: str, path: str = "docker-compose.yml") -> None:
        self.sh(f"mkdir -p $(dirname {path}) && cat >{path} <<'END'\n{text}\nEND")

    def compose(self, words: str, env: str = "", check: bool = True) -> Done:
        return self.sh(f"{env} docker compose -p {self.name} {words} </dev/null", check)

    def up(self, text: str, words: str = "", env: str = "", check: bool = True) -> Done:
        """Write the file and bring it up; *words*: more options or services."""
        self.write(text)
        return self.compose(f"up -d {words}", env, check)

    def ids(self) -> dict[str, str]:
        """Container ids by service, network ids by name."""
        only = f"--filter label={PROJECT}={self.name}"
        lines = self.sh(f"docker ps -aq --no-trunc {only} | xargs -r docker inspect -f "
                        f"'{{{{index .Config.Labels \"com.docker.compose.service\"}}}} {{{{.Id}}}}'; "
                        f"docker network ls --no-trunc {only} --format '{{{{.Name}}}} {{{{.ID}}}}'").stdout.splitlines()
        return {words[0]: words[1] for words in map(str.split, lines)}

    def inspect(self, service: str, form: str) -> str:
        return self.sh(f"docker inspect -f '{form}' {self.ids()[service]}").stdout.strip()

    def inside(self, service: str, line: str, check: bool = True) -> str:
        return self.sh(f"docker exec {self.ids()[service]} /bin/sh -c '{line}'", check).stdout.strip()

    def logs(self, service: str) -> list[str]:
        return self.sh(f"docker logs {self.ids()[service]}").stdout.split()


@pytest.fixture(scope="module")
def host() -> Iterator[Lab]:
    """One host that is logged in to the registry, with two versions of an image there."""
    made = Lab(f"{PREFIX}{os.getpid()}-facts")
    try:
        made.up(1, "--no-staging")
        context = made.root / "plain"
        subprocess.run([EXAMPLE / "build-context", context], check=True)
        for version in ("1", "2"):
            made.build(context, f"{IMAGE}:{version}", VERSION=version)
        made.exec(HOST, f"printf %s {made.password} | docker login -u ci --password-stdin registry.lab:5000; docker pull -q {IMAGE}:1; docker pull -q {IMAGE}:2")
        yield made
    finally:
        made.down()


@pytest.fixture
def plain(host: Lab, request: pytest.FixtureRequest) -> Iterator[Plain]:
    """A project named after the test, removed with its data afterwards."""
    made = Plain(host, request.node.name.split("[")[0].removeprefix("test_").replace("_", "-")[:30])
    yield made
    made.sh(f"docker ps -aq --filter label={PROJECT}={made.name} | xargs -r docker rm -fv; docker rm -fv stranger; "
            "docker network prune -f; docker volume prune -f; cd /; rm -rf /root/plain", check=False)


def services(**more: str) -> str:
    """A file with a service per name, with more fields in YAML's short form."""
    lines = "".join(f"  {name}: {{{SERVICE}{', ' + fields if fields else ''}}}\n" for name, fields in more.items())
    return f"services:\n{lines}"


# A. What loses data or takes everything down


def test_a_folder_per_release_loses_relative_data(plain: Plain) -> None:  # fact 1: the project directory is fixed
    text = services(db='volumes: ["./data:/data"]')
    plain.write(text, "a/c.yml")
    plain.write(text, "b/c.yml")
    plain.compose("-f a/c.yml --project-directory a up -d")
    plain.inside("db", "echo row >/data/rows")
    assert plain.inside("db", "cat /data/rows") == "row"
    plain.compose("-f b/c.yml --project-directory b up -d")
    assert plain.inside("db", "ls /data") == ""


def test_a_label_that_changes_recreates_everything(plain: Plain) -> None:  # fact 2: labels are a function of content
    plain.up(services(web='labels: {deployment: "1"}', db='labels: {deployment: "1"}'))
    before = plain.ids()
    plain.up(services(web='labels: {deployment: "2"}', db='labels: {deployment: "2"}'))
    after = plain.ids()
    assert {name for name in after if after[name] != before[name]} == {"web", "db"}


def test_a_label_on_a_network_stops_all_that_is_on_it(plain: Plain) -> None:  # fact 2: none on networks
    plain.up(services(web="", db="") + 'networks: {default: {labels: {deployment: "1"}}}')
    before, started = plain.ids(), plain.inspect("db", "{{.State.StartedAt}}")
    plain.up(services(web="", db="") + 'networks: {default: {labels: {deployment: "2"}}}')
    net = f"{plain.name}_default"
    assert plain.ids()[net] != before[net]
    assert plain.inspect("db", "{{.State.StartedAt}}") != started


def test_a_label_on_a_volume_destroys_data_if_yes_is_said(plain: Plain) -> None:  # fact 2: none on volumes, never -y
    text = services(db='volumes: ["data:/data"]') + 'volumes: {data: {labels: {deployment: "N"}}}'
    plain.up(text)
    plain.inside("db", "echo row >/data/rows")
    plain.up(text.replace("N", "2"))
    assert plain.inside("db", "cat /data/rows") == "row"
    plain.up(text.replace("N", "3"), "-y")
    assert plain.inside("db", "ls /data") == ""


def test_an_undo_by_up_leaves_an_app_without_network(plain: Plain) -> None:  # fact 3: verify by inspect, undo purges
    old = services(web="")
    plain.up(old)
    net = f"{plain.name}_default"
    plain.sh(f"docker run -d --name stranger --network {net} --entrypoint /bin/sleep {IMAGE}:1 100000")
    failed = plain.up(old + "networks: {default: {labels: {a: b}}}", check=False)
    assert failed.returncode != 0
    assert "has active endpoints" in failed.stdout
    undone = plain.up(old, "--wait", check=False)
    assert undone.returncode == 0  # Compose's exit code is not a verdict
    assert plain.inspect("web", "{{json .NetworkSettings.Networks}}") == "{}"


TERM = f'image: "{IMAGE}:1", entrypoint: [/bin/sleep, "100000"], stop_grace_period: 20s'
RENAMED = re.compile(r"\b[0-9a-f]{12}_")


def test_the_daemon_goes_on_after_the_client_is_dead(plain: Plain) -> None:  # fact 4: op.lock, quiet, leftovers
    plain.up(f'services: {{web: {{{TERM}, labels: {{n: "1"}}}}}}')
    old = plain.ids()["web"]
    plain.write(f'services: {{web: {{{TERM}, labels: {{n: "2"}}}}}}')
    line = f"cd {plain.folder} && exec docker compose -p {plain.name} up -d"
    client = subprocess.Popen([*TOOL, "exec", "--name", plain.lab.name, HOST, "--", "/bin/sh", "-c", line],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    names = "docker ps -a --format '{{.Names}} {{.State}}'"
    wait_for(lambda: RENAMED.search(plain.sh(names).stdout))
    plain.sh("kill -9 $(pgrep -x docker-compose)")
    client.wait(timeout=60)
    assert plain.sh(f"docker inspect -f '{{{{.State.Running}}}}' {old}").stdout == "true\n"  # it looks well …
    wait_for(lambda: "exited 137" in plain.sh(f"docker inspect -f '{{{{.State.Status}}}} {{{{.State.ExitCode}}}}' {old}").stdout)
    left = [line for line in plain.sh(names).stdout.splitlines() if RENAMED.match(line)]
    assert [line.split()[1] for line in left] == ["created"]  # … and a container that never started stays
    plain.compose("up -d")
    assert RENAMED.search(plain.sh(names).stdout)  # which the next `up` adopts under that name


def wait_for(there: object, seconds: float = 60) -> None:
    assert callable(there)
    until = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < until


CONTENT = services(web="configs: [{source: c, target: /c}], secrets: [s]") + (
    "configs: {c: {file: ./c.txt}}\nsecrets: {s: {environment: SEC}}\n")


def test_changed_secrets_and_configs_are_not_seen(plain: Plain) -> None:  # fact 6: content and generation as labels
    plain.write("one", "c.txt")
    plain.up(CONTENT, env="SEC=one")
    before = plain.ids()
    plain.write("two", "c.txt")
    plain.up(CONTENT, env="SEC=two")
    assert plain.ids() == before
    assert plain.inside("web", "cat /run/secrets/s") == "one"
    plain.up(CONTENT.replace("secrets: [s]", "secrets: [s], labels: {generation: two}"), env="SEC=two")
    assert plain.inside("web", "cat /run/secrets/s /c").split() == ["twotwo"]


def test_run_recreates_dependencies(plain: Plain) -> None:  # fact 7: hooks are projects of their own
    plain.up(services(web="depends_on: [db]", db='labels: {n: "1"}'))
    before = plain.ids()
    plain.write(services(web="depends_on: [db]", db='labels: {n: "2"}'))
    plain.compose("run --rm -T --entrypoint /bin/true web")
    assert plain.ids()["db"] != before["db"]
    plain.write(services(web="depends_on: [db]", db='labels: {n: "2"}') + "networks: {default: {labels: {a: b}}}")
    before = plain.ids()
    plain.compose("run --rm -T --no-deps --entrypoint /bin/true web")
    assert plain.ids()[f"{plain.name}_default"] != before[f"{plain.name}_default"]


# B. Wrong verdicts and broken rollbacks

JOB = f'image: "{IMAGE}:1", entrypoint: [/bin/echo, ran]'


def test_wait_cannot_judge(plain: Plain) -> None:  # fact 8: lading's own wait
    ended = plain.up(services(web="") + f"  init: {{{JOB}}}\n", "--wait", check=False)
    assert ended.returncode != 0  # a one-shot that did what it should
    late = f'image: "{IMAGE}:1", entrypoint: [/bin/sh, -c, "sleep 10; exit 1"]'
    assert plain.up(f"services: {{late: {{{late}}}}}", "--wait --remove-orphans").returncode == 0
    wait_for(lambda: plain.inspect("late", "{{.State.ExitCode}}") == "1")


def test_named_services_leave_the_others_alone(plain: Plain) -> None:  # fact 9: exact steps
    text = services(web='labels: {n: "1"}', db='labels: {n: "1"}') + f"  init: {{{JOB}}}\n"
    plain.up(text)
    before = plain.ids()
    plain.up(text.replace('"1"}', '"2"}'), "--no-deps web")
    after = plain.ids()
    assert {name for name in after if after[name] != before[name]} == {"web"}
    assert plain.logs("init") == ["ran"]


def test_a_bare_up_runs_finished_one_shots_again(plain: Plain) -> None:  # facts 9 and 10: never a whole-project up
    text = services(web="") + f"  init: {{{JOB}}}\n"
    for runs in (1, 2, 3):
        plain.up(text)
        wait_for(lambda n=runs: plain.logs("init") == ["ran"] * n)


def test_orphans_go_before_the_new_ones_are_there(plain: Plain) -> None:  # fact 11: removals are steps, after verify
    plain.up(services(web="", old=""))
    broken = services(web='labels: {n: "2"}, depends_on: {bad: {condition: service_healthy}}') + (
        f'  bad: {{image: "{IMAGE}:1", entrypoint: [/bin/false], healthcheck: {{test: [CMD, /bin/false], interval: 1s}}}}\n')
    failed = plain.up(broken, "--remove-orphans", check=False)
    assert failed.returncode != 0
    assert "old" not in plain.ids()


def test_networks_that_the_file_no_longer_names_stay(plain: Plain) -> None:  # fact 11: RemoveNetwork
    plain.up(services(web="networks: [a, b]") + "networks: {a: {}, b: {}}")
    plain.up(services(web="networks: [a]") + "networks: {a: {}}", "--remove-orphans")
    assert f"{plain.name}_b" in plain.ids()


def test_an_image_pulled_by_digest_needs_a_tag_to_survive_a_prune(plain: Plain) -> None:  # fact 13: lading-keep
    digest = plain.sh(f"docker inspect -f '{{{{index .RepoDigests 0}}}}' {IMAGE}:2").stdout.strip()
    for tag, stays in ((False, False), (True, True)):
        plain.sh(f"docker rmi {IMAGE}:2; docker pull -q {digest}", check=False)
        plain.sh(f"docker tag {digest} lading-keep/x:1" if tag else "true")
        plain.sh("docker image prune -f")
        assert (plain.sh(f"docker image inspect {digest}", check=False).returncode == 0) is stays
    plain.sh(f"docker pull -q {IMAGE}:2; docker rmi lading-keep/x:1")


def test_another_name_of_the_same_image_recreates(plain: Plain) -> None:  # fact 13: `plan` says "image"
    digest = plain.sh(f"docker inspect -f '{{{{index .RepoDigests 0}}}}' {IMAGE}:1").stdout.strip().partition("@")[2]
    plain.up(services(web=""))
    before = plain.ids()
    plain.up(services(web="").replace(f"{IMAGE}:1", f"{IMAGE}:1@{digest}"))
    assert plain.ids()["web"] != before["web"]
    assert plain.inspect("web", "{{.Config.Image}}") == f"{IMAGE}:1@{digest}"


def test_deploy_keys_are_in_composes_hash(plain: Plain) -> None:  # fact 14: planner ignores them, the overlay resets them
    pace, place = "deploy: {update_config: {parallelism: %s}}", "deploy: {placement: {constraints: [node.labels.a==%s]}}"
    changes = {"pace": pace, "place": place, "reset": pace, "more": "deploy: {replicas: %s}", "own": "x-lading: {a: %s}"}
    plain.write("services: {reset: {deploy: {update_config: !reset null}}}", "overlay.yml")
    seen = []
    for value in ("1", "2"):
        plain.write(services(**{name: fields % value for name, fields in changes.items()}))
        plain.compose("-f docker-compose.yml -f overlay.yml up -d --scale more=1")
        seen.append(plain.ids())
    assert {name for name in changes if seen[0][name] != seen[1][name]} == {"pace", "place"}


def test_replicas_with_a_fixed_port_are_half_there(plain: Plain) -> None:  # fact 14: refused at resolve
    failed = plain.up(services(web='deploy: {replicas: 2}, ports: ["9999:80"]'), check=False)
    assert failed.returncode != 0
    states = plain.sh(f"docker ps -a --filter label={PROJECT}={plain.name} --format '{{{{.State}}}}'").stdout.split()
    assert sorted(states) == ["created", "running"]


# C. Interpolation, secrets, credentials


def test_the_hosts_environment_beats_the_env_file(plain: Plain) -> None:  # fact 16: env -i
    plain.write("VERSION=1", "vars.env")
    plain.write(services(web="").replace(":1", ":${VERSION}"))
    shown = plain.compose("--env-file vars.env config", env="VERSION=9.9-of-the-host").stdout
    assert f"image: {IMAGE}:9.9-of-the-host" in shown


def test_dot_env_renames_the_project_and_is_not_read_beside_another(plain: Plain) -> None:  # fact 16: our own file, -p
    plain.write("name: mine\n" + services(web='labels: {a: "${A-unset}"}'))
    plain.write("COMPOSE_PROJECT_NAME=evil\nA=from.env", ".env")
    plain.write("", "vars.env")
    assert plain.sh("docker compose config").stdout.startswith("name: evil\n")
    assert "a: unset" in plain.compose("--env-file vars.env config").stdout


def test_config_variables_misses_names(plain: Plain) -> None:  # fact 16: lading collects names itself
    plain.write("E=${IN_FILE}", "e.env")
    plain.write(services(web='environment: [LISTED], env_file: [e.env], secrets: [s], labels: {a: "${SEEN}"}')
                + "secrets: {s: {environment: IN_SECRET}}")
    shown = plain.compose("config --variables").stdout
    assert "SEEN" in shown
    assert [name for name in ("LISTED", "IN_FILE", "IN_SECRET") if name in shown] == []


def test_config_shows_the_values_of_env_files(plain: Plain) -> None:  # DESIGN §5 Secrets: never log its output
    plain.write("PASS=canary", "e.env")
    plain.write(services(web="env_file: [e.env]"))
    assert "canary" in plain.compose("config").stdout


def test_a_bare_up_by_hand_loses_the_values(plain: Plain) -> None:  # fact 17: the script `compose` for operators
    text = services(web='environment: {V: "${V}"}')
    plain.up(text, env="V=one")
    plain.up(text)
    assert plain.inside("web", "echo v=$V") == "v="


def test_another_docker_config_hides_plugins(plain: Plain) -> None:  # fact 18: only for login and pull
    about = '{"SchemaVersion":"0.1.0","Vendor":"x","Version":"1","ShortDescription":"x"}'
    plain.write(f"#!/bin/sh\ncat <<'JSON'\n{about}\nJSON", "docker-mine")
    plain.sh("mkdir -p /root/.docker/cli-plugins && install -m 755 docker-mine /root/.docker/cli-plugins/")
    assert plain.sh("docker mine", check=False).returncode == 0
    hidden = plain.sh("DOCKER_CONFIG=/root/empty docker mine", check=False)
    assert hidden.returncode != 0
    assert "is not a docker command" in hidden.stdout


def test_pull_never_and_no_build_beat_the_file(plain: Plain) -> None:  # fact 18: what was staged is what runs
    plain.sh(f"docker tag {IMAGE}:1 nowhere.lab:1/x:1")
    text = services(web="pull_policy: always", other="pull_policy: build, build: ./none").replace(f"{IMAGE}:1", "nowhere.lab:1/x:1")
    assert plain.up(text, check=False).returncode != 0
    plain.up(text, "--pull never --no-build web")
    plain.write(text.replace("build: ./none", "build: !reset null"))
    plain.compose("up -d --pull never --no-build other")  # fact 27: the overlay resets `build:`
    assert {"web", "other"} <= set(plain.ids())


def test_0600_secrets_cannot_be_read_by_users_of_containers(plain: Plain) -> None:  # fact 19: folder 0700, file 0644
    plain.write("canary", "s/file")
    plain.sh("chmod 600 s/file; chmod 700 s")
    text = services(web='user: "999", secrets: [s]') + "secrets: {s: {file: ./s/file}}"
    plain.up(text)
    assert "Permission denied" in plain.inside("web", "cat /run/secrets/s", check=False)
    plain.up(text.replace("secrets: [s]", "secrets: [{source: s, uid: \"999\", mode: 0444}]"))
    assert "Permission denied" in plain.inside("web", "cat /run/secrets/s", check=False)
    plain.sh("chmod 644 s/file")
    assert plain.inside("web", "cat /run/secrets/s") == "canary"


# D. Whose project


def test_the_same_name_takes_anothers_data(plain: Plain) -> None:  # fact 23: an app belongs to one source
    plain.up(services(db='volumes: ["data:/data"]') + "volumes: {data: {}}")
    plain.inside("db", "echo teamA >/data/rows")
    before = plain.ids()
    plain.write(services(db='volumes: ["data:/data"]').replace(":1\"", ":2\"") + "volumes: {data: {}}", "team-b/c.yml")
    plain.compose("-f team-b/c.yml up -d")
    assert plain.ids()["db"] != before["db"]
    assert plain.inside("db", "cat /data/rows") == "teamA"


def test_absolute_paths_show_whether_they_were_relative(plain: Plain) -> None:  # fact 26: --no-path-resolution
    plain.write(services(web='volumes: ["./a:/a", "/srv/b:/b"]'))
    assert "source: ./a" in plain.compose("config --no-path-resolution").stdout
    assert f"source: {plain.folder}/a" in plain.compose("config").stdout
