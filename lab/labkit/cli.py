"""The command line of the lab."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from labkit import builder, cgroup, cluster, controller, host, network, registry, status
from labkit.errors import LabError
from labkit.state import Lab
from labkit.topology import Host, Options, check_name, default_name

CHECKOUT = Path(__file__).resolve().parents[2]
HOST_VERBS: dict[str, tuple[str, Callable[[Lab, Host], None]]] = {
    "cut": ("pull the host's network cable", network.cut),
    "drop": ("lose all its packets silently (half-open connections)", network.drop),
    "heal": ("undo cut and drop", network.heal),
    "off": ("pull its plug", host.power_off),
    "on": ("switch it on again, data kept", host.switch_on),
}
SERVICE_VERBS: dict[str, tuple[str, Callable[[Lab, Host, str], None]]] = {
    "kill": ("kill -9 a service of a host, which starts it again", host.kill_service),
    "stop": ("stop a service and keep it down", host.stop_service),
    "start": ("start a stopped service", host.start_service),
}


def main(words: Sequence[str] | None = None) -> int:
    """Parse, do, and turn an error into one line and exit code 1."""
    os.umask(0o022)
    options, command = split_command(sys.argv[1:] if words is None else words)
    arguments = parser().parse_args(options)
    arguments.command = command
    try:
        lab = Lab(check_name(arguments.name or os.environ.get("LADING_LAB") or default_name(CHECKOUT)))
        arguments.action(lab, arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def split_command(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is before the first '--' is the lab's, what comes after it is the command to run."""
    at = words.index("--") if "--" in words else len(words)
    return list(words[:at]), list(words[at + 1 :])


def parser() -> argparse.ArgumentParser:
    """All commands."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--name", help="the lab's name ($LADING_LAB, or one made from the checkout's path)")
    top = argparse.ArgumentParser(prog="lab", description="Several real Docker hosts on this machine.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, summary: str, action: Callable[[Lab, argparse.Namespace], None]) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=summary, description=summary, parents=[common])
        made.set_defaults(action=action)
        return made

    _add_life(command)
    _add_work(command)
    for verb, (summary, on_host) in HOST_VERBS.items():
        command(verb, summary, _for_host(on_host)).add_argument("host")
    for verb, (summary, on_service) in SERVICE_VERBS.items():
        made = command(verb, summary, _for_service(on_service))
        made.add_argument("host")
        made.add_argument("service", choices=host.SERVICES)
    return top


Adder = Callable[[str, str, Callable[[Lab, argparse.Namespace], None]], argparse.ArgumentParser]


def _add_life(command: Adder) -> None:
    up = command("up", "make a lab of N hosts, or heal it", _up)
    up.add_argument("hosts", type=int, metavar="N")
    up.add_argument("--no-staging", action="store_true", help="without stage1")
    up.add_argument("--fast-keepalive", action="store_true", help="notice dead connections in seconds")
    up.add_argument(
        "--small-disk", action="append", default=[], metavar="HOST=SIZE", help="engine data on a small disk"
    )
    up.add_argument("--engine", action="append", default=[], metavar="HOST=SUITE", help="the engine of a later Debian")
    down = command("down", "remove the lab", lambda lab, args: cluster.down(lab, args.keep_logs))
    down.add_argument("--keep-logs", action="store_true")
    command("status", "what runs", lambda lab, _: print(status.report(lab)))
    command("env", "shell exports for the controller's settings", _env)
    of_registry = command("registry", "stop or start the registry", _registry)
    of_registry.add_argument("what", choices=("stop", "start"))


def _add_work(command: Adder) -> None:
    run = command("run", "run a command on the controller", _run)
    run.add_argument("--env", action="append", default=[], metavar="K=V")
    run.add_argument("--no-credentials", action="store_true", help="without the registry's password")
    run.add_argument("--home", metavar="DIR", help="HOME; without the lab's XDG folders")
    run.epilog = "The command comes after '--'."
    execute = command("exec", "run a command in a host as root", _exec)
    execute.add_argument("host")
    execute.add_argument("-u", "--user", default="root")
    execute.epilog = run.epilog
    build = command("build", "build an image and push it to the registry", _build)
    build.add_argument("context")
    build.add_argument("reference", metavar="REF")
    build.add_argument("--build-arg", action="append", default=[], metavar="K=V")
    build.add_argument("--file")


def pairs(words: Sequence[str]) -> dict[str, str]:
    """K=V arguments."""
    for word in words:
        if "=" not in word:
            raise LabError(f"not NAME=VALUE: {word}")
    return dict(word.split("=", 1) for word in words)


def required(command: list[str]) -> list[str]:
    """The words after '--', at least one."""
    if not command:
        raise LabError("no command: it comes after '--'")
    return command


def _for_host(verb: Callable[[Lab, Host], None]) -> Callable[[Lab, argparse.Namespace], None]:
    return lambda lab, args: verb(lab, lab.host(args.host))


def _for_service(verb: Callable[[Lab, Host, str], None]) -> Callable[[Lab, argparse.Namespace], None]:
    return lambda lab, args: verb(lab, lab.host(args.host), args.service)


def _up(lab: Lab, args: argparse.Namespace) -> None:
    options = Options(args.hosts, not args.no_staging, args.fast_keepalive, pairs(args.small_disk), pairs(args.engine))
    cluster.up(lab, options)
    print(status.report(lab))


def _env(lab: Lab, _: argparse.Namespace) -> None:
    for name, value in controller.environment(lab, lab.running()).items():
        print(f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}")


def _registry(lab: Lab, args: argparse.Namespace) -> None:
    lab.running()
    if args.what == "stop":
        registry.stop(lab)
    else:
        registry.start(lab)
        registry.wait_ready(lab)


def _run(lab: Lab, args: argparse.Namespace) -> None:
    environment = controller.environment(lab, lab.running(), args.home, not args.no_credentials)
    controller.become(lab, required(args.command), {**environment, **pairs(args.env)})


def _exec(lab: Lab, args: argparse.Namespace) -> None:
    machine = lab.host(args.host)
    argv = host.exec_argv(lab, machine, required(args.command), args.user)
    cgroup.enter(lab.layout, lab.name, cgroup.leaf(lab.layout, machine.name))
    os.execvp(argv[0], argv)


def _build(lab: Lab, args: argparse.Namespace) -> None:
    with lab.locked():
        builder.ensure_builder(lab)
    build = builder.Build(args.context, args.reference, args.build_arg, args.file)
    print(builder.build_and_push(lab, build))
