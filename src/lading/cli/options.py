"""The options and arguments that several verbs have, each said once."""

import os
import re

import click

from lading import errors, provenance
from lading.cli import completing, main
from lading.transport import command

HASH = re.compile(r"[0-9a-f]{12,64}")


def _reason(_ctx: click.Context, _param: click.Parameter, given: str) -> str:
    """The reason that was given, as one line; else what the CI says of its run."""
    return provenance.one_line(" ".join(given.split())) or provenance.read(os.environ).reason


to_option = click.option("--to", multiple=True, metavar="DEST", shell_complete=completing.destinations,
                         help="Destination, host, group or pattern; several by comma or repetition. "
                              "A change needs none where lading.yaml has one destination.")


def _app(ctx: click.Context, _param: click.Parameter, given: str) -> str:
    name, slash, service = given.partition("/")
    if slash and command.APP.fullmatch(name) and service:
        has_service = any(one.name == "service" for one in ctx.command.params)
        raise errors.InputError(
            f"{given[:128]!r} is a service, and {ctx.info_name} wants an app",
            f"lading {ctx.info_name} {name} --service {service}" if has_service else f"if the whole app is meant: {name} in its place")
    return check_app(given)


def check_app(name: str) -> str:
    """A name that no app can have is refused here: it would be a part of paths and filters on hosts."""
    if name and not command.APP.fullmatch(name):
        raise errors.InputError(f"an app cannot be called {name[:128]!r}", "a-z, 0-9, '-' and '_' only, a letter or digit first; lading where")
    return name


def _hash(_ctx: click.Context, _param: click.Parameter, given: str) -> str:
    """The hash of a plan, or so much of its beginning that no other plan has it by chance (on purpose: see `approval.check`)."""
    if given and not HASH.fullmatch(given):
        raise errors.InputError(f"--plan {given[:80]!r} is no hash of a plan: at least 12 hexadecimal digits, small letters",
                                "copy it from the last line of lading plan")
    return given


app_argument = click.argument("app", callback=_app, shell_complete=completing.apps)
maybe_app_argument = click.argument("app", default="", callback=_app, shell_complete=completing.apps)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, all else on stderr.")
verbose_option = main.verbose_option
plan_option = click.option(
    "--plan", "approved", default="", metavar="HASH", callback=_hash,
    help="Carry out exactly the plan with this hash (12 digits do for one that was shown here), or refuse; nothing is asked.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
reason_option = click.option("--reason", default="", metavar="TEXT", callback=_reason,
                             help="Why, for the history; in a CI its commit, change or event stands for it.")


def _duration(_ctx: click.Context, _param: click.Parameter, given: str) -> float:
    """Seconds, from a number with s, m or h behind it; without a unit they are seconds."""
    found = re.fullmatch(r"(\d{1,6})([smh]?)", given)
    if found is None:
        raise errors.InputError(f"--wait {given[:80]!r} is no time", "such as --wait 10m, 90s or 1h")
    return float(int(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]])


wait_option = click.option(
    "--wait", "patience", default="0", metavar="TIME", callback=_duration,
    help="Wait so long (90s, 10m, 1h) for a deployment of the app that somebody else works on.")
push_images_option = click.option(
    "--push-images", is_flag=True, help="Send hosts the images that no registry has, from this machine's engine.")
take_option = click.option("--take-lease", is_flag=True, help="Take the app over from a deployment that is dead.")
