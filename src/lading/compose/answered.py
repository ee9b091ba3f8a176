"""What Compose has answered in this call: it is asked nothing twice."""

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import field

from lading import process
from lading.dataclass import dataclass

Answer = Future[process.Finished]


@dataclass(slots=True)
class Answers:
    """What Compose has answered, or is being asked, in this call of lading: it is not asked the same again.

    Its answer follows from the files, the variables and the options alone, and those are the keys.
    *stand_in*: the name under which it is asked of an app that nobody has named, or "": the hosts
    may know its name.
    """

    stand_in: str = ""
    _known: dict[tuple[object, ...], Answer] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def questions(self) -> int:
        """How many there were."""
        return len(self._known)

    def use_stand_in(self) -> None:
        """Ask under a name that stands nowhere else, so that it can be replaced in the answers."""
        self.stand_in = self.stand_in or f"lading-{secrets.token_hex(16)}"

    def of(self, question: tuple[object, ...], ask: Callable[[], process.Finished]) -> process.Finished:
        """The answer to a question: by *ask*, unless somebody has asked it, or is asking it in another thread.

        Raises:
            what *ask* raises; whoever wants to know later asks again.
        """
        with self._lock:
            first = question not in self._known
            answer = self._known.setdefault(question, Future())
        if not first:
            return answer.result()
        try:
            answer.set_result(ask())
        except BaseException as failure:
            with self._lock:
                del self._known[question]
            answer.set_exception(failure)
        return answer.result()
