"""A ledger's URL that is written wrongly: nothing of its password is said, by psycopg's and libpq's own reading of it."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lading import errors
from lading.ledger import ledger

CANARY = "CANARYpw"
INPUT = [
    f"postgresql://lading:s3cr@{CANARY}@127.0.0.1:1/db",
    f"postgresql://lading:12/{CANARY}@127.0.0.1:1/db",
    f"postgresql://lading:12/{CANARY}?x@127.0.0.1:1/db",
    f"postgresql://lading:12/x?application_name={CANARY}@127.0.0.1:1/db",
    f"postgresql://lading:[{CANARY}/@127.0.0.1:1/db",
    f"postgresql://lading@corp:{CANARY}@127.0.0.1:1/db",
    f"postgresql://lading:12%{CANARY}@127.0.0.1:1/db",
    f"postgresql://lading:{CANARY}%ff@127.0.0.1:1/db",
    f"postgresql://lading:{CANARY}\udcff@127.0.0.1:1/db",
    f"postgresql://lading:{CANARY}",
    f"postgresql://lading:{CANARY}/db",
    f"host=127.0.0.1 port=1 dbname=postgresql://lading:{CANARY}@127.0.0.1/db",
]
NONE = [
    f"postgresql://lading:{CANARY}@[::1/db",
    f"postgresql://lading:{CANARY}%zz@127.0.0.1:1/db",
    f"postgresql://lading@127.0.0.1:1/db?password=1&{CANARY}=2",
    f"lading:{CANARY}@127.0.0.1:1/db",
    f"http://lading:{CANARY}@127.0.0.1:1/db",
    f"host=127.0.0.1 port=1 password=12 {CANARY} dbname=db",
    f"host=127.0.0.1 port=1 password='12 {CANARY} dbname=db",
    f"host=127.0.0.1 port=1 password=12 {CANARY}=db",
]
DEAF = [
    f"postgresql://lading:12?{CANARY}@127.0.0.1:1/db",
    f"postgresql://lading:12#{CANARY}:3@127.0.0.1:1/db",
    f"postgresql://lading:12%40{CANARY}%2F@127.0.0.1:1/db",
    f"postgresql://lading:{CANARY}@{CANARY}.invalid/db",
    f"host=127.0.0.1 port=1 password=1@{CANARY}/2 dbname=db",
]


def refused(url: str, kind: type[errors.LadingError]) -> errors.LadingError:
    with pytest.raises(kind) as caught:
        asyncio.run(ledger.open_ledger(url))
    wrong = caught.value
    assert CANARY not in f"{wrong.message} {wrong.hint} {json.dumps(wrong.as_json())}"
    return wrong


@pytest.mark.parametrize("url", INPUT)
def test_a_user_or_password_that_is_not_encoded(url: str) -> None:
    wrong = refused(url, errors.InputError)
    assert (wrong.exit_code, "%40 stands for @" in wrong.hint, wrong.file) == (2, True, "")


@pytest.mark.parametrize("url", NONE)
def test_what_is_no_address(url: str) -> None:
    assert "no PostgreSQL URL" in refused(url, errors.LedgerError).message


@pytest.mark.parametrize("url", DEAF[:3] + DEAF[4:])
def test_a_good_address_of_nobody_says_the_cause(url: str) -> None:
    wrong = refused(url, errors.LedgerError)
    assert "Connection refused" in wrong.message
    assert (wrong.message.isprintable(), wrong.file) == (True, "PostgreSQL db on 127.0.0.1")


def test_a_password_that_is_the_host_s_name_too_is_not_in_the_cause() -> None:
    with pytest.raises(errors.LedgerError) as caught:
        asyncio.run(ledger.open_ledger(DEAF[3]))
    assert CANARY not in caught.value.message
    assert "***.invalid" in caught.value.message


@pytest.mark.parametrize(("url", "status"), [(INPUT[0], 2), (INPUT[1], 2), (INPUT[6], 2), (NONE[0], 7), (NONE[5], 7)])
def test_the_program_says_nothing_of_it(tmp_path: Path, url: str, status: int) -> None:
    (tmp_path / "lading.yaml").write_text("lading: 1\nledger: {url: {env: TEAM}}\n")
    for words in (("-v", "history", "s1"), ("ledger", "verify", "--json")):
        done = subprocess.run([sys.executable, "-m", "lading", *words], cwd=tmp_path, env={**os.environ, "TEAM": url, "LADING_CONFIG": "lading.yaml"}, text=True,
                              capture_output=True, check=False)
        assert (done.returncode, "hint" in done.stdout + done.stderr) == (status, True), done.stderr
        assert CANARY not in done.stdout + done.stderr


@pytest.mark.parametrize(("url", "given"), [
    (f"postgresql://lading:{CANARY}@db.invalid/team", {}),
    (f"postgresql://lading:{CANARY}@db.invalid/team?sslmode=prefer", {}),
    (f"postgresql://lading:{CANARY}@127.0.0.1,db.invalid/team", {}),
    (f"postgresql://lading:{CANARY}@/team", {"PGHOST": "db.invalid"}),
])
def test_a_server_elsewhere_is_spoken_to_by_tls_alone(tmp_path: Path, url: str, given: dict[str, str]) -> None:
    (tmp_path / "lading.yaml").write_text("lading: 1\nledger: {url: {env: TEAM}}\n")

    def verified(url: str) -> str:
        done = subprocess.run([sys.executable, "-m", "lading", "ledger", "verify"], cwd=tmp_path, text=True, capture_output=True,
                              check=False, env={**os.environ, **given, "TEAM": url, "LADING_CONFIG": "lading.yaml"})
        assert (done.returncode, CANARY in done.stdout + done.stderr) == (7, False), done.stderr
        return done.stderr

    said = verified(url)
    assert "the ledger on db.invalid would be spoken to without TLS" in said
    assert "?sslmode=verify-full" in said
    asked = url.replace("?sslmode=prefer", "") + "?sslmode=require&connect_timeout=2"
    assert "does not answer" in verified(asked), "what demands TLS is asked"
