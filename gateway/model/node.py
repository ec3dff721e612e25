"""What everything that has an id shares, and the connections that list such things."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

import strawberry
from strawberry.federation.schema_directives import Shareable

from gateway.model.errors import ErrorCode, GatewayError
from gateway.model.ids import NodeRef, encode_id
from gateway.model.manifest import ProviderKey
from gateway.model.paging import Part, encode_cursor
from gateway.model.relations import Asked, attribute, computed, graph_interface, graph_type, hidden, loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NodeT = TypeVar("NodeT")


@graph_interface
class Node:
    """Anything that has an id of its own and can be read again by it."""

    id_kind: ClassVar[str]
    entity_keys: ClassVar[tuple[str, ...]] = ()
    """The fields, in the words of the graph, that other subgraphs may refer to a thing by; each set finds it alone."""

    @property
    def ref(self) -> NodeRef:
        """The reference that loaders and backends are asked by."""
        raise NotImplementedError  # every concrete type has one

    @computed("An opaque id, the same for ever and whatever the backend.")
    def id(self) -> strawberry.ID:
        """Encode the reference."""
        return strawberry.ID(encode_id(self.id_kind, self.ref))


@graph_type(directives=(Shareable(),))
class PageInfo:
    """Where a page lies in its list."""

    has_next_page: bool = attribute("Whether the list goes on after this page.")
    has_previous_page: bool = attribute("Whether the list has entries before this page.")
    start_cursor: str | None = attribute("The cursor of the first entry; null on an empty page.")
    end_cursor: str | None = attribute("The cursor of the last entry; null on an empty page.")


@graph_type
class SourceProblem:
    """A part of a list that could not be read; what could be is there."""

    code: ErrorCode = attribute("What went wrong.")
    message: str = attribute("What went wrong, for people.")
    provider: ProviderKey = attribute("The provider that the part belongs to.")
    owner_key: str | None = attribute("The owner that the part belongs to.", default=None)
    container_key: str | None = attribute("The container that the part is.", default=None)
    retryable: bool = attribute("Whether the same request may do well another time.")


def problem(
    error: GatewayError, provider: ProviderKey, *, owner: str | None = None, container: str | None = None
) -> SourceProblem:
    """Turn the error of one part of a list into what the list says of it."""
    return SourceProblem(
        code=error.code,
        message=error.message,
        provider=provider,
        owner_key=owner,
        container_key=container,
        retryable=error.retryable,
    )


@graph_type
class Edge(Generic[NodeT]):
    """An entry of a list, with its cursor."""

    cursor: str = attribute("The place of this entry, for `after` and `before`.")
    node: NodeT | None = attribute("The entry itself.")


@graph_type
class Connection(Generic[NodeT]):
    """A page of a list, and whether the list is whole."""

    edges: list[Edge[NodeT]] = attribute("The entries with their cursors.")
    nodes: list[NodeT | None] = attribute("The entries alone.")
    page_info: PageInfo = attribute("Where the page lies in its list.")
    total_count: int | None = loaded(
        "count_by_list", "How many entries the whole list has; null where that cannot be known.", key="counted"
    )
    is_complete: bool = attribute("Whether every part of the list could be read.")
    problems: list[SourceProblem] = attribute("The parts that could not be read.")
    counted: strawberry.Private[Asked | None] = hidden(default=None)

    @classmethod
    def of(cls, part: Part[NodeT], problems: Sequence[SourceProblem] = (), *, counted: Asked | None = None) -> Self:
        """Make the connection; `counted` is what to ask for the total where the part does not know it."""
        edges = [Edge(cursor=encode_cursor(position), node=node) for position, node in part.entries]
        return connected(cls, part, edges, problems, counted, nodes=[edge.node for edge in edges])


C = TypeVar("C")


def connected(
    kind: Callable[..., C],
    part: Part[Any],
    edges: Sequence[Any],
    problems: Sequence[SourceProblem],
    counted: Asked | None,
    **others: Any,
) -> C:
    """Make a connection of any kind from a part of a list and its edges."""
    made: Any = kind(
        edges=list(edges),
        page_info=PageInfo(
            has_next_page=part.has_next,
            has_previous_page=part.has_previous,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
        is_complete=not problems,
        problems=list(problems),
        counted=counted,
        **others,
    )
    if problems:
        # What could not be read cannot be counted.
        made.total_count = None
    elif part.total is not None:
        made.total_count = part.total
    return made


NodeConnection = Connection[Node]
"""A page of things of any kind."""
