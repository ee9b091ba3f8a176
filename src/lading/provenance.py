"""Who runs lading, why, from which commit and in which CI run: Jenkins', GitHub's and GitLab's variables (pure)."""

import re
from collections.abc import Mapping
from dataclasses import fields
from urllib.parse import urlsplit, urlunsplit

from lading.dataclass import dataclass

LIMIT = 300  # characters of each value
COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a CI says of its run; each is one bounded line, "" where nothing is said. *reason* is for when nobody gives one."""

    actor: str = ""
    reason: str = ""
    commit: str = ""
    url: str = ""


def read(environment: Mapping[str, str]) -> Provenance:
    """What the environment says: that of a CI run, else nothing."""

    def get(name: str) -> str:
        return environment.get(name, "")

    # inside its Docker agents Jenkins leaves out variables that the node has too, JENKINS_URL often among them
    if get("BUILD_URL") and (get("JENKINS_URL") or get("BUILD_TAG").startswith("jenkins-")):
        found = _jenkins(environment)
    elif get("GITHUB_ACTIONS") == "true":
        found = _github(environment)
    elif get("GITLAB_CI") == "true":
        found = _gitlab(environment)
    else:
        return Provenance()
    lines = {one.name: one_line(getattr(found, one.name)) for one in fields(found)}
    commit = lines["commit"] if COMMIT.fullmatch(lines["commit"]) else ""
    return Provenance(**{**lines, "commit": commit, "url": one_line(without_password(found.url))})


def _jenkins(given: Mapping[str, str]) -> Provenance:
    """A multibranch job names the change request; BUILD_CAUSE and BUILD_USER_ID come from plug-ins or from our Jenkinsfile."""
    run = _words("build", _after("#", given.get("BUILD_NUMBER")), _after("of ", given.get("JOB_NAME")))
    change = _words(given.get("CHANGE_TITLE"), _inside(without_password(given.get("CHANGE_URL", ""))))
    return Provenance(
        given.get("BUILD_USER_ID") or given.get("CHANGE_AUTHOR") or "jenkins",
        change or run + _after(": ", given.get("BUILD_CAUSE")), given.get("GIT_COMMIT", ""), given["BUILD_URL"],
    )


def _github(given: Mapping[str, str]) -> Provenance:
    parts = [given.get("GITHUB_SERVER_URL", ""), given.get("GITHUB_REPOSITORY", ""), "actions/runs", given.get("GITHUB_RUN_ID", "")]
    run = _words(given.get("GITHUB_WORKFLOW") or "workflow", _after("#", given.get("GITHUB_RUN_NUMBER")))
    event = _words(given.get("GITHUB_EVENT_NAME"), _after("of ", given.get("GITHUB_REF_NAME")))
    return Provenance(
        given.get("GITHUB_TRIGGERING_ACTOR") or given.get("GITHUB_ACTOR") or "github", run + _after(": ", event),
        given.get("GITHUB_SHA", ""), "/".join(parts) if all(parts) else "",
    )


def _gitlab(given: Mapping[str, str]) -> Provenance:
    title = given.get("CI_COMMIT_TITLE") or given.get("CI_COMMIT_MESSAGE", "").partition("\n")[0]
    pipeline = _words(given.get("CI_PIPELINE_SOURCE"), "pipeline", _after("of ", given.get("CI_COMMIT_REF_NAME")))
    return Provenance(given.get("GITLAB_USER_LOGIN") or "gitlab", pipeline + _after(": ", title),
                      given.get("CI_COMMIT_SHA", ""), given.get("CI_JOB_URL", ""))


def _words(*parts: str | None) -> str:
    return " ".join(part for part in parts if part)


def _after(mark: str, text: str | None) -> str:
    return f"{mark}{text}" if text else ""


def _inside(text: str) -> str:
    return f"({text})" if text else ""


def one_line(text: str) -> str:
    """*text* as one line of bounded length; what would steer a terminal is shown as "?"."""
    return "".join(c if c.isprintable() else "?" for c in text)[:LIMIT]


def without_password(url: str) -> str:
    """*url* without the user and password that it may have; "" if it is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
