"""What a verb needs to see of the apps on a host: a value for each kind of verb (pure)."""

from collections.abc import Sequence
from typing import Literal

from lading.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Wants:
    """What is read of each app.

    *journal*: "recent", since the deployment began that is current, or "all" that a host shows.
    *releases*: those that are "named" by `current` and the journal, or all that are "kept", with
    what lies beside them to go back to them. *files*: whether the current release's files are as
    they were shipped. *stock*: which shipped objects and which generations of secrets there are.
    """

    journal: Literal["recent", "all"]
    releases: Literal["named", "kept"]
    files: bool = False
    stock: bool = False


RECORDS = Wants("recent", "named")  # what is deployed, what is open, what is damaged of that
RUNNING = Wants("recent", "named", files=True)  # and whether it runs as it was shipped
DRIFT = Wants("recent", "kept", files=True)  # and whether all else is as lading left it
CHANGE = Wants("recent", "kept", files=True, stock=True)  # all that a plan is made from
# All that tells what is deployed, should `current` not
REPAIR = Wants("all", "kept", files=True, stock=True)
HISTORY = Wants("all", "kept")  # what was done

Since = Sequence[tuple[str, str]]
"""Apps and deployments: what is shown of an app's journal reaches back to where that one began."""
