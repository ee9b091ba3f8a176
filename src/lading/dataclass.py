"""Dataclasses whose methods are written when they are first used: a command declares hundreds of types, and uses few.

`dataclasses.dataclass` writes and compiles up to six methods while a class is declared: together they were a good part of
what `lading` took to start (docs/decisions/0102). This one declares the same class, and writes a
method once it is called: `__init__` here, all others by `dataclasses`. It knows what we use: fields with their options,
`frozen`, `slots` and `__post_init__`, but neither keyword-only fields nor InitVar.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

Made = TypeVar("Made", bound=type)
COMPARED = ("__eq__", "__repr__", "__hash__")


def declare(*, frozen: bool = False, slots: Literal[True]) -> Callable[[Made], Made]:
    """What `dataclasses.dataclass(frozen=…, slots=True)` does, and later; a method that the class has of its own stays.

    Raises:
        TypeError: a field is keyword-only, or an InitVar.
    """
    def declared(kind: Made) -> Made:
        made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(kind)
        _check(made)
        own = {name for name, value in vars(kind).items() if value is not None}  # Python puts None beside an __eq__
        for name in ("__init__", *COMPARED):
            if name not in own:
                setattr(made, name, _to_be_written(made, name, frozen=frozen))
        if not frozen:
            made.__hash__ = made.__hash__ if "__hash__" in own else None
            return made  # type: ignore[no-any-return]
        made.__setattr__, made.__delattr__, made.__setstate__ = _keep_value, _keep_value, _restore
        return made  # type: ignore[no-any-return]

    return declared


def _check(made: Any) -> None:
    """Refuse what is not known here.

    Raises:
        TypeError: there is some.
    """
    keyword_only = any(field.kw_only for field in dataclasses.fields(made))
    annotated = getattr(made, "__annotations__", {}).values()
    if keyword_only or any(isinstance(one, dataclasses.InitVar) for one in annotated):
        raise TypeError(f"{made.__qualname__}: a keyword-only field or an InitVar, which lading.dataclass does not know")


def _to_be_written(made: type, name: str, *, frozen: bool) -> Callable[..., Any]:
    """A method that writes the real one in its place, and calls it."""

    def method(self: object, *given: Any, **named: Any) -> Any:
        _write(made, ("__init__",) if name == "__init__" else COMPARED, frozen=frozen)
        return getattr(made, name)(self, *given, **named)

    method.__name__, method.__qualname__ = name, f"{made.__qualname__}.{name}"
    return method


def _write(made: Any, names: tuple[str, ...], *, frozen: bool) -> None:
    """Put the methods there that a standard dataclass would have, unless the class has its own."""
    written = {"__init__": _initializer(made, frozen=frozen)} if "__init__" in names else _comparison(made, frozen=frozen)
    for name in names:
        if getattr(vars(made).get(name), "__code__", None) is _PLACE:
            setattr(made, name, written[name])


def _initializer(made: Any, *, frozen: bool) -> Any:
    """The `__init__` that `dataclasses` would write, and nothing beside it, which would take longer."""
    known: dict[str, Any] = {"_keep": object.__setattr__, "_absent": object()}
    head, body = ["self"], []
    for field in dataclasses.fields(made):
        parameter, value = _parameter(field, known)
        if parameter:
            head.append(parameter)
        if value:
            body.append(f" _keep(self, {field.name!r}, {value})" if frozen else f" self.{field.name} = {value}")
    if hasattr(made, "__post_init__"):
        body.append(" self.__post_init__()")
    exec("\n".join([f"def __init__({', '.join(head)}):", *body, " return"]), known)
    method = known["__init__"]
    method.__qualname__, method.__module__ = f"{made.__qualname__}.__init__", made.__module__
    return method


def _parameter(field: dataclasses.Field[Any], known: dict[str, Any]) -> tuple[str, str]:
    """A field as a parameter of `__init__`, and as the value that is kept; "" for neither.

    *known*: what that text refers to by name; its default is added.
    """
    name = field.name
    if field.default_factory is not dataclasses.MISSING:
        known[f"_make_{name}"] = field.default_factory
        if not field.init:
            return "", f"_make_{name}()"
        return f"{name}=_absent", f"_make_{name}() if {name} is _absent else {name}"
    if field.default is not dataclasses.MISSING:
        known[f"_default_{name}"] = field.default
        return (f"{name}=_default_{name}", name) if field.init else ("", f"_default_{name}")
    return (name, name) if field.init else ("", "")


def _comparison(made: Any, *, frozen: bool) -> Mapping[str, Any]:
    """The methods by which objects are compared and shown: those of a class with the same fields."""
    fields = [(field.name, field.type, field) for field in dataclasses.fields(made)]
    return vars(dataclasses.make_dataclass(made.__qualname__, fields, init=False, frozen=frozen))


_PLACE = _to_be_written(object, "", frozen=True).__code__  # that of all methods which are not written yet


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
    from dataclasses import dataclass as dataclass  # as type checkers know it
else:
    dataclass = declare
