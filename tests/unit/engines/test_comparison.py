"""Compose's normal forms compared: by their values, also where they name the app's folder."""

from lading.engines import comparison

FORM = "services:\n  web:\n    image: r/web:1\n    volumes:\n      - source: @DIR@/project/x\n        target: /x\n"


def test_the_end_of_the_text_is_no_difference() -> None:
    assert comparison.Forms().difference(FORM, FORM.strip()) == ""


def test_another_order_is_none_and_another_value_is_named() -> None:
    forms = comparison.Forms()
    turned = FORM.replace("      - source: @DIR@/project/x\n        target: /x\n", "      - target: /x\n        source: @DIR@/project/x\n")
    assert forms.difference(FORM, turned) == ""
    assert "image" in forms.difference(FORM, FORM.replace("r/web:1", "r/web:2"))
