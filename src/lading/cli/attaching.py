"""Verbs that attach who calls them to a command on a host: exec, run."""

import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import click

from lading import context as contexts
from lading import errors
from lading.cli import completing, options, own_terminal, session
from lading.queries import meant, sessions

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _place(_ctx: click.Context, _param: click.Parameter, given: str) -> tuple[str, str]:
    """APP/SERVICE as its two names."""
    app, slash, service = given.partition("/")
    if not slash or not app or not service:
        raise errors.InputError(f"{given[:128]!r} is not APP/SERVICE", "such as shop/web; what there is: lading where")
    return options.check_app(app), service


def _variables(_ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> Mapping[str, str]:
    """Each KEY=VALUE of -e; a value may be secret, and no message repeats it."""
    found = {}
    for number, pair in enumerate(given, 1):
        name, equals, value = pair.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise errors.InputError(f"-e number {number} is not KEY=VALUE", "-e KEY=VALUE")
        found[name] = value
    return found


def _attaching_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What both have."""
    for option in reversed([
        click.argument("place", metavar="APP/SERVICE", callback=_place, shell_complete=completing.targets),
        options.to_option,
        click.option("--host", default="", metavar="HOST", help="This host."),
        click.option("-T", "--no-tty", is_flag=True, help="No terminal for the command, though there is one here."),
        options.verbose_option,
    ]):
        command = option(command)
    return command


@click.command("exec", epilog="Its exit status is the command's; -- stands before a command with options of its own.")
@_attaching_options
@click.option("--index", type=click.IntRange(min=1), metavar="N", help="The container with this number.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND…")
@click.pass_obj
def execute(
    config: str, place: tuple[str, str], to: tuple[str, ...], host: str, no_tty: bool, index: int | None, command: tuple[str, ...],
) -> int:
    """Run a command in a running container of a service; its stdin, stdout, signals and exit status are yours."""
    asked = meant.Asked(*place, to, host, index or 0)
    return _attached(config, no_tty, lambda context, ends: sessions.execute(context, asked, command, ends))


@click.command(epilog="Its exit status is the command's; -- stands before a command with options of its own.")
@_attaching_options
@click.option("-e", "variables", multiple=True, metavar="KEY=VALUE", callback=_variables, help="A variable for the command, seen by nobody else.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND…]")
@click.pass_obj
def run(
    config: str, place: tuple[str, str], to: tuple[str, ...], host: str, no_tty: bool, variables: Mapping[str, str],
    command: tuple[str, ...],
) -> int:
    """Run a command, or a service's own, in a container of the deployed release that is removed at the end."""
    asked = meant.Asked(*place, to, host)
    return _attached(config, no_tty, lambda context, ends: sessions.run(context, asked, command, variables, ends))


def _attached(
    config: str, no_tty: bool, does: Callable[[contexts.Context, sessions.Ends], Awaitable[int]]
) -> int:
    async def work() -> int:
        async with session.opened(config, Path(), beats=False) as context:
            with own_terminal.OwnTerminal(plain=no_tty) as ends:
                return await does(context, ends)

    return session.run(work())
