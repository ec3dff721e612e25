"""From selections to Python: one generated function for each concrete type that a selection meets.

What is generated for `slots { index item { quantity definition { name } } }` reads so:

    def Slot_3(o, waiting):
        v0 = o.index
        v1 = o.item
        d = {
            "index": v0 if type(v0) is int and -2147483648 <= v0 <= 2147483647 else leaf_Int(v0),
            "item": None if v1 is UNLOADED or v1 is None else s4[type(v1)](v1, waiting),
        }
        if v1 is UNLOADED:
            waiting[1].append((o, d))
        return d

An attribute is read, checked and put into the answer; a relation that is not there yet is left waiting, with the object
that it is asked of and the part of the answer that it goes to. Whatever does not fit its field raises, and graphql-core
tells what is wrong with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import strawberry
from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    Undefined,
    is_abstract_type,
    is_object_type,
)
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField
from strawberry.types.scalar import ScalarDefinition

from gateway.execution.arguments import DEFINITION, arguments_of
from gateway.execution.selections import Refused, Selections
from gateway.model.relations import UNLOADED, Relation

if TYPE_CHECKING:
    from strawberry.types.base import StrawberryObjectDefinition

Waiting = dict[int, list[tuple[Any, dict[str, Any]]]]
"""What one walk over objects left to be loaded: by step, the object and the part of the answer that waits for it."""

Complete = Callable[[Any, Waiting], Any]
"""Turns a value of ours into its part of the answer."""

_MOST_FUNCTIONS = 2_000
"""A plan that would grow beyond is refused: fragments can ask for the same in very many ways."""


class Broken(Exception):
    """A value of ours does not fit its field; graphql-core tells what is wrong with it."""


@dataclass(slots=True, eq=False)
class Step:
    """A relation of the operation: what its values are loaded by, and how they become a part of the answer."""

    relation: Relation
    name: str
    nodes: list[FieldNode]
    field: GraphQLField
    arguments: Callable[[Mapping[str, Any]], dict[str, Any]]
    complete: Complete
    non_null: bool
    elements_non_null: bool


class Selection(dict[type, Complete]):
    """What is asked of the values of one field, by their class; a class is compiled when the first one of it comes."""

    def __init__(self, compiler: Compiler, named: GraphQLNamedType, sets: Any) -> None:
        super().__init__()
        self._compiler = compiler
        self._named = named
        self._sets = sets

    def __missing__(self, kind: type) -> Complete:
        complete = self[kind] = self._compiler.function(self._concrete(kind), self._sets)
        return complete

    def _concrete(self, kind: type) -> GraphQLObjectType:
        found = [
            type_ for type_ in self._compiler.types.possible(self._named) if self._compiler.types.origin(type_) is kind
        ]
        if len(found) != 1:
            raise Broken(f"{kind.__name__} is no type of this field")
        return found[0]


class Types:
    """The schema, as the compiler asks it; one for all operations."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self.schema: GraphQLSchema = schema._schema  # pyright: ignore[reportPrivateUsage]  # it has no public name
        self.python_types: dict[str, object] = {
            definition.name: getattr(scalar, "__supertype__", scalar)
            for scalar, definition in schema.schema_converter.scalar_registry.items()
            if isinstance(definition, ScalarDefinition)
        }
        self._possible: dict[str, list[GraphQLObjectType]] = {}

    def possible(self, named: GraphQLNamedType) -> list[GraphQLObjectType]:
        """List the object types that a value of a composite type may have."""
        found = self._possible.get(named.name)
        if found is None:
            found = [named] if is_object_type(named) else []
            if is_abstract_type(named):
                found = list(self.schema.get_possible_types(named))
            self._possible[named.name] = found
        return found

    def origin(self, type_: GraphQLObjectType) -> type:
        """Give the class whose instances are values of an object type."""
        definition = cast("StrawberryObjectDefinition", type_.extensions[DEFINITION])
        return definition.concrete_of.origin if definition.concrete_of else definition.origin


@dataclass(eq=False)
class Compiler:
    """Compiles one operation, function by function, as values of new classes come; keeps the text, for people."""

    types: Types
    selections: Selections
    steps: list[Step] = field(default_factory=list[Step])
    sources: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self._names: dict[str, Any] = {"UNLOADED": UNLOADED, "INFINITY": math.inf, "listed": _listed}
        self._selections: dict[tuple[str, tuple[int, ...]], str] = {}
        self._steps: dict[tuple[Any, ...], int] = {}

    def function(self, type_: GraphQLObjectType, sets: Any) -> Complete:
        """Compile the function that turns an object of a concrete type into its part of the answer."""
        if len(self.sources) >= _MOST_FUNCTIONS:
            raise Refused("the operation asks for too many different things")
        read: list[str] = []
        parts: list[str] = []
        waiting: list[str] = []
        for place, (key, nodes) in enumerate(self.selections.of(type_, sets).items()):
            value = f"v{place}"
            name = nodes[0].name.value
            if name == "__typename":
                parts.append(f"{key!r}: {type_.name!r}")
                continue
            if name.startswith("__"):
                raise Refused("introspection")
            definition = type_.fields[name]
            found = definition.extensions.get(DEFINITION)
            if isinstance(found, Relation):
                step = self._step(type_, key, nodes, definition, found)
                if found.takes is not None:
                    # What a backend assigned cannot stand for what other arguments would give.
                    parts.append(f"{key!r}: None")
                    waiting.append(f"    waiting[{step}].append((o, d))")
                    continue
                read.append(f"    {value} = o.{found.python_name}")
                parts.append(f"{key!r}: None if {value} is UNLOADED else {self._value(definition.type, value, nodes)}")
                waiting.append(f"    if {value} is UNLOADED:\n        waiting[{step}].append((o, d))")
            else:
                read.append(f"    {value} = {self._read(found)}")
                parts.append(f"{key!r}: {self._value(definition.type, value, nodes)}")
        name = f"{type_.name}_{len(self.sources)}"
        inside = "".join(f"\n        {part}," for part in parts)
        body = [*read, f"    d = {{{inside}\n    }}", *waiting, "    return d"]
        return self._made(name, "o, waiting", body)

    def _made(self, name: str, parameters: str, body: list[str]) -> Complete:
        source = f"def {name}({parameters}):\n" + "\n".join(body) + "\n"
        self.sources.append(source)
        # Nothing of the client's text is in it but response keys and names of the schema, each as a literal or checked
        # against the grammar of names.
        exec(compile(source, f"<{name}>", "exec"), self._names)  # noqa: S102 -- as told above
        return self._names[name]

    def _read(self, found: object) -> str:
        """Write how an attribute is read, or worked out."""
        if not isinstance(found, StrawberryField) or found.permission_classes or found.extensions:
            raise Refused("a field that only graphql-core can resolve")
        resolver = cast("Any", found).base_resolver
        if resolver is None:
            return f"o.{found.python_name}"
        if resolver.is_async or resolver.arguments or not resolver.self_parameter or resolver.info_parameter:
            raise Refused("a field that only graphql-core can resolve")
        return f"{self._name('computed', resolver.wrapped_func)}(o)"

    def _name(self, stem: str, value: object) -> str:
        name = f"{stem}{len(self._names)}"
        self._names[name] = value
        return name

    def _value(self, type_: Any, value: str, nodes: list[FieldNode], depth: int = 0) -> str:
        """Write what a value of an output type becomes; what does not fit raises when it runs."""
        if isinstance(type_, GraphQLNonNull):
            return self._present(_inner(type_), value, nodes, depth, "")
        return self._present(type_, value, nodes, depth, f"None if {value} is None else ")

    def _present(self, type_: Any, value: str, nodes: list[FieldNode], depth: int, or_null: str) -> str:
        if isinstance(type_, GraphQLList):
            element = f"x{depth}"
            inside = self._value(_inner(type_), element, nodes, depth + 1)
            return f"{or_null}[{inside} for {element} in ({value} if type({value}) is list else listed({value}))]"
        if isinstance(type_, (GraphQLScalarType, GraphQLEnumType)):
            return self._leaf(type_, value, or_null)
        return f"{or_null}{self._selection(type_, nodes)}[type({value})]({value}, waiting)"

    def _leaf(self, type_: GraphQLLeafType, value: str, or_null: str) -> str:
        """Write the serialization of a scalar or an enum: the common case in place, all else by its own function."""
        slow = self._once(f"leaf_{type_.name}", lambda: _serialize(type_))
        match type_.name:
            case "String" | "ID":
                quick, test = value, f"type({value}) is str"
            case "Int":
                quick, test = value, f"type({value}) is int and -2147483648 <= {value} <= 2147483647"
            case "Boolean":
                quick, test = value, f"{value} is True or {value} is False"
            case "Float":
                quick, test = value, f"type({value}) is float and -INFINITY < {value} < INFINITY"
            case _ if isinstance(type_, GraphQLEnumType):
                definition = type_.extensions.get(DEFINITION)
                if not isinstance(definition, StrawberryEnumDefinition):
                    return f"{or_null}{slow}({value})"
                words = self._once(f"words_{type_.name}", lambda: _words(type_))
                kind = self._once(f"kind_{type_.name}", lambda: definition.wrapped_cls)
                # Not by the member itself: an enum's hash is a function written in Python.
                quick, test = f"{words}[{value}._value_]", f"type({value}) is {kind}"
            case _:
                kind_of = self.types.python_types.get(type_.name)
                if not isinstance(kind_of, type):
                    return f"{or_null}{slow}({value})"
                kind = self._once(f"kind_{type_.name}", lambda: kind_of)
                write = self._once(f"write_{type_.name}", lambda: type_.coerce_output_value)
                quick, test = f"{write}({value})", f"type({value}) is {kind}"
        return f"{quick} if {test} else {or_null}{slow}({value})"

    def _once(self, name: str, make: Callable[[], object]) -> str:
        if name not in self._names:
            self._names[name] = make()
        return name

    def _selection(self, named: GraphQLNamedType, nodes: list[FieldNode]) -> str:
        """Name what is asked of the values of some merged fields; the same fields under two types share it."""
        at = (named.name, tuple(map(id, nodes)))
        name = self._selections.get(at)
        if name is None:
            sets = [node.selection_set for node in nodes]
            name = self._selections[at] = self._name("s", Selection(self, named, sets))
        return name

    def _step(
        self,
        type_: GraphQLObjectType,
        key: str,
        nodes: list[FieldNode],
        definition: GraphQLField,
        relation: Relation,
    ) -> int:
        """Number a relation of the operation; one that an interface declares is the same for all its types."""
        at = (key, tuple(map(id, nodes)), relation.loader, relation.key, relation.many, relation.pick)
        at += (relation.takes, relation.python_name, str(cast("Any", definition).type))
        number = self._steps.get(at)
        if number is not None:
            return number
        loaded = cast("Any", definition).type
        non_null, elements_non_null = isinstance(loaded, GraphQLNonNull), False
        loaded = _inner(loaded) if non_null else loaded
        if relation.many:
            # Each element is loaded, and completed, by itself.
            loaded = _inner(loaded)
            elements_non_null = isinstance(loaded, GraphQLNonNull)
            loaded = _inner(loaded) if elements_non_null else loaded
        body = [f"    return {self._present(loaded, 'v', nodes, 0, '')}"]
        complete = self._made(f"{relation.python_name}_{len(self.sources)}", "v, waiting", body)
        number = self._steps[at] = len(self.steps)
        self.steps.append(
            Step(relation, key, nodes, definition, arguments_of(definition), complete, non_null, elements_non_null)
        )
        return number


def _inner(type_: Any) -> Any:
    """Give the type within a list or a non-null."""
    return type_.of_type


def _words(type_: GraphQLEnumType) -> dict[Any, str]:
    return {value.value: name for name, value in type_.values.items()}


def _serialize(type_: GraphQLLeafType) -> Callable[[Any], Any]:
    def serialize(value: Any) -> Any:
        if value is None or isinstance(value, Exception):
            raise Broken
        written: Any = type_.coerce_output_value(value)
        if written is None or written is Undefined:
            raise Broken
        return written

    return serialize


def _listed(value: Any) -> Any:
    raise Broken(f"{type(value).__name__} is no list")
