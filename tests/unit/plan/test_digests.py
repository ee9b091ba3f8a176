"""Which digest an unchanged image keeps: one host's word is never another's (decision 0019)."""

from dataclasses import replace

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


def asked(image: str = IMAGE, **answers: str) -> digests.Told:
    """Nobody runs the image. *answers*: what each host's engine finds, a digest by its letter and
    the platforms behind it; "" = nothing."""
    found = {}
    for name, answer in answers.items():
        letter, *platforms = answer.split() or [""]
        lacks = digests.Resolved(lack="manifest\nunknown")
        found[name] = digests.Resolved(at(letter)[-71:], tuple(platforms)) if letter else lacks
    nothing: dict[str, dict[str, str]] = {name: {} for name in found}
    return digests.Told({image: digests.one_answer(image, found)}, nothing, {}, {image: found})


@pytest.mark.parametrize("answers", [
    {"web1": "a"}, {"web1": "a", "web2": "a"},
    {"web1": "a linux/amd64 linux/arm64", "web2": "a linux/arm64 linux/amd64"},
    {"web1": "a linux/amd64", "web2": "a"},  # an old engine says no platforms
])
def test_hosts_that_agree_on_what_only_they_can_ask(answers: dict[str, str]) -> None:
    what = asked(**answers)
    assert digests.kept(what) == digests.fresh(what, [IMAGE]) == {IMAGE: at("a")}
    assert digests.vouched({IMAGE: at("a")}, what) == ()
    assert digests.vouched({IMAGE: at("a")}, what, [IMAGE]) == (at("a"),)
    assert digests.vouched({IMAGE: at("a")}, replace(what, ledger={IMAGE: at("a")})) == (at("a"),)


@pytest.mark.parametrize(("answers", "second"), [
    ({"web1": "a", "web2": "b"}, "web2  sha256:" + "b" * 64), ({"web1": "a", "web2": ""}, "web2  manifest unknown"),
    ({"web1": "a linux/amd64", "web2": "a linux/arm64"}, "web2  sha256:" + "a" * 64 + " (linux/arm64)"),
])
@pytest.mark.parametrize("image", [IMAGE, at("a")])
def test_hosts_that_do_not_agree_are_shown(answers: dict[str, str], second: str, image: str) -> None:
    what = asked(image, **answers)
    for act in (digests.kept, lambda told: digests.fresh(told, [image])):
        with pytest.raises(errors.RefusedError) as refused:
            act(what)
        assert refused.value.message.splitlines()[2] == second
        assert ("name its digest" in refused.value.hint) == (image == IMAGE)


def test_what_runs_on_one_host_and_what_each_ones_registry_says() -> None:
    what = replace(asked(web1="b", web2=""), hosts={"web1": {IMAGE: at("a")}, "web2": {}})
    with pytest.raises(errors.RefusedError) as refused:
        digests.kept(what)
    rows = refused.value.message.splitlines()[1:]
    assert [" ".join(row.split())[:26] for row in rows] == [
        "web1 sha256:" + "a" * 14, "web2 does not know it", "(ledger) does not know it", "(registry, by web1) sha256", "(registry, by web2) manife"]
    assert digests.kept(replace(what, ledger={IMAGE: at("c")})) == {IMAGE: at("c")}


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
