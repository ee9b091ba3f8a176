"""The phases of a deployment, and how each is held: at a stored event, and where that is not enough at a gate of the app."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass

from scene import APP, Scene, wait

TARGET = "web2"  # struck; web1 is in the batch before it
RETRIES = (("well], interval: 1s, timeout: 3s, retries: 60", "well], interval: 1s, timeout: 3s, retries: 2"),)
LIMIT = ("rate", "3mbit", "burst", "16kbit", "latency", "400ms")  # of the link while a transfer is struck in its middle


def nothing(_: Scene) -> None:
    """Nothing is to be done."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase. *hold*: the event after which the strike comes, None = before the start; *host*: where it strikes.

    *edits*: of the Compose file; *prepare* makes the scene before the start; *ripen* lets the held deployment go on
    (it is given what does that) into the middle of the phase and waits until it is there; *release* ends what holds it
    there. *decided*: the decision to commit is stored, so that nothing may go back any more.
    """

    name: str
    hold: tuple[str, str, str] | None
    host: str = TARGET
    edits: tuple[tuple[str, str], ...] = ()
    prepare: Callable[[Scene], None] = nothing
    ripen: Callable[[Scene, Callable[[], None]], None] | None = None
    release: Callable[[Scene], None] = nothing
    decided: bool = False


def _sent(scene: Scene) -> int:
    """Bytes that went to the target's network card so far."""
    said = scene.lab.run("ip", "-s", "-j", "link", "show", f"v{TARGET}").stdout
    return int(json.loads(said)[0]["stats64"]["tx"]["bytes"])


def _in_transfer(under_way: str, size: int) -> Callable[[Scene, Callable[[], None]], None]:
    """Go on over a slow link until the target is in the middle of it.

    *under_way*: a line of shell that holds there, in the app's folder; *size*: bytes that have come.
    """

    def ripen(scene: Scene, go: Callable[[], None]) -> None:
        scene.lab.run("tc", "qdisc", "replace", "dev", f"v{TARGET}", "root", "tbf", *LIMIT)
        before = _sent(scene)
        go()
        wait(lambda: _sent(scene) - before > size and bool(scene.in_folder(TARGET, under_way)),
             f"{size} bytes came to {TARGET}, and `{under_way}` says something")

    return ripen


def _fast(scene: Scene) -> None:
    scene.lab.run("tc", "qdisc", "del", "dev", f"v{TARGET}", "root", check=False)


def _new_blob(scene: Scene) -> None:
    """What is uploaded is large, and no host has it."""
    (scene.folder / "blob").write_bytes(os.urandom(1 << 20))


def _forget_image(scene: Scene) -> None:
    """The image of the version that is not current goes from the host, whatever its tags."""
    scene.host(TARGET, "docker images --format '{{.ID}} {{.Repository}}' | grep -E 'lading-keep/chaos/web|/chaos' | cut -d' ' -f1 | sort -u | "
               "while read -r i; do docker ps -aq --filter ancestor=$i | grep -q . || docker rmi -f $i >/dev/null; done", check=False)


def _with_hook(scene: Scene) -> None:
    scene.compose(("configs: {blob: {file: ./blob}}", "configs: {blob: {file: ./blob}}\n"
                   "x-lading: {hooks: {before: {service: web, command: [hook], timeout: 120s}}}"))
    scene.gate("web1", "hook", shut=True)


def _hook_runs(scene: Scene, go: Callable[[], None]) -> None:
    go()
    wait(lambda: "hook" in scene.host("web1", f"docker ps --format '{{{{.Names}}}}' | grep -e {APP}-hook", check=False), "the hook runs")


def _stays(scene: Scene) -> None:
    scene.gate(TARGET, "stay", shut=True)


def _recreating(scene: Scene, go: Callable[[], None]) -> None:
    go()
    wait(lambda: bool(scene.host(TARGET, "docker ps -a --format '{{.Names}}' | grep -E '^[0-9a-f]{12}_'", check=False)), "a recreate is under way")


def _sick(scene: Scene) -> None:
    """The version that comes, and no other."""
    scene.gate(TARGET, f"sick-{scene.coming}", shut=True)


def _well(scene: Scene) -> None:
    scene.gate(TARGET, f"sick-{scene.coming}", shut=False)


def _starting(scene: Scene, go: Callable[[], None]) -> None:
    go()
    wait(lambda: "health: starting" in scene.host(TARGET, f"docker ps --filter name={APP}-web --format '{{{{.Status}}}}'")
         and not scene.host(TARGET, "pgrep -f 'compose.* [u]p -d'", check=False), "the new version waits for its health")


PHASES = (
    Phase("resolve", None),
    Phase("lease", ("DeploymentPlanned", "", "")),
    Phase("preflight", ("HostChecked", TARGET, "preflight")),
    Phase("pull", ("StepStarted", TARGET, "stage"), prepare=_forget_image, release=_fast,
          ripen=_in_transfer("grep ' stage since ' op.info", 1_000_000)),
    Phase("upload", ("StepStarted", TARGET, "stage"), prepare=_new_blob, release=_fast,
          ripen=_in_transfer("ls -d incoming.*", 300_000)),
    Phase("hook", ("StepStarted", "web1", "hook"), host="web1", prepare=_with_hook, ripen=_hook_runs,
          release=lambda scene: scene.gate("web1", "hook", shut=False)),
    Phase("roll", ("StepStarted", TARGET, "roll")),
    Phase("up", ("StepStarted", TARGET, "roll"), prepare=_stays, ripen=_recreating,
          release=lambda scene: scene.gate(TARGET, "stay", shut=False)),
    Phase("health", ("StepStarted", TARGET, "roll"), prepare=_sick, ripen=_starting, release=_well),
    Phase("prepare", ("StepStarted", TARGET, "prepare")),
    Phase("commit", ("StepStarted", "", "commit"), decided=True),
    Phase("finish", ("HostCommitted", TARGET, "commit"), decided=True),
    Phase("undo", ("StepStarted", TARGET, "undo"), edits=RETRIES, prepare=_sick, release=_well),
)
