"""What a host refuses, in words for people, and as errors (pure)."""

from lading import errors
from lading.drivers import base

_LEADS = {
    "busy": "another command of lading still runs there",
    base.LOST_LEASE: "another deployment has taken the app over",
    "phase": "the deployment is in another phase there",
    "upload": "the upload failed",
    "folder": "a shipped folder that was changed by hand cannot be put right",
    "login": "the registry refused the login",
    "pull": "an image cannot be pulled",
    "gone": "an image is not on the host any more, and its registry does not give it",
    "absent": "pull_policy: never, and the host does not have the image (docker load brings it there)",
    "unsent": "an image that was sent to the host once is not there any more",
    "local": "an image cannot be sent from this machine",
    "load": "the host's engine does not take an image that was sent to it",
    "content": "the host's engine has another image than the one that was sent to it",
    "stopped": "interrupted",
    "config": "the host's Compose refuses the file",
    "network": "a network",
    "hook": "the hook cannot run",
    "elsewhere": "lading keeps the app in another state folder there",
    "state": "lading's folder cannot be used",
    "remove": "something could not be removed",
    "start": "a container that had died could not be started",
    "container": "the container does not run",
    "engine": "its engine",
    "volume": "a volume that it mounts does not exist",
    "broken": "the command on the host",
}
_FOLDER = "; put that right by hand, as root or whoever made it, then run the command again"
SHARED = "/var/lib/lading"
WAYS = ("wait until it has ended (deploy, rollback, restart and remove do so with --wait 10m); "
        "if that deployment is dead: --take-lease")
"""What can be done about a lease that somebody else holds."""
_UNSENT = "; deploy its version again (--push-images), or choose another release: --release ID"
_GONE = "; put it back there (docker pull, docker load), or choose another release: --release ID"


def describe(kind: str, text: str) -> str:
    """A refusal in words: what it is about, then what the host said."""
    said = holder(text) if kind in (base.LOST_LEASE, base.HELD) else _one_line(text)
    if kind == "gone":
        said += _GONE
    if kind == "folder":
        said += _FOLDER
    if kind == "unsent":
        said += _UNSENT
    lead = _LEADS.get(kind, kind) or "the host refused, and does not say what"
    return f"{lead}: {said}" if said else lead


def holder(text: str) -> str:
    """Who holds the app, by the lease file that a refusal shows."""
    lease = _fields(text)
    return f"deployment {lease.get('deployment') or '?'} of {lease.get('holder') or 'somebody'}"


def _one_line(text: str) -> str:
    return "; ".join(line for line in text.splitlines() if line.strip())


def _fields(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def lease_error(host: str, app: str, kind: str, text: str) -> errors.LadingError:
    """The error for a lease that was refused: who holds it, since when, what to type."""
    if kind == base.HELD:
        lease = _fields(text)
        link = f", {lease['url']}" if lease.get("url") else ""
        return errors.LeaseHeldError(
            f"{app} on {host} is held by {lease.get('holder', 'somebody')} (deployment "
            f"{lease.get('deployment', '?')}, since {lease.get('since', '?')}{link})",
            WAYS, host=host, step="lease")
    if kind == "busy":
        return errors.LeaseHeldError(
            f"{app} on {host}: a command of another deployment still runs: {text.strip()}",
            f"wait until it has ended (deploy, rollback, restart and remove do so with --wait 10m); lading where {app}", host=host, step="lease")
    if kind == "open":
        return errors.LeaseHeldError(
            f"deployment {text.strip()} of {app} is open on {host}, and began after this one looked",
            "run the command again", host=host, step="lease")
    if kind == "format":
        return errors.ForeignError(
            f"the state on {host} has format {text.strip()}, this lading knows 1",
            "install the newer lading", host=host, step="lease")
    if kind == "elsewhere":
        folder, _, user = text.strip().partition("\n")
        return errors.ForeignError(
            f"lading keeps {app} on {host} in another state folder of the same engine: {folder}, of user {user}",
            f"deploy it as that user, or make {SHARED} on {host} for all who use this engine and move {folder} there, "
            f"to {SHARED}/apps; if nobody uses that folder any more: on {host}, docker volume rm lading-state-{app}",
            host=host, step="lease")
    return errors.PreflightError(describe(kind, text), f"lading check {host}", host=host, step="lease")
