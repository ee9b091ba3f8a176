"""A registry over HTTP: tag → index digest, platforms, tags (OCI distribution specification)."""

import asyncio
import base64
import difflib
import hashlib
import json
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

from lading import errors
from lading.compose import reference

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
ACCEPT = ", ".join([
    *INDEXES, "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
])
BODY_LIMIT = 4 * 1024 * 1024  # bytes
PAGE_LIMIT = 20
TIMEOUT = 15.0  # seconds a request may take


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and password; *origin* says where they come from, for messages."""

    username: str
    password: str = field(repr=False)
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """How a registry is reached: credentials, path of its CA's certificate, whether plain HTTP will do."""

    credentials: Credentials | None = None
    ca: str = ""
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Pinned:
    """What a reference is now: its index digest, and the platforms it is there for ("linux/amd64"; () = not said)."""

    digest: str
    platforms: tuple[str, ...] = ()


async def resolve(images: Sequence[str], access: Callable[[str], Access]) -> dict[str, Pinned]:
    """The digests of *images*, each asked of its own registry, all at once.

    Raises:
        RegistryError: one is not there (with the nearest tags), or its registry does not answer as it should.
    """
    names = dict.fromkeys(reference.parse(image).registry for image in images)
    clients = {name: Registry(name, access(name)) for name in names}
    try:
        found = await asyncio.gather(*(clients[reference.parse(i).registry].pin(i) for i in images))
    finally:
        for client in clients.values():
            await client.close()
    return dict(zip(images, found, strict=True))


class Registry:
    """One registry; tokens are kept per scope for as long as this object lives."""

    def __init__(self, name: str, access: Access) -> None:
        self.name, self.access = name, access
        host = "registry-1.docker.io" if name == "docker.io" else name
        local = host.rpartition(":")[0] in ("localhost", "127.0.0.1") or host in ("localhost", "127.0.0.1")
        self.base = f"{'http' if local or access.insecure else 'https'}://{host}"
        try:
            verify: Any = ssl.create_default_context(cafile=access.ca) if access.ca else True
        except (OSError, ssl.SSLError) as wrong:
            raise errors.RegistryError(f"the CA file of registry {name} cannot be used: {wrong}",
                                       "correct registries: … ca: in lading.yaml", file=access.ca) from wrong
        self.client = httpx2.AsyncClient(timeout=TIMEOUT, verify=verify, follow_redirects=False)
        self.tokens: dict[str, str] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()

    async def ping(self) -> None:
        """Whether it answers, and lets us in.

        Raises:
            RegistryError: it does not.
        """
        status, _, _ = await self._ask("GET", "/v2/", "")
        if status != 200:
            raise self._odd(f"answered {status} at /v2/")

    async def pin(self, image: str) -> Pinned:
        """The digest of one image, of the index where there is one, and its platforms."""
        parsed = reference.parse(image)
        wanted = parsed.digest or parsed.tag
        path = f"/v2/{parsed.repository}/manifests/{wanted}"
        status, headers, body = await self._ask("GET", path, parsed.repository)
        if status == 404:
            raise await self._absent(image, parsed)
        if status != 200:
            raise self._odd(f"answered {status} for {image}")
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        said = headers.get("docker-content-digest", digest)
        if said != digest or (parsed.digest and parsed.digest != digest):
            raise self._odd(f"says that {image} is {said[:80]}, but its content is {digest}")
        return Pinned(digest, self._platforms(body))

    def _platforms(self, body: bytes) -> tuple[str, ...]:
        try:
            manifests = json.loads(body).get("manifests", [])
            found = [m["platform"] for m in manifests if "platform" in m]
            words = ["/".join(filter(None, (p["os"], p["architecture"], p.get("variant", "")))) for p in found]
        except (ValueError, AttributeError, KeyError, TypeError) as wrong:
            raise self._odd("sent a manifest that cannot be read") from wrong
        return tuple(word for word in words if not word.startswith("unknown"))

    async def tags(self, repository: str) -> tuple[str, ...]:
        """All tags of a repository, as far as PAGE_LIMIT pages go."""
        path, found = f"/v2/{repository}/tags/list?n=1000", []
        for _ in range(PAGE_LIMIT):
            status, headers, body = await self._ask("GET", path, repository)
            if status != 200:
                break
            try:
                found += [str(tag) for tag in json.loads(body).get("tags") or []]
            except (ValueError, AttributeError, TypeError) as wrong:
                raise self._odd("sent a list of tags that cannot be read") from wrong
            link = re.match(r'<([^>]+)>; *rel="?next', headers.get("link", ""))
            if not link:
                break
            path = link[1] if link[1].startswith("/") else "/" + link[1].partition("//")[2].partition("/")[2]
        return tuple(found)

    async def _absent(self, image: str, parsed: reference.Reference) -> errors.RegistryError:
        tags = await self.tags(parsed.repository)
        near = difflib.get_close_matches(parsed.tag, tags, 5, 0.0) if parsed.tag else []
        hint = f"there are: {', '.join(near)}" if near else f"the repository {parsed.repository} has no tags there"
        return errors.RegistryError(f"{image} is not in its registry", hint)

    def _odd(self, what: str) -> errors.RegistryError:
        return errors.RegistryError(f"registry {self.name} {what}", "look at the registry; no host was contacted")

    async def _ask(self, method: str, path: str, repository: str) -> tuple[int, Mapping[str, str], bytes]:
        scope = f"repository:{repository}:pull" if repository else ""
        answer = await self._send(method, self.base + path, self.tokens.get(scope, ""))
        if answer[0] == 401:
            self.tokens[scope] = await self._authorise(answer[1].get("www-authenticate", ""), scope)
            answer = await self._send(method, self.base + path, self.tokens[scope])
        if answer[0] in (401, 403):
            known = self.access.credentials
            who = f"the credentials of {known.username} ({known.origin})" if known else "no credentials"
            raise errors.RegistryError(f"registry {self.name} refuses {who}",
                                       f"registries: {self.name}: in lading.yaml, or docker login {self.name}")
        return answer

    async def _authorise(self, challenge: str, scope: str) -> str:
        kind, _, rest = challenge.partition(" ")
        known = self.access.credentials
        basic = "" if known is None else "Basic " + base64.b64encode(
            f"{known.username}:{known.password}".encode()).decode()
        if kind.lower() != "bearer":
            return basic
        words = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        realm = words.get("realm", "")
        if urlsplit(realm).scheme not in ("https", urlsplit(self.base).scheme) or not urlsplit(realm).hostname:
            raise self._odd(f"asks for a token at {realm[:80]!r}")
        asked = {"service": words.get("service", ""), "scope": words.get("scope", scope)}
        query = {key: value for key, value in asked.items() if value}
        status, _, body = await self._send("GET", str(httpx2.URL(realm, params=query)), basic)
        try:
            got = json.loads(body)
            token = (got.get("token") or got["access_token"]) if status == 200 else ""
        except (ValueError, AttributeError, KeyError, TypeError) as wrong:
            raise self._odd("gave a token that cannot be read") from wrong
        return f"Bearer {token}" if isinstance(token, str) and token else basic

    async def _send(self, method: str, url: str, authorization: str) -> tuple[int, Mapping[str, str], bytes]:
        """One request, redirects followed without credentials to other hosts; the body is bounded."""
        for _ in range(5):
            headers = {"Accept": ACCEPT, **({"Authorization": authorization} if authorization else {})}
            try:
                async with asyncio.timeout(TIMEOUT * 2), self.client.stream(method, url, headers=headers) as got:
                    if got.is_redirect:
                        target = urljoin(url, got.headers.get("location", ""))
                        if urlsplit(target).netloc != urlsplit(url).netloc:
                            authorization = ""
                        url = target
                        continue
                    return got.status_code, got.headers, await self._body(got)
            except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, OSError, ValueError) as lost:
                raise errors.RegistryError(f"registry {self.name} does not answer: {_reason(lost)}",
                                           self._help(lost)) from lost
        raise self._odd("redirects in circles")

    def _help(self, lost: BaseException) -> str:
        if "CERTIFICATE" in str(lost).upper():
            return f"registries: {self.name}: ca: FILE in lading.yaml names the certificate of its CA"
        return f"is it up? registries: {self.name}: in lading.yaml (insecure: true for plain HTTP)"

    async def _body(self, got: Any) -> bytes:
        chunks, size = [], 0
        async for chunk in got.aiter_bytes():
            size += len(chunk)
            if size > BODY_LIMIT:
                raise self._odd(f"sends more than {BODY_LIMIT >> 20} MiB where a manifest should be")
            chunks.append(chunk)
        return b"".join(chunks)


def _reason(lost: BaseException) -> str:
    return str(lost).splitlines()[0][:200] if str(lost) else type(lost).__name__
