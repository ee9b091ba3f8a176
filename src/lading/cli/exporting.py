"""`lading export`: a deployment in the formats of other tools; one module for each."""

import click

from lading.cli import exporting_ansible, exporting_jenkins, main


@click.group(cls=main.Noun)
def export() -> None:
    """A deployment in other tools' formats."""


export.add_command(exporting_ansible.ansible)
export.add_command(exporting_jenkins.jenkins)
