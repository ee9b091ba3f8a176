"""Images that are sent: names that say their content, and what an engine says of them."""

from typing import Any

import pytest

from lading.compose import reference, sent

ID = "sha256:" + "ab" * 32
TAIL = "sha256-" + "ab" * 32


@pytest.mark.parametrize(("image", "name", "called"), [
    ("shop:1.0.0", f"shop:1.0.0-{TAIL}", "shop:1.0.0"),
    ("shop", f"shop:latest-{TAIL}", "shop:latest"),
    ("reg.example:5000/team/shop:1", f"reg.example:5000/team/shop:1-{TAIL}", "reg.example:5000/team/shop:1"),
    ("reg.example:5000/shop", f"reg.example:5000/shop:latest-{TAIL}", "reg.example:5000/shop:latest"),
    (f"shop@{ID}", f"shop:{TAIL}", "shop"),
    (f"shop:1@{ID}", f"shop:1-{TAIL}", "shop:1"),
])
def test_a_name_says_the_content_and_people_read_the_tag(image: str, name: str, called: str) -> None:
    assert sent.name(image, ID) == name
    assert sent.split(name) == (called, ID)
    assert sent.is_sent(name)
    reference.parse(name)


def test_a_long_tag_is_cut() -> None:
    name = sent.name("shop:" + "x" * 128, ID)
    assert len(name.partition(":")[2]) == 128
    assert reference.parse(name).tag.endswith(TAIL)


@pytest.mark.parametrize("other", ["shop:1.0.0", f"shop@{ID}", f"shop:1-{TAIL}x", "shop:1-sha256-" + "ab" * 31, f"shop:{TAIL}@{ID}"])
def test_other_references_are_not_taken_for_it(other: str) -> None:
    assert not sent.is_sent(other)
    assert sent.split(other) == (other.partition("@")[0], other.partition("@")[2])


RAW = {"Id": ID, "Size": 12_345_678, "Os": "linux", "Architecture": "arm64", "Variant": "v8", "Config": {"Labels": {"a": "b"}}, "RepoDigests": []}


@pytest.mark.parametrize(("digests", "pulled"), [
    ([], False), (None, False), (["docker.io/library/shop@sha256:" + "1" * 64], True), (["shop@sha256:" + "1" * 64], True),
    (["other@sha256:" + "1" * 64], False), ([f"shop@{ID}"], False),
])
def test_what_an_engine_says_of_an_image(digests: Any, pulled: bool) -> None:
    found = sent.inspected({**RAW, "RepoDigests": digests}, "shop:1")
    assert found == sent.Local(ID, 12_345_678, "linux/arm64/v8", pulled, {"a": "b"})


def test_an_image_of_few_words() -> None:
    assert sent.inspected({"Id": ID, "Config": {"Labels": None}}, "shop") == sent.Local(ID, 0, "")


@pytest.mark.parametrize("raw", [{**RAW, "Id": "abc"}, {}, {**RAW, "Size": "12"}, {**RAW, "RepoDigests": 7}])
def test_what_is_no_image_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        sent.inspected(raw, "shop:1")


@pytest.mark.parametrize(("size", "said"), [(12_345_678, "12 MB"), (1_234_567, "1.2 MB"), (0, "0.0 MB"), (2_345_678_901, "2346 MB")])
def test_sizes(size: int, said: str) -> None:
    assert sent.megabytes(size) == said
