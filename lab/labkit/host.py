"""One host: prepare its files, switch it on and off, ask whether it answers, run a command in it."""

import functools
import http
import http.client
import json
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labkit import cgroup, engines, network, process, seed
from labkit.errors import LabError
from labkit.state import Lab
from labkit.topology import BUILDER, Host, fleet_hosts

KIT = Path(__file__).resolve().parent
SERVICES = ("dockerd", "containerd", "sshd")
NAMESPACES = ("--mount", "--uts", "--ipc", "--pid", "--cgroup", "--fork", "--kill-child", "--propagation", "private")
BANNER = "exec 3<>/dev/tcp/{address}/22 && IFS= read -r -t 5 line <&3 && [[ $line == SSH-* ]]"


def prepare(lab: Lab, host: Host) -> None:
    """Write the host's own files, unless it has them already."""
    folder = lab.host_folder(host)
    if (folder / "ready").exists():
        return
    process.run("rm", "-rf", str(folder))
    folder.mkdir(parents=True)
    key = folder / "ssh_host_ed25519_key"
    process.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", host.name, "-f", str(key))
    machine = seed.Accounts(*(Path(f"/etc/{name}").read_text() for name in ("passwd", "group", "shadow")))
    users = seed.choose_users(host, machine.passwd)
    accounts = seed.with_users(machine, users)
    hosts = [*fleet_hosts(lab.running_options()), BUILDER]
    files = seed.system_files(host, hosts, accounts, (lab.fleet / "ca.pem").read_text(), key.read_text())
    public_key = (lab.controller_ssh / "id_ed25519.pub").read_text()
    seed.write(folder / "upper", files, users, public_key, docker_gid(accounts) if host.state_dir else None)
    _make_small_disk(lab, host, folder / "small-disk")
    (folder / "ready").touch()


def docker_gid(accounts: seed.Accounts) -> int:
    """The number of group docker."""
    return next(int(line.split(":")[2]) for line in accounts.group.splitlines() if line.startswith("docker:"))


def _make_small_disk(lab: Lab, host: Host, path: Path) -> None:
    size = lab.running_options().small_disks.get(host.name)
    if size:
        process.run("truncate", "-s", size, str(path))
        process.run("mkfs.ext4", "-q", "-F", "-m", "0", str(path))


def boot(lab: Lab, host: Host) -> None:
    """Switch the host on, its cable plugged. Returns before its services answer: see wait_ready."""
    if process.recorded(lab.pid_file(host.name)):
        return
    cgroup.kill_all(lab.layout, lab.name, host.name)
    prepare(lab, host)
    network.plug(lab, host)
    pid = process.spawn(
        ["nsenter", f"--net=/run/netns/{lab.namespace(host.name)}", "unshare", *NAMESPACES, str(KIT / "hostinit.sh")],
        lab.logs / host.name / "init.log",
        functools.partial(cgroup.enter, lab.layout, lab.name, host.name),
        {
            "HOST": host.name,
            "FOLDER": str(lab.host_folder(host)),
            "LOGS": str(lab.logs / host.name),
            "KIT": str(KIT),
            "CGROUPS": lab.layout.host_mounts().rstrip("\n"),
            "ENGINE": engines.folder(lab.base, host, lab.running_options()),
        },
    )
    outer = process.record(lab.pid_file(host.name), pid)
    process.wait_until(lambda: bool(process.children(pid)) or not outer.alive(), f"start of {host.name}", 10)
    cgroup.move_out(lab.layout, lab.name, pid)


def init_pid(lab: Lab, host: Host) -> int:
    """The host's PID 1, as a pid of this machine."""
    outer = process.recorded(lab.pid_file(host.name))
    inner = process.children(outer.pid) if outer else []
    if not inner:
        raise LabError(f"{host.name} is off (log: {lab.logs / host.name / 'init.log'})")
    return inner[0]


def power_off(lab: Lab, host: Host) -> None:
    """Pull the plug: everything in the host dies at once, and it is off the network."""
    outer = process.recorded(lab.pid_file(host.name))
    if outer:
        for pid in process.children(outer.pid):
            process.signal_quietly(pid)
        process.wait_until(lambda: not outer.alive(), f"end of {host.name}", 20)
    cgroup.kill_all(lab.layout, lab.name, host.name)
    lab.pid_file(host.name).unlink(missing_ok=True)
    network.unplug(lab, host)


def wait_ready(lab: Lab, hosts: Sequence[Host], seconds: float = 60) -> None:
    """Wait until sshd and dockerd of all these hosts answer (the builder's sshd too)."""
    for host in hosts:

        def answers(host: Host = host) -> bool:
            init_pid(lab, host)
            return engine_version(lab, host) is not None and ssh_answers(lab, host)

        process.wait_until(answers, f"{host.name} answering (logs: {lab.logs / host.name})", seconds)


def socket_path(lab: Lab, host: Host) -> Path:
    """The engine's socket seen from outside the host."""
    return Path(f"/proc/{init_pid(lab, host)}/root/run/docker.sock")


def engine_version(lab: Lab, host: Host) -> str | None:
    """What the host's engine says of itself; None if it does not answer."""
    try:
        return str(engine_answer(lab, host, "/version")["Version"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, LabError):
        return None


def engine_answer(lab: Lab, host: Host, path: str) -> Any:
    """What the host's engine answers to a GET, read as JSON.

    Raises:
        LabError: the answer is an error, or the host is off.
        OSError, http.client.HTTPException, ValueError: the engine does not answer.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(socket_path(lab, host)))
        client = http.client.HTTPConnection("docker")
        client.sock = connection
        client.request("GET", path)
        answer = client.getresponse()
        text = answer.read()
    if answer.status != http.HTTPStatus.OK:
        raise LabError(f"engine of {host.name}: {answer.status} to GET {path}: {text.decode(errors='replace')}")
    return json.loads(text)


def runs(lab: Lab, host: Host) -> bool:
    """Do the host's services run, and does its engine answer? Starts no process."""
    if engine_version(lab, host) is None:
        return False
    folder = Path(f"/proc/{init_pid(lab, host)}/root/run/lab")
    return (folder / "sshd.pid").exists() and not any(folder.glob("*.stopped"))


def ssh_answers(lab: Lab, host: Host) -> bool:
    """Does sshd greet the controller?"""
    probe = BANNER.format(address=host.address)
    namespace = f"--net=/run/netns/{lab.namespace(network.CONTROLLER)}"
    return process.run("nsenter", namespace, "timeout", "5", "bash", "-c", probe, check=False).returncode == 0


def exec_argv(lab: Lab, host: Host, command: Sequence[str], user: str = "root") -> list[str]:
    """The command line that runs a command in the host, with nothing of the caller's environment."""
    home = "/root" if user == "root" else f"/home/{user}"
    environment = {**process.CLEAN_ENVIRONMENT, "HOME": home, "USER": user, "TERM": os.environ.get("TERM", "dumb")}
    words = [f"{name}={value}" for name, value in environment.items()]
    become = [] if user == "root" else ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]
    target = ["nsenter", "-t", str(init_pid(lab, host)), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w"]
    return [*target, "--", "env", "-i", *words, *become, *command]


def run_in(lab: Lab, host: Host, script: str) -> None:
    """Run a piece of shell in the host as root."""
    process.run(*exec_argv(lab, host, ["/bin/sh", "-c", script]))


def _service(name: str) -> str:
    if name not in SERVICES:
        raise LabError(f"no service {name} (services: {', '.join(SERVICES)})")
    return name


def kill_service(lab: Lab, host: Host, name: str) -> None:
    """Kill -9; the host starts it again."""
    run_in(lab, host, f"kill -9 $(cat /run/lab/{_service(name)}.pid)")


def stop_service(lab: Lab, host: Host, name: str) -> None:
    """Stop the service in good order and keep it down; wait for its end."""
    pid_file = f"/run/lab/{_service(name)}.pid"
    run_in(lab, host, f"touch /run/lab/{name}.stopped; [ ! -f {pid_file} ] || kill $(cat {pid_file})")
    inside = Path(f"/proc/{init_pid(lab, host)}/root{pid_file}")
    process.wait_until(lambda: not inside.exists(), f"end of {name} on {host.name}", 45)


def start_service(lab: Lab, host: Host, name: str) -> None:
    """Let a stopped service run again, and wait for its answer."""
    run_in(lab, host, f"rm -f /run/lab/{_service(name)}.stopped")
    if name == "sshd":
        process.wait_until(lambda: ssh_answers(lab, host), f"sshd of {host.name} answering")
    else:
        process.wait_until(lambda: engine_version(lab, host) is not None, f"engine of {host.name} answering")


def unstop_services(lab: Lab, host: Host) -> None:
    """Let every stopped service run again."""
    for marker in Path(f"/proc/{init_pid(lab, host)}/root/run/lab").glob("*.stopped"):
        marker.unlink()


def switch_on(lab: Lab, host: Host) -> None:
    """Boot, and wait until it answers."""
    boot(lab, host)
    wait_ready(lab, [host])
