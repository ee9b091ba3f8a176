"""The address of a ledger in PostgreSQL: whether its password can be told from the rest, and what of it no message shows (pure)."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

HINT = ("postgresql://USER:PASSWORD@HOST:PORT/DATABASE; in USER and PASSWORD %40 stands for @, %2F for /, %3A for :, "
        "%3F for ?, %23 for #, %25 for %")
ENCRYPTED = ("require", "verify-ca", "verify-full")
TLS_HINT = ("end the URL with ?sslmode=verify-full&sslrootcert=CA.pem, which also proves whose server it is; "
            "sslmode=require at the least")
SHORTEST = 3  # characters of what is hidden: less stands in any word


def _before_host(url: str) -> str:
    """What stands between `://` and the last @: user and password, however they are written."""
    return url.partition("://")[2].rpartition("@")[0] if re.match(r"postgres(ql)?://", url) else ""


def unescaped(url: str, words: Mapping[str, str]) -> str:
    """What is wrong if libpq takes part of a user or password for something that is shown, or ""; *words*: as libpq reads it."""
    if re.search("[@/]", _before_host(url)) or any("@" in words.get(word, "") for word in ("host", "hostaddr", "dbname", "port")):
        return "the URL of the ledger has an unescaped @ or / in its user or password, or an unescaped @ after them"
    if not re.fullmatch(r"[\d,\s]*", words.get("port", "")):
        return "the URL of the ledger has a port that is no number, or an unescaped : or no @ after its password"
    return ""


def in_clear(words: Mapping[str, str]) -> str:
    """The host that would be spoken to without TLS, or where an answer may turn it off; "" if none is.

    *words*: all that libpq goes by, its environment too. This machine itself, by a socket or its loopback, is no network.
    """
    if words.get("sslmode") in ENCRYPTED:
        return ""
    named = words.get("hostaddr") or words.get("host") or ("" if not words.get("service") else f"service {words['service']}")
    return next((host for host in named.split(",") if not _is_here(host.strip())), "")


def _is_here(host: str) -> bool:
    if host in ("", "localhost") or host.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def secrets(url: str, words: Mapping[str, str]) -> tuple[str, ...]:
    """What no message shows, longest first: the passwords, and what stands before the host, in pieces; not the user's name."""
    before = _before_host(url)
    found = {before, *re.split("[:/@]", before), *(words.get(word, "") for word in ("password", "sslpassword"))}
    found |= {unquote(one) for one in found}
    shown = [one for one in found if len(one) >= SHORTEST and unquote(one) != words.get("user")]
    return tuple(sorted(shown, key=lambda one: (-len(one), one)))


def cause(said: str, hidden: Iterable[str]) -> str:
    """The first line of what libpq said, which has the cause, without secrets and control characters; or ""."""
    for one in hidden:
        said = said.replace(one, "***")
    lines = [line for line in map(str.strip, said.splitlines()) if line]
    return "".join(c if c.isprintable() else " " for c in lines[0]) if lines else ""
