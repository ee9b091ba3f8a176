"""The lab's deciding parts: no namespace, mount or daemon is touched."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import builder, cgroup, cli, engines, fleet, process, seed, status, topology
from labkit.errors import LabError
from labkit.topology import Options, fleet_hosts

V1_MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,nodev,noexec,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,xattr,release_agent=/lib/x,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
"""
V2_MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate 0 0
"""
PASSWD = "root:x:0:0:root:/root:/bin/bash\nsomeone:x:2001:2001::/home/someone:/bin/sh\ndeploy:x:7:7::/:/bin/false\n"
GROUP = "root:x:0:\ndocker:x:106:machine\ndeploy:x:7:\n"
SHADOW = "root:!:1::::::\ndeploy:!:1::::::\n"


def test_cgroup_v1_mounts_every_tree_by_the_words_that_select_it() -> None:
    layout = cgroup.choose_layout(V1_MOUNTS)
    assert layout.version == 1
    assert layout.host_mounts().splitlines() == [
        "cgroup cpu,cpuacct cpu,cpuacct",
        "cgroup memory memory",
        "cgroup none,name=systemd systemd",
    ]
    assert cgroup.leaf(layout, "web1") == "web1"


def test_cgroup_v2_is_one_mount_and_processes_go_into_a_leaf() -> None:
    layout = cgroup.choose_layout(V2_MOUNTS)
    assert layout.version == 2
    assert layout.host_mounts() == "cgroup2 - .\n"
    assert cgroup.leaf(layout, "web1") == "web1/init"


def test_a_machine_without_cgroups_is_refused() -> None:
    with pytest.raises(LabError, match="no cgroups"):
        cgroup.choose_layout("proc /proc proc rw 0 0\n")


def test_cgroup_v2_hands_controllers_down_to_the_group(tmp_path: Path) -> None:
    for folder in ("", "lading-lab", "lading-lab/mine", "lading-lab/mine/web1"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "cgroup.controllers").write_text("cpu memory hugetlb\n")
    layout = cgroup.Layout(2, (cgroup.Mount("cgroup2", "-", tmp_path),))
    cgroup.enter(layout, "mine", "web1")
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +memory"
    assert (tmp_path / "lading-lab/mine/cgroup.subtree_control").read_text() == "+cpu +memory"
    assert not (tmp_path / "lading-lab/mine/web1/cgroup.subtree_control").exists()
    assert (tmp_path / "lading-lab/mine/web1/cgroup.procs").read_text() == str(os.getpid())
    cgroup.move_out(layout, "mine", 42)
    assert (tmp_path / "lading-lab/mine/outer/cgroup.procs").read_text() == "42"


def test_a_process_of_the_lab_is_told_by_its_cgroup() -> None:
    assert cgroup.inside("mine", "9:pids:/\n4:memory:/lading-lab/mine/run\n")
    assert not cgroup.inside("mine", "0::/lading-lab/mine-too/run\n")


def test_the_start_time_is_read_behind_a_name_with_brackets() -> None:
    fields = " ".join(str(number) for number in range(4, 40))
    assert process.parse_stat(f"12 (a) b (c)) S {fields}\n") == ("S", 22)


def test_a_recorded_process_is_known_by_pid_and_start_time(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    path = tmp_path / "run" / "child.json"
    known = process.record(path, child.pid)
    assert process.recorded(path) == known
    recycled = process.Recorded(child.pid, known.started + 1)
    recycled.kill()
    assert known.alive()
    assert not recycled.alive()
    known.kill()
    child.communicate()
    assert process.recorded(path) is None
    assert process.recorded(tmp_path / "none.json") is None


def test_waiting_has_a_bound_and_says_for_what() -> None:
    with pytest.raises(LabError, match=r"^rain: not within 0 s$"):
        process.wait_until(lambda: False, "rain", 0)


def test_hosts_have_names_addresses_and_shells() -> None:
    hosts = {host.name: host for host in fleet_hosts(Options(4))}
    assert list(hosts) == ["web1", "web2", "web3", "web4", "stage1"]
    assert [host.deploy_shell.rpartition("/")[2] for host in hosts.values()] == ["bash", "fish", "tcsh", "bash", "bash"]
    assert [name for name, host in hosts.items() if host.state_dir] == ["web1"]
    assert (hosts["web2"].address, hosts["web2"].mac) == ("10.88.0.12", "02:88:0a:58:00:0c")
    assert len({host.address for host in [*fleet_hosts(Options(80)), topology.BUILDER]}) == 82


@pytest.mark.parametrize("number", [0, 81])
def test_a_lab_has_a_sensible_number_of_hosts(number: int) -> None:
    with pytest.raises(LabError, match="1 to 80"):
        fleet_hosts(Options(number))


def test_options_for_absent_hosts_are_refused() -> None:
    topology.check_host_names(Options(1, small_disks={"stage1": "1G"}))
    with pytest.raises(LabError, match="no host web2"):
        topology.check_host_names(Options(1, small_disks={"web2": "1G"}))


@pytest.mark.parametrize("name", ["", "Up", "a/b", "-a", "a" * 31, "engines", ".."])
def test_bad_lab_names_are_refused(name: str) -> None:
    with pytest.raises(LabError):
        topology.check_name(name)


def test_checkouts_have_names_of_their_own() -> None:
    names = {topology.check_name(topology.default_name(Path(path))) for path in ("/a", "/b")}
    assert len(names) == 2


def test_users_get_free_ids_and_replace_those_of_the_machine() -> None:
    users = seed.choose_users(topology.web_host(2), PASSWD)
    assert [(user.name, user.uid) for user in users] == [("deploy", 2002), ("alice", 2003), ("ops", 2004)]
    made = seed.with_users(seed.Accounts(PASSWD, GROUP, SHADOW), users)
    assert [line for line in made.passwd.splitlines() if line.startswith("deploy:")] == [
        "deploy:x:2002:2002::/home/deploy:/usr/bin/fish"
    ]
    assert "docker:x:106:deploy,alice\n" in made.group
    assert made.shadow.splitlines()[-1].startswith("ops:*:")


def test_the_fleet_file_names_hosts_destinations_and_registry() -> None:
    text = fleet.lading_yaml(fleet_hosts(Options(2)), Options(2))
    assert "  web2: {address: 10.88.0.12, user: deploy}\n" in text
    assert "  production: {hosts: [web1, web2]}\n  staging: {hosts: [stage1]}\n" in text
    assert '"registry.lab:5000": {username: ci, password: {env: REG_PASSWORD}, ca: ca.pem}' in text
    bare = Options(1, staging=False, fast_keepalive=True)
    text = fleet.lading_yaml(fleet_hosts(bare), bare)
    assert "staging" not in text
    assert "keepalive: 1" in text
    assert "ServerAliveInterval 1" in fleet.ssh_config(bare)


def test_known_hosts_pins_names_and_for_plain_ssh_addresses() -> None:
    keys = {"web1": "ssh-ed25519 AAAA web1"}
    hosts = [topology.web_host(1)]
    assert fleet.known_hosts(hosts, keys, with_addresses=False) == "web1 ssh-ed25519 AAAA\n"
    assert fleet.known_hosts(hosts, keys, with_addresses=True) == "web1,10.88.0.11 ssh-ed25519 AAAA\n"


def test_the_command_line_is_split_at_the_first_dashes() -> None:
    assert cli.split_command(["run", "--env", "A=b", "--", "x", "--", "-y"]) == (
        ["run", "--env", "A=b"],
        ["x", "--", "-y"],
    )
    assert cli.split_command(["up", "2"]) == (["up", "2"], [])
    assert cli.pairs(["A=b=c"]) == {"A": "b=c"}
    with pytest.raises(LabError, match="NAME=VALUE"):
        cli.pairs(["A"])
    with pytest.raises(LabError, match="after '--'"):
        cli.required([])


def test_every_command_has_help() -> None:
    text = cli.parser().format_help()
    for name in ("up", "down", "run", "exec", "build", "cut", "drop", "heal", "off", "on", "kill", "stop", "start"):
        assert f"\n    {name} " in text


def test_a_build_is_a_docker_line_with_the_context_last() -> None:
    made = builder.Build("ctx", "registry.lab:5000/a:1", ["A=1"], "Other")
    words = ["build", "-q", "-t", "registry.lab:5000/a:1", "--build-arg", "A=1", "-f", "Other", "ctx"]
    assert made.argv() == words


def test_a_table_has_columns() -> None:
    assert status.table([("A", "B"), ("long", "x")]) == "A     B\nlong  x"


def test_a_newer_engine_comes_from_where_the_machine_has_debian_from() -> None:
    listing = "Other|Debian|one\nDebian|Debian-Security|two\nDebian|Debian|three\n"
    assert engines.repository(listing) == "three"
    with pytest.raises(LabError, match="apt-get update"):
        engines.repository("")
    options = Options(2, engines={"web2": "trixie"})
    assert engines.folder(Path("/b"), topology.web_host(2), options) == "/b/engines/trixie/programs"
    assert engines.folder(Path("/b"), topology.web_host(1), options) == ""
    with pytest.raises(LabError, match="not a Debian suite"):
        engines.ensure(Path("/nowhere"), Options(1, engines={"web1": "../x"}))
