"""Over sockets an upstream and the local store give the same pages, and each takes the other's cursors."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Pair, owner


@pytest.mark.parametrize("field", ["items", "totals", "containers"])
@pytest.mark.parametrize("size", [2, 4])
def test_pages_followed_to_their_end_are_alike(pair: Pair, field: str, size: int) -> None:
    query = f"""query($owner: OwnerInput!, $after: String) {{ inventory(owner: $owner) {{
        {field}(first: {size}, after: $after) {{ nodes {{ key }} pageInfo {{ hasNextPage endCursor }} }} }} }}"""
    after, seen = None, 0
    while True:
        page = pair.ask(query, owner=owner(), after=after).whole()["inventory"][field]
        seen += len(page["nodes"])
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen > size
