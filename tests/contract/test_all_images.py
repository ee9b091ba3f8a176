"""Images that stand elsewhere than in `image:` are asked of their registry, pinned and checked like all others."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from registry_server import Server, digest, manifest

FILE = """name: shop
services:
  web:
    image: "@/team/app:${VERSION}"
    volumes:
      - {type: image, source: "@/team/tool:${TOOL:-2}", target: /tool, image: {subpath: "bin"}}
      - "data:/data"
volumes: {data: {}}
"""


@pytest.fixture
def registry() -> Iterator[Server]:
    server = Server()
    server.images = {"team/app:1": manifest("linux/amd64"), "team/tool:2": manifest("linux/arm64")}
    yield server
    server.close()


def bundled(registry: Server, folder: Path) -> subprocess.CompletedProcess[str]:
    """`lading bundle` of the project, into `out`."""
    (folder / "lading.yaml").write_text(f"lading: 1\nregistries: {{'{registry.name}': {{insecure: true}}}}\n")
    (folder / "compose.yaml").write_text(FILE.replace("@", registry.name))
    argv = [sys.executable, "-m", "lading", "--config", "lading.yaml", "bundle", "--version", "1", "-o", "out"]
    env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(argv, env=env, cwd=folder, text=True, capture_output=True, timeout=60)


def test_a_mounted_image_is_pinned_in_what_ships(registry: Server, tmp_path: Path) -> None:
    done = bundled(registry, tmp_path)
    assert done.returncode == 0, done.stderr
    [written] = (tmp_path / "out").rglob("compose.overlay.yaml")
    overlay = yaml.safe_load(written.read_text())
    pins = {name: f"{registry.name}/{name}@{digest(content)}" for name, content in registry.images.items()}
    web = overlay["services"]["web"]
    assert [mount for mount in web.get("volumes", ()) if mount["type"] == "image"] == [
        {"type": "image", "source": pins["team/tool:2"], "target": "/tool", "image": {"subpath": "bin"}}]
    [stored] = (tmp_path / "out").rglob("release.json")
    release = json.loads(stored.read_text())
    assert release["services"]["web"]["definition"]["volumes"][0]["source"] == pins["team/tool:2"]
    assert release["services"]["web"]["image"] == pins["team/app:1"]


def test_a_mounted_image_that_is_not_there_is_refused(registry: Server, tmp_path: Path) -> None:
    del registry.images["team/tool:2"]
    done = bundled(registry, tmp_path)
    assert (done.returncode, "team/tool:2 is not in its registry" in done.stderr) == (2, True), done.stderr
