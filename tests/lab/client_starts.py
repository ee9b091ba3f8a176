"""How often docker's client is started on a host: a program in front of it counts.

A binary, for lading starts the Compose plug-in itself only where `docker` is one: a script could set who knows what.
"""

import base64
import subprocess
from pathlib import Path

from lab_client import Lab

COUNTED = "/run/lading-client-starts"
WRAPPER = "/usr/local/bin/docker"
REAL = "/usr/bin/docker"
SOURCE = f"""
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **words) {{
    char line[4096] = "";
    for (int n = 1; n < count && strlen(line) + strlen(words[n]) < sizeof line - 2; n++) {{
        strcat(line, words[n]);
        strcat(line, n + 1 < count ? " " : "\\n");
    }}
    int file = open("{COUNTED}", O_WRONLY | O_APPEND);
    if (file >= 0) {{
        (void)!write(file, line, strlen(line));
        close(file);
    }}
    execv("{REAL}", words);
    return 127;
}}
"""


def compiled(folder: Path) -> str:
    """The program, in base64."""
    (folder / "docker.c").write_text(SOURCE)
    subprocess.run(["gcc", "-O1", "-o", str(folder / "docker"), str(folder / "docker.c")], check=True)
    return base64.b64encode((folder / "docker").read_bytes()).decode()


def count(lab: Lab, host: str, program: str) -> None:
    """From now on, starts of docker's client on a host are counted."""
    lab.exec(host, f": >{COUNTED}; chmod 666 {COUNTED}; printf %s {program} | base64 -d >{WRAPPER}; chmod 755 {WRAPPER}")


def started(lab: Lab, host: str) -> list[str]:
    """The words of each start since the last call."""
    return lab.exec(host, f"cat {COUNTED}; : >{COUNTED}").stdout.splitlines()


def stop(lab: Lab, host: str) -> None:
    """Nobody counts any more."""
    lab.exec(host, f"rm -f {WRAPPER} {COUNTED}")
