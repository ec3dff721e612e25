"""Details: what a graph type holds beyond its columns, as JSON text and back without loss."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable
from typing import Annotated, Any, NewType, Union, cast, get_args, get_origin

import msgspec
from strawberry.types.base import get_object_definition

from gateway.model.container import Container
from gateway.model.definition import ItemDefinition
from gateway.model.errors import Internal, InvalidInput
from gateway.model.item import Item
from gateway.model.relations import Relation

Convert = Callable[[Any], Any]

COLUMNS: dict[type, frozenset[str]] = {
    Item: frozenset(
        (
            "key",
            "name",
            "kind",
            "quantity",
            "acquired_at",
            "owner",
            "container_key",
            "slot_key",
            "definition_key",
            "sort",
        )
    ),
    Container: frozenset(("key", "name", "kind", "owner", "parent_key", "sort")),
    ItemDefinition: frozenset(("provider", "key", "kind", "name", "rarity")),
}
"""The attributes that have a column of their own, by the type that declares them."""

# In JSON text a NUL is this escape after an even number of backslashes.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class Codec:
    """Writes graph types as the name of the type and JSON text, and reads them back.

    For each of the concrete `types`, and each type nested in them, a msgspec Struct is made of the plain attributes
    that are not columns; relations and computed fields are never written, nor is an attribute at its default.
    """

    def __init__(self, types: Iterable[type[Any]]) -> None:
        self._shapes: dict[type[Any], _Shape] = {}
        self._making: set[type[Any]] = set()
        self._by_type: dict[type[Any], tuple[str, _Shape, msgspec.json.Decoder[Any]]] = {}
        self._by_name: dict[str, tuple[_Shape, msgspec.json.Decoder[Any]]] = {}
        self._encoder = msgspec.json.Encoder()
        for stored in types:
            name = get_object_definition(stored, strict=True).name
            shape = self._shape(stored)
            decoder = msgspec.json.Decoder(cast("type[Any]", shape.struct))
            known = self._by_name.get(name)
            if known is not None and known[0].type is not stored:
                raise TypeError(f"two types are called {name}")
            self._by_type[stored] = name, shape, decoder
            self._by_name[name] = shape, decoder

    def encode(self, value: object) -> tuple[str, str]:
        """Write an object: the name of its type, and its details.

        Raises InvalidInput for what would not come back as it is: a NUL, half a surrogate pair, a number that is
        none, a value of another type than its attribute is declared with.
        """
        known = self._by_type.get(type(value))
        if known is None:
            raise TypeError(f"{type(value).__name__} is not among the types of this store")
        name, shape, decoder = known
        try:
            struct = shape.pack(value)
            written = self._encoder.encode(struct)
            same = decoder.decode(written) == struct
        except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise InvalidInput(f"This {name} cannot be stored: {error}") from None
        text = written.decode()
        if "\\u0000" in text and _NUL.search(text):
            raise InvalidInput(f"This {name} cannot be stored: it has a text with a NUL character.")
        if not same:
            raise InvalidInput(f"This {name} cannot be stored: a value in it has no form in JSON.")
        return name, text

    def decode(self, type_name: str, text: str, /, **columns: Any) -> Any:
        """Make the object that `encode` wrote; `columns` are the attributes that are kept elsewhere."""
        known = self._by_name.get(type_name)
        if known is None:
            raise Internal(f"The store holds a {type_name}, which no provider in use knows.")
        shape, decoder = known
        try:
            struct = decoder.decode(text)
        except msgspec.MsgspecError as error:
            raise Internal(f"The store holds a {type_name} that cannot be read.") from error
        return shape.unpack(struct, columns)

    def _shape(self, stored: type[Any]) -> _Shape:
        shape = self._shapes.get(stored)
        if shape is None:
            if stored in self._making:
                raise TypeError(f"{stored.__name__} holds itself, which the store cannot write")
            self._making.add(stored)
            shape = self._shapes[stored] = self._made(stored)
            self._making.discard(stored)
        return shape

    def _made(self, stored: type[Any]) -> _Shape:
        columns = frozenset[str]().union(*(names for base, names in COLUMNS.items() if issubclass(stored, base)))
        fields: list[tuple[str, Any, Any]] = []
        packing: list[tuple[str, Convert]] = []
        unpacking: list[tuple[str, Convert]] = []
        for field in dataclasses.fields(stored):
            # Relations and computed fields are the ones that no constructor takes.
            if not field.init or field.name in columns:
                continue
            written, pack, unpack = self._converted(_annotation(stored, field.name))
            if field.default_factory is not dataclasses.MISSING:
                default = msgspec.field(default_factory=field.default_factory)
            elif field.default is dataclasses.MISSING or (pack and field.default is not None):
                # A default that is a graph type is written like any other value.
                default = msgspec.field()
            else:
                default = msgspec.field(default=field.default)
            fields.append((field.name, written, default))
            if pack and unpack:
                packing.append((field.name, pack))
                unpacking.append((field.name, unpack))
        struct = msgspec.defstruct(stored.__name__, fields, kw_only=True, omit_defaults=True)
        return _Shape(stored, struct, tuple(name for name, _, _ in fields), packing, unpacking)

    def _converted(self, annotation: Any) -> tuple[Any, Convert | None, Convert | None]:
        """Give the type that msgspec writes in the place of an annotation, and how to go there and back."""
        if isinstance(annotation, NewType):
            return self._converted(annotation.__supertype__)
        if annotation is object:
            return Any, None, None
        if _is_interface(annotation):
            return self._converted_union(tuple(_implementations(annotation)), tagged=True)
        if _is_graph_type(annotation):
            shape = self._shape(annotation)
            return shape.struct, shape.pack, shape.unpack
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self._converted(arguments[0])
        if origin in (Union, types.UnionType):
            return self._converted_union(arguments)
        if origin is list or (origin is tuple and arguments[1:] == (...,)):
            inner, pack, unpack = self._converted(arguments[0])
            written: Any = list[inner] if origin is list else tuple[inner, ...]
            if pack is None or unpack is None:
                return written, None, None
            return written, _each(origin, pack), _each(origin, unpack)
        if origin is dict:
            value, pack, unpack = self._converted(arguments[1])
            written = dict[arguments[0], value]
            if pack is None or unpack is None:
                return written, None, None
            return written, _each_value(pack), _each_value(unpack)
        return annotation, None, None

    def _converted_union(
        self, arms: tuple[Any, ...], *, tagged: bool = False
    ) -> tuple[Any, Convert | None, Convert | None]:
        # `X | None` of an interface is a union within a union.
        arms = tuple(part for arm in arms for part in (_implementations(arm) if _is_interface(arm) else (arm,)))
        there: dict[type[Any], Convert] = {}
        back: dict[type[Any], Convert] = {}
        written: list[Any] = []
        tagged = tagged or sum(_is_graph_type(arm) for arm in arms) > 1
        for arm in arms:
            made, pack, unpack = self._converted(arm)
            if _is_graph_type(arm) and tagged:
                # Only the tag tells the arms of a union apart in JSON.
                shape = self._shape(arm)
                made = msgspec.defstruct(
                    arm.__name__, [], bases=(shape.struct,), tag_field="__type__", tag=arm.__name__, kw_only=True
                )
                pack = shape.packing_as(made)
            written.append(made)
            if pack is not None and unpack is not None:
                there[arm if isinstance(arm, type) else get_origin(arm)] = pack
                back[made if isinstance(made, type) else get_origin(made)] = unpack
        if not there:
            return Union[tuple(written)], None, None  # noqa: UP007 -- the arms are known at run time only
        return Union[tuple(written)], _by_type(there), _by_type(back)  # noqa: UP007 -- as above


class _Shape:
    """One graph type beside the Struct that is written for it."""

    __slots__ = ("_after", "_loaded", "_names", "_packing", "_unpacking", "struct", "type")

    def __init__(
        self,
        stored: type[Any],
        struct: type[msgspec.Struct],
        names: tuple[str, ...],
        packing: list[tuple[str, Convert]],
        unpacking: list[tuple[str, Convert]],
    ) -> None:
        self.type = stored
        self.struct = struct
        self._names = names
        self._packing = packing
        self._unpacking = unpacking
        self._after: Convert | None = getattr(stored, "__post_init__", None)
        self._loaded = [field.name for field in dataclasses.fields(stored) if isinstance(field, Relation)]

    def pack(self, value: Any) -> msgspec.Struct:
        """Make the Struct of an object."""
        return self._packed(value, self.struct)

    def packing_as(self, struct: type[msgspec.Struct]) -> Convert:
        """Give what makes another Struct with the same fields."""
        return lambda value: self._packed(value, struct)

    def unpack(self, struct: msgspec.Struct, columns: dict[str, Any] | None = None) -> Any:
        """Make the object of a Struct, past the constructor: it would only copy what is here already."""
        values = msgspec.structs.asdict(struct)
        for name, unpack in self._unpacking:
            found = values[name]
            if found is not None:
                values[name] = unpack(found)
        if columns:
            values.update(columns)
            for name in self._loaded:
                # A column that a type has a relation in the place of: empty, it is still to be loaded.
                if name in values and values[name] is None:
                    del values[name]
        made = object.__new__(self.type)
        made.__dict__ = values
        if self._after is not None:
            self._after(made)
        return made

    def _packed(self, value: Any, struct: type[msgspec.Struct]) -> msgspec.Struct:
        values = {name: getattr(value, name) for name in self._names}
        for name, pack in self._packing:
            found = values[name]
            if found is not None:
                values[name] = pack(found)
        return struct(**values)


def _is_graph_type(annotation: Any) -> bool:
    return isinstance(annotation, type) and get_object_definition(annotation) is not None


def _is_interface(annotation: Any) -> bool:
    return _is_graph_type(annotation) and get_object_definition(annotation, strict=True).is_interface


def _implementations(interface: type[Any]) -> list[type[Any]]:
    """Find the concrete types of an interface, so that an attribute may hold any of them."""
    found: dict[str, type[Any]] = {}
    waiting = list(interface.__subclasses__())
    while waiting:
        subclass = waiting.pop()
        waiting.extend(subclass.__subclasses__())
        if "__strawberry_definition__" in subclass.__dict__ and not _is_interface(subclass):
            found[subclass.__name__] = subclass
    return [found[name] for name in sorted(found)]


def _annotation(stored: type[Any], name: str) -> Any:
    """Resolve one annotation where it was written: the others may name what only type checkers import."""
    for declaring in stored.__mro__:
        written = inspect.get_annotations(declaring)
        if name in written:
            holder = type("_", (), {"__annotations__": {name: written[name]}, "__module__": declaring.__module__})
            return typing.get_type_hints(holder)[name]
    raise TypeError(f"{stored.__name__}.{name} has no annotation")


def _each(made: Callable[[Iterable[Any]], Any], convert: Convert) -> Convert:
    return lambda values: made(None if value is None else convert(value) for value in values)


def _each_value(convert: Convert) -> Convert:
    return lambda values: {key: None if value is None else convert(value) for key, value in values.items()}


def _by_type(converts: dict[type[Any], Convert]) -> Convert:
    def convert(value: Any) -> Any:
        found = converts.get(cast("type[Any]", type(value)))
        return value if found is None else found(value)

    return convert
