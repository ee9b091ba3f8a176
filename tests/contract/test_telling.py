"""What `--verbose` tells of commands: all that is sent, never a secret; how each ended; which way a connection went."""

import asyncio
import os
from pathlib import Path

import pytest
import sshd_server

from lading import errors
from lading.inventory import hosts
from lading.transport import command, local, ssh, telling

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
M = "MARK-90ab"


def a_command(script: str, *payload: bytes | command.Secret) -> command.Command:
    return command.Command("stage", f"printf '\\n{M} a\\n'\n{script}", M, payload)


async def test_all_that_is_sent_but_no_secret() -> None:
    told: list[str] = []
    transport = telling.TellingTransport(local.LocalTransport(), told.append)
    what = a_command("head -c 14; exit 3", command.Secret(b"hunter2"), b"visible")
    result = await transport.run(hosts.Host("web1"), what)
    assert (result.status, result.text("a")) == (3, "hunter2visible")
    assert told[0].splitlines() == [
        "web1 stage: begins (at most 60 s)", f"web1 stage | printf '\\n{M} a\\n'", "web1 stage | head -c 14; exit 3",
        "web1 stage | <7 secret bytes>", "web1 stage | <7 bytes>"]
    assert told[1].startswith("web1 stage: exit status 3 (")
    assert "hunter2" not in "".join(told)
    await transport.close()


def test_the_group_by_sudo_is_told() -> None:
    said = telling.begins(hosts.Host("web1", sudo_group="docker"), a_command("id"))
    assert said.startswith("web1 stage: begins (by sudo with group docker, at most 60 s)\n")


async def test_sudo_failures_and_cancellation_are_told(tmp_path: Path) -> None:
    told: list[str] = []
    assert telling.begins(hosts.Host("web1", sudo=True), a_command("id")).startswith("web1 stage: begins (by sudo, at most 60 s)\n")
    nobody = hosts.Host("web1", "127.0.0.1", port=sshd_server.free_port())
    transport = telling.TellingTransport(ssh.SshTransport(environment=os.environ, config_files=[], known_hosts=str(tmp_path / "none")), told.append)
    with pytest.raises(errors.UnreachableError):
        await transport.run(nobody, a_command("id"))
    assert f"web1 stage: web1 (127.0.0.1:{nobody.port}) refuses the connection (" in told[1]
    await transport.close()
    here = telling.TellingTransport(local.LocalTransport(), told.append)
    task = asyncio.create_task(here.run(hosts.Host("web1"), a_command("cat >/dev/null")))
    while len(told) < 3:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told[3].startswith("web1 stage: cancelled (")
    await here.close()


async def test_the_way_of_each_connection(tmp_path: Path) -> None:
    server = sshd_server.Sshd(tmp_path / "sshd")
    told: list[str] = []
    transport = ssh.SshTransport(environment=os.environ, known_hosts=str(server.known_hosts), config_files=[str(server.config)], tell=told.append)
    try:
        for _ in range(2):
            await transport.run(server.host(), a_command("id"))
        await transport.fetch_host_keys(server.host())
    finally:
        await transport.close()
        server.stop()
    by_hand = f"ssh -p {server.port} {server.user}@127.0.0.1"
    assert told == [f"web1: connected: {by_hand}", f"web1: asked for its keys: {by_hand}"]
