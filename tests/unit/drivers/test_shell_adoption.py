"""What adopt asks a host, by the real shell: inspect in one go, sums of what is mounted, places that are one."""

import hashlib
import json
from pathlib import Path

from host_shell import HostShell
from lading.drivers.shell import adoption, observation, parsers
from lading.transport import command

CONTAINERS = [{"Id": "c1"}]


def test_a_project_is_inspected(host: HostShell) -> None:
    host.docker({"ps -aq*": "c1\n", "ps -a --format*": "shop\n\nother\n", "container inspect c1": json.dumps(CONTAINERS),
                 "container inspect -f*": "i1\n", "image inspect i1": '[{"Id": "i1"}]', "network inspect shop_default": "oops"})
    seen = host.run(adoption.project("M", app="shop", networks=["shop_default"]))
    assert [adoption.objects(seen, part) for part in ("containers", "images", "networks", "none")] == [CONTAINERS, [{"Id": "i1"}], [], []]
    assert seen.text("projects").split() == ["other", "shop"]
    assert host.lines()[1] == "ps -aq --no-trunc --filter label=com.docker.compose.project=shop"


def test_a_project_that_is_not_there(host: HostShell) -> None:
    host.docker({"ps -aq*": "", "ps -a --format*": "other\n"})
    seen = host.run(adoption.project("M", app="shop", networks=[]))
    assert (adoption.objects(seen, "containers"), seen.text("projects"), "end" in seen.parts) == ([], "other", True)


def test_an_answer_that_is_no_list() -> None:
    assert adoption.objects(command.Result(0, {"images": b"{}"}), "images") == []


def test_what_lies_where_a_container_mounts(host: HostShell, tmp_path: Path) -> None:
    folder = tmp_path / "it's conf"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "b c").write_text("two")
    (folder / "a").write_text("one")
    (folder / "a").chmod(0o755)
    (tmp_path / "key").write_text("canary")
    project = host.app() / "project"
    project.mkdir(parents=True)
    (project / "data").symlink_to(folder)
    sources = [str(folder), str(tmp_path / "key"), str(tmp_path / "absent")]
    pairs = [("project/data", str(folder)), ("project/data", str(tmp_path)), ("project/none", str(tmp_path))]
    what = adoption.lies("M", app="shop", state_dir=str(host.state), nonce="salt", sources=sources, pairs=pairs)
    seen = host.run(what)

    def line(mark: str, content: str, path: str) -> str:
        return f"{mark} {hashlib.sha256(b'salt' + content.encode()).hexdigest()} {path}".rstrip()

    assert adoption.listings(seen, sources) == {
        str(folder): adoption.listing([line("x", "one", "a"), line("-", "two", "sub/b c")]), str(tmp_path / "key"): (line("-", "canary", ""),)}
    assert adoption.same(seen, pairs) == {("project/data", str(folder))}
    assert b"canary" not in b"".join(seen.parts.values())


def test_adopted_containers_are_seen_without_labels(host: HostShell) -> None:
    (host.app()).mkdir(parents=True)
    entry = {"content": "cafe", "image": "r/web:1@sha256:0", "secrets": "1"}
    current = {"v": 1, "app": "shop", "release": "r1", "version": "1", "deployment": "d1", "adopted": {"c1": entry}}
    (host.app() / "current").write_text(json.dumps(current, separators=(",", ":")))
    shown = json.dumps({"id": "c1", "image": "r/web:1", "labels": {"com.docker.compose.project": "shop"}, "state": {"Status": "running"}})
    host.docker({"ps*label=lading.app": "", "ps*project=shop": "c1\n", "container inspect*c1": shown})
    found = parsers.from_result("h", host.run(observation.observe("M", state_dir=str(host.state), facts=False)))
    [seen] = found.apps["shop"].containers
    assert (seen.owned, seen.adopted, seen.content, seen.image, seen.secrets) == (True, True, "cafe", "r/web:1@sha256:0", "1")
