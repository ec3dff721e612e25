"""Serving as a process: what it prints works, and it stops when it is told to and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread, Timer

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from gateway.cli import OPEN
from gateway.http.graphiql import FROM_CDN, Page
from gateway.registry import PROVIDERS
from tests.cli.conftest import COMMAND, OWNER, Run

STARTS = 20.0
STOPS = 5.0


class Serving:
    """A `gateway serve` that is up."""

    def __init__(self, process: subprocess.Popen[str], printed: str) -> None:
        self.process = process
        self.printed = printed

    @property
    def address(self) -> str:
        found = re.search(r"(http://\S+)/graphql", self.printed)
        assert found
        return found[1]

    def stop(self, how: signal.Signals) -> tuple[int, str, str]:
        """Send a signal, and give the exit code and what else was written; one that does not stop fails the test."""
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=STOPS)
        # What is said at each start: where the page comes from, and that it is open.
        for said in (FROM_CDN, OPEN):
            err = err.removeprefix(f"gateway: {said}\n")
        return self.process.returncode, out, err


@contextlib.contextmanager
def serving(*arguments: str, until: str, **variables: str) -> Generator[Serving]:
    """Start serving on a free port, and wait until it prints `until`."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
    )
    late = Timer(STARTS, process.kill)
    late.start()
    try:
        assert process.stdout is not None
        printed = ""
        while until not in printed:
            line = process.stdout.readline()
            assert line, process.communicate()
            printed += line
        late.cancel()
        yield Serving(process, printed)
    finally:
        late.cancel()
        process.kill()
        process.communicate()


@contextlib.contextmanager
def demo(folder: Path, *arguments: str, **variables: str) -> Generator[Serving]:
    # Its last line closes the query.
    with serving("--demo", *arguments, until="\n}\n", TMPDIR=str(folder), **variables) as up:
        yield up


def left(folder: Path) -> list[str]:
    return [entry.name for entry in folder.glob("gateway-demo-*")]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_the_demo_serves_what_it_prints_and_leaves_nothing(folder: Path, how: signal.Signals) -> None:
    with demo(folder) as up, httpx.Client(timeout=10) as client:
        graph, dialect, other, folders, collection = re.findall(r"http://127\.0\.0\.1:\d+\S*", up.printed)
        assert graph == f"{up.address}/graphql"
        columns = [line.index("http") for line in up.printed.splitlines() if "http" in line]
        secrets = re.findall(r"^ +(?:key|session|refresh|cookie|token) +(\S+)$", up.printed, re.MULTILINE)
        key, session, refresh, cookie, cloud_key, token = secrets
        columns += [
            line.index(secret) for line in up.printed.splitlines() for secret in (key, session) if secret in line
        ]
        assert len(set(columns)) == 1
        assert len(columns) == 7
        query = up.printed.partition("A query to paste:")[2].strip()

        answer = client.post(graph, json={"query": query}).json()
        assert "errors" not in answer
        containers = answer["data"]["inventory"]["containers"]["nodes"]
        assert {"Bank", "Test Nâme"} <= {container["name"] for container in containers}
        assert any(slot["item"] for container in containers for slot in container["slots"] or ())

        account = client.get(f"{dialect}/v2/account", headers={"Authorization": f"Bearer {key}"})
        assert (account.status_code, account.json()["name"]) == (200, OWNER)
        assert client.get(f"{dialect}/v2/account").status_code == 401
        slots = f"{other}/v1/community/nova/inventory/slots?userId=u_1"
        renewed = client.post(f"{other}/v1/user/auth/refresh-session", json={"refreshToken": refresh})
        for bearer in (session, renewed.json()["sessionToken"]):
            found = client.get(slots, headers={"Authorization": f"Bearer {bearer}"})
            assert (found.status_code, found.json()[0]["item"]["id"]) == (200, "i_cap")
        (capability,) = re.findall(r"^ +inventory +(\S+)$", up.printed, re.MULTILINE)
        root = client.get(f"{folders}/{capability}/category/root", headers={"Accept": "application/json"})
        assert (root.status_code, root.json()["type_default"]) == (200, 8)
        shown = client.get(f"{collection}/v1/users/authenticated", headers={"Cookie": f".ROBLOSECURITY={cookie}"})
        assert (shown.status_code, shown.json()["name"]) == (200, "mira")
        for headers in ({"x-api-key": cloud_key}, {"Authorization": f"Bearer {token}"}):
            held = client.get(f"{collection}/cloud/v2/users/42/inventory-items", headers=headers)
            assert (held.status_code, len(held.json()["inventoryItems"])) == (200, 10)
        assert client.get(f"{up.address}/health/ready").json() == {"status": "ready"}
        assert "server" not in account.headers

        assert left(folder)
        # The client still holds a connection: that is none of the server's worries.
        code, out, err = up.stop(how)
        assert (code, out.strip(), err) == (0, "", "")
    assert left(folder) == []
    assert not (folder / "gateway.db").exists()


def test_a_demo_stopped_while_it_starts_leaves_nothing(folder: Path) -> None:
    with serving("--demo", until="", TMPDIR=str(folder)) as up:
        # From the moment on when there is something that could be left.
        while not left(folder):
            assert up.process.poll() is None
        up.process.send_signal(signal.SIGTERM)
        up.process.communicate(timeout=STOPS)
        assert up.process.returncode == 0
    assert left(folder) == []


def test_the_demo_calls_nobody_whatever_the_settings_say(folder: Path) -> None:
    (folder / "gateway.toml").write_text(
        '[store]\nurl = "postgresql://nobody@127.0.0.1:1/nothing"\n'
        '[providers.guildwars2]\nbackend = "upstream"\nbase_url = "http://127.0.0.1:1"\n'
        "[server]\ngraphiql = false\n"
    )
    with demo(folder, GATEWAY_PROVIDERS__GUILDWARS2__TIMEOUT="3") as up:
        query = "{ inventoryProviders { backend } inventoryViewer { owners { key } } }"
        answer = httpx.post(f"{up.address}/graphql", json={"query": query}).json()
        assert answer["data"]["inventoryProviders"] == [{"backend": "LOCAL"}] * len(PROVIDERS)
        assert OWNER in [owner["key"] for owner in answer["data"]["inventoryViewer"]["owners"]]
        # The rest of the settings hold.
        assert httpx.get(f"{up.address}/graphql", headers={"Accept": "text/html"}).status_code == 404


def test_serving_tells_where_listens_nowhere_else_and_keeps_its_store(folder: Path) -> None:
    with serving(until="/graphql") as up:
        assert up.printed == f"Serving {up.address}/graphql\n"
        assert up.address.startswith("http://127.0.0.1:")
        # Another address of this machine: all of the network 127 is its own.
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.2", int(up.address.rpartition(":")[2])), timeout=1).close()
        answer = httpx.post(f"{up.address}/graphql", json={"query": "{ __typename }"})
        assert answer.json() == {"data": {"__typename": "Query"}}
        assert up.stop(signal.SIGTERM) == (0, "", "")
    assert (folder / "gateway.db").exists()


def test_it_listens_on_the_newer_loopback() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with serving("--host", "::1", until="/graphql") as up:
        assert up.address.startswith("http://[::1]:")
        assert httpx.post(f"{up.address}/graphql", json={"query": "{ __typename }"}).status_code == 200


def test_a_second_server_on_one_port_is_refused(run: Run) -> None:
    with serving(until="/graphql") as up:
        port = up.address.rpartition(":")[2]
        second = run("serve", "--port", port)
        assert (second.code, second.out) == (1, "")
        assert second.err == f"gateway: cannot listen on 127.0.0.1:{port}: Address already in use\n"
        assert httpx.get(f"{up.address}/health/live").status_code == 200


@pytest.mark.parametrize("demo_too", [[], ["--demo"]])
def test_a_store_that_cannot_be_opened_is_told_and_nothing_is_served(folder: Path, demo_too: list[str]) -> None:
    variables = {"GATEWAY_STORE__URL": "postgresql://user:geheim@127.0.0.1:1/x"}
    if demo_too:
        variables = {"TMPDIR": str(folder), "GATEWAY_SERVER__HOST": "192.0.2.1"}
    done = subprocess.run(
        [*COMMAND, "serve", "--port", "0", *demo_too],
        capture_output=True,
        check=False,
        timeout=STARTS,
        env={**os.environ, **variables},
    )
    assert (done.returncode, done.stdout) == (1, b"")
    told = done.stderr.removeprefix(f"gateway: {FROM_CDN}\n".encode())
    assert told.startswith(b"gateway: ")
    assert told.count(b"\n") == 1
    assert b"geheim" not in told
    assert left(folder) == []


def test_no_variable_makes_a_caller_from_afar_one_of_this_machine() -> None:
    """Servers of other projects are told whom to believe by this variable."""
    with serving("--host", "0.0.0.0", until="/graphql", FORWARDED_ALLOW_IPS="*") as up:
        url = f"{up.address}/graphql"
        body = {"query": "{ __typename }"}
        # A proxy on this machine is believed, and what it says of its caller counts.
        assert httpx.post(url, json=body, headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 401
        assert httpx.post(url, json=body, headers={"X-Forwarded-For": "127.0.0.1, 192.0.2.1"}).status_code == 401
        assert httpx.post(url, json=body).status_code == 200


def test_the_servers_warnings_are_logged_in_the_shape_that_was_set() -> None:
    with serving(until="/graphql", GATEWAY_LOG__FORMAT="json") as up:
        port = int(up.address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"no HTTP at all\r\n\r\n")
            assert connection.recv(1_000).startswith(b"HTTP/1.1 400")
        _, _, err = up.stop(signal.SIGTERM)
    (logged,) = map(json.loads, err.splitlines())
    assert (logged["event"], logged["level"]) == ("Invalid HTTP request received.", "warning")


def test_listening_to_all_without_a_token_is_told(folder: Path) -> None:
    with serving("--host", "0.0.0.0", until="/graphql") as up:
        _, _, err = up.stop(signal.SIGTERM)
    assert "server.token is not set" in err
    with serving("--host", "0.0.0.0", until="/graphql", GATEWAY_SERVER__TOKEN="0123456789abcdef") as up:
        _, _, err = up.stop(signal.SIGTERM)
    assert err == ""


FOLLOW = 'subscription { inventoryChanged(owner: { provider: %s, key: "%s" }) { isReset } }'


def test_it_says_that_it_is_open_and_where_the_page_comes_from_if_not_from_here(folder: Path) -> None:
    shown = ("" if Page((), {}).is_built else f"gateway: {FROM_CDN}\n") + f"gateway: {OPEN}\n"
    with serving(until="/graphql") as up:
        up.process.send_signal(signal.SIGTERM)
        assert up.process.communicate(timeout=STOPS)[1] == shown


def test_streams_and_sockets_are_ended_when_it_stops(folder: Path) -> None:
    name = PROVIDERS["guildwars2"].manifest.provider.name
    query = FOLLOW % (name, OWNER)
    with demo(folder) as up, httpx.Client(timeout=10) as client, ExitStack() as stack:
        headers = {"accept": "text/event-stream"}
        stream = stack.enter_context(
            client.stream("POST", f"{up.address}/graphql", json={"query": query}, headers=headers)
        )
        chunks = stream.iter_text()
        assert next(chunks).startswith(":")
        address = up.address.replace("http", "ws")
        end = stack.enter_context(connect(f"{address}/graphql", subprotocols=[Subprotocol("graphql-transport-ws")]))
        end.send('{"type":"connection_init"}')
        assert end.recv(10) == '{"type":"connection_ack"}'
        end.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query}}))
        figures = f"{up.address}/metrics"
        while "gateway_subscriptions 2.0" not in client.get(figures).text:
            assert up.process.poll() is None
        code, out, err = up.stop(signal.SIGTERM)
        assert (code, out.strip(), err) == (0, "", "")
        # Unfinished, so that the client comes back.
        assert "complete" not in "".join(chunks)
        with pytest.raises(ConnectionClosed) as closed:
            end.recv(10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code in (1001, 1012)


def test_trusted_documents_that_are_no_good_are_told_at_the_start(folder: Path, run: Run) -> None:
    (folder / "manifest.json").write_text('{"a": "{ nothing }"}')
    done = run("serve", "--port", "0", GATEWAY_SERVER__TRUSTED_DOCUMENTS=str(folder / "manifest.json"))
    assert (done.code, done.out) == (2, "")
    assert "The document 'a'" in done.err
    assert "Cannot query field 'nothing'" in done.err


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no such thing")
def test_a_connection_whose_client_takes_nothing_is_ended_by_the_system() -> None:
    from gateway.cli import _listen  # pyright: ignore[reportPrivateUsage]  # what a connection inherits no client sees

    with _listen("127.0.0.1", 0, 2.5) as listening:
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 2_500


def test_production_closes_what_the_settings_do_not_open(folder: Path, run: Run) -> None:
    key = run("access-key", "site", "--reads", "guildwars2/*")
    secret, shown = key.out.strip(), key.err.partition("[[access.keys]]")
    (folder / "gateway.toml").write_text("[server]\nmetrics = true\n" + "".join(shown[1:]))
    assert secret not in key.err
    with serving("--production", until="/graphql") as up, httpx.Client(timeout=10) as client:
        graph = f"{up.address}/graphql"
        headers = {"Authorization": f"Bearer {secret}"}
        assert client.post(graph, json={"query": "{ __typename }"}).status_code == 401
        assert client.post(graph, json={"query": "{ __typename }"}, headers=headers).status_code == 200
        for query in ("{ __schema { description } }", "{ _service { sdl } }"):
            assert "not told" in client.post(graph, json={"query": query}, headers=headers).text
        assert "Did you mean" not in client.post(graph, json={"query": "{ inventoryViewr }"}, headers=headers).text
        assert client.get(graph, headers={"Accept": "text/html"}).status_code == 404
        assert client.get(f"{up.address}/rest/guildwars2/v2/account").status_code == 404
        # Named in the settings, so it is there, for those who may read everything.
        assert client.get(f"{up.address}/metrics", headers=headers).status_code == 403
        assert client.get(f"{up.address}/health/live").status_code == 200
        up.process.send_signal(signal.SIGTERM)
        assert up.process.communicate(timeout=STOPS)[1] == ""


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (["--demo"], "", "a demo is open"),
        ([], "", "nobody could come in"),
        (["--host", "0.0.0.0"], "[access]\nopen = true\n", "is no loopback"),
    ],
)
def test_production_refuses_what_would_be_open_or_closed_to_all(
    folder: Path, run: Run, arguments: list[str], settings: str, message: str
) -> None:
    (folder / "gateway.toml").write_text(settings)
    done = run("serve", "--production", "--port", "0", *arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_a_key_for_no_owners_there_are_is_refused(run: Run) -> None:
    done = run("access-key", "site", "--reads", "nobody")
    assert (done.code, done.out) == (2, "")
    assert "names no owners" in done.err


HEALTH = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Generator[Serving]:
    """Serve with little patience for what is not whole."""
    url = f"sqlite:///{tmp_path_factory.mktemp('hasty')}/gateway.db"
    with serving(until="Serving", GATEWAY_STORE__URL=url, GATEWAY_SERVER__HEAD_TIMEOUT="0.5") as up:
        yield up


@pytest.fixture
def end(hasty: Serving) -> Generator[socket.socket]:
    """Connect to it; whatever is done there, it serves."""
    port = int(hasty.address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as end:
        yield end
    assert httpx.get(f"{hasty.address}/health/live").status_code == 200


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a"])
def test_one_who_does_not_end_the_head_of_a_request_is_cut(end: socket.socket, said: bytes) -> None:
    end.sendall(said)
    assert end.recv(100) == b""


def test_a_connection_that_is_used_again_is_held_to_the_same(end: socket.socket) -> None:
    for _ in range(3):
        end.sendall(HEALTH)
        found = b""
        while not found.endswith(b"}"):
            found += end.recv(10_000)
        assert found.startswith(b"HTTP/1.1 200")
        time.sleep(0.3)
    end.sendall(HEALTH[:30])
    assert end.recv(100) == b""


def test_a_head_without_end_is_not_read_for_ever(end: socket.socket) -> None:
    end.sendall(HEALTH[:-2])
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 1_000:
            end.sendall(b"X: " + b"y" * 1_000 + b"\r\n")
            time.sleep(0.001)
            sent += 1
    assert 30 < sent < 1_000


def test_headers_behind_a_body_are_not_kept(end: socket.socket) -> None:
    end.sendall(HEALTH[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 3_000:
            end.sendall(b"X-%d: " % sent + b"y" * 1_000 + b"\r\n")
            time.sleep(0.0005)
            sent += 1
    assert sent < 3_000


@pytest.mark.parametrize("after", [b"\r\n", b"x"])
def test_what_comes_after_an_answer_keeps_no_connection_open(end: socket.socket, after: bytes) -> None:
    head = HEALTH if after == b"\r\n" else HEALTH[:-2] + b"Content-Length: 99999\r\n\r\n"
    end.sendall(head)
    found = b""
    while not found.endswith(b"}"):
        found += end.recv(10_000)
    end.sendall(after)
    # What is left unread is told the client as a reset.
    with contextlib.suppress(ConnectionResetError):
        assert end.recv(100) == b""


def test_requests_may_follow_each_other_without_waiting(end: socket.socket) -> None:
    count = 4_000
    request = HEALTH[:-2] + b"X-Padding: " + b"z" * 60 + b"\r\n\r\n"
    end.settimeout(10)
    sending = Thread(target=end.sendall, args=(request * count,))
    sending.start()
    found = b""
    while found.count(b"HTTP/1.1 200") < count or not found.endswith(b"}"):
        part = end.recv(1 << 16)
        assert part, found[-200:]
        found += part
    sending.join()
    assert found.count(b"HTTP/1.1 ") == count


def test_each_head_has_its_own_time(end: socket.socket) -> None:
    for _ in range(6):
        # The end of one comes with the beginning of the next.
        end.sendall(HEALTH + HEALTH[:20])
        time.sleep(0.3)
        end.sendall(HEALTH[20:])
        found = b""
        while found.count(b"}") < 2:
            part = end.recv(10_000)
            assert part
            found += part


def test_a_body_may_take_its_time_and_be_sent_in_small_chunks(end: socket.socket) -> None:
    body = b'{"query":"{ __typename }"}'
    end.sendall(
        b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    for place in range(len(body)):
        end.sendall(b"1\r\n" + body[place : place + 1] + b"\r\n")
        time.sleep(0.04)
    end.sendall(b"0\r\n\r\n")
    found = b""
    while not found.endswith(b"}"):
        found += end.recv(10_000)
    assert found.endswith(b'{"data":{"__typename":"Query"}}')
