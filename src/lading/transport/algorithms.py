"""What a server is offered: no algorithm that is weaker than OpenSSH's own defaults; what is wrong where none is left (asyncssh)."""

import fnmatch
import re
from collections.abc import Mapping, Sequence

import asyncssh
from asyncssh import encryption, kex, mac, rsa

# The client's defaults of OpenSSH 9.9 and 10, in its order. Not group exchange: asyncssh would take groups of 1024 bits.
KEX = (
    "mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com", "curve25519-sha256",
    "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512", "diffie-hellman-group14-sha256",
)
CIPHERS = (  # AES-GCM first: six times as fast as chacha20-poly1305 in asyncssh
    "aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr", "aes192-ctr",
    "aes128-ctr",
)
MACS = (
    "umac-64-etm@openssh.com", "umac-128-etm@openssh.com", "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com", "hmac-sha1-etm@openssh.com", "umac-64@openssh.com", "umac-128@openssh.com",
    "hmac-sha2-256", "hmac-sha2-512", "hmac-sha1",
)
SIGNATURES = (
    "ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com", "rsa-sha2-512", "rsa-sha2-256",
)
_EXCHANGE = "diffie-hellman-group-exchange-sha256"  # one of OpenSSH's defaults: only where it is the only one that is wanted
_OPTIONS = {"key exchange": "KexAlgorithms", "encryption": "Ciphers", "MAC": "MACs"}
_NONE_LEFT = re.compile(r"No matching (key exchange|encryption|MAC) algorithm found, sent \S* and received (\S*)")

# Of a host key, of a certificate's authority: asyncssh would take SHA-1 for whatever was negotiated.
rsa.RSAKey.all_sig_algorithms = {b"rsa-sha2-256", b"rsa-sha2-512"}


def offered(config: Mapping[str, str]) -> dict[str, list[str]]:
    """The arguments for asyncssh: the defaults, as the user's OpenSSH configuration changes them for this host.

    Who asks for more there, for one old host, gets it, as from `ssh`; but no signature by SHA-1 or DSA.
    """
    return {
        "kex_algs": _changed(KEX, config.get("KexAlgorithms"), kex.get_kex_algs()),
        "encryption_algs": _changed(CIPHERS, config.get("Ciphers"), encryption.get_encryption_algs()),
        "mac_algs": _changed(MACS, config.get("MACs"), mac.get_mac_algs()),
        "signature_algs": list(SIGNATURES),
    }


def _changed(defaults: Sequence[str], wanted: object, possible: Sequence[bytes]) -> list[str]:
    """*defaults* as a value of ssh_config changes them: +LIST, -LIST, ^LIST or LIST, with patterns; in an order without repeats."""
    names = [name.decode() for name in possible]
    usual = [name for name in defaults if name in names]
    if not isinstance(wanted, str) or not wanted:
        return usual
    sign = wanted[0] if wanted[0] in "+-^" else ""
    patterns = wanted.removeprefix(sign).split(",")
    matched = [name for pattern in patterns for name in names if fnmatch.fnmatchcase(name, pattern)]
    if not sign:
        matched = [name for name in matched if name != _EXCHANGE] or matched
    by_sign = {
        "+": [*usual, *matched], "-": [name for name in usual if name not in matched], "^": [*matched, *usual], "": matched,
    }
    return list(dict.fromkeys(by_sign[sign]))


def too_weak(failure: asyncssh.Error) -> tuple[str, str]:
    """What a server wants that is not offered to it, and the line of ssh_config that would; ("", "") if that is not why."""
    found = _NONE_LEFT.search(str(failure))
    if found is None:
        return "", ""
    kind, theirs = found[1], [name for name in found[2].split(",") if not name.startswith(("kex-strict", "ext-info"))]
    names = ",".join(theirs)[:500]
    return f"offers only {kind} algorithms that OpenSSH does not use either: {names}", f"{_OPTIONS[kind]} +{names}"
