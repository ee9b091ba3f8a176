"""Which digest an unchanged image keeps: one host's word is never another's (decision 0019)."""

import pytest

from lading import errors
from lading.plan import digests

IMAGE = "r.example/db:7"


def at(letter: str, image: str = IMAGE) -> str:
    return f"{image}@sha256:{letter * 64}"


def told(registry: str, *hosts: str, ledger: str = "") -> digests.Told:
    """Hosts web1, web2 … that say a digest by its letter; "" = the app is new there."""
    said = {f"web{number}": {IMAGE: at(letter)} if letter else {} for number, letter in enumerate(hosts, 1)}
    return digests.Told({IMAGE: at(registry)}, said, {IMAGE: at(ledger)} if ledger else {})


@pytest.mark.parametrize(("what", "expected"), [
    (told("a", "", ""), "a"),  # new everywhere: what the registry has now
    (told("b", "a", "a"), "a"),  # a tag that moved changes nothing
    (told("b", "a", "c", ledger="a"), "a"),  # the ledger decides between hosts
    (told("b", "c", "c", ledger="a"), "a"),  # and against all of them
    (told("b", "a", "", ledger="a"), "a"),  # a new host joins by the ledger's word
    (told("a", "a", ""), "a"),  # or by the registry's
])
def test_the_digest_that_is_kept(what: digests.Told, expected: str) -> None:
    assert digests.kept(what) == {IMAGE: at(expected)}


@pytest.mark.parametrize("what", [
    told("a", "a", "b"),  # the registry does not decide between hosts
    told("b", "a", ""),  # nobody but web1 says what web2 would get
])
def test_one_hosts_word_for_another_is_refused_with_who_says_what(what: digests.Told) -> None:
    with pytest.raises(errors.RefusedError) as refused:
        digests.kept(what)
    rows = refused.value.message.splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["web1", "web2", "(ledger)", "(registry)"]
    assert rows[0].endswith("sha256:" + "a" * 64)
    assert rows[2].endswith("does not know it")
    assert "--refresh" in refused.value.hint


def test_an_image_with_a_digest_is_nobodys_to_decide() -> None:
    image = at("d")
    assert digests.kept(digests.Told({image: image}, {"web1": {image: at("a")}}, {image: at("b")})) == {image: image}


@pytest.mark.parametrize(("references", "expected"), [
    ({"db": at("a"), "copy": at("a")}, {IMAGE: at("a")}),
    ({"db": at("a"), "copy": at("b")}, {}),
    ({"db": IMAGE}, {}),
    ({"db": f"{IMAGE}@sha256:$(id)"}, {}),
    ({"db": at("a"), "web": at("b", "r.example/web:1")}, {IMAGE: at("a"), "r.example/web:1": at("b", "r.example/web:1")}),
])
def test_images_by_their_text(references: dict[str, str], expected: dict[str, str]) -> None:
    assert digests.by_image(references) == expected


def test_what_rests_on_hosts_alone_is_not_vouched_for() -> None:
    pins = {IMAGE: at("a")}
    assert digests.vouched(pins, told("b", "a", "a")) == ()
    assert digests.vouched(pins, told("a", "a", "a")) == (at("a"),)
    assert digests.vouched(pins, told("b", "a", "a", ledger="a")) == (at("a"),)
    assert digests.vouched({at("d"): at("d")}, digests.Told({at("d"): at("d")}, {}, {})) == (at("d"),)
