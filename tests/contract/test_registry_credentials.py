"""Credentials of registries by reference: environment, command, docker login, credential helpers; each used at a server."""

import base64
import json
import os
import stat
from pathlib import Path

import pytest
from registry_server import PASSWORD, USER, Serve, pin, refused

from lading import errors, settings
from lading.compose import registry
from lading.deploy import credentials
from lading.inventory import hosts


def fleet(name: str, **more: object) -> settings.Settings:
    own = settings.RegistrySettings(**more)  # type: ignore[arg-type]
    return settings.Settings(Path("lading.yaml"), hosts.Inventory({}, {}), registries={name: own})


def access(name: str, environment: dict[str, str], **more: object) -> registry.Access:
    return credentials.access(fleet(name, **more), environment)(name)


def script(folder: Path, name: str, text: str) -> str:
    """A real program in *folder*; the PATH with it."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return f"{folder}:{os.defpath}"


def test_from_the_environment_and_from_a_command(serve: Serve, tmp_path: Path) -> None:
    server = serve(login="basic")
    script(tmp_path, "pass", 'echo "$SECRET"')
    for password in (("env", "SECRET"), ("command", str(tmp_path / "pass"))):
        known = access(server.name, {"SECRET": PASSWORD, "PATH": os.defpath}, username=USER, password=password)
        assert (known.credentials, PASSWORD in repr(known)) == (
            registry.Credentials(USER, PASSWORD, "lading.yaml"), False)
        assert pin(server, known).digest


@pytest.mark.parametrize(("text", "words"), [
    ("echo canary; exit 3", "ended with status 3"), ("true", "prints nothing"), ("printf '\\377'", "no text"), (None, "cannot be run"),
])
def test_commands_that_give_no_password(tmp_path: Path, text: str | None, words: str) -> None:
    script(tmp_path, "pass", text or "")
    if text is None:
        (tmp_path / "pass").chmod(0o644)
    with pytest.raises(errors.SettingsError, match=words) as caught:
        access("r", {}, username=USER, password=("command", str(tmp_path / "pass")))
    assert (caught.value.exit_code, bool(caught.value.hint), "canary" in caught.value.message) == (2, True, False)


@pytest.mark.parametrize(("more", "environment", "words"), [
    ({"username": USER}, {}, "has a user or a password, and not the other"),
    ({"password": ("env", "X")}, {"X": "1"}, "has a user or a password, and not the other"),
    ({"username": USER, "password": ("env", "X")}, {}, "has no X"), ({"username": USER, "password": ("env", "X")}, {"X": ""}, "has no X"),
])
def test_half_a_login(more: dict[str, object], environment: dict[str, str], words: str) -> None:
    with pytest.raises(errors.SettingsError, match=words) as caught:
        access("r", environment, **more)
    assert caught.value.hint


def docker_config(folder: Path, content: object) -> dict[str, str]:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "config.json").write_text(text)
    return {"DOCKER_CONFIG": str(folder), "PATH": os.defpath}


AUTH = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.mark.parametrize("key", ["{}", "https://{}", "http://{}", "https://{}/v2/"])
def test_from_docker_login(serve: Serve, tmp_path: Path, key: str) -> None:
    server = serve(login="token")
    environment = docker_config(tmp_path, {"auths": {key.format(server.name): {"auth": AUTH}}})
    known = access(server.name, environment, insecure=True)
    assert known == registry.Access(registry.Credentials(USER, PASSWORD, "docker login"), insecure=True)
    assert pin(server, known).digest
    (tmp_path / ".docker").mkdir()
    (tmp_path / "config.json").rename(tmp_path / ".docker/config.json")
    assert access(server.name, {"HOME": str(tmp_path)}).credentials == known.credentials
    assert access("another:5000", {"HOME": str(tmp_path)}).credentials is None


def test_docker_hub_and_identity_tokens(tmp_path: Path) -> None:
    entry = {"auth": base64.b64encode(b"0000:").decode(), "identitytoken": "idt"}
    environment = docker_config(tmp_path, {"auths": {"https://index.docker.io/v1/": {"auth": AUTH}, "acr.example": entry}})
    assert access("docker.io", environment).credentials == registry.Credentials(USER, PASSWORD, "docker login")
    assert access("acr.example", environment).credentials == registry.Credentials("0000", "idt", "docker login")


HELPER = 'read -r name; [ "$1 $name" = "get {name}" ] || {{ echo "credentials not found in native keychain"; exit 1; }}; cat {answer}'


@pytest.mark.parametrize("part", ["credHelpers", "credsStore"])
def test_from_a_credential_helper(serve: Serve, tmp_path: Path, part: str) -> None:
    server = serve(login="basic")
    answer = tmp_path / "answer"
    answer.write_text(json.dumps({"ServerURL": server.name, "Username": USER, "Secret": PASSWORD}))
    path = script(tmp_path, "docker-credential-vault", HELPER.format(name=server.name, answer=answer))
    chosen = {server.name: "vault", "other:1": "vault"} if part == "credHelpers" else "vault"
    stored = {part: chosen, "auths": {server.name: {}, "other:1": {"auth": AUTH}}}
    environment = {**docker_config(tmp_path, stored), "PATH": path}
    assert pin(server, access(server.name, environment)).digest
    known = access("other:1", environment).credentials  # the helper knows nothing of it, the file does
    assert known is not None and known.password == PASSWORD
    assert access("third:1", environment).credentials is None


@pytest.mark.parametrize(("text", "words"), [
    (None, "docker-credential-vault cannot be run"), ("exit 4", "docker-credential-vault ended with status 4"),
    ("echo '<html>'", "answers what cannot be read"), ("echo '[]'", "answers what cannot be read"), ("echo '{}'", "answers what cannot"),
])
def test_helpers_that_fail_are_named_where_a_login_is_wanted(serve: Serve, tmp_path: Path, text: str | None, words: str) -> None:
    server, public = serve(login="basic"), serve()
    environment = docker_config(tmp_path, {"credsStore": "vault"})
    environment["PATH"] = script(tmp_path, "docker-credential-vault", text) if text else os.defpath
    assert words in refused(server, access(server.name, environment)).message
    assert pin(public, access(public.name, environment)).digest  # who wants no login gets none


@pytest.mark.parametrize("content", ["{", "[]", '"x"', '{"auths": [1]}', '{"auths": {"r:1": {"auth": "%%%"}}}', '{"auths": {"r:1": {"auth": 5}}}',
                                     '{"auths": {"r:1": 5}}', '{"credHelpers": 7}', "[" * 100_000])
def test_docker_configuration_that_cannot_be_read(tmp_path: Path, content: str) -> None:
    known = access("r:1", docker_config(tmp_path, content))
    assert known.credentials is None
    assert f"{tmp_path}/config.json cannot be used" in known.lack


def test_no_docker_configuration(tmp_path: Path) -> None:
    assert access("r", {"HOME": str(tmp_path)}) == registry.Access()


def test_lading_yaml_comes_before_docker_login(tmp_path: Path) -> None:
    environment = docker_config(tmp_path, {"auths": {"r": {"auth": AUTH}}})
    known = access("r", {**environment, "P": "own"}, username="me", password=("env", "P"), ca="/ca.pem")
    assert known == registry.Access(registry.Credentials("me", "own", "lading.yaml"), "/ca.pem")
