"""The guard: what a document would cost to validate and to run, told from its syntax before either is done.

Validation compares fields with each other, and fragments that spread fragments name in a few lines what takes ages to
go through. So everything is counted here first, in time that grows with the text: each fragment once, however often it
is spread. Only then, and only where the document is known to be small when written out, its places are walked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLList,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NoFragmentCyclesRule,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,  # pyright: ignore[reportUnknownVariableType]  # its types have parameters that it leaves open
    is_composite_type,
    is_object_type,
    validate,
)

from gateway.execution.compiler import DEFINITION
from gateway.model.errors import InvalidInput, LimitExceeded
from gateway.model.paging import DEFAULT_PAGE, PAGE_CAP
from gateway.model.relations import Relation

_MANY = 10**9
"""Counting ends here: the number for "more than anybody would allow"."""

_TYPICAL, _TYPICAL_SLOTS = 10, 20
"""How many entries a list is taken to have that says nothing of its size, and how many slots a container."""

_MOST_DIGITS = 40
"""How long a whole number may be; Python refuses to read one of thousands of digits."""

_HEAVY = 10
"""How many comparisons of plain leaves take as long as one of fields that have arguments or selections. Measured."""

_USUAL_TOKENS = 4_000

Definition = OperationDefinitionNode | FragmentDefinitionNode


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that one document may ask for.

    Of one operation, all its fragments spread: `depth` (fields within fields), `aliases`, `root_fields`, `relations`
    (fields that may call a service), `objects` (what the answer may have, by the sizes of its pages). Of the whole
    document: `definitions` (operations and fragments) and `directives` as written, `selections` (fields and fragments)
    and `values` (of arguments and variables) of all operations, spread, and `comparisons` (what it takes to see that
    the fields of one response key in one place can be merged).
    """

    depth: int = 20
    aliases: int = 700
    root_fields: int = 50
    relations: int = 200
    objects: int = 20_000_000
    definitions: int = 150
    directives: int = 100
    selections: int = 800
    values: int = 800
    comparisons: int = 10_000

    @classmethod
    def within(cls, max_tokens: int) -> Limits:
        """Give the limits for documents of so many tokens: where longer ones are allowed, they may ask for more."""
        usual = cls()
        times = max(1, max_tokens // _USUAL_TOKENS)
        longer = ("aliases", "relations", "objects", "selections", "values", "comparisons")
        return dataclasses.replace(usual, **{name: getattr(usual, name) * times for name in longer})


_MESSAGES = {
    "definitions": "The document has {} operations and fragments",
    "directives": "The document has {} directives",
    "selections": "The document selects {} fields and fragments",
    "values": "The document has {} values and variables",
    "depth": "The operation nests fields {} deep",
    "aliases": "The operation has {} aliases",
    "root_fields": "The operation asks for {} root fields",
    "relations": "The operation follows {} relations",
    "objects": "The answer may have {} objects",
    "comparisons": "The document's repeated fields take {} comparisons",
}


_WORDS = {
    "definitions": "operations and fragments",
    "directives": "directives",
    "selections": "fields and fragments selected",
    "values": "values and variables",
    "aliases": "aliases",
    "root_fields": "root fields",
    "relations": "relations",
    "objects": "objects that their answers may have",
    "comparisons": "comparisons of repeated fields",
}


@dataclass(slots=True)
class Figures:
    """What a selection set amounts to, with its fragments spread; `entries` is what is in each entry of the page."""

    depth: int = 0
    selections: int = 0
    aliases: int = 0
    root_fields: int = 0
    relations: int = 0
    values: int = 0
    objects: int = 0
    entries: int = 0

    def add(self, other: Figures) -> None:
        """Add what is selected beside, apart from the objects: of alternatives, not all are there."""
        self.depth = max(self.depth, other.depth)
        self.selections += other.selections
        self.aliases += other.aliases
        self.root_fields += other.root_fields
        self.relations += other.relations
        self.values += other.values

    def saturated(self) -> Figures:
        """Give the figures, none of them above what is counted."""
        return Figures(*(min(_MANY, getattr(self, name)) for name in Figures.__slots__))


class Analysis:
    """The figures of a document; `visited` counts the selections that were looked at to find them.

    Raises Circle where a fragment spreads itself: there is no end to such a document.
    """

    def __init__(self, document: DocumentNode, schema: GraphQLSchema) -> None:
        self.visited = self.directives = 0
        self._schema = schema
        definitions = [part for part in document.definitions if isinstance(part, Definition)]
        self.definitions = len(definitions)
        self._fragments = {part.name.value: part for part in definitions if isinstance(part, FragmentDefinitionNode)}
        self._spread = {id(part): self._read(part) for part in definitions}
        spread = {name for names in self._spread.values() for name in names}
        # A fragment that no other definition spreads is validated as well; so is one whose name is taken again.
        self.roots = [
            part
            for part in definitions
            if isinstance(part, OperationDefinitionNode)
            or part.name.value not in spread
            or self._fragments[part.name.value] is not part
        ]
        self._known: dict[str, Figures] = {}
        for name in self._in_order():
            self._known[name] = self._of_definition(self._fragments[name])
        self.figures = [self._of_definition(root) for root in self.roots]

    @property
    def selections(self) -> int:
        """How many fields and fragments the document selects when all is spread."""
        return min(_MANY, sum(figures.selections for figures in self.figures))

    @property
    def values(self) -> int:
        """How many values and variables the document has when all is spread."""
        return min(_MANY, sum(figures.values for figures in self.figures))

    def comparisons(self) -> int:
        """Count what validation compares; the time it takes grows with `selections`.

        Validation compares every two fields that have one response key in one place, be it that they are written there
        or that several fields with their selections are merged there; and every two fragments in one place.
        """
        found = 0
        places = [[root.selection_set] for root in self.roots]
        while places:
            sets = places.pop()
            fields, fragments = self._place(sets)
            found += _HEAVY * (_pairs(len(sets) + fragments) - _pairs(len(sets)))
            for nodes in fields.values():
                below = [node.selection_set for node in nodes if node.selection_set]
                if below:
                    places.append(below)
                found += _pairs(len(nodes)) * (_HEAVY if below or any(node.arguments for node in nodes) else 1)
        return min(_MANY, found)

    def _place(self, sets: list[SelectionSetNode]) -> tuple[dict[str, list[FieldNode]], int]:
        """Give the fields of some selection sets in one place by response key, and how many fragments they spread."""
        fields: dict[str, list[FieldNode]] = {}
        fragments, left = 0, [*sets]
        while left:
            for node in left.pop().selections:
                self.visited += 1
                if isinstance(node, FieldNode):
                    fields.setdefault((node.alias or node.name).value, []).append(node)
                elif isinstance(node, InlineFragmentNode):
                    left.append(node.selection_set)
                elif fragment := self._fragments.get(_name(node)):
                    fragments += 1
                    left.append(fragment.selection_set)
        return fields, fragments

    def _read(self, definition: Definition) -> list[str]:
        """Count the directives of a definition, and name the fragments that it spreads."""
        self.directives += len(definition.directives or ())
        self.directives += sum(len(part.directives or ()) for part in definition.variable_definitions or ())
        names: list[str] = []
        left = [definition.selection_set]
        while left:
            for node in left.pop().selections:
                self.visited += 1
                self.directives += len(node.directives or ())
                if isinstance(node, (FieldNode, InlineFragmentNode)):
                    if node.selection_set:
                        left.append(node.selection_set)
                else:
                    names.append(_name(node))
        return names

    def _in_order(self) -> Iterator[str]:
        """Name the fragments so that each comes after those that it spreads; without recursion, they may be many."""
        done: set[str] = set()
        for start in self._fragments:
            path = {} if start in done else {start: self._spread_by(start)}
            while path:
                name, names = next(reversed(path.items()))
                following = next(names, None)
                if following is None:
                    del path[name]
                    done.add(name)
                    yield name
                elif following in path:
                    raise Circle
                elif following not in done and following in self._fragments:
                    path[following] = self._spread_by(following)

    def _spread_by(self, name: str) -> Iterator[str]:
        return iter(self._spread[id(self._fragments[name])])

    def _of_definition(self, definition: Definition) -> Figures:
        if isinstance(definition, FragmentDefinitionNode):
            found = self._of(definition.selection_set, self._schema.get_type(definition.type_condition.name.value))
        else:
            found = self._of(definition.selection_set, self._schema.get_root_type(definition.operation))
        for variable in definition.variable_definitions or ():
            found.values += 1 + (_values([variable.default_value]) if variable.default_value else 0)
        return found.saturated()

    def _of(self, selection_set: SelectionSetNode, parent: GraphQLNamedType | None) -> Figures:
        """Add up a selection set; the parser bounds how deep one definition goes, and with it this recursion."""
        total = Figures()
        # By object type, what is there for values of that type only; by none, what is always there.
        objects, entries = {"": 0}, {"": 0}
        for node in selection_set.selections:
            self.visited += 1
            on = None
            if isinstance(node, FieldNode):
                part = self._of_field(node, parent)
            elif isinstance(node, InlineFragmentNode):
                on = self._schema.get_type(node.type_condition.name.value) if node.type_condition else parent
                part = self._of(node.selection_set, on)
                total.selections += 1
            else:
                part = self._known.get(_name(node), Figures())
                fragment = self._fragments.get(_name(node))
                on = self._schema.get_type(fragment.type_condition.name.value) if fragment else None
                total.selections += 1
            total.add(part)
            if part.objects or part.entries:
                own = on.name if is_object_type(on) else ""
                objects[own] = objects.get(own, 0) + part.objects
                entries[own] = entries.get(own, 0) + part.entries
            if node.directives:
                total.values += _values(value.value for one in node.directives for value in one.arguments or ())
        # A value has one type only: of what is asked of several, the dearest counts.
        total.objects = min(_MANY, objects.pop("") + max(objects.values(), default=0))
        total.entries = min(_MANY, entries.pop("") + max(entries.values(), default=0))
        return total

    def _of_field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Figures:
        field: Any = self._schema.get_field(parent, node.name.value) if is_composite_type(parent) else None
        found = Figures()
        if node.selection_set:
            found = self._of(node.selection_set, cast("Any", get_named_type(field.type)) if field else None)
            each = 1 + found.objects + found.entries * _page(node, field)
            if parent and parent.name.endswith("Connection") and node.name.value in ("nodes", "edges"):
                # As many as the page has; how many that is stands at the field that gives the connection.
                found.objects, found.entries = 0, each
            else:
                found.objects, found.entries = each * _length(node, field), 0
        found.depth += 1
        found.selections += 1
        found.root_fields = 1
        found.aliases += node.alias is not None
        found.relations += field is not None and isinstance(field.extensions.get(DEFINITION), Relation)
        found.values += _values(argument.value for argument in node.arguments or ())
        return found


def _name(node: Any) -> str:
    return cast("FragmentSpreadNode", node).name.value


def _pairs(count: int) -> int:
    return count * (count - 1) // 2


def _values(left: Iterable[ValueNode]) -> int:
    """Count values, and those within them."""
    found, left = 0, [*left]
    while left:
        value = left.pop()
        found += 1
        if isinstance(value, ListValueNode):
            left += value.values
        elif isinstance(value, ObjectValueNode):
            left += [field.value for field in value.fields]
        elif isinstance(value, IntValueNode) and len(value.value) > _MOST_DIGITS:
            raise TooLong(value)
    return found


def _page(node: FieldNode, field: Any) -> int:
    """Tell the size of a field's page: what the document says, the most there may be where a variable says it."""
    given = [_number(part.value) for part in node.arguments or () if part.name.value in ("first", "last")]
    asked = [size for size in given if size is not None]
    if asked:
        return max(asked)
    declared = field.args["first"].default_value if field and "first" in field.args else None
    return declared if isinstance(declared, int) else DEFAULT_PAGE


def _number(value: ValueNode) -> int | None:
    if isinstance(value, NullValueNode):
        return None
    # No more is ever answered; and a number may have more digits than can be read.
    if isinstance(value, IntValueNode) and len(value.value) <= len(str(PAGE_CAP)):
        return min(PAGE_CAP, max(0, int(value.value)))
    return PAGE_CAP


def _length(node: FieldNode, field: Any) -> int:
    """Tell how many values a field may have: one, or, where it is a list, as many as it is asked for."""
    if field is None or not _is_list(field.type):
        return 1
    for part in node.arguments or ():
        declared = field.args.get(part.name.value)
        if declared and _is_list(declared.type):
            if isinstance(part.value, VariableNode):
                return PAGE_CAP
            return min(PAGE_CAP, len(part.value.values)) if isinstance(part.value, ListValueNode) else 1
    return _TYPICAL_SLOTS if node.name.value == "slots" else _TYPICAL


def _is_list(type_: Any) -> bool:
    return isinstance(get_nullable_type(type_), GraphQLList)


class TooLong(Exception):
    """A number has more digits than are ever read."""

    def __init__(self, node: ValueNode) -> None:
        super().__init__()
        self.node = node


class Circle(Exception):
    """A fragment spreads itself, in the end."""


_OF_DOCUMENTS = ("definitions", "directives", "selections", "values")
_OF_OPERATIONS = ("depth", "aliases", "root_fields", "relations", "objects")

Weight = Mapping[str, int]
"""What one operation amounts to, with what its document does beside it, by the name of the limit; but for the depth."""


class Weighed(NamedTuple):
    """What the guard found: what is wrong with a document, if anything, and what each operation of it amounts to."""

    error: GraphQLError | None
    weights: Sequence[tuple[Definition, Weight]] = ()


def weigh(document: DocumentNode, schema: GraphQLSchema, limits: Limits) -> Weighed:
    """Find an error of LimitExceeded where a document is over a limit, one of syntax where a fragment spreads itself.

    What else is wrong with it is left to validation.
    """
    try:
        analysis = Analysis(document, schema)
    except Circle:
        # This rule's time is linear, and its words are the ones that clients know.
        return Weighed(validate(schema, document, (NoFragmentCyclesRule,), max_errors=1)[0])
    except TooLong as long:
        refused = InvalidInput(f"A number has more than {_MOST_DIGITS} digits.")
        return Weighed(GraphQLError(refused.message, long.node, original_error=refused))
    for name in _OF_DOCUMENTS:
        if getattr(analysis, name) > getattr(limits, name):
            return Weighed(_over(name, getattr(analysis, name), limits, None))
    for name in _OF_OPERATIONS:
        for root, figures in zip(analysis.roots, analysis.figures, strict=True):
            if getattr(figures, name) > getattr(limits, name):
                return Weighed(_over(name, getattr(figures, name), limits, root))
    comparisons = analysis.comparisons()
    if comparisons > limits.comparisons:
        return Weighed(_over("comparisons", comparisons, limits, None))
    whole = {name: cast("int", getattr(analysis, name)) for name in _OF_DOCUMENTS} | {"comparisons": comparisons}
    weights = [
        (root, whole | {name: getattr(figures, name) for name in _OF_OPERATIONS if name != "depth"})
        for root, figures in zip(analysis.roots, analysis.figures, strict=True)
    ]
    return Weighed(None, weights)


def check_together(weights: Sequence[Weight], limits: Limits) -> GraphQLError | None:
    """Give an error of LimitExceeded where operations that come together are over the limits of one."""
    for name, word in _WORDS.items():
        found = sum(weight.get(name, 0) for weight in weights)
        if found > getattr(limits, name):
            return _over(name, found, limits, None, "The operations of the batch have {} " + word)
    return None


def _over(name: str, found: int, limits: Limits, root: Definition | None, message: str | None = None) -> GraphQLError:
    number = f"{found:,}" if found < _MANY else f"{_MANY:,} or more"
    refused = LimitExceeded(f"{(message or _MESSAGES[name]).format(number)}; the most is {getattr(limits, name):,}.")
    refused.explain = {"limit": name, "found": found, "most": getattr(limits, name)}
    return GraphQLError(refused.message, root, original_error=refused)
