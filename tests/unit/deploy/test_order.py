"""What a host's order says of the releases to which an undo may go back."""

from dataclasses import replace

from builders import a_release, a_service, an_app
from lading.deploy import order
from lading.plan import steps
from lading.state import journal

MADE = a_release(a_service("web"))


def test_an_undo_can_go_back_to_the_release_that_is_brought_back() -> None:
    lost = replace(an_app(MADE), releases={})
    becoming = order.Becoming(MADE, lost, "1", "git:a", "live")
    own = order._own(journal.Begun("d"), steps.HostPlan("h", previous=lost.current), becoming)
    assert own.begun.before == lost.current
    assert own.kept == {MADE.id: MADE}
