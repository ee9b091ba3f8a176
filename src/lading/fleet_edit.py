"""A host added to the text of a fleet file, whose comments and layout stay (pure)."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from lading import errors
from lading.inventory import hosts


def host_entry(host: hosts.Host) -> str:
    """A host as `hosts:` names it, on one line: NAME: {…}."""
    if host.is_local:
        return f"{host.name}: {{transport: local}}"
    words = [f"address: {json.dumps(host.address)}"] if host.address else []
    words += [f"user: {json.dumps(host.user)}"] if host.user else []
    words += [f"port: {host.port}"] if host.port else []
    return f"{host.name}: {{{', '.join(words)}}}"


def add_host(
    text: str, top: Any, host: hosts.Host, destinations: Sequence[str], read: Callable[[str], Any]
) -> str:
    """The text with *host* under `hosts:` and in each of *destinations*.

    *top*: the YAML node of *text*; *read* gives that of any text, None where it is no YAML. Lines
    are only added, or one list grows within its line. What came out is read again, and says this
    one host more and nothing else.

    Raises:
        InputError: the file is laid out so that this cannot be done; it says what to write by hand.
    """
    lines = text.splitlines(keepends=True)
    by_hand = _by_hand(host, destinations)
    places = [_of(_of(_of(top, "destinations"), name), "hosts") for name in destinations]
    # From the end of the file to its beginning: what stands before stays where it is.
    edits = [(_of(top, "hosts"), "mapping", host_entry(host))]
    edits += [(place, "sequence", host.name) for place in places]
    if any(node is None for node, _, _ in edits):
        raise by_hand
    for node, kind, entry in sorted(edits, key=lambda one: -int(one[0].start_mark.index)):
        _grow(lines, node, kind, entry, by_hand)
    longer = "".join(lines)
    after = read(longer)
    if after is None or _plain(after) != _one_more(_plain(top), _plain(read(host_entry(host))), destinations):
        raise by_hand  # such as an alias, by which another destination would grow too
    return longer


def _one_more(said: Any, entry: Any, destinations: Sequence[str]) -> Any:
    """What a fleet file says, with the *entry* of one host more."""
    said["hosts"] |= entry
    for name in destinations:
        said["destinations"][name]["hosts"] += entry
    return said


def _plain(node: Any) -> Any:
    """A YAML node as texts, lists and mappings of its own; an alias is what it stands for."""
    if node.id == "mapping":
        return {str(key.value): _plain(value) for key, value in node.value}
    return [_plain(one) for one in node.value] if node.id == "sequence" else node.value


def _of(node: Any, key: str) -> Any:
    """The value of a key in a mapping node; None if there is none."""
    if getattr(node, "id", "") != "mapping":
        return None
    return next((value for name, value in node.value if str(name.value) == key), None)


def _grow(lines: list[str], node: Any, kind: str, entry: str, by_hand: errors.InputError) -> None:
    """Write one more entry into a mapping or list."""
    if node.id != kind:
        raise by_hand
    if node.flow_style:
        _grow_in_line(lines, node, entry, by_hand)
        return
    last = node.value[-1][1] if kind == "mapping" else node.value[-1]
    at = _line_after(last)
    indent = " " * node.start_mark.column
    lead = "" if kind == "mapping" else "- "
    if not lines[at - 1].endswith("\n"):  # the end of the file
        lines[at - 1] += "\n"
    lines.insert(at, f"{indent}{lead}{entry}\n")


def _line_after(node: Any) -> int:
    """The index of the line after the last one of a node, comments and blank lines behind it left out."""
    if node.id == "scalar" or node.flow_style or not node.value:
        return int(node.end_mark.line) + 1 if node.end_mark.column else int(node.end_mark.line)
    last = node.value[-1]
    return _line_after(last[1] if node.id == "mapping" else last)


def _grow_in_line(lines: list[str], node: Any, entry: str, by_hand: errors.InputError) -> None:
    """Write one more entry before the bracket that closes a list or mapping."""
    number, column = int(node.end_mark.line), int(node.end_mark.column) - 1
    line = lines[number]
    if node.start_mark.line != number or line[column] not in "]}":
        raise by_hand
    head = line[:column].rstrip()
    comma = ", " if node.value else ""
    lines[number] = f"{head}{comma}{entry}{line[column:]}"


def _by_hand(host: hosts.Host, destinations: Sequence[str]) -> errors.InputError:
    """What to write where lading cannot."""
    more = f"; and {host.name} into the hosts: of destinations: {', '.join(destinations)}" if destinations else ""
    return errors.InputError(
        "the fleet file is laid out in a way that lading does not edit; it is left as it is",
        f"add under hosts:  {host_entry(host)}{more}")
