"""Questions to the person at the terminal, and what was answered beforehand: --yes, --plan."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from lading import canonical, errors
from lading.cli import terminal
from lading.dataclass import dataclass

if TYPE_CHECKING:  # a plan is only asked about by verbs that have made one
    from lading.plan import steps


def interactive() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty() and os.environ.get("CI", "").lower() not in ("1", "true")


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said beforehand: *yes* to whatever the plan is, or to the plan whose hash begins with *approved*."""

    yes: bool = False
    approved: str = ""

    @property
    def given(self) -> bool:
        """Whether nothing need be asked, as far as is known before the plan."""
        return self.yes or bool(self.approved)


def confirmer(answer: Answer, question: str, show: Callable[["steps.Plan"], None]) -> Callable[["steps.Plan"], bool]:
    """What asks the person: shows the plan, then the question, unless it was answered beforehand.

    A destination with `confirm: true` wants a person who has seen the plan: --yes does not do there.
    """

    def confirm(plan: "steps.Plan") -> bool:
        show(plan)
        if answer.approved:
            return True
        if plan.confirm and (answer.yes or not interactive()):
            short = canonical.short(plan.hash)
            raise errors.NotConfirmedError(
                f"{plan.destination} has confirm: true, which wants a person's yes to this very plan; nothing of it was carried out",
                f"answer y at a terminal, without --yes; or approve it by its hash: --plan {short} in place of --yes")
        return answer.yes or terminal.confirm(question.format(plan=plan, hosts=len(plan.hosts)))

    return confirm


def must_answer(answered: bool, *, planned: bool = False) -> None:
    """Refuse before anything is contacted if a question could not be answered; *planned*: the verb has a --plan.

    Raises:
        NotConfirmedError: no terminal, and neither --yes nor --plan.
    """
    if not answered and not interactive():
        more = ", or --plan HASH of the plan that was looked at" if planned else ""
        raise errors.NotConfirmedError("there is no terminal to ask at; nothing was changed", f"add --yes{more}")


def must_ask(destination: str, yes: bool) -> None:
    """Refuse, before anything is built, to bring to a destination with `confirm: true` what nobody has looked at.

    Raises:
        NotConfirmedError: --yes, or no terminal.
    """
    if yes or not interactive():
        raise errors.NotConfirmedError(
            f"{destination} has confirm: true, which wants a person's yes to the plan; nothing was built",
            "answer y at a terminal, without --yes; or lading build --push, lading plan, lading deploy --plan HASH")
