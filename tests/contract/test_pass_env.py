"""Which variables of the caller's environment a Compose file is given, through the command line: none but those of `pass_env`."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from registry_server import Serve

FLEET = """lading: 1
hosts: {web1: {address: 127.0.0.1, port: 9}}
destinations: {production: {hosts: [web1]}}
registries: {r.example: {username: ci, password: {env: REG_PASSWORD}}}
"""
CANARY = "canary-of-the-caller"


def lading(folder: Path, *words: str, fleet: str = FLEET, env: Mapping[str, str] | None = None) -> tuple[int, dict[str, Any], str]:
    """Status, document and all that was printed of a call in *folder*; the environment holds CI's secrets."""
    config = folder.parent / "lading.yaml"
    config.write_text(fleet)
    caller = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "LADING_CONFIG": str(config), "REG_PASSWORD": CANARY,
              "CI_TOKEN": CANARY, **(env or {})}
    argv = [sys.executable, "-m", "lading", *words]
    done = subprocess.run(argv, cwd=folder, env=caller, capture_output=True, text=True, timeout=200, check=False)
    return done.returncode, json.loads(done.stdout), done.stdout + done.stderr


def bundle(folder: Path, *words: str, **more: Any) -> tuple[int, dict[str, Any], str]:
    return lading(folder, "bundle", "--no-digests", "--json", "-o", str(folder.parent / "out"), "--version", "1.0", *words, **more)


def text_of(folder: Path) -> str:
    """All that was bundled."""
    return "\n".join(path.read_text() for path in sorted((folder.parent / "out").rglob("*")) if path.is_file())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "shop"
    made.mkdir()
    subprocess.run(["git", "init", "-q", "."], cwd=made, check=True)
    subprocess.run(["git", "remote", "add", "origin", "https://git.example/team/shop"], cwd=made, check=True)
    return made


def write(folder: Path, compose: str, **files: str) -> None:
    (folder / "compose.yaml").write_text(compose)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)


DOORS = {
    "an image": ("services:\n  web: {image: 'r.example/web:${CI_TOKEN}'}\n", {}, 2),
    "a default": ("services:\n  web: {image: 'r.example/web:${CI_TOKEN:-x}'}\n", {}, 2),
    "an alternative": ("services:\n  web: {image: 'r.example/web:1${CI_TOKEN:+yes}'}\n", {}, 2),
    "the environment": ("services:\n  web: {image: 'r.example/web:1', environment: {A: $CI_TOKEN}}\n", {}, 2),
    "a name in the environment": ("services:\n  web:\n    image: r.example/web:1\n    environment: [CI_TOKEN]\n", {}, 4),
    "nothing in the environment": ("services:\n  web:\n    image: r.example/web:1\n    environment: {CI_TOKEN: }\n", {}, 4),
    "a secret": ("services:\n  web: {image: 'r.example/web:1', secrets: [s]}\nsecrets:\n  s: {environment: CI_TOKEN}\n", {}, 4),
    "a config": ("services:\n  web: {image: 'r.example/web:1', configs: [s]}\nconfigs:\n  s: {content: '${CI_TOKEN}'}\n", {}, 4),
    "an env file": ("services:\n  web: {image: 'r.example/web:1', env_file: [a.env]}\n", {"a_env": "A=1\nB=${CI_TOKEN}\n"}, 2),
    "a bare name in an env file": ("services:\n  web: {image: 'r.example/web:1', env_file: [a.env]}\n", {"a_env": "CI_TOKEN\n"}, 1),
    "build arguments": ("services:\n  web: {image: 'r.example/web:1', build: {context: ., args: {A: '${CI_TOKEN}'}}}\n", {}, 2),
    "x-lading": ("x-lading: {plain: ['${CI_TOKEN}']}\nservices:\n  web: {image: 'r.example/web:1'}\n", {}, 1),
    "the project's name": ("name: a${CI_TOKEN}\nservices:\n  web: {image: 'r.example/web:1'}\n", {}, 1),
    "an included file": ("include: [in.yml]\nservices:\n  web: {image: 'r.example/web:1'}\n",
                         {"in_yml": "services:\n  b: {image: 'r.example/b:${CI_TOKEN-1}'}\n"}, 2),
    "the tracked .env": ("services:\n  web: {image: 'r.example/web:${TAG}'}\n", {"_env": "OTHER=1\nTAG=$OTHER$CI_TOKEN\n"}, 2),
    "a path": ("services:\n  web: {image: 'r.example/web:1', env_file: ['${CI_TOKEN}.env']}\n", {}, 2),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_name_that_is_not_passed_on_is_refused(door: str, folder: Path) -> None:
    compose, files, line = DOORS[door]
    write(folder, compose, **files)
    status, told, said = bundle(folder)
    assert status == 2, said
    error = told["error"]
    assert error["message"].startswith("CI_TOKEN (") and "is in your environment, and lading.yaml does not pass it on" in error["message"]
    assert error["hint"].startswith("in lading.yaml: pass_env: [CI_TOKEN]")
    assert (error["file"] or "").endswith((*(name.replace("_", ".") for name in files), "compose.yaml"))
    assert error["line"] == line
    assert CANARY not in said
    assert not (folder.parent / "out").exists()


def test_all_names_are_told_at_once(folder: Path) -> None:
    write(folder, "services:\n  web: {image: 'r.example/web:${CI_TOKEN:-x}', environment: {A: '${ONE}'}, env_file: [a.env]}\n", a_env="B=${TWO}\n")
    status, told, _ = bundle(folder, env={"ONE": "1", "TWO": "2"})
    assert status == 2
    assert all(place in told["error"]["message"] for place in ("CI_TOKEN (compose.yaml:2)", "ONE (compose.yaml:2)", "TWO (a.env:1)"))
    assert "pass_env: [CI_TOKEN, ONE, TWO]" in told["error"]["hint"]


@pytest.mark.parametrize("source", ["destination", ".env"])
def test_a_value_of_ones_own_does_not_hide_that_the_caller_has_the_name(source: str, folder: Path) -> None:
    write(folder, "services:\n  web: {image: 'r.example/web:${TAG}'}\n", **({"_env": "TAG=mine\n"} if source == ".env" else {}))
    fleet = FLEET.replace("{hosts: [web1]}", "{hosts: [web1], variables: {TAG: mine}}") if source == "destination" else FLEET
    status, told, said = bundle(folder, "--to", "production", fleet=fleet, env={"TAG": "theirs"})
    assert (status, told["error"]["line"]) == (2, 2), said
    assert bundle(folder, "--to", "production", fleet=fleet)[0] == 0
    assert "r.example/web:mine" in text_of(folder)


@pytest.mark.parametrize(("top", "destination", "image"), [
    ("[TAG]", "", "theirs"), ("[T*]", "", "theirs"), ("", "[TAG]", "theirs"), ("[-TAG]", "[TAG]", "theirs"), ("[TAG]", "[-TAG]", ""),
    ("[T*, -TAG]", "", ""),
])
def test_the_list_passes_names_on(top: str, destination: str, image: str, folder: Path) -> None:
    write(folder, "services:\n  web: {image: 'r.example/web:${TAG:-default}'}\n")
    fleet = FLEET + (f"pass_env: {top}\n" if top else "")
    fleet = fleet.replace("{hosts: [web1]}", f"{{hosts: [web1], pass_env: {destination}}}") if destination else fleet
    status, told, said = bundle(folder, "--to", "production", fleet=fleet, env={"TAG": "theirs"})
    assert status == (0 if image else 2), said
    if image:
        assert f"r.example/web:{image}" in text_of(folder)
    else:
        assert "TAG (compose.yaml:2) is in your environment" in told["error"]["message"]


def test_what_is_typed_needs_no_entry(folder: Path) -> None:
    write(folder, "services:\n  web: {image: 'r.example/web:${TAG:-default}'}\n")
    assert bundle(folder, "-e", "TAG=typed", env={"TAG": "theirs"})[0] == 0
    assert "r.example/web:typed" in text_of(folder)


def test_what_lading_yaml_reads_is_never_passed_on(folder: Path) -> None:
    write(folder, "services:\n  web: {image: 'r.example/web:${REG_PASSWORD:-x}'}\n")
    status, told, said = bundle(folder, fleet=FLEET + "pass_env: ['*', REG_PASSWORD]\n")
    assert status == 2
    assert "REG_PASSWORD (compose.yaml:2): lading.yaml itself reads that" in told["error"]["message"]
    assert CANARY not in said


def test_names_of_no_concern_do_not_matter(folder: Path) -> None:
    write(folder, "services:\n  web: {image: 'r.example/web:$${CI_TOKEN}${TAG:-1}'}\n".replace("$${CI_TOKEN}", ""), _env="UNUSED=$CI_TOKEN\nTAG=5\n")
    assert bundle(folder)[0] == 0
    assert "r.example/web:5" in text_of(folder) and CANARY not in text_of(folder)


def test_a_list_that_means_nothing_is_refused(folder: Path) -> None:
    write(folder, "services:\n  web: {image: 'r.example/web:1'}\n")
    status, told, _ = bundle(folder, fleet=FLEET + "pass_env: [GOOD, 'A=1']\n")
    assert (status, told["error"]["line"]) == (2, 5)
    assert "A=1" in told["error"]["message"]


def test_no_registry_is_asked(folder: Path, serve: Serve) -> None:
    server = serve()
    write(folder, f"services:\n  web: {{image: '{server.name}/leak/${{CI_TOKEN:-x}}:1'}}\n")
    fleet = FLEET.replace("r.example:", f'"{server.name}":').replace("{env: REG_PASSWORD}}", "{env: REG_PASSWORD}, insecure: true}")
    status, told, said = lading(folder, "plan", "--json", "--version", "1.0", "--to", "production", fleet=fleet)
    assert status == 2 and "CI_TOKEN (" in told["error"]["message"], said
    assert server.seen == []


def test_build_arguments_follow_the_same_rule(folder: Path) -> None:
    write(folder, "services:\n  web:\n    image: r.example/web:${VERSION}\n    build: {context: ., args: [CI_TOKEN, 'A=${OTHER:-1}']}\n", Dockerfile="FROM scratch\n")
    status, told, said = lading(folder, "build", "--json", "--version", "1.0", env={"OTHER": "x"})
    assert status == 2, said
    assert told["error"]["message"].startswith("CI_TOKEN (compose.yaml:4), OTHER (compose.yaml:4) are in your environment")
    assert CANARY not in said
