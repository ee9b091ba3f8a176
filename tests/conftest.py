"""What tests of several folders are given."""

from pathlib import Path

import pytest

from host_shell import HostShell


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HostShell:
    """A host of the test's own: an empty state folder, the real shell, a Docker that knows nothing yet."""
    return HostShell(tmp_path, monkeypatch)
