"""What scripts refuse, in words."""

import pytest

from lading import errors
from lading.engines import words


@pytest.mark.parametrize(("text", "said"), [
    ("pull\nr/web:1\n\nno route\n", "an image cannot be pulled: r/web:1; no route"), ("busy\n", "another command of lading still runs there"),
    ("gone\nr/web:1\nmanifest unknown", "an image is not on the host any more, and its registry does not give it: r/web:1; manifest unknown; "
     "put it back there (docker pull, docker load), or choose another release: --release ID"), ("strange\nword", "strange: word"), ("strange", "strange"),
])
def test_a_refusal_in_words(text: str, said: str) -> None:
    assert words.refusal(text) == said


LEASE = "held\ndeployment=d1\nholder=ann@laptop\nsince=then\nurl=https://ci/1\nleft=70\n"


@pytest.mark.parametrize(("text", "kind", "said", "hint"), [
    (LEASE, errors.LeaseHeldError, "shop on web1 is held by ann@laptop (deployment d1, since then, https://ci/1; free in 70 s", "--take-lease"),
    ("held\n", errors.LeaseHeldError, "held by somebody (deployment ?, since ?; free in ? s", "--take-lease"),
    ("busy\nd1 roll since then, pid 7\n", errors.LeaseHeldError, "still runs: d1 roll since then, pid 7", "lading where shop"),
    ("fence\nholder=bob\n", errors.LeaseHeldError, "still runs: holder=bob", "wait"),
    ("format\n2\n", errors.ForeignError, "has format 2, this lading knows 1", "newer lading"),
    ("state\ncannot write /x", errors.PreflightError, "lading's folder cannot be used: cannot write /x", "lading check web1"),
])
def test_a_refused_lease(text: str, kind: type[errors.LadingError], said: str, hint: str) -> None:
    error = words.refused("web1", "shop", text)
    assert (type(error), error.host, error.step) == (kind, "web1", "lease")
    assert said in error.message and hint in error.hint
