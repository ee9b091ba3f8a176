"""Host lines of an Ansible inventory: names, ranges such as web[01:20:2], and `host:port` (pure)."""

import ipaddress
import re
import string

LIMIT = 10_000  # hosts that one line may stand for

_NUMBERS = r"\[[0-9]+:[0-9]+(?::[0-9]+)?\]"
_LETTERS_OR_NUMBERS = r"\[(?:[a-z]:[a-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\]"
_LABEL = rf"(?:\w|{_LETTERS_OR_NUMBERS})(?:[\w-]|{_LETTERS_OR_NUMBERS})*(?<![_-])"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE)
_OCTET = rf"(?:[01]?[0-9]{{1,2}}|2[0-4][0-9]|25[0-5]|{_NUMBERS})"
_IPV4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}")
_HEX_RANGE = re.compile(r"\[[0-9a-f]+:[0-9a-f]+(?::[0-9]+)?\]", re.IGNORECASE)
_BRACKETED = re.compile(r"\[(.+)\]:([0-9]+)")
_WITH_PORT = re.compile(r"((?:[^:\[\]]|\[[^\]]*\])*):([0-9]+)")


def address(text: str) -> tuple[str, int] | None:
    """The name or address of a host, which may hold ranges, and its port (0 = none); None if *text* is neither."""
    port = 0
    for form in (_BRACKETED, _WITH_PORT):
        if found := form.fullmatch(text):
            text, port = found[1], int(found[2])
    known = _IPV4.fullmatch(text) or _NAME.fullmatch(text) or _is_ipv6(text)
    return (text, port) if known else None


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(_HEX_RANGE.sub("0", text))
    except ValueError:
        return False
    return "%" not in text


def hosts(line: str) -> tuple[list[str], int]:
    """The names that the first word of a host line stands for, and the port they share (0 = none).

    Raises:
        ValueError: it is none; the text says why.
    """
    found = address(line)
    if found is None and line.endswith(":"):
        raise ValueError(f"{line!r} ends in a colon, which would lead to a port")
    if not line:
        raise ValueError("a host must have a name")
    if line == "---":
        raise ValueError("'---' begins a YAML file; this one is read as INI")
    name, port = found or (line, 0)
    return expand(name), port


def expand(text: str) -> list[str]:
    """*text* with its ranges written out, the first one slowest.

    Raises:
        ValueError: a range is none, is empty, or stands for more than LIMIT hosts.
    """
    head, opened, rest = text.partition("[")
    if not opened:
        return [text]
    inner, closed, tail = rest.partition("]")
    if not closed:
        raise ValueError(f"{text!r} has a [ without a ]")
    steps = _steps(inner)
    ends = expand(tail)
    if len(steps) * len(ends) > LIMIT:
        raise ValueError(f"{text!r} stands for more than {LIMIT} hosts")
    return [f"{head}{step}{end}" for step in steps for end in ends]


def _steps(inner: str) -> list[str]:
    """What a range such as 01:20:2 counts."""
    bounds = inner.split(":")
    if len(bounds) not in (2, 3) or not bounds[1]:
        raise ValueError(f"[{inner}] is no range: [begin:end] or [begin:end:step]")
    begin, end, step = bounds[0] or "0", bounds[1], (bounds[2] if len(bounds) == 3 else "1")
    letters = string.ascii_letters
    width = len(begin) if begin[0] == "0" and len(begin) > 1 else 0
    if width and width != len(end):
        raise ValueError(f"[{inner}]: with leading zeros, both ends must have the same number of digits")
    if not step.isdecimal() or int(step) == 0:
        raise ValueError(f"[{inner}]: the step must be a whole number above 0")
    if len(begin) == len(end) == 1 and begin in letters and end in letters:
        found = list(letters[letters.index(begin) : letters.index(end) + 1 : int(step)])
    elif begin.isdecimal() and end.isdecimal():
        count = range(int(begin), int(end) + 1, int(step))
        if len(count) > LIMIT:
            raise ValueError(f"[{inner}] stands for more than {LIMIT} hosts")
        found = [str(number).zfill(width) for number in count]
    else:
        raise ValueError(f"[{inner}]: both ends must be numbers, or both one letter")
    if not found:
        raise ValueError(f"[{inner}] counts nothing: it begins after its end")
    return found
