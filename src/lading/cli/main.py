"""The command `lading`: verbs loaded when they are used, one catch for all errors."""

import errno
import importlib
import os
import pwd
import sys
import warnings
from typing import TYPE_CHECKING, NoReturn

import click

from lading import errors, loading
from lading.cli import first_line, terminal

if TYPE_CHECKING:  # loaded in `shell_complete`
    from click.shell_completion import CompletionItem

VERBOSE = "lading.verbose"  # in click's meta: how often -v was given, before the verb and after it
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
NAMED = {"exec": "execute"}  # a verb whose function has another name, for Python's own has this one


DAILY = ("plan", "deploy", "where", "drift", "logs", "exec", "restart", "rollback", "history")
"""The verbs of a day, which `lading` alone shows."""


class Noun(click.Group):
    """Commands about one thing; the thing alone names them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See click; without a word nothing is wrong, and nothing to be done."""
        if not args and not ctx.resilient_parsing:
            for line in self.overview(ctx).splitlines():
                terminal.out(line)
            ctx.exit()
        return super().parse_args(ctx, args)

    def overview(self, ctx: click.Context) -> str:
        """What somebody who typed no more is shown."""
        return ctx.get_help()


class Verbs(Noun):
    """A group that imports a verb's module only when the verb is used; --help needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order of a deployment's life."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The verb's command, or None for an unknown one."""
        if name not in VERBS:
            return None
        with loading.later():  # no other verb's modules are needed
            module = importlib.import_module(f"lading.cli.{VERBS[name][0]}")
        loading.done()
        command: click.Command = getattr(module, NAMED.get(name, name))
        return command

    def overview(self, ctx: click.Context) -> str:
        """The verbs of a day, a line each."""
        width = max(map(len, DAILY))
        lines = [f"  lading {name:<{width}}  {VERBS[name][1]}" for name in DAILY]
        more = ["A fleet file to begin with: lading init. All verbs: lading --help. Guides: lading help."]
        return "\n".join([*lines, "", *more])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See click, which knows only commands that are loaded."""
        if args and not ctx.resilient_parsing:
            first_line.say(args[0], args[1:])
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """The verbs that begin so, from VERBS, and the options."""
        with loading.later():  # only Tab asks
            from click.shell_completion import CompletionItem
        fitting = [CompletionItem(name, help=summary) for name, (_, summary) in VERBS.items() if name.startswith(incomplete)]
        return fitting + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of verbs, from VERBS."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in VERBS.items()])


def _version(ctx: click.Context, _param: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        with loading.later():  # nobody else asks for it
            from importlib.metadata import version
        terminal.out(f"lading {version('lading')}")
        ctx.exit()


def _verbose(ctx: click.Context, _param: click.Parameter, times: int) -> None:
    ctx.meta[VERBOSE] = times + ctx.meta.get(VERBOSE, 0)


verbose_option = click.option("-v", "--verbose", count=True, expose_value=False, callback=_verbose,
                              help="Tell each command sent to a host, and what programs there say, secrets masked, on stderr; -vv: with their scripts.")


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--config", metavar="FILE", default="", help="The fleet file (else LADING_CONFIG, lading.yaml here or above).")
@verbose_option
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version.")
@click.pass_context
def cli(ctx: click.Context, config: str) -> None:
    """Ship Docker Compose apps to your own servers over SSH, and always know which version runs where."""
    ctx.obj = config


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command, and leave with its exit code as any Python program does."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(words: list[str]) -> int:
    """Run one command (DESIGN §3); the only place that catches errors."""
    _name_account()
    _find_home()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # what libraries tell their developers is nothing for people who deploy
    terminal.prepare()
    as_json = "--json" in words
    try:
        code = cli.main(args=words, prog_name="lading", standalone_mode=False)
        return _shown(code if isinstance(code, int) else 0)
    except errors.LadingError as wrong:
        report(wrong, as_json)
        return wrong.exit_code
    except click.exceptions.Abort:
        terminal.err("stopped")
        return 130
    except SystemExit as done:  # click's way out after completion
        return done.code if isinstance(done.code, int) else 0
    except click.ClickException as wrong:
        report(_misspelt(wrong, words), as_json)
        return 2


def _misspelt(wrong: click.ClickException, words: list[str]) -> errors.InputError:
    """What click says of a command line, with the word that was meant, as far as anybody can say, or the usage."""
    verb = next((word for word in words if word in VERBS), "")
    usage = f"lading {verb} --help" if verb else "lading --help"  # of an option without its value click knows no verb
    if isinstance(wrong, click.UsageError) and wrong.ctx:
        usage = wrong.ctx.get_usage()
    if isinstance(wrong, click.exceptions.NoSuchCommand | click.exceptions.NoSuchOption):
        near = _meant(wrong)
        return errors.InputError(wrong.message, f"did you mean {near}?" if near else usage)
    return errors.InputError(wrong.format_message(), usage)


def _meant(wrong: click.exceptions.NoSuchCommand | click.exceptions.NoSuchOption) -> str:
    """The verb, the word of a noun or the option that was meant; "" if nobody can say."""
    with loading.later():  # nobody else needs it
        from lading.cli import spelling
    if isinstance(wrong, click.exceptions.NoSuchOption):
        return spelling.nearest(wrong.option_name, wrong.possibilities or ())
    if wrong.ctx is None or isinstance(wrong.ctx.command, Verbs):
        return spelling.meant_verb(wrong.command_name, VERBS)
    return spelling.nearest(wrong.command_name, wrong.possibilities or ())


def _shown(code: int) -> int:
    """The exit code, or 1 if all was well but the result could not be written; a reader who has enough, or is gone, is no fault."""
    lost = terminal.lost_result()
    if code or lost is None or lost.errno in (errno.EPIPE, errno.EIO):
        return code
    report(errors.LadingError(f"the result cannot be written to stdout: {lost.strerror}", "the command itself ended well"), as_json=False)
    return 1


def _name_account() -> None:
    """SSH settings may name the local user; a container of a CI agent often runs under a number without a name."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        os.environ.setdefault("LOGNAME", f"uid-{os.getuid()}")


def _find_home() -> None:
    """What `~` is, for all that lading reads, runs and asks: the account's own where HOME is not set, / for a number without a name."""
    if os.environ.get("HOME"):
        return
    try:
        os.environ["HOME"] = pwd.getpwuid(os.getuid()).pw_dir or "/"
    except KeyError:
        os.environ["HOME"] = "/"


def report(wrong: errors.LadingError, as_json: bool) -> None:
    """Say what is wrong, where, and what to type next: one JSON document on stdout, or text on stderr."""
    if as_json:
        terminal.document("error", {"error": wrong.as_json()})
        return
    place = ", ".join(filter(None, [
        wrong.file + (f":{wrong.line}" if wrong.line else ""), f"host {wrong.host}" if wrong.host else "",
        f"step {wrong.step}" if wrong.step else "",
    ]))
    terminal.err(f"error: {wrong.message}")
    if place:
        terminal.err(f"   at: {place}")
    if wrong.hint:
        terminal.err(f" hint: {wrong.hint}")
