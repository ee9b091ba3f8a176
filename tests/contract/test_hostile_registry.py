"""A registry that means harm: any JSON under any key, floods, drips, headers without end; an error with a hint, in bounds, no secret."""

import asyncio
import json
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from registry_server import (
    BASIC,
    CI,
    PASSWORD,
    TOKEN,
    Answer,
    Serve,
    Server,
    certificate,
    digest,
    manifest,
    pin,
    refused,
)

from lading import errors
from lading.compose import registry, registry_access, registry_client
from trees import changed, spots

pytestmark = pytest.mark.timeout(90)
MANIFEST_PATH, TAGS_PATH = "/v2/team/app/manifests/1.0", "/v2/team/app/tags/list"
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["", "a\0b", "\x1b[2J", "\ud800", "x" * 3000, 10**400])
junk = st.recursive(scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["os", "digest", "platform", "a"]), inner, max_size=2),
                    max_leaves=4)
one_server = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def server() -> Iterator[Server]:
    """A registry that wants a token."""
    made = Server(login="token")
    made.images["team/app:1.0"] = manifest("linux/amd64")
    yield made
    made.close()


def asked(server: Server, image: str = "team/app:1.0") -> registry_access.Pinned | errors.RegistryError:
    """What becomes of the question; anything else than a digest that fits or an error with a hint is a failure."""
    found: registry_access.Pinned | errors.RegistryError
    try:
        found = pin(server, registry_access.Access(CI, timeout=10), image)
    except errors.RegistryError as lost:
        found = lost
    if isinstance(found, errors.RegistryError):
        assert found.message and found.hint
        assert not [secret for secret in (PASSWORD, TOKEN, BASIC.split()[1]) if secret in found.message + found.hint]
    else:
        assert all(word.isprintable() for word in found.platforms)
    return found


INDEX, SINGLE = json.loads(manifest("linux/amd64", "linux/arm64/v8")), json.loads(manifest())


@one_server
@given(st.sampled_from([(one, path) for one in (0, 1) for path in spots((INDEX, SINGLE)[one])]), junk)
@example((0, ("manifests", 0, "platform", "os")), "\x1b[2J")
def test_any_value_under_any_key_of_a_manifest(server: Server, where: tuple[int, tuple[Any, ...]], new: Any) -> None:
    body = json.dumps(changed((INDEX, SINGLE)[where[0]], where[1], new)).encode()
    server.special[MANIFEST_PATH] = lambda said: Answer(200, body) if said else Answer(
        401, headers={"WWW-Authenticate": f'Bearer realm="{server.url}/token",service="here"'})
    found = asked(server)
    assert isinstance(found, errors.RegistryError) or found.digest == digest(body)


@one_server
@given(st.sampled_from(spots({"name": "team/app", "tags": ["1.0", "2.0"]})), junk)
def test_any_value_in_a_list_of_tags(server: Server, path: tuple[Any, ...], new: Any) -> None:
    body = json.dumps(changed({"name": "team/app", "tags": ["1.0", "2.0"]}, path, new)).encode()
    server.special[TAGS_PATH] = lambda _: Answer(200, body)
    assert isinstance(asked(server, "team/app:3.0"), errors.RegistryError)


@one_server
@given(st.sampled_from([("token",), ("access_token",), ()]), junk)
def test_any_value_as_a_token(server: Server, path: tuple[Any, ...], new: Any) -> None:
    body = json.dumps(changed({"token": "t", "access_token": "t"}, path, new)).encode()
    server.special["/token"] = lambda _: Answer(200, body)
    asked(server)


@one_server
@given(st.binary(max_size=60))
def test_any_bytes_for_any_answer(server: Server, noise: bytes) -> None:
    for path in (MANIFEST_PATH, "/token"):
        server.special[path] = lambda _: Answer(200, noise)
        assert isinstance(asked(server), errors.RegistryError)


@pytest.mark.parametrize("path", [MANIFEST_PATH, "/token", TAGS_PATH])
def test_a_body_that_drips_ends_in_time(server: Server, path: str) -> None:
    server.special[path] = lambda _: Answer(200, b" " * 10_000, drips=0.05)
    said = refused(server, registry_access.Access(CI, timeout=0.6), "team/app:1.0" if path != TAGS_PATH else "team/app:9")
    assert "takes too long" in said.message + said.hint


def test_pages_of_tags_that_drip_end_in_time(server: Server) -> None:
    def page(_: str) -> Answer:
        server.closing.wait(0.5)
        return Answer(200, b'{"tags": ["1.0"]}', {"Link": '<list?n=1>; rel="next"'})

    server.special[TAGS_PATH] = page
    said = refused(server, registry_access.Access(CI, timeout=3), "team/app:9")
    assert "to list them takes too long" in said.hint
    assert len([path for path, _ in server.seen if "tags/list" in path]) < registry_client.PAGE_LIMIT


def test_all_images_together_end_in_time(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "RESOLVE_LIMIT", 0.5)
    server = serve()
    server.special[MANIFEST_PATH] = lambda _: (server.closing.wait(5), Answer(200))[1]
    assert "the digests of 1 images take more than 0.5 s" in refused(server).message


def test_a_thousand_images_of_one_registry(serve: Serve) -> None:
    """More than the connections that are open at once: each waits for its turn, none for longer than an answer may take."""
    server = serve()
    server.images |= {f"team/app{n}:1.0": manifest("linux/amd64") for n in range(1000)}
    names = [f"{server.name}/team/app{n}:1.0" for n in range(1000)]
    assert len(asyncio.run(registry.resolve(names, lambda _: registry_access.Access()))) == 1000


@pytest.mark.parametrize("headers", [
    {"X-Long": "x" * 200_000}, {f"X-{n}": "y" * 60 for n in range(5000)}, {"Docker-Content-Digest": "sha256:" + "0" * 60_000},
    {"Content-Type": "\x1b[2J"}, {"Docker-Content-Digest": "\x9b2J"},
])
def test_headers_without_measure(serve: Serve, headers: dict[str, str]) -> None:
    server = serve()
    server.special[MANIFEST_PATH] = lambda _: Answer(200, b"{}", headers)
    said = refused(server)
    assert len(said.message) < 1000


@pytest.mark.parametrize(("header", "value"), [("WWW-Authenticate", "Bearer " + "a" * 60_000), ("WWW-Authenticate", 'Bearer realm="' * 4000)])
def test_challenges_that_take_long_to_read(serve: Serve, header: str, value: str) -> None:
    server = serve()
    server.special[MANIFEST_PATH] = lambda _: Answer(401, headers={header: value})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    refused(server, registry_access.Access(CI))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 5  # seconds of this processor, not of the clock


def test_links_that_take_long_to_read(serve: Serve) -> None:
    server = serve()
    server.special[TAGS_PATH] = lambda _: Answer(200, b'{"tags": ["1.0"]}', {"Link": "<" * 60_000})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    assert refused(server, image="team/app:9").hint == "there are: 1.0"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 5


def test_the_password_goes_to_the_token_service_that_is_named_and_nowhere_after_it(serve: Serve) -> None:
    """As with Docker: a registry may name another host for tokens (Docker Hub does); its redirects take no password along."""
    server, tokens, third = serve(login="token"), serve(), serve()
    server.realm = tokens.url + "/token"
    tokens.special["/token"] = lambda _: Answer(307, headers={"Location": f"{third.url}/token"})
    third.special["/token"] = lambda _: Answer(200, json.dumps({"token": TOKEN}).encode())
    pin(server, registry_access.Access(CI))
    assert [said for _, said in tokens.seen] == [BASIC]
    assert [said for _, said in third.seen] == [""]
    assert all(said in ("", f"Bearer {TOKEN}") for _, said in server.seen)


def realm_at(server: Server, realm: str) -> None:
    """The server wants a token from there."""
    server.special[MANIFEST_PATH] = lambda said: Answer(200, manifest("linux/amd64")) if said.startswith(f"Bearer {TOKEN}") else Answer(
        401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="here"'})


@pytest.mark.parametrize("host", ["localhost:{}", "127.0.0.2:{}", "user@127.0.0.1:{}", "127.0.0.1.nip.example:{}"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_credentials_go_to_no_host_that_only_the_registry_names(server: Server, serve: Serve, scheme: str, host: str) -> None:
    other = serve(login="token")
    realm_at(server, f"{scheme}://{host.format(other.port)}/token")
    said = refused(server, registry_access.Access(CI, insecure=True))
    assert other.seen == []
    if "@" not in host:
        assert (server.name in said.message, host.format(other.port) in said.message) == (True, True)
        assert ("auth: " in said.hint) == (scheme == "https"), said.hint


def test_a_host_that_the_user_names_gets_them_over_https(server: Server, serve: Serve, tmp_path: Path) -> None:
    tls, ca = certificate(tmp_path, "other", "127.0.0.2")
    other = serve(login="token", tls=tls, address="127.0.0.2")
    realm_at(server, f"https://{other.name}/token")
    access = registry_access.Access(CI, ca=str(ca), insecure=True)
    assert "another host" in refused(server, access).message
    assert other.seen == []
    assert pin(server, replace(access, auth=other.name)).digest
    assert [said for _, said in other.seen] == [BASIC]
    realm_at(server, f"http://{other.name}/token")
    assert "not asked over HTTPS" in refused(server, replace(access, auth=other.name)).hint


def test_who_has_no_credentials_may_get_a_token_anywhere(server: Server, serve: Serve) -> None:
    other = serve()
    other.special["/token"] = lambda said: Answer(200, json.dumps({"token": TOKEN, "said": said}).encode())
    realm_at(server, f"http://localhost:{other.port}/token")
    assert pin(server).digest
    assert [said for _, said in other.seen] == [""]


@pytest.mark.parametrize("place", ["manifest", "token"])
def test_a_redirect_carries_no_credentials_to_another_host(server: Server, serve: Serve, place: str) -> None:
    other = serve()
    other.special[MANIFEST_PATH] = lambda said: Answer(200, manifest("linux/amd64"))
    other.special["/token"] = lambda said: Answer(200, json.dumps({"token": TOKEN}).encode())
    target = f"http://localhost:{other.port}"
    if place == "manifest":
        server.special[MANIFEST_PATH] = lambda said: Answer(307, headers={"Location": target + MANIFEST_PATH}) if said else Answer(
            401, headers={"WWW-Authenticate": f'Bearer realm="{server.url}/token",service="here"'})
    else:
        server.special["/token"] = lambda said: Answer(307, headers={"Location": target + "/token"})
    assert pin(server, registry_access.Access(CI)).digest
    assert [said for _, said in other.seen] == [""]
