"""What Compose has answered in this call: it is asked nothing twice."""

import secrets
from dataclasses import field

from lading import process
from lading.dataclass import dataclass


@dataclass(slots=True)
class Answers:
    """What Compose has answered in this call of lading: it is not asked the same again.

    Its answer follows from the files, the variables and the options alone, and those are the keys.
    *stand_in*: the name under which it is asked of an app that nobody has named, or "": the hosts
    may know its name.
    """

    known: dict[tuple[object, ...], process.Finished] = field(default_factory=dict, repr=False)
    stand_in: str = ""

    def use_stand_in(self) -> None:
        """Ask under a name that stands nowhere else, so that it can be replaced in the answers."""
        self.stand_in = self.stand_in or f"lading-{secrets.token_hex(16)}"
