"""The deploy, drift and rollback tests once more, on hosts with the engine of a later Debian beside one with the old."""

import json
import os
from collections.abc import Iterator

import pytest
from app_client import ALL_CASES, App, build_images
from lab_client import PREFIX, Lab
from test_deploy import test_deploy_upgrade_undo_rollback

__all__ = ["test_deploy_upgrade_undo_rollback"]
if ALL_CASES:
    from test_deploy import test_first_deploy_fails
    from test_drift import app_with_files, test_drift_is_seen_and_mended, test_shipped_files_host_data_and_secrets
    from test_rollout import test_changed_network_with_a_stranger_on_it

    __all__ += [
        "app_with_files", "test_changed_network_with_a_stranger_on_it", "test_drift_is_seen_and_mended",
        "test_first_deploy_fails", "test_shipped_files_host_data_and_secrets",
    ]

SUITE = "trixie"
OPTIONS = ("--no-staging", "--engine", f"web1={SUITE}", "--engine", f"web2={SUITE}")


@pytest.fixture(scope="module")
def running_lab() -> Iterator[Lab]:
    """Three hosts, web1 and web2 with the newer engine, web3 with the machine's own."""
    made = Lab(f"{PREFIX}{os.getpid()}-newer")
    try:
        made.up(3, *OPTIONS)
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def images(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The example's images are in this lab's registry."""
    build_images(running_lab, tmp_path_factory.mktemp("context"))
    return running_lab


@pytest.fixture
def lab(running_lab: Lab) -> Lab:
    """This module's lab, healed."""
    running_lab.up(3, *OPTIONS)
    return running_lab


def test_the_engines_are_what_they_shall_be(lab: Lab) -> None:
    versions = [lab.exec(host, "docker version -f '{{.Server.Version}}'").stdout for host in ("web1", "web2", "web3")]
    newer, same, old = (tuple(int(word) for word in text.split("+")[0].split(".")) for text in versions)
    assert newer == same
    assert newer >= (26, 0) > old >= (20, 10)


def test_check_on_a_fleet_of_two_engines(app: App) -> None:
    done = app.lading("check", "production")
    assert done.returncode == 0, done.stdout + done.stderr


def test_both_engines_tell_by_filter_what_a_look_waits_for(app: App, lab: Lab) -> None:
    assert app.deploy("1.0.0", to="web1,web3").returncode == 0
    for host in ("web1", "web3"):
        line = ("docker events --since 10m --until $(date +%s) --filter type=container --filter event=die --filter event=health_status "
                f"--filter label=com.docker.compose.project={app.name} --format '{{{{.Action}}}}' | sort -u")
        assert lab.exec(host, line).stdout.splitlines() == ["die", "health_status: healthy"]
    rows = json.loads(app.lading("check", "--json", "web1", "web3").stdout)
    ways = {row["host"]: row["docker"]["text"] for row in rows if "docker" in row}
    assert ["forwarded" in text for text in ways.values()] == [True, True], ways
