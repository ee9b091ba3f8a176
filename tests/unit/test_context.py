"""Who asks: user@host, or the CI's user and the URL of its run."""

import os
import pwd
import socket

import pytest

from lading import context

HERE = socket.gethostname()
GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "ann", "GITHUB_SERVER_URL": "https://github.example",
          "GITHUB_REPOSITORY": "team/shop", "GITHUB_RUN_ID": "42", "USER": "runner", "CI": "true"}
GITLAB = {"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "ben", "CI_JOB_URL": "https://gitlab.example/team/shop/-/jobs/7",
          "USER": "root", "CI": "true"}
JENKINS = {"JENKINS_URL": "https://ci.example/", "BUILD_URL": "https://ci.example/job/shop/7/", "BUILD_USER_ID": "eve",
           "USER": "jenkins"}

CASES: dict[str, tuple[dict[str, str], str, str]] = {
    "a person": ({"USER": "ann", "LOGNAME": "other"}, f"ann@{HERE}", ""),
    "a person by LOGNAME": ({"LOGNAME": "ann"}, f"ann@{HERE}", ""),
    "github": (GITHUB, "ann", "https://github.example/team/shop/actions/runs/42"),
    "github, run again by another": ({**GITHUB, "GITHUB_TRIGGERING_ACTOR": "ben"}, "ben",
                                     "https://github.example/team/shop/actions/runs/42"),
    "github without an address": ({**GITHUB, "GITHUB_SERVER_URL": ""}, "ann", ""),
    "gitlab": (GITLAB, "ben", "https://gitlab.example/team/shop/-/jobs/7"),
    "gitlab by a schedule": ({"GITLAB_CI": "true"}, "gitlab", ""),
    "jenkins": (JENKINS, "eve", "https://ci.example/job/shop/7/"),
    "jenkins by a timer": ({**JENKINS, "BUILD_USER_ID": ""}, "jenkins", "https://ci.example/job/shop/7/"),
    "a Jenkins agent's own shell": ({"JENKINS_URL": "https://ci.example/", "USER": "ann"}, f"ann@{HERE}", ""),
    "not these": ({"GITHUB_ACTIONS": "false", "GITLAB_CI": "", "USER": "ann"}, f"ann@{HERE}", ""),
    "credentials in the URL": ({**JENKINS, "BUILD_URL": "https://eve:canary@ci.example:8443/job/7/"}, "eve",
                               "https://ci.example:8443/job/7/"),
    "no URL at all": ({**JENKINS, "BUILD_URL": "https://[canary"}, "eve", ""),
    "several lines": ({"USER": "ann\nstate=free\x1b[2J"}, f"ann?state=free?[2J@{HERE}", ""),
}


@pytest.mark.parametrize("case", CASES)
def test_who(case: str) -> None:
    environment, actor, url = CASES[case]
    assert context.who(environment) == (actor, url)


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert context.who({})[0] == f"{pwd.getpwuid(os.getuid()).pw_name}@{HERE}"
    nobody = next(uid for uid in range(60000, 2**31) if uid not in {one.pw_uid for one in pwd.getpwall()})
    monkeypatch.setattr(os, "getuid", lambda: nobody)
    assert context.who({})[0] == f"uid-{nobody}@{HERE}"
