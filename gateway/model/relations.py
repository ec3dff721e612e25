"""The two kinds of field that a graph type may have: an attribute (given or computed), or a relation that is loaded."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, Self, TypeVar, cast, dataclass_transform, overload

import strawberry
from strawberry import UNSET
from strawberry.annotation import StrawberryAnnotation
from strawberry.federation.schema_directives import Key
from strawberry.federation.types import FieldSet
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

T = TypeVar("T")


class _Unloaded:
    def __repr__(self) -> str:
        return "UNLOADED"


UNLOADED: Any = _Unloaded()
"""What a relation holds until it is loaded, or until a backend that has the value in hand assigns it."""


class Keyed(Protocol):
    """A loader's key: hashable, and it names its provider."""

    @property
    def provider(self) -> str:
        """The provider's key."""
        ...


class Asked(NamedTuple):
    """The key of a loader that takes arguments: what they are asked of, and the arguments."""

    provider: str
    ref: Any
    arguments: Any


class Loading(Protocol):
    """What a relation needs of the request's context."""

    def load(self, loader: str, key: Keyed) -> Awaitable[Any]:
        """Give the value of one key of the loader of that name; equal keys share one call."""
        ...

    def load_many(
        self, loader: str, provider: str, keys: Sequence[Any], *, alone: bool = False
    ) -> Awaitable[Mapping[Any, Any]]:
        """Give the values, or errors, of unique keys of one provider; what is absent is None, or missing.

        `alone` says that nothing else of this request asks for anything now.
        """
        ...

    def ask(self, loader: str, provider: str, keys: Sequence[Any]) -> None:
        """Ask for unique keys that `load_many` will be awaited for: several who ask at once get one batch."""
        ...

    def reads_alone(self, loader: str) -> bool:
        """Say whether a loader reads each key by itself, so that none need wait for another."""
        ...


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Arguments:
    """The arguments of a relation: a frozen dataclass, so that it can be part of a loader's key.

    A subclass declares each with `argument(...)`; it may refuse values in `check`.
    """

    def __init_subclass__(cls) -> None:
        # In place: a subclass with __slots__ or a new class object would lose the name its annotations resolve in.
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)

    def check(self) -> None:
        """Raise InvalidInput for values that no backend should see."""

    def refer(self, of: Any) -> Keyed:
        """Make the loader's key from the reference of what they are asked of; a subclass may name the thing itself."""
        return Asked(of.provider, of, self)

    @classmethod
    def declared(cls) -> list[StrawberryArgument]:
        """List the arguments as the schema declares them; one whose default is None has none in the schema."""
        found: list[StrawberryArgument] = []
        for field in dataclasses.fields(cast("Any", cls)):
            # An annotation is text that means what it means in the module of the class that it stands in.
            declarer = next(base for base in cls.__mro__ if field.name in inspect.get_annotations(base))
            namespace = vars(sys.modules[declarer.__module__])
            default = strawberry.UNSET if field.default is None else field.default
            found.append(
                StrawberryArgument(
                    python_name=field.name,
                    graphql_name=None,
                    type_annotation=StrawberryAnnotation(field.type, namespace=namespace),
                    description=field.metadata["description"],
                    default=default,
                )
            )
        return found

    @classmethod
    def given(cls, values: Mapping[str, Any]) -> Self:
        """Make the arguments from what the operation gives; what is absent or null takes its default."""
        return cls(**{name: value for name, value in values.items() if value is not None})


def argument(description: str, *, default: Any = None) -> Any:
    """Declare one argument of an `Arguments` class."""
    return dataclasses.field(default=default, metadata={"description": description})


class Relation(StrawberryField):
    """A field whose value comes from the loader `loader`, unless the backend has already assigned it."""

    loader: str
    key: str | Callable[[Any], Any]
    many: bool = False
    pick: str | None = None
    takes: type[Arguments] | None = None

    @classmethod
    def declare(
        cls,
        loader: str,
        key: str | Callable[[Any], Any],
        *,
        description: str,
        many: bool,
        pick: str | None,
        takes: type[Arguments] | None,
    ) -> Self:
        """Make the field; `StrawberryField` fixes the signature of `__init__`."""
        field = cls(description=description, default=UNLOADED)
        field.loader, field.key, field.many, field.pick, field.takes = loader, key, many, pick, takes
        field.init = field.compare = field.repr = False
        return field

    def __copy__(self) -> Self:
        copied = super().__copy__()
        copied.loader, copied.key, copied.many = self.loader, self.key, self.many
        copied.pick, copied.takes = self.pick, self.takes
        copied.init = copied.compare = copied.repr = False
        return copied

    @property
    def is_basic_field(self) -> bool:
        """Say that the field wants `info`, by which it reaches the loaders."""
        return False

    @property
    def arguments(self) -> list[StrawberryArgument]:
        """The arguments as the schema declares them."""
        if self._arguments is None:
            self._arguments = self.takes.declared() if self.takes else []
        return self._arguments

    @arguments.setter
    def arguments(self, value: list[StrawberryArgument]) -> None:
        self._arguments = value

    def get_result(self, source: Any, info: Info | None, args: list[Any], kwargs: Any) -> Any:
        """Give the value, or an awaitable of it; for a list of keys, a list of such."""
        # What a backend assigned is one value: it cannot stand for what different arguments would give.
        known = source is not None and self.takes is None
        value = getattr(source, self.python_name, UNLOADED) if known else UNLOADED
        if value is not UNLOADED:
            return value
        if info is None:
            raise RuntimeError(f"{self.python_name} is a relation and needs the request's context")
        return self.load(source, kwargs, cast("Loading", info.context))

    def asked(self, values: Mapping[str, Any]) -> Arguments | None:
        """Make the arguments from what the operation gives; None where the relation takes none.

        Raises InvalidInput for values that no backend should see.
        """
        if self.takes is None:
            return None
        asked = self.takes.given(values)
        asked.check()
        return asked

    def keys(self, source: Any, asked: Arguments | None) -> Any:
        """Give the loader's key that the source and the arguments make, a list of keys with `many`; None for none."""
        if not isinstance(self.key, str):
            return self.key(asked)
        found = getattr(source, self.key)
        return found if found is None or asked is None or self.many else asked.refer(found)

    def load(self, source: Any, values: Mapping[str, Any], context: Loading) -> Any:
        """Ask the loader for the key(s) that the source and the argument values make; None where there is no key."""
        found = self.keys(source, self.asked(values))
        if found is None:
            return None
        if self.many:
            return [
                None if key is None else self._picked(context, key) for key in cast("Sequence[Keyed | None]", found)
            ]
        return self._picked(context, found)

    def _picked(self, context: Loading, key: Keyed) -> Awaitable[Any]:
        loading = context.load(self.loader, key)
        return loading if self.pick is None else _picking(loading, self.pick)


def _picking(loading: Awaitable[Any], name: str) -> Awaitable[Any]:
    """Take one attribute of what is loaded; a future, as graphql-core drops coroutines where a sibling fails."""
    picked: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def pick(loaded: asyncio.Future[Any]) -> None:
        if picked.done():
            return
        try:
            value = loaded.result()
            picked.set_result(None if value is None else getattr(value, name))
        except asyncio.CancelledError:
            picked.cancel()
        except Exception as error:
            picked.set_exception(error)
            # Seen, whether or not anybody still waits.
            picked.exception()

    asyncio.ensure_future(loading).add_done_callback(pick)
    return picked


def loaded(
    loader: str,
    description: str,
    *,
    key: str | Callable[[Any], Any],
    many: bool = False,
    pick: str | None = None,
    arguments: type[Arguments] | None = None,
    init: Literal[False] = False,
) -> Any:
    """Declare a relation: a nullable field that may call a backend.

    `key` names the attribute of the same object that holds the loader's key (a list of keys with `many`), None where
    there is nothing to load. `pick` takes one attribute of what was loaded. With `arguments`, the loader's key is
    `Asked(provider, key, arguments)`. A root field has no object: its `key` is a function of its arguments. A backend
    that has the value in hand assigns it, and nothing is loaded.
    """
    del init  # never a parameter of the constructor: type checkers read this from the signature
    return Relation.declare(loader, key, description=description, many=many, pick=pick, takes=arguments)


def attribute(description: str, *, default: Any = dataclasses.MISSING, name: str | None = None) -> Any:
    """Declare a plain attribute, filled by the backend."""
    return strawberry.field(description=description, default=default, name=name)


def hidden(*, default: Any = dataclasses.MISSING) -> Any:
    """Declare an attribute (annotated `strawberry.Private[...]`) that the graph does not show."""
    return dataclasses.field(default=default)


def computed(description: str, *, name: str | None = None) -> Callable[[Callable[[Any], T]], T]:
    """Declare a field as a pure, cheap function of plain attributes; it never does I/O and never awaits."""

    def declare(function: Callable[[Any], T]) -> T:
        return strawberry.field(description=description, name=name, resolver=function)

    return declare


def bare(kind: type[T]) -> T:
    """Make an object of a graph type without its constructor: for what comes by the thousand, at a fifth of the cost.

    The caller assigns every attribute that has no default; those that have one find it on their class.
    """
    return object.__new__(kind)


def shape(kind: type[Any], *names: str) -> None:
    """Make a first object of a graph type that has these attributes.

    CPython gives all later objects of a class room for the names that the first ones had; those that come to have
    others take twice the memory, and twice the time to fill.
    """
    first = bare(kind)
    for name in names:
        setattr(first, name, None)


def enum_word(word: str, *, description: str) -> str:
    """Declare an enum's member: the word that stands for it outside of the schema, and its description."""
    return cast("str", strawberry.enum_value(word, description=description))


@overload
def graph_type(cls: type[T], /) -> type[T]: ...
@overload
def graph_type(*, name: str | None = None, directives: Sequence[object] = ()) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(kw_only_default=True, eq_default=True, field_specifiers=(attribute, loaded, hidden))
def graph_type(cls: type[T] | None = None, /, *, name: str | None = None, directives: Sequence[object] = ()) -> Any:
    """Make a class an object type of the graph; its docstring is the description that API users read.

    It is an entity, by the keys that it or an interface of it has as `entity_keys`.
    """
    return _described(strawberry.type, cls, name, directives, is_entity=True)


@overload
def graph_interface(cls: type[T], /) -> type[T]: ...
@overload
def graph_interface(*, is_entity: bool) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(kw_only_default=True, eq_default=True, field_specifiers=(attribute, loaded, hidden))
def graph_interface(cls: type[T] | None = None, /, *, is_entity: bool = False) -> Any:
    """Make a class an interface of the graph; its docstring is the description that API users read.

    Other subgraphs may add to all its types at once where it `is_entity` itself.
    """
    return _described(strawberry.interface, cls, None, is_entity=is_entity)


@overload
def graph_input(cls: type[T], /) -> type[T]: ...
@overload
def graph_input(*, name: str | None = None) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(kw_only_default=True, eq_default=True, field_specifiers=(attribute, hidden))
def graph_input(cls: type[T] | None = None, /, *, name: str | None = None) -> Any:
    """Make a class an input of the graph; its docstring is the description that API users read."""
    return _described(strawberry.input, cls, name)


def _described(
    declare: Callable[..., Any],
    cls: type[Any] | None,
    name: str | None,
    directives: Sequence[object] = (),
    *,
    is_entity: bool = False,
) -> Any:
    def wrap(target: type[Any]) -> type[Any]:
        description = " ".join((target.__doc__ or "").split())
        keys: Sequence[str] = getattr(target, "entity_keys", ()) if is_entity else ()
        found = [*directives, *(Key(fields=FieldSet(fields), resolvable=UNSET) for fields in keys)]
        # An input has no such thing as a directive of federation.
        return declare(target, name=name, description=description, **({"directives": found} if found else {}))

    return wrap if cls is None else wrap(cls)
