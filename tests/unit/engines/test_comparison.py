"""Normal forms by value: the app's folder is a path like any other."""

import pytest

from lading.engines import comparison

FORM = """name: shop
services:
  web:
    image: r/web:1
    volumes:
      - type: bind
        source: @DIR@/project/data
        target: /data
"""


@pytest.mark.parametrize(("found", "said"), [
    (FORM, ""),
    (FORM + "\n\n", ""),
    (FORM.replace("type: bind", "type: 'bind'"), ""),
    (FORM.replace("@DIR@/project/data", "/srv/data"), "services.web.volumes"),
    (FORM.replace("r/web:1", "r/web:2"), "services.web.image"),
])
def test_what_a_host_reads_otherwise(found: str, said: str) -> None:
    forms = comparison.Forms()
    for _ in range(2):
        different = forms.difference(FORM, found)
        assert said in different
        assert bool(different) is bool(said)
