"""Nothing is not said where not all have answered; who has not, and why, is named once."""

import pytest

from lading import context, errors


@pytest.mark.parametrize("why", ["web1 (10.0.0.1) refuses the connection", "no route"])
def test_who_has_not_answered_is_named_once(why: str) -> None:
    with pytest.raises(errors.UnansweredError) as caught:
        context.check_answered({"web1": why}, "whether there is an app shop")
    assert caught.value.message.count("web1") == 1
    assert why in caught.value.message
    assert caught.value.hint == "lading check web1"
