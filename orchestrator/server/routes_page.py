"""The page: files that travel with the package; no key is needed to read them."""

from __future__ import annotations

import functools
import gzip
import hashlib
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from orchestrator.server.gate import PAGE_PATHS

router = APIRouter(include_in_schema=False)

_BUILT = Path(__file__).parent / "page" / "built"
_KINDS = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
          ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}  # fmt: skip
#: Nothing but the page's own files, and nothing inside of a line: neither scripts nor styles.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class _File(NamedTuple):
    """A file as it is sent."""

    plain: bytes
    compressed: bytes
    tag: str
    kind: str


@functools.cache
def _file(name: str) -> _File:
    plain = (_BUILT / name).read_bytes()
    tag = f'"{hashlib.sha256(plain).hexdigest()[:20]}"'
    return _File(plain, gzip.compress(plain, 9, mtime=0), tag, _KINDS[Path(name).suffix])


def _answer(name: str, request: Request) -> Response:
    file = _file(name)
    headers = {"ETag": file.tag, "Cache-Control": "no-cache", "Content-Security-Policy": _POLICY,
               "Vary": "Accept-Encoding"}  # fmt: skip
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    body = file.plain
    if "gzip" in request.headers.get("accept-encoding", ""):
        body = file.compressed
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type=file.kind, headers=headers)


@router.get("/")
def page(request: Request) -> Response:
    """The page."""
    return _answer("index.html", request)


@router.get("/page/{name}")
def part(name: str, request: Request) -> Response:
    """A file of the page; the gate asks for a key where there is none of this name."""
    return _answer(name, request) if f"/page/{name}" in PAGE_PATHS else Response(status_code=404)
