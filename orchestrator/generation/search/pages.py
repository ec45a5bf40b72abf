"""Page texts over http(s), from public addresses only."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from orchestrator.types.errors import MissingExtraError
from orchestrator.types.searching import SearchHit
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    import httpx

Address = IPv4Address | IPv6Address

MOST_REDIRECTS = 4
MOST_ELEMENTS = (
    30_000  # of a page; trafilatura 2.3 takes 4 s for them, and four times that for twice
)
_TYPES = ("text/html", "application/xhtml+xml", "text/plain")
_GLOBAL_V6 = ip_network("2000::/3")
# Public to Python, or to some versions of it: protocol assignments (Oracle's metadata among them),
# the relay of 6to4, Azure's metadata, and the tunnels that hold an IPv4 address.
_SPECIAL = [
    ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16", "2001::/23", "2002::/16")
]
_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; gmn-orchestrator)",
    "Accept": "text/html, text/plain;q=0.9",
    "Accept-Encoding": "gzip",
}


class _Refused(Exception):
    """Why a page has no text."""


def is_public(address: Address) -> bool:
    """Whether an address is of the open internet: not private, loopback, link-local, shared by a
    carrier, multicast, reserved, a cloud's metadata, or an IPv4 address inside an IPv6 one."""
    if address.version == 6 and address not in _GLOBAL_V6:
        return False
    is_special = address.is_multicast or address.is_reserved
    return address.is_global and not is_special and not any(address in net for net in _SPECIAL)


@dataclass(frozen=True)
class PageReader:
    """Fetches pages and takes their main text.

    Attributes:
        timeout_s: seconds for all pages together.
        most_bytes: of one page, after decompression.
        allow: which addresses may be connected to. Tests that serve pages on loopback set it, no
            setting does.
    """

    timeout_s: float = 10.0
    most_bytes: int = 2_000_000
    allow: Callable[[Address], bool] = is_public

    async def texts(
        self, hits: Sequence[SearchHit], count: int
    ) -> tuple[dict[str, str], tuple[str, ...]]:
        """Texts of the first `count` pages by address, and a note on each that has none.

        Raises: MissingExtraError: the extra `search` is not installed.
        """
        urls = [hit.url for hit in hits[:count]]
        await asyncio.to_thread(_extractor)
        made = await asyncio.gather(*(self._text(url) for url in urls))
        texts = {url: text for url, (text, _) in zip(urls, made, strict=True) if text}
        return texts, tuple(note for _, note in made if note)

    async def _text(self, url: str) -> tuple[str, str]:
        import httpx  # noqa: PLC0415  slow to import, and most requests fetch no page

        try:
            async with asyncio.timeout(self.timeout_s):
                body, kind = await self._body(url)
                text = await asyncio.to_thread(main_text, body, kind)
        except TimeoutError:
            why = f"no answer within {self.timeout_s:g} s"
        except (_Refused, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            why = str(error) or type(error).__name__
        else:
            if text:
                return text, ""
            why = "no text in it"
        return "", visible(f"page {url} not read: {why}")

    async def _body(self, url: str) -> tuple[bytes, str]:
        """The bytes of a page, redirects followed, and its content type.

        Raises: _Refused, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError: there are none.
        """
        import httpx  # noqa: PLC0415  as above

        # No pool: a connection is to the address that was checked for one name. No proxy either,
        # which would look the name up for itself.
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncHTTPTransport(trust_env=False, limits=limits) as transport:
            at = httpx.URL(url)
            for _ in range(MOST_REDIRECTS + 1):
                answer = await transport.handle_async_request(await self._request(at))
                try:
                    if not answer.has_redirect_location:
                        return await self._read(answer), answer.headers.get("content-type", "")
                    at = at.join(answer.headers["location"])
                finally:
                    await answer.aclose()
        raise _Refused(f"more than {MOST_REDIRECTS} redirects")

    async def _request(self, url: httpx.URL) -> httpx.Request:
        """The request, to the address that the name has now: it is not looked up again."""
        import httpx  # noqa: PLC0415  as above

        if url.scheme not in ("http", "https") or not url.host or url.userinfo:
            raise _Refused(f"{url!s} is not a plain http(s) address")
        port = url.port or (443 if url.scheme == "https" else 80)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(url.raw_host.decode(), port, type=socket.SOCK_STREAM)
        addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        if refused := [one for one in addresses if not self.allow(one)]:
            raise _Refused(f"{url.host} is at {refused[0]}, which is not a public address")
        return httpx.Request(
            "GET",
            url.copy_with(host=str(addresses[0]), fragment=None),
            headers={**_HEADERS, "Host": url.netloc.decode()},
            extensions={
                "sni_hostname": url.raw_host.decode(),
                "timeout": httpx.Timeout(self.timeout_s).as_dict(),
            },
        )

    async def _read(self, answer: httpx.Response) -> bytes:
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if answer.status_code != 200:
            raise _Refused(f"status {answer.status_code}")
        if kind not in _TYPES:
            raise _Refused(f"its type is {kind!r}, not text")
        coding = answer.headers.get("content-encoding", "identity").lower()
        if coding not in ("gzip", "identity"):
            raise _Refused(f"its encoding is {coding!r}, which was not asked for")
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16) if coding == "gzip" else None
        body = b""
        async for piece in answer.aiter_raw():
            try:
                # At most a byte too many, however much the piece would become.
                most = self.most_bytes + 1 - len(body)
                body += unpacker.decompress(piece, most) if unpacker else piece[:most]
            except zlib.error as error:
                raise _Refused(f"it is not gzip: {error}") from error
            if len(body) > self.most_bytes:
                raise _Refused(f"it is longer than {self.most_bytes:,} bytes")
        return body


def _extractor() -> Any:
    try:
        import trafilatura  # noqa: PLC0415  an extra
    except ImportError as error:  # of lxml_html_clean too, which lxml no longer brings
        raise MissingExtraError("Page text", "search") from error
    # It logs each page that is not HTML as an error; here that is a note.
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    return trafilatura


# Codecs that read text and nothing else.
_CHARSET = re.compile(
    r"charset=[\"']?((?:iso-8859-|windows-125|latin|koi8-|gb|big5|shift_jis|euc-)[\w-]*)", re.I
)


def _decoded(body: bytes, content_type: str) -> str:
    """The text of a body: UTF-8, else what the server names, else what it looks like."""
    from trafilatura.utils import decode_file  # noqa: PLC0415  an extra

    with contextlib.suppress(UnicodeDecodeError):
        return body.decode()
    with contextlib.suppress(UnicodeDecodeError, LookupError):
        if named := _CHARSET.search(content_type):
            return body.decode(named[1])
    # It would unpack what is packed, up to a bound of its own.
    return str(decode_file(body, max(len(body), 1)))


# What is seen simply: style attributes, and rules of one class or id in the page itself.
_HIDES = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*+:\s*+0?+\.?+0{0,9}+\s*+(?:;|!|$)"
    r"|font-size\s*+:\s*+0{0,9}+\.?+0{0,9}+\s*+(?:px|pt|r?em|%|;|!|$)"
    r"|(?:left|top|text-indent)\s*:\s*-\d{3,}"
    r"|(?:^|;)\s*(?:max-)?(?:height|width)\s*:\s*0\s*(?:px|;|!|$)",
    re.I,
)
_WHITE = r"(?:#fff(?:fff)?\b|white\b|rgba?\(\s*255\s*,\s*255\s*,\s*255\b[^)]{0,20}\)|transparent\b)"
_WHITE_TEXT = re.compile(rf"(?:^|;)\s*color\s*:\s*{_WHITE}", re.I)
_BACKGROUND = re.compile(rf"background(?:-color|-image)?\s*:\s*(?!\s|{_WHITE})", re.I)
_NAMED = re.compile(r"\s*[\w-]*([.#])([\w-]+)\s*")


def is_hiding(style: str) -> bool:
    """Whether a style hides text: not shown, too small, out of sight or white on white."""
    is_white = _WHITE_TEXT.search(style) and not _BACKGROUND.search(style)
    return bool(is_white or _HIDES.search(style))


def main_text(body: bytes, content_type: str) -> str:
    """The main text of a page, without what its readers do not see.

    Raises: ValueError: it has more than `MOST_ELEMENTS`.
    """
    extractor = _extractor()
    text = _decoded(body, content_type)
    if content_type.startswith("text/plain"):
        return text
    tree = extractor.load_html(text)
    if tree is None:
        return ""
    elements = list(tree.iter("*"))
    if len(elements) > MOST_ELEMENTS:
        raise ValueError(f"it has {len(elements):,} elements, more than {MOST_ELEMENTS:,}")
    hidden = {
        named.groups()
        for style in tree.iter("style")
        for rule in (style.text or "").split("}")
        if is_hiding(rule.rpartition("{")[2])
        for name in rule.rpartition("{")[0].rpartition("{")[2].split(",")
        if (named := _NAMED.fullmatch(name))
    }
    for element in elements:
        classes = {(".", name) for name in (element.get("class") or "").split()}
        if (
            element.tag in ("template", "noscript")
            or element.get("hidden") is not None
            or element.get("aria-hidden") == "true"
            or is_hiding(element.get("style") or "")
            or (classes | {("#", element.get("id"))}) & hidden
        ) and element.getparent() is not None:
            element.drop_tree()
    return str(
        extractor.extract(tree, include_comments=False, include_images=False, deduplicate=False)
        or ""
    )
