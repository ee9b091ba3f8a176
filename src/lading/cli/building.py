"""Verbs that make a version: build, and ship, which deploys what it has built."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from lading import build as builds
from lading import context as contexts
from lading import found as finding
from lading import settings
from lading.cli import deploying, options, prompts, render, session, signals, terminal
from lading.deploy import deploy as deployment
from lading.deploy import ended
from lading.inventory import hosts
from lading.placement import exclusion


def pushing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What may be pushed that lading refuses otherwise."""
    command = click.option("--overwrite", is_flag=True, help="Push under tags that have other content.")(command)
    return click.option(
        "--source", type=click.Choice(["commit", "worktree"]), default="commit",
        help="What is pushed: only what the commit has, or the work tree as it is.")(command)


@click.command()
@deploying.file_options
@pushing_options
@click.option("--push", is_flag=True, help="Push the images to their registry.")
@options.json_option
@click.pass_obj
def build(config: str, /, push: bool, as_json: bool, source: str, overwrite: bool, **words: Any) -> int:
    """Build a version's images from `build:`, in the Compose file or its override, with OCI labels; push them."""
    request = deploying.asked(to=(), **words)
    fleet = finding.fleet_if_any(os.environ, request.directory, config)
    if fleet is None:
        fleet = settings.Settings(Path(), hosts.Inventory({}, {}))

    async def work() -> builds.Built:
        stop = asyncio.Event()
        signals.watch(stop, says=False)
        job = builds.Job(request, dict(os.environ), fleet, push, _say, stop, source == "worktree", overwrite)
        return await builds.build(job)

    built = session.run(work())
    if as_json:
        render.document("build", built.as_json())
        return 0
    for one in built.images:
        digest = one.digest.removeprefix("sha256:")
        render.line(f"{one.image}@sha256:{digest}" if digest else f"{one.image} is built, not pushed: {one.id}")
    return 0


@click.command()
@deploying.named_argument
@deploying.file_options
@pushing_options
@options.to_option
@options.yes_option
@options.json_option
@options.reason_option
@options.take_option
@options.wait_option
@options.verbose_option
@click.option("--take-over", is_flag=True, help="The app belongs to this source and destination from now on.")
@click.pass_obj
def ship(
    config: str, /, yes: bool, as_json: bool, source: str, overwrite: bool, patience: float, **words: Any
) -> int:
    """Build a version, push it, and deploy exactly the digests that were pushed."""
    prompts.must_answer(yes)
    request = deploying.asked(**words)

    building, more = asyncio.Event(), dict[str, Any]()

    async def build_and_deploy(context: contexts.Context) -> ended.Ended:
        destination, chosen = context.settings.inventory.choose_ruled(request.to)
        exclusion.leave_out(chosen, request.to, await context.excluded())  # refused before anything is pushed
        if destination.confirm:
            prompts.must_ask(destination.name, yes)
        job = builds.Job(request, context.environment, context.settings, True, _say, context.stop, source == "worktree", overwrite)
        building.set()
        built = await builds.build(job)
        building.clear()
        more["built"] = built.as_json()["images"]
        return await deployment.deploy(context, replace(request, digests=built.digests()))

    question = "Deploy {plan.app} {plan.version} to {plan.destination} ({hosts} hosts)?"
    return deploying.change(
        config, request.directory, prompts.Answer(yes), as_json, question, build_and_deploy,
        patience=patience, busy=building.is_set, more=more)


def _say(text: str) -> None:
    terminal.err(text)
