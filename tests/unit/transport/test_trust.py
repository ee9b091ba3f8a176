"""known_hosts is read once for a fleet, and again when it has changed."""

from pathlib import Path

import asyncssh
import pytest

from lading import errors
from lading.inventory import hosts
from lading.transport import trust


def line(name: str) -> str:
    return f"{name} {asyncssh.generate_private_key('ssh-ed25519').export_public_key().decode().strip()}\n"


def test_a_fleet_reads_its_keys_once_and_again_when_the_file_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("".join(line(f"10.0.0.{number}") for number in range(1, 51)))
    before = trust._read.cache_info().misses
    all_of_them = [trust.Trust(hosts.Host(f"h{number}"), [str(file)]) for number in range(1, 51)]
    assert [len(one(f"10.0.0.{number}", "", None)[0]) for number, one in enumerate(all_of_them, 1)] == [1] * 50
    assert trust._read.cache_info().misses - before == 1
    with file.open("a") as more:
        more.write(line("10.0.0.51"))
    late = trust.Trust(hosts.Host("h51"), [str(file), str(tmp_path / "none")])
    assert len(late("10.0.0.51", "", None)[0]) == 1 and not all_of_them[0]("10.0.0.51", "", None)[0]


def test_a_broken_line_that_forbids_is_an_error_of_each_host(tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text("@revoked web1\n")
    for name in ("web1", "web2"):
        with pytest.raises(errors.HostKeyError, match="known_hosts") as caught:
            trust.Trust(hosts.Host(name), [str(tmp_path / "known_hosts")])
        assert caught.value.host == name
