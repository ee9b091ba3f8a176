"""Values by reference, read once and side by side: from the environment, programs, files, age files; the user's Docker configuration."""

import asyncio
import base64
import json
import os
import re
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures.thread import ThreadPoolExecutor  # here: `concurrent.futures` alone loads it when it is used
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from lading import by_reference, disk, errors, loading, process
from lading.compose import masking
from lading.compose.values import VALUE_LIMIT
from lading.dataclass import dataclass
from lading.transport import command

COMMAND_TIMEOUT = 30.0  # seconds a credential helper of Docker's may take
LIMIT = 1 << 20  # bytes that are read of a file, or of what a program prints
SAID = 300  # characters of a program's last line
ASKS = "it seems to ask something, and gets no terminal and no input here: log in before, or unlock it"
_ASKING = re.compile(r"pass(word|phrase)|prompt|terminal|\btty\b|ioctl for device|log ?in|sign ?in|pinentry|unlock|interactive|stdin|locked|/dev/tty|OTP", re.I)
CONFIG_LIMIT = 4 << 20  # bytes of a Docker configuration
NOBODY = "<token>"  # the user that credential helpers name where the secret is an identity token


class Known:
    """The values of one call of lading: each is read once, when it is wanted, those that are wanted together side by side.

    They are kept in memory alone. Threads may ask at the same time.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment, self._folder = environment, folder
        self._had: dict[by_reference.Source, _Had] = {}
        self._lock = threading.Lock()

    def read(self, wanted: Mapping[str, by_reference.Source]) -> dict[str, str]:
        """The values of *wanted* (what each is, in words → where it comes from).

        Raises:
            SettingsError: some cannot be had: all of these at once, each with its place, why, and what to try.
        """
        with self._lock:
            lacking = {source: None for source in wanted.values() if source not in self._had}
            if lacking:
                self._had |= _read_apart(list(lacking), self._environment, self._folder)
        had = {name: self._had[source] for name, source in wanted.items()}
        if wrong := {name: one for name, one in had.items() if one.why}:
            raise _unreadable(wrong, wanted, [one.value for one in self._had.values() if one.value])
        return {name: one.value for name, one in had.items()}


@dataclass(frozen=True, slots=True)
class _Had:
    """A value, or *why* there is none, *hint*: what to try, and *said*: what the program has printed besides."""

    value: str = field(default="", repr=False)
    why: str = ""
    hint: str = ""
    said: bytes = field(default=b"", repr=False)


def _unreadable(
    wrong: Mapping[str, _Had], sources: Mapping[str, by_reference.Source], values: Sequence[str]
) -> errors.SettingsError:
    """The error for values that cannot be had; what programs complain of may hold the *values* of others, or their own."""
    known = {str(number): value.encode() for number, value in enumerate(values)}
    known |= {name: one.said for name, one in wrong.items()}
    mask = masking.Mask(known, {})
    first = sources[next(iter(wrong))]
    several = len(wrong) > 1
    told = [f"{name} cannot be had from {sources[name]}{_place(sources[name]) if several else ''}: {mask(one.why)}"
            for name, one in wrong.items()]
    hints = dict.fromkeys(one.hint for one in wrong.values())
    return errors.SettingsError("; ".join(told), "; ".join(hints), file=first.file, line=first.line)


def _place(source: by_reference.Source) -> str:
    return f" (line {source.line})"


def _read_apart(
    sources: Sequence[by_reference.Source], environment: Mapping[str, str], folder: Path
) -> dict[by_reference.Source, _Had]:
    """Read *sources* side by side, in an event loop of their own: whoever asks may be in one already."""
    async def whole() -> list[_Had]:
        return await asyncio.gather(*(_read(one, environment, folder) for one in sources))

    with ThreadPoolExecutor(1) as apart:
        return dict(zip(sources, apart.submit(lambda: asyncio.run(whole())).result(), strict=True))


async def _read(source: by_reference.Source, environment: Mapping[str, str], folder: Path) -> _Had:
    match source.kind:
        case "text":
            return _as_text(source.words[0].encode())
        case "env":
            given = environment.get(source.words[0], "")
            return _as_text(os.fsencode(given), f"export {source.words[0]}=…", empty="it is not set, or empty")
        case "file":
            hint = f"ls -l {source.words[0]}"
            return await asyncio.to_thread(_of_file, source.words[0], hint)
        case "age":
            return await asyncio.to_thread(_of_age, *source.words)
    return await _of_program(source, environment, folder)


def _of_file(path: str, hint: str) -> _Had:
    try:
        return _as_text(_without_newline(disk.read(Path(path), limit=LIMIT)), hint)
    except OSError as fault:
        return _Had(why=disk.reason(fault), hint=hint)


def _of_age(path: str, identity: str) -> _Had:
    """What an age file holds; neither it nor the key is shown to any program."""
    try:
        with loading.later():  # few fleets have such secrets, and pyrage is an extra
            from lading import age
    except ImportError:
        return _Had(why="pyrage is not installed", hint='pip install "lading[age]"')
    try:
        return _as_text(_without_newline(age.decrypted(Path(path), Path(identity), limit=LIMIT)))
    except age.LockedError as locked:
        return _Had(why=locked.why, hint=locked.hint)


async def _of_program(source: by_reference.Source, environment: Mapping[str, str], folder: Path) -> _Had:
    """What a program prints; it gets no terminal, not even that of which GPG's agent is told, and no input."""
    argv = source.argv
    by_hand = f"try it by hand: {command.quote(argv[0])}{' …' if len(argv) > 1 else ''} </dev/null"
    own = {name: value for name, value in environment.items() if name != "GPG_TTY"}
    try:
        done = await process.unattended(argv, env=own, cwd=str(folder), timeout=source.timeout, limit=LIMIT)
    except process.ProgramMissingError:
        return _Had(why=f"{argv[0]} is not there, or cannot be run", hint=f"install {argv[0]}, or correct its name")
    last = _last_line(done.error_text)
    if isinstance(done, process.Overdue):
        return _Had(why=f"it did not end within {source.timeout} s, and was ended{last}",
                    hint=f"{ASKS}; or give it longer: timeout: {source.timeout * 2}")
    if done.status != 0:
        asks = f"{ASKS}; " if _ASKING.search(done.error_text) else ""
        return _Had(why=f"it ended with status {done.status}{last}", hint=asks + by_hand, said=done.stdout)
    had = _as_text(_without_newline(done.stdout), by_hand, empty=f"it prints nothing{last}")
    return had if not had.why else replace(had, said=done.stdout)


def _last_line(said: str) -> str:
    """The last line that a program wrote to stderr, as the end of a sentence."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f": {lines[-1][:SAID]}" if lines else ""


def _without_newline(content: bytes) -> bytes:
    """*content* without one newline at its end: editors and `echo` write it, passwords have none."""
    return content[:-1].removesuffix(b"\r") if content.endswith(b"\n") else content


def _as_text(content: bytes, hint: str = "encode it: base64", empty: str = "it is empty") -> _Had:
    """A value as a variable can carry it."""
    if not content:
        return _Had(why=empty, hint=hint)
    if b"\0" in content:
        return _Had(why="it is no text: it holds a NUL", hint="encode it: base64", said=content)
    if len(content) > VALUE_LIMIT:
        return _Had(why=f"it has more than {VALUE_LIMIT >> 10} KiB, too much for a variable", hint="a file of the app: `secrets:`")
    try:
        return _Had(content.decode())
    except UnicodeDecodeError:
        return _Had(why="it is no text: it is not UTF-8", hint="encode it: base64", said=content)


@dataclass(frozen=True, slots=True)
class Login:
    """What is stored of a registry; *identity*: the password is an identity token; *origin*: where it is stored, in words."""

    username: str
    password: str = field(repr=False)
    identity: bool = False
    origin: str = "docker login"


def docker_credentials(
    registry: str, environment: Mapping[str, str], *, helpers: bool = True
) -> Login | None:
    """The login of a registry that DOCKER_AUTH_CONFIG or the Docker configuration knows: credHelpers, credsStore, auths; or None.

    *helpers*: whether the credential helpers that it names are run.

    Raises:
        SettingsError: the configuration cannot be read, or a credential helper that it names fails.
    """
    given = environment.get("DOCKER_AUTH_CONFIG", "").strip()
    if given:
        text = given.encode() if given.startswith("{") else None
        place = Path(given) if text is None else Path("DOCKER_AUTH_CONFIG")
        found = _known(registry, environment, text, place, helpers)
        if found is not None:
            return replace(found, origin="DOCKER_AUTH_CONFIG")
    folder = Path(environment.get("DOCKER_CONFIG") or Path(environment.get("HOME") or "/") / ".docker")
    return _known(registry, environment, None, folder / "config.json", helpers)


def _known(
    registry: str, environment: Mapping[str, str], text: bytes | None, path: Path, run: bool
) -> Login | None:
    """What one configuration knows of a registry; *text*: its content, else it is read from *path*."""
    try:
        config = json.loads(disk.read(path, limit=CONFIG_LIMIT) if text is None else text)
        helpers, entries = dict(config.get("credHelpers") or {}), dict(config.get("auths") or {})
        helper = _of(registry, helpers) or config.get("credsStore")
        if run and helper and (found := _helper(str(helper), registry, environment)):
            return found
        return _stored(_of(registry, entries) or {})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as wrong:
        raise errors.SettingsError(f"{path} cannot be used: {type(wrong).__name__}", f"docker login {registry}",
                                   file="" if text else str(path)) from wrong


def _of(registry: str, entries: Mapping[str, Any]) -> Any:
    """What a part of the configuration says of a registry; its keys are names or URLs, as `docker login` was given."""
    if registry in entries:
        return entries[registry]
    known = {"index.docker.io": "docker.io", "registry-1.docker.io": "docker.io"}
    for key, value in entries.items():
        name = key.partition("://")[2] or key
        host = name.partition("/")[0]
        if known.get(host, host) == registry:
            return value
    return None


def _stored(entry: Mapping[str, Any]) -> Login | None:
    """The login in an entry of `auths`: `auth` (base64, in lines or not), or `username` and `password`; an identity token
    stands for the password."""
    encoded = "".join(str(entry.get("auth") or "").split())
    user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    user, password = user or str(entry.get("username") or ""), password.rstrip("\r\n\0") or str(entry.get("password") or "")
    token = str(entry.get("identitytoken") or "")
    if token:
        return Login(user or NOBODY, token, identity=True)
    return Login(user, password) if user and password else None


def _helper(helper: str, registry: str, environment: Mapping[str, str]) -> Login | None:
    """What a credential helper knows of a registry; None if it knows nothing."""
    program = f"docker-credential-{helper}"
    asked = "https://index.docker.io/v1/" if registry == "docker.io" else registry
    try:
        done = process.run([program, "get"], stdin=asked.encode(), env=environment, timeout=COMMAND_TIMEOUT)
    except (process.ProgramMissingError, process.ProgramTimeoutError) as failed:
        raise errors.SettingsError(f"{program} cannot be run or does not end", f"docker login {registry}") from failed
    if done.status != 0:
        if b"credentials not found" in done.stdout + done.stderr:
            return None
        raise errors.SettingsError(f"{program} ended with status {done.status}", f"docker login {registry}")
    try:
        got = json.loads(done.stdout)
        user, secret = got["Username"], got["Secret"]
        return Login(str(user), str(secret), identity=user == NOBODY) if user and secret else None
    except (ValueError, KeyError, TypeError, RecursionError) as wrong:
        raise errors.SettingsError(f"{program} answers what cannot be read", f"docker login {registry}") from wrong
