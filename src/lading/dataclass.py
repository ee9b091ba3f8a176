"""Dataclasses whose methods are written when they are first used: a command declares hundreds of types, and uses few.

`dataclasses.dataclass` writes and compiles up to six methods while a class is declared, which takes a millisecond on a
small server: half of what `lading` took to start (docs/decisions/0102). This one declares the same class, and has
`dataclasses` write the methods once one is called.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

Made = TypeVar("Made", bound=type)
COMPARED = ("__eq__", "__repr__", "__hash__")


def declare(*, frozen: bool = False, slots: bool) -> Callable[[Made], Made]:
    """What `dataclasses.dataclass(frozen=…, slots=…)` does, and later; a method that the class has of its own stays."""

    def declared(kind: Made) -> Made:
        made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(kind)
        own = vars(kind)
        for name in ("__init__", *COMPARED):
            if name not in own:
                setattr(made, name, _to_be_written(made, name, frozen=frozen))
        if not frozen:
            made.__hash__ = None
            return made  # type: ignore[no-any-return]
        made.__setattr__, made.__delattr__, made.__setstate__ = _keep_value, _keep_value, _restore
        return made  # type: ignore[no-any-return]

    return declared


def _to_be_written(made: type, name: str, *, frozen: bool) -> Callable[..., Any]:
    """A method that writes the real one in its place, and calls it."""

    def method(self: object, *given: Any, **named: Any) -> Any:
        _write(made, ("__init__",) if name == "__init__" else COMPARED, frozen=frozen)
        return getattr(made, name)(self, *given, **named)

    method.__name__, method.__qualname__ = name, f"{made.__qualname__}.{name}"
    return method


def _write(made: Any, names: tuple[str, ...], *, frozen: bool) -> None:
    """Put the methods there that `dataclasses` writes for a class with the same fields, unless the class has its own."""
    begins = "__init__" in names
    fields = [(field.name, field.type, field) for field in dataclasses.fields(made)]
    after = {"__post_init__": made.__post_init__} if hasattr(made, "__post_init__") else {}
    written = dataclasses.make_dataclass(
        made.__qualname__, fields, init=begins, repr=not begins, eq=not begins, frozen=frozen, namespace=after)
    for name in names:
        if getattr(vars(made).get(name), "__code__", None) is _PLACE:
            setattr(made, name, vars(written)[name])


_PLACE = _to_be_written(object, "", frozen=True).__code__  # what all methods have in common that are still to be written


def _keep_value(self: object, name: str, *value: object) -> None:
    """Refuse to change a value.

    Raises:
        FrozenInstanceError: always.
    """
    raise dataclasses.FrozenInstanceError(f"cannot {'assign to' if value else 'delete'} field {name!r}")


def _restore(self: object, kept: tuple[None, Mapping[str, object]]) -> None:
    """Take over the values of the object that this one is a copy of."""
    for name, value in kept[1].items():
        object.__setattr__(self, name, value)


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - what type checkers know all about
else:
    dataclass = declare
