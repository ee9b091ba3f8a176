"""A fault of each kind, in the phase where it tells most; the whole matrix is `make chaos` (docs/reliability.md)."""

import os
from collections.abc import Iterator

import pytest
from lab_client import PREFIX

import cell
import matrix
from faults import FAULTS, Fault
from phases import PHASES, Phase
from scene import Scene

FEW = ("cut", "power", "dockerd", "crash", "foreign", "operator", "SIGKILL", "SIGINT", "two")
CELLS = matrix.pairs(FEW, fast=True)
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


@pytest.mark.parametrize(("fault", "phase"), CELLS, ids=[f"{fault.name}-in-{phase.name}" for fault, phase in CELLS])
def test_no_fault_leaves_a_mix_that_is_not_reported_or_needs_hand_work(scene: Scene, fault: Fault, phase: Phase) -> None:
    found = cell.run(scene, fault, phase)
    assert not found.red, found.red


def test_each_fault_and_phase_has_its_cell() -> None:
    assert {fault.name for fault, _ in CELLS} == set(FEW)
    assert {fault.name for fault, _ in matrix.pairs(fast=True)} == {fault.name for fault in FAULTS}
    assert {name for fault in FAULTS for name in fault.phases} == {phase.name for phase in PHASES}
