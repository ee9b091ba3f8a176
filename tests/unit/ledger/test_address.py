"""What of a ledger's URL is refused, and what of it and of libpq's words is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.ledger import address

GOOD = {"user": "ann", "password": "s3cret", "host": "db", "port": "5432", "dbname": "team"}


@pytest.mark.parametrize(("url", "words", "said"), [
    ("postgresql://ann:s3cret@db:5432/team", GOOD, ""),
    ("postgres://db,other:1,2/team", {"host": "db,other", "port": "1,2", "dbname": "team"}, ""),
    ("host=db password=a@b://c/d", {"host": "db", "password": "a@b://c/d"}, ""),
    ("postgresql://ann:s3@cret@db/team", {"host": "cret@db"}, "an unescaped @ or /"),
    ("postgresql://ann:1/cret@db/team", {"host": "ann", "port": "1", "dbname": "cret@db/team"}, "an unescaped @ or /"),
    ("dbname=postgresql://ann:s3cret@db/x", {"dbname": "postgresql://ann:s3cret@db/x"}, "an unescaped @ or /"),
    ("postgresql://ann:s3cret", {"host": "ann", "port": "s3cret"}, "a port that is no number"),
])
def test_what_is_taken_for_something_else_is_refused(url: str, words: dict[str, str], said: str) -> None:
    found = address.unescaped(url, words)
    assert (said in found, bool(found)) == (True, bool(said))
    assert "cret" not in found + address.HINT


def test_what_no_message_shows() -> None:
    assert address.secrets("postgresql://ann:s3%40cret@db/x", {"user": "ann", "password": "s3@cret"}) == (
        "ann:s3%40cret", "ann:s3@cret", "s3%40cret", "s3@cret")
    assert address.secrets("postgresql://ann:ann@db/x", {"user": "ann", "password": "ann"}) == ("ann:ann",)
    assert address.secrets("host=db password=pw sslpassword=long", {"password": "pw", "sslpassword": "long"}) == ("long",)


@pytest.mark.parametrize(("said", "shown"), [
    ("connection failed: Connection refused\n\tIs the server running on that host?", "connection failed: Connection refused"),
    ("\n  \x1b[31mfailed for s3cret\x07\n", "[31mfailed for *** "),
    (" \n\t", ""),
])
def test_the_cause_in_one_line(said: str, shown: str) -> None:
    assert address.cause(said, ("s3cret",)).strip() == shown.strip()


@given(st.text(alphabet="@/:?#%a", max_size=6), st.text(alphabet="@/:?#%a", max_size=6))
def test_whatever_stands_around_a_password_it_is_refused_or_hidden(before: str, after: str) -> None:
    url = f"postgresql://ann:{before}CANARY{after}@db/x"
    hidden = address.secrets(url, {"user": "ann"})
    assert "CANARY" not in address.cause(f"could not translate {url} or {before}CANARY{after}", hidden)


@pytest.mark.parametrize(("words", "host"), [
    ({}, ""), ({"host": ""}, ""), ({"host": "/run/postgresql"}, ""), ({"host": "@abstract"}, ""), ({"host": "localhost"}, ""),
    ({"host": "127.0.0.1"}, ""), ({"host": "127.9.9.9"}, ""), ({"host": "::1"}, ""), ({"host": "/run,127.0.0.1"}, ""),
    ({"host": "db"}, "db"), ({"host": "127.0.0.1,10.0.0.7"}, "10.0.0.7"), ({"host": "db", "sslmode": "prefer"}, "db"),
    ({"host": "db", "sslmode": "disable"}, "db"), ({"host": "db", "sslmode": "allow"}, "db"),
    ({"host": "localhost", "hostaddr": "10.0.0.7"}, "10.0.0.7"), ({"host": "db", "hostaddr": "127.0.0.1"}, ""),
    ({"service": "team"}, "service team"), ({"service": "team", "sslmode": "require"}, ""), ({"host": "127.0.0.1.evil"}, "127.0.0.1.evil"),
    ({"host": "db", "sslmode": "require"}, ""), ({"host": "db", "sslmode": "verify-ca"}, ""),
    ({"host": "db", "sslmode": "verify-full"}, ""),
])
def test_no_network_is_crossed_in_clear(words: dict[str, str], host: str) -> None:
    assert address.in_clear(words) == host
