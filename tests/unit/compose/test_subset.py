"""What of YAML a Compose file may be written in: the rest is refused with its line."""

import pytest

from lading import errors
from lading.compose import parse

REFUSED = {
    "two documents": ("services: {a: {image: x}}\n---\nservices: {b: {image: y}}\n", 2, "several documents"),
    "an empty second document": ("services: {a: {image: x}}\n---\n", 2, "several documents"),
    "a tag prefix of its own": ("%TAG ! tag:yaml.org,2002:\n---\nservices: {a: {image: x}}\n", 1, "declares tags"),
    "a key in base64": ('services: {}\n!!binary "aW5jbHVkZQ==": [x.yml]\n', 2, "a key with a tag: !!binary aW5jbHVkZQ=="),
    "a key with a tag of somebody's": ("services: {}\n!x include: [x.yml]\n", 2, "a key with a tag: !x"),
    "a key with Compose's own tag": ("services: {}\n!reset include: [x.yml]\n", 2, "a key with a tag: !reset"),
    "a key with the tag that says nothing": ("services: {}\n! include: [x.yml]\n", 2, "a key with a tag: !"),
    "a number as key": ("services:\n  a: {image: x}\nx-a:\n  1: b\n", 4, "no text: 1"),
    "a truth as key": ("services:\n  a: {image: x}\nx-a:\n  True: b\n", 4, "no text: True"),
    "null as key": ("services:\n  a: {image: x}\nx-a:\n  ~: b\n", 4, "no text: ~"),
    "an alias as key": ("x-k: &k include\n*k : [x.yml]\n", 2, "an alias, a list or a mapping"),
    "a list as key": ("services: {}\n? [a]\n: b\n", 2, "an alias, a list or a mapping"),
    "a key twice": ("services: {a: {image: x}}\ninclude: []\n\"include\": [x.yml]\n", 3, "'include' twice"),
    "a key twice, with its tag": ("services: {a: {image: x}}\ninclude: []\n!!str include: [x.yml]\n", 3, "'include' twice"),
    "two merge keys": ("services:\n  a:\n    <<: {image: x}\n    <<: {image: y}\n", 4, "'<<' twice"),
    "a merge key in quotes": ("services:\n  a:\n    '<<': {image: x}\n", 3, "merge key in quotes"),
    "a merge key that is said to be text": ("services:\n  a:\n    !!str <<: {image: x}\n", 3, "merge key in quotes"),
    "a value in base64": ("services:\n  a:\n    image: !!binary eA==\n", 3, "tag !!binary"),
    "a value with a tag of somebody's": ("services:\n  a:\n    image: !x y\n", 3, "tag !x"),
    "a value with the tag that says nothing": ("services:\n  a:\n    image: ! y\n", 3, "tag !"),
    "a text that is said to be nothing": ("services: {}\ninclude: !!null x.yml\n", 2, "tag !!null"),
    "a text that is said to be a number": ("services: {}\nx-a: !!int 0x10\n", 2, "tag !!int"),
    "a set": ("services: {}\nx-a: !!set {a, b}\n", 2, "tag !!set"),
    "a Python object": ("services: {}\nx-a: !!python/tuple [a]\n", 2, "tag !!python/tuple"),
    "a list in the document's tag": ("!!omap\n- a: b\n", 1, "tag !!omap"),
}

ALLOWED = {
    "anchors and merges": "x-a: &a {image: x}\nx-b: &b {user: y}\nservices: {a: {<<: [*a, *b]}, b: {<<: *a, user: z}}\n",
    "the core schema's tags": "services: {a: !!map {image: !!str 1.0, ports: !!seq [80], init: !!bool true, cpus: !!float 1, pids_limit: !!int 5, entrypoint: !!null ~}}\n",
    "Compose's own tags": "services: {a: {image: x, ports: !reset [], environment: !override {A: b}}}\n",
    "texts that YAML 1.1 takes for truths": "services: {yes: {image: x, environment: {on: a, y: b, No: c, '1': d, \"true\": e}}}\n",
    "one document with its marks": "---\nservices: {a: {image: x}}\n...\n",
    "a byte order mark": "\ufeffservices: {a: {image: x}}\n",
    "an anchor at a key": "services: {&k a: {image: x}}\n",
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_file_and_line(case: str) -> None:
    text, line, said = REFUSED[case]
    with pytest.raises(errors.ComposeError) as caught:
        parse.document("sub/c.yaml", text.encode())
    assert (caught.value.file, caught.value.line) == ("sub/c.yaml", line), caught.value.message
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("case", ALLOWED)
def test_allowed(case: str) -> None:
    assert "services" in parse.document("c.yaml", ALLOWED[case].encode()).data[0]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_another_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(errors.ComposeError) as caught:
        parse.document("c.yaml", "services: {ä: {image: x}}\n".encode(encoding))
    assert "UTF-8" in caught.value.message + caught.value.hint
