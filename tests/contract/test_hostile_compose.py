"""Compose projects that cannot ship: a LadingError with a hint, in bounded time, whatever the files hold."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lading import errors
from lading.compose import read

WEB = "services: {web: {image: r.example/web:1, volumes: ['./conf:/conf:ro']}}\n"
LAUGHS = "x-a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"x-{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


def outside(folder: Path) -> None:
    (folder.parent / "outside").mkdir()
    (folder.parent / "outside" / "a.conf").write_text("a\n")
    (folder / "conf").symlink_to("../outside")


def file_outside(folder: Path) -> None:
    (folder / "conf").mkdir()
    (folder / "conf" / "passwd").symlink_to("/etc/passwd")


def nothing(folder: Path) -> None:
    (folder / "conf").mkdir()
    (folder / "conf" / "a").write_text("a\n")


CASES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a folder that is a symlink out of the project": (WEB, outside),
    "a file that is a symlink out of the project": (WEB, file_outside),
    "the Git folder itself": (WEB.replace("./conf", "./.git"), nothing),
    "billion laughs": (LAUGHS + WEB, nothing),
    "a tab": ("services:\n\tweb: {}\n", nothing),
    "a NUL": ("services: {web: {image: 'a\0b'}}\n", nothing),
    "keys twice": ("services: {web: {image: a:1}, web: {image: b:1}}\n", nothing),
    "include of itself": ("include: [compose.yaml]\n" + WEB, nothing),
    "extends of itself": ("services: {web: {image: a:1, extends: {service: web}}}\n", nothing),
    "a remote include": ("include: ['https://example.test/c.yml']\n" + WEB, nothing),
    "a list for services": ("services: [web]\n", nothing),
    "ten thousand lists in each other": ("a: " + "[" * 10_000 + "]" * 10_000 + "\n", nothing),
    "a text": ("just words\n", nothing),
    "nothing": ("", nothing),
    "binary": ("\udc89PNG\udcff\udcfe", nothing),
    "services that depend in a circle": ("services: {a: {image: a:1, depends_on: [b]}, b: {image: b:1, depends_on: [a]}}\n", nothing),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", CASES)
def test_refused_with_a_hint(case: str, tmp_path: Path) -> None:
    text, prepare = CASES[case]
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "compose.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    prepare(folder)
    for words in (["init", "-q", "."], ["add", "-A"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    with pytest.raises(errors.InputError) as caught:
        read.read(read.Request(folder, app="shop", version="1", environment={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}))
    assert caught.value.exit_code == 2
    assert caught.value.message
    assert caught.value.hint


@pytest.mark.timeout(120)
def test_two_thousand_services(tmp_path: Path) -> None:
    lines = "".join(f"  s{n}: {{image: 'r.example/s:{n}'}}\n" for n in range(2000))
    (tmp_path / "compose.yaml").write_text(f"name: many\nservices:\n{lines}")
    got = read.read(read.Request(tmp_path, version="1", environment={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}))
    assert len(got.project.services) == 2000
