"""Compose on a host: a clean environment of our own, for lading and for an operator by hand."""

import subprocess

import pytest

from host_shell import HostShell, by_compose
from lading.drivers.shell import compose_call, logs, releases

VALUES = {"LADING_DIR": "dropped", "LADING_GEN_web": "it's $3"}


def compose(directory: str = ".") -> compose_call.ComposeCall:
    return compose_call.compose_call("shop", "cafe", directory, ("docker-compose.yml", "b c.yml"), {"var.A%2FB": 2}, VALUES)


def environment(host: HostShell) -> dict[str, str]:
    found = dict(line.split("=", 1) for line in (host.folder / "env").read_text().splitlines())
    return {key: value for key, value in found.items() if key not in ("PWD", "SHLVL", "_", "OLDPWD")}


@pytest.mark.parametrize("directory", [".", "", "deploy here"])
@pytest.mark.parametrize("by_hand", [True, False])
def test_compose_gets_exactly_the_release(
    host: HostShell, monkeypatch: pytest.MonkeyPatch, directory: str, by_hand: bool
) -> None:
    host.docker({"*": "done\n"})
    monkeypatch.setenv("VERSION", "9.9-of-the-host")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/other.sock")
    app, call = host.app(), compose(directory)
    app.mkdir(parents=True)
    if by_hand:
        script = app / "compose"
        script.write_text(call.operator_script())
        script.chmod(0o755)
        assert len(script.read_text().splitlines()) == 3
        subprocess.run([script, "ps", "a b"], check=True, stdout=subprocess.DEVNULL)
    else:
        text = by_compose(call.values(), app, "ps", "a b")
        subprocess.run(["/bin/sh"], input=text.encode(), check=True, stdout=subprocess.DEVNULL)
    release = f"{app}/releases/cafe"
    files = f"{release}/files/{directory}".rstrip("/.")
    assert host.lines() == [
        f"compose -p shop --project-directory {files} --env-file {release}/plain.env --env-file {app}/secrets/var.A%2FB/2 "
        f"-f {files}/docker-compose.yml -f {files}/b c.yml -f {release}/compose.overlay.yaml ps a b"]
    seen = environment(host)
    assert set(seen) == {"PATH", "HOME", "DOCKER_HOST", "LADING_DIR", "LADING_GEN_web"}
    assert (seen["LADING_DIR"], seen["LADING_GEN_web"]) == (str(app), "it's $3")


@pytest.mark.parametrize(("app", "service", "tag"), [
    ("shop", "web", "lading-keep/shop/web:cafe"), ("Shop_2", "web.API", "lading-keep/shop-2/web-api:cafe"),
    ("-", "_", "lading-keep/x/x:cafe"),
])
def test_kept_images_have_tags_that_docker_takes(app: str, service: str, tag: str) -> None:
    assert releases.kept_image(app, service, "cafe") == tag


@pytest.mark.parametrize(("service", "asked"), [("", ""), ("web", " --filter label=com.docker.compose.service=web")])
def test_logs_come_line_by_line(host: HostShell, service: str, asked: str) -> None:
    host.docker({"ps *": "c1\n", "inspect*": "c1@T0@web-1\n", "logs --timestamps --tail 9 c1": "T1 one\nT2 \\two\n"})
    what = logs.logs("M", app="shop", service=service, follow=False, tail=9)
    seen = host.run(what)
    assert (seen.text("log"), seen.status, what.timeout) == ("web-1 | T2 \\two", 0, 120)
    assert host.lines()[0] == f"ps -aq --no-trunc --filter label=com.docker.compose.project=shop{asked}"


def test_logs_follow_each_start_of_a_container_once(host: HostShell) -> None:
    host.docker({"ps *": "c1\n", "inspect*": "c1@T0@web-1\n", "logs -f --timestamps --tail 9 c1": "T1 one\n"})
    what = logs.logs("M", app="shop", service="", follow=True, tail=9)
    host.run(what, enough="log")
    assert (host.lines().count("logs -f --timestamps --tail 9 c1"), what.timeout) == (1, 86400)


def test_last_lines_by_service(host: HostShell) -> None:
    host.docker({"ps*service=web*": "c1\nc2\n", "ps*": "", "logs --tail 50 c1": "one\n", "logs --tail 50 c2": "two\n"})
    seen = host.run(logs.last_lines("M", app="shop", services=("web", "db")))
    assert (seen.text("log:web"), seen.parts["log:db"]) == ("one\ntwo", b"")


def test_the_profiles_that_were_asked_for_are_asked_for_on_the_host() -> None:
    asked = compose_call.compose_call("shop", "cafe", ".", (), {}, {}, ("debug", "a b"))
    assert list(asked.options[:4]) == ["--profile", "debug", "--profile", "a b"]
    assert "docker compose --profile debug --profile 'a b' -p shop" in asked.operator_script()
