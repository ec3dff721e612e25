"""The guard refuses what would take long to validate or to run, and is itself done in time that grows with the text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    get_introspection_query,
    parse,
    visit,
)
from graphql.language import Visitor
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.errors import formatted
from gateway.execution.guard import Analysis, Limits, weigh
from gateway.model.errors import LimitExceeded
from tests.execution.graph import REAL, graph_of
from tests.execution.operations import Operation, operations

SCHEMA = graph_of(REAL)
LIMITS = Limits()
LARGE = 65_536
INVENTORY = 'inventory(owner: {provider: GUILD_WARS_2, key: "me"})'

# --- hostile documents: each in about as many characters as asked for ---


def check(document: DocumentNode, schema: GraphQLSchema, limits: Limits) -> GraphQLError | None:
    return weigh(document, schema, limits).error


def repeated(unit: Callable[[int], str], around: str, size: int) -> str:
    """Write as many units as there is room for; a unit is numbered, the last one told by `{last}`."""
    units: list[str] = []
    left = size - len(around)
    while left > 0:
        units.append(unit(len(units)))
        left -= len(units[-1])
    return around.replace("UNITS", "".join(units)).replace("LAST", str(len(units)))


def nested(opening: str, closing: str, size: int) -> str:
    """Nest as deep as the parser allows, side by side."""
    once = f"{opening * 90}__typename{closing * 90} "
    return "{" + once * max(1, size // len(once)) + "}"


HOSTILE: dict[str, Callable[[int], str]] = {
    "fragments that double": lambda size: repeated(
        lambda number: f"fragment F{number} on Query{{...F{number + 1} ...F{number + 1}}}",
        "{...F0}UNITS fragment FLAST on Query{__typename}",
        size,
    ),
    "fragments in a chain": lambda size: repeated(
        lambda number: f"fragment F{number} on Query{{a{number}:__typename ...F{number + 1}}}",
        "{...F0}UNITS fragment FLAST on Query{__typename}",
        size,
    ),
    "a cycle": lambda size: repeated(
        lambda number: f"fragment F{number} on Query{{...F{number + 1}}}",
        "{...F0}UNITS fragment FLAST on Query{...F0}",
        size,
    ),
    "repeated fields": lambda size: repeated(lambda _: " __typename", "{UNITS}", size),
    "repeated trees": lambda size: repeated(lambda _: "owner{inventory{owner{id}}}", f"{{{INVENTORY}{{UNITS}}}}", size),
    "aliases": lambda size: repeated(lambda number: f" a{number}:__typename", "{UNITS}", size),
    "directives": lambda size: repeated(lambda _: "@include(if:true)", "{__typename UNITS}", size),
    "deep fields": lambda size: nested("owner{inventory{", "}}", size),
    "deep inline fragments": lambda size: nested("...{", "}", size),
    "large pages": lambda size: nested("containers(first:250){nodes{", "}}", size),
    "long values": lambda size: repeated(lambda _: '"x"', "{nodes(ids:[UNITS]){id}}", size),
    "digits": lambda size: repeated(lambda _: "9", f"{{{INVENTORY}{{items(first:UNITS){{totalCount}}}}}}", size),
    "operations": lambda size: repeated(
        lambda number: f"query Q{number}{{...F}}", "UNITS fragment F on Query{a:b}", size
    ),
    "unused fragments": lambda size: repeated(
        lambda number: f"fragment F{number} on Query{{__typename}}", "{__typename}UNITS", size
    ),
    "fragments of one name": lambda size: repeated(lambda _: "fragment F on Query{__typename}", "{...F}UNITS", size),
    "fragments side by side": lambda size: (
        repeated(lambda number: f"...F{number} ", "{UNITS}", size // 2)
        + repeated(lambda number: f"fragment F{number} on Query{{a{number}:__typename}}", "UNITS", size // 2)
    ),
    "list lengths": lambda size: repeated(
        lambda number: f"a{number}:containers(first:250){{nodes{{slots{{id}}}}}}", f"{{{INVENTORY}{{UNITS}}}}", size
    ),
}


def work(text: str) -> int:
    """Count the selections that are looked at, until the document is refused or found good."""
    seen: list[Analysis] = []

    class Watched(Analysis):
        def __init__(self, *arguments: Any) -> None:
            seen.append(self)
            super().__init__(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.execution.guard.Analysis", Watched)
        check(parse(text), SCHEMA, LIMITS)
    return seen[0].visited


@pytest.mark.parametrize("name", HOSTILE)
def test_the_work_grows_with_the_text_alone(name: str) -> None:
    for size in (1_024, 4_096, 16_384, LARGE):
        text = HOSTILE[name](size)
        written = sum(isinstance(node, (FieldNode, FragmentSpreadNode, InlineFragmentNode)) for node in nodes(text))
        # Each selection is read and counted, in a fragment that nobody spreads once more; a small document is walked.
        assert work(text) <= 3 * written + LIMITS.selections


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_large_is_refused(name: str) -> None:
    error = check(parse(HOSTILE[name](LARGE)), SCHEMA, LIMITS)
    assert error is not None


def nodes(text: str) -> list[Any]:
    found: list[Any] = []

    class Every(Visitor):
        def enter(self, node: Any, *_: Any) -> None:
            found.append(node)

    visit(parse(text), Every())
    return found


# --- each limit, at it and beyond it ---


def items(count: int, item: str = "a{}:id ") -> str:
    return "".join(item.format(number) for number in range(count))


AT: dict[str, tuple[int, Callable[[int], str], str]] = {
    "depth": (
        3,
        lambda many: "{" + "...on Query{a{" * (many - 1) + "b" + "}}" * (many - 1) + "}",
        "The operation nests fields 4 deep; the most is 3.",
    ),
    "aliases": (
        5,
        lambda many: f"{{{items(many)}...F}} fragment F on Query{{id}}",
        "The operation has 6 aliases; the most is 5.",
    ),
    "root_fields": (
        4,
        lambda many: f"{{id...F}} fragment F on Query{{{items(many - 1)}}}",
        "The operation asks for 5 root fields; the most is 4.",
    ),
    "relations": (
        3,
        lambda many: f"{{{INVENTORY}{{id {items(many - 1, 'a{}:items{{isComplete}}')}}}}}",
        "The operation follows 4 relations; the most is 3.",
    ),
    "objects": (
        1 + 1 + 40,
        lambda many: f"{{{INVENTORY}{{items(first:{many - 2}){{nodes{{id}}}}}}}}",
        "The answer may have 43 objects; the most is 42.",
    ),
    "definitions": (
        4,
        lambda many: "{id}" + items(many - 1, "fragment F{} on Query{{id}}"),
        "The document has 5 operations and fragments; the most is 4.",
    ),
    "directives": (
        4,
        lambda many: f"query @a {{id @b ...@c{{id {'@d' * (many - 3)}}}}}",
        "The document has 5 directives; the most is 4.",
    ),
    "selections": (
        1_200,
        lambda many: f"{{...F ...F}} fragment F on Query{{{items(many // 2 - 1)}}}" + ("{a}" if many % 2 else ""),
        "The document selects 1,201 fields and fragments; the most is 1,200.",
    ),
    "values": (
        9,
        lambda many: f'query($a: [ID] = ["x"]) {{nodes(ids: [{items(many - 5, "$a ")}]) {{id @skip(if: $a)}}}}',
        "The document has 10 values and variables; the most is 9.",
    ),
    "comparisons": (
        45,
        lambda many: f"{{{'id ' * 10}{'key ' * 2 if many > 45 else ''}}}",
        "The document's repeated fields take 46 comparisons; the most is 45.",
    ),
}


@pytest.mark.parametrize("name", AT)
def test_a_limit_lets_pass_what_is_at_it_and_says_by_how_much_it_is_passed(name: str) -> None:
    most, write, message = AT[name]
    wide: dict[str, int] = dict.fromkeys(AT, 10**12)
    limits = Limits(**{**wide, name: most})
    assert check(parse(write(most)), SCHEMA, limits) is None
    error = check(parse(write(most + 1)), SCHEMA, limits)
    assert error is not None
    assert error.message == message
    assert isinstance(error.original_error, LimitExceeded)
    assert formatted(error)["extensions"]["code"] == "LIMIT_EXCEEDED"


def test_all_that_can_be_limited_has_been_tried_at_its_limit() -> None:
    assert set(AT) == set(Limits.__dataclass_fields__)


def test_every_operation_is_looked_at() -> None:
    error = check(parse("query A{id} query B{a{b{c}}}"), SCHEMA, Limits(depth=2))
    assert error is not None
    assert [node.kind for node in error.nodes or ()] == ["operation_definition"]
    assert [place.column for place in error.locations or ()] == [13]


def test_what_is_beyond_counting_is_told_so() -> None:
    error = check(parse(HOSTILE["fragments that double"](4_096)), SCHEMA, LIMITS)
    assert error is not None
    assert error.message == "The document selects 1,000,000,000 or more fields and fragments; the most is 800."


@pytest.mark.parametrize(
    "text", ["{...F} fragment F on Query{...F}", "{id} fragment F on Query{a{...G}} fragment G on Query{...F}"]
)
def test_a_fragment_that_spreads_itself_is_refused(text: str) -> None:
    error = check(parse(text), SCHEMA, LIMITS)
    assert error is not None
    assert error.message.startswith("Cannot spread fragment 'F' within itself")
    assert formatted(error)["extensions"]["code"] == "INVALID_INPUT"


@pytest.mark.parametrize(
    "text",
    [
        "{...Unknown}",
        "{...on Unknown{a{b}}}",
        "{a{b(first: 3){c}}}",
        "fragment F on Unknown{a{b}}",
        "subscription{a}",
        "type A{b:C}",
    ],
)
def test_what_is_unknown_is_left_to_validation(text: str) -> None:
    assert check(parse(text), SCHEMA, LIMITS) is None


# --- how many objects ---


@pytest.mark.parametrize(
    ("selection", "objects"),
    [
        ("{INVENTORY{id}}", 1),
        ("{INVENTORY{items{nodes{id}}}}", 2 + 50),
        ("{INVENTORY{items(first:7){nodes{id} edges{cursor} pageInfo{hasNextPage}}}}", 3 + 7 + 7),
        ("{INVENTORY{items(last:7){nodes{definition{id}}}}}", 2 + 14),
        ("{INVENTORY{items(first:null){nodes{id}}}}", 2 + 50),
        ("{INVENTORY{items(first:9999999999){nodes{id}}}}", 2 + 250),
        ("{INVENTORY{items(first:-3){nodes{id}}}}", 2),
        ("query($n:Int=3){INVENTORY{items(first:$n){nodes{id}}}}", 2 + 250),
        ("{INVENTORY{items(first:7){...F}}} fragment F on ItemConnection{nodes{id}}", 2 + 7),
        ('{INVENTORY{container(key:"bank"){slots{item{id}}}}}', 2 + 20 * 2),
        ("{INVENTORY{items(first:7){problems{code}}}}", 2 + 10),
        ('{nodes(ids:["a" "b" "c"]){id}}', 3),
        ("query($ids:[ID!]!){nodes(ids:$ids){id}}", 250),
        # A node is of one type: the dearer one counts, with what is asked of all.
        ('{node(id:"a"){id ...on GuildWars2Bag{parent{id} slots{id}} ...on Inventory{owner{id}}}}', 1 + 1 + 20),
    ],
)
def test_objects_are_counted_by_the_sizes_of_pages(selection: str, objects: int) -> None:
    analysis = Analysis(parse(selection.replace("INVENTORY", INVENTORY)), SCHEMA)
    assert [figures.objects for figures in analysis.figures] == [objects]


def test_lists_within_lists_soon_are_too_many() -> None:
    text = f"{{{INVENTORY}" + "{containers(first:250){nodes" * 4 + "{id}" + "}}" * 4 + "}"
    error = check(parse(text), SCHEMA, LIMITS)
    assert error is not None
    assert error.message == "The answer may have 1,000,000,000 or more objects; the most is 20,000,000."


# --- what clients ask ---


def test_what_tools_ask_of_a_schema_passes() -> None:
    text = get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
    )
    assert check(parse(text), SCHEMA, LIMITS) is None


@given(operations(SCHEMA))
def test_what_clients_ask_passes(operation: Operation) -> None:
    assert check(parse(operation.text), SCHEMA, Limits(objects=10**9)) is None


def test_who_allows_longer_documents_allows_more_in_them() -> None:
    assert Limits.within(1_000) == Limits.within(4_000) == LIMITS
    assert Limits.within(40_000).selections == 10 * LIMITS.selections
    assert Limits.within(40_000).depth == LIMITS.depth


# --- counted once, or written out ---


@given(st.data())
def test_figures_are_those_of_the_document_written_out(data: st.DataObject) -> None:
    document = parse(data.draw(documents()))
    spread = Analysis(document, SCHEMA)
    out = expanded(document)
    written = Analysis(out, SCHEMA)
    assert spread.figures[0] == written.figures[0]
    figures = spread.figures[0]
    root = out.definitions[0]
    assert isinstance(root, OperationDefinitionNode)
    depth, selections, aliases, roots = counted(root.selection_set)
    assert (figures.depth, figures.selections, figures.aliases, figures.root_fields) == (
        depth,
        selections,
        aliases,
        roots,
    )


@given(st.data())
def test_comparisons_are_those_of_every_pair_in_one_place(data: st.DataObject) -> None:
    document = expanded(parse(data.draw(documents())))
    paths: dict[tuple[str, ...], list[FieldNode]] = {}
    root = document.definitions[0]
    assert isinstance(root, OperationDefinitionNode)
    placed(root.selection_set, (), paths)
    heavy = {path for path, fields in paths.items() if any(field.selection_set or field.arguments for field in fields)}
    pairs = {path: len(fields) * (len(fields) - 1) // 2 for path, fields in paths.items()}
    assert Analysis(document, SCHEMA).comparisons() == sum(
        count * (10 if path in heavy else 1) for path, count in pairs.items()
    )


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Write an operation and fragments that spread those after them, over a few fields of the schema."""
    count = draw(st.integers(0, 4))

    def selections(after: int, depth: int) -> str:
        parts: list[str] = []
        for _ in range(draw(st.integers(1, 3))):
            choice = draw(st.integers(0, 6))
            if choice == 0 and after < count:
                parts.append(f"...F{draw(st.integers(after, count - 1))}")
            elif choice == 1 and depth:
                condition = draw(st.sampled_from(["", "on GuildWars2Bag", "on GuildWars2Storage", "on Node"]))
                parts.append(f"...{condition}{selections(after, depth - 1)}")
            elif choice >= 4 and depth:
                field = draw(
                    st.sampled_from(["a:slots", "slots", "containers(first:3)", "b:parent", "nodes", "inventory"])
                )
                parts.append(f"{field}{selections(after, depth - 1)}")
            else:
                parts.append(draw(st.sampled_from(["id", "a:id", "name", 'c:x(y:{z:["w"]})'])))
        return "{" + " ".join(parts) + "}"

    on = ["Container", "ContainerConnection", "GuildWars2Bag", "Query", "Nothing"]
    text = f'{{container:node(id:"x"){selections(0, 3)}}}'
    return text + "".join(
        f"fragment F{number} on {draw(st.sampled_from(on))}{selections(number + 1, 2)}" for number in range(count)
    )


def expanded(document: DocumentNode) -> DocumentNode:
    """Write every fragment out where it is spread."""
    fragments = {part.name.value: part for part in document.definitions if isinstance(part, FragmentDefinitionNode)}

    class Spreading(Visitor):
        def leave_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> InlineFragmentNode:
            fragment = fragments[node.name.value]
            inside = visit(fragment.selection_set, Spreading())
            return InlineFragmentNode(
                type_condition=fragment.type_condition, selection_set=inside, directives=(), loc=None
            )

    return DocumentNode(definitions=(visit(document.definitions[0], Spreading()),), loc=None)


def counted(selection_set: Any) -> tuple[int, int, int, int]:
    depth = selections = aliases = roots = 0
    for node in selection_set.selections:
        is_field = isinstance(node, FieldNode)
        below = counted(node.selection_set) if node.selection_set else (0, 0, 0, 0)
        depth = max(depth, below[0] + is_field)
        selections += 1 + below[1]
        aliases += below[2] + (isinstance(node, FieldNode) and node.alias is not None)
        roots += 1 if is_field else below[3]
    return depth, selections, aliases, roots


def placed(selection_set: Any, path: tuple[str, ...], paths: dict[tuple[str, ...], list[FieldNode]]) -> None:
    for node in selection_set.selections:
        if isinstance(node, FieldNode):
            at = (*path, (node.alias or node.name).value)
            paths.setdefault(at, []).append(node)
            if node.selection_set:
                placed(node.selection_set, at, paths)
        else:
            placed(node.selection_set, path, paths)


def test_an_error_has_its_place() -> None:
    error = check(parse("{ id }\n"), SCHEMA, Limits(depth=0))
    assert isinstance(error, GraphQLError)
    assert formatted(error)["locations"] == [{"line": 1, "column": 1}]
