"""Ansible's connection variables as a lading host: what is honoured, what is noted, what is refused (pure)."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from lading.inventory import groups, hosts, ssh_arguments, ssh_names

NAME = re.compile(r"\w[\w.:%-]*")  # of a host that lading can name
ADDRESS = ("ansible_host", "ansible_ssh_host")  # of several names the last one that is set counts, as in Ansible
PORT = ("ansible_port", "ansible_ssh_port")
USER = ("ansible_user", "ansible_ssh_user")
KEY = ("ansible_private_key_file", "ansible_ssh_private_key_file")
TIMEOUT = ("ansible_timeout", "ansible_ssh_timeout")
ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
BECOME = ("ansible_become",)
BECOME_USER = ("ansible_become_user", "ansible_sudo_user")
BECOME_PROGRAM = ("ansible_become_exe", "ansible_sudo_exe")
BECOME_FLAGS = ("ansible_become_flags", "ansible_sudo_flags")
KEY_CHECKING = ("ansible_host_key_checking", "ansible_ssh_host_key_checking")
TOKEN = ("ansible_ssh_pkcs11_provider",)
CONNECTION = ("ansible_connection",)
METHOD = ("ansible_become_method",)
VALUES = (*ADDRESS, *PORT, *USER, *KEY, *TIMEOUT, *ARGUMENTS, *BECOME, *BECOME_USER, *BECOME_PROGRAM, *BECOME_FLAGS,
          *KEY_CHECKING, *TOKEN, *CONNECTION, *METHOD)

BECOME_PASSWORD = ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass")
PASSWORD = ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password")
INLINE_KEY = ("ansible_private_key", "ansible_ssh_private_key")
PASSPHRASE = ("ansible_private_key_passphrase", "ansible_ssh_private_key_passphrase")
SECRETS = (*BECOME_PASSWORD, *PASSWORD, *INLINE_KEY, *PASSPHRASE)  # only whether they are there matters

_FAMILIES = {"any": "", "inet": "inet", "inet6": "inet6"}
_SSH = ("ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh", "ansible.builtin.paramiko_ssh")
_SUDO = ("sudo", "ansible.builtin.sudo")
_BY_ANSIBLE = "transport: ansible in lading.yaml lets Ansible make the connection"


class _RefusedError(Exception):
    """lading cannot reach the host as the inventory wants it: message, hint, where it says so."""

    def __init__(self, message: str, hint: str, place: groups.Place, *, by_name: bool = False) -> None:
        super().__init__(message)
        self.refusal = hosts.Refusal(message, hint, place.file, place.line, by_name)


def host(
    name: str, variables: Mapping[str, groups.Variable], labels: Sequence[str], place: groups.Place
) -> tuple[hosts.Host, tuple[str, ...]]:
    """The host that *variables* describe, and what of them lading does not heed, in words.

    Variables named in *labels* become labels. What lading cannot do is a refusal, kept with the host.
    """
    one = _Variables(name, variables)
    origin = f"{place.file}:{place.line}" if place.line else place.file
    tags = one.labels(labels)
    try:
        if NAME.fullmatch(name) is None:
            raise _RefusedError(f"{name!r} is no name for a host of lading's", "letters, digits, _ . - : only", place,
                                by_name=not ssh_names.is_host(name))
        found = one.connection()
    except _RefusedError as bad:
        return hosts.Host(name, labels=tags, origin=origin, refusal=bad.refusal), ()
    return hosts.Host(name, labels=tags, origin=origin, **found), tuple(one.notes)


class _Variables:
    """The variables of one host, as questions."""

    def __init__(self, name: str, variables: Mapping[str, groups.Variable]) -> None:
        self._name, self._all = name, variables
        self.notes: list[str] = []

    def connection(self) -> dict[str, Any]:
        """The fields of a Host that say how to reach it.

        Raises:
            _RefusedError: lading cannot reach it so.
        """
        kind = self._text(CONNECTION) or "ssh"
        if kind not in _SSH:
            raise self._refused(CONNECTION, f"{kind}, but lading reaches hosts over SSH", _BY_ANSIBLE)
        for names, hint in ((INLINE_KEY, "keep it in a file: ansible_ssh_private_key_file"), (PASSPHRASE, "use an agent"),
                            (TOKEN, "use an agent")):
            if self._one(names):
                raise self._refused(names, "which lading does not take from an inventory", hint)
        if self._one(PASSWORD):
            self._note(PASSWORD, "lading logs in with keys")
        if self._one(KEY_CHECKING) and not self._flag(KEY_CHECKING):
            self._note(KEY_CHECKING, "not heeded: lading always verifies host keys; pin them: lading hosts trust")
        options = self._options()
        jump = options.get("proxyjump", "")
        return {
            "address": self._named(ADDRESS, ssh_names.is_destination), "port": self._whole(PORT) or int(options.get("port", 0)),
            "user": self._named(USER, ssh_names.is_user) or options.get("user", ""), "key_file": self._text(KEY) or options.get("identityfile", ""),
            "jump": "" if jump == "none" else jump,
            "proxy_command": options.get("proxycommand", "") if not jump and options.get("proxycommand") != "none" else "",
            "known_hosts": options.get("userknownhostsfile", ""), "sudo": self._sudo(),
            "connect_timeout": self._whole(TIMEOUT) or int(options.get("connecttimeout", 0)),
            "ssh_config": options.get("configfile", ""), "family": _FAMILIES[options.get("addressfamily", "any").lower()],
            "keepalive": int(options.get("serveraliveinterval", 0)),
        }

    def labels(self, wanted: Sequence[str]) -> dict[str, str]:
        """The variables that were chosen as labels: texts, numbers, true and false."""
        found = {}
        for key in wanted:
            value = self._all[key].value if key in self._all else None
            if isinstance(value, bool):
                found[key] = "true" if value else "false"
            elif value is not None and not isinstance(value, list | dict):
                found[key] = str(value)
        return found

    def _options(self) -> dict[str, str]:
        """What the arguments for ssh ask for."""
        found: dict[str, str] = {}
        for name in ARGUMENTS:
            try:
                parsed = ssh_arguments.parse(self._text((name,)))
                for key in ("port", "connecttimeout", "serveraliveinterval"):
                    if not parsed.options.get(key, "0").isdecimal():
                        raise ValueError(f"{key} {parsed.options[key]}, which is no number")
                if parsed.options.get("addressfamily", "any").lower() not in _FAMILIES:
                    raise ValueError(f"addressfamily {parsed.options['addressfamily']}, which is none")
            except ValueError as bad:
                raise self._refused((name,), f"has {bad}, which lading cannot honour",
                                    f"give the host a `Host` part in ~/.ssh/config; or {_BY_ANSIBLE}") from bad
            for key, good in (("user", ssh_names.is_user), ("proxyjump", ssh_names.is_jump)):
                if not good(parsed.options.get(key, "")):
                    raise self._refused((name,), f"{key} {parsed.options[key]!r} {ssh_names.WHY}", ssh_names.HINT)
            proxied = {"proxyjump", "proxycommand"} & found.keys()
            found = {key: value for key, value in parsed.options.items() if not (proxied and key.startswith("proxy"))} | found
            for option, why in parsed.overruled.items():
                self._note((name,), f"{option} is not heeded: {why}")
        if found.get("userknownhostsfile") == "/dev/null":
            del found["userknownhostsfile"]
            self._note(ARGUMENTS, "userknownhostsfile=/dev/null is not heeded: lading always verifies host keys")
        return found

    def _sudo(self) -> bool:
        if not self._flag(BECOME):
            return False
        method, user = self._text(METHOD) or "sudo", self._text(BECOME_USER) or "root"
        if method not in _SUDO:
            raise self._refused(METHOD, f"{method}, but lading knows only sudo", _BY_ANSIBLE)
        if user != "root":
            raise self._refused(BECOME_USER, f"{user}, but lading becomes root or nobody else", _BY_ANSIBLE)
        if (self._text(BECOME_PROGRAM) or "sudo") != "sudo":
            raise self._refused(BECOME_PROGRAM, "another program than sudo", _BY_ANSIBLE)
        if self._one(BECOME_PASSWORD):
            raise self._refused(BECOME_PASSWORD, "but lading runs sudo without a password (sudo -n)",
                                f"allow it in sudoers (NOPASSWD); or {_BY_ANSIBLE}")
        if self._one(BECOME_FLAGS):
            self._note(BECOME_FLAGS, "not heeded: lading runs sudo -n")
        return True

    def _one(self, names: Iterable[str]) -> tuple[str, groups.Variable] | None:
        """The last of *names* that has a value."""
        found = [(name, self._all[name]) for name in names if name in self._all and self._all[name].value is not None]
        return found[-1] if found else None

    def _text(self, names: Iterable[str]) -> str:
        found = self._one(names)
        if found is None:
            return ""
        value = found[1].value
        if isinstance(value, list | dict) or "\n" in str(value) or "\0" in str(value):
            raise self._refused(names, "which must be one line of text", "correct it")
        return str(value)

    def _named(self, names: Iterable[str], good: Callable[[str], bool]) -> str:
        """A name that `ssh` takes, by the rule *good*."""
        text = self._text(names)
        if not good(text):
            raise self._refused(names, f"{text!r} {ssh_names.WHY}", ssh_names.HINT)
        return text

    def _whole(self, names: Iterable[str]) -> int:
        text = self._text(names)
        if text and not (text.isdecimal() and 0 < int(text) < 65536):
            raise self._refused(names, f"{text!r} is no whole number from 1 to 65535", "correct it")
        return int(text or 0)

    def _flag(self, names: Iterable[str]) -> bool:
        text = self._text(names).lower()
        if text not in ("", "true", "false", "yes", "no", "on", "off", "1", "0", "y", "n", "t", "f", "1.0", "0.0"):
            raise self._refused(names, f"{text!r} is neither true nor false", "correct it")
        return text in ("true", "yes", "on", "1", "y", "t", "1.0")

    def _refused(self, names: Iterable[str], message: str, hint: str) -> _RefusedError:
        found = self._one(names)
        assert found is not None
        return _RefusedError(f"{self._name}: {found[0]}: {message}", hint, found[1].place)

    def _note(self, names: Iterable[str], message: str) -> None:
        found = self._one(names)
        assert found is not None
        place = found[1].place
        self.notes.append(f"{found[0]}: {message} ({place.file}" + (f":{place.line})" if place.line else ")"))
