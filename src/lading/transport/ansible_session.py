"""One run of Ansible for some hosts, kept open: each host takes one short line or one file after the other, and answers.

The play goes round: run the file `up` if there is one, then lines from a FIFO by the raw module until `up` is there again.
Nothing that is secret is in a line; files are in a private folder in memory for as long as they are sent.
"""

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lading import errors, process
from lading.dataclass import dataclass
from lading.transport import ansible_detached, command

_ROUND = 64  # lines until a loop of the play begins anew, so that Ansible forgets the answers
_JUMPS = 2048  # bytes of what jump hosts say
_BEGIN = 60.0  # seconds until the play must have begun
_LEAVE = 15.0  # seconds for the program to end

_BROUGHT, _LINES = "Run what was brought", "Run the next lines"  # the tasks whose answers are waited for
_NEXT = "lading-next"  # what the line says that only ends the wait for a line: it may be read when the file has run already

CYCLE = """- name: Bring a file
  ansible.builtin.include_tasks: bring.yml
  when: (lading_places[inventory_hostname] ~ '/up') is file
- name: LINES
  ansible.builtin.raw: "{{ lookup('ansible.builtin.pipe', 'IFS= read -r line <' ~ lading_places[inventory_hostname] ~ '/line; printf %s \\"$line\\"') }}"
  loop: "{{ range(ROUND) | list }}"
  loop_control: {break_when: ["(lading_places[inventory_hostname] ~ '/up') is file"], label: "{{ item }}"}
  ignore_unreachable: true
  failed_when: false
- name: Again
  ansible.builtin.include_tasks: cycle.yml
""".replace("ROUND", str(_ROUND)).replace("LINES", _LINES)
# Ansible makes its folders below another, if need be with that one, and asks nobody whose it is. So it gets one that was
# just made for this file, by the user who logs in; /dev/null/… is a path at which nobody can make any.
BRING = """- name: Make a private folder
  ansible.builtin.raw: "{{ lading_make_home }}"
  vars: {ansible_become: false}
  register: lading_private
  ignore_unreachable: true
  failed_when: false
- name: BROUGHT
  ansible.builtin.script: {cmd: "{{ lading_places[inventory_hostname] }}/up", executable: /bin/sh}
  vars: {ansible_remote_tmp: "{{ lading_private.stdout | default('') | regex_search('/dev/shm/lading-[A-Za-z0-9]{10}') | default('/dev/null/lading', true) }}"}
  ignore_unreachable: true
  failed_when: false
- name: Remove it
  ansible.builtin.raw: "/bin/sh -c 'rm -rf {{ lading_private.stdout | default('') | regex_search('/dev/shm/lading-[A-Za-z0-9]{10}') }}'"
  vars: {ansible_become: false}
  ignore_unreachable: true
  failed_when: false
""".replace("BROUGHT", _BROUGHT)
PLAY = """- name: Commands for lading
  hosts: "{{ lading_places | list }}"
  strategy: ansible.builtin.free
  gather_facts: false
  tasks:
    - name: Begin
      ansible.builtin.include_tasks: cycle.yml
"""
# Host keys are verified, and the link watched, whatever configuration and inventory say: the first option counts. The same
# for jump hosts: `ssh` starts itself for a ProxyJump by the name that it was called by, and a ProxyCommand finds it in PATH.
# What a jump host's `ssh` says goes to a file, for OpenSSH throws it away where a connection is shared.
SSH = """#!{python} -IS
import os, subprocess, sys
here, real, jumps, asked = {here!r}, {real!r}, {jumps!r}, sys.argv[1:]
os.environ["PATH"] = os.path.dirname(here) + os.pathsep + os.environ.get("PATH", os.defpath)
if any(word.startswith("-W") for word in asked):
    os.dup2(os.open(jumps, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
said = subprocess.run([real, "-G", *asked], capture_output=True, text=True, errors="replace", check=False).stdout
proxy = next((line.split(None, 1)[1] for line in said.splitlines() if line.startswith("proxycommand ")), "")
for word in proxy.replace("'", " ").replace('"', " ").split():
    if "/" in word and os.path.basename(word) in ("ssh", "autossh"):
        print(f"Host key verification failed: ProxyCommand names {{word}}, which lading cannot make verify; write ssh", file=sys.stderr)
        sys.exit(255)
os.execv(real, [here, *{options!r}, *asked])
"""
# No plug-in of the user's gets to see the answers, nothing is logged, nothing stays on hosts
ENVIRONMENT = {
    "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.minimal", "ANSIBLE_LOG_PATH": "/dev/null", "ANSIBLE_DEBUG": "False",
    "ANSIBLE_VERBOSITY": "0", "ANSIBLE_KEEP_REMOTE_FILES": "False", "ANSIBLE_DIFF_ALWAYS": "False",
    "ANSIBLE_CALLBACK_PLUGINS": "", "ANSIBLE_NO_TARGET_SYSLOG": "True", "ANSIBLE_HOST_KEY_CHECKING": "True",
    "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_DEPRECATION_WARNINGS": "False",
    "ANSIBLE_RETRY_FILES_ENABLED": "False", "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "False", "MAX_EVENT_RES": "4000000",
}


@dataclass(frozen=True, slots=True)
class Reach:
    """How Ansible is called: *inventories* in their order, *vault* a file or () or a command, *config* an ansible.cfg.

    *runtime_folder*: the user's own folder in memory, where there is no /dev/shm.
    """

    inventories: tuple[str, ...] = ()
    config: str = ""
    vault_file: str = ""
    vault_command: tuple[str, ...] = ()
    known_hosts: str = ""
    keepalive: float = 15.0
    runtime_folder: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host answered to a line or a file; *said*: what Ansible says of it."""

    status: int
    stdout: str
    said: str
    unreachable: bool


class _Lane:
    """One host in a session: one request at a time."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.lock = asyncio.Lock()
        self.ready = asyncio.Event()
        self.making = asyncio.Lock()
        self.home = ""
        self.lines = 0
        self.wanted = ""
        self.broken = ""
        self.answer: asyncio.Future[Answer] | None = None
        self.asked = 0.0
        os.mkfifo(place / "line", 0o600)
        self.fifo = os.open(place / "line", os.O_RDWR | os.O_NONBLOCK)

    def take(self, event: Mapping[str, Any]) -> None:
        """An event of this host."""
        name, task = event["event"], event["task"]
        said = "\n".join(filter(None, (str(event[key] or "").strip() for key in ("msg", "stderr"))))
        if event["unreachable"]:
            said = self._jumps() or said
        ended = name in ("runner_on_ok", "runner_on_failed", "runner_on_unreachable")
        if name == "runner_on_start" and task == _LINES:
            self.lines = 0
            self.ready.set()
        elif task == _LINES and _NEXT in str(event["stdout"]):
            return
        elif self.wanted == task and (name.startswith("runner_item_") if task == _LINES else ended):
            self.wanted = ""
            self.tell(Answer(255 if event["rc"] is None else event["rc"], event["stdout"] or "", said, bool(event["unreachable"])))
        elif name in ("runner_on_failed", "runner_on_unreachable") and not self.ready.is_set():
            self.broken = said or "the play failed"  # such as variables that cannot be decrypted
            self.ready.set()

    def _jumps(self) -> str:
        """What the `ssh` of a jump host has said since it was asked last."""
        try:
            said = (self.place / "jumps").read_bytes()[-_JUMPS:]
            (self.place / "jumps").unlink()
        except FileNotFoundError:
            return ""
        return "on the way: " + said.decode("utf-8", "replace").strip()

    def tell(self, answer: Answer) -> None:
        """Give an answer to whoever waits for one."""
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(answer)


class Session:
    """A running Ansible, for *hosts* by their inventory names."""

    def __init__(self, hosts: Sequence[str], reach: Reach, generated: Mapping[str, Any]) -> None:
        self.failure = ""
        self._number = 0
        self._reach = reach
        self._folder = Path(tempfile.mkdtemp(prefix="lading-ansible-", dir=_memory(reach.runtime_folder)))
        self._lanes: dict[str, _Lane] = {}
        for index, host in enumerate(hosts):
            (self._folder / str(index)).mkdir(0o700)
            self._lanes[host] = _Lane(self._folder / str(index))
        self._write("inventory.json", json.dumps(generated))
        self._write("cycle.yml", CYCLE)
        self._write("bring.yml", BRING)
        self._write("play.yml", PLAY)
        for folder in (self._folder, *(lane.place for lane in self._lanes.values())):
            (folder / "bin").mkdir(0o700)
            self._write(str(folder / "bin/ssh"), self._ssh(folder), 0o700)
        if reach.vault_command:
            self._write("vault", f"#!/bin/sh\nexec {command.join(reach.vault_command)}\n", 0o700)
        self._program: asyncio.subprocess.Process | None = None
        self._reading: list[asyncio.Task[None]] = []

    def _write(self, name: str, text: str, mode: int = 0o600) -> None:
        path = self._folder / name
        path.touch(mode)
        path.write_text(text)

    def _ssh(self, folder: Path) -> str:
        """The program that stands for `ssh`, for one host or for what Ansible starts for none, in *folder*."""
        known = " ".join(f'"{file}"' for file in ("/etc/ssh/ssh_known_hosts", self._reach.known_hosts) if file)
        options = [
            "StrictHostKeyChecking=yes", f"GlobalKnownHostsFile={known}", "ServerAliveCountMax=3",
            f"ServerAliveInterval={max(1, round(self._reach.keepalive))}",
        ]
        return SSH.format(
            python=sys.executable, here=str(folder / "bin/ssh"), jumps=str(folder / "jumps"),
            real=shutil.which("ssh") or "/usr/bin/ssh", options=[word for option in options for word in ("-o", option)],
        )

    async def place(self, host: str) -> ansible_detached.Place | Answer:
        """A new place for a command on the host; or what it answered, if it cannot make the session a home."""
        lane = self._lanes[host]
        async with lane.making:
            if not lane.home:
                answer = await self.line(host, ansible_detached.make_home())
                lane.home = ansible_detached.home(answer.stdout)
                if not lane.home:
                    return answer
                (lane.place / "goodbye").write_text(ansible_detached.leave_all(lane.home) + "\n")
        self._number += 1
        return ansible_detached.Place(lane.home, self._number)

    def moved_out(self, place: ansible_detached.Place, host: str) -> None:
        """The home of a place is no more: the next place is in another."""
        lane = self._lanes[host]
        if lane.home == place.home:
            lane.home = ""

    def silent(self, host: str) -> float:
        """For how many seconds a line has been without an answer; 0.0 if none is on its way, or if a file is."""
        lane = self._lanes[host]
        waits = lane.wanted == _LINES
        return asyncio.get_running_loop().time() - lane.asked if waits else 0.0

    async def free(self, host: str) -> None:
        """Come back once this host has answered everything that it was asked."""
        async with self._lanes[host].lock:
            return

    def failed(self, host: str) -> bool:
        """Whether this host cannot be asked any more; another session may."""
        return bool(self.failure or self._lanes[host].broken)

    async def begin(self) -> None:
        """Start Ansible.

        Raises:
            UnreachableError: it does not start.
        """
        argv = [sys.executable, "-m", "lading.transport.ansible_program"]
        self._program = await process.start(argv)
        assert self._program.stdin is not None and self._program.stdout is not None and self._program.stderr is not None
        self._reading = [asyncio.create_task(self._events(self._program.stdout)),
                         asyncio.create_task(self._complaints(self._program.stderr))]
        self._program.stdin.write(json.dumps(self._asked()).encode() + b"\n")

    def _asked(self) -> dict[str, Any]:
        environment = dict(ENVIRONMENT, ANSIBLE_LOCAL_TEMP=str(self._folder / "tmp"),
                           ANSIBLE_SSH_CONTROL_PATH_DIR=str(self._folder / "cp"))  # no connection of another call's
        vault = str(self._folder / "vault") if self._reach.vault_command else self._reach.vault_file
        environment |= {"ANSIBLE_CONFIG": self._reach.config} if self._reach.config else {}
        environment |= {"ANSIBLE_VAULT_PASSWORD_FILE": vault} if vault else {}
        return {
            "folder": str(self._folder), "playbook": str(self._folder / "play.yml"), "environment": environment,
            "places": {host: str(lane.place) for host, lane in self._lanes.items()},
            "inventories": [*self._reach.inventories, str(self._folder / "inventory.json")],
            "left": ansible_detached.LEFT,
            "variables": {
                "lading_places": {host: str(lane.place) for host, lane in self._lanes.items()},
                "lading_make_home": ansible_detached.make_home(), "ansible_ssh_executable": "{{ lading_places[inventory_hostname] }}/bin/ssh",
                "ansible_ssh_transfer_method": "piped", "ansible_host_key_checking": True,
                "ansible_ssh_host_key_checking": True, "ansible_paramiko_host_key_checking": True,
            },
        }

    async def _events(self, stream: asyncio.StreamReader) -> None:
        waiting = bytearray()
        while data := await stream.read(1 << 20):
            waiting += data
            *lines, rest = waiting.split(b"\n")
            waiting = bytearray(rest)
            for line in lines:
                event = json.loads(line)
                if event["event"] == "ended":
                    self._end(event["said"])
                elif event["host"] in self._lanes:
                    self._lanes[event["host"]].take(event)
        self._end("it was ended")

    async def _complaints(self, stream: asyncio.StreamReader) -> None:
        said = b""
        while data := await stream.read(1 << 16):
            said = (said + data)[-4096:]
        if b"No module named 'ansible_runner'" in said:
            self._end("ansible-runner is not installed: pip install 'lading[ansible]'")
        else:
            self._end(said.decode("utf-8", "replace"))

    def _end(self, said: str) -> None:
        self.failure = self.failure or said.strip() or "it ended"
        for lane in self._lanes.values():
            lane.ready.set()
            lane.tell(Answer(255, "", self.failure, True))

    async def line(self, host: str, line: str) -> Answer:
        """Run one short line, which holds no secret."""
        lane = self._lanes[host]
        async with lane.lock:
            await self._ready(host, lane)
            return await self._ask(lane, _LINES, line)

    async def file(self, host: str, content: bytes) -> Answer:
        """Bring a script and run it; it is in memory on both sides, and removed."""
        lane = self._lanes[host]
        async with lane.lock:
            await self._ready(host, lane)
            path = lane.place / "up.new"
            path.touch(0o600)
            path.write_bytes(content)
            path.rename(lane.place / "up")
            lane.ready.clear()
            try:
                return await self._ask(lane, _BROUGHT, f"echo {_NEXT}")
            finally:
                (lane.place / "up").unlink(missing_ok=True)

    async def _ready(self, host: str, lane: _Lane) -> None:
        try:
            async with asyncio.timeout(_BEGIN):
                await lane.ready.wait()
        except TimeoutError as late:
            raise errors.UnreachableError(f"Ansible does not play for {host}: is it in the inventory?",
                                          f"try by hand: ansible -m raw -a id {host}", host=host) from late

    async def _ask(self, lane: _Lane, wanted: str, line: str) -> Answer:
        if self.failure or lane.broken:
            return Answer(255, "", self.failure or lane.broken, True)
        lane.wanted, lane.answer = wanted, asyncio.get_running_loop().create_future()
        lane.asked = asyncio.get_running_loop().time()
        lane.lines += 1
        if lane.lines == _ROUND:
            lane.ready.clear()
        os.write(lane.fifo, line.encode() + b"\n")
        return await lane.answer

    async def close(self) -> None:
        """End Ansible; on the hosts, what may be cancelled is."""
        if self._program is not None:
            assert self._program.stdin is not None
            self._program.stdin.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LEAVE):
                    await self._program.wait()
            self._program._transport.close()  # type: ignore[attr-defined]
            await self._program.wait()
            for task in self._reading:
                task.cancel()
            await asyncio.wait(self._reading)
        await asyncio.gather(*(_hang_up(one) for one in (self._folder / "cp").glob("*")))
        for lane in self._lanes.values():
            os.close(lane.fifo)
        shutil.rmtree(self._folder, ignore_errors=True)


def _memory(own: str) -> str:
    for folder in ("/dev/shm", own):
        if folder and os.access(folder, os.W_OK):
            return folder
    raise errors.UnreachableError("no folder in memory for Ansible's files (/dev/shm, XDG_RUNTIME_DIR)",
                                  "set XDG_RUNTIME_DIR")


async def _hang_up(socket: Path) -> None:
    """End a connection that OpenSSH would keep open for a while."""
    ending = await process.start(["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "-"])
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LEAVE):
            await ending.wait()
    ending._transport.close()  # type: ignore[attr-defined]
    await ending.wait()
