"""Who, why, which commit, which run: from the variables that Jenkins, GitHub and GitLab document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading import provenance

SHA, SHA256 = "0123456789abcdef0123456789abcdef01234567", "ab" * 32
GITHUB = {
    "GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "ann", "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "team/shop", "GITHUB_RUN_ID": "42", "GITHUB_RUN_NUMBER": "7", "GITHUB_WORKFLOW": "deploy",
    "GITHUB_EVENT_NAME": "push", "GITHUB_REF_NAME": "main", "GITHUB_SHA": SHA, "USER": "runner", "CI": "true",
}
GITLAB = {
    "GITLAB_CI": "true", "GITLAB_USER_LOGIN": "ben", "CI_JOB_URL": "https://gitlab.example/team/shop/-/jobs/7",
    "CI_COMMIT_SHA": SHA256, "CI_COMMIT_TITLE": "Greet in two languages", "CI_PIPELINE_SOURCE": "push",
    "CI_COMMIT_REF_NAME": "main", "USER": "root", "CI": "true",
}
JENKINS = {
    "JENKINS_URL": "https://ci.example/", "BUILD_URL": "https://ci.example/job/shop/12/", "BUILD_NUMBER": "12",
    "JOB_NAME": "team/shop", "BUILD_USER_ID": "eve", "GIT_COMMIT": SHA, "USER": "jenkins",
}
CHANGE = {"CHANGE_ID": "5", "CHANGE_TITLE": "Greet twice", "CHANGE_URL": "https://x:y@git.example/pr/5", "CHANGE_AUTHOR": "dan"}
RUN = "https://github.example/team/shop/actions/runs/42"

CASES: dict[str, tuple[dict[str, str], tuple[str, str, str, str]]] = {
    "a person": ({"USER": "ann"}, ("", "", "", "")),
    "github": (GITHUB, ("ann", "deploy #7: push of main", SHA, RUN)),
    "github, run again by another": ({**GITHUB, "GITHUB_TRIGGERING_ACTOR": "ben"}, ("ben", "deploy #7: push of main", SHA, RUN)),
    "github without an address": ({**GITHUB, "GITHUB_SERVER_URL": ""}, ("ann", "deploy #7: push of main", SHA, "")),
    "github, nothing said": ({"GITHUB_ACTIONS": "true"}, ("github", "workflow", "", "")),
    "gitlab": (GITLAB, ("ben", "push pipeline of main: Greet in two languages", SHA256, GITLAB["CI_JOB_URL"])),
    "gitlab, the whole message": ({**GITLAB, "CI_COMMIT_TITLE": "", "CI_COMMIT_MESSAGE": "Greet\n\nIn two languages"},
                                  ("ben", "push pipeline of main: Greet", SHA256, GITLAB["CI_JOB_URL"])),
    "gitlab by a schedule": ({"GITLAB_CI": "true", "CI_PIPELINE_SOURCE": "schedule"}, ("gitlab", "schedule pipeline", "", "")),
    "jenkins": (JENKINS, ("eve", "build #12 of team/shop", SHA, JENKINS["BUILD_URL"])),
    "jenkins with its cause": ({**JENKINS, "BUILD_CAUSE": "Started by timer"},
                               ("eve", "build #12 of team/shop: Started by timer", SHA, JENKINS["BUILD_URL"])),
    "jenkins by a timer": ({**JENKINS, "BUILD_USER_ID": ""}, ("jenkins", "build #12 of team/shop", SHA, JENKINS["BUILD_URL"])),
    "jenkins, a change request": ({**JENKINS, **CHANGE, "BUILD_USER_ID": ""},
                                  ("dan", "Greet twice (https://git.example/pr/5)", SHA, JENKINS["BUILD_URL"])),
    "jenkins, nothing else said": ({"JENKINS_URL": "x", "BUILD_URL": "https://ci.example/12/"},
                                   ("jenkins", "build", "", "https://ci.example/12/")),
    "jenkins, in a container": ({"BUILD_TAG": "jenkins-shop-12", "BUILD_URL": "https://ci.example/12/"},
                                ("jenkins", "build", "", "https://ci.example/12/")),
    "a Jenkins agent's own shell": ({"JENKINS_URL": "https://ci.example/", "USER": "ann"}, ("", "", "", "")),
    "not these": ({"GITHUB_ACTIONS": "false", "GITLAB_CI": "", "USER": "ann"}, ("", "", "", "")),
    "credentials in the URL": ({**JENKINS, "BUILD_URL": "https://eve:canary@ci.example:8443/job/7/"},
                               ("eve", "build #12 of team/shop", SHA, "https://ci.example:8443/job/7/")),
    "no URL at all": ({**JENKINS, "BUILD_URL": "https://[canary"}, ("eve", "build #12 of team/shop", SHA, "")),
    "several lines": ({**GITLAB, "GITLAB_USER_LOGIN": "ben\nstate=free\x1b[2J"},
                      ("ben?state=free?[2J", "push pipeline of main: Greet in two languages", SHA256, GITLAB["CI_JOB_URL"])),
    "no commit's name": ({**JENKINS, "GIT_COMMIT": "origin/main"}, ("eve", "build #12 of team/shop", "", JENKINS["BUILD_URL"])),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_ci_says(case: str) -> None:
    environment, (actor, reason, commit, url) = CASES[case]
    assert provenance.read(environment) == provenance.Provenance(actor, reason, commit, url)


@given(name=st.sampled_from(sorted({*GITHUB, *GITLAB, *JENKINS, *CHANGE} - {"USER", "CI"})), value=st.text(),
       base=st.sampled_from([GITHUB, GITLAB, {**JENKINS, **CHANGE}]))
def test_all_is_one_bounded_line(name: str, value: str, base: dict[str, str]) -> None:
    found = provenance.read({**base, name: value})
    for text in (found.actor, found.reason, found.commit, found.url):
        assert len(text) <= provenance.LIMIT
        assert all(letter.isprintable() for letter in text)
