"""The ways people reach hosts: jump hosts, certificates, hashed and revoked keys, ProxyCommand, agents; all of a deployment's life over each."""

import subprocess
from pathlib import Path

import pytest
from app_client import App, some
from lab_client import Lab
from ssh_client import (
    ADDRESS,
    DIRECT,
    PORT,
    Person,
    agent_with,
    goes_round,
    is_refused,
    make_key,
    public,
    reached_only_through,
    second_sshd,
    sign,
)

CONFIG = """Host web1
    HostName 10.88.0.11
Host web2
    HostName 10.88.0.12
Host web1 web2
    {way}
Host *
    User deploy
    UserKnownHostsFile {home}/.ssh/known_hosts
    IdentityFile {home}/.ssh/id_ed25519
"""


@pytest.fixture
def person(lab: Lab, tmp_path: Path) -> Person:
    return Person(lab, tmp_path / "home")


def by_address(lab: Lab) -> str:
    """The lab's pinned keys under addresses instead of names."""
    lines = [line for line in (lab.fleet / "known_hosts").read_text().splitlines() if line.split()[0] in ADDRESS]
    return "".join(f"{ADDRESS[line.split()[0]]} {line.split(None, 1)[1]}\n" for line in lines)


def without_addresses(person: Person, way: str) -> dict[str, str]:
    """Hosts whose names go to ~/.ssh/config, where *way* says how they are reached."""
    person.configure(CONFIG.format(way=way, home=person.home))
    person.pin("")
    (person.ssh / "known_hosts").write_text(by_address(person.lab))
    return {"web1": "{}", "web2": "{}"}


@pytest.mark.parametrize("jump", some(["bastion", "deploy@10.88.0.101"]))
def test_hosts_behind_a_jump_host(jump: str, app: App, lab: Lab, person: Person) -> None:
    behind = {name: f"{{address: {ADDRESS[name]}, jump: {jump!r}}}" for name in ("web1", "web2")}
    known = (lab.fleet / "known_hosts").read_text() + by_address(lab)
    person.pin(known.replace("stage1 ", "bastion "))
    through = person.deploys(app, {**behind, "bastion": f"{{address: {ADDRESS['stage1']}}}"})
    with reached_only_through(lab, "stage1", "web1", "web2"):
        is_refused(person.deploys(app), "web1 (10.88.0.11:22) refuses the connection")
        person.deploys(app, {**behind, "bastion": f"{{address: {ADDRESS['stage1']}}}"})
        goes_round(through, "web1", "web2")


def test_two_jump_hosts_one_behind_the_other(app: App, lab: Lab, person: Person) -> None:
    person.pin((lab.fleet / "known_hosts").read_text() + by_address(lab))
    two = person.deploys(app, {
        "web1": f"{{address: {ADDRESS['web1']}, jump: web3}}", "web3": f"{{address: {ADDRESS['web3']}, jump: stage1}}",
        "web2": f"{{address: {ADDRESS['web2']}, jump: 'stage1,deploy@{ADDRESS['web3']}'}}",
        "stage1": f"{{address: {ADDRESS['stage1']}}}",
    })
    with reached_only_through(lab, "stage1", "web3"), reached_only_through(lab, "web3", "web1", "web2"):
        goes_round(two, "web1", "web2")


@pytest.mark.parametrize("way", some(["ProxyJump stage1,deploy@10.88.0.13", "ProxyJump deploy@10.88.0.101"]))
def test_a_jump_of_the_openssh_configuration(way: str, app: App, lab: Lab, person: Person) -> None:
    hosts = without_addresses(person, way)
    person.configure("Host stage1\n    HostName 10.88.0.101\n" + (person.ssh / "config").read_text())
    last = "web3" if "," in way else "stage1"
    with reached_only_through(lab, last, "web1", "web2"):
        goes_round(person.deploys(app, hosts, user=""), "web1", "web2")


def test_the_key_of_a_jump_host_is_verified_too(app: App, lab: Lab, person: Person, tmp_path: Path) -> None:
    behind = {name: f"{{address: {ADDRESS[name]}, jump: stage1}}" for name in ("web1", "web2")}
    through = person.deploys(app, {**behind, "stage1": f"{{address: {ADDRESS['stage1']}}}"})
    known = (lab.fleet / "known_hosts").read_text().splitlines()
    targets = "".join(f"{line}\n" for line in known if not line.startswith("stage1"))
    person.pin(targets)
    is_refused(through, "on the way to web1: stage1's key is not known", "hint: lading hosts trust stage1")
    person.pin(f"{targets}stage1 {public(make_key(tmp_path / 'other'))}\n")
    is_refused(through, "on the way to web1: stage1 shows another key", "lading hosts trust stage1", "ask its operator")
    unlisted = {name: f"{{address: {ADDRESS[name]}, jump: deploy@{ADDRESS['stage1']}}}" for name in ("web1", "web2")}
    is_refused(person.deploys(app, unlisted), "on the way to web1: 10.88.0.101's key is not known",
               "add 10.88.0.101 to hosts: in lading.yaml; lading hosts trust 10.88.0.101")


def test_certificates_of_hosts_and_of_people(app: App, lab: Lab, person: Person, tmp_path: Path) -> None:
    """No key is pinned and none is authorised: two authorities vouch for hosts and for people."""
    hosts_ca, users_ca = make_key(tmp_path / "hosts-ca"), make_key(tmp_path / "users-ca")
    mine = person.ssh / "id_ed25519"
    mine.unlink()
    sign(users_ca, make_key(mine), "-n", "deploy,alice", "-V", "-1m:+1h")
    web1, web2 = make_key(tmp_path / "web1"), make_key(tmp_path / "web2")
    by_name = sign(hosts_ca, web1, "-h", "-n", "web1,web1.example", "-V", "-1m:+1h")
    by_ip = sign(hosts_ca, web2, "-h", "-n", ADDRESS["web2"], "-V", "-1m:+1h")
    person.pin(f"@cert-authority web1,[10.88.0.12]:{PORT} {public(hosts_ca)}\n")
    there = {name: f"{{address: {ADDRESS[name]}, port: {PORT}}}" for name in ("web1", "web2")}
    people = public(users_ca)
    with second_sshd(lab, "web1", web1, by_name, people), second_sshd(lab, "web2", web2, by_ip, people):
        goes_round(person.deploys(app, there), "web1", "web2")


@pytest.mark.parametrize(("words", "said"), [
    (["-n", "web2", "-V", "20200101:20200201"], "web2's host certificate has expired"),
    (["-n", "web2", "-V", "+1d:+2d"], "web2's host certificate is not valid yet"),
    (["-n", "db.example", "-V", "-1m:+1h"], "web2's host certificate is for other names"),
])
def test_a_host_certificate_that_does_not_hold(
    words: list[str], said: str, app: App, lab: Lab, person: Person, tmp_path: Path
) -> None:
    authority, key = make_key(tmp_path / "ca"), make_key(tmp_path / "web2")
    person.pin(f"@cert-authority web2 {public(authority)}\n{(lab.fleet / 'known_hosts').read_text()}")
    there = {**DIRECT, "web2": f"{{address: {ADDRESS['web2']}, port: {PORT}}}"}
    with second_sshd(lab, "web2", key, sign(authority, key, "-h", *words)):
        is_refused(person.deploys(app, there), said, "ssh-keygen -s CA -h -I web2 -n web2,10.88.0.12", "host web2")


def test_a_host_certificate_of_another_authority(app: App, lab: Lab, person: Person, tmp_path: Path) -> None:
    authority, other, key = (make_key(tmp_path / name) for name in ("ca", "other", "web2"))
    there = {**DIRECT, "web2": f"{{address: {ADDRESS['web2']}, port: {PORT}}}"}
    pinned = (lab.fleet / "known_hosts").read_text()
    with second_sshd(lab, "web2", key, sign(other, key, "-h", "-n", "web2", "-V", "-1m:+1h")):
        person.pin(f"@cert-authority web2 {public(authority)}\n{pinned}")
        is_refused(person.deploys(app, there), "web2's host certificate is of another authority", "host web2")
        person.pin(f"@revoked * {public(other)}\n@cert-authority web2 {public(other)}\n{pinned}")
        is_refused(person.deploys(app, there), "web2's key is revoked", "host web2")


@pytest.mark.parametrize(("words", "said"), [
    (["-n", "deploy", "-V", "20200101:20200201"], "(certificate expired)"),
    (["-n", "alice", "-V", "-1m:+1h"], "(its certificate is for alice, not for deploy)"),
])
def test_a_certificate_of_a_person_that_does_not_hold(
    words: list[str], said: str, app: App, lab: Lab, person: Person, tmp_path: Path
) -> None:
    authority, key, mine = make_key(tmp_path / "ca"), make_key(tmp_path / "web2"), person.ssh / "id_ed25519"
    sign(authority, mine, *words)
    person.pin(f"{(lab.fleet / 'known_hosts').read_text()}[{ADDRESS['web2']}]:{PORT} {public(key)}\n")
    there = {**DIRECT, "web2": f"{{address: {ADDRESS['web2']}, port: {PORT}}}"}
    with second_sshd(lab, "web2", key, users=public(authority)):
        is_refused(person.deploys(app, there), f"web2 does not let deploy@10.88.0.12:{PORT} in", said,
                   f"try by hand: ssh -p {PORT} deploy@10.88.0.12")


def test_hashed_names_with_and_without_a_port(app: App, lab: Lab, person: Person, tmp_path: Path) -> None:
    key = make_key(tmp_path / "web2")
    web1 = next(line for line in by_address(lab).splitlines() if line.startswith(f"{ADDRESS['web1']} "))
    person.pin(f"{web1}\n[{ADDRESS['web2']}]:{PORT} {public(key)}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(person.pins)], check=True, capture_output=True)
    assert "10.88" not in person.pins.read_text()
    there = {**DIRECT, "web2": f"{{address: {ADDRESS['web2']}, port: {PORT}}}"}
    with second_sshd(lab, "web2", key):
        goes_round(person.deploys(app, there), "web1", "web2")


def test_a_revoked_key(app: App, lab: Lab, person: Person) -> None:
    pinned = (lab.fleet / "known_hosts").read_text()
    web2 = next(line for line in pinned.splitlines() if line.startswith("web2 "))
    person.pin(f"{pinned}@revoked * {web2.split(None, 1)[1]}\n")
    is_refused(person.deploys(app), "web2's key is revoked", "@revoked in", "host web2", "ask its operator",
               "lading hosts trust web2 --replace")


def test_a_proxy_command(app: App, lab: Lab, person: Person) -> None:
    """With shell in it, which OpenSSH allows."""
    hosts = without_addresses(person, "ProxyCommand ssh -W %h:%p \"$(echo stage1)\" 2>/dev/null")
    with reached_only_through(lab, "stage1", "web1", "web2"):
        goes_round(person.deploys(app, hosts, user=""), "web1", "web2")


def test_a_proxy_command_that_fails(app: App, person: Person) -> None:
    hosts = without_addresses(person, "ProxyCommand false %h")
    done = is_refused(person.deploys(app, hosts, user=""), "try by hand: ssh deploy@web1",
                      "web1 (10.88.0.11:22) is not reached by its ProxyCommand, 'false 10.88.0.11'")
    assert "child process" not in done.stderr


def test_a_locked_key_with_and_without_an_agent(app: App, person: Person, tmp_path: Path) -> None:
    mine, mate = person.ssh / "id_ed25519", person.deploys(app)
    with agent_with(tmp_path, mine) as full:
        subprocess.run(["ssh-keygen", "-q", "-p", "-N", "a long one", "-f", str(mine)], check=True, capture_output=True)
        is_refused(mate, "web1 does not let deploy@10.88.0.11:22 in; tried: no agent", "id_ed25519 has a passphrase",
                   "hint: ssh-add ", "host web1")
        person.configure(f"IdentityAgent {full}\n")
        goes_round(mate, "web1", "web2")
        person.configure(f"IdentityAgent {full}\nIdentitiesOnly yes\nIdentityFile {mine}\n")
        assert mate.deploy("1.1.0").returncode == 0
    person.configure(f"IdentityAgent {full}\n")
    gone = mate.deploy("1.0.0")
    assert (gone.returncode, "no agent answers at" in gone.stderr) == (6, True), gone.stderr
    assert "hint: ssh-add " in gone.stderr


def test_an_agent_whose_keys_nobody_knows(app: App, person: Person, tmp_path: Path) -> None:
    stranger = make_key(tmp_path / "stranger")
    listed = subprocess.run(["ssh-keygen", "-lf", str(stranger)], check=True, capture_output=True, text=True).stdout
    for name in ("id_ed25519", "id_ed25519.pub"):
        (person.ssh / name).unlink()
    with agent_with(tmp_path, stranger) as path:
        person.configure(f"IdentityAgent {path}\n")
        is_refused(person.deploys(app), "web1 does not let deploy@10.88.0.11:22 in", f"{listed.split()[1]} stranger from the agent")
