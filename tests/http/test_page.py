"""GraphiQL: browsers get the page at the address of the graph, API clients never; a setting takes it away."""

from __future__ import annotations

import pytest

from tests.http.doors import TYPENAME, Door

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


async def test_a_browser_gets_the_page() -> None:
    response = await Door().get(accept=BROWSER)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert "graphiql" in response.text.lower()
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["vary"].startswith("Accept")


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "application/graphql-response+json"])
async def test_an_api_client_gets_no_page(accept: str) -> None:
    response = await Door().get(accept=accept)
    assert response.status_code == 400
    assert response.json()["errors"]


async def test_a_browser_that_asks_a_query_gets_its_answer() -> None:
    response = await Door().client.get("/graphql", params=TYPENAME, headers={"accept": BROWSER})
    assert response.json() == {"data": {"__typename": "Query"}}


async def test_a_browser_that_posts_gets_its_answer() -> None:
    response = await Door().post(TYPENAME, accept=BROWSER)
    assert response.json() == {"data": {"__typename": "Query"}}


async def test_the_setting_takes_the_page_away() -> None:
    door = Door(graphiql=False)
    response = await door.get(accept=BROWSER)
    assert response.status_code == 404
    assert response.json()["errors"][0]["extensions"] == {"code": "NOT_FOUND"}
    assert await door.serves()


async def test_the_page_tells_nothing_that_needs_a_token() -> None:
    here, elsewhere = Door(), Door(client="192.0.2.1", token="correct-horse-battery")
    assert (await here.get(accept=BROWSER)).text == (await elsewhere.get(accept=BROWSER)).text
