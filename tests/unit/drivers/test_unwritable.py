"""A state folder that takes no file is refused in words, at the lease and in the middle; a look at it says nothing false (D14)."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from a_party import DOCKER, Party, set_lease, uptime
from host_shell import HostShell
from lading.drivers import base, refusals
from lading.drivers.shell import observation, parsers
from lading.state import journal

FULL = "cannot write .*: No space left on device"


def full(*paths: Path) -> None:
    """No byte more can be written to these files, nor to the one by which a script finds out why."""
    for path in (*paths, paths[0].parent / "probe"):
        path.unlink(missing_ok=True)
        path.symlink_to("/dev/full")


def refused(words: str) -> "pytest.RaisesExc[base.Refused]":
    return pytest.raises(base.Refused, match=f"^state: {words}$")


def test_a_full_disk_at_the_lease(host: HostShell) -> None:
    Party(host).come_to("ended")
    full(host.app() / "lease.new")
    with refused(FULL) as caught:
        Party(host, "d2", "p2").begin()
    wrong = refusals.lease_error("web1", "shop", caught.value.kind, caught.value.text)
    assert "lading's folder cannot be used: cannot write" in wrong.message and "eval" not in wrong.message


def test_a_full_disk_in_the_middle(host: HostShell) -> None:
    held = Party(host).come_to("rolled")
    set_lease(host, {"expires": int(uptime()) + 20})  # so that it is extended
    full(host.app() / "lease.new")
    with refused(FULL):
        held.prepare()


@pytest.mark.parametrize(("phase", "work"), [("rolled", Party.prepare), ("prepared", Party.commit)], ids=["prepare", "commit"])
def test_a_journal_that_takes_no_line(host: HostShell, phase: journal.Phase, work: Callable[[Party], object]) -> None:
    """What is not on the disk is told to nobody, nor to whoever asks again and finds the line there."""
    held = Party(host).come_to(phase)
    host.program("sync", "#!/bin/sh\nexit 1\n")  # as of a disk that fails
    for _ in range(2):
        with refused("cannot write .*"):
            work(held)
    host.program("sync", "#!/bin/sh\n")
    work(held)


def test_a_folder_that_is_gone_in_the_middle(host: HostShell) -> None:
    held = Party(host).come_to("begun")
    shutil.rmtree(host.app())
    with refused(f"cannot write {host.app()}: No such file or directory"):
        held.confirm()
    with refused(f"cannot write {host.app()}: No such file or directory"):
        held.prepare()


@pytest.mark.parametrize("name", ["op.lock", "lease.lock"])
def test_a_lock_that_is_no_file(host: HostShell, name: str) -> None:
    Party(host).come_to("ended")
    (host.app() / name).unlink(missing_ok=True)
    (host.app() / name).mkdir()
    with refused(f"cannot write {host.app()}"):
        Party(host, "d2", "p2").begin()


def test_nobody_works_where_the_lock_cannot_be_opened(host: HostShell) -> None:
    Party(host).come_to("ended")
    (host.app() / "op.lock").unlink()
    (host.app() / "op.lock").mkdir()
    host.docker(DOCKER)
    seen = host.run(observation.observe("M", state_dir=str(host.state), app="shop", facts=False))
    assert parsers.from_result("h", seen).apps["shop"].busy == ""
