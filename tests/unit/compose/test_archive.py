"""An archive of an image on its way: given one name, never whole before it is known to be what is wanted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import image_archives
from lading.compose import archive

NAME = "shop:1.0.0-sha256-" + "0" * 64
LAYERS = (b"a layer" * 300, bytes(512), b"")
SAVED = image_archives.saved(*LAYERS)


def passed(what: bytes, wanted: str, size: int = 10**6) -> tuple[bytes, bytes, frozenset[str]]:
    """What goes on of an archive before its end, then that end, and the ids; it comes in pieces of one size."""
    going = archive.Archive(wanted, NAME)
    out = b"".join(going.feed(what[start : start + size]) for start in range(0, len(what), size))
    return (out, *going.end())


@given(size=st.integers(1, 3000))
def test_it_passes_as_it_is_but_for_its_name_however_it_comes(size: int) -> None:
    out, end, ids = passed(SAVED.content, SAVED.config, size)
    assert (out, end) == passed(SAVED.content, SAVED.config)[:2]
    assert ids == {SAVED.config, SAVED.manifest}
    was, now = image_archives.files(SAVED.content), image_archives.files(out + end)
    assert was.keys() == now.keys()
    assert {name for name in was if was[name] != now[name]} == {"manifest.json", "index.json"}
    (listed,) = json.loads(now["manifest.json"])
    assert listed == {**json.loads(was["manifest.json"])[0], "RepoTags": [NAME]}
    (named,) = json.loads(now["index.json"])["manifests"]
    assert named["annotations"] == {
        "a": "b", "io.containerd.image.name": f"docker.io/library/{NAME}", "org.opencontainers.image.ref.name": NAME.partition(":")[2]}


def test_one_of_an_older_engine_passes() -> None:
    saved = image_archives.old(*LAYERS)
    out, end, ids = passed(saved.content, saved.config)
    assert ids == {saved.config}
    assert json.loads(image_archives.files(out + end)["manifest.json"])[0]["RepoTags"] == [NAME]


def test_it_may_be_known_by_its_manifest() -> None:
    assert passed(SAVED.content, SAVED.manifest)[2] == {SAVED.config, SAVED.manifest}


CONFIG = f"blobs/sha256/{SAVED.config.removeprefix('sha256:')}"
NO_IMAGE: dict[str, tuple[bytes, str]] = {
    "another": (image_archives.saved(b"x").content, "it holds"),
    "no archive": (b"what is this" * 100, "it is no archive"),
    "empty": (b"", "it ended before its end"),
    "cut": (SAVED.content[:4000], "it ended before its end"),
    "cut before its end": (SAVED.content[:-1024], "it ended before its end"),
    "nothing in it": (bytes(1024), "it holds no image"),
    "without a list": (image_archives.saved(*LAYERS, without="manifest.json").content, "it holds no image"),
    "several": (image_archives.saved(*LAYERS, manifest=[{}, {}]).content, "it holds no image, or several"),
    "without a configuration": (image_archives.saved(*LAYERS, without=CONFIG).content, "it lacks the image's configuration"),
    "its configuration nowhere": (image_archives.saved(*LAYERS, manifest=[{"Config": 7}]).content, "it lacks the image's configuration"),
    "another configuration": (image_archives.saved(*LAYERS, more={CONFIG: b"{}"}).content, "its configuration is not"),
    "a list that is none": (image_archives.saved(*LAYERS, manifest={"a": 1}).content, "no list"),
    "an index that is none": (image_archives.saved(*LAYERS, index={"manifests": 7}).content, "manifests"),
    "a list that is too large": (image_archives.saved(more={"manifest.json": bytes(archive.SMALL + 1)}).content, "has 4194305 bytes"),
}


@pytest.mark.parametrize("kind", NO_IMAGE)
def test_what_is_not_the_image_never_gets_its_end(kind: str) -> None:
    content, why = NO_IMAGE[kind]
    wanted = "sha256:" + "1" * 64 if kind == "another" else SAVED.config
    with pytest.raises(ValueError, match=why):
        passed(content, wanted)


def test_a_manifest_whose_content_is_another_counts_for_nothing() -> None:
    name = f"blobs/sha256/{SAVED.manifest.removeprefix('sha256:')}"
    saved = image_archives.saved(*LAYERS, more={name: b"{}"})
    assert passed(saved.content, SAVED.config)[2] == {SAVED.config}
    with pytest.raises(ValueError, match="it holds"):
        passed(saved.content, SAVED.manifest)


def test_what_stands_behind_the_end_does_not_pass() -> None:
    out, end, _ = passed(SAVED.content + b"and more" * 1000, SAVED.config)
    assert (out, end) == passed(SAVED.content, SAVED.config)[:2]
