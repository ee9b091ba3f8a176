"""Credentials of registries by reference: environment, command, docker login, credential helpers; each used at a server."""

import base64
import json
import os
import stat
from pathlib import Path

import pytest
from registry_server import IDENTITY, PASSWORD, USER, Answer, Serve, pin, refused

from lading import errors, settings
from lading.by_reference import Source
from lading.compose import registry_access
from lading.deploy import credentials
from lading.inventory import hosts


def fleet(name: str, **more: object) -> settings.Settings:
    own = settings.RegistrySettings(**more)  # type: ignore[arg-type]
    return settings.Settings(Path("lading.yaml"), hosts.Inventory({}, {}), registries={name: own})


def access(name: str, environment: dict[str, str], **more: object) -> registry_access.Access:
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
    for password in (Source("env", ("SECRET",)), Source("command", (str(tmp_path / "pass"),))):
        known = access(server.name, {"SECRET": PASSWORD, "PATH": os.defpath}, username=USER, password=password)
        assert (known.credentials, PASSWORD in repr(known)) == (
            registry_access.Credentials(USER, PASSWORD, "lading.yaml"), False)
        assert pin(server, known).digest


@pytest.mark.parametrize(("text", "words"), [
    ("echo canary; exit 3", "ended with status 3"), ("true", "prints nothing"), ("printf '\\377'", "no text"), (None, "cannot be run"),
])
def test_commands_that_give_no_password(tmp_path: Path, text: str | None, words: str) -> None:
    script(tmp_path, "pass", text or "")
    if text is None:
        (tmp_path / "pass").chmod(0o644)
    with pytest.raises(errors.SettingsError, match=words) as caught:
        access("r", {}, username=USER, password=Source("command", (str(tmp_path / "pass"),)))
    assert (caught.value.exit_code, bool(caught.value.hint), "canary" in caught.value.message) == (2, True, False)


@pytest.mark.parametrize(("more", "environment", "words"), [
    ({"username": USER}, {}, "has a user or a password, and not the other"),
    ({"password": Source("env", ("X",))}, {"X": "1"}, "has a user or a password, and not the other"),
    ({"username": USER, "password": Source("env", ("X",))}, {}, "from the environment variable X: it is not set, or empty"), ({"username": USER, "password": Source("env", ("X",))}, {"X": ""}, "from the environment variable X: it is not set, or empty"),
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
    assert known == registry_access.Access(registry_access.Credentials(USER, PASSWORD, "docker login"), insecure=True)
    assert pin(server, known).digest
    (tmp_path / ".docker").mkdir()
    (tmp_path / "config.json").rename(tmp_path / ".docker/config.json")
    assert access(server.name, {"HOME": str(tmp_path)}).credentials == known.credentials
    assert access("another:5000", {"HOME": str(tmp_path)}).credentials is None


def test_docker_hub_and_identity_tokens(tmp_path: Path) -> None:
    entry = {"auth": base64.b64encode(b"0000:").decode(), "identitytoken": "idt"}
    environment = docker_config(tmp_path, {"auths": {"https://index.docker.io/v1/": {"auth": AUTH}, "acr.example": entry}})
    assert access("docker.io", environment).credentials == registry_access.Credentials(USER, PASSWORD, "docker login")
    assert access("acr.example", environment).credentials == registry_access.Credentials("0000", "idt", "docker login", identity=True)


IN_LINES = AUTH[:6] + "\n" + AUTH[6:] + "\n"


@pytest.mark.parametrize("entry", [
    {"auth": IN_LINES}, {"username": USER, "password": PASSWORD}, {"auth": "", "username": USER, "password": PASSWORD},
    {"auth": base64.b64encode(f"{USER}:{PASSWORD}\n".encode()).decode()}, {"auth": AUTH, "email": "ci@example"},
])
@pytest.mark.parametrize("variable", ["DOCKER_CONFIG", "DOCKER_AUTH_CONFIG", "a file"])
def test_all_forms_of_an_entry(serve: Serve, tmp_path: Path, entry: dict[str, str], variable: str) -> None:
    server = serve(login="basic")
    content = {"auths": {f"{server.name}/team": {"auth": "eDp5"}, server.name: entry}}
    environment = docker_config(tmp_path, content)
    if variable != "DOCKER_CONFIG":
        text = json.dumps(content, indent=1) if variable != "a file" else str(tmp_path / "config.json")
        environment = {"DOCKER_AUTH_CONFIG": text, "HOME": str(tmp_path / "nowhere")}
    known = access(server.name, environment).credentials
    origin = "docker login" if variable == "DOCKER_CONFIG" else "DOCKER_AUTH_CONFIG"
    assert known == registry_access.Credentials(USER, PASSWORD, origin)
    assert pin(server, access(server.name, environment)).digest


def test_docker_auth_config_comes_first_and_does_not_hide_what_it_lacks(tmp_path: Path) -> None:
    environment = docker_config(tmp_path, {"auths": {"r:1": {"auth": "eDp5"}, "r:2": {"auth": "eDp5"}}})
    environment["DOCKER_AUTH_CONFIG"] = json.dumps({"auths": {"r:1": {"auth": AUTH}}})
    assert access("r:1", environment).credentials == registry_access.Credentials(USER, PASSWORD, "DOCKER_AUTH_CONFIG")
    assert access("r:2", environment).credentials == registry_access.Credentials("x", "y", "docker login")
    broken = access("r:1", {**environment, "DOCKER_AUTH_CONFIG": "{"})
    assert broken.credentials is None and broken.lack == "DOCKER_AUTH_CONFIG cannot be used: JSONDecodeError"


@pytest.mark.parametrize("by", ["auths", "helper"])
def test_an_identity_token_is_exchanged(serve: Serve, tmp_path: Path, by: str) -> None:
    server = serve(login="token")
    stored: dict[str, object] = {"auths": {server.name: {"auth": base64.b64encode(b"0000:").decode(), "identitytoken": IDENTITY}}}
    environment = docker_config(tmp_path, stored)
    if by == "helper":
        answer = tmp_path / "answer"
        answer.write_text(json.dumps({"Username": "<token>", "Secret": IDENTITY}))
        environment = docker_config(tmp_path, {"credHelpers": {server.name: "vault"}})
        environment["PATH"] = script(tmp_path, "docker-credential-vault", HELPER.format(name=server.name, answer=answer))
    known = access(server.name, environment)
    assert pin(server, known).digest
    (form,) = server.posted
    assert form["scope"] == ["repository:team/app:pull"]
    assert not any("Basic" in said or IDENTITY in said + path for path, said in server.seen)


def test_who_knows_no_oauth_is_asked_as_ever(serve: Serve, tmp_path: Path) -> None:
    server = serve(login="token")
    known = registry_access.Access(registry_access.Credentials(USER, PASSWORD, "docker login", identity=True))
    asked = list[str]()

    def token(said: str) -> Answer:
        asked.append(said)
        return Answer(405) if len(asked) == 1 else server.token({"service": ["here"], "scope": ["repository:team/app:pull"]}, said)

    server.special["/token"] = token
    assert pin(server, known).digest
    assert [one[:5] for one in asked] == ["", "Basic"]


def test_an_identity_token_goes_to_no_host_that_only_the_registry_names(serve: Serve) -> None:
    server, other = serve(login="token"), serve(login="token")
    server.realm = f"http://localhost:{other.port}/token"
    known = registry_access.Access(registry_access.Credentials("<token>", IDENTITY, "docker login", identity=True))
    assert "wants its credentials to be sent to another host" in refused(server, known).message
    assert not other.posted


@pytest.mark.parametrize("status", [302, 307])
def test_an_identity_token_follows_no_redirect(serve: Serve, status: int) -> None:
    server, other = serve(login="token"), serve(login="token")
    server.special["/token"] = lambda _: Answer(status, headers={"Location": f"{other.url}/token"})
    known = registry_access.Access(registry_access.Credentials("<token>", IDENTITY, "docker login", identity=True))
    assert f"answered {status} where tokens are given" in refused(server, known).message
    assert not other.seen


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
    assert access("r", {"HOME": str(tmp_path)}) == registry_access.Access()


def test_lading_yaml_comes_before_docker_login(tmp_path: Path) -> None:
    environment = docker_config(tmp_path, {"auths": {"r": {"auth": AUTH}}})
    known = access("r", {**environment, "P": "own"}, username="me", password=Source("env", ("P",)), ca="/ca.pem")
    assert known == registry_access.Access(registry_access.Credentials("me", "own", "lading.yaml"), "/ca.pem")
