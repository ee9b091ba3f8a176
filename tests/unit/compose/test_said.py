"""Secrets in what programs say: hidden whole, by line, by value; nothing else is touched."""

import base64
import html
import json
import re
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from env_file import ENV, GIVEN
from lading.compose import env_files, masking

SECRETS = {"var.P": b"hunter2hunter2", "var.SHORT": b"abc", "var.WORD": b"prod", "file.key.pem": b"-----BEGIN\n  MIIEvQIB\n",
           "env.a/b.env": b"# note\nexport TOKEN='quoted-token'\nEMPTY=\n"}


@pytest.mark.parametrize(("text", "shown"), [
    ("login hunter2hunter2failed", "login ***failed"), ("abc", "***"), ("xabc abcd", "xabc abcd"), ("prod product xprod (prod)", "*** product xprod (***)"),
    ("TOKEN=quoted-token", "TOKEN=***"), ("MIIEvQIB and -----BEGIN", "*** and ***"), ("", ""),
])
def test_secrets_in_what_programs_say(text: str, shown: str) -> None:
    assert masking.hidden(text, SECRETS, {}) == shown
    assert masking.hidden(text, {}, {}) == text


@pytest.mark.parametrize(("secret", "text", "shown"), [
    ("a", "PASSWORD=a", "PASSWORD=***"), ("a", "password: a, user: b", "password: ***, user: b"), ("a", "redis://:a@cache", "redis://:***@cache"),
    ("a", "'a' is wrong for bar", "'***' is wrong for bar"), ("7", "pin=7 of 17", "pin=*** of 17"), ("ab", "no ab in cab", "no *** in cab"),
    ("!", "p=! done!", "p=*** done!"), ("!", '"!"', '"***"'), ("!", "!", "***"), ("a", "container", "container"),
])
def test_short_secrets_where_they_are_words_or_values(secret: str, text: str, shown: str) -> None:
    assert masking.hidden(text, {"var.P": secret.encode()}, {}) == shown


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"]), min_size=4, max_size=40)
ENCODED: dict[str, Callable[[str], str]] = {
    "JSON": lambda text: json.dumps({"password": text}), "JSON in JSON": lambda text: json.dumps(json.dumps([text])),
    "JSON as it is": lambda text: json.dumps([text], ensure_ascii=False), "a shell": lambda text: "P=" + shlex.quote(text),
    "HTML": lambda text: f"<b>{html.escape(text)}</b>", "a URL": lambda text: f"https://ci:{quote(text, safe='')}@host/x",
    "a form": lambda text: f"user=ci&password={quote_plus(text)}&x=1", "Basic": lambda text: "Authorization: Basic " + _base64(f"ci:{text}"),
    "base64": lambda text: f"token {_base64(text)}", "base64 in a path": lambda text: f"/v2/{_urlsafe(text)}/x",
    "base64 of JSON": lambda text: _base64(json.dumps({"auth": text})), "hex": lambda text: f"got {text.encode().hex()} here",
    "HEX": lambda text: text.encode().hex().upper(), "wrapped": lambda text: base64.encodebytes(f"{text}\n{'x' * 90}".encode()).decode(),
}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _urlsafe(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize("way", ENCODED)
@settings(max_examples=60, deadline=None)
@given(secret=WORDS)
@example(secret='p"a\\s$s\'w<o&r>d')
@example(secret="hunter2hunter2")
def test_a_secret_is_hidden_in_whatever_it_is_encoded(way: str, secret: str) -> None:
    assume(secret.strip() == secret and secret not in "Authorization: Basic password token auth here")
    written = ENCODED[way](secret)
    shown = masking.hidden(written, {"var.P": secret.encode()}, {})
    assert "***" in shown
    for found in re.findall(r"[A-Za-z0-9+/_=-]{6,}", shown):
        assert found in ENCODED[way]("") or not _holds(found, secret), (written, shown)


def _holds(run: str, secret: str) -> bool:
    """Whether *run*, as base64 or hex, holds the secret."""
    try:
        return secret.encode() in base64.b64decode(run + "=" * (-len(run) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return False


def test_of_a_line_that_was_cut_no_beginning_of_a_secret_is_shown() -> None:
    secret = "canary-" + "k" * 50
    mask = masking.Mask({"var.P": secret.encode()}, {})
    for length in range(400):
        shown = mask.beginning(f"{'a word ' * 40}{secret} and {secret} again"[:length])
        assert "canary" not in shown and f"{'a word ' * 40}*** and".startswith(shown)
    assert masking.Mask({}, {}).beginning("nothing is hidden") == "nothing is hidden"


def test_a_file_in_base64_is_hidden_line_by_line() -> None:
    key = "".join(f"{number:02}" + "Kq7/" * 16 + "\n" for number in range(20))
    shown = masking.hidden(base64.encodebytes(key.encode()).decode(), {"file.key": key.encode()}, {})
    assert set(shown.split("\n")[:-2]) == {"***"}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["container", "exited", "(137)", "web-1", "/usr/lib/node_modules", "deadbeefcafe", "2026-11-28T10:00:00Z", "100%", "a%20b",
                                 "sha256:9f86d081884c7d659a2feaa0c55ad015", "error:", "connect", "\n"]), max_size=20).map(" ".join))
def test_other_text_stays(text: str) -> None:
    assert masking.hidden(text, {"var.P": b"hunter2hunter2", "var.Q": b"k9!z"}, {}) == text


@pytest.mark.parametrize("key", GIVEN)
def test_a_value_of_an_env_file_is_hidden_as_containers_get_it(key: str) -> None:
    said = masking.hidden(GIVEN[key], {"env.x": ENV.encode(), "var.P": b"hunter2hunter2"}, {"GREETING": "hello"})
    assert {line.strip() for line in said.splitlines()} == {"***"}


def test_values_of_an_env_file_are_resolved_and_their_written_form_is_hidden_too() -> None:
    assert dict(env_files.assigned(ENV, {"GREETING": "hello", "P": "hunter2hunter2"})) == GIVEN
    for written in ('escaped-\\"secret', "dollar-$$secret", "${GREETING}-rest-${P}-${COMMENT}", "KEY=value-x # comment"):
        assert masking.hidden(written, {"env.x": (ENV + "RAW=KEY=value-x # comment\n").encode()}, {}) == "***"


def test_a_variable_of_the_project_comes_before_one_of_the_file() -> None:
    assert dict(env_files.assigned("A=own\nB=$A\n", {"A": "projects"})) == {"A": "own", "B": "projects"}


def test_what_stands_behind_a_quote_that_never_closes_is_hidden_all_the_same() -> None:
    assert list(env_files.assigned('A=1\nOPEN="never-closed\n', {})) == [("A", "1")]
    assert masking.hidden("never-closed", {"env.x": b'OPEN="never-closed\n'}, {}) == "***"
