"""One registry over HTTP: its manifests, tags and labels; logins, tokens, redirects, patience (OCI distribution specification)."""

import asyncio
import difflib
import functools
import hashlib
import json
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

from lading import errors
from lading.compose import masking, reference, registry_access

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
ACCEPT = ", ".join([
    *INDEXES, "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
])
UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)  # JSON of another shape
TOKEN = re.compile(r"[!-~]+")
TOKEN_HOSTS = {"docker.io": "auth.docker.io", "registry.gitlab.com": "gitlab.com"}  # that give tokens for other hosts
BODY_LIMIT = 4 * 1024 * 1024  # bytes
PAGE_LIMIT = 20
TAG_LIMIT = 20_000
REDIRECT_LIMIT = 5
BUSY = (429, 502, 503, 504)
AT_ONCE = 20  # questions to one registry
HEADER_LIMIT = 8192  # characters of a header that are looked at


def _origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: who is talked to, and how.

    Raises:
        ValueError: it is no URL.
    """
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


@functools.cache
def _machine_trust() -> ssl.SSLContext:
    """The certificates that this machine trusts, for all registries: to read them takes 20 ms of CPU each time."""
    return httpx2.create_ssl_context()


@functools.cache
def _no_trust() -> ssl.SSLContext:
    """Trusts nobody: what HTTP is given, since a client wants a context; it reads no certificates."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _trust_in(name: str, ca: str) -> ssl.SSLContext:
    """The certificates of a registry's own authority.

    Raises:
        RegistryError: the file cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as wrong:
        raise errors.RegistryError(f"the CA file of registry {name} cannot be used: {wrong}",
                                   "correct registries: … ca: in lading.yaml", file=ca) from wrong


class Registry:
    """One registry; tokens are kept per scope for as long as this object lives."""

    def __init__(self, name: str, access: registry_access.Access) -> None:
        if access.by_hosts:
            raise errors.RegistryError(
                f"registry {name} is asked by the hosts only (registries.{name}.resolve: host)",
                "lading plan and lading deploy let the hosts ask it; "
                "to ask it from here: resolve: controller")
        self.name, self.access = name, access
        host = "registry-1.docker.io" if name == "docker.io" else name
        local = host.partition(":")[0] in ("localhost", "127.0.0.1") and not access.ca
        self.base = f"{'http' if local or access.insecure else 'https'}://{host}"
        self._trust = _trust_in(name, access.ca) if access.ca else None
        self._clients: dict[str, httpx2.AsyncClient] = {}  # by scheme
        self.tokens: dict[str, str] = {}
        self.slots = asyncio.Semaphore(AT_ONCE)
        self.failing: float | None = None  # since when, by the clock of `time.monotonic`

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()

    def _client(self, url: str) -> httpx2.AsyncClient:
        """The connections for a URL; whom to trust is read once HTTPS is spoken, and never for HTTP."""
        scheme = "http" if _origin(url)[0] == "http" else "https"
        if scheme not in self._clients:
            trust = self._trust or (_machine_trust() if scheme == "https" else _no_trust())
            self._clients[scheme] = httpx2.AsyncClient(timeout=self.access.timeout, verify=trust, follow_redirects=False)
        return self._clients[scheme]

    async def ping(self) -> None:
        """Whether it answers, and lets us in.

        Raises:
            RegistryError: it does not.
        """
        status, headers, body = await self._ask(self.base + "/v2/", "")
        if status != 200:
            raise self._odd_status(status, headers, "at /v2/", body)

    async def pin(self, image: str) -> registry_access.Pinned:
        """The digest of one image, of the index where there is one, and its platforms."""
        parsed = reference.parse(image)
        body = await self._manifest(image, parsed, parsed.digest or parsed.tag)
        platforms = self._platforms(body) or await self._platform(parsed, body)
        return registry_access.Pinned(f"sha256:{hashlib.sha256(body).hexdigest()}", platforms)

    async def contents(self, image: str) -> frozenset[str] | None:
        """The digests by which an engine may know what is under a tag: of the index or manifest, and of the configurations
        of its platforms; None if nothing is there."""
        parsed = reference.parse(image)
        if (await self._ask(self._url(f"manifests/{parsed.tag}", parsed), parsed.repository))[0] == 404:
            return None
        body = await self._manifest(image, parsed, parsed.tag)
        found = {f"sha256:{hashlib.sha256(body).hexdigest()}"}
        try:
            named = [_digest(one) for one in json.loads(body).get("manifests", ())[:PAGE_LIMIT]]
            manifests = [await self._manifest(image, parsed, one) for one in named]
            found |= {_digest(json.loads(one)["config"]) for one in manifests or [body]}
        except UNREADABLE as wrong:
            raise self._odd("sent something that is no manifest") from wrong
        return frozenset({*found, *named})

    async def labels(self, image: str) -> Mapping[str, str]:
        """The labels of one image; where there is an index, of the first platform in it."""
        parsed = reference.parse(image)
        body = await self._manifest(image, parsed, parsed.digest or parsed.tag)
        try:
            listed = [m for m in json.loads(body).get("manifests", ()) if m.get("platform", {}).get("os") != "unknown"]
            if listed:
                body = await self._manifest(image, parsed, _digest(listed[0]))
            named = _digest(json.loads(body)["config"])
        except UNREADABLE as wrong:
            raise self._odd("sent something that is no manifest") from wrong
        config = await self._content(f"blobs/{named}", image, parsed, named)
        try:
            found = json.loads(config).get("config", {}).get("Labels") or {}
            return {str(name): str(value) for name, value in found.items()}
        except UNREADABLE as wrong:
            raise self._odd(f"sent a configuration of {image} that cannot be read") from wrong

    def _url(self, path: str, parsed: reference.Reference) -> str:
        return f"{self.base}/v2/{parsed.repository}/{path}"

    async def _manifest(self, image: str, parsed: reference.Reference, wanted: str) -> bytes:
        """A manifest by tag or digest."""
        return await self._content(f"manifests/{wanted}", image, parsed, wanted)

    async def _content(self, path: str, image: str, parsed: reference.Reference, wanted: str) -> bytes:
        """A manifest or a blob of an image's repository; one that is asked for by digest has that digest."""
        status, headers, body = await self._ask(self._url(path, parsed), parsed.repository)
        if status == 404:
            raise await self._absent(image, parsed)
        if status != 200:
            raise self._odd_status(status, headers, f"for {image}", body)
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        said = headers.get("docker-content-digest", digest)
        if said != digest or (reference.DIGEST.match(wanted) and wanted != digest):
            raise self._odd(f"says that {image} is {said[:80]}, but its content is {digest}")
        return body

    def _platforms(self, body: bytes) -> tuple[str, ...]:
        try:
            manifest = json.loads(body)
            if "manifests" not in manifest:
                manifest["config"]["digest"]
                return ()
            words = [_platform(m["platform"]) for m in manifest["manifests"] if "platform" in m]
        except UNREADABLE as wrong:
            raise self._odd("sent something that is no manifest") from wrong
        return tuple(word for word in words if not word.startswith("unknown"))

    async def _platform(self, parsed: reference.Reference, body: bytes) -> tuple[str, ...]:
        """The platform of an image without an index, as its configuration has it; () if the registry does not tell it."""
        try:
            named = _digest(json.loads(body)["config"])
            status, _, config = await self._ask(f"{self.base}/v2/{parsed.repository}/blobs/{named}", parsed.repository)
            if status != 200 or f"sha256:{hashlib.sha256(config).hexdigest()}" != named:
                return ()
            return (_platform(json.loads(config)),)
        except UNREADABLE:  # what is no image, such as a chart, runs nowhere and says no platform
            return ()

    async def tags(self, repository: str) -> tuple[str, ...]:
        """The tags of a repository, as far as PAGE_LIMIT pages and TAG_LIMIT tags go; () if it is not there."""
        url, found = f"{self.base}/v2/{repository}/tags/list?n=1000", dict[str, None]()
        for _ in range(PAGE_LIMIT):
            status, headers, body = await self._ask(url, repository)
            if status == 404:
                break
            if status != 200:
                raise self._odd_status(status, headers, f"for the tags of {repository}", body)
            try:
                listed = json.loads(body)["tags"] or []
                found |= {tag: None for tag in listed[:TAG_LIMIT] if reference.TAG.fullmatch(tag)}
                links = re.findall(r'<([^>]+)>\s*;\s*rel="?next\b', headers.get("link", "")[:HEADER_LIMIT])
                url = urljoin(url, links[0]) if links else ""
                onward = bool(links) and _origin(url) == _origin(self.base)
            except UNREADABLE as wrong:
                raise self._odd("sent a list of tags that cannot be read") from wrong
            if not onward or len(found) > TAG_LIMIT:
                break
        return tuple(found)[:TAG_LIMIT]

    async def _absent(self, image: str, parsed: reference.Reference) -> errors.RegistryError:
        """The refusal of an image that is not there, with the five nearest tags."""
        message = f"{image} is not in its registry"
        try:
            async with asyncio.timeout(self.access.timeout):
                tags = await self.tags(parsed.repository)
        except TimeoutError:
            return errors.RegistryError(message, "which tags there are is not known: to list them takes too long")
        except errors.RegistryError as unknown:
            return errors.RegistryError(message, f"which tags there are is not known: {unknown.message}")
        near = ", ".join(difflib.get_close_matches(parsed.tag, tags, 5, 0.0))
        if parsed.digest and tags:
            near = f"{near or tags[0]}, with other content: the digest {parsed.digest[:19]}… is not there"
        return errors.RegistryError(message, f"there are: {near}" if near else
                                    f"the repository {parsed.repository} has no tags there")

    def _odd(self, what: str) -> errors.RegistryError:
        return errors.RegistryError(f"registry {self.name} {what}", "look at the registry; no host was contacted")

    def _odd_status(self, status: int, headers: Mapping[str, str], where: str, body: bytes) -> errors.RegistryError:
        if status != 429:
            return self._odd(f"answered {status} {where}{self._said(body)}")
        later = headers.get("retry-after", "")
        hint = f"wait {later} s, then the same command" if later.isdecimal() and len(later) < 7 else "wait, then the same command"
        return errors.RegistryError(f"registry {self.name} is asked too often (429){self._said(body)}",
                                    hint if self.access.credentials else f"{hint}; logged-in users may ask more often")

    def _said(self, body: bytes) -> str:
        """The registry's own words in the body of a refusal, to be put behind ours; without what it must not repeat."""
        said = "; ".join(_messages(body))
        known = self.access.credentials
        if known is not None:
            said = masking.hidden(said, {"password": known.password.encode()}, {})
        return f": {said}" if said else ""

    def _refusal(self, repository: str, body: bytes) -> errors.RegistryError:
        known, what = self.access.credentials, f" for {repository}" if repository else ""
        said = f"refuses the credentials of {known.username} ({known.origin}){what}" if known else (
            f"wants a login{what}: {self.access.lack}")
        return errors.RegistryDeniedError(f"registry {self.name} {said}{self._said(body)}", (f"correct registries: {self.name}: in lading.yaml, or: "
                                    f"docker login {self.name}; is the name of the image right?"))

    async def _ask(self, url: str, repository: str) -> tuple[int, Mapping[str, str], bytes]:
        """One question, asked again with a token or a password if the registry wants one."""
        scope = f"repository:{repository}:pull" if repository else ""
        answer = await self._send(url, self.tokens.get(scope, ""))
        if answer[0] == 401:
            self.tokens[scope] = await self._authorise(answer[1].get("www-authenticate", ""), scope, repository)
            answer = await self._send(url, self.tokens[scope])
        if answer[0] in (401, 403):
            raise self._refusal(repository, answer[2])
        return answer

    async def _authorise(self, challenge: str, scope: str, repository: str) -> str:
        """The value of the header Authorization that answers a challenge; "" if we have nothing to say."""
        kind, _, rest = challenge[:HEADER_LIMIT].partition(" ")
        known = self.access.credentials
        basic = "" if known is None else known.as_basic()
        if kind.lower() != "bearer":
            return basic
        words = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        realm = self._realm(words.get("realm", ""))
        if basic:
            self._check_may_know(realm)
        asked = {"service": words.get("service", ""), "scope": words.get("scope", scope)}
        status, headers, body = await self._token(realm, {key: value for key, value in asked.items() if value}, basic)
        if status in (400, 401, 403):
            raise self._refusal(repository, body)
        if status != 200:
            raise self._odd_status(status, headers, "where tokens are given", body)
        try:
            got = json.loads(body)
            return f"Bearer {TOKEN.fullmatch(got.get('token') or got['access_token'])[0]}"  # type: ignore[index]
        except UNREADABLE as wrong:
            raise self._odd("gave a token that cannot be read") from wrong

    async def _token(
        self, realm: httpx2.URL, asked: Mapping[str, str], basic: str,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """What the token service answers: to an identity token as OAuth 2 has it, else, or if it knows no such, to a GET."""
        known = self.access.credentials
        if known is not None and known.identity:
            form = {"grant_type": "refresh_token", "client_id": "lading", "refresh_token": known.password, **asked}
            answer = await self._send(str(realm), "", form)
            if answer[0] not in (404, 405, 501):
                return answer
        return await self._send(str(realm.copy_merge_params(dict(asked))), basic)

    def _realm(self, text: str) -> httpx2.URL:
        """The URL at which the registry wants a token to be asked for."""
        try:
            realm = httpx2.URL(text)
            good = realm.scheme in ("https", urlsplit(self.base).scheme) and realm.host and not realm.userinfo
        except (httpx2.InvalidURL, ValueError):
            good = ""
        if not good:
            raise self._odd(f"asks for a token at {text[:80]!r}")
        return realm

    def _check_may_know(self, realm: httpx2.URL) -> None:
        """Refuse to send the credentials to a host that neither is the registry's nor was named by the user.

        The registry's own host is good by any port, over HTTP only where the registry itself is asked over HTTP; any other
        host only over HTTPS.
        """
        own, asked = urlsplit(self.base).hostname, realm.host.lower()
        if asked == own:
            return
        where = asked if realm.port in (None, 443) else f"{asked}:{realm.port}"
        if realm.scheme == "https" and where in (self.access.auth, TOKEN_HOSTS.get(self.name)):
            return
        raise errors.RegistryError(
            f"registry {self.name} wants its credentials to be sent to another host: {realm.scheme}://{where[:80]}",
            "they were not sent" + (f"; if that host is right: registries: {{{json.dumps(self.name)}: {{auth: {where[:80]}}}}} in lading.yaml"
                                    if realm.scheme == "https" else ": that host is not asked over HTTPS"),
        )

    async def _send(
        self, url: str, authorization: str, form: Mapping[str, str] | None = None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One question, or a *form*; asked again while the registry is busy or hangs up, for as long as there is patience."""
        for pause in _pauses():
            try:
                answer = await self._once(url, authorization, form)
            except errors.RegistryError as lost:
                if not _hung_up(lost.__cause__) or not await self._wait(pause):
                    raise
                continue
            if answer[0] not in BUSY:
                self.failing = None
                return answer
            later = _retry_after(answer[1].get("retry-after", "")) or 0.0
            if not await self._wait(max(pause, later)):
                return answer
        raise AssertionError("pauses have no end")

    async def _wait(self, pause: float) -> bool:
        """Wait before the next try; False, at once, if that would be longer than all tries together may take."""
        now = time.monotonic()
        if self.failing is None:
            self.failing = now
        if now + pause > self.failing + self.access.patience:
            return False
        await asyncio.sleep(pause)
        return True

    async def _once(
        self, url: str, authorization: str, form: Mapping[str, str] | None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One GET; redirects are followed, to others without credentials, never from HTTPS to HTTP; bounded.

        A *form* is posted, and follows no redirect.
        """
        method = "GET" if form is None else "POST"
        try:
            async with self.slots, asyncio.timeout(self.access.timeout):
                for _ in range(REDIRECT_LIMIT):
                    sent = {"Accept": ACCEPT, "Accept-Encoding": "identity"}
                    sent |= {"Authorization": authorization} if authorization else {}
                    async with self._client(url).stream(method, url, headers=sent, data=form) as got:
                        if form is not None or not got.is_redirect:
                            return got.status_code, got.headers, await self._body(got)
                        target = urljoin(url, got.headers.get("location", ""))
                    before, after = _origin(url), _origin(target)
                    if after[0] not in (before[0], "https"):
                        raise self._odd(f"redirects to {target[:80]!r}")
                    url, authorization = target, authorization if before == after else ""
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, OSError, ValueError) as lost:
            raise errors.RegistryError(f"registry {self.name} does not answer: {_reason(lost)}",
                                       self._help(lost)) from lost
        raise self._odd("redirects in circles")

    def _help(self, lost: BaseException) -> str:
        if "CERTIFICATE" in str(lost).upper():
            return f"registries: {self.name}: ca: FILE in lading.yaml names the certificate of its CA"
        return (f"is it up? registries: {self.name}: in lading.yaml (insecure: true for plain HTTP; "
                "resolve: host where only the hosts reach it)")

    async def _body(self, got: Any) -> bytes:
        chunks, size = [], 0
        if got.headers.get("content-encoding", "identity") != "identity":
            raise self._odd("sends compressed what was asked for as it is")
        async for chunk in got.aiter_raw():
            size += len(chunk)
            if size > BODY_LIMIT:
                raise self._odd(f"sends more than {BODY_LIMIT >> 20} MiB where a manifest should be")
            chunks.append(chunk)
        return b"".join(chunks)


def _pauses() -> Iterator[float]:
    """Seconds before each next try: half a second, and twice as long each time."""
    return (min(0.5 * 2**number, registry_access.PATIENCE / 2) for number in count())


def _retry_after(text: str) -> float | None:
    """The seconds that a header Retry-After asks to wait, as a number or a date; None if it says nothing."""
    text = text.strip()[:64]
    if text.isdecimal() and text.isascii():
        return float(text)
    try:
        then = parsedate_to_datetime(text)
        return max(0.0, (then - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _hung_up(lost: BaseException | None) -> bool:
    """Whether a connection that was there went away: another may hold."""
    if isinstance(lost, httpx2.RemoteProtocolError):
        return "disconnected" in str(lost) or "closed connection" in str(lost)
    return isinstance(lost, httpx2.ReadError | httpx2.WriteError | ConnectionResetError)


def _messages(body: bytes) -> list[str]:
    """What `errors[].message` say, in one line each: printable, short, each once."""
    try:
        listed = [one["message"] for one in json.loads(body)["errors"][:3]]
    except UNREADABLE:
        return []
    shown = ("".join(sign if sign.isprintable() else " " for sign in one[:200]) for one in listed if isinstance(one, str))
    return list(dict.fromkeys(" ".join(one.split()) for one in shown if one.strip()))


def _platform(said: Mapping[str, Any]) -> str:
    """A platform in Docker's words, such as linux/arm/v7.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    word = "/".join(filter(None, (said["os"], said["architecture"], said.get("variant", ""))))
    if not word.isprintable():
        raise ValueError("a platform with control characters")
    return word


def _digest(named: Mapping[str, Any]) -> str:
    """The digest that a descriptor names.

    Raises:
        ValueError: it is none.
    """
    if not reference.DIGEST.match(named["digest"]):
        raise ValueError(named["digest"])
    return str(named["digest"])


def _reason(lost: BaseException) -> str:
    if isinstance(lost, TimeoutError | httpx2.TimeoutException):
        return "it takes too long"
    return str(lost).splitlines()[0][:200] if str(lost) else type(lost).__name__
