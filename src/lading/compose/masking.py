"""Secret values masked: in definitions (the resolved tree merged with that before interpolation), in what programs say (pure)."""

import base64
import contextlib
import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, unquote_plus

from lading.compose import env_files, variables


def service(
    raw: Mapping[str, Any], resolved: Mapping[str, Any], values: Mapping[str, str], hidden: frozenset[str]
) -> dict[str, Any]:
    """The definition of a service: masked, and without what only an env_file says."""
    kept = dict(resolved)
    if raw.get("env_file") and "environment" in kept:
        written = raw.get("environment") or {}
        keys = as_mapping(written, values) if isinstance(written, list) else written
        kept["environment"] = {name: value for name, value in kept["environment"].items() if name in keys}
    if raw.get("label_file") and "labels" in kept:
        written = raw.get("labels") or {}
        keys = as_mapping(written, values) if isinstance(written, list) else written
        secret = {values[name] for name in hidden if values.get(name)}
        kept["labels"] = {
            name: value for name, value in kept["labels"].items()
            if name in keys or not any(one in str(value) for one in secret)
        }
    done = masked({key: value for key, value in raw.items() if key in kept}, kept, values, hidden)
    return dict(done)


def file_labels(raw: Mapping[str, Any], resolved: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str] | None:
    """The labels that only the label files of a service give, in Compose's normal form, None if it has no such file.

    No variable takes part in them.
    """
    if not raw.get("label_file"):
        return None
    written = raw.get("labels") or {}
    keys = as_mapping(written, values) if isinstance(written, list) else written
    return {name: str(value) for name, value in (resolved.get("labels") or {}).items() if name not in keys}


def masked(raw: Any, resolved: Any, values: Mapping[str, str], hidden: frozenset[str], key: str = "") -> Any:
    """*resolved* (interpolated by Compose) with everything that a *hidden* name takes part in as in *raw*."""
    if not variables.names(raw, key) & hidden:
        return resolved
    if isinstance(resolved, Mapping) and isinstance(raw, list):
        raw = as_mapping(raw, values, hidden)
    if isinstance(raw, Mapping) and isinstance(resolved, Mapping):
        return _masked_mapping(raw, resolved, values, hidden, key)
    if isinstance(raw, list) and isinstance(resolved, list) and _aligned(raw, resolved):
        return [masked(one, other, values, hidden) for one, other in zip(raw, resolved, strict=True)]
    return _masked_raw(raw, values, hidden)


def _masked_mapping(
    raw: Mapping[str, Any], resolved: Mapping[str, Any], values: Mapping[str, str], hidden: frozenset[str], key: str
) -> dict[str, Any]:
    """Both trees key by key; a variable that is only passed on stays without a value."""
    done = {}
    for name, value in resolved.items():
        if key in variables.PASSING and name in raw and raw[name] is None:
            done[name] = None if name in hidden else value
        else:
            done[name] = masked(raw.get(name), value, values, hidden, name)
    for name, value in raw.items():
        if name not in resolved and variables.names({name: value, "": name}, key) & hidden:
            done[name] = _masked_raw(value, values, hidden)
    return done


def _masked_raw(raw: Any, values: Mapping[str, str], hidden: frozenset[str]) -> Any:
    """*raw* with the names that are not hidden filled in."""
    if isinstance(raw, str):
        return variables.substitute(raw, values, hidden)
    if isinstance(raw, Mapping):
        return {name: _masked_raw(value, values, hidden) for name, value in raw.items()}
    if isinstance(raw, list):
        return [_masked_raw(value, values, hidden) for value in raw]
    return raw


def as_mapping(
    raw: list[Any], values: Mapping[str, str], hidden: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The list form of a mapping (`- KEY=VALUE`, `- KEY`) as a mapping."""
    done: dict[str, Any] = {}
    for item in raw:
        name, equals, value = str(item).partition("=")
        done[variables.substitute(name, values, hidden)] = value if equals else None
    return done


def _aligned(raw: list[Any], resolved: list[Any]) -> bool:
    """Whether the elements of two lists are the same ones in the same order, as far as their texts show it."""
    return len(raw) == len(resolved) and all(
        variables.pattern(one).fullmatch(other) for one, other in zip(raw, resolved, strict=True)
        if isinstance(one, str) and isinstance(other, str)
    )


def hidden(text: str, secrets: Mapping[str, bytes], plain: Mapping[str, str]) -> str:
    """*text* with the contents of *secrets* (name → content) as ***: whole, line by line, and by value in env files.

    What programs print may hold them: as they are, as JSON, a shell or HTML escapes them, in percent-encoding, in base64
    and in hex. A value of an env file may refer to other secrets and to *plain* variables: it is hidden as containers get
    it and as it is written. A value of fewer than 8 characters is only seen as a word of its own; of fewer than 4 without
    a letter or digit, only as a whole value (after = or :, or in quotes), for it cannot be told from other text.
    """
    return Mask(secrets, plain)(text)


class Mask:
    """The same for many texts: what is looked for is worked out once."""

    def __init__(self, secrets: Mapping[str, bytes], plain: Mapping[str, str]) -> None:
        words = _spoken(secrets, plain)
        self._pattern = _any_of(words) if words else None
        self._whole = [content.decode("utf-8", "replace") for content in secrets.values()]
        forms = [form for word in words for form in _escaped(word)]
        self._longest = max((len(form.encode("utf-8", "replace")) for form in forms), default=0)

    def __call__(self, text: str) -> str:
        """*text* with *** for each secret."""
        if self._pattern is None:
            return text
        shown = self._pattern.sub("***", text)
        for runs, decoded in ((_PERCENT, _from_percent), (_HEX, _from_hex), (_BASE64, _from_base64)):
            telling = {run for run in runs.findall(shown) if _tells(decoded(run), self._pattern, self._whole)}
            if telling:
                shown = _one_of(telling).sub("***", shown)
        return shown

    def beginning(self, text: str) -> str:
        """The same for the beginning of a line that somebody has cut: its end may be the beginning of a secret."""
        shown = self(text)
        return shown[: max(0, len(shown) - 3 * self._longest)]  # three letters stand for one in percent-encoding


_PERCENT = re.compile(r"""(?<![^\s"'<>])[^\s"'<>]*%[0-9A-Fa-f]{2}[^\s"'<>]*""")  # looked for once in each run: hosts choose their length
_HEX = re.compile(r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{2}){2,}(?![0-9A-Fa-f])")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{4,}={0,2}|[A-Za-z0-9+/_-]{2,3}={1,2}")
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]+")
_SURE = 4  # characters of text among others that are no accident
_PART = 8  # characters of a secret that is cut into lines, which are told from other text


def _tells(decoded: Iterable[str], pattern: re.Pattern[str], whole: Sequence[str]) -> bool:
    """Whether one of the texts that an encoded word may stand for holds a secret, or is a good part of one."""
    for text in decoded:
        if pattern.search(text) or any(len(text.strip()) >= _PART and text.strip() in one for one in whole):
            return True
    return False


def _from_percent(run: str) -> list[str]:
    return [unquote(run), unquote_plus(run)]


def _from_hex(run: str) -> list[str]:
    return _texts([bytes.fromhex(run)])


def _from_base64(run: str) -> list[str]:
    """What *run* may stand for, wherever the encoded text begins in it: what stands before may be of the same letters."""
    letters = run.rstrip("=").replace("-", "+").replace("_", "/")
    starts = [letters[at:] for at in range(min(4, len(letters) - 1))]
    return _texts([base64.b64decode(one[: len(one) - (len(one) % 4 == 1)] + "=" * (-len(one) % 4 % 3)) for one in starts])


def _texts(contents: Iterable[bytes]) -> list[str]:
    """What of each is text: what stands before and behind in the same run may be of another kind."""
    found = []
    for content in contents:
        pieces = _NO_TEXT.split(content.decode("utf-8", "replace"))
        found += [piece for piece in pieces if len(piece) >= _SURE or len(pieces) == 1]
    return found


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """What finds each of *words* as it is and as it is escaped, the longest first."""
    forms = {form for word in words for form in _escaped(word)}
    return re.compile("|".join(_found(form) for form in sorted(forms, key=len, reverse=True)))


def _one_of(runs: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(run) for run in sorted(runs, key=len, reverse=True)))


def _escaped(word: str) -> set[str]:
    """A word as programs write it within other texts."""
    once = {json.dumps(word)[1:-1], json.dumps(word, ensure_ascii=False)[1:-1]}
    twice = {json.dumps(one)[1:-1] for one in once}
    by_shells = {word.replace("'", "'\\''"), word.replace("'", "'\"'\"'"), word.replace("$", "$$")}
    return {word, html.escape(word), repr(word)[1:-1], *once, *twice, *by_shells}


def _found(word: str) -> str:
    """The expression that finds one word where it can be told from other text."""
    exact = re.escape(word)
    if len(word) >= 8:
        return exact
    if len(word) >= 4 or re.search(r"\w", word):
        return rf"(?<!\w){exact}(?!\w)"
    return rf"""(?:(?<=[=:"'])|(?<=[=:] )|(?<![^\n])){exact}(?=["'\s,;&@)}}\]]|\Z)"""


def _spoken(secrets: Mapping[str, bytes], plain: Mapping[str, str]) -> set[str]:
    """The lines in which a program may print secrets."""
    texts = {name: content.decode("utf-8", "replace") for name, content in secrets.items()}
    variables_given = {name.removeprefix("var."): one for name, one in texts.items() if name.startswith("var.")}
    found = {line.strip() for text in texts.values() for line in text.splitlines()}
    for name, text in texts.items():
        if name.startswith("env."):
            found |= _values(text, {**plain, **variables_given})
    return found - {""}


def _values(env_file: str, given: Mapping[str, str]) -> set[str]:
    """The values of an env file: as they are written, as they are read, and with what they refer to filled in."""
    values = [line.partition("=")[2].strip() for line in env_file.splitlines()]
    values += _written(env_file)
    values += [value for _, value in env_files.assigned(env_file, given)]
    lines = [line.strip() for value in values for line in value.splitlines()]
    return {*lines, *(line.strip("\"'") for line in lines)}


def _written(env_file: str) -> list[str]:
    """The values of an env file with their variables as they stand there, as far as it can be read."""
    found = []
    with contextlib.suppress(env_files.BrokenError):
        for one in env_files.read(env_file):
            found.append(one.text or "")
    return found
