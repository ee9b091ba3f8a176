"""lading.dataclass: the classes that `dataclasses` makes, and only their methods come later."""

import copy
import dataclasses
import pickle
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from typing import Any

import pytest

from lading import dataclass as later

Declare = Callable[..., Any]
BOTH = pytest.mark.parametrize("declare", [later.declare, dataclasses.dataclass], ids=["later", "standard"])


@later.dataclass(frozen=True, slots=True)
class Kept:
    """At the top of a module, where pickle finds it."""

    name: str
    more: Mapping[str, int] = field(default_factory=dict)


def classes(declare: Declare, *, frozen: bool = True) -> tuple[Any, Any]:
    @declare(frozen=frozen, slots=True)
    class Base:
        """A class."""

        name: str
        size: int = 3
        words: list[str] = field(default_factory=list, compare=False)
        secret: str = field(default="", repr=False)
        made: list[int] = field(default_factory=list, init=False, compare=False)

        def __post_init__(self) -> None:
            if self.size < 0:
                raise ValueError("negative")

    @declare(frozen=frozen, slots=True)
    class Derived(Base):
        """One more field."""

        last: tuple[int, ...] = ()

    return Base, Derived


@BOTH
@pytest.mark.parametrize("frozen", [True, False])
def test_both_make_the_same(declare: Declare, frozen: bool) -> None:
    base, derived = classes(declare, frozen=frozen)
    one = base("a")
    assert (one.name, one.size, one.words, one.secret, one.made) == ("a", 3, [], "", [])
    assert one == base("a", words=["x"]) != base("a", 4)
    assert one != derived("a") and derived("a", last=(1,)) == derived("a", 3, last=(1,))
    assert base("a").words is not one.words
    assert repr(derived("a", secret="hidden")).partition("Derived")[2] == "(name='a', size=3, words=[], made=[], last=())"
    assert base.__match_args__ == ("name", "size", "words", "secret")
    assert dataclasses.replace(one, size=5) == base("a", 5)
    assert [each.name for each in dataclasses.fields(derived)] == ["name", "size", "words", "secret", "made", "last"]
    assert not hasattr(one, "__dict__")
    assert copy.deepcopy(one) == one and copy.copy(one) == one
    assert dataclasses.asdict(derived("a"))["last"] == ()
    make: Any = base
    for wrong in ([], ["a", 1, [], "", ()]):
        with pytest.raises(TypeError, match=r"Base\.__init__\(\)"):
            make(*wrong)
    with pytest.raises(ValueError, match="negative"):
        base("a", -1)


@BOTH
def test_what_is_frozen_stays_as_it_is_and_has_a_hash(declare: Declare) -> None:
    base, derived = classes(declare)
    one = base("a")
    assert hash(one) == hash(base("a", words=["x"]))
    assert {one, base("a"), base("b")} == {one, base("b")}
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'name'"):
        one.name = "b"
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'name'"):
        del one.name
    assert (one.name, derived("b").name) == ("a", "b")


@BOTH
def test_what_is_not_frozen_changes_and_has_none(declare: Declare) -> None:
    base, _ = classes(declare, frozen=False)
    one = base("a")
    one.name = "b"
    assert one == base("b")
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


@BOTH
def test_methods_of_its_own_stay(declare: Declare) -> None:
    @declare(frozen=True, slots=True)
    class Own:
        """It says itself how it looks and what it equals."""

        name: str

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own)

    own: Any = Own
    assert (repr(own("a")), own("a") == own("b"), hash(own("a")) == hash(own("a"))) == ("own", True, True)


@BOTH
def test_a_hash_of_its_own_stays_where_values_change(declare: Declare) -> None:
    @declare(slots=True)
    class Own:
        """It has one by its name."""

        name: str

        def __hash__(self) -> int:
            return 7

    own: Any = Own
    assert hash(own("a")) == 7


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(TypeError, match="keyword-only"):
        @later.declare(slots=True)
        class Named:
            """With a field that is."""

            name: str = field(kw_only=True)

    with pytest.raises(TypeError, match="InitVar"):
        @later.declare(slots=True)
        class Given:
            """With one that is none."""

            name: dataclasses.InitVar[str]


def test_it_goes_through_pickle() -> None:
    assert pickle.loads(pickle.dumps(Kept("a", {"b": 1}))) == Kept("a", {"b": 1})


def test_many_threads_use_it_first() -> None:
    for _ in range(20):
        base, _derived = classes(later.declare)
        ready = threading.Barrier(8)

        def use(number: int, kind: Any = base, ready: threading.Barrier = ready) -> bool:
            ready.wait(30)
            return bool(kind(f"{number}") == kind(f"{number}")) and "name=" in repr(kind("a"))

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(use, range(8)))
