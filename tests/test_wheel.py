"""The wheel installs and works outside the checkout (issue 2: pip, pipx)."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lading.cli import documents

CHECKOUT = Path(__file__).resolve().parents[1]
LOCKS = sorted((CHECKOUT / "requirements").glob("*.txt"))


def run(*argv: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run in an environment that knows nothing of the checkout."""
    keep = {name: value for name, value in os.environ.items() if name.lower().endswith(("proxy", "_cert_file", "_ca_bundle"))
            or name.startswith(("PIP_", "SSL_"))}
    env = {**keep, "PATH": "/usr/bin:/bin", "HOME": str(cwd)}
    return subprocess.run([str(word) for word in argv], cwd=cwd, env=env, text=True, capture_output=True, check=True, timeout=240)


def test_wheel_installs_outside_the_checkout(tmp_path: Path) -> None:
    built = subprocess.run([CHECKOUT / "scripts" / "wheel", tmp_path / "a"], text=True, capture_output=True, check=True)
    again = subprocess.run([CHECKOUT / "scripts" / "wheel", tmp_path / "b"], text=True, capture_output=True, check=True)
    wheel, other = Path(built.stdout.strip()), Path(again.stdout.strip())
    assert wheel.read_bytes() == other.read_bytes()
    names = zipfile.ZipFile(wheel).namelist()
    shell = [path.relative_to(CHECKOUT / "src").as_posix() for path in (CHECKOUT / "src").rglob("*.sh")]
    assert "lading/drivers/shell/scripts/commit.sh" in shell and set(shell) <= set(names)
    assert {"lading/guides/how-to.md", "lading/guides/reference/settings.md"} <= set(names)
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    pip = (tmp_path / "venv/bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check")
    run(*pip, "--require-hashes", "-r", CHECKOUT / "requirements" / "runtime.txt", cwd=tmp_path)
    run(*pip, "--no-index", wheel, cwd=tmp_path)
    lading = tmp_path / "venv/bin/lading"
    assert run(lading, "--version", cwd=tmp_path).stdout.split()[-1] == wheel.name.split("-")[1]
    assert "deploy" in run(lading, "--help", cwd=tmp_path).stdout
    assert all(f"lading/schemas/{name}.json" in names for name in documents.VERSIONS)
    app = shutil.copytree(CHECKOUT / "examples" / "hello", tmp_path / "hello")
    done = run(lading, "bundle", "-C", app, "--version", "1.0.0", "--no-digests", "-o", tmp_path / "out", "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert (told["app"], told["compose_files"]) == ("hello", ["files/docker-compose.yml", "compose.overlay.yaml"])
    assert "docker-compose.override.yml" not in " ".join(told["files"])


def locked(lock: Path) -> list[Requirement]:
    """The requirements of a lock that hold on this machine."""
    heads = re.findall(r"^[A-Za-z0-9].*?(?= \\?$)", lock.read_text(), re.M)
    found = [Requirement(head) for head in heads]
    return [one for one in found if one.marker is None or one.marker.evaluate()]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_locks_pin_every_package_by_hash_and_name_no_registry(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"://|^--", text, re.M)
    entries = re.split(r"\n(?=[A-Za-z0-9])", text)
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._\[\]-]+==\S+", entry), entry.splitlines()[0]
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


@pytest.mark.parametrize("extra", ["postgres", "age", "ansible"])
def test_the_locks_of_the_extras_hold_what_the_wheel_alone_needs(extra: str) -> None:
    alone = {one.name: str(one.specifier) for one in locked(CHECKOUT / "requirements/runtime.txt")}
    with_extra = {one.name: str(one.specifier) for one in locked(CHECKOUT / f"requirements/{extra}.txt")}
    assert alone.items() < with_extra.items()


def test_every_dependency_has_an_upper_bound() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    for line in (*project["dependencies"], *extras):
        operators = {one.operator for one in Requirement(line).specifier}
        assert {">=", "<"} <= operators, line


def test_the_bill_of_materials_and_the_notice_name_all_that_the_wheel_needs(tmp_path: Path) -> None:
    wheel = subprocess.run(
        [CHECKOUT / "scripts/wheel", tmp_path], text=True, capture_output=True, check=True).stdout.strip()
    bill = tmp_path / "bill.json"
    subprocess.run([CHECKOUT / "scripts/sbom", wheel, bill], check=True, capture_output=True, timeout=300)
    told = json.loads(bill.read_text())
    assert told["metadata"]["component"]["name"] == "lading"
    found = {canonicalize_name(one["name"]): one["version"] for one in told["components"]}
    wanted = {one.name: str(one.specifier).removeprefix("==") for one in locked(CHECKOUT / "requirements/runtime.txt")}
    assert found == wanted
    notice = (CHECKOUT / "NOTICE").read_text()
    for name in wanted:
        assert re.search(rf"^{re.escape(name)} +\S", notice, re.M), f"NOTICE lacks {name}"
