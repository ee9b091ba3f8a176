"""The files of scripts/: what is sent of them is what they say, whole, and nothing twice."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from lading.drivers.shell import scripts

PARTS = sorted(path.stem for path in Path(str(scripts.FOLDER)).glob("lib/*.sh"))
SHELLS = (["/bin/dash"], ["/bin/busybox", "ash"])


@pytest.mark.parametrize("name", scripts.names())
def test_a_script_is_read_by_each_shell_and_defines_nothing_twice(name: str) -> None:
    text = scripts.text(name, scripts.may_need(name))
    for shell in SHELLS:
        argv = [*shell, "-n"]
        done = subprocess.run(argv, input=text, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    defined = Counter(re.findall(r"^(\w+)\(\) \{$", text, re.M))
    assert [function for function, count in defined.items() if count > 1] == []


@pytest.mark.parametrize("name", scripts.names())
def test_what_is_sent_means_what_is_written(name: str) -> None:
    """But for functions that it does not call; the yardstick is what shfmt prints of both."""
    more = scripts.may_need(name)
    written, sent = scripts.whole(name, more), scripts.text(name, more)
    assert "\n#" not in sent and "\n " not in sent
    lines = iter(line.strip() for line in minified(written))  # a program of awk's in it keeps its indentation
    assert all(line.strip() in lines for line in minified(sent))  # in order: `in` goes on from where it was


def minified(text: str) -> list[str]:
    argv = ["shfmt", "-mn", "-ln", "posix"]
    done = subprocess.run(argv, input=text, text=True, capture_output=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", scripts.names())
def test_a_function_that_is_called_is_sent(name: str) -> None:
    more = scripts.may_need(name)
    defined = set(re.findall(r"^(\w+)\(\) \{$", scripts.whole(name, more), re.M))
    sent = scripts.text(name, more)
    here = set(re.findall(r"^(\w+)\(\) \{$", sent, re.M))
    assert here == {one for one in defined if re.search(rf"\b{one}\b", sent)}


def test_every_part_is_needed_by_a_script_and_is_read_by_itself() -> None:
    needed = {word for name in scripts.names() for word in scripts.needed(name)}
    assert needed == set(PARTS)


def test_arguments_stand_before_the_script_and_nothing_is_written_into_it() -> None:
    text = scripts.script("last-lines", {"MARKER": "M", "APP": "it's", "COUNT": 3}, ["-x", "a b"])
    assert text == "MARKER=M\nAPP='it'\\''s'\nCOUNT=3\nset -- -x 'a b'\n" + scripts.text("last-lines")


def test_a_script_takes_only_what_it_may_need() -> None:
    with pytest.raises(ValueError, match="last-lines.sh may not need \\['pull'\\]"):
        scripts.text("last-lines", ("pull",))


def test_a_word_of_a_list_never_becomes_two() -> None:
    assert scripts.lines(["a", "b\nc"]) == "a\nb c"
