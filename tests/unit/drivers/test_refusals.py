"""What hosts refuse, in words and as errors."""

import pytest

from lading import errors
from lading.drivers import refusals


@pytest.mark.parametrize(("kind", "text", "said"), [
    ("pull", "r/web:1\n\nno route\n", "an image cannot be pulled: r/web:1; no route"),
    ("busy", "", "another command of lading still runs there"),
    ("gone", "r/web:1\nmanifest unknown",
     "an image is not on the host any more, and its registry does not give it: r/web:1; manifest unknown; "
     "put it back there (docker pull, docker load), or choose another release: --release ID"),
    ("unsent", "r/web:1\n",
     "an image that was sent to the host once is not there any more: r/web:1; "
     "deploy its version again (--push-images), or choose another release: --release ID"),
    ("folder", "conf/nginx.d/old",
     "a shipped folder that was changed by hand cannot be put right: conf/nginx.d/old; "
     "put that right by hand, as root or whoever made it, then run the command again"),
    ("fence", "deployment=d2\nholder=bob@laptop\n",
     "another deployment has taken the app over: deployment d2 of bob@laptop"),
    ("held", "", "held: deployment ? of somebody"),
    ("strange", "word", "strange: word"),
    ("strange", "", "strange"),
    ("", "", "the host refused, and does not say what"),
])
def test_a_refusal_in_words(kind: str, text: str, said: str) -> None:
    assert refusals.describe(kind, text) == said


LEASE = "deployment=d1\nholder=ann@laptop\nsince=then\nurl=https://ci/1\n"


@pytest.mark.parametrize(("refused", "text", "kind", "said", "hint"), [
    ("held", LEASE, errors.LeaseHeldError,
     "shop on web1 is held by ann@laptop (deployment d1, since then, https://ci/1)",
     "do so with --wait 10m); if that deployment is dead: --take-lease"),
    ("held", "", errors.LeaseHeldError, "held by somebody (deployment ?, since ?)", "--take-lease"),
    ("busy", "d1 roll since then, pid 7\n", errors.LeaseHeldError, "still runs: d1 roll since then, pid 7",
     "--wait 10m); lading where shop"),
    ("open", "d7", errors.LeaseHeldError, "deployment d7 of shop is open on web1", "again"),
    ("format", "2\n", errors.ForeignError, "has format 2, this lading knows 1", "newer lading"),
    ("state", "cannot write /x", errors.PreflightError, "lading's folder cannot be used: cannot write /x",
     "lading check web1"),
])
def test_a_refused_lease(
    refused: str, text: str, kind: type[errors.LadingError], said: str, hint: str
) -> None:
    error = refusals.lease_error("web1", "shop", refused, text)
    assert (type(error), error.host, error.step) == (kind, "web1", "lease")
    assert said in error.message
    assert hint in error.hint
