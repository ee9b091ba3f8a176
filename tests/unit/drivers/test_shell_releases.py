"""What goes of a host's folder of an app, by names there."""

from builders import a_container, a_release, a_service, an_app
from lading.drivers import base
from lading.drivers.shell import releases

MADE = a_release(a_service("web", "r/web:1"))


def test_a_folder_whose_release_cannot_be_read_goes_without_tags() -> None:
    seen = an_app(MADE, folders={"0123456789ab": "f" * 64})
    gone = releases.dropped(base.Pruned(("f" * 64,), (), (), seen, MADE))
    assert (gone.releases, gone.tags) == (["0123456789ab"], [])


def test_a_secret_that_a_container_mounts_stays_when_the_app_is_given_back() -> None:
    mounted = a_container(MADE.services["web"], mounts={"/token": "/var/lib/lading/apps/shop/secrets/file.token/1"})
    seen = an_app(MADE, mounted, secrets={"file.token": {1: "sum"}, "var.P": {1: "sum"}})
    assert list(releases.given_back(MADE, seen).secrets) == ["var.P/1"]
