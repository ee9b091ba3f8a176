"""What `lading build` builds: the `build:` sections of a project's services, with the images that are deployed (pure)."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from lading import errors
from lading.compose import variables
from lading.dataclass import dataclass

VERSION = "VERSION"
TAKEN = ("args", "context", "dockerfile", "dockerfile_inline", "labels", "target")
FLAGS = {"no_cache": "--no-cache", "pull": "--pull"}
WORDS = {"network": "--network", "shm_size": "--shm-size"}
LISTS = {"cache_from": "--cache-from", "extra_hosts": "--add-host"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """One image and how it is built: *context* a folder, *dockerfile* a path or, with *inline*, nothing; *options* for docker."""

    image: str
    context: str
    dockerfile: str = ""
    inline: str = ""
    target: str = ""
    args: Mapping[str, str] = field(default_factory=dict, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()

    @property
    def caches(self) -> tuple[str, ...]:
        """What `cache_from:` names."""
        flag = f"{LISTS['cache_from']}="
        return tuple(one.removeprefix(flag) for one in self.options if one.startswith(flag))


@dataclass(frozen=True, slots=True)
class Recipes:
    """The images to build, each with the services that use it, and in words what is not built."""

    found: dict[str, Recipe]
    services: Mapping[str, tuple[str, ...]]
    skipped: tuple[str, ...]


def recipes(
    base: Mapping[str, Any], merged: Mapping[str, Any], bare: Mapping[str, Sequence[str]], given: Mapping[str, str],
    place: Callable[[str, str], tuple[str, int]] = lambda service, key: ("", 0),
) -> Recipes:
    """The recipes of a project. *base*: the files that are deployed, *merged*: those with the override, neither
    interpolated; *bare*: service → build arguments that are only named; *given*: the variables;
    *place*: file and line of a key of a service's `build:`.

    An image whose text does not carry ${VERSION} is not built: under its fixed tag others may rely on what it is.

    Raises:
        ComposeError: a variable is missing, two services build one image differently, or docker alone cannot build it.
    """
    found: dict[str, Recipe] = {}
    services: dict[str, tuple[str, ...]] = {}
    skipped = []
    for name, service in (merged.get("services") or {}).items():
        if not service.get("build"):
            continue
        text = str((base.get("services") or {}).get(name, {}).get("image") or "")
        if VERSION not in variables.names(text):
            skipped.append(f"{name}: {text} does not carry ${{VERSION}}" if text else f"{name}: the deployed files give it no image")
            continue
        _check_carried_out(name, service["build"], place)
        image = _fill(text, given, name)
        recipe = _recipe(name, image, service["build"], bare.get(name, ()), given)
        if found.setdefault(image, recipe) != recipe:
            raise errors.ComposeError(f"{', '.join(services[image])} and {name} build {image} differently",
                                      "one image, one build: give one of them another image")
        services[image] = (*services.get(image, ()), name)
    return Recipes(found, services, tuple(skipped))


def takes(dockerfile: str, argument: str) -> bool:
    """Whether a Dockerfile has `ARG ARGUMENT`, in whatever stage."""
    for line in re.sub(r"\\[ \t]*\r?\n", " ", dockerfile).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word.upper() == "ARG" and argument in [one.partition("=")[0] for one in rest.split()]:
            return True
    return False


def needed(base: Mapping[str, Any], merged: Mapping[str, Any], bare: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """The variables that images and `build:` sections refer to."""
    trees = [service.get("build") for service in (merged.get("services") or {}).values()]
    trees += [service.get("image") for service in (base.get("services") or {}).values()]
    return frozenset().union(*(variables.names(tree) for tree in trees), *bare.values())


def _check_carried_out(name: str, build: Mapping[str, Any], place: Callable[[str, str], tuple[str, int]]) -> None:
    """Refuse a section with a key that is not carried out."""
    if unknown := sorted(set(build) - {*TAKEN, *FLAGS, *WORDS, *LISTS}):
        file, line = place(name, unknown[0])
        raise errors.ComposeError(f"service {name}: lading build does not carry out build.{unknown[0]}",
                                  "build and push it with docker compose; lading deploy takes the image all the same",
                                  file=file, line=line)


def _recipe(name: str, image: str, build: Mapping[str, Any], bare: Sequence[str], given: Mapping[str, str]) -> Recipe:
    def fill(value: Any) -> str:
        return _fill(value, given, name)

    options = [option for key, option in FLAGS.items() if build.get(key) is True]
    options += [f"{option}={fill(build[key])}" for key, option in WORDS.items() if build.get(key)]
    options += [f"{option}={fill(one)}" for key, option in LISTS.items() for one in build.get(key) or ()]
    arguments = {one: given[one] for one in bare if one in given}
    arguments |= {key: fill(value) for key, value in _pairs(build.get("args"))}
    return Recipe(
        image, fill(build.get("context") or "."), fill(build.get("dockerfile") or ""), fill(build.get("dockerfile_inline") or ""),
        fill(build.get("target") or ""), arguments, {key: fill(value) for key, value in _pairs(build.get("labels"))}, tuple(options),
    )


def _pairs(tree: Any) -> Iterator[tuple[str, Any]]:
    """The entries of a mapping, or of a list of KEY=VALUE."""
    if isinstance(tree, Mapping):
        yield from ((str(key), value) for key, value in tree.items())
    for item in tree if isinstance(tree, list) else ():
        key, _, value = str(item).partition("=")
        yield key, value


def _fill(value: Any, given: Mapping[str, str], service: str) -> str:
    """*value* as text with its variables filled in."""
    text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
    if lack := next(variables.lacking(text, given), None):
        hint = "lading build --version V" if lack.name == VERSION else f"lading build -e {lack.name}=VALUE, or a default in the file"
        raise errors.ComposeError(f"{lack.name} is not set, and service {service} needs it to be built", hint)
    return variables.plain_text(variables.substitute(text, given))
