"""One host as a driver has it: its transport, its engine, lading's state there, and its answers."""

import asyncio
from collections.abc import Mapping, Sequence

from lading.drivers import base
from lading.drivers.engine_api import engine, watching
from lading.drivers.shell import guarded, image_pull, observe
from lading.inventory import hosts
from lading.transport import base as transports
from lading.transport import command


class Bound:
    """One host.

    *folder*: where lading's state is, once the host has said it, which spares it from asking its
    engine. *marks*: app → where the engine remembers that lading keeps it, once it was asked for
    them under the lease. *present*: image → whether the engine has it, likewise. *tagging*: images
    that are there, and are still to be tagged while the next upload's script holds the lock.
    """

    def __init__(
        self, transport: transports.Transport, host: hosts.Host, state_dir: str,
        dockerd: engine.Engine | None = None,
    ) -> None:
        self.transport, self.host, self.state_dir = transport, host, state_dir
        self._dockerd = dockerd
        self.folder = ""
        self.marks: Mapping[str, str] | None = None
        self.present: Mapping[str, bool] = {}
        self.tagging: image_pull.ImagePull | None = None
        self._events: watching.Events | None = None
        self._ending: asyncio.Task[command.Result] | None = None

    @property
    def engine(self) -> engine.Engine | None:
        """Its engine, if that was asked itself before in this call; else scripts ask it."""
        dockerd = self._dockerd
        if dockerd is None or dockerd.is_client_only or dockerd.api_version is None:
            return None
        return dockerd

    def mark(self, app: str) -> str:
        """Where the engine remembers that lading keeps an app.

        As scripts/lib/state-mark.sh takes it: "-" = nowhere, "" = the engine was not asked.
        """
        return "" if self.marks is None else self.marks.get(app, "-")

    @property
    def common(self) -> dict[str, str | int]:
        """Where lading's state is, as every script takes it."""
        return {"STATE_DIR": self.state_dir, "KNOWN_STATE_DIR": self.folder}

    def guarded(
        self, name: str, doing: str, hold: base.Hold, values: guarded.Values, words: Sequence[str] = (), *,
        timeout: int, more: Sequence[str] = (), ends: bool = False,
        payload: tuple[bytes | command.Secret, ...] = (), step: str = "",
    ) -> command.Command:
        """See `guarded.guarded`."""
        return guarded.guarded(
            name, doing, hold, self.common, values, words, marker=observe.marker(), timeout=timeout, more=more,
            ends=ends, payload=payload, step=step,
        )

    async def send(
        self, what: command.Command, on_part: transports.OnPart | None = None,
        until: asyncio.Event | None = None,
    ) -> command.Result:
        """Run a command to its end; *until*: see `Transport.run`.

        Raises:
            Refused: the host did not do it, and says why; or its answer is not whole.
            TransportError: it did not answer.
        """
        await self.until_ended()
        answer = await self.transport.run(self.host, what, on_part, until)
        if "refused" in answer.parts:
            kind, _, text = answer.text("refused").partition("\n")
            raise base.Refused(kind, text)
        if "end" not in answer.parts:
            raise base.Refused("broken", f"the command ended before it was done, with exit status {answer.status}: {last_line(answer.stderr)}")
        return answer

    def leave_to_end(self, script: "asyncio.Task[command.Result]") -> None:
        """Let a script end of which nothing more is wanted; the next one waits for that end.

        So the two never run at once, also where a server has room for one session only. How it ends
        is no news: what it had to do, it has done and told.
        """
        script.add_done_callback(_is_no_news)
        self._ending = script

    async def until_ended(self) -> None:
        """Come back once the script that was left to its end has ended, however that was."""
        if self._ending is not None:
            await asyncio.wait({self._ending})

    def listen_ahead(self, app: str) -> None:
        """Subscribe to the events of an app that is to be rolled, unless that costs a session."""
        dockerd = self.engine
        if dockerd is not None and not dockerd.is_dialled and self._events is None:
            self._events = watching.Events(dockerd, app, is_ahead=True)

    async def listening(self) -> watching.Events | None:
        """The events that were subscribed to ahead, if they are told now; the caller closes them."""
        ahead = self._events
        if ahead is None:
            return None
        await ahead.subscribed()  # whoever is stopped here leaves it to `listen_no_more`
        self._events = None
        if ahead.stands:
            ahead.keep_on()
            return ahead
        await ahead.close()
        return None

    async def listen_no_more(self) -> None:
        """Close what was subscribed to ahead, for a roll that did not come."""
        ahead, self._events = self._events, None
        if ahead is not None:
            await ahead.close()


def _is_no_news(script: "asyncio.Task[command.Result]") -> None:
    """Take note of how a script ended that nobody asks, as asyncio wants of each failure."""
    if not script.cancelled():
        script.exception()


def last_line(text: str) -> str:
    """What a program said last."""
    said = text.strip().splitlines()
    return said[-1] if said else "it said nothing on stderr"
