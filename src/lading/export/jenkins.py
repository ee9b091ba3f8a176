"""A declarative Jenkinsfile that deploys an app: every value reaches a shell through the environment (pure).

The shell parts are functions of their own, so that they can be run without Jenkins. They end in `exec`: the process that
Jenkins signals is lading itself, and its exit status is the step's.
"""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import field

from lading.dataclass import dataclass
from lading.export import groovy
from lading.transport import command

FOLDER = ".lading"  # in the workspace: the result, the lock
RESULT = f"{FOLDER}/result.json"
DESCRIPTION = f"{FOLDER}/description"
PLAN = f"{FOLDER}/plan"  # the hash of the plan in the log
PATIENCE = 3600  # seconds to wait for an undo after an abort
HEADER = """\
// Made by `lading export jenkins` (lading {version}) from the fleet file; make it anew when destinations or registries change.
// What was tried, and what was not: the shell parts run against real hosts in lading's tests, and Groovy 2.4 (the one in
// Jenkins) compiles and runs this file there with stand-ins for the steps. It has not run inside a Jenkins.
// Needs: Pipeline, Git, Docker Pipeline, Credentials Binding, SSH Credentials; nodes with Docker that reach the image and the servers.
// Parameters reach the shell through the environment only. An abort is SIGTERM to lading, which undoes on every host; the
// build waits for it. Jenkins itself gives up on a step after 20 s, so `finally` holds the agent until lading has ended.
"""


@dataclass(frozen=True, slots=True)
class Binding:
    """A credential of Jenkins, by its id, and the environment variable that lading reads it from."""

    credential: str
    variable: str


@dataclass(frozen=True, slots=True)
class Job:
    """What the Jenkinsfile is made of. *destinations* in the order shown, *approved* those that ask for approval;
    *directory* and *config*: the app's folder and the fleet file, from the top of the checkout; *image_registry* and
    *image_credential*: where the agent's image comes from, if a login is needed; *submitters*: who may approve, "" = all;
    *patience*: minutes that an approval is waited for; *variables*: those that the app's files use;
    *pass_env*: the entries of the fleet file's `pass_env`; *unbound*: registry → where its password comes from, if not from
    a credential of Jenkins; *fetched*: what else the fleet file has from elsewhere, secrets of apps and webhooks, → what that needs."""

    version: str
    destinations: tuple[str, ...]
    approved: tuple[str, ...]
    directory: str
    config: str
    image: str
    image_registry: str = ""
    image_credential: str = ""
    ssh_credential: str = "lading-ssh"
    registries: tuple[Binding, ...] = ()
    ledger: Binding | None = None
    submitters: str = ""
    patience: int = 60
    variables: tuple[Binding, ...] = ()
    pass_env: tuple[str, ...] = ()
    unbound: Mapping[str, str] = field(default_factory=dict)
    fetched: Mapping[str, str] = field(default_factory=dict)


def check_part(job: Job) -> str:
    """The parameters are what they may be; anything else ends with 2, as lading does. Needs no lading."""
    names = "|".join(command.quote(name) for name in job.destinations)
    refusal = command.quote(f"DESTINATION is none of: {' '.join(job.destinations)}")
    return f"""\
set +x
set -eu
(
    LC_ALL=C
    case "${{DESTINATION:-}}" in
    {names}) ;;
    *) printf '%s\\n' {refusal} >&2; exit 2 ;;
    esac
    case "${{VERSION:-}}" in
    "" | [.-]* | *[!A-Za-z0-9_.-]*)
        echo "VERSION must be letters, digits, _ . and -, a letter, digit or _ first" >&2; exit 2 ;;
    esac
    if [ "${{#VERSION}}" -gt 128 ]; then echo "VERSION has more than 128 characters" >&2; exit 2; fi
)
"""


def plan_part(job: Job) -> str:
    """Check, then show the plan in the log and keep its hash, if it has one; nothing is changed."""
    return f"{check_part(job)}{_home()}rm -f {PLAN}\nexec {_lading(job, 'plan')} >{PLAN}\n"


def deploy_part(job: Job) -> str:
    """Check, then become lading; its document is the result, its exit status the step's. The lock is held while it lives.

    What was approved is carried out, or refused if it is not the plan any more.
    """
    return f"""\
{check_part(job)}{_home()}exec 9>{FOLDER}/lock
flock 9
reason="${{REASON:-}}"
if [ -n "${{APPROVED_BY:-}}" ]; then reason="${{reason:+$reason, }}approved by $APPROVED_BY"; fi
if [ -n "${{APPROVED_PLAN:-}}" ]; then set -- --plan="$APPROVED_PLAN"; else set -- --yes; fi
exec {_lading(job, 'deploy')} --reason="$reason" "$@" --json >{RESULT}
"""


def wait_part() -> str:
    """Until lading has ended, also after an abort; then the result, for the log, and in one line.

    Groovy in Jenkins' sandbox may read no JSON without a plug-in; where lading is, there is Python.
    """
    return f"""\
set +x
{_own_folder()}exec 9>{FOLDER}/lock
flock -w {PATIENCE} 9 || echo "lading has not ended after {PATIENCE} s; what is open on the hosts: lading resume" >&2
rm -f {DESCRIPTION}
[ -s {RESULT} ] || exit 0
cat {RESULT}
python3 - <<"END"
import json
told = json.load(open("{RESULT}", encoding="utf-8"))
line = "not deployed: " + told["error"]["kind"] if "error" in told else "{{app}} {{version}} → {{destination}}: {{result}}".format(**told)
open("{DESCRIPTION}", "w", encoding="utf-8").write(line)
END
"""


def _home() -> str:
    """A home folder outside the checkout, in which the key of the credential is the one that lading finds: what a repository
    tracks is nobody's `.ssh/config`. Ledger and docker's logins stay where they were."""
    return f"""\
XDG_STATE_HOME="${{XDG_STATE_HOME:-${{HOME:-/tmp}}/.local/state}}"
DOCKER_CONFIG="${{DOCKER_CONFIG:-${{HOME:-/tmp}}/.docker}}"
export XDG_STATE_HOME DOCKER_CONFIG
umask 077
{_own_folder()}rm -f {RESULT}
HOME=$(mktemp -d)
export HOME
mkdir "$HOME/.ssh"
ln -s "$LADING_SSH_KEY" "$HOME/.ssh/id_rsa"
"""


def _own_folder() -> str:
    """lading's folder in the workspace, in which no symlink of the repository may lead elsewhere."""
    return f"""\
for place in {FOLDER} {FOLDER}/lock {RESULT} {DESCRIPTION}; do
    if [ -L "$place" ]; then
        echo "$place is a symlink in the repository: lading's own files would lie elsewhere" >&2
        exit 2
    fi
done
mkdir -p {FOLDER}
"""


def _lading(job: Job, verb: str) -> str:
    words = ["lading", f"--config={job.config}", verb, f"--project-directory={job.directory}"]
    return " ".join(command.quote(word) for word in words) + ' --to="$DESTINATION" --version="$VERSION"'


def jenkinsfile(job: Job) -> str:
    """The whole file."""
    return f"""{HEADER.format(version=_plain(job.version))}{_passed(job)}{_beside(job)}pipeline {{
    agent none
    options {{
        disableConcurrentBuilds()
    }}
    parameters {{
        choice(name: 'DESTINATION', choices: {groovy.words(job.destinations)}, description: 'Where to')
        string(name: 'VERSION', defaultValue: '', trim: true, description: 'Which version: the tag of its images')
        string(name: 'REASON', defaultValue: '', trim: true, description: 'Why, for the history')
    }}
    stages {{
{_planning(job)}{_approval(job)}{_deploying(job)}    }}
}}
"""


def _passed(job: Job) -> str:
    """Which variables of the job reach the app, as a comment."""
    names = ", ".join(map(_plain, job.pass_env)) or "none"
    return (f"// Of the job's variables the app is given VERSION and, by `pass_env` of the fleet file: {names}.\n"
            "// Set those for the job, by withCredentials or in Jenkins; one that the app's files use and the list lacks is refused.\n")


def _beside(job: Job) -> str:
    """What the job needs that this file does not give it, and where the history stays, as comments."""
    bound = {one.variable for one in job.variables}
    lines = [f"{name} is not bound here: set it for the job, or make this file with --variable {name}."
             for name in job.pass_env if name not in bound and not set("*?[") & set(name)]
    lines += [f"Registry {name}: its password comes from {source}; nothing is bound for it." for name, source in job.unbound.items()]
    lines += [f"{what} comes from {source}, in the agent." for what, source in job.fetched.items()]
    if job.config.startswith("/"):
        lines.append(f"The fleet file {job.config} lies outside the checkout: its folder is mounted into the agent from the node.")
    if job.ledger is None:
        lines += ["No `ledger: {env: NAME}` in the fleet file: the ledger is a SQLite file in the agent's container and goes with it.",
                  "The history is then what the hosts' journals tell (lading history reads them); PostgreSQL keeps it in one place."]
    return "".join(f"// {_plain(line)}\n" for line in lines)


def _planning(job: Job) -> str:
    """The stage that checks and shows the plan; it also tells the next one who started the build, and why."""
    return f"""\
        stage('Plan') {{
{_agent(job)}
            steps {{
                script {{
                    def people = currentBuild.getBuildCauses('hudson.model.Cause$UserIdCause')
                    if (people) {{ env.BUILD_USER_ID = people[0].userId ?: '' }}
                    env.BUILD_CAUSE = currentBuild.getBuildCauses().collect {{ it.shortDescription }}.join(', ')
                }}
                withCredentials({_bindings(job)}) {{
                    sh {groovy.block(plan_part(job))}
                }}
                script {{
                    if (fileExists({groovy.literal(PLAN)})) {{
                        env.LADING_PLAN = readFile(file: {groovy.literal(PLAN)}, encoding: 'UTF-8').trim()
                    }}
                    if (!env.LADING_PLAN && params.DESTINATION in {groovy.words(job.approved)}) {{
                        error('The plan has no hash that could be approved; the reason is in the log above.')
                    }}
                }}
            }}
        }}
"""


def _deploying(job: Job) -> str:
    """The stage that deploys, and waits for lading's end on every way out; then the result."""
    return f"""\
        stage('Deploy') {{
{_agent(job)}
            steps {{
                withCredentials({_bindings(job)}) {{
                    script {{
                        try {{
                            sh {groovy.block(deploy_part(job))}
                        }} finally {{
                            sh {groovy.block(wait_part())}
                        }}
                    }}
                }}
            }}
            post {{
                always {{
{_result()}                }}
            }}
        }}
"""


def _result() -> str:
    """The result archived, and in one line as the build's description."""
    line = groovy.literal(DESCRIPTION)
    return f"""\
                    archiveArtifacts artifacts: {groovy.literal(RESULT)}, allowEmptyArchive: true
                    script {{
                        if (fileExists({line})) {{ currentBuild.description = readFile(file: {line}, encoding: 'UTF-8') }}
                    }}
"""


def _agent(job: Job) -> str:
    lines = [f"image {groovy.literal(job.image)}"]
    if job.image_registry:
        lines += [f"registryUrl {groovy.literal(job.image_registry)}",
                  f"registryCredentialsId {groovy.literal(job.image_credential)}"]
    if job.config.startswith("/"):
        folder = posixpath.dirname(job.config)
        lines.append(f"args {groovy.literal('--volume ' + command.quote(f'{folder}:{folder}:ro'))}")
    inner = "\n".join(" " * 20 + line for line in lines)
    return f"            agent {{\n                docker {{\n{inner}\n                }}\n            }}"


def _bindings(job: Job) -> str:
    """The SSH key as a file, passwords as the variables that the fleet file names."""
    found = [f"sshUserPrivateKey(credentialsId: {groovy.literal(job.ssh_credential)}, keyFileVariable: 'LADING_SSH_KEY')"]
    found += [
        f"usernamePassword(credentialsId: {groovy.literal(one.credential)}, usernameVariable: "
        f"{groovy.literal(one.variable + '_USER')}, passwordVariable: {groovy.literal(one.variable)})"
        for one in job.registries
    ]
    found += [_secret_text(one) for one in job.variables]
    if job.ledger is not None:
        found.append(_secret_text(job.ledger))
    return "[\n" + "".join(f"                    {one},\n" for one in found[:-1]) + f"                    {found[-1]}\n                ]"


def _secret_text(one: Binding) -> str:
    return f"string(credentialsId: {groovy.literal(one.credential)}, variable: {groovy.literal(one.variable)})"


def _approval(job: Job) -> str:
    """A stage without an agent that waits for a person's yes to the plan's hash, for the destinations that ask for it."""
    if not job.approved:
        return ""
    who = f", submitter: {groovy.literal(job.submitters)}" if job.submitters else ""
    return f"""\
        stage('Approve') {{
            when {{
                expression {{ params.DESTINATION in {groovy.words(job.approved)} }}
            }}
            steps {{
                script {{
                    def hash = env.LADING_PLAN ?: ''
                    timeout(time: {job.patience}, unit: 'MINUTES') {{
                        env.APPROVED_BY = input(message: 'Carry out the plan in the log, ' + hash + '?', ok: 'Deploy', submitterParameter: 'APPROVED_BY'{who})
                    }}
                    if (hash) {{ env.APPROVED_PLAN = hash }}
                }}
            }}
        }}
"""


def _plain(text: str) -> str:
    """*text* for a comment: one line of ASCII without escapes."""
    return "".join(c for c in text if " " <= c <= "~" and c != "\\")


def destinations(names: Sequence[str], approved: Sequence[str]) -> tuple[str, ...]:
    """The choices in their order: Jenkins takes the first where nobody chooses, so those that ask for approval come last."""
    return tuple(sorted(names, key=lambda name: name in approved))
