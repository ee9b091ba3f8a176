"""The lab does what its README says: real hosts, real faults, and nothing left behind."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab_client import TOOL, Lab

pytestmark = pytest.mark.lab

CGROUPS = Path("/sys/fs/cgroup")
IMAGE = "registry.lab:5000/lab-tool"
DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
ARG WORD=none
ENV WORD=$WORD
CMD ["/bin/busybox", "sleep", "600"]
"""


def eventually(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for a condition; the bound is only there so that a hang is a failure."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "never happened"
        time.sleep(0.05)


def namespaces(lab: Lab) -> list[str]:
    listed = subprocess.run(["ip", "netns", "list"], text=True, capture_output=True, check=True).stdout
    return re.findall(rf"^lad-{lab.name}-\S+", listed, re.MULTILINE)


def cgroups(lab: Lab) -> list[Path]:
    tops = [Path(folder, "lading-lab", lab.name) for folder, below, _ in os.walk(CGROUPS) if "lading-lab" in below]  # others come and go
    return [top for top in tops if top.exists()]


def kill_everything(lab: Lab) -> None:
    """Kill -9 all processes in the lab's cgroups (on cgroup v1 each is in several)."""
    files = [Path(folder, "cgroup.procs") for top in cgroups(lab) for folder, _, _ in os.walk(top)]
    for pid in {int(pid) for file in files for pid in file.read_text().split()}:
        with contextlib.suppress(ProcessLookupError):  # it died with the one before
            os.kill(pid, signal.SIGKILL)


def gone(lab: Lab) -> bool:
    mounts = Path("/proc/self/mounts").read_text()
    return not (namespaces(lab) or cgroups(lab) or lab.root.exists() or str(lab.root) in mounts)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    made = Lab(f"tool-{os.getpid()}")
    try:
        made.up(2, "--small-disk", "stage1=64M")
        yield made
    finally:
        made.down()
        assert gone(made)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (tmp_path / "busybox").chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(("host", "shell"), [("web1", "bash"), ("web2", "fish"), ("stage1", "bash")])
def test_deploy_logs_in_to_a_pinned_host_and_uses_its_own_engine(lab: Lab, host: str, shell: str) -> None:
    assert lab.ssh(host, "id -un").stdout == "deploy\n"
    assert lab.ssh(host, "echo $SHELL").stdout.strip().endswith(shell)
    assert lab.ssh(host, "docker info -f '{{.Name}} {{.Driver}}'").stdout == f"{host} overlay2\n"
    assert "v2." in lab.ssh(host, "docker compose version").stdout


def test_an_unpinned_host_key_is_refused(lab: Lab, tmp_path: Path) -> None:
    other = tmp_path / "known_hosts"
    other.write_text((lab.fleet / "known_hosts").read_text().replace("web1 ", "swap ").replace("web2 ", "web1 "))
    done = lab.run("ssh", "-o", f"UserKnownHostsFile={other}", "web1", "true", check=False)
    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr


def test_alice_has_docker_and_ops_has_sudo(lab: Lab) -> None:
    assert lab.ssh("alice@web2", "docker ps -q").stdout == ""
    assert lab.ssh("ops@web2", "docker ps", check=False).returncode == 1
    sudo = lab.ssh("ops@web2", "sudo -n docker ps -q")
    assert (sudo.stdout, sudo.stderr) == ("", "")


def test_the_state_folder_is_on_web1_only(lab: Lab) -> None:
    assert lab.ssh("web1", "stat -c '%U:%G %a' /var/lib/lading").stdout == "root:docker 2770\n"
    assert lab.ssh("web2", "mkdir /var/lib/lading", check=False).returncode != 0


def test_only_sshd_listens(lab: Lab) -> None:
    lines = lab.exec("web1", "ss -Hltn").stdout.splitlines()
    assert [line.split()[3] for line in lines] == ["10.88.0.11:22"]


def test_the_controller_has_settings_folder_and_exit_code(lab: Lab, tmp_path: Path) -> None:
    script = 'pwd; echo "$REG_PASSWORD $LADING_CONFIG $EXTRA"; cat; exit 7'
    done = lab.run("sh", "-c", script, check=False, cwd=tmp_path, env={"EXTRA": "a=b c"}, stdin="in")
    assert done.returncode == 7
    assert done.stdout == f"{tmp_path}\n{lab.password} {lab.fleet / 'lading.yaml'} a=b c\nin"
    bare = lab.run(
        "sh", "-c", 'echo "$REG_PASSWORD|$XDG_STATE_HOME|$HOME"', options=["--no-credentials", "--home", "/h"]
    )
    assert bare.stdout == "||/h\n"


def test_signals_reach_the_command_on_the_controller(lab: Lab) -> None:
    started = lab.popen("sh", "-c", "trap 'echo got it; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    started.send_signal(signal.SIGTERM)
    assert started.communicate(timeout=10)[0] == "got it\n"
    assert started.returncode == 3


def test_images_are_built_pushed_and_pulled_with_the_password_only(lab: Lab, context: Path) -> None:
    reference = lab.build(context, f"{IMAGE}:1", WORD="seven")
    assert re.fullmatch(rf"{IMAGE}@sha256:[0-9a-f]{{64}}", reference)
    assert "no basic auth credentials" in lab.ssh("web1", f"docker pull {reference}", check=False).stderr
    login = "docker login -u ci --password-stdin registry.lab:5000"
    assert "401" in lab.run("ssh", "web1", login, stdin="wrong", check=False).stderr
    lab.run("ssh", "web1", login, stdin=lab.password)
    lab.ssh("web1", f"docker pull -q {reference}")
    assert "WORD=seven" in lab.ssh("web1", f"docker run --rm {reference} /bin/busybox env").stdout
    lab.ssh("web1", "docker logout registry.lab:5000")


def test_the_registry_can_be_stopped(lab: Lab) -> None:
    fetch = ["curl", "-sS", "--cacert", str(lab.fleet / "ca.pem"), "-u", f"ci:{lab.password}"]
    fetch += ["https://registry.lab:5000/v2/_catalog"]
    lab.registry("stop")
    assert lab.run(*fetch, check=False).returncode == 7
    lab.registry("start")
    assert '"repositories"' in lab.run(*fetch).stdout


@pytest.mark.parametrize("fault", ["cut", "drop"])
def test_a_host_off_the_network_does_not_answer_until_healed(lab: Lab, fault: str) -> None:
    getattr(lab, fault)("web2")
    getattr(lab, fault)("web2")
    assert lab.run("ssh", "-o", "ConnectTimeout=1", "web2", "true", check=False).returncode == 255
    assert lab.ssh("web1", "echo here").stdout == "here\n"
    lab.heal("web2")
    eventually(lambda: lab.ssh("web2", "true", check=False).returncode == 0)


def test_a_dropped_connection_is_half_open(lab: Lab) -> None:
    started = lab.popen("ssh", "web2", "sh -c 'echo ready; until [ -e go ]; do sleep 0.1; done; echo done'")
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    lab.drop("web2")
    lab.exec("web2", "touch /home/deploy/go")
    with pytest.raises(subprocess.TimeoutExpired):
        started.wait(timeout=3)
    lab.heal("web2")
    assert started.communicate(timeout=60)[0] == "done\n"


def test_power_off_loses_processes_and_keeps_data(lab: Lab, context: Path) -> None:
    lab.build(context, f"{IMAGE}:power")
    lab.run("ssh", "web2", "docker login -u ci --password-stdin registry.lab:5000", stdin=lab.password)
    lab.ssh("web2", f"docker run -d --name keeps --restart always -v kept:/data {IMAGE}:power")
    lab.ssh("web2", "docker exec keeps /bin/busybox touch /data/mark; touch here")
    lab.off("web2")
    assert lab.run("ssh", "-o", "ConnectTimeout=1", "web2", "true", check=False).returncode == 255
    lab.on("web2")
    lab.ssh("web2", "ls here")
    running = "docker container inspect -f '{{.State.Running}}' keeps"
    eventually(lambda: lab.ssh("web2", running).stdout == "true\n")
    lab.ssh("web2", "docker exec keeps /bin/busybox ls /data/mark; docker rm -f keeps")


def test_the_controller_keeps_its_hardware_address_while_hosts_come_and_go(lab: Lab) -> None:
    """Else the other hosts send to the old one for half a minute, and time out."""
    seen = []
    for host in ("web1", "web2", "stage1"):
        lab.off(host)
        seen.append(json.loads(lab.run("ip", "-j", "link", "show", "br0").stdout)[0]["address"])
    for host in ("web1", "web2", "stage1"):
        lab.on(host)
    assert seen == ["02:88:0a:58:00:01"] * 3


@pytest.mark.parametrize("service", ["dockerd", "containerd", "sshd"])
def test_a_killed_service_comes_back(lab: Lab, service: str) -> None:
    pid = f"cat /run/lab/{service}.pid"
    before = lab.exec("web1", pid).stdout
    lab.kill("web1", service)
    eventually(lambda: lab.exec("web1", pid, check=False).stdout.strip() not in ("", before.strip()))
    eventually(lambda: lab.ssh("web1", "docker ps", check=False).returncode == 0)


def test_a_stopped_service_stays_down_until_started(lab: Lab) -> None:
    lab.stop("web1", "dockerd")
    assert "Is the docker daemon running?" in lab.ssh("web1", "docker ps", check=False).stderr
    lab.start("web1", "dockerd")
    lab.ssh("web1", "docker ps")


def test_a_small_disk_is_small(lab: Lab) -> None:
    size = lab.exec("stage1", "df --output=size -BM /var/lib/docker | tail -1").stdout.strip()
    assert int(size.rstrip("M")) <= 64


def test_a_host_can_run_a_newer_engine(context: Path) -> None:
    made = Lab(f"newer-{os.getpid()}")
    try:
        made.up(2, "--no-staging", "--engine", "web2=trixie")
        version = "docker version -f '{{.Client.Version}} {{.Server.Version}}'"
        old, new = (made.ssh(host, version).stdout.split() for host in ("web1", "web2"))
        assert old[0] == old[1] != new[0] == new[1]
        reference = made.build(context, f"{IMAGE}:newer", WORD="newer")
        made.run("ssh", "web2", "docker login -u ci --password-stdin registry.lab:5000", stdin=made.password)
        assert "WORD=newer" in made.ssh("web2", f"docker run --rm {reference} /bin/busybox env").stdout
    finally:
        made.down()
    assert gone(made)


def test_up_again_heals_what_died(lab: Lab) -> None:
    password = lab.password
    lab.ssh("web1", "touch kept")
    lab.stop("web2", "dockerd")
    lab.off("stage1")
    kill_everything(lab)
    lab.up(2, "--small-disk", "stage1=64M")
    for host in ("web1", "web2", "stage1"):
        lab.ssh(host, "docker ps")
    lab.ssh("web1", "ls kept")
    assert lab.password == password


def test_up_after_a_killed_up_makes_the_lab_anew() -> None:
    made = Lab(f"killed-{os.getpid()}")
    try:
        first = subprocess.Popen([*TOOL, "up", "1", "--no-staging", "--name", made.name])
        eventually(lambda: len(namespaces(made)) == 2)
        first.kill()
        first.wait()
        made.up(1, "--no-staging")
        assert made.ssh("web1", "docker info -f '{{.Name}}'").stdout == "web1\n"
        assert len(namespaces(made)) == 2
    finally:
        made.down()
    assert gone(made)


def test_two_labs_side_by_side_do_not_see_each_other(lab: Lab) -> None:
    other = Lab(f"other-{os.getpid()}")
    try:
        other.up(1, "--no-staging")
        other.ssh("web1", "docker volume create mine")
        assert "mine" not in lab.ssh("web1", "docker volume ls -q").stdout
    finally:
        other.down()
    assert gone(other)
    lab.ssh("web1", "true")


def test_the_tool_starts_what_tests_start_without_it(lab: Lab) -> None:
    """`run` and `exec` of lab/lab, which the other tests are spared: the same host, user, environment and exit code."""
    looks = "hostname; id -un; echo $LADING_CONFIG $DOCKER_HOST; cat /proc/self/cgroup; exit 3"
    pairs = [
        (subprocess.run(lab.run_argv("sh", "-c", looks), text=True, capture_output=True, check=False),
         lab.run("sh", "-c", looks, check=False)),
        (subprocess.run([*TOOL, "exec", "--name", lab.name, "-u", "deploy", "web1", "--", "sh", "-c", looks], text=True,
                        capture_output=True, check=False),
         lab.exec("web1", looks, user="deploy", check=False)),
    ]
    for tools, ours in pairs:
        assert (tools.returncode, tools.stdout) == (3, ours.stdout)
        assert ours.returncode == 3
