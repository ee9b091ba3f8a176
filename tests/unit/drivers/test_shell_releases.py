"""What goes of a host's folder of an app, by names there."""

import json
from dataclasses import replace
from typing import Any

import pytest

from builders import a_container, a_reading, a_release, a_service, an_app
from lading import state
from lading.compose import release, sent
from lading.compose.project import ShippedFile
from lading.compose.release import Bundle
from lading.drivers import base
from lading.drivers.shell import releases

MADE = a_release(a_service("web", "r/web:1"))


def test_a_folder_whose_release_cannot_be_read_goes_without_tags() -> None:
    seen = an_app(MADE, folders={"0123456789ab": "f" * 64})
    gone = releases.dropped(base.Pruned(("f" * 64,), (), (), seen, MADE))
    assert (gone.releases, gone.tags) == (["0123456789ab"], [])


def test_what_was_sent_goes_with_the_last_release_that_needs_it() -> None:
    old, gone, new = (sent.name("shop:1", f"sha256:{digit * 64}") for digit in "123")
    kept, dropped, made = (
        release.build(a_reading(*services, version=version), {}).release for version, services in {
            "1": [a_service("web", old)], "2": [a_service("web", gone), a_service("job", old)], "3": [a_service("web", new)]}.items())
    seen = an_app(kept, folders={one.id: one.id for one in (kept, dropped, made)})
    seen = replace(seen, releases={one.id: as_host_keeps(one) for one in (kept, dropped, made)})
    went = releases.dropped(base.Pruned((dropped.id,), (), (), seen, made))
    assert list(went.sent) == [gone]
    assert sorted(releases.sent_images(seen)) == [old, gone, new]


def as_host_keeps(made: release.Release) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made.canonical())
    return found


def test_a_secret_that_a_container_mounts_stays_when_the_app_is_given_back() -> None:
    mounted = a_container(MADE.services["web"], mounts={"/token": "/var/lib/lading/apps/shop/secrets/file.token/1"})
    seen = an_app(MADE, mounted, secrets={"file.token": {1: "sum"}, "var.P": {1: "sum"}})
    assert list(releases.given_back(MADE, seen).secrets) == ["var.P/1"]


def an_upload(read_by: str, *, kept: bool = False, path: str = "compose.yaml") -> base.Upload:
    """A release with one file, sent whole or *kept* on the host; *read_by*: the sum of the plug-in here."""
    files = (ShippedFile(path, b"services: {}\n"),)
    bundle = Bundle(MADE, files, {}, {})
    return base.Upload(MADE, None if kept else bundle, (), {}, (), state.AppState("shop"), read_by)


def test_what_compose_makes_of_a_release_is_known_by_sums_alone() -> None:
    here = releases.known_form(an_upload("ab"))
    assert (here.read_by, len(here.sum)) == ("ab", 64)
    assert here.checked(f"ab {here.sum}\n") == "here"
    before = releases.known_form(an_upload("ab", kept=True))
    assert (before.read_by, before.checked("ab cd")) == ("before", "before")
    for unknown in (an_upload(""), an_upload("ab", path="a\\b")):  # sha256sum writes such a name otherwise
        assert releases.known_form(unknown) == releases.KnownForm()
    for known, said in ((here, "ab"), (before, " "), (releases.KnownForm(), "ab cd")):
        with pytest.raises(base.Refused, match="does not ask its Compose"):
            known.checked(said)
