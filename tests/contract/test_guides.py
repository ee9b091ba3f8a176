"""`lading help`: every topic that is named is there, also where a hint names it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lading import errors
from lading.cli import guides, main

SOURCE = Path(main.__file__).parents[1]


@pytest.mark.parametrize("topic", guides.PAGES)
def test_a_page_and_all_its_sections(topic: str) -> None:
    (page,) = guides.find(topic)
    assert page.text.startswith("# ")
    for section in guides.sections(page.text):
        assert any(found.text == section.text for found in guides.find(section.topic)) or guides.find(section.topic)


@pytest.mark.parametrize(("asked", "heading"), [
    ("roll back", "## Roll back"), ("Rotate a secret", "## Rotate a secret"), ("secret rotate", "## Rotate a secret"),
    ("drift", "## lading drift"), ("resume", "## lading resume"), ("exclude", "## lading hosts exclude"), ("error", "## error"),
])
def test_a_section_by_words_of_its_heading(asked: str, heading: str) -> None:
    assert [one.text.partition("\n")[0] for one in guides.find(asked)] == [heading]


def test_what_is_about_hosts_are_ways_to_use_them_and_no_fields() -> None:
    topics = [one.topic for one in guides.find("hosts")]
    assert "lading hosts add" in topics and "hosts" not in topics and "hosts-exclude" not in topics


def test_a_command_leads_to_where_the_how_to_uses_it() -> None:
    done = subprocess.run([sys.executable, "-m", "lading", "help", "drift"], capture_output=True, text=True, check=True)
    assert "    lading help see what runs where" in done.stdout.partition("How to use it:")[2]


def test_what_nobody_wrote_about() -> None:
    with pytest.raises(errors.InputError, match="no guide about 'secruity'") as caught:
        guides.find("secruity")
    assert "security" in caught.value.hint


def test_hints_name_topics_that_there_are() -> None:
    named = {
        one.strip() for path in SOURCE.rglob("*.py")
        for one in re.findall(r"lading help ([a-z-]+)(?=[\"' )])", path.read_text())
    }
    assert named >= {"compose", "rights", "settings", "security"}
    for topic in named - {"lists", "roll"}:
        assert guides.find(topic)


def test_piped_it_is_the_text_as_it_is() -> None:
    done = subprocess.run([sys.executable, "-m", "lading", "help", "roll", "back"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("## Roll back\n")
    listed = subprocess.run([sys.executable, "-m", "lading", "help"], capture_output=True, text=True, check=True)
    assert all(f"  {topic} " in listed.stdout for topic in guides.PAGES)
