"""Text as Groovy literals; what the Jenkinsfile holds. What Groovy and shells make of it: tests/contract/test_jenkinsfile.py."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.export import groovy, jenkins

JOB = jenkins.Job("0.1.0", ("staging", "production"), ("production",), ".", "lading.yaml", "lading:0.1.0")


@pytest.mark.parametrize(("text", "expected"), [
    ("plain", "'plain'"), ("it's", r"'it\'s'"), ("a\\b", r"'a\\b'"), ("a\n", r"'a\n'"), ("→", r"'\u2192'"),
    ("\U0001f6a2", r"'\ud83d\udea2'"), ("${X}", "'${X}'"), ("\x00", r"'\u0000'"), ("\udc00", r"'\udc00'"), ("\t", r"'\t'"),
])
def test_literal(text: str, expected: str) -> None:
    assert groovy.literal(text) == expected


def test_block_keeps_lines() -> None:
    assert groovy.block("a 'b'\nc\\d") == "'''a \\'b\\'\nc\\\\d'''"
    assert groovy.words(["a", "b'"]) == r"['a', 'b\'']"


@given(st.text())
def test_quotes_are_never_open(text: str) -> None:
    inner = groovy.literal(text)[1:-1].replace("\\\\", "")
    assert "'" not in inner.replace("\\'", "")
    assert not inner.endswith("\\")


def test_parameters_are_in_no_text_but_the_shell_s_own() -> None:
    made = jenkins.jenkinsfile(replace(JOB, version="0.1\n\\u000a→"))
    assert made.isascii()
    assert "lading 0.1u000a)" in made
    assert '"${params' not in made
    assert made.count("registryUrl") == 0
    for part in (jenkins.plan_part(JOB), jenkins.deploy_part(JOB)):
        assert part.startswith(jenkins.check_part(JOB))
        assert part.splitlines()[-1].startswith("exec lading")


def test_what_is_not_needed_is_left_out() -> None:
    full = replace(JOB, image_registry="https://r", image_credential="reg", registries=(jenkins.Binding("reg", "P"),),
                   ledger=jenkins.Binding("led", "URL"), submitters="ann")
    for word in ("registryUrl 'https://r'", "passwordVariable: 'P'", "string(credentialsId: 'led', variable: 'URL')", "submitter: 'ann'"):
        assert word in jenkins.jenkinsfile(full)
        assert word not in jenkins.jenkinsfile(JOB)
    assert "stage('Approve')" not in jenkins.jenkinsfile(replace(JOB, approved=()))


def test_what_the_job_needs_beside_the_file_is_named() -> None:
    told = jenkins.jenkinsfile(replace(JOB, config="/etc/lading/lading.yaml", pass_env=("API_TOKEN", "LEVEL", "APP_*"), ledger=None,
                                       variables=(jenkins.Binding("level", "LEVEL"),), unbound={"r.example": "the command vault"}))
    comments = [line for line in told.splitlines() if line.startswith("// ")]
    for words in ("API_TOKEN is not bound here: set it for the job, or make this file with --variable API_TOKEN.",
                  "Registry r.example: its password comes from the command vault; nothing is bound for it.",
                  "The fleet file /etc/lading/lading.yaml lies outside the checkout: its folder is mounted into the agent from the node.",
                  "the ledger is a SQLite file in the agent's container and goes with it"):
        assert any(words in line for line in comments), words
    assert not any(word in line for line in comments for word in ("LEVEL is not bound", "APP_* is not bound"))
    assert told.count("args '--volume /etc/lading:/etc/lading:ro'") == 2  # of both agents
    inside = jenkins.jenkinsfile(replace(JOB, ledger=jenkins.Binding("led", "URL")))
    assert "--volume" not in inside and "SQLite" not in inside and "not bound" not in inside


def test_those_that_ask_for_approval_come_last() -> None:
    assert jenkins.destinations(["production", "staging", "eu", "test"], ["production", "eu"]) == ("staging", "test", "production", "eu")
