"""How often docker's client and the Compose plug-in are started on a host: wrappers in front of them count."""

from lab_client import Lab

COUNTED = "/run/lading-client-starts"
WRAPPER = "/usr/local/bin/docker"
_WRAP = f"""set -e
real=$(command -v docker)
printf '#!/bin/sh\\nprintf "%%s\\\\n" "$*" >>{COUNTED}\\nexec %s "$@"\\n' "$real" >{WRAPPER}
chmod 755 {WRAPPER}
: >{COUNTED}
chmod 666 {COUNTED}
"""


def count(lab: Lab, host: str) -> None:
    """From now on, starts of docker's client on a host are counted."""
    lab.exec(host, _WRAP)


def started(lab: Lab, host: str) -> list[str]:
    """The words of each start since the last call."""
    said = lab.exec(host, f"cat {COUNTED}; : >{COUNTED}").stdout
    return said.splitlines()


def stop(lab: Lab, host: str) -> None:
    """Nobody counts any more."""
    lab.exec(host, f"rm -f {WRAPPER} {COUNTED}")
