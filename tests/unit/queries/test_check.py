"""What marks a column of `check`: the kind of a problem, never its words."""

from dataclasses import replace

import pytest

from lading import state
from lading.engines import preflight
from lading.queries import check

GOOD = state.Facts("29.1", "E", "2.40.3", "x86_64", "default", "/var/lib/lading", "1", "ext2/ext3", 9000, 9000)
MIRROR = 'Error response from daemon: Get "https://10.0.0.9:5403/v2/": dial tcp 10.0.0.9:5403: connect: connection refused'


def bad(facts: state.Facts) -> list[str]:
    """The columns that are marked."""
    row = check.host_row(state.HostState("web1", facts))
    return [name for name, (good, _) in row.columns.items() if not good]


@pytest.mark.parametrize(("facts", "marked"), [
    (GOOD, []),
    (replace(GOOD, state_dir="/mnt/disk1/compose/engine", state_fs="nfs4"), ["state_dir"]),
    (replace(GOOD, state_dir="/srv/compose-engine", disk_free=3), ["disk"]),
    (replace(GOOD, docker_free=3), ["disk"]),
    (replace(GOOD, engine="19.3"), ["docker"]),
    (replace(GOOD, context="compose"), ["docker"]),
    (replace(GOOD, context="default tcp://disk:2375"), ["docker"]),
    (replace(GOOD, compose=""), ["compose"]),
    (replace(GOOD, compose="2.1"), ["compose"]),
    (replace(GOOD, tools=("flock",)), ["tools"]),
    (replace(GOOD, registries={"mirror": MIRROR}), ["registry"]),
    (replace(GOOD, unwritable="/srv/disk"), ["state_dir"]),
])
def test_a_problem_marks_the_column_that_it_is_about(facts: state.Facts, marked: list[str]) -> None:
    assert bad(facts) == marked


def test_an_engine_that_does_not_answer_is_asked_for_no_registry() -> None:
    silent = replace(GOOD, problem="docker is not installed", engine="", compose="")
    assert bad(silent) == ["docker", "compose", "registry"]
    both = replace(silent, unwritable="/srv")
    assert bad(both) == ["docker", "compose", "registry", "state_dir"]
    assert [one.about for one in preflight.tooling(both)] == ["docker", "state_dir"]
