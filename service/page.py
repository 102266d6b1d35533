"""The page for people: GET / and its files, out of `web/`."""

import gzip
import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import Response

from service.errors import NotFound

FOLDER = Path(__file__).parent / "web"
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

# Nothing inline, nothing from other hosts, nobody's frame; no string becomes markup or code.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    # The text of a shared link is in the fragment, which no referrer holds; nor the rest.
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
}
_ASK_AGAIN = "no-cache"
_KEEP = "public, max-age=31536000, immutable"


class File:
    """One file, as it is sent: read, hashed and compressed once."""

    def __init__(self, content: bytes, media_type: str) -> None:
        self.content = content
        self.compressed = gzip.compress(content, mtime=0)
        self.etag = f'"{_digest(content)}"'
        self.media_type = f"{media_type}; charset=utf-8"

    def answer(self, request: Request, caching: str) -> Response:
        """The file, or that the browser's own copy is still good."""
        headers = {**_HEADERS, "Cache-Control": caching, "ETag": self.etag}
        if self.etag in _tags(request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        content = self.content
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            content = self.compressed
        return Response(content, headers=headers, media_type=self.media_type)


def add_page(app: FastAPI) -> None:
    """Let `app` answer GET / with the page, and GET /web/… with what it loads.

    The address of a file holds a hash of all files: a browser keeps them for
    good and still gets every new release whole, since modules import each
    other by relative addresses.
    """
    files = {
        path.name: File(path.read_bytes(), MEDIA_TYPES[path.suffix])
        for path in sorted(FOLDER.iterdir())
        if path.suffix in MEDIA_TYPES
    }
    release = _release(files)
    page = (FOLDER / "index.html").read_text(encoding="utf-8").replace("{release}", release)
    index = File(page.encode(), "text/html")

    @app.get("/", include_in_schema=False)
    async def root(request: Request) -> Response:
        return index.answer(request, _ASK_AGAIN)

    @app.get("/web/{of}/{name}", include_in_schema=False)
    async def file(of: str, name: str, request: Request) -> Response:
        if name not in files:
            raise NotFound
        # While replicas of two releases serve, a page of one may ask the other for its files.
        return files[name].answer(request, _KEEP if of == release else _ASK_AGAIN)


def _release(files: Mapping[str, File]) -> str:
    return _digest("".join(file.etag for file in files.values()).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _tags(header: str) -> Iterator[str]:
    yield from re.findall(r'"[^"]*"', header)
