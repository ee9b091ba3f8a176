"""Whose an app is: one form of a repository's address, however it was cloned; what older ladings recorded counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.compose import owner

SHOP = "git.example/team/shop"
LOCAL = "file:" + "//"


@pytest.mark.parametrize("remote", [
    "git@git.example:team/shop.git", "git@git.example:/team/shop", "git.example:team/shop.git", "ssh://git@git.example:22/team/shop.git",
    "ssh://git.example/team/shop", "https://git.example/team/shop", "https://user:token@git.example:8443/team/shop.git/",
    "http://user@GIT.example//team//shop.git", "git://git.example/team/shop.git", "git+ssh://git@git.example/team/shop.git",
    "https://git.example/team/shop.git?ref=main", " git@git.example:team/shop.git\n", SHOP,
])
def test_one_repository_has_one_address(remote: str) -> None:
    assert owner.address(remote) == SHOP
    for below, written in (("", SHOP), (".", SHOP), ("apps/web", f"{SHOP}#apps/web")):
        assert owner.written(owner.address(remote), below) == written
        recorded = remote if written == SHOP else f"{remote}#apps/web"
        assert owner.same(recorded, written, "/work")


@pytest.mark.parametrize(("remote", "address"), [
    ("/srv/git/shop.git", "/srv/git/shop"), (f"{LOCAL}/srv/git/shop.git", "/srv/git/shop"), (f"{LOCAL}localhost/srv/git/shop", "/srv/git/shop"),
    ("../shop.git", "../shop"), ("/home/ann/shop/.git", "/home/ann/shop"), ("ssh://git@[2001:db8::1]:2222/shop.git", "[2001:db8::1]/shop"),
    ("git@[2001:db8::1]:shop.git", "[2001:db8::1]/shop"), ("https://git.example", "git.example"), ("", ""), ("/", "/"), (".git", ".git"),
])
def test_addresses_of_other_kinds(remote: str, address: str) -> None:
    assert owner.address(remote) == address


@given(st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,4}){0,2}(:\d{1,4})?", fullmatch=True), st.from_regex(r"[A-Za-z0-9_.~-]{1,8}(/[A-Za-z0-9_.~-]{1,8}){0,3}", fullmatch=True))
def test_the_form_stays_as_it_is(host: str, path: str) -> None:
    made = owner.address(f"https://ann@{host}/{path}")
    assert owner.address(made) == made


@pytest.mark.parametrize("recorded", [
    "git@git.example:team/other.git", "git@git.test:team/shop.git", "git@git.example:team/shop.git#apps/web", "/work", "", f"{SHOP}#", "git.example/team/Shop",
])
def test_others_are_not_the_same(recorded: str) -> None:
    assert owner.same(recorded, SHOP, "/home/ann/shop") is (recorded == f"{SHOP}#")


def test_a_folder_is_known_as_itself() -> None:
    one, other = (owner.folder("/work", identity * 16) for identity in "ab")
    assert owner.same(one, one, "/work")
    assert owner.same("/work", one, "/work")  # as older ladings recorded it
    assert not owner.same(other, one, "/work")


SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(("recorded", "source", "theirs", "ours"), [
    (owner.folder("/work", "b" * 16), owner.folder("/work", "a" * 16), "another folder that was at /work", "the folder that is there now"),
    (SHOP, owner.folder("/work", "a" * 16), SHOP, "the folder /work, in no repository with a commit"),
    (owner.folder("/work", "a" * 16), SHA, "the folder /work, in no repository with a commit",
     "the repository with the first commit 0123456789ab and no remote"),
    (f"{SHA}#apps/web", f"{SHOP}#apps/web", "apps/web in the repository with the first commit 0123456789ab and no remote", f"{SHOP}#apps/web"),
    ("the shop", SHA + SHA[:24], "the shop", "the repository with the first commit 0123456789ab and no remote"),
    ("", SHOP, "nobody that its record names", SHOP),
])
def test_two_owners_are_told_in_words_and_not_by_hashes(recorded: str, source: str, theirs: str, ours: str) -> None:
    assert owner.difference(recorded, source) == (theirs, ours)
