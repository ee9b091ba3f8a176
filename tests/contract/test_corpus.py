"""Compose projects as people write them: the real Compose reads each bundle as it reads the project, but for prefixes."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lading.compose import normal, passing, plugin, read, release

CORPUS = sorted((Path(__file__).parents[1] / "corpus").glob("*.yaml"))
LEFT_OUT = ("update_config", "rollback_config", "placement")  # plain Compose ignores them; the overlay resets them


def lay_out(case: Mapping[str, Any], folder: Path) -> None:
    """The project in a Git work tree; `untracked` files are there and not in Git."""
    for name, text in case["files"].items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    ignore = [f":!{name}" for name in case.get("untracked", [])]
    for words in (["init", "-q", "."], ["add", "-A", "--", ".", *ignore], ["commit", "-qm", "a"]):
        subprocess.run([*git, *words], cwd=folder, check=True)


def theirs(case: Mapping[str, Any], folder: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """What Compose makes of the project itself."""
    files = case.get("compose") or [next(name for name in case["files"] if re.fullmatch(r"(docker-)?compose\.ya?ml", name))]
    argv = [plugin.find({}), *(word for name in files for word in ("-f", name)), "config", "--no-path-resolution"]
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", **environment}
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


def plain(document: dict[str, Any], places: Mapping[str, str]) -> dict[str, Any]:
    """A document without what is lading's and without prefixes of paths."""

    def path(text: str) -> str:
        if found := re.fullmatch(r"/DIR/objects/([0-9a-f]+)", text):
            text = places[found[1]]
        text = re.sub(r"^/DIR/(project/|releases/[0-9a-f]+/files/?|secrets/file\.)", "", text)
        text = text.replace("%2F", "/").removesuffix("/1") if "token" in text or "cert" in text else text
        return text if text.startswith("/") else release.bind_key(text)

    for service in document.get("services", {}).values():
        service.pop("build", None)
        service.pop("develop", None)
        labels = {k: v for k, v in (service.pop("labels", None) or {}).items() if not k.startswith("lading.")}
        deploy = {k: v for k, v in (service.pop("deploy", None) or {}).items() if k not in LEFT_OUT}
        service.update({k: v for k, v in (("labels", labels), ("deploy", deploy)) if v})
        for mount in service.get("volumes") or ():
            if mount["type"] == "bind":
                mount["source"] = path(mount["source"])
                mount["bind"] = {"create_host_path": True, **(mount.get("bind") or {})}
        service["volumes"] = sorted(service.get("volumes") or (), key=lambda one: str(one["target"]))
    for kind in ("configs", "secrets"):
        for one in (document.get(kind) or {}).values():
            if "file" in one:
                one["file"] = path(one["file"])
    return {key: value for key, value in document.items() if not key.startswith("x-")}


@pytest.mark.parametrize("source", CORPUS, ids=lambda path: path.stem)
def test_compose_reads_the_bundle_as_the_project(source: Path, tmp_path: Path) -> None:  # R28
    case = yaml.safe_load(source.read_text())
    folder = tmp_path / "project"
    lay_out(case, folder)
    environment = {"VERSION": "1.0.0", **case.get("environment", {})}
    asked = read.Request(folder, files=tuple(case.get("compose", ())), version="1.0.0",
                         environment={**environment, "PATH": "/usr/bin:/bin"},
                         pass_env=passing.Passing(tuple(case.get("environment", {}))))
    made = release.build(read.read(asked), {})
    ours = yaml.safe_load(normal.form(made, dict.fromkeys(made.secrets, 1), {"PATH": "/usr/bin:/bin"}).replace("@DIR@", "/DIR"))
    expected = theirs(case, folder, environment)
    assert plain(ours, made.release.objects) == plain(expected, {})
    assert b"canary" not in made.release.canonical()
    assert not [name for name in made.release.files if "override" in name]
    assert release.build(read.read(asked), {}).release.id == made.release.id


def test_the_corpus_is_there() -> None:
    assert len(CORPUS) >= 10
