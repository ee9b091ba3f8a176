"""A registry that only the hosts reach: each host's own engine says what a tag is there."""

import json
from collections.abc import Iterator, Sequence

import pytest
from app_client import App
from lab_client import Done, Lab

pytestmark = pytest.mark.lab
INSIDE = "127.0.0.1:5999"  # on each host, the lab's registry; on the controller, nothing
WAY = (
    "-t nat -A OUTPUT -p tcp -d 127.0.0.1 --dport 5999 -j DNAT --to-destination 10.88.0.1:5000",
    "-t nat -A POSTROUTING -p tcp -d 10.88.0.1 --dport 5000 -j MASQUERADE",
)
KINDS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)


def rules(lab: Lab, host: str, lines: Sequence[str]) -> None:
    steps = ["sysctl -qw net.ipv4.conf.all.route_localnet=1"]
    steps += [f"iptables -w {line}" for line in lines]
    lab.exec(host, " && ".join(steps))


def open_way(lab: Lab, host: str) -> None:
    rules(lab, host, WAY)


def close_way(lab: Lab, host: str) -> None:
    rules(lab, host, [line.replace(" -A ", " -D ") for line in WAY])


@pytest.fixture
def inside(app: App) -> Iterator[App]:
    """The example from the registry that only hosts reach."""
    fleet = app.lab.fleet / "lading.yaml"
    before = fleet.read_text()
    for host in ("web1", "web2"):
        open_way(app.lab, host)
    yield app
    fleet.write_text(before)
    for host in ("web1", "web2"):
        close_way(app.lab, host)


def registry(app: App, resolve: str) -> None:
    """The fleet file names the registry, and who asks it."""
    fleet = app.lab.fleet / "lading.yaml"
    lines = [line for line in fleet.read_text().splitlines() if INSIDE not in line]
    at = lines.index("registries:") + 1
    lines.insert(
        at, f'  "{INSIDE}": {{username: ci, password: {{env: REG_PASSWORD}}, resolve: {resolve}}}'
    )
    fleet.write_text("\n".join(lines) + "\n")


def deployed(done: Done) -> str:
    document = json.loads(done.stdout)
    assert "hosts" in document, done.stdout + done.stderr
    return str(document["result"])


def test_only_hosts_reach_the_registry(inside: App) -> None:
    lab, app = inside.lab, inside
    text = (app.folder / "docker-compose.yml").read_text()
    (app.folder / "docker-compose.yml").write_text(text.replace("registry.lab:5000/", f"{INSIDE}/"))
    registry(app, "controller")
    refused = app.deploy("1.0.0")
    assert refused.returncode == 2, refused.stderr
    assert f"registry {INSIDE} does not answer" in refused.stderr
    assert "resolve: host" in refused.stderr

    registry(app, "host")
    assert deployed(app.deploy("1.0.0", "--json")) == "succeeded"
    images = {(row["image"], row["digest"]) for row in app.where() if row["service"] == "web"}
    assert images == {(f"{INSIDE}/hello:1.0.0", digest(lab, "1.0.0"))}
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert deployed(app.deploy("1.0.0", "--json")) == "unchanged"
    for host in ("web1", "web2"):
        assert lab.exec(host, "find /dev/shm -name 'lading*'").stdout == ""

    close_way(lab, "web2")  # one host cannot tell
    try:
        refused = app.deploy("1.1.0")
        assert refused.returncode == 4, refused.stderr
        assert f"{INSIDE}/hello:1.1.0: only hosts ask its registry" in refused.stderr
        lines = map(str.lstrip, refused.stderr.splitlines())
        rows = [line for line in lines if line.startswith(("web1  ", "web2  "))]
        assert len(rows) == 2, refused.stderr
        assert digest(lab, "1.1.0") in rows[0]
        assert "connection refused" in rows[1]
        assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    finally:
        open_way(lab, "web2")

    by_digest = "hello:${VERSION}@" + digest(lab, "1.1.0")  # there is nothing to agree on then
    app.edit("hello:${VERSION}", by_digest)
    assert deployed(app.deploy("1.1.0", "--json")) == "succeeded"
    assert app.versions() == {("web1", "1.1.0", "healthy"), ("web2", "1.1.0", "healthy")}


def digest(lab: Lab, version: str) -> str:
    """What the registry has, as one who reaches it sees."""
    where = f"https://registry.lab:5000/v2/hello/manifests/{version}"
    login = ("--cacert", f"{lab.fleet}/ca.pem", "-u", f"ci:{lab.password}")
    head = lab.run("curl", "-sfI", *login, "-H", f"Accept: {KINDS}", where).stdout.lower()
    return next(
        line.partition(": ")[2].strip()
        for line in head.splitlines()
        if line.startswith("docker-content-digest")
    )
