"""The versions of Compose that the tests put together: those of scripts/setup."""

from pathlib import Path

FOLDER = Path("/usr/local/lib/lading-composes")
OWN = Path("/usr/local/lib/docker/cli-plugins/docker-compose")
PLUGINS = {
    "2.24.6": FOLDER / "2.24.6/docker-compose", "2.30.3": FOLDER / "2.30.3/docker-compose", "2.40.3": OWN,
    "5.6.1": FOLDER / "5.6.1/docker-compose",
}  # fmt: skip
HERE = ("2.30.3", "2.40.3", "5.6.1")  # those that lading reads projects with

# `docker compose`, but `config` says of host paths what 5.0 says.
AS_5_WRITES = """#!/usr/bin/python3
import subprocess, sys
if "config" not in sys.argv:
    sys.exit(subprocess.run([{own!r}, *sys.argv[1:]], close_fds=False).returncode)
done = subprocess.run([{own!r}, *sys.argv[1:]], stdout=subprocess.PIPE, text=True, close_fds=False)
lines = done.stdout.splitlines()
kept = []
for line in lines:
    if line.strip() == "bind: {{}}":
        line = line.replace("{{}}", chr(10) + line.split("bind")[0] + "  create_host_path: false")
    if line.strip() != "create_host_path: true":
        kept.append(line)
    elif kept[-1].strip() == "bind:":
        kept[-1] += " {{}}"
sys.stdout.write("".join(line + chr(10) for line in kept))
sys.exit(done.returncode)
"""


def docker_config(folder: Path, version: str) -> Path:
    """A Docker configuration below *folder* whose plug-in is Compose of *version*; "as 5": the machine's own, writing as 5.0 does."""
    plugin = folder / f"docker-{version.replace(' ', '-')}/cli-plugins/docker-compose"
    plugin.parent.mkdir(parents=True)
    if version == "as 5":
        plugin.write_text(AS_5_WRITES.format(own=str(OWN)))
        plugin.chmod(0o755)
    else:
        plugin.symlink_to(PLUGINS[version])
    return plugin.parents[1]
