"""OpenSSH's configuration of each host: `ssh -G` is asked, once for hosts that it does not tell apart; without `ssh`, it is read here (asyncssh)."""

import asyncio
import getpass
import glob
import os
import pwd
import re
import shutil
import socket
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncssh

from lading import disk, errors, process
from lading.transport import command, openssh, ssh_blocks

SYSTEM = "/etc/ssh/ssh_config"
LIMIT = 20.0  # seconds: a `Match exec` and names that are looked up are waited for
_SIDE_BY_SIDE = 8
_NOBODY = "lading.invalid"  # a name that leads nowhere
_DEEP = 16  # files that include each other
_SIZE = 1 << 20  # bytes of one of them
_INCLUDE = re.compile(r"\s*include[\s=]+(.*)", re.I)


class OpenSsh:
    """What one call asks of OpenSSH: each question once.

    *environment*: of whoever calls. *files* in place of the user's and the system's; *program*: "" where there is no `ssh`.
    """

    def __init__(
        self, environment: Mapping[str, str], files: Sequence[str] | None = None, program: str | None = None
    ) -> None:
        self._environment = environment
        self._files = list(files) if files is not None else None
        self._program = (shutil.which("ssh", path=environment.get("PATH")) or "") if program is None else program
        self._here = _here(environment)
        self._free = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._asked: dict[tuple[Any, ...], asyncio.Task[Any]] = {}

    async def of(
        self, name: str, user: str = "", port: int = 0, otherwise: str = "", config: str = ""
    ) -> openssh.Configured:
        """What is said of the host *name*: for this *user* and *port*, or for those that the configuration names.

        *otherwise*: the user where neither names one; *config*: a file in place of the configuration.

        Raises:
            SettingsError: the configuration is wrong, or did not come to an end.
        """
        files = [config] if config else self._files
        if not self._asks_openssh:
            return await self._by_asyncssh(name, user, port, otherwise, files)
        both: Any = await asyncio.gather(
            self._once(("defaults",), self._defaults()), self._said(name, user, port, "" if user else otherwise, files),
            return_exceptions=True)
        defaults, said = both
        if isinstance(defaults, BaseException):
            raise defaults
        if not defaults:
            return await self._by_asyncssh(name, user, port, otherwise, files)
        if isinstance(said, errors.SettingsError):  # it may be the answer for another host
            raise errors.SettingsError(said.message, said.hint or f"try by hand: ssh -G -- {command.quote(name)}") from said
        if isinstance(said, BaseException):
            raise said
        return openssh.configured(name, said, defaults, self._here, lambda path: Path(path).is_file())

    def close(self) -> None:
        """Wait for no answer any more."""
        for task in self._asked.values():
            task.cancel()

    async def _once(self, key: tuple[Any, ...], work: Coroutine[Any, Any, Any]) -> Any:
        """What *work* comes to, which is done for the first who asks."""
        if key in self._asked:
            work.close()
        else:
            self._asked[key] = asyncio.create_task(work)
        return await asyncio.shield(self._asked[key])

    @property
    def _asks_openssh(self) -> bool:
        """Whether there is an `ssh`, and an account for it to go by."""
        return bool(self._program and self._here.account_home)

    async def _defaults(self) -> openssh.Answer:
        """What OpenSSH does without any configuration; nothing if it does not work."""
        try:
            done = await self._run("-F", "none", "--", _NOBODY)
        except errors.SettingsError:
            return {}
        said = openssh.answer(done.stdout.decode("utf-8", "surrogateescape"))
        return said if done.status == 0 and said.get("hostname") == (_NOBODY,) else {}

    async def _said(
        self, name: str, user: str, port: int, otherwise: str, files: list[str] | None
    ) -> openssh.Answer:
        key = (user, port, otherwise, *(files or [""]))
        blocks = await self._once(("blocks", *key[3:]), asyncio.to_thread(self._blocks, files))
        kind = blocks.kind(name) if blocks is not None else None
        if kind is None:
            return await self._alone(key, name, user, port, otherwise, files)
        first, address, found = await self._once((key, kind), self._first(name, kind.hostname, user, port, otherwise, files))
        if name == first:
            return dict(found)
        if found.get("hostname") == (address,) and found.get("canonicalizehostname", ("false",))[0] in ("false", "no"):
            return {**found, "hostname": (kind.hostname,)}
        return await self._alone(key, name, user, port, otherwise, files)

    async def _alone(self, key: tuple[Any, ...], name: str, *rest: Any) -> openssh.Answer:
        found: openssh.Answer = await self._once((key, "alone", name), self._ask(name, *rest))
        return found

    async def _first(self, name: str, address: str, *rest: Any) -> tuple[str, str, openssh.Answer]:
        return name, address, await self._ask(name, *rest)

    async def _ask(self, name: str, user: str, port: int, otherwise: str, files: list[str] | None) -> openssh.Answer:
        file, text = self._file(files, otherwise)
        words = [*(["-F", file] if file else []), *(["-l", user] if user else []), *(["-p", str(port)] if port else [])]
        done = await self._run(*words, "--", name, stdin=text)
        if done.status != 0:
            raise errors.SettingsError(f"the OpenSSH configuration: {done.error_text or 'ssh -G failed'}")
        return openssh.answer(done.stdout.decode("utf-8", "surrogateescape"))

    async def _run(self, *words: str, stdin: bytes = b"") -> process.Finished:
        async with self._free:
            try:
                return await asyncio.to_thread(
                    process.run, [self._program, "-T", "-G", *words], stdin=stdin, env=self._environment, timeout=LIMIT)
            except process.ProgramTimeoutError as late:
                raise errors.SettingsError(
                    f"`ssh -G` did not end within {LIMIT:g} s", "a `Match exec` in ~/.ssh/config may wait for something"
                ) from late
            except process.ProgramMissingError as gone:
                raise errors.SettingsError(f"{self._program} cannot be run", "install OpenSSH's client") from gone

    def _file(self, files: list[str] | None, otherwise: str) -> tuple[str, bytes]:
        """What follows -F, and what `ssh` reads there: the files, and after them the user who is meant *otherwise*.

        `ssh` goes by the account's home: where $HOME is another one, the files are named too.
        """
        moved = files is None and self._here.home != self._here.account_home
        if files is None and not moved and not otherwise:
            return "", b""
        if files is not None and len(files) < 2 and not otherwise:
            return (files or ["none"])[0], b""
        lines = [f'Include "{glob.escape(str(Path(one).absolute()))}"\nMatch all\n' for one in self._read(files)]
        return "/dev/stdin", "".join([*lines, f'User "{otherwise}"\n' if otherwise else ""]).encode()

    def _read(self, files: list[str] | None) -> list[str]:
        return [f"{self._here.home}/.ssh/config", SYSTEM] if files is None else [one for one in files if one != "none"]

    def _blocks(self, files: list[str] | None) -> ssh_blocks.Blocks | None:
        """What all files that count say, included ones too; None where only OpenSSH can read them."""
        found: list[str] = []
        self._collect([Path(one) for one in self._read(files)], found, 0)
        return ssh_blocks.read(found)

    def _collect(self, paths: Sequence[Path], found: list[str], depth: int) -> None:
        if depth > _DEEP:
            found.append("Match exec")
            return
        for path in paths:
            try:
                text = disk.read(path, limit=_SIZE).decode("utf-8", "replace")
            except OSError:
                continue
            found.append(text)
            for words in filter(None, map(_INCLUDE.match, text.splitlines())):
                self._collect(self._included(words[1], path), found, depth + 1)

    def _included(self, words: str, by: Path) -> list[Path]:
        folder = Path("/etc/ssh") if str(by).startswith("/etc/ssh/") else Path(self._here.account_home, ".ssh")
        patterns = [folder / Path(word.strip('"')).expanduser() for word in words.split()]
        return [Path(one) for pattern in patterns for one in sorted(glob.glob(str(pattern)))]  # noqa: PTH207 (absolute ones too)

    async def _by_asyncssh(
        self, name: str, user: str, port: int, otherwise: str, files: list[str] | None
    ) -> openssh.Configured:
        own = Path("~/.ssh/config").expanduser()
        named = [str(own)] if own.is_file() else []
        if files is not None:
            named = [one for one in files if one != "none"]
        told: dict[str, Any] = {"username": user} if user else {}
        told |= {"port": port} if port else {}
        try:
            options = await asyncssh.SSHClientConnectionOptions.construct(
                host=name, config=named or None, client_keys=None, gss_kex=False, request_pty=False, **told)
        except (asyncssh.ConfigParseError, UnicodeDecodeError) as bad:
            raise errors.SettingsError(f"the OpenSSH configuration: {bad}") from bad
        except (asyncssh.Error, OSError, ValueError) as bad:
            raise errors.SettingsError(f"{name} cannot be reached as it is configured: {bad}") from bad
        return _of_options(options, otherwise, self._here)


def _of_options(options: asyncssh.SSHClientConnectionOptions, otherwise: str, here: openssh.Here) -> openssh.Configured:
    """The same out of asyncssh's own reading."""
    config: Any = options.config
    agent = config.get("IdentityAgent", here.environment.get("SSH_AUTH_SOCK", ""))
    jump = options.tunnel if isinstance(options.tunnel, str) else ""
    files = [*config.get("UserKnownHostsFile", ()), *config.get("GlobalKnownHostsFile", ())]
    families = {int(socket.AF_INET): "inet", int(socket.AF_INET6): "inet6"}
    return openssh.Configured(
        hostname=options.host, user=options.username if config.get("User") else otherwise or options.username,
        port=options.port, family=families.get(int(config.get("AddressFamily") or 0), "any"),
        bind_address=str(config.get("BindAddress") or ""),
        identity_files=_homed(config.get("IdentityFile", DEFAULT_KEYS)),
        certificate_files=_homed(config.get("CertificateFile", ())),
        identities_only=bool(config.get("IdentitiesOnly")), agent=str(Path(agent).expanduser()) if agent else "",
        jump=jump, proxy_command="" if jump else str(config.get("ProxyCommand") or ""),
        connect_timeout=config.get("ConnectTimeout", 0), keepalive=config.get("ServerAliveInterval", 0),
        keepalive_count=config.get("ServerAliveCountMax", 0), by_key=bool(config.get("PubkeyAuthentication", True)),
        host_key_alias=options.host_key_alias or "", known_hosts=_homed(files), pkcs11=str(config.get("PKCS11Provider") or ""),
        algorithms={one: value for one in openssh.ALGORITHMS if (value := config.get(one))})


DEFAULT_KEYS = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ecdsa_sk", "~/.ssh/id_ed25519", "~/.ssh/id_ed25519_sk")


def _homed(paths: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(Path(one).expanduser()) for one in paths)


def _here(environment: Mapping[str, str]) -> openssh.Here:
    try:
        account = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        account = ""
    home = environment.get("HOME") or account
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = ""
    return openssh.Here(home, account, user, os.getuid(), socket.gethostname(), environment)
