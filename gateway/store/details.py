"""Details: what a graph type holds beyond its columns, as JSON text and back without loss."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, NewType, Union, cast, get_args, get_origin

import msgspec
from strawberry.types.base import get_object_definition

from gateway.model.container import Container
from gateway.model.definition import ItemDefinition
from gateway.model.errors import Internal, InvalidInput
from gateway.model.item import Item
from gateway.model.relations import Relation

Convert = Callable[[Any], Any]
Make = Callable[..., Any]

COLUMNS: dict[type, tuple[str, ...]] = {
    Item: (
        "owner",
        "key",
        "container_key",
        "slot_key",
        "definition_key",
        "linked_key",
        "name",
        "kind",
        "quantity",
        "acquired_at",
        "sort",
    ),
    Container: ("owner", "key", "parent_key", "kind", "role", "name", "sort"),
    ItemDefinition: ("provider", "key", "kind", "name", "rarity"),
}
"""The attributes that have a column of their own, by the type that declares them, in the order of `Codec.makers`."""

# In JSON text a NUL is this escape after an even number of backslashes.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class Codec:
    """Writes graph types as the name of the type and JSON text, and reads them back.

    `types` are graph types, and dataclasses that only the store knows. For each, and each type nested in them, a
    msgspec Struct is made of the plain attributes that are not columns; relations and computed fields are never
    written, nor is an attribute at its default.
    """

    def __init__(self, types: Iterable[type[Any]]) -> None:
        self._shapes: dict[type[Any], _Shape] = {}
        self._making: set[type[Any]] = set()
        self._by_type: dict[type[Any], tuple[str, _Shape, msgspec.json.Decoder[Any]]] = {}
        self.makers = Makers()
        self._encoder = msgspec.json.Encoder()
        for stored in types:
            definition = get_object_definition(stored)
            name = definition.name if definition else stored.__name__
            shape = self._shape(stored)
            decoder = msgspec.json.Decoder(cast("type[Any]", shape.struct))
            if name in self.makers and stored not in self._by_type:
                raise TypeError(f"two types are called {name}")
            self._by_type[stored] = name, shape, decoder
            self.makers[name] = shape.maker(name, decoder.decode)

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

    def decode(self, type_name: str, text: str) -> Any:
        """Make the object that `encode` wrote, of a type without columns."""
        return self.makers[type_name](text)

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
        columns = next((names for base, names in COLUMNS.items() if issubclass(stored, base)), ())
        fields: list[tuple[str, Any, Any]] = []
        packing: list[tuple[str, Convert]] = []
        unpacking: dict[str, Convert] = {}
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
                unpacking[field.name] = unpack
        struct = msgspec.defstruct(stored.__name__, fields, kw_only=True, omit_defaults=True)
        return _Shape(stored, struct, columns, tuple(name for name, _, _ in fields), packing, unpacking)

    def _converted(self, annotation: Any) -> tuple[Any, Convert | None, Convert | None]:
        """Give the type that msgspec writes in the place of an annotation, and how to go there and back."""
        if isinstance(annotation, NewType):
            return self._converted(annotation.__supertype__)
        if annotation is object:
            return Any, None, None
        if _is_interface(annotation):
            return self._converted_union(tuple(_implementations(annotation)), tagged=True)
        if _is_object(annotation):
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
        tagged = tagged or sum(_is_object(arm) for arm in arms) > 1
        for arm in arms:
            made, pack, unpack = self._converted(arm)
            if _is_object(arm) and tagged:
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


@functools.cache
def codec_of(types: tuple[type[Any], ...]) -> Codec:
    """Give the codec of these types, which is made once: it takes long, and never changes."""
    return Codec(types)


class Makers(dict[str, Make]):
    """What makes the objects of a type, by the type's name: of the text of its details and its columns, in order."""

    def __missing__(self, name: str) -> Make:
        """Raise Internal: the store was written with other providers, or by a newer gateway."""
        raise Internal(f"The store holds a {name}, which no provider in use knows.")


class _Shape:
    """One graph type beside the Struct that is written for it."""

    def __init__(
        self,
        stored: type[Any],
        struct: type[msgspec.Struct],
        columns: tuple[str, ...],
        names: tuple[str, ...],
        packing: list[tuple[str, Convert]],
        unpacking: dict[str, Convert],
    ) -> None:
        self.type = stored
        self.struct = struct
        self._columns = columns
        self._names = names
        self._packing = packing
        self._unpacking = unpacking

    def pack(self, value: Any) -> msgspec.Struct:
        """Make the Struct of an object."""
        return self._packed(value, self.struct)

    def packing_as(self, struct: type[msgspec.Struct]) -> Convert:
        """Give what makes another Struct with the same fields."""
        return lambda value: self._packed(value, struct)

    @functools.cached_property
    def unpack(self) -> Convert:
        """What makes an object of a Struct."""
        return self._generated("unpack(found)", [], {})

    def maker(self, name: str, decode: Callable[[str], msgspec.Struct]) -> Make:
        """Give what makes an object of the text of its details and its columns; Internal for a text that it is not."""

        def unreadable() -> Internal:
            return Internal(f"The store holds a {name} that cannot be read.")

        parameters = ", ".join(["text", *(f"{column}=None" for column in self._columns)])
        opening = [
            "try: found = decode(text)",
            "except Unreadable as error: raise unreadable() from error",
        ]
        names = {"decode": decode, "Unreadable": msgspec.MsgspecError, "unreadable": unreadable}
        return self._generated(f"make({parameters})", opening, names, self._columns)

    def _generated(
        self, signature: str, opening: Sequence[str], names: dict[str, Any], columns: Sequence[str] = ()
    ) -> Make:
        """Write a function that makes objects past their constructor: a loop over the attributes costs several times.

        For a type with the columns `key` and `kind`, the latter a relation of its own, and with the details `size` and
        `stats`, the latter of another graph type:

            def make(text, key=None, kind=None):
                try: found = decode(text)
                except Unreadable as error: raise unreadable() from error
                made = new(type)
                made.key = key
                if kind is not None: made.kind = kind
                made.size = found.size
                made.stats = None if found.stats is None else unpack_stats(found.stats)
                return made
        """
        # A relation in the place of a column: empty, it is still to be loaded. Of others the class has the default.
        optional = {
            field.name
            for field in dataclasses.fields(self.type)
            if isinstance(field, Relation) or field.default is None
        }
        lines = [f"def {signature}:", *opening, "made = new(type)"]
        for name in columns:
            condition = f"if {name} is not None: " if name in optional else ""
            lines.append(f"{condition}made.{name} = {name}")
        for name in self._names:
            value = f"found.{name}"
            if name in self._unpacking:
                value = f"None if {value} is None else unpack_{name}({value})"
            lines.append(f"made.{name} = {value}")
        if hasattr(self.type, "__post_init__"):
            lines.append("made.__post_init__()")
        source = "\n    ".join([*lines, "return made"])
        names |= {"new": object.__new__, "type": self.type}
        names |= {f"unpack_{name}": unpack for name, unpack in self._unpacking.items()}
        exec(compile(source, f"<details of {self.type.__name__}>", "exec"), names)  # noqa: S102 -- of our own types
        return names[signature.partition("(")[0]]

    def _packed(self, value: Any, struct: type[msgspec.Struct]) -> msgspec.Struct:
        values = {name: getattr(value, name) for name in self._names}
        for name, pack in self._packing:
            found = values[name]
            if found is not None:
                values[name] = pack(found)
        return struct(**values)


def _is_graph_type(annotation: Any) -> bool:
    return isinstance(annotation, type) and get_object_definition(annotation) is not None


def _is_object(annotation: Any) -> bool:
    return _is_graph_type(annotation) or (isinstance(annotation, type) and dataclasses.is_dataclass(annotation))


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
