"""The GraphiQL page that browsers get at the address of the graph, and the files that it is made of."""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.model.manifest import Manifest

WEB = Path(__file__).parents[1] / "web"
"""The folder of the page; its `dist` is there where `make web` was run, or before the package was made."""

FROM_CDN = "GraphiQL was not built, so browsers get it from a CDN: run `make web` to serve it from here"
"""What to tell at the start where `Page.is_built` is not."""

WELCOME = """\
# The inventories of several services,
# in one graph.
#
# Ctrl-Enter runs what is written here.
# Ctrl-Space shows what could be written.
# The book on the left tells what it means.

query Welcome {
  inventoryProviders {
    title
    backend
    capabilities
  }
  inventoryViewer {
    owners {
      provider
      key
      name
      inventory {
        containers(first: 5) {
          nodes { name kind capacity }
        }
      }
    }
  }
}
"""
"""What somebody finds who was never here; it is good for any providers, and needs no credential."""

_PLACE = '<script type="application/json" id="gateway">'

_MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
"""Told here: what a machine says of endings differs, and a browser runs no script of another type."""

_TEXT = frozenset({".css", ".js", ".svg"})

_NAMED_BY_CONTENT = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


class Page:
    """The page, filled in for one gateway.

    It needs the providers' manifests, for the headers of their credentials, and their example operations by key.
    Where it was not built, the page takes GraphiQL from a CDN, and then knows no examples.
    """

    def __init__(self, manifests: Iterable[Manifest], examples: Mapping[str, str], *, folder: Path = WEB) -> None:
        index = folder / "dist" / "index.html"
        self.is_built = index.is_file()
        """Whether the page and all that it needs come from this gateway."""
        template = (index if self.is_built else folder / "cdn.html").read_text("utf-8")
        self.html = template.replace(_PLACE, _PLACE + _config(manifests, examples), 1).encode()
        """The page, to be answered to browsers at the address of the graph."""
        self.headers: Mapping[str, str] = {
            "Content-Security-Policy": _policy(template),
            "Referrer-Policy": "no-referrer",
            "Vary": "Accept",
            "X-Frame-Options": "DENY",
        }
        """The headers that go with it."""
        assets = (folder / "dist" / "assets").iterdir() if self.is_built else ()
        self._assets = {path.name: _Asset(path) for path in assets}

    def routes(self) -> list[Route]:
        """List the addresses of the page's files; only those that are there at the start are ever served."""
        return [Route("/graphiql/{name}", self._serve)] if self.is_built else []

    async def _serve(self, request: Request) -> Response:
        asset = self._assets.get(request.path_params["name"])
        return Response(status_code=404) if asset is None else await asset.answer(request)


class _Asset:
    """One file whose name changes with its content, read and packed when it is first asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._media_type = _MEDIA_TYPES.get(path.suffix, "application/octet-stream")

    async def answer(self, request: Request) -> Response:
        """Answer it, packed for those who take that."""
        if self._path.suffix not in _TEXT:
            content = await run_in_threadpool(self._path.read_bytes)
            return Response(content, media_type=self._media_type, headers=_NAMED_BY_CONTENT)
        headers = {**_NAMED_BY_CONTENT, "Vary": "Accept-Encoding"}
        packed = await run_in_threadpool(lambda: self._packed)
        if "gzip" not in request.headers.get("accept-encoding", ""):
            content = await run_in_threadpool(gzip.decompress, packed)
            return Response(content, media_type=self._media_type, headers=headers)
        return Response(packed, media_type=self._media_type, headers={**headers, "Content-Encoding": "gzip"})

    @functools.cached_property
    def _packed(self) -> bytes:
        return gzip.compress(self._path.read_bytes(), mtime=0)


def _config(manifests: Iterable[Manifest], examples: Mapping[str, str]) -> str:
    """Write what the page is told, as JSON that ends no element of the page whatever it says."""
    told = list(manifests)
    config = {
        "query": WELCOME,
        "credentials": [
            {
                "provider": manifest.key,
                "title": manifest.title,
                "parts": [
                    {"header": f"X-Credential-{manifest.key}-{part.key}", "title": part.title}
                    for part in manifest.credential_parts
                ],
            }
            for manifest in told
            if manifest.credential_parts
        ],
        "examples": [
            {"provider": manifest.key, "title": manifest.title, "text": examples[manifest.key]}
            for manifest in told
            if manifest.key in examples
        ],
    }
    return json.dumps(config).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _policy(template: str) -> str:
    """Allow a page what it is made of: its own origin, the very files of others that it names, its inline script."""
    scripts = re.findall(r'<script\b[^>]*\bsrc="(https:[^"]+)"', template)
    styles = re.findall(r'<link\b[^>]*\bhref="(https:[^"]+)"', template)
    inline = [
        "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for text in re.findall(r"<script>(.*?)</script>", template, re.DOTALL)
    ]
    directives = {
        "default-src": ["'none'"],
        "script-src": ["'self'", *scripts, *inline],
        "worker-src": ["'self'"],
        "connect-src": ["'self'"],
        # The editor makes its styles, with the theme's colours, while it runs.
        "style-src": ["'self'", "'unsafe-inline'", *styles],
        "font-src": ["'self'", "data:"],
        # Of none but this origin: a picture that a result names would tell its host who looks at what.
        "img-src": ["'self'", "data:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
    return "; ".join(" ".join([name, *sources]) for name, sources in directives.items())
