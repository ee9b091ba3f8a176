"""What the verbs share: options, the context of a call, signals, questions."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import click

from lading import canonical, errors, provenance, settings
from lading import context as contexts
from lading import found as finding
from lading.cli import completing, main, terminal
from lading.drivers.shell import driver
from lading.engines.compose_hosts import coordinator
from lading.ledger import ledger
from lading.plan import steps
from lading.transport import ansible, ansible_session, base, command, routed, ssh, telling

T = TypeVar("T")
HASH = re.compile(r"[0-9a-f]{12,64}")


def _reason(_ctx: click.Context, _param: click.Parameter, given: str) -> str:
    """The reason that was given, as one line; else what the CI says of its run."""
    return provenance.one_line(" ".join(given.split())) or provenance.read(os.environ).reason


to_option = click.option("--to", multiple=True, metavar="DEST", shell_complete=completing.destinations,
                         help="Destination, host, group or pattern; several by comma or repetition.")


def _app(_ctx: click.Context, _param: click.Parameter, name: str) -> str:
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
take_option = click.option("--take-lease", is_flag=True, help="Take the app over from a deployment that is dead.")


def interactive() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty() and os.environ.get("CI", "").lower() not in ("1", "true")


def verbose() -> bool:
    """Whether -v was given."""
    here = click.get_current_context(silent=True)
    return here is not None and bool(here.meta.get(main.VERBOSE))


def tell(text: str) -> None:
    """Say something that only -v asks for."""
    terminal.err(text)


def over_ssh(fleet: settings.Settings) -> ssh.SshTransport:
    """Connections as the fleet file wants them."""
    return ssh.SshTransport(
        user=fleet.ssh.user, known_hosts=str(fleet.ssh.known_hosts), connect_timeout=fleet.ssh.connect_timeout,
        keepalive=fleet.ssh.keepalive, keepalive_count=fleet.ssh.keepalive_count, parallel=fleet.ssh.parallel,
        max_connections=fleet.ssh.max_connections, lookup=fleet.inventory.hosts.get,
        tell=tell if verbose() else lambda text: None,
    )


def load(config: str, directory: Path) -> settings.Settings:
    """The fleet file, found and read.

    Raises:
        SettingsError: there is none, or it is wrong.
        NotAllowedError: it was found, not named, and its user has not allowed what it runs and reads.
    """
    found = finding.find(directory, os.environ, config)
    if found is None:
        raise errors.SettingsError("there is no fleet file: no --config, no LADING_CONFIG, no lading.yaml here or above",
                                   "lading init")
    return finding.load(found, os.environ, directory)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said beforehand: *yes* to whatever the plan is, or to the plan whose hash begins with *approved*."""

    yes: bool = False
    approved: str = ""

    @property
    def given(self) -> bool:
        """Whether nothing need be asked, as far as is known before the plan."""
        return self.yes or bool(self.approved)


def confirmer(answer: Answer, question: str, show: Callable[[steps.Plan], None]) -> Callable[[steps.Plan], bool]:
    """What asks the person: shows the plan, then the question, unless it was answered beforehand.

    A destination with `confirm: true` wants a person who has seen the plan: --yes does not do there.
    """

    def confirm(plan: steps.Plan) -> bool:
        show(plan)
        if answer.approved:
            return True
        if plan.confirm and (answer.yes or not interactive()):
            short = canonical.short(plan.hash)
            raise errors.NotConfirmedError(
                f"{plan.destination} has confirm: true, which wants a person's yes to this very plan; nothing was changed",
                f"answer y at a terminal, without --yes; or approve it by its hash: --plan {short} in place of --yes")
        return answer.yes or terminal.confirm(question.format(plan=plan, hosts=len(plan.hosts)))

    return confirm


def must_answer(answered: bool) -> None:
    """Refuse before anything is contacted if a question could not be answered.

    Raises:
        NotConfirmedError: no terminal, and neither --yes nor --plan.
    """
    if not answered and not interactive():
        raise errors.NotConfirmedError("there is no terminal to ask at; nothing was changed",
                                       "add --yes, or --plan HASH of the plan that was looked at")


def must_ask(destination: str, yes: bool) -> None:
    """Refuse, before anything is built, to bring to a destination with `confirm: true` what nobody has looked at.

    Raises:
        NotConfirmedError: --yes, or no terminal.
    """
    if yes or not interactive():
        raise errors.NotConfirmedError(
            f"{destination} has confirm: true, which wants a person's yes to the plan; nothing was built",
            "answer y at a terminal, without --yes; or lading build --push, lading plan, lading deploy --plan HASH")


@asynccontextmanager
async def opened(
    config: str, directory: Path = Path(), *, with_ledger: bool = False, asks_ledger: bool = False,
    compares: bool = False, questions: bool = False,
) -> AsyncIterator[contexts.Context]:
    """The context of one call: fleet file, connections, ledger; signals set `stop`.

    *with_ledger*: it is made if it is not there; *asks_ledger*: what it knows counts, if there is one;
    *compares*: what hosts say is compared with it, if there is one that can be read;
    *questions*: as *with_ledger*, but a copy will do where it cannot be written.
    """
    fleet = load(config, directory)
    transport = _transport(fleet)
    if verbose():
        transport = telling.TellingTransport(transport, tell)
    kept = await _ledger(fleet, make=with_ledger) if with_ledger or asks_ledger else None
    if compares:
        kept = await _readable(fleet)
    if questions:
        kept = await _asked(fleet)
    asker = contexts.who(os.environ)
    engine = coordinator.ComposeHosts(driver.connect(transport, fleet.state_dir))
    context = contexts.Context(fleet, dict(os.environ), transport, kept, asker.actor, asker.url, asker.commit,
                               ran_by=contexts.process_owner(), engine=engine)
    signals(context.stop, says=with_ledger or questions)
    try:
        yield context
    finally:
        await transport.close()
        if kept is not None:
            await kept.close()


async def _ledger(fleet: settings.Settings, *, make: bool) -> ledger.Ledger | None:
    """The ledger; one in a file that is not there is made only if *make*, so that looking leaves nothing behind."""
    place = contexts.ledger_place(fleet, os.environ)
    if not make and isinstance(place, Path) and not os.access(place, os.F_OK):
        return None
    return await ledger.open_ledger(place)


async def _asked(fleet: settings.Settings) -> ledger.Ledger:
    """The ledger for questions about what was; what hosts tell is not kept where it cannot be."""
    place = contexts.ledger_place(fleet, os.environ)
    opened, copied = await ledger.open_for_questions(place)
    if copied:
        terminal.err(f" note: {place} cannot be written: what hosts tell is not kept (XDG_STATE_HOME names another folder)")
    return opened


async def _readable(fleet: settings.Settings) -> ledger.Ledger | None:
    """The ledger for who only looks at hosts: none, said so, where it cannot be read."""
    try:
        return await _ledger(fleet, make=False)
    except (errors.LedgerError, errors.SettingsError) as wrong:
        terminal.err(f" note: what hosts say is not compared with the ledger: {wrong.message}")
        return None


def notes(context: contexts.Context) -> None:
    """Say what people should know beside the result."""
    for note in context.notes:
        terminal.err(f" note: {note}")


def _transport(fleet: settings.Settings) -> base.Transport:
    """How this fleet's hosts are reached: each over the transport that is said for it."""
    by_ssh = over_ssh(fleet)
    if all(host.transport != "ansible" for host in fleet.inventory.hosts.values()):
        return by_ssh
    told = fleet.ansible
    reach = ansible_session.Reach(told.inventory, told.config, told.vault_password_file, told.vault_password_command,
                                  str(fleet.ssh.known_hosts), fleet.ssh.keepalive)
    by_ansible = ansible.AnsibleTransport(reach, user=fleet.ssh.user, lookup=fleet.inventory.hosts.get)
    return routed.RoutedTransport({"ssh": by_ssh, "ansible": by_ansible})


def signals(stop: asyncio.Event, *, says: bool) -> None:
    """The first Ctrl-C or SIGTERM sets *stop* (*says*: and tells that what was begun is undone); the second leaves at once.

    A terminal that is closed (SIGHUP) sets *stop* too, but never counts as a second: it often comes twice. Under nohup it is ignored.
    """
    asked = False

    def first() -> None:
        nonlocal asked
        if asked:
            terminal.err("")
            terminal.err("leaving at once; what is open on the hosts: lading resume")
            os._exit(130)
        asked = True
        stop.set()
        if says:
            terminal.err("")
            terminal.err("stopping after this step, then undoing; again to leave at once")

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, first)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, stop.set)


def answered(silent: Mapping[str, str]) -> int:
    """The exit code of a verb that looked: 6 where a host that was asked has not answered, after its name was said."""
    for name, why in silent.items():
        terminal.err(f"{name} has not answered: {why}")
    return errors.UnansweredError.exit_code if silent else 0


def changed(context: contexts.Context, **words: object) -> contexts.Context:
    """The same context with some of its parts replaced."""
    return replace(context, **words)  # type: ignore[arg-type]


def run(work: Awaitable[T]) -> T:
    """The one asyncio.run of the program."""

    async def whole() -> T:
        return await work

    return asyncio.run(whole())
