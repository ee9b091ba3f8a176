"""What docs/security.md recommends for the user on the hosts: sudo for a group, `restrict`, rootless Docker."""

import re
from collections.abc import Iterator

import pytest
from app_client import App, some
from lab_client import CHECKOUT, Lab
from ssh_client import ADDRESS, Person, goes_round

HOSTS = ("web1", "web2")
SUDOERS = "/etc/sudoers.d/ops"
KEYS = "/home/alice/.ssh/authorized_keys"


@pytest.fixture
def person(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Person:
    return Person(lab, tmp_path_factory.mktemp("person") / "home")


def recommended() -> str:
    """The sudoers line for `sudo_group` as docs/security.md gives it."""
    found = re.search(r"`sudo_group: docker` \| `(deploy [^`]*)`", (CHECKOUT / "docs" / "security.md").read_text())
    assert found is not None
    return found[1]


@pytest.fixture
def only_the_group(lab: Lab) -> Iterator[None]:
    """For a while, ops, who is not in group docker, has nothing but that line."""
    before = {host: lab.exec(host, f"cat {SUDOERS}").stdout for host in HOSTS}

    def write(host: str, text: str) -> None:
        script = f'printf "%s\\n" "$1" >{SUDOERS} && visudo -qcf {SUDOERS}'
        lab.exec(host, ["/bin/sh", "-c", script, "sh", text.rstrip()])

    for host in HOSTS:
        write(host, recommended().replace("deploy ", "ops ", 1))
    try:
        yield
    finally:
        for host, text in before.items():
            write(host, text)


@pytest.mark.usefixtures("only_the_group")
@pytest.mark.parametrize("transport", some(["ssh", "ansible"]))
def test_the_group_by_sudo_is_enough(transport: str, app: App, person: Person, lab: Lab) -> None:
    refused = ("docker ps", "sudo -n timeout 9 id",
               "sudo -n -g docker docker ps", "sudo -n -g root timeout 9 id")
    for host in HOSTS:
        for line in refused:
            assert lab.exec(host, line, user="ops", check=False).returncode != 0, line
    words = f"user: ops, sudo_group: docker, transport: {transport}"
    ops = person.deploys(app, {host: f"{{address: {ADDRESS[host]}, {words}}}" for host in HOSTS})
    goes_round(ops, *HOSTS)
    checked = ops.lading("check", ",".join(HOSTS))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    owners = f"find /home/ops/.lading -path '*/{app.name}/*' -printf '%u\\n' | sort -u"
    assert lab.exec("web2", owners).stdout == "ops\n"
    removed = ops.lading("remove", app.name, "--to", ",".join(HOSTS), "--yes")
    assert removed.returncode == 0, removed.stderr
    assert {name for host in HOSTS for name in app.ids(host)} == {f"volume:{app.name}_data"}


@pytest.fixture
def restricted(lab: Lab) -> Iterator[None]:
    """For a while, alice's key has `restrict` before it."""
    for host in HOSTS:
        lab.exec(host, f"sed -i 's/^ssh-/restrict ssh-/' {KEYS}")
    try:
        yield
    finally:
        for host in HOSTS:
            lab.exec(host, f"sed -i 's/^restrict //' {KEYS}")


@pytest.mark.usefixtures("restricted")
def test_a_key_with_restrict_is_enough(app: App, person: Person, lab: Lab) -> None:
    for host in HOSTS:
        terminal = lab.run("ssh", "-tt", f"alice@{host}", "tty", check=False)
        assert "PTY allocation request failed" in terminal.stderr, terminal.stderr
    alice = person.deploys(app, {host: f"{{address: {ADDRESS[host]}, user: alice}}" for host in HOSTS})
    goes_round(alice, *HOSTS)


PREPARE = """set -e
install -d -o ops -g ops -m 700 {folder}
grep -q ^ops: /etc/subuid || echo ops:200000:65536 | tee -a /etc/subuid >>/etc/subgid
[ -e /opt/tun ] || mknod -m 666 /opt/tun c 10 200
mount --bind /opt/tun /dev/net/tun
install -d -o ops -g ops /home/ops/.config /home/ops/.config/docker
cp -r /etc/docker/certs.d /home/ops/.config/docker/
cp /etc/ssh/sshd_config /etc/ssh/sshd_config.before
printf 'Match User ops\\n    SetEnv DOCKER_HOST={url}\\n' >>/etc/ssh/sshd_config
kill -HUP "$(cat /run/lab/sshd.pid)"
"""
START = """export XDG_RUNTIME_DIR={folder} DOCKER_HOST={url} PATH=/usr/sbin:/usr/bin:/sbin:/bin
setsid sh /usr/share/docker.io/contrib/dockerd-rootless.sh --storage-driver vfs \\
>"$HOME/rootless.log" 2>&1 </dev/null &
timeout 60 sh -c 'until docker info >/dev/null 2>&1; do sleep 0.2; done' && exit 0
cat "$HOME/rootless.log"
exit 1
"""
CLEAR = """if p=$(cat {folder}/docker.pid); then
kill "$p"
timeout 60 sh -c "while [ -d /proc/$p ]; do sleep 0.1; done"
fi
umount /dev/net/tun
mv /etc/ssh/sshd_config.before /etc/ssh/sshd_config
kill -HUP "$(cat /run/lab/sshd.pid)"
cd /home/ops
rm -rf {folder} .local .config .lading rootless.log
"""


@pytest.fixture
def engine(lab: Lab) -> Iterator[str]:
    """Rootless Docker of ops on web1, as Debian's docker.io brings it; yields the URL of its socket.

    sshd tells it to ops. vfs, for files of an overlay cannot be layers of another; `/dev/net/tun` is a
    device of the host's own, open to everybody, as udev makes it elsewhere.
    """
    folder = f"/run/user/{lab.exec('web1', 'id -u ops').stdout.strip()}"
    url = f"unix://{folder}/docker.sock"
    told = f"until [ \"$(ssh ops@web1 'echo $DOCKER_HOST')\" = {url} ]; do sleep 0.2; done"
    try:
        lab.exec("web1", PREPARE.format(folder=folder, url=url))
        lab.exec("web1", START.format(folder=folder, url=url), user="ops")
        lab.run("timeout", "30", "sh", "-c", told)
        yield url
    finally:
        lab.exec("web1", CLEAR.format(folder=folder), check=False)


def test_an_engine_of_the_users_own(engine: str, app: App, person: Person, lab: Lab) -> None:
    """No group, no sudo, and nothing of the app in the engine that root runs."""
    options = f"DOCKER_HOST={engine} docker info -f '{{{{.SecurityOptions}}}}'"
    assert "rootless" in lab.exec("web1", options, user="ops").stdout
    ops = person.deploys(app, {"web1": f"{{address: {ADDRESS['web1']}, user: ops}}"})
    goes_round(ops, "web1")
    assert "1.0.0" in lab.run("curl", "-sS", f"http://{ADDRESS['web1']}:8080/").stdout
    checked = ops.lading("check", "web1")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert app.ids("web1") == {}
    inspect = f"DOCKER_HOST={engine} docker inspect -f '{{{{.State.Pid}}}}' {app.name}-web-1"
    owner = lab.exec("web1", f"ps -o user= -p $({inspect})", user="ops").stdout.strip()
    assert owner not in ("", "root")
    removed = ops.lading("remove", app.name, "--to", "web1", "--yes")
    assert removed.returncode == 0, removed.stderr
    assert lab.exec("web1", f"DOCKER_HOST={engine} docker ps -aq", user="ops").stdout == ""
