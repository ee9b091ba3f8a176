"""What OpenSSH's configuration says of one host: what `ssh -G` prints, read (pure)."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from lading.dataclass import dataclass

ALGORITHMS = ("KexAlgorithms", "Ciphers", "MACs", "HostKeyAlgorithms")
_MANY = ("identityfile", "certificatefile")  # printed once for each value
_YES = ("yes", "true", "unbound", "host-bound")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")

Answer = Mapping[str, tuple[str, ...]]

MISSING = ("`ssh` is not installed here: lading reads ~/.ssh/config itself, without /etc/ssh/ssh_config, and some lines otherwise "
           "than OpenSSH; install its client")


@dataclass(frozen=True, slots=True)
class Here:
    """This machine and who uses it. *home*: $HOME; *account_home*: the account's, which is what `ssh` goes by."""

    home: str
    account_home: str
    user: str
    uid: int
    node: str
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Configured:
    """How OpenSSH would reach a host; an empty text and 0 mean that nothing is said. Times in seconds.

    *agent* is the path of its socket; *family*: any, inet or inet6; *jump* and *proxy_command*: at most one of them.
    *algorithms*: by option, as ssh_config writes them: a list, or +, - and ^ with one, of OpenSSH's defaults.
    """

    hostname: str
    user: str
    port: int = 22
    family: str = "any"
    bind_address: str = ""
    identity_files: tuple[str, ...] = ()
    certificate_files: tuple[str, ...] = ()
    identities_only: bool = False
    agent: str = ""
    jump: str = ""
    proxy_command: str = ""
    connect_timeout: int = 0
    keepalive: int = 0
    keepalive_count: int = 0
    by_key: bool = True
    host_key_alias: str = ""
    known_hosts: tuple[str, ...] = ()
    pkcs11: str = ""
    algorithms: Mapping[str, str] = field(default_factory=dict)


def answer(text: str) -> Answer:
    """The lines that `ssh -G` printed, by option in lower case."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        found[key.lower()] = (*found.get(key.lower(), ()), value)
    return found


def configured(name: str, said: Answer, defaults: Answer, here: Here, is_file: Callable[[str], bool]) -> Configured:
    """What *said* means for the host *name*; *defaults*: the same without any configuration; *is_file* tells of a path."""

    def one(key: str) -> str:
        value = said.get(key, ("",))[0]
        return "" if value.lower() == "none" else value

    jump = one("proxyjump")
    tokens = _tokens(name, one("hostname") or name, one("port"), one("user"), one("hostkeyalias"), jump, here)

    def path(value: str) -> str:
        return _expanded(value, tokens, here)

    files = [where for key in ("userknownhostsfile", "globalknownhostsfile") for where in _paths(one(key), is_file)]
    changes = {option: _change(option, said, defaults) for option in ALGORITHMS}
    return Configured(
        hostname=tokens["h"], user=tokens["r"], port=_whole(one("port")) or 22, family=one("addressfamily") or "any",
        bind_address=one("bindaddress"), identity_files=_keys(said.get("identityfile", ()), path),
        certificate_files=_keys(said.get("certificatefile", ()), path),
        identities_only=one("identitiesonly") in _YES, agent=_agent(said.get("identityagent", ("",))[0], path, here),
        jump=_filled(jump, tokens), proxy_command="" if jump else one("proxycommand"),
        connect_timeout=_whole(one("connecttimeout")), keepalive=_whole(one("serveraliveinterval")),
        keepalive_count=_whole(one("serveralivecountmax")), by_key=one("pubkeyauthentication") in ("", *_YES),
        host_key_alias=one("hostkeyalias"), known_hosts=tuple(_own(where, here) for where in files),
        pkcs11=one("pkcs11provider"), algorithms={option: value for option, value in changes.items() if value})


def _change(option: str, said: Answer, defaults: Answer) -> str:
    """A list that is shorter than the default one stays a list.

    It may be meant as one, and lading knows algorithms that this OpenSSH does not; types of host
    key it does not, and their order goes by those that are known.
    """
    wanted = said.get(option.lower(), ("",))[0]
    changed = change(wanted, defaults.get(option.lower(), ("",))[0])
    return wanted if changed.startswith("-") and option != "HostKeyAlgorithms" else changed


def change(wanted: str, default: str) -> str:
    """A list of algorithms as ssh_config would write it, told from the *default* one: "" is no change."""
    mine, usual = wanted.split(","), default.split(",")
    if not wanted or mine == usual:
        return ""
    if mine[:len(usual)] == usual:
        return "+" + ",".join(mine[len(usual):])
    if mine == [one for one in usual if one in mine]:
        return "-" + ",".join(one for one in usual if one not in mine)
    for size in range(1, len(mine)):
        if mine[size:] == [one for one in usual if one not in mine[:size]]:
            return "^" + ",".join(mine[:size])
    return wanted


def _tokens(name: str, hostname: str, port: str, user: str, alias: str, jump: str, here: Here) -> dict[str, str]:
    whole = hashlib.sha1(f"{here.node}{hostname}{port}{user}{jump}".encode(), usedforsecurity=False).hexdigest()
    return {
        "%": "%", "C": whole, "d": here.home, "h": hostname, "i": str(here.uid), "j": jump, "k": alias or name,
        "L": here.node.partition(".")[0], "l": here.node, "n": name, "p": port, "r": user, "u": here.user,
    }


def _filled(value: str, tokens: Mapping[str, str]) -> str:
    return re.sub("%(.)", lambda found: tokens.get(found[1], found[0]), value)


def _expanded(value: str, tokens: Mapping[str, str], here: Here) -> str:
    """A path with its ~, %-tokens and ${VARIABLES}; a variable that is not set stays as it is written."""
    if value == "~" or value.startswith("~/"):
        value = here.home + value[1:]
    return _VARIABLE.sub(lambda found: here.environment.get(found[1], found[0]), _filled(value, tokens))


def _keys(values: Sequence[str], path: Callable[[str], str]) -> tuple[str, ...]:
    return tuple(path(value) for value in values if value.lower() != "none")


def _agent(value: str, path: Callable[[str], str], here: Here) -> str:
    if value.lower() == "none":
        return ""
    if value in ("", "SSH_AUTH_SOCK"):
        return here.environment.get("SSH_AUTH_SOCK", "")
    return here.environment.get(value[1:], "") if re.fullmatch(r"\$\w+", value) else path(value)


def _paths(text: str, is_file: Callable[[str], bool]) -> list[str]:
    """Paths as `ssh -G` prints them, with a space between, and within one that has any: those that are there tell."""
    words, found = text.split(" ") if text else [], []
    while words:
        longest = next((size for size in range(len(words), 1, -1) if is_file(" ".join(words[:size]))), 1)
        found.append(" ".join(words[:longest]))
        words = words[longest:]
    return found


def _own(path: str, here: Here) -> str:
    """A path of the account's home, which `ssh` has filled in, in the home that $HOME names."""
    inside = f"{here.account_home.rstrip('/')}/.ssh/"
    return f"{here.home.rstrip('/')}/.ssh/{path.removeprefix(inside)}" if path.startswith(inside) else path


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else 0
