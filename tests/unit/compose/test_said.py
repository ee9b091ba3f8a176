"""Secrets in what programs say: hidden whole, by line, by value; nothing else is touched."""

import pytest

from lading.compose import masking

SECRETS = {"var.P": b"hunter2hunter2", "var.SHORT": b"abc", "var.WORD": b"prod", "file.key.pem": b"-----BEGIN\n  MIIEvQIB\n",
           "env.a/b.env": b"# note\nexport TOKEN='quoted-token'\nEMPTY=\n"}


@pytest.mark.parametrize(("text", "shown"), [
    ("login hunter2hunter2failed", "login ***failed"), ("abc", "abc"), ("prod product xprod (prod)", "*** product xprod (***)"),
    ("TOKEN=quoted-token", "TOKEN=***"), ("MIIEvQIB and -----BEGIN", "*** and ***"), ("", ""),
])
def test_secrets_in_what_programs_say(text: str, shown: str) -> None:
    assert masking.hidden(text, SECRETS) == shown
    assert masking.hidden(text, {}) == text
