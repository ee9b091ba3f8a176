"""The wheel installs and works outside the checkout (issue 2: pip, pipx)."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


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
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    pip = (tmp_path / "venv/bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check")
    run(*pip, "--require-hashes", "-r", CHECKOUT / "requirements" / "runtime.txt", cwd=tmp_path)
    run(*pip, "--no-index", wheel, cwd=tmp_path)
    lading = tmp_path / "venv/bin/lading"
    assert run(lading, "--version", cwd=tmp_path).stdout.split()[-1] == wheel.name.split("-")[1]
    assert "deploy" in run(lading, "--help", cwd=tmp_path).stdout
    app = shutil.copytree(CHECKOUT / "examples" / "hello", tmp_path / "hello")
    done = run(lading, "bundle", "-C", app, "--version", "1.0.0", "--no-digests", "-o", tmp_path / "out", "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert (told["app"], told["compose_files"]) == ("hello", ["files/docker-compose.yml", "compose.overlay.yaml"])
    assert "docker-compose.override.yml" not in " ".join(told["files"])
