"""Age files: opened by age's keys and SSH's; what stays closed is told in words, and without a key."""

import subprocess
from pathlib import Path

import pyrage
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from lading import age, by_reference, errors, secrets

KEY = pyrage.x25519.Identity.generate()
LIMIT = 1 << 20
BY_PASSPHRASE = (
    b"age-encryption.org/v1\n-> scrypt bR7LNlcZOnEjAwqLP5ppkw 16\n9NWR4ui2ZlR7OVBjjuLD8nAAAAAAAAAAAAAAAAAAAAA\n"
    b"--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n" + bytes(32))  # in its form: to make one takes seconds


def opened(folder: Path, sealed: bytes, identity: bytes) -> bytes:
    (folder / "a.age").write_bytes(sealed)
    (folder / "key").write_bytes(identity)
    return age.decrypted(folder / "a.age", folder / "key", limit=LIMIT)


def refusal(folder: Path, sealed: bytes, identity: bytes) -> tuple[str, str]:
    with pytest.raises(age.LockedError) as caught:
        opened(folder, sealed, identity)
    assert "SECRET-KEY" not in caught.value.why + caught.value.hint
    return caught.value.why, caught.value.hint


def sealed(content: bytes, *, armored: bool = False) -> bytes:
    return bytes(pyrage.encrypt(content, [KEY.to_public()], armored=armored))


@given(st.binary(max_size=300), st.booleans())
@profile(max_examples=25, deadline=None)
def test_what_was_sealed_is_opened(tmp_path_factory: pytest.TempPathFactory, content: bytes, armored: bool) -> None:
    other = pyrage.x25519.Identity.generate()
    keys = f"# created: today\n\n{other}\n{KEY}\n".encode()
    assert opened(tmp_path_factory.mktemp("age"), sealed(content, armored=armored), keys) == content


def test_ssh_keys(tmp_path: Path) -> None:
    for name, passphrase in (("open", ""), ("locked", "canary")):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(tmp_path / name)], check=True)
    public = pyrage.ssh.Recipient.from_str((tmp_path / "open.pub").read_text().strip())
    assert opened(tmp_path, pyrage.encrypt(b"db", [public]), (tmp_path / "open").read_bytes()) == b"db"
    why, hint = refusal(tmp_path, pyrage.encrypt(b"db", [public]), (tmp_path / "locked").read_bytes())
    assert "or one with a passphrase" in why and "SSH key without a passphrase" in hint


def test_an_identity_file_with_a_passphrase_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    for locked in (BY_PASSPHRASE, b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n"):
        why, hint = refusal(tmp_path, sealed(b"db"), locked)
        assert why == f"the identity file {tmp_path}/key is protected by a passphrase, and nobody is asked for it"
        assert "age-keygen -o KEY" in hint


@pytest.mark.parametrize(("content", "identity", "why"), [
    (sealed(b"db"), str(pyrage.x25519.Identity.generate()).encode(), "does not open it"), (b"no age file", str(KEY).encode(), "does not open it"),
    (sealed(b"db")[:-1], str(KEY).encode(), "does not open it"), (BY_PASSPHRASE, str(KEY).encode(), "encrypted with a passphrase, not for a key"),
    (sealed(b"db"), b"", "holds no key"), (sealed(b"db"), b"AGE-SECRET-KEY-1CANARY", "cannot be used"), (sealed(b"db"), b"AGE-PLUGIN-YUBIKEY-1X", "needs a plug-in"),
    (sealed(b"db"), b"\xff\xfe", "cannot be used"),
], ids=range(8))  # keys are new in each process
def test_what_stays_closed(tmp_path: Path, content: bytes, identity: bytes, why: str) -> None:
    assert why in refusal(tmp_path, content, identity)[0]


def test_as_a_secret_of_an_app(tmp_path: Path) -> None:
    (tmp_path / "db.age").write_bytes(sealed(b"pw\n"))
    (tmp_path / "key").write_text(f"{KEY}\n")
    source = by_reference.Source("age", (f"{tmp_path}/db.age", f"{tmp_path}/key"))
    assert secrets.Known({}, tmp_path).read({"DB": source}) == {"DB": "pw"}
    gone = by_reference.Source("age", (f"{tmp_path}/db.age", f"{tmp_path}/none"), file="lading.yaml", line=4)
    with pytest.raises(errors.SettingsError, match=f"DB cannot be had from the age file {tmp_path}/db.age: {tmp_path}/none: No such file") as caught:
        secrets.Known({}, tmp_path).read({"DB": gone})
    assert (caught.value.file, caught.value.line) == ("lading.yaml", 4)
