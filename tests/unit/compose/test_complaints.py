"""What Compose complains of, in any words, is an error with a message and a hint, at a place of the files."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.compose import complaints, parse

FILE = parse.document("compose.yaml", b"services:\n  my.app:\n    image: a\n    deploy: {}\n    env_file: [x.env]\nnetworks: {n: {}}\n")
words = st.lists(st.sampled_from([
    "validating /tmp/compose.yaml: ", "services.my.app.deploy", "services", "services.", "services[", ".", " ", "additional properties ", "''", "'a', 'b'", "'it's'",
    " not allowed", "invalid compose project", 'service "my.app" ', "refers to undefined network x: ", "env file x.env not found", "open /a/x.env: no such file",
    "failed to parse compose.yaml: yaml: line 99", "failed to parse : line 1", "\n", "time=x", "\x1b[2J", "networks.n.", "'", "²", "validating", ":"]), max_size=8)


@settings(max_examples=100)
@given(words.map("".join) | st.text(max_size=60))
def test_any_words(said: str) -> None:
    for documents in ((FILE,), ()):
        found = complaints.complaint(said, documents)
        assert found.message and found.hint


@pytest.mark.parametrize(("keys", "named"), [("''", "services.web.: Compose does not know ``"), ("'a', 'b'", "Compose does not know `a`")])
def test_keys_that_are_hardly_any(keys: str, named: str) -> None:
    found = complaints.complaint(f"validating compose.yaml: services.web additional properties {keys} not allowed", (FILE,))
    assert named in found.message
