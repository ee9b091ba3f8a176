"""`lading export ansible`: a deployment as a playbook of built-in modules, in a folder with the files that it copies."""

from pathlib import Path
from typing import Any

import click

from lading import canonical, errors
from lading.bootstrap import LedgerUse
from lading.cli import deploying, options, render, session
from lading.deploy import exporting


@click.command()
@click.argument("name", metavar="[APP]", default="")
@deploying.source_options
@options.to_option
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="A new folder.")
@click.option("--refresh", is_flag=True, help="Look up the digest of every tag anew.")
@click.option("--take-over", is_flag=True, help="The app belongs to this source and destination from now on.")
@options.json_option
@options.verbose_option
@click.pass_obj
def ansible(config: str, /, name: str, app: str, output: Path, as_json: bool, **words: Any) -> int:
    """A stand-alone playbook that deploys the app without lading, with its files."""
    if app and name and app != name:
        raise errors.InputError(f"two apps are named: {name}, and --app {app}", "name one")
    request = deploying.asked(app=app or name, **words)

    async def work() -> int:
        async with session.opened(config, request.directory, use=LedgerUse.ASKED) as context:
            made = await exporting.write(context, request, output)
        if as_json:
            render.document("export-ansible", made)
        else:
            render.line(f"{made['app']} {made['version']} (release {canonical.short(made['release'])}) for "
                        f"{made['destination']}: {len(made['files'])} files in {output}; run: {made['run']}")
        return 0

    return session.run(work())
