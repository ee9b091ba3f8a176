"""Programs that somebody is attached to, in a container of an app or beside the app: what is sent, and where their own output begins (pure)."""

from collections.abc import Mapping, Sequence

from lading import state
from lading.compose import overlay
from lading.compose import release as made_of
from lading.drivers import base
from lading.drivers.shell import releases, scripts
from lading.plan import mounts
from lading.transport import command

NOISE = 1 << 20  # bytes that a host may say before
LASTS = 7 * 86400  # seconds that a run is stood by at most
BEGIN = "begin"


def execute(
    marker: str, container: str, argv: Sequence[str], *, session: str, at_terminal: bool
) -> command.Command:
    """Run *argv* in a container, by id; *session* tells it from all others there."""
    sent = _words(argv)
    values: dict[str, str | int] = {
        "MARKER": marker, "CONTAINER": container, "SESSION": session, "TTY": _tty(at_terminal),
        "SIZE": len(sent),
    }
    text = scripts.script("exec", values)
    return command.Command("exec", text, marker, (command.Secret(sent),), timeout=0)


def run(
    marker: str, made: made_of.Release, app: state.AppState, service: str, argv: Sequence[str], *,
    common: Mapping[str, str | int], project: str, variables: Mapping[str, str], at_terminal: bool,
) -> command.Command:
    """Run a service of the release *made*, which *app* says is deployed, once, as *project*.

    *argv*: in place of its command, if there is any; *variables*: beside its own; *common*: where
    lading's state is on the host.
    """
    sent = _words(argv)
    file = overlay.write({"services": {service: _once(variables)}}).encode("utf-8", "surrogateescape")
    used = mounts.of_service(made, made.services[service])
    versions = app.current.generations if app.current is not None else {}
    values: dict[str, str | int] = {
        "MARKER": marker, "APP": app.app, **common, **releases.call(made, versions, app).values(),
        "PROJECT": project, "SERVICE": service, "TTY": _tty(at_terminal), "OVERLAY_SIZE": len(file),
        "SIZE": len(sent),
        "NEEDED": scripts.lines([str(v["name"]) for v in made.volumes.values() if v["name"] in used]),
    }
    text = scripts.script("run", values, list(releases.resources(made)), _more(common))
    payload = (command.Secret(file), command.Secret(sent))
    return command.Command("run", text, marker, payload, timeout=0)


def guard(marker: str, app: str, *, common: Mapping[str, str | int], project: str) -> command.Command:
    """Stand by while a run lasts, and remove what is left of it; its part `ready` comes first."""
    values: dict[str, str | int] = {"MARKER": marker, "APP": app, **common, "PROJECT": project}
    text = scripts.script("guard", values, more=_more(common))
    return command.Command(
        "guard", text, marker, timeout=LASTS, changes=True, beats=True, streams=True)


def signal(
    marker: str, name: str, *, container: str = "", session: str = "", project: str = ""
) -> command.Command:
    """Send the signal *name*, such as INT, to what `execute` or `run` has begun without a terminal."""
    values = {"MARKER": marker, "SIGNAL": name, "CONTAINER": container, "SESSION": session, "PROJECT": project}
    return command.Command("signal", scripts.script("signal", values), marker, timeout=30)


def project_of_run(app: str, number: str) -> str:
    """The throw-away project of a run, which nothing of lading's takes for a part of the app."""
    return f"{app}-run-{number}"


class Beginning:
    """What a host says before the program's own output begins: *marker* announces it."""

    def __init__(self, marker: str) -> None:
        self._marker = marker
        self._came = bytearray()

    def feed(self, data: bytes) -> bytes | None:
        """The program's first output, maybe b"", once it has begun; None before.

        Raises:
            Refused: the host does not begin at all.
        """
        self._came += data
        for end in (b"\n", b"\r\n"):  # a terminal writes the second
            line = f"\n{self._marker} {BEGIN}".encode() + end
            at = self._came.find(line)
            if at >= 0:
                return bytes(self._came[at + len(line) :])
        if len(self._came) > NOISE:
            raise base.Refused("broken", f"it says more than {NOISE >> 20} MiB before it begins")
        return None

    def check(self, said: str) -> None:
        """Nothing more comes, although it has not begun; *said*: what came by stderr.

        Raises:
            Refused: why it has not begun.
        """
        answer = bytes(self._came).replace(b"\r\n", b"\n")
        parts = dict(command.split_parts(answer, self._marker))
        kind, _, text = parts.get("refused", b"").decode("utf-8", "replace").strip().partition("\n")
        if kind:
            raise base.Refused(kind, text)
        lines = (said or answer.decode("utf-8", "replace")).strip().splitlines()
        raise base.Refused("broken", f"it ends before it begins: {lines[-1] if lines else 'no output'}")


def _once(variables: Mapping[str, str]) -> dict[str, object]:
    """How a service that is run once differs from its own definition."""
    own: dict[str, object] = dict.fromkeys(("container_name", "depends_on", "labels", "ports"), overlay.RESET)
    own["restart"] = "no"
    if variables:
        own["environment"] = {name: overlay.literal(value) for name, value in variables.items()}
    return own


def _words(argv: Sequence[str]) -> bytes:
    """An argv for a script's `set --`: each word as the caller's own bytes."""
    return command.join(argv).encode("utf-8", "surrogateescape")


def _tty(at_terminal: bool) -> str:
    return "-t" if at_terminal else ""


def _more(common: Mapping[str, str | int]) -> list[str]:
    return [] if common.get("KNOWN_STATE_DIR") else ["engine-state-dir"]
