"""What scripts on a host refuse, in words for people (pure)."""

from lading import errors


def refusal(text: str) -> str:
    """A refusal of a script in words: its kind, then what it said."""
    kind, _, rest = text.partition("\n")
    said = _holder(rest) if kind == "fence" else "; ".join(line for line in rest.splitlines() if line.strip())
    words = {
        "busy": "another command of lading still runs there", "fence": "another deployment has taken the app over",
        "upload": "the upload failed", "login": "the registry refused the login", "pull": "an image cannot be pulled",
        "gone": "an image is not on the host any more, and its registry does not give it",
        "absent": "pull_policy: never, and the host does not have the image (docker load brings it there)", "config": "the host's Compose refuses the file",
        "network": "a network", "hook": "the hook cannot run",
        "state": "lading's folder cannot be used", "remove": "something could not be removed",
    }
    if kind == "changed":
        service, _, why = said.partition("; ")
        return f"{service} does not run any more as it was judged: {why or 'somebody else changed or stopped it'}"
    if kind == "gone":
        said += "; put it back there (docker pull, docker load), or choose another release: --release ID"
    lead = words.get(kind, kind) or "it refused without a word"
    return f"{lead}: {said}" if said else lead


def overtaken(text: str) -> str:
    """Who holds the app now, if a refusal says that somebody has taken it over, else ""."""
    kind, _, rest = text.partition("\n")
    return _holder(rest) if kind == "fence" else ""


def _holder(rest: str) -> str:
    lease = _lease(rest)
    return f"deployment {lease.get('deployment') or '?'} of {lease.get('holder') or 'somebody'}"


def _lease(rest: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in rest.splitlines() if "=" in line)


def refused(host: str, app: str, text: str) -> errors.LadingError:
    """The error for a refused lease: who holds it, since when, how to take it."""
    kind, _, rest = text.partition("\n")
    if kind in ("held", "busy", "fence"):
        lease = _lease(rest)
        who = lease.get("holder", "somebody")
        link = f", {lease['url']}" if lease.get("url") else ""
        if kind == "held":
            return errors.LeaseHeldError(
                f"{app} on {host} is held by {who} (deployment {lease.get('deployment', '?')}, since "
                f"{lease.get('since', '?')}{link}; free in {lease.get('left', '?')} s at the latest)",
                "wait, or add --take-lease if that deployment is dead", host=host, step="lease")
        return errors.LeaseHeldError(f"{app} on {host}: a command of another deployment still runs: {rest.strip()}",
                                     f"wait for it; lading where {app}", host=host, step="lease")
    if kind == "format":
        return errors.ForeignError(f"the state on {host} has format {rest.strip()}, this lading knows 1",
                                   "install the newer lading", host=host, step="lease")
    return errors.PreflightError(refusal(text), f"lading check {host}", host=host, step="lease")
