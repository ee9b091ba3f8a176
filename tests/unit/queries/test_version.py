"""VERSION: the tag that the release asked for; of a tag that is moved, what else is known of the image."""

import pytest

from lading.queries import version

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(("image", "label", "title", "shows"), [
    ("r.example/shop:1.3.0", "", "", "1.3.0"),
    ("r.example/shop:1.3.0", "9.9", "shop", "1.3.0"),  # what was asked for counts
    ("postgres:15", "", "", "15"),
    ("postgres:15", "15.4", "postgres", "15.4"),
    ("r.example/team/shop:latest", "2.4.1", "shop", "2.4.1"),
    ("r.example/team/shop:latest", "2.4.1", "team/shop:latest", "2.4.1"),
    ("r.example/shop:latest", "22.04", "ubuntu", "0123456789ab"),  # its base's
    ("r.example/shop:latest", "22.04", "", "0123456789ab"),  # nobody can say whose
    ("r.example/shop:latest", "", "shop", "0123456789ab"),
    ("r.example/shop", "", "", "0123456789ab"),
    ("r.example/shop:main", "", "", "0123456789ab"),
    ("No Image", "", "", "0123456789ab"),
])
def test_what_stands_for_an_image(image: str, label: str, title: str, shows: str) -> None:
    assert version.shown(image, DIGEST, label=label, title=title) == shows


@pytest.mark.parametrize(("image", "shows"), [("r.example/shop:latest", "latest"), ("No Image", "No Image")])
def test_without_a_digest_there_is_only_its_name(image: str, shows: str) -> None:
    assert version.shown(image, "") == shows
