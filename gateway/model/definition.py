"""ItemDefinition: the catalogue entry behind an item, and lists of definitions with quantities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import strawberry

from gateway.model.ids import DEFINITION, DefinitionRef
from gateway.model.manifest import ProviderKey
from gateway.model.node import Node, PageInfo, SourceProblem, connected
from gateway.model.paging import Part, encode_cursor
from gateway.model.relations import Asked, attribute, graph_interface, graph_type, hidden, loaded
from gateway.model.scalars import BigInt

if TYPE_CHECKING:
    from collections.abc import Sequence


@graph_interface(is_entity=True)
class ItemDefinition(Node):
    """What an item is: the entry of its provider's catalogue, shared by all who hold a copy."""

    id_kind = DEFINITION
    entity_keys = ("id", "provider key")

    provider: ProviderKey = attribute("The provider whose catalogue this is.")
    key: str = attribute("The definition's key at that provider.")
    kind: str | None = attribute("The provider's own word for what this is.", default=None)
    name: str | None = attribute("The name, in the language of the catalogue.", default=None)
    description: str | None = attribute("The description, as the provider gives it; may hold markup.", default=None)
    icon: str | None = attribute("The address of a picture.", default=None)
    rarity: str | None = attribute("The provider's own word for how rare this is.", default=None)

    def follow(self, before: ItemDefinition) -> None:
        """Take into account what stood in this one's place, which an import replaces; most have nothing to."""

    @property
    def ref(self) -> DefinitionRef:
        """The reference of this definition."""
        return DefinitionRef(self.provider.value, self.key)

    @property
    def family(self) -> str:
        """The part of its catalogue that it is listed with: what stands before the first colon of its key."""
        return self.key.partition(":")[0] if ":" in self.key else ""

    @property
    def fits(self) -> Sequence[str]:
        """The slots that it is made for, in words that are the provider's own and unique in its catalogue."""
        return ()


@graph_type
class DefinitionEdge:
    """A definition in a list, and how many of it are held."""

    cursor: str = attribute("The place of this entry, for `after`.")
    node: ItemDefinition | None = loaded(
        "definitions_by_key", "The definition; null when the catalogue does not know it.", key="definition_ref"
    )
    quantity: BigInt | None = attribute("How many are held; null where that is not known.", default=None)
    definition_ref: strawberry.Private[DefinitionRef] = hidden()


@graph_type
class DefinitionConnection:
    """A page of definitions with the quantity held of each, and whether the list is whole."""

    edges: list[DefinitionEdge] = attribute("The entries with their cursors.")
    nodes: list[ItemDefinition | None] | None = loaded(
        "definitions_by_key", "The definitions alone.", key="definition_refs", many=True
    )
    page_info: PageInfo = attribute("Where the page lies in its list.")
    total_count: int | None = loaded(
        "count_by_list", "How many entries the whole list has; null where that cannot be known.", key="counted"
    )
    is_complete: bool = attribute("Whether every part of the list could be read.")
    problems: list[SourceProblem] = attribute("The parts that could not be read.")
    counted: strawberry.Private[Asked | None] = hidden(default=None)

    @property
    def definition_refs(self) -> list[DefinitionRef]:
        """The references of the definitions, in order."""
        return [edge.definition_ref for edge in self.edges]

    @classmethod
    def of(
        cls,
        part: Part[tuple[DefinitionRef, int | None]],
        problems: Sequence[SourceProblem] = (),
        *,
        counted: Asked | None = None,
    ) -> Self:
        """Make the connection from references and quantities; `counted` is what to ask for an unknown total."""
        edges = [
            DefinitionEdge(
                cursor=encode_cursor(position),
                quantity=None if quantity is None else BigInt(quantity),
                definition_ref=definition,
            )
            for position, (definition, quantity) in part.entries
        ]
        return connected(cls, part, edges, problems, counted)
