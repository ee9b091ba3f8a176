"""The verb export: a deployment in other tools' formats; each format is a command in a module of its own."""

import click

from lading.cli import exporting_ansible


@click.group()
def export() -> None:
    """A deployment in other tools' formats."""


export.add_command(exporting_ansible.ansible)
