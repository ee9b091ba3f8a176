"""Where Compose's model of the files is another one than lading's, it is refused."""

from typing import Any

import pytest

from lading import errors
from lading.compose import checks, parse

FILE = b"""services:
  web: {image: 'r/web:1'}
  old: !reset null
networks: {back: {}}
"""
BASE = b"services: {base: {image: 'r/base:1'}, old: {image: 'r/old:1'}}\n"
MODEL: dict[str, Any] = {
    "services": {"web": {"image": "r/web:1"}, "base": {"image": "r/base:1"}, "more": {"build": {}}}, "networks": {"back": {}, "default": {}}}


def check(model: dict[str, Any], *more: bytes) -> None:
    main = parse.document("compose.yaml", FILE)
    others = [parse.document(f"{number}.yaml", text) for number, text in enumerate((BASE, b"services: {more: {build: .}}\n", *more))]
    checks.check_agreement(model, [main], [main, *others])


def test_agreed() -> None:
    check(MODEL)
    check({**MODEL, "services": {name: one for name, one in MODEL["services"].items() if name == "web"}})  # others are extended only


@pytest.mark.parametrize(("change", "what", "line"), [
    ({"services": {**MODEL["services"], "ghost": {"image": "r/web:1"}}}, "services.ghost", 1),
    ({"services": {"base": {}}}, "services.web", 2),
    ({"services": {"web": {"image": "r/stolen:1"}}}, "the image of services.web", 2),
    ({"secrets": {"s": {"file": "/etc/shadow"}}}, "secrets.s", 0),
    ({"networks": {"other": {}}}, "networks.other", 4),
])
def test_refused(change: dict[str, Any], what: str, line: int) -> None:
    with pytest.raises(errors.ComposeError) as caught:
        check({**MODEL, **change})
    assert what in caught.value.message
    assert (caught.value.file, caught.value.line) == ("compose.yaml", line)
