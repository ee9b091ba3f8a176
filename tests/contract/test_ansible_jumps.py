"""The keys of jump hosts are verified through Ansible too: a jump host that shows another key is told nothing and leads nowhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sshd_server

from lading import errors
from lading.inventory import hosts
from lading.transport import ansible, ansible_session, command

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(400)]
M = "MARK-77aa"
HELLO = command.Command("hello", f"printf '\\n{M} a\\n'; echo hello", M)
# What an inventory says → the way through a jump host. {jump}: its specification; {by_hand}: options and destination
WAYS = {
    "ProxyJump": "-o ProxyJump={jump}",
    "-J": "-J {jump} -o StrictHostKeyChecking=no",
    "ProxyCommand": "-o ProxyCommand='ssh -F {config} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -W %h:%p {by_hand}'",
    "a shell's ProxyCommand": "-o ProxyCommand='sh -c \"exec ssh -F {config} -o StrictHostKeyChecking=no -W %h:%p {by_hand}\"'",
}
BY_PATH = "-o ProxyCommand='/usr/bin/ssh -F {config} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -W %h:%p {by_hand}'"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[sshd_server.Sshd]:
    one = sshd_server.Sshd(tmp_path / "server")
    yield one
    one.stop()


@pytest.fixture
def jump(tmp_path: Path, server: sshd_server.Sshd) -> Iterator[sshd_server.Sshd]:
    """A jump host that takes the same user key; a careless OpenSSH configuration for both."""
    one = sshd_server.Sshd(tmp_path / "jump", f"AuthorizedKeysFile {server.user_key}.pub")
    text = (one.folder / "sshd_config").read_text().replace(f"AuthorizedKeysFile {one.user_key}.pub\n", "")
    (one.folder / "sshd_config").write_text(text)
    one.restart()
    server.write_config("StrictHostKeyChecking no", "UserKnownHostsFile /dev/null", "LogLevel ERROR")
    yield one
    one.stop()


def transport(server: sshd_server.Sshd, jump: sshd_server.Sshd, way: str) -> ansible.AnsibleTransport:
    """By Ansible to *server* through *jump*, with the keys in *server*'s known_hosts pinned."""
    words = way.format(jump=f"{jump.user}@127.0.0.1:{jump.port}", config=server.config, by_hand=f"-p {jump.port} {jump.user}@127.0.0.1")
    inventory = server.folder / "inventory.ini"
    arguments = f"-F {server.config} {words}".replace("\\", "\\\\").replace('"', '\\"')
    inventory.write_text(f'web1 ansible_host=127.0.0.1 ansible_port={server.port} ansible_user={server.user} '
                         f'ansible_ssh_common_args="{arguments}"\n')
    return ansible.AnsibleTransport(ansible_session.Reach((str(inventory),), known_hosts=str(server.known_hosts)))


async def tried(one: ansible.AnsibleTransport) -> command.Result:
    """What becomes of a command."""
    try:
        return await one.run(hosts.Host("web1"), HELLO)
    finally:
        await one.close()


@pytest.mark.parametrize("way", WAYS)
async def test_a_jump_host_with_another_key_leads_nowhere(server: sshd_server.Sshd, jump: sshd_server.Sshd, way: str, tmp_path: Path) -> None:
    other = sshd_server.make_key(tmp_path / "other")
    for pinned in ("", jump.known_line(other)):
        server.known_hosts.write_text(server.known_line() + pinned)
        with pytest.raises(errors.HostKeyError, match="(?i)host key verification failed"):
            await tried(transport(server, jump, WAYS[way]))
    assert (jump.logins(), server.logins()) == (0, 0)


@pytest.mark.parametrize("way", WAYS)
async def test_a_jump_host_whose_key_is_pinned_leads_on(server: sshd_server.Sshd, jump: sshd_server.Sshd, way: str) -> None:
    server.known_hosts.write_text(server.known_line() + jump.known_line())
    assert (await tried(transport(server, jump, WAYS[way]))).text("a") == "hello"
    assert jump.logins() == server.logins() == 1


async def test_an_ssh_that_lading_cannot_make_verify_is_not_started(server: sshd_server.Sshd, jump: sshd_server.Sshd) -> None:
    server.known_hosts.write_text(server.known_line() + jump.known_line())
    with pytest.raises(errors.HostKeyError, match="ProxyCommand names /usr/bin/ssh"):
        await tried(transport(server, jump, BY_PATH))
    assert (jump.logins(), server.logins()) == (0, 0)
