"""What scripts refuse, in words; where two Compose forms differ, without ever showing a value."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lading import errors
from lading.engines import words


@pytest.mark.parametrize(("text", "said"), [
    ("pull\nr/web:1\n\nno route\n", "an image cannot be pulled: r/web:1; no route"), ("busy\n", "another command of lading still runs there"),
    ("gone\nr/web:1", "an image is not on the host any more: r/web:1"), ("strange\nword", "strange: word"), ("strange", "strange"),
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


FORM = """name: shop
services:
  web:
    command:
      - serve
      - --password=canary
    environment:
      "A:B": canary
      P: canary
    configs:
      - source: c
        target: /c
    labels:
      note: |-
        canary: one
        canary two

        end
      other: canary
    user: "7"
"""


@pytest.mark.parametrize(("line", "where"), [
    (1, "name"), (2, "services"), (6, "services.web.command.-"), (8, 'services.web.environment."A:B"'),
    (9, "services.web.environment.P"), (11, "services.web.configs.- source"), (12, "services.web.configs.- source.target"),
    (15, "services.web.labels.note"), (16, "services.web.labels.note"), (17, "services.web.labels.note"),
    (18, "services.web.labels.note"), (19, "services.web.labels.other"), (20, "services.web.user"),
])
def test_where_two_forms_differ(line: int, where: str) -> None:
    lines = FORM.splitlines()
    lines[line - 1] += "x"
    assert words.first_difference(FORM, "\n".join(lines)) == where
    assert words.first_difference(FORM, "\n".join(lines[: line - 1])) == where


def test_forms_that_agree_or_go_on() -> None:
    assert words.first_difference(FORM, FORM) == ""
    assert words.first_difference(FORM, FORM + "x: {}\n") == "the end of the file"


TEXT = st.text(st.sampled_from("canry:-|>\"' \n#=/"), max_size=30)
TREE = st.recursive(TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("a", "b", "x-y")), inner, max_size=3))


@given(TREE, st.data())
def test_no_value_is_ever_shown(tree: object, data: st.DataObject) -> None:
    form = yaml.safe_dump({"services": tree}, width=10**6)
    lines = form.splitlines()
    cut = data.draw(st.integers(0, len(lines)))
    shown = words.first_difference(form, "\n".join(lines[:cut]))
    assert set(shown.replace("the end of the file", "").replace("services", "")) <= set("abxy-. ")
