"""`allow:` of a destination, on the command line: what it does not name is refused, however the Compose files hide it."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from registry_server import Serve

from lading.cli import main
from lading.compose import handling, keys, plugin, restore
from lading.deploy import policy

IMAGE = "REGISTRY/team/app:1.0"


class Project:
    """An app and a fleet file with `allow:`; its host does not answer, so who gets that far ends with 6."""

    def __init__(self, folder: Path, registry: str, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self.registry, self.capture = folder, registry, capture
        patch.chdir(folder)
        patch.setenv("HOME", str(folder / "home"))
        patch.setenv("LADING_CONFIG", str(folder / "lading.yaml"))

    def fleet(self, allow: str | None, more: str = "") -> None:
        said = "" if allow is None else f", allow: {allow}"
        (self.folder / "lading.yaml").write_text(
            "lading: 1\nhosts: {web1: {address: 127.0.0.1, port: 1, user: nobody}, web2: {address: 127.0.0.1, port: 1, user: nobody}}\n"
            f"registries: {{'{self.registry}': {{insecure: true}}}}\n"
            f"destinations:\n  production: {{hosts: [web1]{said}}}\n{more}")

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / f"{name}.yaml").write_text(text.replace("IMAGE", f"'{IMAGE}'").replace("REGISTRY", self.registry))

    def lading(self, *words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as left:
            main.main(list(words))
        said = self.capture.readouterr()
        return int(left.value.code or 0), said.out + said.err

    def plan(self, *words: str, to: str = "production") -> tuple[int, str]:
        return self.lading("plan", "--to", to, "--version", "1.0", *words)


@pytest.fixture
def project(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Project:
    return Project(tmp_path, serve().name, monkeypatch, capsys)


HIDDEN: dict[str, tuple[dict[str, str], str, tuple[str, ...]]] = {  # files, the word that is missing, more options
    "plainly": ({"compose": "name: shop\nservices:\n  web:\n    image: IMAGE\n    privileged: true\n"}, "privileged", ()),
    "by an anchor": (
        {"compose": "name: shop\nx-a: &a {image: IMAGE, cap_add: [SYS_ADMIN]}\nservices:\n  web: *a\n"}, "capability:SYS_ADMIN", ()),
    "by a merge": (
        {"compose": "name: shop\nx-a: &a {pid: host}\nservices:\n  web: {<<: *a, image: IMAGE}\n"}, "host-pid", ()),
    "by extends": (
        {"compose": "name: shop\nservices: {web: {extends: {file: base.yaml, service: b}}}\n",
         "base": "services: {b: {image: IMAGE, network_mode: host}}\n"}, "host-network", ()),
    "by an include": (
        {"compose": "name: shop\ninclude: [more.yaml]\nservices: {web: {image: IMAGE}}\n",
         "more": "services: {side: {image: IMAGE, volumes: ['/var/run/docker.sock:/s']}}\n"}, "docker-socket", ()),
    "by an override": (
        {"compose": "name: shop\nservices: {web: {image: IMAGE}}\n",
         "over": "services: {web: {devices: ['/dev/sda']}}\n"}, "device:/dev/sda", ("-f", "compose.yaml", "-f", "over.yaml")),
    "by a variable": (
        {"compose": "name: shop\nservices: {web: {image: IMAGE, volumes: ['${PLACE}:/x']}}\n"}, "host-path:…", ("-e", "PLACE=/etc")),
    "by a variable's default": (
        {"compose": "name: shop\nservices: {web: {image: IMAGE, ipc: '${IPC:-host}'}}\n"}, "host-ipc", ()),
    "in a profile": (
        {"compose": "name: shop\nservices: {web: {image: IMAGE}, tool: {image: IMAGE, profiles: [x], userns_mode: host}}\n"},
        "host-userns", ()),
    "as a volume": (
        {"compose": "name: shop\nservices: {web: {image: IMAGE, volumes: ['data:/x']}}\n"
                    "volumes: {data: {driver_opts: {type: none, o: bind, device: /etc}}}\n"}, "host-path:/etc", ()),
    "as a network": (
        {"compose": "name: shop\nservices: {web: {image: IMAGE, networks: [n]}}\nnetworks: {n: {external: true, name: host}}\n"},
        "host-network", ()),
    "in the long form": (
        {"compose": "name: shop\nservices: {web: {image: IMAGE, volumes: [{type: bind, source: /srv/../root, target: /x}]}}\n"},
        "host-path:/root", ()),
    "in a hook of a container": (
        {"compose": "name: shop\nservices: {web: {image: IMAGE, post_start: [{command: x, privileged: true}]}}\n"}, "privileged", ()),
}


@pytest.mark.parametrize("case", HIDDEN)
def test_nothing_is_hidden_from_it(case: str, project: Project) -> None:
    files, word, options = HIDDEN[case]
    project.write(**files)
    project.fleet("[]")
    code, said = project.plan(*options)
    assert (code, word in said, "allow: [" in said) == (4, True, True), said
    project.fleet(None)
    assert project.plan(*options)[0] == 6  # as today: it goes on to the host
    project.fleet(f"[{word.partition(':')[0]}]")
    assert project.plan(*options)[0] == 6
    project.fleet("[gpus, 'sysctl:x']")
    code, said = project.lading("deploy", "--to", "production", "--version", "1.0", "--yes", *options)
    assert code == 4 and word in said


def test_every_offence_with_its_line_and_the_line_to_add(project: Project) -> None:
    project.write(compose="name: shop\nservices:\n  web:\n    image: IMAGE\n    privileged: true\n    pid: host\n    volumes: ['/etc:/x:ro']\n")
    project.fleet("['host-path:/srv']")
    code, said = project.plan("--json")
    wrong = json.loads(said)["error"]
    assert (code, wrong["kind"], wrong["file"], wrong["line"]) == (4, "rights", "compose.yaml", 6)
    for part in ("compose.yaml:5 services.web.privileged", "compose.yaml:6 services.web.pid", "compose.yaml:7 services.web.volumes"):
        assert part in wrong["message"]
    assert "allow: [host-path:/srv, host-pid, privileged, host-path:/etc]" in wrong["hint"]


def test_a_plain_project_asks_for_nothing(project: Project) -> None:
    project.write(compose="""name: shop
services:
  web:
    image: IMAGE
    ports: ["127.0.0.1:8080:80"]
    volumes: ["data:/data", "./conf:/conf:ro"]
    healthcheck: {test: [CMD, "true"], start_interval: 1s}
    cap_drop: [ALL]
    cap_add: [NET_BIND_SERVICE]
    security_opt: ["no-new-privileges:true"]
    deploy: {replicas: 1, resources: {limits: {memory: 64M, pids: 10}}, update_config: {order: stop-first}}
    logging: {driver: json-file, options: {max-size: 1m}}
    depends_on: {db: {condition: service_started}}
    develop: {watch: [{path: ., action: rebuild}]}
    build: {context: ., args: {A: b}}
  db: {image: IMAGE, networks: {back: {aliases: [data]}}, tmpfs: /run, ulimits: {nofile: 10}}
networks: {back: {internal: true}}
volumes: {data: {labels: {a: b}}}
x-lading: {data: [conf]}
""")
    project.fleet("[]")
    code, said = project.plan()
    assert code == 6, said


def test_what_ships_from_elsewhere_in_the_repository_asks_for_nothing(project: Project) -> None:
    project.fleet("[]")
    for name, text in {"common/a.conf": "a", "common/same.conf": "a", "host/.gitkeep": ""}.items():
        (project.folder / name).parent.mkdir(exist_ok=True)
        (project.folder / name).write_text(text)
    app = project.folder / "apps" / "shop"
    app.mkdir(parents=True)
    mounts = ["../../common/a.conf:/a:ro", "../../common/same.conf:/same:ro", "./../../common:/c:ro"]

    def write(*more: str) -> None:
        image = IMAGE.replace("REGISTRY", project.registry)
        (app / "compose.yaml").write_text(f"name: shop\nservices:\n  web: {{image: '{image}', volumes: {json.dumps([*mounts, *more])}}}\n")
        subprocess.run(["git", "init", "-q"], cwd=project.folder, check=True)
        subprocess.run(["git", "add", "-A"], cwd=project.folder, check=True)

    write()
    code, said = project.plan("-C", str(app))
    assert code == 6, said
    assert project.lading("bundle", "-C", str(app), "--version", "1.0", "--no-digests", "-o", str(project.folder / "out"))[0] == 0
    made = restore.from_bytes((project.folder / "out" / "release.json").read_bytes())
    assert policy.of_release(made) == ()  # what `rollback` asks
    write("../../host:/h")
    code, said = project.plan("-C", str(app))
    assert code == 2 and "../../host lies above the project folder" in said and "common" not in said


def test_words_of_allow_are_checked(project: Project) -> None:
    project.write(compose="name: shop\nservices: {web: {image: IMAGE}}\n")
    for allow, wanted in (("[privilegd]", "did you mean privileged?"), ("[refused]", "lading help rights"), ("yes", "must be a list")):
        project.fleet(allow)
        code, said = project.plan()
        assert (code, wanted in said, "lading.yaml:5" in said) == (2, True, True), said


STAGING = "  staging: {hosts: [web2], allow: [host-path]}\n  wide: {hosts: [web2, web1], allow: ['host-path:/etc']}\n"
WAYS = {  # what is typed, the destinations, the exit code, and what is said: 6 is that it went on to the host
    "the destination": ("production", "", 4, "production does not allow"),
    "its host": ("web1", "", 4, "production does not allow"),
    "a host of no destination": ("web2", "", 6, "web2"),
    "both": ("web1,web2", "", 4, "production does not allow"),
    "a pattern": ("web*", "", 4, "production does not allow"),
    "a pattern of one": ("web1*", "", 4, "production does not allow"),
    "another destination": ("staging", STAGING, 6, "web2"),
    "two destinations": ("staging,production", STAGING, 4, "production does not allow"),
    "a host of two": ("web2", STAGING, 2, "web2 is in several destinations (staging, wide)"),
    "a pattern of two": ("web2*", STAGING, 6, "web2"),
    "nobody": ("web3", "", 2, "web3"),
}


@pytest.mark.parametrize("case", WAYS)
def test_no_other_name_of_a_host_leads_past_its_destination(case: str, project: Project) -> None:
    to, more, wanted, words = WAYS[case]
    project.write(compose="name: shop\nservices: {web: {image: IMAGE, volumes: ['/etc:/x:ro']}}\n")
    project.fleet("[privileged]", more)
    code, said = project.plan(to=to)
    assert (code, words in said) == (wanted, True), said
    for verb in (("deploy", "--version", "1.0"), ("adopt", "shop", "--version", "1.0")):
        assert project.lading(*verb, "--to", to, "--yes")[0] == wanted


def test_a_host_takes_the_variables_of_its_destination(project: Project) -> None:
    project.write(compose="name: shop\nservices: {web: {image: IMAGE, environment: {ZONE: '${ZONE}'}}}\n")
    project.fleet(None)
    code, said = project.plan(to="web1")
    assert code == 2 and "ZONE" in said
    fleet = project.folder / "lading.yaml"
    fleet.write_text(fleet.read_text().replace("hosts: [web1]}", "hosts: [web1], variables: {ZONE: a}}"))
    assert project.plan(to="web1")[0] == 6
    for verb in ("rollback", "remove"):
        assert project.lading(verb, "shop", "--to", "web1", "--yes")[0] == 6


def schema() -> dict[str, Any]:
    """The Compose specification as the plug-in itself carries it."""
    binary = Path(plugin.find(os.environ)).read_bytes()
    found = binary.rfind(b"{", 0, binary.rfind(b'"$schema"', 0, binary.find(b'"compose_spec.json"')))
    whole, _ = json.JSONDecoder().raw_decode(binary[found : found + (1 << 20)].decode("utf-8", "replace"))
    assert isinstance(whole, dict)
    return whole


def every_key(whole: Mapping[str, Any], part: Mapping[str, Any], place: str) -> Iterator[str]:
    """The dotted path of every key that the specification knows."""
    if "$ref" in part:
        yield from every_key(whole, whole["definitions"][part["$ref"].rpartition("/")[2]], place)
    for form in [*part.get("oneOf", ()), *part.get("anyOf", ())]:
        yield from every_key(whole, form, place)
    if isinstance(part.get("items"), Mapping):
        yield from every_key(whole, part["items"], place)
    patterns = part.get("patternProperties", {})
    named = [("*", one) for pattern, one in patterns.items() if pattern != "^x-"]
    for name, one in [*part.get("properties", {}).items(), *named]:
        below = f"{place}.{name}".lstrip(".")
        yield below
        if isinstance(one, Mapping):
            yield from every_key(whole, one, below)


def test_every_key_of_the_specification_has_a_rule() -> None:
    whole = schema()
    found = sorted(set(every_key(whole, whole, "")))
    assert len(found) > 200
    missing = [key for key in found if not decided(key)]
    assert missing == []
    assert [key for key in found if not key.endswith("*") and key not in handling.table()] == []  # docs/compose.md has a line for each


def decided(key: str) -> bool:
    """Whether the table has a rule for a key, or for all of what it is a part of."""
    parts = key.split(".")
    for end in range(1, len(parts) + 1):
        rule = keys.TABLE.get(".".join(parts[:end]))
        if rule is None:
            return False
        if not rule.open:
            return True
    return True
