"""Whose an app is: the repository's address and the folder in it, in one form however it was cloned (pure)."""

import re

SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")
SCP = re.compile(r"^(?:[^@/]*@)?(\[[^]/]*\]|[^:/\[]+):(.*)$")  # host:path, as scp and Git take it
FOLDER = re.compile(r"^(/.*)@[0-9a-f]{16}$")
COMMIT = re.compile(r"^([0-9a-f]{64}|[0-9a-f]{40})(?:#(.*))?$")  # of a repository without a remote


def address(remote: str) -> str:
    """A remote's address without scheme, user, port, query and `.git`: `git.example/team/shop`.

    A path on this machine stays a path. What has this form already stays as it is.
    """
    text = remote.strip()
    if text.startswith("file://"):
        return _path(text.removeprefix("file://").removeprefix("localhost"))
    if SCHEME.match(text):
        place, _, path = SCHEME.sub("", text).partition("/")
        return _joined(_host(place.rpartition("@")[2]), path)
    if (found := SCP.match(text)) is not None:
        return _joined(found[1], found[2])
    if text.startswith(("/", ".")):
        return _path(text)
    place, _, path = text.partition("/")
    return _joined(place, path)


def _host(place: str) -> str:
    """A host without its port; an IPv6 address keeps its brackets."""
    return re.sub(r":\d*$", "", place)


def _joined(place: str, path: str) -> str:
    below = _path(path).strip("/")
    return f"{place.lower()}/{below}" if below else place.lower()


def _path(path: str) -> str:
    """A path without query, `.git` and what says nothing."""
    short = re.sub(r"/+", "/", path.partition("?")[0]).rstrip("/")
    return short.removesuffix("/.git").removesuffix(".git").rstrip("/") or path


def written(repository: str, below: str) -> str:
    """The owner of an app in a repository: its address, and the app's folder in it where that is not its top."""
    return repository if below in ("", ".") else f"{repository}#{below}"


def folder(path: str, identity: str) -> str:
    """The owner of an app that has neither a repository nor a name for its source: this folder and no other at its path."""
    return f"{path}@{identity}"


def same(recorded: str, source: str, path: str) -> bool:
    """Whether an owner that a host recorded is *source*, whose project folder is *path* here.

    Older ladings recorded a remote as it was written, and without one the path alone: that counts until it is recorded anew.
    """
    if recorded in (source, path):
        return True
    repository, mark, below = recorded.partition("#")
    return written(address(repository), below if mark else "") == source


def difference(recorded: str, source: str) -> tuple[str, str]:
    """Two owners that are not the same, each in words."""
    before, now = FOLDER.match(recorded), FOLDER.match(source)
    if before and now and before[1] == now[1]:
        return f"another folder that was at {now[1]}", "the folder that is there now"
    return _described(recorded), _described(source)


def _described(source: str) -> str:
    """An owner in words: an address, or the name that somebody gave it, says itself what it is."""
    if (found := FOLDER.match(source)) is not None:
        return f"the folder {found[1]}, in no repository with a commit"
    if (found := COMMIT.match(source)) is not None:
        below = f"{found[2]} in " if found[2] else ""
        return f"{below}the repository with the first commit {found[1][:12]} and no remote"
    return source or "nobody that its record names"
