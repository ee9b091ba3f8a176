"""Groovy, as Jenkins has it (2.4), in a process of its own: evaluates literals, runs Jenkinsfiles with stand-ins for steps."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROBE = Path(__file__).with_name("jenkins_probe.groovy")
JAR = "/usr/share/java/groovy-all.jar"
PERSON = {"_class": "hudson.model.Cause$UserIdCause", "shortDescription": "Started by user Eve", "userId": "eve"}


class Groovy:
    """One JVM; each question is one line of JSON."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert "failed" not in answer, answer["failed"]
        return answer

    def run(
        self, jenkinsfile: str, params: Mapping[str, str], files: Mapping[str, str] | None = None, fails: str = "",
        causes: Sequence[Mapping[str, str]] = (PERSON,),
    ) -> "Run":
        """Run a whole file; the shell step that contains *fails* fails."""
        return Run(self.ask(file=jenkinsfile, params=params, files=files or {}, fails=fails, causes=causes))


class Run:
    """What a Jenkinsfile did."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.nodes, self.env, self.description, self.error = (answer[key] for key in ("nodes", "env", "description", "error"))

    def steps(self, *names: str) -> list[dict[str, Any]]:
        """Every step or section of one of these names, in the order they ran."""
        return [node for node in _all(self.nodes) if node["step"] in names]

    def shell(self) -> list[str]:
        """The scripts of the `sh` steps."""
        return [node["words"][0] for node in self.steps("sh")]

    def stage(self, name: str) -> dict[str, Any]:
        return next(node for node in self.steps("stage") if node["words"] == [name])


def _all(nodes: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        yield node
        yield from _all(node["inside"])


@contextmanager
def groovy() -> Iterator[Groovy]:
    """A JVM for the block."""
    argv = ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", JAR, "groovy.ui.GroovyMain", str(PROBE)]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True, encoding="utf-8") as process:
        try:
            yield Groovy(process)
        finally:
            process.kill()
