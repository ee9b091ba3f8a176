"""Who asks: user@host, or whom the CI names."""

import os
import pwd
import socket

import pytest

from lading import context

HERE = socket.gethostname()
JENKINS = {"JENKINS_URL": "https://ci.example/", "BUILD_URL": "https://ci.example/job/shop/7/", "BUILD_USER_ID": "eve",
           "USER": "jenkins"}

CASES: dict[str, tuple[dict[str, str], str, str]] = {
    "a person": ({"USER": "ann", "LOGNAME": "other"}, f"ann@{HERE}", ""),
    "a person by LOGNAME": ({"LOGNAME": "ann"}, f"ann@{HERE}", ""),
    "a CI": (JENKINS, "eve", "https://ci.example/job/shop/7/"),
    "several lines": ({"USER": "ann\nstate=free\x1b[2J"}, f"ann?state=free?[2J@{HERE}", ""),
}


@pytest.mark.parametrize("case", CASES)
def test_who(case: str) -> None:
    environment, actor, url = CASES[case]
    found = context.who(environment)
    assert (found.actor, found.url) == (actor, url)


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert context.who({}).actor == f"{pwd.getpwuid(os.getuid()).pw_name}@{HERE}"
    nobody = next(uid for uid in range(60000, 2**31) if uid not in {one.pw_uid for one in pwd.getpwall()})
    monkeypatch.setattr(os, "getuid", lambda: nobody)
    assert context.who({}).actor == f"uid-{nobody}@{HERE}"
