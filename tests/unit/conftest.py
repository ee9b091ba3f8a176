"""What unit tests are given."""

from pathlib import Path

import pytest
from hypothesis import settings

from host_shell import HostShell

settings.register_profile("lading", max_examples=20, deadline=None)  # no clock asserts
settings.load_profile("lading")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HostShell:
    """A host of the test's own: an empty state folder, the real shell, a Docker that knows nothing yet."""
    return HostShell(tmp_path, monkeypatch)
