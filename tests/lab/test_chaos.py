"""A fault of each kind, in the phase where it tells most; the whole matrix is `make chaos` (docs/reliability.md)."""

import os
from collections.abc import Iterator

import pytest
from lab_client import PREFIX

import cell
import kills
import matrix
from faults import FAULTS, Fault
from phases import PHASES, Phase
from scene import Scene

FEW = ("cut", "power", "dockerd", "sick", "died", "SIGKILL", "two")  # a minute each; CI has 90
CELLS = matrix.pairs(FEW, fast=True)
BY_SCRIPTS = matrix.pairs(("cut", "dockerd", "SIGKILL"), fast=True)
pytestmark = pytest.mark.timeout(900)  # the limits within a cell are the ones that end it


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """A lab of its own, with the app that can be held."""
    made = Scene(f"{PREFIX}{os.getpid()}-chaos")
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def scripts_scene() -> Iterator[Scene]:
    """The same on hosts whose engines are asked by scripts."""
    made = Scene(f"{PREFIX}{os.getpid()}-scripts", only_scripts=True)
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.mark.parametrize(("fault", "phase"), CELLS, ids=[f"{fault.name}-in-{phase.name}" for fault, phase in CELLS])
def test_no_fault_leaves_a_mix_that_is_not_reported_or_needs_hand_work(scene: Scene, fault: Fault, phase: Phase) -> None:
    found = cell.run(scene, fault, phase)
    assert not found.red, found.red


@pytest.mark.parametrize(
    ("fault", "phase"), BY_SCRIPTS, ids=[f"{fault.name}-in-{phase.name}" for fault, phase in BY_SCRIPTS])
def test_no_fault_does_so_where_scripts_ask_the_engine(scripts_scene: Scene, fault: Fault, phase: Phase) -> None:
    found = cell.run(scripts_scene, fault, phase)
    assert not found.red, found.red


def test_killed_controllers_need_nothing_but_the_next_deploy(scene: Scene) -> None:
    found = list[cell.Cell]()
    kills.row(scene, 2, os.getpid(), found.append)
    assert [(one.phase, one.red) for one in found if one.red] == []
    assert len(found) == 2


def test_each_fault_and_phase_has_its_cell() -> None:
    assert {fault.name for fault, _ in CELLS} == set(FEW)
    assert {fault.name for fault, _ in matrix.pairs(fast=True)} == {fault.name for fault in FAULTS}
    assert {name for fault in FAULTS for name in fault.phases} == {phase.name for phase in PHASES}
    assert all({*fault.slow} <= {*fault.phases} for fault in FAULTS)
