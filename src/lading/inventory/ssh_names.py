"""Which names of hosts and users lading takes: none that OpenSSH refuses, since a ProxyCommand gives them to a shell (pure)."""

import re

WHY = "cannot be used: a leading -, blanks, commas and the signs of a shell stand in no name that OpenSSH takes"
HINT = "write the host's name or address, and the user's name, as they are"
# OpenSSH's own rules, and the signs that a shell fills in from variables and files: what comes of them may be an option
_NO_HOST = re.compile(r"^-|[\s\x00-\x1f\x7f'\"`$\\;&<>|(){},*?!#~]")
_NO_USER = re.compile(r"^-|[\s\x00-\x1f\x7f'\"`$;&<>|(){}*?]|\\\Z")


def is_host(text: str) -> bool:
    """Whether *text* can be the name or the address of a host."""
    return _NO_HOST.search(text) is None


def is_user(text: str) -> bool:
    """Whether *text* can be who logs in; `DOMAIN\\name` is one, as for OpenSSH."""
    return _NO_USER.search(text) is None


def is_destination(text: str) -> bool:
    """Whether `ssh` takes *text* as where to go: a host, user@host, or an address ssh://…"""
    user, _, host = text.removeprefix("ssh://").rpartition("@")
    return is_user(user) and is_host(host) and not text.startswith("-")


def is_jump(text: str) -> bool:
    """Whether *text* can be a jump specification: destinations, with a comma between."""
    return all(is_destination(part.strip()) for part in text.split(","))
