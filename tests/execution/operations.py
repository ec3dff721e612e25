"""Random operations that are valid by construction: whatever a client may write over a schema, in small."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar, cast

from graphql import (
    GraphQLField,
    GraphQLNonNull,
    GraphQLSchema,
    get_named_type,
    is_required_argument,
    is_required_input_field,
)
from hypothesis import strategies as st

from tests.execution.data import CONTAINERS, DEFINITIONS, ITEMS, OWNERS, cursors, ids
from tests.execution.graph import is_abstract, is_enum, is_input_object, is_leaf, is_list, is_non_null, is_object

T = TypeVar("T")

SIZE = 24
"""About how many selections an operation has."""

SIZES = (1, 2, 3, 50, 2, 250, 0, -1, 251)
WORDS = ("x", "", 'ä "quoted" \\ text', "Weapon", "Rare", "\U0001f600")
WRONG: tuple[Any, ...] = (["x", {}], {"no": 1}, 1.5, None)
NO_IDS, IDS = tuple(ids()[:4]), tuple(ids()[4:])
CURSORS = tuple(cursors())


@dataclass(frozen=True)
class Operation:
    """A document, the operation of it that is asked for, and the variables of one or more requests for it."""

    text: str
    name: str | None
    requests: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Word:
    """An enum's member in a literal."""

    name: str


@dataclass(frozen=True)
class Variable:
    """A variable in a literal."""

    name: str


@dataclass
class Declared:
    """A variable: its type as declared, its default as written, and what each request gives."""

    kind: str
    default: str | None
    given: list[Mapping[str, Any]]

    def written(self, name: str) -> str:
        """Write the declaration."""
        return f"${name}: {self.kind}" + ("" if self.default is None else f" = {self.default}")


@dataclass
class Fragment:
    """A named fragment that stands."""

    name: str
    on: Any
    text: str
    depth: int
    variables: set[str]


@dataclass
class Signature:
    """One way in which a field was asked for: its arguments, and the variables in them."""

    arguments: str
    variables: set[str] = field(default_factory=set[str])


@cache
def _up_to(most: int) -> st.SearchStrategy[int]:
    return st.integers(0, most)


def written(value: Any) -> str:
    """Write a value as a literal."""
    match value:
        case Word():
            return value.name
        case Variable():
            return f"${value.name}"
        case dict():
            return "{" + ", ".join(f"{key}: {written(part)}" for key, part in value.items()) + "}"  # pyright: ignore[reportUnknownVariableType]
        case list():
            return "[" + ", ".join(map(written, value)) + "]"  # pyright: ignore[reportUnknownArgumentType]
        case _:
            return json.dumps(value, ensure_ascii=True)


def plain(value: Any) -> Any:
    """Give a value as the JSON of a request has it."""
    match value:
        case Word():
            return value.name
        case dict():
            return {key: plain(part) for key, part in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case list():
            return [plain(part) for part in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value


class Writer:
    """Writes one document.

    A response key means the same field, arguments and type wherever it stands in a document, so that no two
    selections conflict and many of them merge; the keys `own...` mean one field per concrete type.
    """

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any], schema: GraphQLSchema, requests: int) -> None:
        self.draw, self.schema, self.requests = draw, schema, requests
        self.keys: dict[str, tuple[str, str, str]] = {}
        self.own: dict[tuple[str, str], tuple[str, str]] = {}
        self.asked: dict[str, list[Signature]] = {}
        self.variables: dict[str, Declared] = {}
        self.fragments: list[Fragment] = []
        self.scopes: list[set[str]] = [set()]
        self.used: set[tuple[str, str]] = set()
        self.left = SIZE

    # --- choices; all shrink to the plainest ---

    def number(self, most: int) -> int:
        """Choose a number."""
        return self.draw(_up_to(most)) if most > 0 else 0

    def chance(self, percent: int) -> bool:
        """Choose yes or no."""
        return self.number(99) >= 100 - percent

    def pick(self, among: Sequence[T]) -> T:
        """Choose one of some."""
        return among[self.number(len(among) - 1)]

    # --- selections ---

    def selections(self, kind: Any, depth: int, level: int = 0) -> str:
        """Write a selection set."""
        parts = [self.selection(kind, depth, level)]
        parts += [self.selection(kind, depth, level) for _ in range(self.number(3)) if self.left > 0]
        return "{ " + " ".join(parts) + " }"

    def selection(self, kind: Any, depth: int, level: int) -> str:
        """Write one selection."""
        self.left -= 1
        choice = self.number(9) if self.left > 0 and level < 3 else 0
        if choice == 9:
            return self.spread(kind, depth, level)
        if choice >= 7:
            return self.inline(kind, depth, level)
        if choice == 6 or not hasattr(kind, "fields"):
            key = self.key("__typename", "", "String!")
            return ("__typename" if key == "__typename" else f"{key}: __typename") + self.directives()
        return self.field(kind, depth)

    def field(self, kind: Any, depth: int) -> str:
        """Write a field, with all below it."""
        leaves, branches = _fields(self.schema, kind.name)
        deep = depth > 0 and self.left > 0 and branches
        among = branches if deep and (not leaves or self.chance(65)) else leaves or branches
        before = [pair for pair in among if (kind.name, pair[0]) in self.used]
        # What was asked before is asked again, so that there is something to merge.
        name, found = self.pick(before if before and self.chance(30) else among)
        self.used.add((kind.name, name))
        arguments = self.arguments(f"{kind.name}.{name}", found)
        key = self.response_key(kind, name, arguments, found)
        text = ("" if key == name else f"{key}: ") + name + arguments + self.directives()
        if is_leaf(get_named_type(found.type)):
            return text
        return f"{text} {self.selections(get_named_type(found.type), depth - 1)}"

    def key(self, name: str, arguments: str, kind: str) -> str:
        """Find a response key that means just this: the field's name, or an alias."""
        signature = (name, arguments, kind)
        if self.chance(12):
            key = f"{name.strip('_')}A{len(self.keys)}"
            self.keys[key] = signature
            return key
        key, tries = name, 0
        while self.keys.setdefault(key, signature) != signature:
            tries += 1
            key = f"{name.strip('_')}{tries}"
        return key

    def response_key(self, kind: Any, name: str, arguments: str, found: Any) -> str:
        """Find a response key; now and then one that means another field in another concrete type."""
        if is_object(kind) and self.chance(8):
            key = f"own{_shape(found.type)}"
            if self.own.setdefault((key, kind.name), (name, arguments)) == (name, arguments):
                return key
        return self.key(name, arguments, str(found.type))

    def inline(self, kind: Any, depth: int, level: int) -> str:
        """Write an inline fragment."""
        on = None if self.chance(20) else self.pick(_overlapping(self.schema, kind.name))
        condition = "" if on is None else f" on {on.name}"
        return f"...{condition}{self.directives()} {self.selections(on or kind, depth, level + 1)}"

    def spread(self, kind: Any, depth: int, level: int) -> str:
        """Spread a fragment that stands already, or a new one."""
        overlapping = _overlapping(self.schema, kind.name)
        standing = [one for one in self.fragments if one.depth <= depth and one.on in overlapping]
        if standing and (self.chance(60) or len(self.fragments) >= 5):
            fragment = self.pick(standing)
        elif len(self.fragments) >= 5:
            return self.inline(kind, depth, level)
        else:
            self.scopes.append(set())
            on = self.pick(overlapping)
            text = self.selections(on, depth, level + 1)
            fragment = Fragment(f"F{len(self.fragments)}", on, text, depth, self.scopes.pop())
            self.fragments.append(fragment)
        self.scopes[-1] |= fragment.variables
        self.scopes[-1].add(f"...{fragment.name}")
        return f"...{fragment.name}{self.directives()}"

    # --- directives ---

    def directives(self) -> str:
        """Write the directives of a selection: mostly none."""
        if not self.chance(18):
            return ""
        names = self.pick((("include",), ("skip",), ("include", "skip"), ("skip", "include")))
        return "".join(f" @{name}(if: {self.condition()})" for name in names)

    def condition(self) -> str:
        """Write a condition."""
        match self.number(3):
            case 0:
                return "true"
            case 1:
                return "false"
            case _:
                return written(self.variable(_non_null(self.schema.type_map["Boolean"]), "if", has_default=False))

    # --- arguments ---

    def arguments(self, place: str, found: GraphQLField) -> str:
        """Write the arguments of a field; now and then just as they stand elsewhere."""
        if not found.args:
            return ""
        same = self.asked.setdefault(place, [])
        if same and self.chance(40):
            signature = self.pick(same)
        else:
            self.scopes.append(set())
            given: list[str] = []
            for name, argument in found.args.items():
                required = is_required_argument(argument)
                if required or self.chance(20):
                    has_default = not required and is_non_null(cast("Any", argument).type)
                    value = self.value(
                        cast("Any", argument).type, f"{place}.{name}", variables=True, has_default=has_default
                    )
                    given.append(f"{name}: {written(value)}")
            signature = Signature(f"({', '.join(given)})" if given else "", self.scopes.pop())
            same.append(signature)
        self.scopes[-1] |= signature.variables
        return signature.arguments

    def value(self, kind: Any, place: str, *, variables: bool, has_default: bool = False) -> Any:
        """Make a value of an input type; with `variables`, parts of it may be variables."""
        if variables and self.chance(25):
            return self.variable(kind, place, has_default=has_default)
        if is_non_null(kind):
            kind = kind.of_type
        elif self.chance(10):
            return None
        if is_list(kind):
            if self.chance(12):
                # One value stands for a list of one.
                one = self.value(kind.of_type, place, variables=False)
                return [one] if one is None else one
            return [self.value(kind.of_type, place, variables=variables) for _ in range(self.number(3))]
        if is_input_object(kind):
            return {
                name: self.value(part.type, f"{kind.name}.{name}", variables=variables)
                for name, part in kind.fields.items()
                if is_required_input_field(part) or self.chance(35)
            }
        if is_enum(kind):
            served = kind.name == "ProviderKey" and not self.chance(10)
            return Word(self.pick(("GUILD_WARS_2", "ROBLOX") if served else list(kind.values)))
        return self.scalar(kind.name, place)

    def scalar(self, kind: str, place: str) -> Any:
        """Make a scalar that means something at its place, or is refused there."""
        name = place.rpartition(".")[2]
        if name in ("first", "last"):
            return self.pick(SIZES if self.chance(20) else SIZES[:3])
        if name in ("after", "before"):
            return self.pick(CURSORS if self.chance(20) else CURSORS[:1])
        if name in ("id", "ids"):
            return self.pick(NO_IDS if self.chance(8) else IDS)
        if place == "OwnerInput.key":
            return self.pick((*OWNERS, "me", ""))
        if name == "key":
            return self.pick((*CONTAINERS, "nowhere"))
        if name.lower().endswith(("key", "keys")):
            return self.pick((*DEFINITIONS, ITEMS[0]))
        match kind:
            case "Int":
                return self.pick((1, 0, 2, -1))
            case "Float":
                return self.pick((1, 0.5))
            case "Boolean":
                return self.chance(50)
            case _:
                return self.pick(WORDS)

    def variable(self, kind: Any, place: str, *, has_default: bool) -> Variable:
        """Use a variable that fits, of those there are or a new one."""
        declared, default, nullable = str(kind), None, not is_non_null(kind)
        if nullable:
            if self.chance(20):
                declared, nullable = f"{declared}!", False
            elif self.chance(35):
                default = written(self.value(kind, place, variables=False))
        elif has_default or self.chance(30):
            declared, nullable = str(kind.of_type), True
            default = None if has_default else written(self.value(kind, place, variables=False))
        elif self.chance(10):
            default = written(self.value(kind, place, variables=False))
        fitting = [
            name
            for name, known in self.variables.items()
            if known.kind == declared and (known.default is None) == (default is None) and known.default != "null"
        ]
        if fitting and self.chance(50):
            name = self.pick(fitting)
        else:
            name = f"v{len(self.variables)}"
            given: list[Mapping[str, Any]] = [
                self.given(name, kind, place, nullable=nullable, optional=nullable or default is not None)
                for _ in range(self.requests)
            ]
            self.variables[name] = Declared(declared, default, given)
        self.scopes[-1].add(name)
        return Variable(name)

    def given(self, name: str, kind: Any, place: str, *, nullable: bool, optional: bool) -> Mapping[str, Any]:
        """Choose what a request gives: a value, null or nothing; rarely something that is refused."""
        if optional and self.chance(30):
            return {}
        if nullable and self.chance(15):
            return {name: None}
        if self.chance(1):
            return {name: self.pick(WRONG)}
        kind = kind if is_non_null(kind) else _non_null(kind)
        return {name: plain(self.value(kind, place, variables=False))}

    # --- documents ---

    def operation(self, name: str | None, *, introspects: bool) -> str:
        """Write one operation, its variables declared."""
        self.scopes = [set()]
        self.left = SIZE
        body = self.selections(self.schema.query_type, 5)
        if introspects:
            text = self.pick(("__schema { queryType { name } }", '__type(name: "Item") { kind name fields { name } }'))
            body = body[:-1] + text + " }"
        used = [one for one in self.variables if one in self.scopes[0]]
        variables = ", ".join(self.variables[one].written(one) for one in used)
        if name is None and not variables and self.chance(70):
            return body
        return f"query{f' {name}' if name else ''}{f'({variables})' if variables else ''} {body}"


def _non_null(kind: Any) -> Any:
    return GraphQLNonNull(kind)


def _shape(kind: Any) -> str:
    """Name the shape of a type: two fields of one response key must agree in it."""
    if is_non_null(kind):
        return f"{_shape(kind.of_type)}N"
    if is_list(kind):
        return f"L{_shape(kind.of_type)}"
    return kind.name if is_leaf(kind) else "Thing"


_known: dict[tuple[int, str, str], Any] = {}


def _fields(schema: GraphQLSchema, name: str) -> tuple[list[Any], list[Any]]:
    """List a type's fields: those that are leaves, and those that go on."""
    at = (id(schema), name, "fields")
    if at not in _known:
        kind: Any = schema.type_map[name]
        fields = list(kind.fields.items())
        leaves = [(key, one) for key, one in fields if is_leaf(get_named_type(one.type))]
        _known[at] = (leaves, [pair for pair in fields if pair not in leaves])
    return _known[at]


def _overlapping(schema: GraphQLSchema, name: str) -> list[Any]:
    """List the types that a fragment may be on where something of a type stands: itself first."""
    at = (id(schema), name, "overlapping")
    if at not in _known:

        def possible(kind: Any) -> set[str]:
            return {one.name for one in schema.get_possible_types(kind)} if is_abstract(kind) else {kind.name}

        here: Any = schema.type_map[name]
        mine = possible(here)
        others = [
            kind
            for kind in schema.type_map.values()
            if kind is not here and (is_abstract(kind) or is_object(kind)) and possible(kind) & mine
        ]
        _known[at] = [here, *others]
    return _known[at]


@st.composite
def operations(draw: st.DrawFn, schema: GraphQLSchema) -> Operation:
    """Make documents with an operation to ask for, each with the variables of one request or of two."""
    requests = 2 if draw(_up_to(9)) == 9 else 1
    writer = Writer(draw, schema, requests)
    many = (1, 1, 1, 1, 1, 1, 2, 3)[draw(_up_to(7))]
    names: list[str | None] = [f"Q{number}" for number in range(many)] if many > 1 else [writer.pick((None, "Q"))]
    parts = [writer.operation(name, introspects=writer.chance(2)) for name in names]
    parts += [f"fragment {one.name} on {one.on.name} {one.text}" for one in writer.fragments]
    given = tuple(
        {name: value for one in writer.variables.values() for name, value in one.given[request].items()}
        for request in range(requests)
    )
    name = writer.pick(names) if many > 1 or writer.chance(50) else None
    return Operation("\n".join(parts), name, given)
