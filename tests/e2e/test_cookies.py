"""Over sockets no cookie of the service's is kept: what it gave to one caller is never sent with another's call."""

from __future__ import annotations

from tests.e2e.conftest import HEADER, Service, owner

QUERY = "query($owner: OwnerInput!) { inventory(owner: $owner) { items { nodes { key name } } } }"


def test_cookies_are_not_kept_between_callers(service: Service) -> None:
    # As a service with sessions does it: who has shown a key is known by the cookie from then on.
    service.between.answer_headers = lambda headers: {
        "Set-Cookie": f"session={headers.get('authorization', 'nobody').split()[-1]}; Path=/",
    }
    for _ in range(3):
        answer = service.gateway.ask(QUERY, headers={HEADER: service.mint()}, owner=owner())
        assert answer.whole()["inventory"]["items"]["nodes"]
        assert "set-cookie" not in answer.headers
    assert len(service.between.requests) > 3
    assert not [headers for _, headers in service.between.requests if "cookie" in headers]


def test_a_callers_own_cookies_go_no_further(service: Service) -> None:
    headers = {HEADER: service.mint(), "Cookie": "session=geheim", "Authorization": "Bearer geheim"}
    service.gateway.ask(QUERY, headers=headers, owner=owner()).whole()
    assert service.between.requests
    assert not [path for path, headers in service.between.requests if "geheim" in str(headers)]
