"""Engines newer than the machine's own, for some of the hosts: those of a later Debian suite.

The packages are fetched with apt, in folders of its own, from where the machine's packages come from,
and only unpacked. runc stays the machine's: a later one needs a later C library.
"""

import fcntl
import re
from pathlib import Path

from labkit import process
from labkit.errors import LabError
from labkit.topology import Host, Options

PACKAGES = ("docker.io", "docker-cli", "containerd")
PROGRAMS = ("dockerd", "docker", "docker-proxy", "containerd", "containerd-shim-runc-v2", "ctr")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SUITE_PATTERN = re.compile(r"[a-z]{2,20}")


def folder(base: Path, host: Host, options: Options) -> str:
    """The folder with the programs of the engine a host was asked to run; empty for the machine's own."""
    suite = options.engines.get(host.name)
    return str(base / "engines" / suite / "programs") if suite else ""


def ensure(base: Path, options: Options) -> None:
    """Fetch the engines asked for that are not there yet. They stay when the lab goes."""
    for suite in sorted(set(options.engines.values())):
        if not SUITE_PATTERN.fullmatch(suite):
            raise LabError(f"not a Debian suite: {suite!r} (an engine is named by one, as in web2=trixie)")
        top = base / "engines" / suite
        top.mkdir(parents=True, exist_ok=True)
        with (top / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (top / "programs").exists():
                _fetch(top, suite)


def repository(listing: str) -> str:
    """The address of Debian's own archive, out of apt's list of 'ORIGIN|LABEL|ADDRESS' lines."""
    for line in listing.splitlines():
        origin, label, address = line.split("|", 2)
        if (origin, label) == ("Debian", "Debian"):
            return address
    raise LabError("apt knows no Debian archive: apt-get update")


def _fetch(top: Path, suite: str) -> None:
    targets = ("apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages")
    address = repository(process.run(*targets).stdout)
    scratch = top / "scratch"
    process.run("rm", "-rf", str(scratch))
    for name in ("lists/partial", "cache/archives/partial", "packages", "tree", "programs"):
        (scratch / name).mkdir(parents=True)
    (scratch / "status").touch()
    (scratch / "sources").write_text(f"deb [signed-by={KEYRING}] {address} {suite} main\n")
    process.run(*_apt(scratch), "update", timeout=300)
    process.run("env", "-C", str(scratch / "packages"), *_apt(scratch), "download", *PACKAGES, timeout=300)
    for package in (scratch / "packages").iterdir():
        process.run("dpkg", "-x", str(package), str(scratch / "tree"))
    for program in PROGRAMS:
        found = next((scratch / "tree/usr").glob(f"*bin/{program}"))
        found.rename(scratch / "programs" / program)
    (scratch / "programs").rename(top / "programs")
    process.run("rm", "-rf", str(scratch))


def _apt(scratch: Path) -> list[str]:
    settings = {
        "Dir::Etc::SourceList": scratch / "sources",
        "Dir::Etc::SourceParts": "-",
        "Dir::Etc::PreferencesParts": "-",
        "Dir::State::Lists": scratch / "lists",
        "Dir::State::Status": scratch / "status",
        "Dir::Cache": scratch / "cache",
        "APT::Sandbox::User": "root",
    }
    return ["apt-get", "-q", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]
