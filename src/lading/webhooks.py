"""Who is told how a deployment ended, by HTTP: Slack's format, or signed JSON; never in the way of what was deployed (httpx2)."""

import asyncio
import hashlib
import hmac
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from pathlib import Path

import httpx2

from lading import by_reference, errors, secrets
from lading.dataclass import dataclass

FORMAT = 1
TIMEOUT = 5.0  # seconds that one attempt may take
PAUSE = 0.5  # seconds before the second attempt
TIMESTAMP, SIGNATURE = "Lading-Timestamp", "Lading-Signature"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a deployment ended; times are ISO 8601 UTC, *hosts*: host → result; *error*: why it failed, "" if it did not."""

    deployment: str
    verb: str
    app: str
    version: str
    release: str
    destination: str
    result: str
    hosts: Mapping[str, str] = field(default_factory=dict)
    actor: str = ""
    reason: str = ""
    started: str = ""
    finished: str = ""
    error: str = ""
    url: str = ""

    def generic(self) -> bytes:
        """The JSON document of a generic webhook, in the form that its signature is made of; no time is in it twice."""
        told = {
            "v": FORMAT, "deployment": self.deployment, "verb": self.verb, "app": self.app, "version": self.version,
            "release": self.release, "destination": self.destination, "result": self.result, "hosts": dict(self.hosts),
            "actor": self.actor, "reason": self.reason, "started": self.started, "finished": self.finished,
            "error": self.error, "url": self.url,
        }
        return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")

    def slack(self) -> bytes:
        """A message as Slack takes it, and all that are compatible with it: one text, in which nothing is a link or a mention."""
        good = self.result == "succeeded"
        count = len(self.hosts)
        line = f"{'✅' if good else '❌'} {self.app} {self.version} → {self.destination}: {self.verb} {self.result}"
        line += f" ({count} host{'s' if count != 1 else ''}), by {self.actor}" + (f": {self.reason}" if self.reason else "")
        lines = [line, *([f"{self.error}"] if self.error and not good else []), f"deployment {self.deployment}"]
        text = "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return json.dumps({"text": text}).encode()


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """What a receiver makes of the secret, the timestamp's header, a dot and the body, to compare it: HMAC-SHA256, in hex."""
    return "sha256=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


async def tell(
    webhooks: Sequence[by_reference.Webhook], ending: Ending, environment: Mapping[str, str], folder: Path
) -> list[str]:
    """Tell all of them at once; what of it did not work, a sentence each, in which no address and no secret stands.

    *folder*: where the fleet file lies. An attempt takes 5 s at most, and there are two.
    """
    if not webhooks:
        return []
    failures = await asyncio.gather(*(_tell(one, ending, environment, folder) for one in webhooks))
    return [f"the webhook of lading.yaml:{one.url.line} was not told: {why}"
            for one, why in zip(webhooks, failures, strict=True) if why]


async def _tell(one: by_reference.Webhook, ending: Ending, environment: Mapping[str, str], folder: Path) -> str:
    """Tell one; why that failed, or ""."""
    wanted = {"its address": one.url} | ({"its secret": one.secret} if one.secret is not None else {})
    try:
        had = await asyncio.to_thread(secrets.Known(environment, folder).read, wanted)
    except errors.SettingsError as lacking:
        return lacking.message
    url, secret = had["its address"].strip(), had.get("its secret", "").encode()
    if not by_reference.is_address(url):
        return f"what {one.url} holds is no address: https://HOST/PATH"
    body = ending.slack() if one.kind == "slack" else ending.generic()
    why, again = await _attempt(url, body, secret)
    if again:
        await asyncio.sleep(PAUSE)
        why, again = await _attempt(url, body, secret)
    return why + (", twice" if again else "")


async def _attempt(url: str, body: bytes, secret: bytes) -> tuple[str, bool]:
    """Why it failed, or "", and whether to try again. Redirects are not followed: the address was meant for one host."""
    headers = {"Content-Type": "application/json", "User-Agent": "lading"}
    if secret:
        headers[TIMESTAMP] = str(int(datetime.now(UTC).timestamp()))
        headers[SIGNATURE] = signature(secret, headers[TIMESTAMP], body)
    try:
        async with asyncio.timeout(TIMEOUT):
            status = await _post(url, body, headers)
    except TimeoutError:
        return f"no answer within {TIMEOUT:g} s", True
    except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError, ValueError) as wrong:  # their texts may hold the address
        return f"no connection, or it broke ({type(wrong).__name__})", True
    if 200 <= status < 300:
        return "", False
    return f"it answered HTTP {status}", status == 429 or status >= 500


async def _post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """The status of the answer; its body is not read."""
    trust = httpx2.create_ssl_context() if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    async with httpx2.AsyncClient(timeout=TIMEOUT, verify=trust, follow_redirects=False) as client:
        async with client.stream("POST", url, content=body, headers=dict(headers)) as answer:
            return int(answer.status_code)
