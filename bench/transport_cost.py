"""What one command costs over SSH and through Ansible, against a real sshd on loopback: `.venv/bin/python bench/transport_cost.py`."""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "contract"))
import sshd_server

from lading.transport import ansible, ansible_session, base, command, ssh

COMMANDS = 10


async def measure(transport: base.Transport, server: sshd_server.Sshd, *payload: command.Secret) -> tuple[float, float]:
    """Seconds of the first command, which connects, and the median of the next ones."""
    taken = []
    for _ in range(COMMANDS + 1):
        begun = time.monotonic()
        await transport.run(server.host(), command.Command("try", "printf '\\nM end\\n'", "M", payload))
        taken.append(time.monotonic() - begun)
    await transport.close()
    return taken[0], statistics.median(taken[1:])


async def main() -> None:
    """Print a row per way."""
    with tempfile.TemporaryDirectory() as folder:
        server = sshd_server.Sshd(Path(folder) / "sshd")
        inventory = Path(folder) / "hosts.ini"
        inventory.write_text(f"web1 ansible_host=127.0.0.1 ansible_port={server.port} ansible_user={server.user} ansible_ssh_common_args="
                             f"'-F {server.config} -o UserKnownHostsFile={server.known_hosts}'\n")
        reach = ansible_session.Reach((str(inventory),))
        over_ssh = ssh.SshTransport(environment=os.environ, known_hosts=str(server.known_hosts), config_files=[str(server.config)])
        for name, transport, payload in (
            ("SSH", over_ssh, ()), ("Ansible", ansible.AnsibleTransport(reach), ()),
            ("Ansible, with a secret", ansible.AnsibleTransport(reach), (command.Secret(b"x"),)),
        ):
            first, next_ = await measure(transport, server, *payload)
            print(f"{name}: first {first:.2f} s, then {next_:.2f} s")
        server.stop()


if __name__ == "__main__":
    asyncio.run(main())
