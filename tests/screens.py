"""The twelve screens: what people see, from values, as text and as pictures: `make screens`, tests/unit/cli/test_screens.py."""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from unittest import mock

from rich.console import Console
from rich.text import Text

from lading import errors, events, state, trace
from lading.cli import fleet_file, history, progress, render, render_hosts, render_plan, reporting, showing
from lading.deploy import ended
from lading.engines import base
from lading.inventory import hosts
from lading.ledger import deployments, evidence
from lading.placement import assignment
from lading.plan import steps
from lading.queries import check, differences, drift, listing, where
from lading.queries import history as past

OLD, NEW = "5d41402abc4b" + "0" * 52, "7d793037a076" + "0" * 52
ID = "20261130-101503-4f2a"
HOSTS = ("web1", "web2", "web3")
TODAY = "2026-11-30"


def a_plan() -> steps.Plan:
    before = state.Current("shop", OLD, "1.0.0", "20261129-090000-11aa", "ana", "2026-11-29T09:00:00Z")
    image = ("registry.example:5000/team/shop:1.0.0@sha256:" + "ab" * 32, "registry.example:5000/team/shop:1.1.0@sha256:" + "cd" * 32)
    planned = {
        name: steps.HostPlan(
            name, (steps.StartServices(("web", "worker")),),
            (steps.Change(name, "web", "image", *image), steps.Change(name, "worker", "image", *image),
             steps.Change(name, "web", "variable TZ", "UTC", "Europe/Paris")), before, placed={"web": 1, "worker": 1, "db": 1})
        for name in HOSTS
    }
    rows = (*(assignment.Row(name, True, "destination production") for name in HOSTS),
            assignment.Row("old1", False, "label tier=web is not there"))
    return steps.Plan(
        "shop", "1.1.0", NEW, "production", planned, (HOSTS,), usual=3.2,
        warnings=("db keeps its volume shop_data: what the new version writes there stays when it is taken back",),
        rights=(steps.Right("web", "ports", "ports", "publishes port 80 of the host on all addresses"),),
        assignment=assignment.Assignment(rows))


def plan() -> None:
    render_plan.plan(a_plan())


def live() -> None:
    lines = progress.Progress(live=True)
    for host, step in zip(HOSTS, ("roll", "roll", "stage"), strict=True):
        lines.event(events.StepStarted(ID, host, step))
    lines.event(events.ServiceAwaited(ID, "web1", "roll", "waits for web (it is not healthy yet; at most 60 s)"))
    lines.line(trace.Line("web1", "roll", "health", "web", "health check 3 of 10 failed: wget: can't connect to remote host (127.0.0.1): Connection refused"))
    lines.event(events.StepEnded(ID, "web2", "roll", seconds=3.1))
    lines.line(trace.Line("web3", "stage", "pull", "web", "a3ed95caeb02: Downloading", 0.42))
    render.console(error=True).print(lines._lines())


def report(hosts: Mapping[str, events.HostOutcome], result: str, **failed: object) -> None:
    whole = base.Report(events.Outcome(hosts), **failed)  # type: ignore[arg-type]
    render_plan.ended(ended.Ended(
        ID, "shop", "1.1.0", NEW, "production", result, "2026-11-30T10:15:03Z", "2026-11-30T10:15:15Z", "ana@laptop", "",
        whole, versions={OLD: "1.0.0", NEW: "1.1.0"}))


def end() -> None:
    lines = progress.Progress(live=True)
    for number, host in enumerate(HOSTS):
        for step, seconds in (("stage", 2.1 + number), ("roll", 3.0 + number / 10), ("prepare", 0.2), ("commit", 0.1), ("finish", 0.4)):
            lines.event(events.StepEnded(ID, host, step, seconds=seconds))
    lines._summary()
    report({host: events.HostOutcome("succeeded", NEW, OLD) for host in HOSTS}, "succeeded")


LOG = ("config: reading /etc/shop/shop.toml", "db: connecting to db:5432 …",
       "FATAL: password authentication failed for user \"shop\"; the service cannot start without its database")


def failed() -> None:
    why = "web: unhealthy: health check failed 10 times: wget: can't connect to remote host (127.0.0.1): Connection refused"
    taken_back = events.HostOutcome("rolled_back", OLD, OLD, "taken back: web2 failed")
    report({"web1": taken_back, "web2": events.HostOutcome("rolled_back", OLD, OLD, why), "web3": taken_back}, "rolled_back",
           host="web2", step="roll", why=why, log=LOG)


def partial() -> None:
    report({"web1": events.HostOutcome("succeeded", NEW, OLD), "web2": events.HostOutcome("succeeded", NEW, OLD),
            "web3": events.HostOutcome("unknown", OLD, OLD, "the connection was lost while it committed: No route to host")},
           "unknown", host="web3", step="commit", why="the connection was lost while it committed: No route to host")


def a_row(service: str, host: str, version: str = "1.1.0", app_state: str = "healthy", **more: str) -> listing.Row:
    return listing.Row(
        "shop", service, host, f"shop-{service}-1", version, NEW, f"registry.example:5000/team/shop:{version}", "sha256:" + "cd" * 32,
        app_state, "2026-11-30T10:15:12Z", ID, "ana@laptop", destination="production", app_version="1.1.0", label="1.1", **more)  # type: ignore[arg-type]


def where_ok() -> None:
    rows = [a_row(service, host, "15.4" if service == "db" else "1.1.0") for host in HOSTS for service in ("web", "db")]
    render_hosts.where(where.Answer(tuple(rows), ("shop production: 1.1.0 on 3 of 3 hosts, all healthy",)), today=TODAY)


def where_drift() -> None:
    rows = (
        a_row("web", "web1"), a_row("web", "web2", "1.0.0", drift=("image: registry.example:5000/team/shop:1.0.0 is not what was deployed",)),  # type: ignore[arg-type]
        a_row("worker", "web1", app_state="restarting"),
        listing.Row("", "", "web3", "", "", "", "", "", "unknown", "", "", "", ("no route to host",), silent=True))
    render_hosts.where(where.Answer(rows, (
        "shop production: 1.1.0 on 1 of 3 hosts, 1.0.0 on web2 (not what was deployed there), nothing known of web3, which has not answered: no route to host",)), today=TODAY)
    render.line("")
    render_hosts.drift(drift.Drift((
        differences.Difference("web2", "shop", "web", "image", "registry.example:5000/team/shop:1.1.0", "registry.example:5000/team/shop:1.0.0"),
        differences.Difference("web1", "shop", "worker", "state", "running", "restarting")), is_deployed=True))


def checked() -> None:
    good = {"ssh": (True, "ed25519"), "docker": (True, "28.5.2"), "compose": (True, "2.40.3"), "disk": (True, "41 GiB"),
            "tools": (True, ""), "state": (True, "/home/deploy/.lading/a1b2c3d4")}
    render_hosts.check([
        check.Checked("(here)", {"compose": (True, "2.40.3"), "git": (True, "2.47.3"), "registry": (True, "registry.example:5000")}),
        check.Checked("web1", good), check.Checked("web2", good | {"disk": (False, "0.4 GiB free of 20 GiB below /var/lib/docker")}, ("free space: docker image prune on web2",)),
        check.Checked("web3", {"ssh": (False, "no route to host 10.0.0.13 port 22")}, ("is the host on, and does ssh web3 work from here?",))])


def a_deployment(number: int, verb: str, version: str, result: str, reason: str = "") -> deployments.Deployment:
    return deployments.Deployment(
        f"202611{30 - number}-101503-4f2{number}", verb, "shop", version, NEW, "production", "ana@laptop", reason, "0123456789ab", "",
        "git.example/team/shop", f"2026-11-{30 - number}T10:15:03Z", f"2026-11-{30 - number}T10:15:15Z", result,
        dict.fromkeys(HOSTS, result), ran_by="jenkins@ci1" if verb == "deploy" else "ana@laptop")


def past_deployments() -> None:
    rows = (a_deployment(0, "deploy", "1.1.0", "succeeded", "the checkout page in Polish, ticket 4711"), a_deployment(1, "rollback", "1.0.0", "succeeded"),
            a_deployment(2, "deploy", "1.1.0-rc.1", "rolled_back"), a_deployment(3, "deploy", "1.0.0", "succeeded"))
    history._history(past.History(rows, 0, {}))


def show() -> None:
    said = [events.DeploymentRequested(ID, "", "", "deploy", "shop", "1.1.0", "production", "ana@laptop"),
            events.LeaseTaken(ID, "web2", "lease", 7), events.StepStarted(ID, "web2", "roll"),
            events.ServiceUnhealthy(ID, "web2", "roll", "web", "unhealthy: wget: can't connect to remote host (127.0.0.1): Connection refused"),
            events.StepEnded(ID, "web2", "roll", "web: unhealthy", 12.3)]
    stored = tuple(deployments.Stored(event, f"2026-11-30T10:15:0{number}.120Z", "w", number) for number, event in enumerate(said))
    row = a_deployment(0, "deploy", "1.1.0", "rolled_back")
    named = evidence.Named(ID, "web2", "roll", "web", "e" * 64)
    showing._show(past.Shown(row, stored, (), {"web": "registry.example:5000/team/shop:1.1.0"}, {}, ((named, LOG),)), None)


def listed() -> None:
    found = {name: hosts.Host(name, f"{name}.example.org", "deploy", labels={"tier": "web", "zone": zone}, origin="/srv/fleet/lading.yaml")
             for name, zone in zip(HOSTS, "aab", strict=True)}
    fleet_file.hosts_table(hosts.Inventory(found, {"production": hosts.Destination("production", HOSTS), "staging": hosts.Destination("staging", ("web3",))}))


def error() -> None:
    reporting.report(errors.PreflightError(
        "web2 cannot take the release: port 80 is taken by container proxy-1 of the project proxy, which is not lading's",
        "stop it, or publish another port: ports: [\"8080:80\"]", file="docker-compose.yml", line=12, host="web2", step="preflight"), as_json=False)


SCREENS: dict[str, Callable[[], None]] = {
    "plan": plan, "deploy-live": live, "deploy-end": end, "failed": failed, "partial": partial, "where": where_ok,
    "where-drift": where_drift, "check": checked, "history": past_deployments, "show": show, "hosts-list": listed, "error": error,
}


class Terminal(io.StringIO):
    """What a terminal is given."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@contextlib.contextmanager
def a_terminal(width: int, **environment: str) -> Iterator[Terminal]:
    """One so wide, of 30 lines, to which everything goes."""
    terminal = Terminal()
    told = {"COLUMNS": str(width), "LINES": "30", "TERM": "xterm-256color", **environment}
    with mock.patch.dict(os.environ, told), contextlib.redirect_stdout(terminal), contextlib.redirect_stderr(terminal):
        yield terminal


def seen(name: str, width: int, **environment: str) -> str:
    """What a terminal is given, with its colours."""
    with a_terminal(width, **environment) as terminal:
        SCREENS[name]()
    return terminal.getvalue()


def pictures(folder: Path, width: int) -> None:
    """Every screen as an SVG, and as a PNG if there is a `resvg` or `rsvg-convert` to make one."""
    painter = next(filter(None, map(shutil.which, ("resvg", "rsvg-convert"))), "")
    folder.mkdir(parents=True, exist_ok=True)
    for name in SCREENS:
        console = Console(record=True, width=width, file=io.StringIO(), legacy_windows=False)
        console.print(Text.from_ansi(seen(name, width).rstrip()), soft_wrap=False)
        picture = folder / f"{name}-{width}.svg"
        console.save_svg(str(picture), title=f"lading: {name}", unique_id=name)
        if painter:
            into = ["-o"] if painter.endswith("rsvg-convert") else ["--monospace-family", "DejaVu Sans Mono"]
            subprocess.run([painter, str(picture), *into, str(picture.with_suffix(".png"))], check=True)


def plain(name: str, width: int) -> str:
    """The same without its colours, and without how long it took."""
    return re.sub(r"  \d+ s  ", "  7 s  ", re.sub(r"\x1b\[[0-9;]*m", "", seen(name, width)))


TEXTS = Path(__file__).parent / "screens"
WIDTHS = (80, 120)


if __name__ == "__main__":
    for columns in WIDTHS:
        pictures(Path(sys.argv[1]), columns)
        for screen in SCREENS:
            (TEXTS / f"{screen}-{columns}.txt").write_text(plain(screen, columns))
