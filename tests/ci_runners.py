"""CI jobs as their runners carry them out: GitHub's and GitLab's, as far as the guides use them; whatever else a file says is refused."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

PAGE = Path(__file__).resolve().parents[1] / "docs" / "how-to.md"
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")
NAMED = re.compile(r"([a-z]+)\.(\w+)")
VARIABLE = re.compile(r"\$(\w+)")
WHERE = {"run-name": {"inputs"}, "concurrency": {"inputs"}, "environment": {"inputs"}, "job env": {"inputs", "secrets"},
         "step env": {"inputs", "secrets", "runner"}, "with": {"inputs", "runner"}}
"""Which contexts GitHub knows at a place, of those that are made here."""
SHELLS = {"bash": ("bash", "--noprofile", "--norc", "-eo", "pipefail"), "": ("bash", "-e")}
INSTALL, INSTALLED = "Install lading", 'mkdir "$RUNNER_TEMP/evidence"\necho "{}/lading/bin" >>"$GITHUB_PATH"\n'
CHECKOUT, UPLOAD = "actions/checkout", "actions/upload-artifact"
URL = {"github": "https://github.example/team/shop", "gitlab": "https://gitlab.example/team/shop"}
Start = Callable[[Sequence[str], Path, Mapping[str, str]], "subprocess.Popen[str]"]
"""Starts a program in a folder, with these variables: where the runner stands."""


class Refused(Exception):
    """The file says something that this runner does not know, or that the real one would refuse."""


def guide(title: str) -> str:
    """The YAML under a heading of the how-to, as a reader copies it."""
    section = PAGE.read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```yaml\n(.*?)```", section, re.S)
    assert len(blocks) == 1, f"{title} has {len(blocks)} blocks of YAML"
    return str(blocks[0])


def github_guide() -> str:
    """`.github/workflows/deploy.yml`."""
    return guide("Deploy from GitHub Actions")


def gitlab_guide() -> str:
    """`.gitlab-ci.yml`."""
    return guide("Deploy from GitLab CI")


def read(text: str) -> dict[str, Any]:
    """A CI's YAML with every scalar as text: `on` is a key and no boolean."""
    found: dict[str, Any] = yaml.load(text, Loader=yaml.BaseLoader)
    return found


def only(what: Mapping[str, Any], *known: str) -> None:
    """Refuse keys that are not known."""
    if unknown := set(what) - set(known):
        raise Refused(f"unknown here: {', '.join(sorted(unknown))}")


@dataclass
class Machine:
    """What runs the jobs: *start* starts a program, *folder* is the runner's own, *path* its programs, *variables* its settings."""

    start: Start
    folder: Path
    path: str
    variables: Mapping[str, str] = field(default_factory=dict)

    def new(self, name: str) -> Path:
        """An empty folder, as each job gets."""
        made = self.folder / name
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        return made

    def script(self, shell: Sequence[str], text: str, cwd: Path, env: Mapping[str, str], cancel: str = "") -> tuple[int, str]:
        """Run a script of a job; its exit code and its log. SIGINT to the entry process once the log says *cancel*."""
        file = self.folder / "script.sh"
        file.write_text(text)
        log = ""
        with self.start([*shell, str(file)], cwd, env) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    log += line
                    if cancel and cancel in line:
                        os.kill(process.pid, signal.SIGINT)
                        cancel = ""
            except BaseException:
                process.kill()
                raise
        return process.returncode, log


@dataclass
class Run:
    """How a job went. *codes*: exit code by step, None where it was skipped; *files*: what it keeps, by name."""

    log: str = ""
    codes: dict[str, int | None] = field(default_factory=dict)
    summary: str = ""
    files: dict[str, str] = field(default_factory=dict)

    @property
    def code(self) -> int:
        """That of the first step that failed, 0 if none did."""
        return next((code for code in self.codes.values() if code), 0)


@contextmanager
def orphans_ended(pair: str) -> Iterator[None]:
    """At the end of a job a runner ends what it has left: the processes that have its mark in their environment."""
    try:
        yield
    finally:
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if pair.encode() in path.read_bytes().split(b"\0"):
                    os.kill(int(path.parent.name), signal.SIGTERM)
            except OSError:
                continue


def clone(repository: Path, into: Path, origin: str) -> str:
    """A checkout without a password in its settings, as a runner makes it; the commit."""
    git = ["git", "-c", "safe.directory=*"]
    subprocess.run([*git, "clone", "-q", repository, into], check=True)
    subprocess.run([*git, "-C", into, "remote", "set-url", "origin", origin], check=True)
    return subprocess.check_output([*git, "-C", into, "rev-parse", "HEAD"], text=True).strip()


class GitHub:
    """A workflow with one job, started by hand."""

    def __init__(self, text: str, machine: Machine, repository: Path, secrets: Mapping[str, str]) -> None:
        self.flow, self.machine, self.repository, self.secrets = read(text), machine, repository, secrets
        only(self.flow, "name", "run-name", "on", "permissions", "concurrency", "defaults", "jobs")
        only(self.flow["on"], "workflow_dispatch")
        (self.job,) = self.flow["jobs"].values()
        only(self.job, "runs-on", "timeout-minutes", "environment", "env", "steps")
        self.contexts: dict[str, Mapping[str, str]] = {}
        self.runs = 0

    def filled(self, text: str, place: str) -> str:
        """*text* with its expressions evaluated.

        Raises:
            Refused: one is unknown, or its context is not there at this place.
        """
        def value(found: re.Match[str]) -> str:
            named = NAMED.fullmatch(found[1].strip())
            if named is None or named[1] not in WHERE[place] or named[2] not in self.contexts[named[1]]:
                raise Refused(f"{found[0]} is unknown in {place}")
            return self.contexts[named[1]][named[2]]

        return EXPRESSION.sub(value, text)

    def all_filled(self, values: Mapping[str, str], place: str) -> dict[str, str]:
        return {name: self.filled(text, place) for name, text in values.items()}

    def asked(self, given: Mapping[str, str]) -> dict[str, str]:
        """The inputs, as the form lets them be."""
        known = self.flow["on"]["workflow_dispatch"]["inputs"]
        only(given, *known)
        for name, one in known.items():
            only(one, "description", "type", "options", "required")
            if one["type"] == "choice" and given[name] not in one["options"]:
                raise Refused(f"{given[name]} is none of {name}'s options")
        return dict(given)

    def run(self, cancel: str = "", **inputs: str) -> Run:
        """One run; *cancel*: it is cancelled in the step that says this.

        What the first run has installed is there for those after it, whose install step is INSTALLED; all else is run as written.
        """
        self.runs += 1
        temp, work, home = (self.machine.new(name) for name in (f"temp-{self.runs}", "work", "home"))
        self.contexts = {"inputs": self.asked(inputs), "secrets": self.secrets, "runner": {"temp": str(temp)}}
        self.filled(self.flow["run-name"], "run-name")
        self.filled(self.flow["concurrency"]["group"], "concurrency")
        self.filled(self.job["environment"], "environment")
        env = {
            **self.machine.variables, "PATH": self.machine.path, "HOME": str(home), "CI": "true", "RUNNER_TEMP": str(temp),
            "RUNNER_TRACKING_ID": f"github_{os.getpid()}", "GITHUB_WORKSPACE": str(work), "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": "ann", "GITHUB_TRIGGERING_ACTOR": "ann", "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_REPOSITORY": "team/shop", "GITHUB_RUN_ID": "42", "GITHUB_RUN_NUMBER": "7", "GITHUB_WORKFLOW": self.flow["name"],
            "GITHUB_EVENT_NAME": "workflow_dispatch", "GITHUB_REF_NAME": "main", **self.all_filled(self.job["env"], "job env"),
        }
        done = Run()
        with orphans_ended(f"RUNNER_TRACKING_ID={env['RUNNER_TRACKING_ID']}"):
            for number, step in enumerate(self.job["steps"]):
                self._step(number, step, env, done, cancel)
        return done

    def _step(self, number: int, step: Mapping[str, Any], env: dict[str, str], done: Run, cancel: str) -> None:
        only(step, "name", "uses", "with", "if", "env", "run")
        condition = step.get("if", "success()")
        if condition not in ("always()", "success()"):
            raise Refused(f"if: {condition}")
        name = step.get("name") or step["uses"].partition("@")[0]
        if done.code and condition != "always()":
            done.codes[name] = None
            return
        done.codes[name] = self._use(step, env, done) if "uses" in step else self._script(number, step, env, done, cancel)

    def _use(self, step: Mapping[str, Any], env: dict[str, str], done: Run) -> int:
        """What the two actions do, of what they are asked."""
        action, options = step["uses"].partition("@")[0], self.all_filled(step["with"], "with")
        if action == CHECKOUT and options == {"fetch-depth": "0", "persist-credentials": "false"}:
            env["GITHUB_SHA"] = clone(self.repository, Path(env["GITHUB_WORKSPACE"]), URL["github"])
            return 0
        if action == UPLOAD and set(options) == {"name", "path"}:
            done.files = {path.name: path.read_text() for path in Path(options["path"]).iterdir()}
            return 0
        raise Refused(f"{action} with {options}")

    def _script(self, number: int, step: Mapping[str, Any], env: dict[str, str], done: Run, cancel: str) -> int:
        """A step's script, and what it leaves for the steps after it."""
        if EXPRESSION.search(step["run"]):
            raise Refused(f"an expression in a script, where what was typed would be run: {step['run']}")
        folder = self.machine.new(f"files/{number}")
        files = {name: folder / name for name in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.touch()
        own = {**env, **self.all_filled(step.get("env", {}), "step env"), **{name: str(file) for name, file in files.items()}}
        shell = SHELLS[self.flow.get("defaults", {}).get("run", {}).get("shell", "")]
        text = step["run"] if self.runs == 1 or step["name"] != INSTALL else INSTALLED.format(self.machine.folder / "temp-1")
        code, log = self.machine.script(shell, text, Path(env["GITHUB_WORKSPACE"]), own, cancel)
        done.log += f"{text.rstrip()}\n{log}"
        done.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        for line in files["GITHUB_ENV"].read_text().splitlines():
            name, equals, value = line.partition("=")
            if not equals or "<<" in name:
                raise Refused(f"GITHUB_ENV: {line}")
            env[name] = value
        for line in files["GITHUB_PATH"].read_text().splitlines():
            env["PATH"] = f"{line}:{env['PATH']}"
        return code


class GitLab:
    """A pipeline with one job that is played by hand. *files*: variables of type file; *masked*: the others of the settings."""

    def __init__(self, text: str, machine: Machine, repository: Path, files: Mapping[str, str], masked: Mapping[str, str]) -> None:
        self.flow, self.machine, self.repository, self.files, self.masked = read(text), machine, repository, files, masked
        (self.name,) = set(self.flow) - {"variables"}
        self.job = self.flow[self.name]
        only(self.job, "image", "rules", "environment", "resource_group", "interruptible", "timeout", "variables", "before_script",
             "script", "after_script", "artifacts")

    def asked(self, given: Mapping[str, str]) -> dict[str, str]:
        """The pipeline's variables, as the form lets them be."""
        known = self.flow["variables"]
        only(given, *known)
        for name, value in given.items():
            if value not in known[name].get("options", [value]):
                raise Refused(f"{value} is none of {name}'s options")
        return {name: given.get(name, one["value"]) for name, one in known.items()}

    def offered(self, variables: Mapping[str, str]) -> str:
        """When the job of a pipeline with these variables runs: "manual", "on_success"; "" if it is not part of it."""
        for rule in self.job["rules"]:
            only(rule, "if", "when")
            if all(_holds(part, variables) for part in rule["if"].split(" && ")):
                return str(rule.get("when", "on_success"))
        return ""

    def run(self, **given: str) -> Run:
        """One pipeline whose job is played."""
        work, home = self.machine.new("work"), self.machine.new("home")
        settings = self.machine.new("settings")
        for name, text in self.files.items():
            (settings / name).write_text(text)
            (settings / name).chmod(0o666)  # as GitLab's runner leaves it
        env = {
            **self.machine.variables, "PATH": self.machine.path, "HOME": str(home), "CI": "true", "GITLAB_CI": "true",
            "GITLAB_USER_LOGIN": "ben", "CI_JOB_ID": str(os.getpid()), "CI_JOB_URL": f"{URL['gitlab']}/-/jobs/7",
            "CI_COMMIT_TITLE": "the shop", "CI_PIPELINE_SOURCE": "web", "CI_COMMIT_REF_NAME": "main", "CI_COMMIT_REF_PROTECTED": "true",
            "CI_COMMIT_SHA": clone(self.repository, work, f"{URL['gitlab']}.git"),
            **self.job["variables"], **{name: str(settings / name) for name in self.files}, **self.masked, **self.asked(given),
        }
        if self.offered(env) != "manual":
            raise Refused("nobody is asked")
        for key in ("image", "environment", "resource_group"):
            self._filled(self.job[key], env)
        done = Run()
        with orphans_ended(f"CI_JOB_ID={env['CI_JOB_ID']}"):
            done.codes["script"] = self._script([*self.job["before_script"], *self.job["script"]], work, env, done)
            self._script(self.job["after_script"], work, env, done)  # its exit code counts for nothing
        done.files = {path.name: path.read_text() for name in self.job["artifacts"]["paths"] for path in (work / name).iterdir()}
        return done

    def _filled(self, text: str, env: Mapping[str, str]) -> str:
        """What is no script knows variables too.

        Raises:
            Refused: one is unknown.
        """
        if unknown := set(VARIABLE.findall(text)) - set(env):
            raise Refused(f"unknown variables in {text}: {unknown}")
        return VARIABLE.sub(lambda found: env[found[1]], text)

    def _script(self, lines: Sequence[str], work: Path, env: Mapping[str, str], done: Run) -> int:
        """The lines of one shell, each shown before it is run."""
        text = "set +o noclobber\n" + "".join(f"echo {_quoted('$ ' + line)}\n{line}\n" for line in lines)
        code, log = self.machine.script(("bash", "-eo", "pipefail"), text, work, env)
        done.log += log
        return code


def _holds(part: str, variables: Mapping[str, str]) -> bool:
    """A comparison of a rule.

    Raises:
        Refused: it is of another form.
    """
    found = re.fullmatch(r'\$(\w+) == "(\w*)"', part)
    if found is None:
        raise Refused(f"if: {part}")
    return variables.get(found[1]) == found[2]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def python(folder: Path) -> Path:
    """A folder with the `python3` of a runner: this one, but none of what is installed beside it."""
    folder.mkdir()
    program = folder / "python3"
    program.write_text(f'#!/bin/sh\nexec {sys.base_prefix}/bin/python3 "$@"\n')
    program.chmod(0o755)
    return folder
