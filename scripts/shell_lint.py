"""Check the scripts that lading sends to hosts.

shfmt looks at each file, shellcheck at each script with all that it may need.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from lading.drivers.shell import scripts

SOURCE = Path(__file__).resolve().parents[1] / "src"
DETACHED = sorted((SOURCE / "lading" / "transport" / "detached").glob("*.sh"))  # each is whole by itself
STYLE = ("shfmt", "-d", "-i", "4", "-ln", "posix")
SHELLCHECK = ("shellcheck", "-s", "sh")
# Not asked of one script. SC2317, SC2034: it calls, and reads, not all that its parts have, and some
# only through each_line; SC2153: an argument in capitals is no misspelling of a variable
APART = ("-e", "SC2317,SC2034,SC2153")
ALL = ("--include=SC2034",)  # a variable that none of all scripts reads


def main() -> int:
    """0 if there is nothing to say; what the programs say goes to stdout."""
    status = subprocess.run([*STYLE, SOURCE], check=False).returncode
    status |= subprocess.run([*SHELLCHECK, *map(str, DETACHED)], check=False).returncode
    with tempfile.TemporaryDirectory() as folder:
        found = {f"{name}.sh": scripts.whole(name, scripts.may_need(name)) for name in scripts.names()}
        for name, text in {**found, "all": "".join(found.values())}.items():
            (Path(folder) / name).write_text(text)
        for asked in ((*APART, *found), (*ALL, "all")):
            status |= subprocess.run([*SHELLCHECK, *asked], cwd=folder, check=False).returncode
    return status


if __name__ == "__main__":
    sys.exit(main())
