"""GraphiQL's page: from this origin where it was built, else from a CDN, and each may do no more than it must."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from gateway.http.graphiql import WEB, WELCOME, Page
from gateway.model.manifest import CredentialPart
from gateway.registry import PROVIDERS

MANIFESTS = [provider.manifest for provider in PROVIDERS.values()]
SCRIPT = b"console.log('" + b"long " * 1_000 + b"')"
INDEX = """<!doctype html>
<link rel="stylesheet" href="graphiql/page-1.css" />
<script type="application/json" id="gateway"></script>
<script type="module" src="graphiql/page-1.js"></script>
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder in which a page was built, and where something lies beside the assets."""
    assets = tmp_path / "web" / "dist" / "assets"
    assets.mkdir(parents=True)
    (assets / "page-1.js").write_bytes(SCRIPT)
    (assets / "page-1.css").write_text("body { margin: 0 }")
    (assets / "font-1.woff2").write_bytes(b"wOF2")
    (assets / "strange-1.xyz").write_bytes(b"?")
    (assets.parent / "index.html").write_text(INDEX)
    (assets.parent / "licenses.txt").write_text("MIT")
    return tmp_path / "web"


@pytest.fixture
def fallback(tmp_path: Path) -> Page:
    """Give the page of a folder in which none was built."""
    shutil.copy(WEB / "cdn.html", tmp_path)
    return Page(MANIFESTS, {}, folder=tmp_path)


def client(page: Page) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=Starlette(routes=page.routes())), base_url="http://localhost"
    )


def told(page: Page) -> Any:
    """Read what a page is told, as a browser would: up to what ends the element."""
    found = re.search(rb'<script type="application/json" id="gateway">(.*?)</script', page.html, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def policy(page: Page) -> Mapping[str, list[str]]:
    parts = (part.split() for part in page.headers["Content-Security-Policy"].split(";"))
    return {name: sources for name, *sources in parts}


def test_a_page_that_was_built_is_all_from_here(folder: Path) -> None:
    page = Page(MANIFESTS, {}, folder=folder)
    assert page.is_built
    assert b"https:" not in page.html
    for sources in policy(page).values():
        assert all(source in ("'none'", "'self'", "'unsafe-inline'", "data:") for source in sources)


def test_a_page_runs_no_script_but_those_it_is_made_of(folder: Path, fallback: Page) -> None:
    for page in (Page(MANIFESTS, {}, folder=folder), fallback):
        assert policy(page)["default-src"] == ["'none'"]
        assert "'unsafe-inline'" not in policy(page)["script-src"]
        assert "'unsafe-eval'" not in policy(page)["script-src"]
        assert policy(page)["connect-src"] == ["'self'"]


def test_no_other_page_frames_it_or_learns_its_address(folder: Path, fallback: Page) -> None:
    for page in (Page(MANIFESTS, {}, folder=folder), fallback):
        assert policy(page)["frame-ancestors"] == ["'none'"]
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Vary"] == "Accept"


def test_a_page_knows_the_header_of_every_credential(folder: Path) -> None:
    shown = [
        (part["header"], part["title"])
        for entry in told(Page(MANIFESTS, {}, folder=folder))["credentials"]
        for part in entry["parts"]
    ]
    assert shown == [
        (f"X-Credential-{manifest.key}-{part.key}", part.title)
        for manifest in MANIFESTS
        for part in manifest.credential_parts
    ]


def test_a_page_shows_the_examples_of_those_that_have_some(folder: Path) -> None:
    first, second, *_ = MANIFESTS
    shown = told(Page(MANIFESTS, {second.key: "{ a }"}, folder=folder))["examples"]
    assert shown == [{"provider": second.key, "title": second.title, "text": "{ a }"}]
    assert told(Page([first], {second.key: "{ a }"}, folder=folder))["examples"] == []


def test_nothing_that_a_page_is_told_ends_the_place_where_it_stands(folder: Path) -> None:
    bad = "</script><script>alert(1)</script><!-- & \u2028"
    part = CredentialPart(key="key", title=bad)
    manifest = replace(MANIFESTS[0], title=bad, credential_parts=(part,))
    page = Page([manifest], {manifest.key: bad}, folder=folder)
    assert page.html.count(b"<script") == INDEX.count("<script")
    assert b"<!--" not in page.html
    assert told(page)["credentials"][0]["title"] == bad
    assert told(page)["examples"][0]["text"] == bad


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("page-1.js", "text/javascript; charset=utf-8"),
        ("page-1.css", "text/css; charset=utf-8"),
        ("font-1.woff2", "font/woff2"),
        ("strange-1.xyz", "application/octet-stream"),
    ],
)
async def test_a_file_has_its_type_and_is_kept_for_ever(folder: Path, name: str, media_type: str) -> None:
    async with client(Page(MANIFESTS, {}, folder=folder)) as asked:
        response = await asked.get(f"/graphiql/{name}")
    assert response.status_code == 200
    assert response.content == (folder / "dist" / "assets" / name).read_bytes()
    assert response.headers["content-type"] == media_type
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_file_is_packed_for_those_who_take_that(folder: Path) -> None:
    async with client(Page(MANIFESTS, {}, folder=folder)) as asked:
        for _ in range(2):
            async with asked.stream("GET", "/graphiql/page-1.js", headers={"accept-encoding": "br, gzip"}) as response:
                packed = b"".join([chunk async for chunk in response.aiter_raw()])
            assert response.headers["content-encoding"] == "gzip"
            assert response.headers["vary"] == "Accept-Encoding"
            assert len(packed) < len(SCRIPT) / 10
            assert gzip.decompress(packed) == SCRIPT
        plain = await asked.get("/graphiql/page-1.js", headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.headers["vary"] == "Accept-Encoding"
        assert plain.content == SCRIPT


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "page-2.js",
        "index.html",
        "licenses.txt",
        "../index.html",
        "..%2Findex.html",
        "%2e%2e/index.html",
        "%2e%2e%2findex.html",
        "..%5Cindex.html",
        "page-1.js%00",
        "%2Fetc%2Fpasswd",
        "PAGE-1.JS",
    ],
)
async def test_nothing_but_the_assets_is_served(folder: Path, path: str) -> None:
    app = Starlette(routes=Page(MANIFESTS, {}, folder=folder).routes())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as asked:
        # As it stands: httpx would put dots in order before it asks.
        request = asked.build_request("GET", "/")
        request.url = request.url.copy_with(raw_path=f"/graphiql/{path}".encode())
        assert (await asked.send(request)).status_code == 404


async def test_files_are_only_read(folder: Path) -> None:
    async with client(Page(MANIFESTS, {}, folder=folder)) as asked:
        assert (await asked.head("/graphiql/page-1.js")).status_code == 200
        assert (await asked.post("/graphiql/page-1.js")).status_code == 405


def test_where_no_page_was_built_every_file_of_the_cdn_is_pinned_by_version_and_content(fallback: Page) -> None:
    assert not fallback.is_built
    assert fallback.routes() == []
    elements = re.findall(r'<(?:script|link)\b[^>]*"https:[^>]*>', fallback.html.decode())
    assert len(elements) == fallback.html.count(b"https:") >= 4
    for element in elements:
        assert re.search(r'(?:src|href)="https://[a-z.]+/npm/[a-z-]+@\d+\.\d+\.\d+/[\w./-]+"', element), element
        assert re.search(r'integrity="sha384-[A-Za-z0-9+/]{64}"', element), element
        assert 'crossorigin="anonymous"' in element


def test_where_no_page_was_built_the_policy_names_those_files_and_no_whole_host(fallback: Page) -> None:
    outside = {source for sources in policy(fallback).values() for source in sources if source.startswith("https:")}
    assert outside == set(re.findall(r'"(https:[^"]+)"', fallback.html.decode()))


def test_where_no_page_was_built_its_own_script_is_the_one_that_the_policy_knows(fallback: Page) -> None:
    assert len(re.findall(rb"<script>", fallback.html)) == 1
    assert sum(source.startswith("'sha256-") for source in policy(fallback)["script-src"]) == 1
    assert told(fallback)["query"] == WELCOME
    # Headers are credentials: they go with the tab.
    assert b"storage: sessionStorage" in fallback.html
    assert b"localStorage" not in fallback.html


@pytest.mark.skipif(not (WEB / "dist").is_dir(), reason="the page was not built: `make web`")
async def test_the_page_that_was_built_here_finds_all_that_it_names() -> None:
    page = Page(MANIFESTS, {}, folder=WEB)
    names = re.findall(r'(?:src|href)="graphiql/([^"]+)"', page.html.decode())
    assert len(names) == 2
    async with client(page) as asked:
        for name in names:
            response = await asked.get(f"/graphiql/{name}")
            assert response.status_code == 200
            assert "https://cdn" not in response.text


@pytest.mark.parametrize("name", ["package.json", "package-lock.json"])
def test_what_the_page_is_built_from_is_pinned_and_names_no_registry(name: str) -> None:
    text = (WEB / name).read_text()
    assert '"resolved"' not in text
    wanted = json.loads(text)
    wanted = wanted.get("packages", {"": wanted})[""]
    for version in {**wanted["dependencies"], **wanted["devDependencies"]}.values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
