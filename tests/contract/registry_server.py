"""A registry in the test's process: real HTTP(S) on loopback, OCI distribution, and every way to answer wrongly."""

import asyncio
import base64
import datetime
import hashlib
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lading import errors
from lading.compose import registry, registry_access

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
USER, PASSWORD, TOKEN = "ci", "s3cret:€", "token-of-ci"
IDENTITY = "identity-token-of-ci"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server sends, of status 0: nothing, it hangs up; *endless* repeats the body for ever, *drips* sends a byte of it every so many seconds."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    endless: bool = False
    drips: float = 0.0


def manifest(*platforms: str) -> bytes:
    """An index of *platforms* ("os/architecture[/variant]"), or without them a single manifest."""
    if not platforms:
        return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": "sha256:" + "c" * 64}, "layers": []}).encode()
    keys = ("os", "architecture", "variant")
    listed = [{"digest": digest(one.encode()), "platform": dict(zip(keys, one.split("/"), strict=False))} for one in platforms]
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).encode()


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Server:
    """One registry on loopback. *images*: "repository:tag" → manifest; *login*: "", "basic" or "token"; *special*:
    path → what is answered there instead; *page*: tags on a page; *seen*: path and Authorization of each request."""

    def __init__(self, *, login: str = "", tls: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> None:
        self.images: dict[str, bytes] = {}
        self.special: dict[str, Callable[[str], Answer]] = {}
        self.seen: list[tuple[str, str]] = []
        self.posted: list[dict[str, list[str]]] = []
        self.login, self.page, self.realm = login, 1000, ""
        self.closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def do_GET(self) -> None:
                server.answer(self)

            def do_POST(self) -> None:
                server.posted.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                server.answer(self)

            def log_message(self, format: str, *arguments: object) -> None:
                """Quiet."""

        class Listener(ThreadingHTTPServer):
            daemon_threads = False

            def handle_error(self, request: object, client_address: object) -> None:
                """Clients that hang up are what some tests are about."""

        self.listener = Listener((address, 0), Handler)
        self.port = self.listener.server_address[1]
        self.name = f"{address}:{self.port}"
        if tls is not None:
            self.listener.socket = tls.wrap_socket(self.listener.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if tls else 'http'}://{self.name}"
        self.thread = threading.Thread(target=self.listener.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        self.closing.set()
        self.listener.shutdown()
        self.listener.server_close()
        self.thread.join(30)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Send what belongs to a request."""
        said = handler.headers.get("Authorization", "")
        self.seen.append((handler.path, said))
        got = self.route(urlsplit(handler.path).path, parse_qs(urlsplit(handler.path).query), said)
        if not got.status:  # it hangs up
            handler.close_connection = True
            return
        handler.send_response(got.status)
        for name, value in got.headers.items():
            handler.send_header(name, value)
        if not got.endless:
            handler.send_header("Content-Length", str(len(got.body)))
        handler.end_headers()
        for byte in got.body if got.drips else b"":
            if self.closing.wait(got.drips):
                return
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
        while got.endless and not self.closing.is_set():
            handler.wfile.write(got.body)
        if not got.drips:
            handler.wfile.write(got.body)

    def route(self, path: str, query: dict[str, list[str]], said: str) -> Answer:
        if path in self.special:
            return self.special[path](said)
        if path == "/token":
            return self.exchanged(self.posted[-1]) if self.posted else self.token(query, said)
        if not self.allowed(said):
            challenge = f'Bearer realm="{self.realm or self.url + "/token"}",service="here"' if self.login == "token" else "Basic"
            return Answer(401, headers={"WWW-Authenticate": challenge})
        repository, _, kind = path.removeprefix("/v2/").partition("/manifests/")
        if path == "/v2/":
            return Answer(200, b"{}")
        if path.endswith("/tags/list"):
            return self.tags(path.removeprefix("/v2/").removesuffix("/tags/list"), query)
        found = self.images.get(f"{repository}:{kind}") or next(
            (body for name, body in self.images.items() if digest(body) == kind and name.startswith(repository + ":")), None)
        if found is None:
            return Answer(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
        return Answer(200, found, {"Docker-Content-Digest": digest(found)})

    def tags(self, repository: str, query: dict[str, list[str]]) -> Answer:
        every = sorted(name.partition(":")[2] for name in self.images if name.startswith(repository + ":"))
        if not every:
            return Answer(404, b'{"errors": [{"code": "NAME_UNKNOWN"}]}')
        later = [tag for tag in every if tag > query.get("last", [""])[0]]
        body = json.dumps({"name": repository, "tags": later[: self.page]}).encode()
        more = {"Link": f'</v2/{repository}/tags/list?last={later[self.page - 1]}>; rel="next"'} if later[self.page :] else {}
        return Answer(200, body, more)

    def token(self, query: dict[str, list[str]], said: str) -> Answer:
        if said != BASIC or query.get("service") != ["here"]:
            return Answer(401)
        return Answer(200, json.dumps({"token": f"{TOKEN}:{query.get('scope', [''])[0]}"}).encode())

    def exchanged(self, form: dict[str, list[str]]) -> Answer:
        """What an identity token is worth, as OAuth 2 has it."""
        if (form["grant_type"], form["refresh_token"], form["service"]) != (["refresh_token"], [IDENTITY], ["here"]):
            return Answer(401)
        return Answer(200, json.dumps({"access_token": f"{TOKEN}:{form['scope'][0]}"}).encode())

    def allowed(self, said: str) -> bool:
        return {"": True, "basic": said == BASIC, "token": said.startswith(f"Bearer {TOKEN}")}[self.login]


BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def certificate(folder: Path, name: str, address: str = "127.0.0.1") -> tuple[ssl.SSLContext, Path]:
    """A self-signed certificate for *address*: what a server needs, and the file that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    begin = datetime.datetime(2020, 1, 1)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(datetime.datetime(2120, 1, 1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context, folder / f"{name}.pem"


CI = registry_access.Credentials(USER, PASSWORD, "lading.yaml")
Serve = Callable[..., Server]


def pin(server: Server, access: registry_access.Access | None = None, image: str = "team/app:1.0") -> registry_access.Pinned:
    """What lading finds out about an image there."""
    name = f"{server.name}/{image}"
    return asyncio.run(registry.resolve([name], lambda _: access or registry_access.Access()))[name]


def with_config(server: Server, config: bytes, image: str = "team/app:1.0", *, index: bool = True) -> None:
    """An image whose configuration is *config*, behind an index with an attestation, or on its own."""
    one = json.dumps({"schemaVersion": 2, "config": {"digest": digest(config)}, "layers": []}).encode()
    listed = [{"digest": "sha256:" + "0" * 64, "platform": {"os": "unknown", "architecture": "unknown"}},
              {"digest": digest(one), "platform": {"os": "linux", "architecture": "amd64"}}]
    repository = image.partition(":")[0]
    server.images[f"{repository}:one"] = one
    server.images[image] = json.dumps({"schemaVersion": 2, "manifests": listed}).encode() if index else one
    server.special[f"/v2/{repository}/blobs/{digest(config)}"] = lambda said: (
        Answer(200, config) if server.allowed(said) else Answer(401, headers={"WWW-Authenticate": "Basic"}))


def refused(server: Server, access: registry_access.Access | None = None, image: str = "team/app:1.0") -> errors.RegistryError:
    """The error that lading raises for an image there: with a hint, with the right exit code, without a secret."""
    with pytest.raises(errors.RegistryError) as caught:
        pin(server, access, image)
    said = caught.value
    assert (said.exit_code, said.kind, bool(said.hint)) == (2, "registry", True)
    assert all(secret not in said.message + said.hint for secret in (PASSWORD, TOKEN, IDENTITY, BASIC.split()[1]))
    return said
