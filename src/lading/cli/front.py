"""What `lading` alone and `lading --help` show, laid out without click: to load that would cost more than all the rest."""

from collections.abc import Iterator, Mapping

from lading.cli import layout

SUMMARY = "Ship Docker Compose apps to your own servers over SSH, and always know which version runs where."
CONFIG = "The fleet file (else LADING_CONFIG, lading.yaml here or above)."
VERBOSE = (
    "Tell each command sent to a host, and what programs there say, secrets masked, on stderr; "
    "-vv: with their scripts."
)
VERSION = "Show the version."
HELP = "Show this message and exit."

OPTIONS = {
    "--config FILE": CONFIG,
    "-v, --verbose": VERBOSE,
    "--version": VERSION,
    "-h, --help": HELP,
}
VERBS = {
    "init": ("beginning", "Write a fleet file: host, user, registry; then check."),
    "check": ("inspect", "Can lading work with each host? One table."),
    "bundle": ("deploying", "Write what a deployment would upload, to look at."),
    "plan": ("deploying", "Show what deploy would do; nothing is changed."),
    "build": ("building", "Build a version's images from build:, and push them."),
    "deploy": ("deploying", "Bring an app to a version on a destination: all hosts or none."),
    "ship": ("building", "Build, push, deploy."),
    "adopt": ("deploying", "Take over a running Compose project; no container is recreated."),
    "restart": ("deploying", "New containers of the release that runs."),
    "stop": ("deploying", "Stop an app or a service, by hand."),
    "start": ("deploying", "Start what was stopped by hand, or is down by itself."),
    "scale": ("deploying", "Run another number of containers, by hand."),
    "rollback": ("deploying", "Go back to the previous or any kept release."),
    "remove": ("deploying", "Remove an app from hosts; data only with --volumes."),
    "resume": ("deploying", "Finish or undo what another run left open."),
    "repair": ("deploying", "Write anew what lading keeps of an app on a host."),
    "where": ("inspect", "Which version runs where, and in what state."),
    "drift": ("inspect", "What differs from what was deployed; exit 1 if anything does."),
    "history": ("history", "Who deployed what, when, with which result."),
    "show": ("showing", "One deployment, event by event."),
    "export": ("exporting", "A deployment as an Ansible playbook, as a Jenkinsfile."),
    "logs": ("inspect", "The app's log lines of all hosts."),
    "exec": ("attaching", "Run a command in a running container."),
    "run": ("attaching", "Run a command in a container of its own, beside the app."),
    "hosts": ("fleet_file", "List hosts; trust their keys; exclude a dead one."),
    "config": ("fleet_file", "Allow what a fleet file that was found runs and reads."),
    "ledger": ("history", "Verify or rebuild the ledger; move it."),
    "help": ("guides", "A guide, here in the terminal: lading help TOPIC."),
}
"""Each verb's module in `cli`, and what it is for."""
DAILY = ("plan", "deploy", "where", "drift", "logs", "exec", "restart", "rollback", "history")
"""The verbs of a day, which `lading` alone shows."""

WIDEST = 100  # columns: longer lines are hard to read
NARROWEST = 52  # columns: a narrower terminal breaks the lines itself
MARGIN = 2  # columns that stay free at the right
INDENT = "  "


def overview() -> str:
    """The verbs of a day, a line each."""
    width = max(map(len, DAILY))
    lines = [f"  lading {name:<{width}}  {VERBS[name][1]}" for name in DAILY]
    more = "A fleet file to begin with: lading init. All verbs: lading --help. Guides: lading help."
    return "\n".join([*lines, "", more])


def width_on(columns: int) -> int:
    """How wide the help's lines are on a terminal of so many columns."""
    return max(min(columns, WIDEST), NARROWEST) - MARGIN


def help_page(width: int) -> str:
    """All options and verbs, in lines of at most *width* columns."""
    summaries = {name: summary for name, (_, summary) in VERBS.items()}
    lines = [
        "Usage: lading [OPTIONS] COMMAND [ARGS]...",
        "",
        *(INDENT + line for line in layout.wrapped(SUMMARY, width - len(INDENT))),
        "",
        "Options:",
        *_listed(OPTIONS, width),
        "",
        "Commands:",
        *_listed(summaries, width),
    ]
    return "\n".join(lines)


def _listed(entries: Mapping[str, str], width: int) -> Iterator[str]:
    """Each name with what it is for beside it, whose further lines stand below its first."""
    column = len(INDENT) + max(map(len, entries)) + layout.GAP
    for name, says in entries.items():
        lead = f"{INDENT}{name}"
        for line in layout.wrapped(says, width - column):
            yield f"{lead:<{column}}{line}"
            lead = ""
