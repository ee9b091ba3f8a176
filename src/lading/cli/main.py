"""The command `lading`: verbs loaded when they are used, one catch for all errors."""

import importlib
import os
import pwd
import sys
import warnings
from typing import TYPE_CHECKING, NoReturn

import click

from lading import errors, loading
from lading.cli import first_line, front, reporting, terminal

if TYPE_CHECKING:  # loaded in `shell_complete`
    from click.shell_completion import CompletionItem

VERBOSE = "lading.verbose"  # in click's meta: how often -v was given, before the verb and after it
NAMED = {"exec": "execute"}  # a verb whose function has another name, for Python's own has this one


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
        return list(front.VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The verb's command, or None for an unknown one."""
        if name not in front.VERBS:
            return None
        with loading.later():  # no other verb's modules are needed
            module = importlib.import_module(f"lading.cli.{front.VERBS[name][0]}")
        loading.done()
        command: click.Command = getattr(module, NAMED.get(name, name))
        return command

    def overview(self, ctx: click.Context) -> str:
        """The verbs of a day, a line each."""
        return front.overview()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See click, which knows only commands that are loaded."""
        if args and not ctx.resilient_parsing:
            first_line.say(args[0], args[1:])
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """The verbs that begin so, from `front`, and the options."""
        with loading.later():  # only Tab asks
            from click.shell_completion import CompletionItem
        fitting = [CompletionItem(name, help=summary) for name, (_, summary) in front.VERBS.items() if name.startswith(incomplete)]
        return fitting + click.Command.shell_complete(self, ctx, incomplete)

    def get_help(self, ctx: click.Context) -> str:
        """The page that `entry` shows without click."""
        return front.help_page(ctx.terminal_width or front.width_on(terminal.columns()))


def _version(ctx: click.Context, _param: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        with loading.later():  # nobody else asks for it
            from importlib.metadata import version
        terminal.out(f"lading {version('lading')}")
        ctx.exit()


def _verbose(ctx: click.Context, _param: click.Parameter, times: int) -> None:
    ctx.meta[VERBOSE] = times + ctx.meta.get(VERBOSE, 0)


verbose_option = click.option("-v", "--verbose", count=True, expose_value=False, callback=_verbose, help=front.VERBOSE)


@click.group(cls=Verbs, help=front.SUMMARY, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": front.WIDEST})
@click.option("--config", metavar="FILE", default="", help=front.CONFIG)
@verbose_option
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help=front.VERSION)
@click.pass_context
def cli(ctx: click.Context, config: str) -> None:
    """All of lading: what is typed before the verb."""
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
        return reporting.exit_code(code if isinstance(code, int) else 0)
    except errors.LadingError as wrong:
        reporting.report(wrong, as_json)
        return wrong.exit_code
    except click.exceptions.Abort:
        terminal.err("stopped")
        return 130
    except SystemExit as done:  # click's way out after completion
        return done.code if isinstance(done.code, int) else 0
    except click.ClickException as wrong:
        reporting.report(_misspelt(wrong, words), as_json)
        return 2


def _misspelt(wrong: click.ClickException, words: list[str]) -> errors.InputError:
    """What click says of a command line, with the word that was meant, as far as anybody can say, or the usage."""
    verb = next((word for word in words if word in front.VERBS), "")
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
        return spelling.meant_verb(wrong.command_name, front.VERBS)
    return spelling.nearest(wrong.command_name, wrong.possibilities or ())


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
