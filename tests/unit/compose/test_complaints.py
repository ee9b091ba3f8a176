"""What Compose complains of, in any words, is an error with a message and a hint, at a place of the files."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.compose import complaints, parse

FILE = parse.document("compose.yaml", b"services:\n  my.app:\n    image: a\n    deploy: {}\n    env_file: [x.env]\nnetworks: {n: {}}\n")
words = st.lists(st.sampled_from([
    "validating /tmp/compose.yaml: ", "services.my.app.deploy", "services", "services.", "services[", ".", " ", "additional properties ", "''", "'a', 'b'", "'it's'",
    " not allowed", " Additional property ", " is not allowed", "(root)", " false schema", "invalid compose project", 'service "my.app" ', "refers to undefined network x: ", "env file x.env not found", "open /a/x.env: no such file",
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


FORMS = [
    "validating /x/compose.yaml: services.my.app additional properties 'imge' not allowed",
    "validating /x/compose.yaml: services.my.app Additional property imge is not allowed",
    "validating /x/compose.yaml: services.my.app.imge false schema",
]


@pytest.mark.parametrize("said", FORMS)
def test_an_unknown_key_in_the_words_of_each_version(said: str) -> None:
    file = parse.document("compose.yaml", b"services:\n  my.app:\n    command: a\n    imge: b\n")
    found = complaints.complaint(said, (file,))
    assert (found.message, found.hint, found.file, found.line) == (
        "services.my.app.imge: Compose does not know `imge`", "did you mean `image`?", "compose.yaml", 4)


@pytest.mark.parametrize(("path", "key", "hint"), [
    ("(root)", "service", "did you mean `services`?"), ("networks.back", "drivr", "did you mean `driver`?"),
    ("services.my.app.ports.0", "publishd", "did you mean `published`?"), ("services.my.app.healthcheck", "intervall", "did you mean `interval`?"),
    ("services.my.app.zzz", "intervall", "remove it"), ("models.a", "b", "remove it"),
])
def test_what_an_unknown_key_was_meant_for(path: str, key: str, hint: str) -> None:
    found = complaints.complaint(f"validating /x/compose.yaml: {path} Additional property {key} is not allowed", (FILE,))
    assert found.hint.startswith(hint) and f"does not know `{key}`" in found.message
