"""Every JSON document has its version and its schema, which says all that is in it (issue 14; FINDINGS H9)."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import documents as held
from lading import context as contexts
from lading import events
from lading.cli import documents
from lading.deploy import ended
from lading.engines import base
from lading.ledger import ledger
from lading.plan import steps

SOURCE = Path(__file__).resolve().parents[2] / "src" / "lading"
DEPLOYMENT = "20261122-141503-4f2a"
FLEET = """lading: 1
hosts: {web1: {address: 127.0.0.1, port: 9, user: ann, labels: {tier: web}}}
ssh: {connect_timeout: 1}
destinations: {production: {hosts: [web1]}}
"""


def test_each_document_has_a_schema_of_its_version_and_each_schema_a_document() -> None:
    assert {path.stem for path in (SOURCE / "schemas").iterdir()} == documents.VERSIONS.keys()
    for name, version in documents.VERSIONS.items():
        schema = documents.schema(name)
        row = schema.get("items", schema)
        assert (row["properties"]["v"]["const"], "v" in row["required"]) == (version, True), name


def test_each_document_is_printed_by_some_verb() -> None:
    printed = [re.findall(r'document\("([a-z-]+)"', path.read_text()) for path in (SOURCE / "cli").glob("*.py")]
    assert {name for names in printed for name in names} == documents.VERSIONS.keys()


@pytest.mark.parametrize(("words", "text"), [
    (["where"], '[{"v": 1}]'), (["hosts", "list"], '{"v": 1}'), (["plan"], '{"v": 1, "error": {"kind": "input"}}'),
    (["ledger", "forget"], '{"v": 1, "host": "web1", "deployments": 1, "releases": 1, "more": 2}'),
    (["ledger", "forget"], '{"v": 2, "host": "web1", "deployments": 1, "releases": 1}'),
])
def test_a_document_that_its_schema_does_not_describe_is_found(words: Sequence[str], text: str) -> None:
    with pytest.raises(AssertionError, match="does not describe"):
        held.check([*words, "--json"], text)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with a fleet file, whose host does not answer, and a ledger of one deployment that failed."""
    (tmp_path / "lading.yaml").write_text(FLEET)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LADING_CONFIG": str(tmp_path / "lading.yaml")}

    async def fill() -> None:
        kept = await ledger.open_ledger(contexts.ledger_path(env))
        await kept.append(events.DeploymentPlanned(
            DEPLOYMENT, app="shop", version="1", release="ab" * 32, hosts=("web1",), keys={"SHA256:x": ("web1",)}))
        await kept.append(events.ServiceUnhealthy(DEPLOYMENT, "web1", service="web", why="exited", evidence="cd" * 32))
        await kept.append(events.DeploymentEnded(DEPLOYMENT, result="failed", hosts={"web1": "failed"}))
        await kept.close()

    asyncio.run(fill())
    return env


@pytest.mark.parametrize(("words", "code"), [
    (("hosts", "list"), 0), (("history", "--offline"), 0), (("show", DEPLOYMENT, "--timings"), 0), (("ledger", "verify"), 0),
    (("ledger", "verify", "--hosts"), 6), (("ledger", "rebuild"), 6), (("ledger", "forget", "web1"), 2), (("check",), 6),
    (("where",), 6), (("drift",), 6), (("plan", "--to", "prod"), 2), (("rollback", "shop"), 4), (("depoly",), 2),
])
def test_what_a_verb_prints_is_what_its_schema_says(words: tuple[str, ...], code: int, home: dict[str, str]) -> None:
    argv = [sys.executable, "-m", "lading", *words, "--json"]
    done = subprocess.run(argv, cwd=home["HOME"], env=home, text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    told = json.loads(done.stdout)
    assert told
    held.check([*words, "--json"], done.stdout)


def test_how_a_deployment_ended_and_what_was_planned() -> None:
    """Of the shapes that need hosts: the lab's tests hold what real ones print against the same schemas."""
    outcome = events.Outcome({"web1": events.HostOutcome("failed", "ab", "", "no disk", 1.5)})
    done = ended.Ended(DEPLOYMENT, "shop", "1", "ab", "production", "failed", "a", "b", "ann", "", base.Report(outcome))
    held.check(["deploy", "--json"], json.dumps(documents.versioned("deployment", done.as_json())))
    held.check(["resume", "--json"], json.dumps(documents.versioned("resume", [done.as_json()])))
    plan = steps.Plan(
        "shop", "1", "ab", "production", {"web1": steps.HostPlan("web1", (), changes=(steps.Change("web1", "web", "image"),))},
        (("web1",),), rights=(steps.Right("web", "host-network", "network_mode", "all", ("web1",)),))
    held.check(["plan", "--json"], json.dumps(documents.versioned("plan", plan.as_json())))
