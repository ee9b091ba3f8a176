"""What the files say of images before Compose merges them is what Compose makes of them, or nothing."""

import subprocess
from pathlib import Path

import pytest

from lading.compose import read

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
FILES = {
    "compose.yaml": """
x-common: &common {image: "r.example/anchor:${VERSION}"}
include: [{path: part/compose.yaml, env_file: part/own.env}]
services:
  plain: {image: "r.example/plain:${VERSION}"}
  merged: {<<: *common, restart: always}
  base: {image: "${REGISTRY}/base:${VERSION}"}
  child: {extends: base}
  grandchild: {extends: {service: child}, restart: always}
  distant: {extends: {file: other/common.yaml, service: far}}
  own: {image: "r.example/own:1", pull_policy: never}
  default: {image: "r.example/default:${TAG:-7}"}
""",
    "more.yaml": "services: {plain: {image: 'r.example/more:${VERSION}'}, merged: {restart: 'no'}}\n",
    "other/common.yaml": "services: {far: {extends: {file: deep/far.yaml, service: farther}}}\n",
    "other/deep/far.yaml": "services: {farther: {image: 'r.example/far:${VERSION}'}}\n",
    "part/compose.yaml": "services: {part: {image: 'r.example/${PART}:${VERSION}'}}\n",
    "part/own.env": "PART=part\n",
    ".env": "REGISTRY=tracked.example\nVERSION=9\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    for words in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    return tmp_path


@pytest.mark.parametrize("files", [(), ("compose.yaml", "more.yaml")])
def test_images_are_known_before_compose_reads_the_files(files: tuple[str, ...], folder: Path) -> None:
    asked = read.Request(folder, files, app="shop", version="1.0", environment=ENVIRONMENT)
    found = read.find(asked)
    reading = read.read(asked)
    local = reading.project.local_images
    pulled = {name: one.image for name, one in reading.project.services.items() if one.image not in local}
    assert dict(found.images) == pulled
    assert (found.version, found.name, found.source) == (reading.version, reading.project.name, reading.source)
    assert pulled["plain"] == ("r.example/more:1.0" if files else "r.example/plain:1.0")


def test_an_image_whose_variable_is_not_known_is_left_out(folder: Path) -> None:
    (folder / "compose.yaml").write_text("services: {a: {image: 'r.example/$LATER:1'}, b: {image: 'r.example/b:1'}}\n")
    assert dict(read.find(read.Request(folder, app="shop", environment=ENVIRONMENT)).images) == {"b": "r.example/b:1"}
