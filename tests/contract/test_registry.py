"""Registries over real HTTP and HTTPS: digests, logins, tags; each failure is an error with a hint, no secret leaves."""

import asyncio
import gzip
import json
import os
import socket
import subprocess
import sys
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from registry_server import (
    BASIC,
    CI,
    PASSWORD,
    TOKEN,
    USER,
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

# what is there

def test_index_and_single_manifest(serve: Serve) -> None:  # R20
    server = serve()
    server.images["team/app:one"] = manifest()
    index = server.images["team/app:1.0"]
    assert pin(server) == registry_access.Pinned(digest(index), ("linux/amd64", "linux/arm64/v8"))
    assert pin(server, image="team/app:one") == registry_access.Pinned(digest(manifest()), ())
    assert pin(server, image=f"team/app@{digest(index)}").digest == digest(index)
    assert pin(server, image=f"team/app:1.0@{digest(index)}").digest == digest(index)


def test_several_registries_at_once(serve: Serve) -> None:
    one, two = serve(), serve(login="basic")
    images = [f"{one.name}/team/app:1.0", f"{two.name}/team/app:1.0"]
    access = {one.name: registry_access.Access(), two.name: registry_access.Access(CI)}
    assert set(asyncio.run(registry.resolve(images, access.__getitem__))) == set(images)
    assert all(not said for _, said in one.seen)  # the password of one is not for the other


def context_of(one: registry_client.Registry) -> object:
    """The TLS context by which a registry's HTTPS connections are made."""
    return one._client(f"{one.base}/v2/")._transport._pool._ssl_context  # type: ignore[attr-defined]


def test_several_registries_share_one_tls_context(tmp_path: Path) -> None:
    _, ca = certificate(tmp_path, "own")
    one, two = (registry_client.Registry(name, registry_access.Access()) for name in ("one.example", "two.example"))
    own = registry_client.Registry("own.example", registry_access.Access(ca=str(ca)))
    assert context_of(one) is context_of(two)
    assert context_of(own) is not context_of(one), "what trusts its own authority trusts no other"
    for each in (one, two, own):
        asyncio.run(each.close())


def test_certificates_are_read_for_https_alone(serve: Serve, tmp_path: Path) -> None:
    registry_client._machine_trust.cache_clear()
    server = serve()
    assert pin(server).digest
    assert registry_client._machine_trust.cache_info().currsize == 0
    tls, _ = certificate(tmp_path, "stranger")
    away = serve(tls=tls)
    server.special["/v2/team/app/manifests/1.0"] = lambda _: Answer(307, headers={"Location": f"https://{away.name}/v2/x"})
    assert "CERTIFICATE" in refused(server).message.upper(), "where HTTP leads on to HTTPS, certificates count"
    assert registry_client._machine_trust.cache_info().currsize == 1


def test_first_failure_is_the_one_that_is_said(serve: Serve) -> None:
    server = serve()
    images = [f"{server.name}/team/{name}:1" for name in ("a", "b", "c")]
    with pytest.raises(errors.RegistryError, match="team/a:1 is not in its registry"):
        asyncio.run(registry.resolve(images, lambda _: registry_access.Access()))


# who may ask

@pytest.mark.parametrize("login", ["basic", "token"])
def test_login(serve: Serve, login: str) -> None:
    server = serve(login=login)
    assert pin(server, registry_access.Access(CI)).digest == digest(server.images["team/app:1.0"])
    assert server.seen[0][1] == ""  # nobody is told the password before asking for it
    if login == "token":
        assert server.seen[-1][1] == f"Bearer {TOKEN}:repository:team/app:pull"


@pytest.mark.parametrize("login", ["basic", "token"])
def test_wrong_or_no_password(serve: Serve, login: str) -> None:
    server = serve(login=login)
    wrong = refused(server, registry_access.Access(registry_access.Credentials(USER, "wrong", "lading.yaml")))
    assert "refuses the credentials of ci (lading.yaml) for team/app" in wrong.message
    none = refused(server)
    assert "wants a login for team/app: there are no credentials for it" in none.message
    assert f"docker login {server.name}" in none.hint


def test_ping(serve: Serve) -> None:
    async def ping(server: Server, known: registry_access.Credentials | None) -> None:
        client = registry_client.Registry(server.name, registry_access.Access(known))
        try:
            await client.ping()
        finally:
            await client.close()

    server = serve(login="basic")
    asyncio.run(ping(server, CI))
    with pytest.raises(errors.RegistryError, match="wants a login: there"):
        asyncio.run(ping(server, None))
    server.special["/v2/"] = lambda _: Answer(404)
    with pytest.raises(errors.RegistryError, match="answered 404 at /v2/"):
        asyncio.run(ping(server, CI))


# over what it is asked

def test_own_ca(serve: Serve, tmp_path: Path) -> None:
    tls, ca = certificate(tmp_path, "own")
    server = serve(tls=tls, login="token")
    assert pin(server, registry_access.Access(CI, ca=str(ca))).platforms


def test_wrong_certificate(serve: Serve, tmp_path: Path) -> None:
    tls, _ = certificate(tmp_path, "own")
    _, other = certificate(tmp_path, "other")
    foreign, foreign_ca = certificate(tmp_path, "foreign", "127.0.0.2")
    for context, ca in ((tls, other), (foreign, foreign_ca)):
        server = serve(tls=context)
        said = refused(server, registry_access.Access(CI, ca=str(ca)))
        assert "certificate" in said.message.lower()
        assert "ca: FILE" in said.hint
        assert server.seen == []


def test_ca_that_is_none(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "absent.pem"):
        said = refused(serve(), registry_access.Access(ca=str(tmp_path / name)))
        assert (said.file, "cannot be used" in said.message) == (str(tmp_path / name), True)


def test_insecure_is_asked_for(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    _, ca = certificate(tmp_path, "own")
    assert "insecure: true" in refused(server, registry_access.Access(CI, ca=str(ca))).hint  # HTTPS is wanted, HTTP is there
    assert server.seen == []
    assert pin(server, registry_access.Access(insecure=True)).platforms


def test_nobody_listens() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        image = f"127.0.0.1:{closed.getsockname()[1]}/a:1"
        with pytest.raises(errors.RegistryError, match="does not answer") as caught:
            asyncio.run(registry.resolve([image], lambda _: registry_access.Access()))
    assert "is it up?" in caught.value.hint


# what is not there

def test_absent_tag_names_the_five_nearest(serve: Serve) -> None:  # R21
    server = serve()
    server.images |= {f"team/app:{tag}": manifest() for tag in ("1.1.0", "1.1.1", "1.1.2", "1.1.3", "1.1.4", "latest", "main")}
    server.page = 3  # the nearest ones are on later pages
    said = refused(server, image="team/app:1.1.9")
    assert "team/app:1.1.9 is not in its registry" in said.message
    assert sorted(said.hint.removeprefix("there are: ").split(", ")) == ["1.1.0", "1.1.1", "1.1.2", "1.1.3", "1.1.4"]
    assert len([path for path, _ in server.seen if "tags/list" in path]) == 3


def test_absent_repository_and_absent_digest(serve: Serve) -> None:
    server = serve()
    assert "the repository team/nope has no tags there" in refused(server, image="team/nope:1").hint
    gone = refused(server, image="team/app@sha256:" + "0" * 64)
    assert "1.0, with other content: the digest sha256:000000000000" in gone.hint


def test_tags_that_may_not_be_listed(serve: Serve) -> None:
    server = serve(login="basic")
    server.special["/v2/team/app/tags/list"] = lambda _: Answer(403)
    said = refused(server, registry_access.Access(CI), "team/app:2")
    assert "team/app:2 is not in its registry" in said.message
    assert "which tags there are is not known: registry" in said.hint


@pytest.mark.parametrize("link", [
    "<{url}/v2/team/app/tags/list?last=0>; rel=next", '</v2/x?n=1>; rel="prev", <list?last=0>; rel="next"',
])
def test_links_to_the_next_page(serve: Serve, link: str) -> None:
    server = serve()
    pages = iter([Answer(200, b'{"tags": ["0"]}', {"Link": link.format(url=server.url)}), Answer(200, b'{"tags": ["2.0"]}')])
    server.special["/v2/team/app/tags/list"] = lambda _: next(pages)
    assert refused(server, image="team/app:2.1").hint == "there are: 2.0, 0"


def test_links_elsewhere_and_for_ever(serve: Serve) -> None:
    server, other = serve(login="basic"), serve()
    server.special["/v2/team/app/tags/list"] = lambda _: Answer(200, b'{"tags": ["7"]}', {"Link": f'<{other.url}/v2/x>; rel="next"'})
    assert refused(server, registry_access.Access(CI), "team/app:2").hint == "there are: 7"
    assert other.seen == []
    server.special["/v2/team/app/tags/list"] = lambda _: Answer(200, b'{"tags": ["7"]}', {"Link": '<list?n=1>; rel="next"'})
    server.seen.clear()
    assert refused(server, registry_access.Access(CI), "team/app:2").hint == "there are: 7"
    assert len([path for path, _ in server.seen if "list" in path]) <= 2 * registry_client.PAGE_LIMIT


# registries that lie, break or want to harm

MANIFEST_PATH, TAGS_PATH = "/v2/team/app/manifests/1.0", "/v2/team/app/tags/list"
HTML = b"<!DOCTYPE html><html><body>Please sign in</body></html>"
DEEP = b"[" * 200_000


@pytest.mark.parametrize("body", [
    HTML, b"", b"null", b"[]", b'"text"', b"5", b"{}", DEEP, b'{"manifests": ' + DEEP, b'{"manifests": 5}', b'{"manifests": [5]}',
    b'{"manifests": null}', b'{"manifests": [{"platform": {"os": 5, "architecture": []}}]}', b'{"manifests": [{"platform": 7}]}',
    b'{"config": 1}', b'{"schemaVersion": 1, "fsLayers": []}', b"\xff\xfe",
])
def test_what_is_no_manifest(serve: Serve, body: bytes) -> None:
    server = serve()
    server.special[MANIFEST_PATH] = lambda _: Answer(200, body)
    said = refused(server)
    assert "sent something that is no manifest" in said.message
    assert "no host was contacted" in said.hint


@pytest.mark.parametrize("body", [HTML, b"[]", b'{"tags": 5}', b'{"tags": [5]}', b'{"tags": {"a": 1}}', DEEP])
def test_what_is_no_list_of_tags(serve: Serve, body: bytes) -> None:
    server = serve()
    server.special[TAGS_PATH] = lambda _: Answer(200, body)
    said = refused(server, image="team/app:2")
    assert "sent a list of tags that cannot be read" in said.hint


def test_hostile_tags_are_not_shown(serve: Serve) -> None:
    server = serve()
    tags = ["good", "\x1b[31mred", "a b", "x" * 5000, *map(str, range(100_000))]
    server.special[TAGS_PATH] = lambda _: Answer(200, json.dumps({"tags": tags}).encode())
    hint = refused(server, image="team/app:good2").hint
    assert hint.startswith("there are: good")
    assert "\x1b" not in hint and "x" * 99 not in hint


def test_a_digest_that_lies(serve: Serve) -> None:
    server = serve()
    body = manifest("linux/amd64")
    server.special[MANIFEST_PATH] = lambda _: Answer(200, body, {"Docker-Content-Digest": "sha256:" + "0" * 64})
    assert digest(body) in refused(server).message
    wanted = "sha256:" + "1" * 64
    server.special[f"/v2/team/app/manifests/{wanted}"] = lambda _: Answer(200, body, {"Docker-Content-Digest": wanted})
    assert "but its content is" in refused(server, image=f"team/app@{wanted}").message


@pytest.mark.parametrize("path", [MANIFEST_PATH, "/token"])
def test_a_body_without_end(serve: Serve, path: str) -> None:
    server = serve(login="token")
    server.special[path] = lambda _: Answer(200, b"x" * 65536, endless=True)
    assert "sends more than 4 MiB" in refused(server, registry_access.Access(CI)).message


def test_a_compressed_bomb(serve: Serve) -> None:
    server = serve()
    server.special[MANIFEST_PATH] = lambda _: Answer(200, gzip.compress(b"\0" * 50_000_000), {"Content-Encoding": "gzip"})
    assert "compressed" in refused(server).message


def test_it_takes_too_long(serve: Serve) -> None:
    server = serve()
    server.special[MANIFEST_PATH] = lambda _: (server.closing.wait(60), Answer(200))[1]
    assert "does not answer: it takes too long" in refused(server, registry_access.Access(timeout=0.3)).message


def test_it_drips(serve: Serve) -> None:
    """Each read is quick, the whole is not."""
    server = serve()

    def redirect(_: str) -> Answer:
        server.closing.wait(0.2)
        return Answer(307, headers={"Location": MANIFEST_PATH})

    server.special[MANIFEST_PATH] = redirect
    assert "it takes too long" in refused(server, registry_access.Access(timeout=0.5)).message


@pytest.mark.parametrize(("status", "headers", "hint"), [
    (429, {"Retry-After": "17"}, "wait 17 s"), (429, {"Retry-After": "\t<b>"}, "wait, then"), (429, {}, "logged-in users"),
])
def test_asked_too_often(serve: Serve, status: int, headers: dict[str, str], hint: str) -> None:
    server = serve()
    server.special[MANIFEST_PATH] = lambda _: Answer(status, HTML, headers)
    said = refused(server, registry_access.Access(patience=0))
    assert ("asked too often (429)" in said.message, hint in said.hint) == (True, True)


@pytest.mark.parametrize("status", [400, 418, 500, 503])
def test_other_answers(serve: Serve, status: int) -> None:
    server = serve(login="token")
    server.special[MANIFEST_PATH] = lambda _: Answer(status, HTML)
    known = registry_access.Access(CI, patience=0)
    assert f"answered {status} for {server.name}/team/app:1.0" in refused(server, known).message
    del server.special[MANIFEST_PATH]
    server.special[TAGS_PATH] = lambda _: Answer(status, HTML)
    assert f"answered {status} for the tags" in refused(server, known, "team/app:2").hint
    server.special["/token"] = lambda _: Answer(503)
    assert "answered 503 where tokens are given" in refused(server, known).message


# a registry that is busy is asked again, and quoted

@pytest.mark.parametrize("place", [MANIFEST_PATH, "/token", "/v2/team/app/tags/list"])
@pytest.mark.parametrize("busy", [429, 502, 503, 504, 0])
def test_who_is_busy_or_hangs_up_is_asked_again(serve: Serve, place: str, busy: int) -> None:
    server = serve(login="token")
    server.images["team/app:1.0"] = manifest("linux/amd64")
    troubles = [1, 2]

    def then(said: str) -> Answer:
        if troubles:
            troubles.pop()
            return Answer(busy, HTML, {"Retry-After": "0"})
        del server.special[place]
        return server.route(place, {"service": ["here"], "scope": ["repository:team/app:pull"]}, said)

    server.special[place] = then
    if "tags" in place:
        assert "there are: 1.0" in refused(server, registry_access.Access(CI), "team/app:2").hint
    else:
        assert pin(server, registry_access.Access(CI)).platforms == ("linux/amd64",)
    assert not troubles


@pytest.mark.parametrize("later", ["0", "0000", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_registry_that_says_at_once_is_asked_after_pauses_that_double(serve: Serve, later: str) -> None:
    server = serve()
    asked = list[str]()

    def busy(said: str) -> Answer:
        asked.append(said)
        return Answer(429, HTML, {"Retry-After": later})

    server.special[MANIFEST_PATH] = busy
    refused(server, registry_access.Access(patience=2))
    assert len(asked) == 3  # at once, after half a second and after one more: then the next pause would be too long


def test_a_registry_says_when_it_may_be_asked_again(serve: Serve) -> None:
    server = serve()
    server.images["team/app:1.0"] = manifest("linux/amd64")
    asked = list[float]()

    def busy(_: str) -> Answer:
        asked.append(time.monotonic())
        if len(asked) > 2:
            del server.special[MANIFEST_PATH]
            return Answer(200, manifest("linux/amd64"))
        later = "1" if len(asked) == 1 else formatdate(time.time() + 1.9, usegmt=True)
        return Answer(503, HTML, {"Retry-After": later})

    server.special[MANIFEST_PATH] = busy
    assert pin(server).digest
    assert asked[1] - asked[0] >= 1


@pytest.mark.parametrize("headers", [{"Retry-After": "31"}, {"Retry-After": "Fri, 31 Dec 2999 23:59:59 GMT"}])
def test_nobody_waits_longer_than_there_is_patience(serve: Serve, headers: dict[str, str]) -> None:
    server = serve()
    server.special[MANIFEST_PATH] = lambda _: Answer(503, HTML, headers)
    assert "answered 503" in refused(server).message
    assert len(server.seen) == 1


def test_patience_ends(serve: Serve) -> None:
    server = serve()
    server.special[MANIFEST_PATH] = lambda _: Answer(504, HTML)
    assert "answered 504" in refused(server, registry_access.Access(patience=2)).message
    assert len(server.seen) == 3  # at once, after 0.5 s, after 1 s more
    assert "answered 504" in refused(server, registry_access.Access(patience=0)).message


@pytest.mark.parametrize(("body", "words"), [
    (b'{"errors": [{"code": "DENIED", "message": "pull rate of \\u001b[31mteam\\r\\n exceeded"}, {"message": "buy more"}, {"message": 7}]}',
     "answered 418 for {0}/team/app:1.0: pull rate of [31mteam exceeded; buy more"),
    (b'{"errors": [{"message": "' + b"x" * 10_000 + b'"}]}', "x" * 200),
    (b'{"errors": [{"message": "' + BASIC.split()[1].encode() + b' is not known here"}]}', ": *** is not known here"),
    (b'{"errors": [{"message": "  "}]}', "1.0"), (b'{"errors": {}}', "1.0"), (b"<html>", "1.0"),
])
def test_a_registry_is_quoted(serve: Serve, body: bytes, words: str) -> None:
    server = serve()
    server.special[MANIFEST_PATH] = lambda _: Answer(418, body)
    said = refused(server, registry_access.Access(CI)).message
    assert said.endswith(words.format(server.name)) and said.isprintable() and len(said) < 500


@pytest.mark.parametrize("status", [401, 403, 429])
def test_a_refusal_is_quoted_too(serve: Serve, status: int) -> None:
    server = serve()
    server.special[MANIFEST_PATH] = lambda _: Answer(status, b'{"errors": [{"message": "the team is suspended"}]}')
    assert refused(server, registry_access.Access(CI, patience=0)).message.endswith(": the team is suspended")


# credentials go where they belong

def test_redirect_on_the_same_server_keeps_the_login(serve: Serve) -> None:
    server = serve(login="basic")
    server.images["moved/app:1.0"] = manifest("linux/amd64")
    server.special[MANIFEST_PATH] = lambda _: Answer(307, headers={"Location": "/v2/moved/app/manifests/1.0"})
    server.special["/v2/"] = lambda _: Answer(401, headers={"WWW-Authenticate": "Basic"})
    assert pin(server, registry_access.Access(CI)).platforms == ("linux/amd64",)


@pytest.mark.parametrize("login", ["basic", "token"])
def test_redirect_elsewhere_takes_no_credentials(serve: Serve, login: str) -> None:
    server, other = serve(login=login), serve()
    content = server.images["team/app:1.0"]

    def moved(said: str) -> Answer:
        return Answer(307, headers={"Location": f"{other.url}{MANIFEST_PATH}"}) if said else Answer(
            401, headers={"WWW-Authenticate": f'Bearer realm="{server.url}/token",service="here"' if login == "token" else "Basic"})

    server.special[MANIFEST_PATH] = moved
    assert pin(server, registry_access.Access(CI)).digest == digest(content)
    assert other.seen == [(MANIFEST_PATH, "")]


def test_redirect_of_the_token_service_takes_no_credentials(serve: Serve) -> None:
    server, other = serve(login="token"), serve()
    server.special["/token"] = lambda _: Answer(302, headers={"Location": f"{other.url}/token"})
    other.special["/token"] = lambda _: Answer(200, b'{"token": "x"}')
    refused(server, registry_access.Access(CI))
    assert other.seen == [("/token", "")]


def test_redirect_from_https_to_http(serve: Serve, tmp_path: Path) -> None:
    tls, ca = certificate(tmp_path, "own")
    server, other = serve(tls=tls), serve()
    server.special[MANIFEST_PATH] = lambda _: Answer(307, headers={"Location": f"{other.url}{MANIFEST_PATH}"})
    assert "redirects to 'http://" in refused(server, registry_access.Access(ca=str(ca))).message
    assert other.seen == []


@pytest.mark.parametrize("location", ["/v2/team/app/manifests/1.0", "ftp://h/etc/passwd", "http://[::1", ""])
def test_redirects_that_lead_nowhere(serve: Serve, location: str) -> None:
    server = serve()
    server.special[MANIFEST_PATH] = lambda _: Answer(307, headers={"Location": location})
    refused(server)
    assert len(server.seen) <= registry_client.REDIRECT_LIMIT


@pytest.mark.parametrize("realm", ["http://127.0.0.1:1/token", "ftp://x/", "//", "/token", "https://a:b/", "ftp://h/etc/passwd", ""])
def test_tokens_are_asked_of_https_only(serve: Serve, tmp_path: Path, realm: str) -> None:
    tls, ca = certificate(tmp_path, "own")
    server = serve(login="token", tls=tls)
    server.special[MANIFEST_PATH] = lambda _: Answer(401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})
    assert "asks for a token at" in refused(server, registry_access.Access(CI, ca=str(ca))).message


@pytest.mark.parametrize("body", [HTML, b"{}", b"[]", b'{"token": 5}', b'{"token": "a\\nb"}', b'{"token": ""}', DEEP])
def test_what_is_no_token(serve: Serve, body: bytes) -> None:
    server = serve(login="token")
    server.special["/token"] = lambda _: Answer(200, body)
    assert "gave a token that cannot be read" in refused(server, registry_access.Access(CI)).message


def test_access_token_and_realm_with_a_query(serve: Serve) -> None:
    server = serve(login="token")
    server.realm = server.url + "/token?account=1"
    body = json.dumps({"access_token": TOKEN}).encode()
    server.special["/token"] = lambda said: Answer(200 if said == BASIC else 401, body)
    assert pin(server, registry_access.Access(CI)).platforms
    assert "/token?account=1&service=here" in server.seen[1][0]


# as people meet it

def test_on_the_command_line(serve: Serve, tmp_path: Path) -> None:
    server = serve(login="token")
    app = tmp_path / "app"
    app.mkdir()
    (app / "compose.yaml").write_text(f"name: app\nservices: {{web: {{image: '{server.name}/team/app:${{VERSION}}'}}}}\n")
    (tmp_path / "lading.yaml").write_text(
        f"lading: 1\nhosts: {{web1: {{}}}}\nregistries:\n  {server.name}: {{username: ci, password: {{env: P}}}}\n")

    def bundle(version: str, password: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "lading", "bundle", "-C", str(app), "-o", str(tmp_path / "out"), "--version", version]
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LADING_CONFIG": str(tmp_path / "lading.yaml"), "P": password}
        return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)

    for version, password, words in (("2.0", PASSWORD, "hint: there are: 1.0"), ("1.0", "wrong", "refuses the credentials of ci")):
        done = bundle(version, password)
        assert (done.returncode, words in done.stderr, (tmp_path / "out").exists()) == (2, True, False), done.stderr
        assert "error: " in done.stderr and "Traceback" not in done.stderr
    done = bundle("1.0", PASSWORD)
    assert done.returncode == 0, done.stderr
    assert digest(server.images["team/app:1.0"]) in (tmp_path / "out/compose.overlay.yaml").read_text()
