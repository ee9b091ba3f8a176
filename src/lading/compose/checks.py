"""What lading refuses of a Compose file: old formats, unknown words, services that cannot run as they stand."""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

from lading import errors
from lading.compose import complaints, handling, hooks, parse, reference, services, variables, worktree

EXTENSION = ("data", "hooks", "on_undo", "plain")
OF_FILES = ("data", "plain")  # what each file says for itself


def check_shape(main: Sequence[parse.Document], included: Sequence[parse.Document] = ()) -> None:
    """Refuse files of version 1 (T4), files without services, and words under `x-lading` that mean nothing.

    Of *included* files its `data` and `plain` count; what is said once for a whole app stands in a chosen file.

    Raises:
        ComposeError: with file and line.
    """
    first = main[0]
    if not any(one.value("services") or one.value("include") for one in main):
        old = [key for part in first.data for key, value in part.items() if _is_service(value)]
        if old:
            hint = "put all services under a top-level `services:` and remove `version:`; links become networks"
            line = first.line((old[0],))
            raise worktree.refuse(f"{first.path} is in the format of Compose 1: no `services:`", hint, (first.path, line))
        raise worktree.refuse(f"{first.path} has no services", "it needs `services:` at its top", (first.path, 1))
    for one in (*main, *included):
        _check_extension(one)
    for one in included:
        for key in set(one.value("x-lading") or {}) - set(OF_FILES):
            raise worktree.refuse(f"x-lading.{key} counts for the whole app, and this file is only included",
                                  f"write it in {first.path}", (one.path, one.line(("x-lading", key))))


def _is_service(value: Any) -> bool:
    return isinstance(value, Mapping) and bool({"image", "build"} & set(value))


def _check_extension(one: parse.Document) -> None:
    extension = one.value("x-lading")
    where = (one.path, one.line(("x-lading",)))
    if extension is not None and not isinstance(extension, Mapping):
        raise worktree.refuse("`x-lading` must be a mapping", f"its keys: {', '.join(EXTENSION)}", where)
    for key, value in (extension or {}).items():
        where = (one.path, one.line(("x-lading", key)))
        if key not in EXTENSION:
            hint = complaints.nearest(str(key), EXTENSION) or f"its keys: {', '.join(EXTENSION)}"
            raise worktree.refuse(f"x-lading: lading does not know `{key}`", hint, where)
        if key in ("data", "plain") and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            raise worktree.refuse(f"x-lading.{key} must be a list of texts", f"x-lading: {{{key}: [NAME]}}", where)
        if key == "on_undo" and value != "run":
            raise worktree.refuse(f"x-lading.on_undo: {value!r} means nothing", "x-lading: {on_undo: run}, or without it", where)
    for path, why in hooks.faults(extension or {}):
        raise worktree.refuse(why, f"x-lading: {{{hooks.FORM}}}", (one.path, one.line(("x-lading", *path))))


def data(main: Sequence[parse.Document], included: Sequence[tuple[parse.Document, str]]) -> list[str]:
    """The paths of `x-lading.data`, from the project folder; those of an included file are from its own."""
    found = extension(main, "data")
    for one, folder in included:
        found += [posixpath.join(folder, path) for path in extension([one], "data")]
    return [posixpath.normpath(path) for path in found]


def extension(main: Sequence[parse.Document], key: str) -> list[str]:
    """All texts listed under `x-lading.KEY`."""
    return [item for one in main for item in (one.value("x-lading") or {}).get(key) or ()]


def check_agreement(raw: Mapping[str, Any], main: Sequence[parse.Document], documents: Sequence[parse.Document]) -> None:
    """Refuse files that Compose reads otherwise than lading: *raw* is its merged model, *documents* all files, *main* the chosen ones.

    `compose/subset.py` keeps out the ways to write such files that are known; this is for the others.

    Raises:
        ComposeError: one of the two sees a service, an image or another resource that the other does not.
    """
    for kind in parse.SECTIONS:
        theirs = set(raw.get(kind) or {}) - ({"default"} if kind == "networks" else set())
        mine = {name for one in documents for name in one.value(kind) or {}}
        wanted = {name for one in main for name in one.kept(kind)} - {name for one in documents for name in one.reset(kind)}
        differing = (theirs - mine) | (wanted - theirs if kind == "services" else set())
        if differing:
            _disagree(f"{kind}.{min(differing)}", documents, (kind, min(differing)))
    written = {str(image) for one in documents for image in _images(one)}
    for name, service in (raw.get("services") or {}).items():
        if str(service.get("image") or "") not in {"", *written}:
            _disagree(f"the image of services.{name}", documents, ("services", name, "image"))


def _disagree(what: str, documents: Sequence[parse.Document], path: parse.Path) -> NoReturn:
    hint = "write the file in plain YAML: without tags, anchors and unusual keys there"
    raise worktree.refuse(f"lading and Compose do not read {what} alike", hint, parse.locate(documents, path))


def _images(one: parse.Document) -> Iterator[Any]:
    for service in (one.value("services") or {}).values():
        if isinstance(service, Mapping):
            yield service.get("image")


def check_services(
    resolved: Mapping[str, Any], raw: Mapping[str, Any], documents: Sequence[parse.Document]
) -> None:
    """Refuse keys that nothing carries out, services without a usable image, and replicas that would take each other's port or name.

    Raises:
        ComposeError: with file and line.
    """
    for path, found in handling.refused(resolved):
        raise worktree.refuse(f"{'.'.join(path)} is refused: {found.says}", "what becomes of each key: lading help compose",
                              parse.locate(documents, path))
    for name, one in (resolved.get("services") or {}).items():
        image = variables.plain_text(str(one.get("image") or ""))
        where = partial(parse.locate, documents, ("services", name, "image"))
        if not image:
            hint = f"add `image: REGISTRY/{name}:${{VERSION}}` beside `build:`; lading ships images, it does not build on hosts"
            raise worktree.refuse(f"service {name} has `build:` and no `image:`", hint, where)
        if image.startswith("/") or image.endswith((":", "@", "/")) or image.split() != [image]:
            text = str(raw["services"][name].get("image") or image)
            raise worktree.refuse(f"service {name}: the image is {image!r}, from `{text}`", "give the variables values", where)
        try:
            reference.parse(image)
        except errors.ComposeError as none:
            raise worktree.refuse(f"service {name}: {none.message}", none.hint or "image: REGISTRY/NAME:TAG", where) from none
        if services.replicas(one) > 1:
            _check_replicas(name, one, documents)
    _check_hook(resolved, documents)


def _check_hook(resolved: Mapping[str, Any], documents: Sequence[parse.Document]) -> None:
    """A hook runs a service of the file, and one that stands on its own."""
    hook = hooks.before(resolved.get("x-lading") or {})
    if hook is None:
        return
    known = resolved.get("services") or {}
    where = parse.locate(documents, ("x-lading", "hooks", "before", "service"))
    if hook.service not in known:
        hint = complaints.nearest(hook.service, tuple(known)) or f"services: {', '.join(sorted(known))}"
        raise worktree.refuse(f"x-lading.hooks.before: there is no service {hook.service}", hint, where)
    if tied := services.tied_to(known[hook.service]):
        raise worktree.refuse(f"x-lading.hooks.before: {hook.service} lives in the containers of {', '.join(tied)}",
                              "name a service with networks of its own", where)


def _check_replicas(name: str, one: Mapping[str, Any], documents: Sequence[parse.Document]) -> None:
    count = services.replicas(one)
    for port in one.get("ports") or ():
        published = str(port.get("published") or "")
        if published.isdigit() and published != "0":
            where = parse.find(documents, published, ("services", name, "ports"))
            hint = f'one replica per host, or let the engine choose the port: ports: ["{port["target"]}"]'
            raise worktree.refuse(f"service {name}: {count} replicas cannot share the host port {published}", hint, where)
    if one.get("container_name"):
        where = parse.locate(documents, ("services", name, "container_name"))
        raise worktree.refuse(f"service {name}: {count} replicas cannot share one container_name", "remove it", where)
