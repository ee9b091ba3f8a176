"""Secrets in what programs say: hidden whole, by line, by value; nothing else is touched."""

import pytest

from env_file import ENV, GIVEN
from lading.compose import masking, variables

SECRETS = {"var.P": b"hunter2hunter2", "var.SHORT": b"abc", "var.WORD": b"prod", "file.key.pem": b"-----BEGIN\n  MIIEvQIB\n",
           "env.a/b.env": b"# note\nexport TOKEN='quoted-token'\nEMPTY=\n"}


@pytest.mark.parametrize(("text", "shown"), [
    ("login hunter2hunter2failed", "login ***failed"), ("abc", "abc"), ("prod product xprod (prod)", "*** product xprod (***)"),
    ("TOKEN=quoted-token", "TOKEN=***"), ("MIIEvQIB and -----BEGIN", "*** and ***"), ("", ""),
])
def test_secrets_in_what_programs_say(text: str, shown: str) -> None:
    assert masking.hidden(text, SECRETS, {}) == shown
    assert masking.hidden(text, {}, {}) == text


@pytest.mark.parametrize("key", GIVEN)
def test_a_value_of_an_env_file_is_hidden_as_containers_get_it(key: str) -> None:
    said = masking.hidden(GIVEN[key], {"env.x": ENV.encode(), "var.P": b"hunter2hunter2"}, {"GREETING": "hello"})
    assert {line.strip() for line in said.splitlines()} == {"***"}


def test_values_of_an_env_file_are_resolved_and_their_written_form_is_hidden_too() -> None:
    assert list(variables.assigned(ENV, {"GREETING": "hello", "P": "hunter2hunter2"})) == list(GIVEN.values())
    for written in ('escaped-\\"secret', "dollar-$$secret", "${GREETING}-rest-${P}-${COMMENT}", "KEY=value-x # comment"):
        assert masking.hidden(written, {"env.x": (ENV + "RAW=KEY=value-x # comment\n").encode()}, {}) == "***"


def test_a_variable_of_the_project_comes_before_one_of_the_file() -> None:
    assert list(variables.assigned("A=own\nB=$A\n", {"A": "projects"})) == ["own", "projects"]


def test_a_quote_that_never_closes_is_a_letter() -> None:
    assert list(variables.assigned('OPEN="never-closed\n', {})) == ['"never-closed']
