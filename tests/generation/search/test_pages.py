"""Pages over real HTTP on loopback; every other address that is not public is refused."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any

import httpx
import pytest

from orchestrator.generation.search.pages import Address, PageReader, is_public, main_text
from orchestrator.types.errors import MissingExtraError
from orchestrator.types.searching import SearchHit

HTML = {"content-type": "text/html; charset=utf-8"}
WORDS = "The price of a loaf of bread in Paris rose to 1.20 euros in October 2026, it was said."
PAGE = f"<html><body><article><p>{WORDS}</p></article></body></html>".encode()


class Site:
    """Answers by path: status, headers and body; a body that is a number is seconds to wait."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes | float]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                status, headers, body = site.answers[self.path]
                if isinstance(body, float):
                    time.sleep(body)
                    body = b""
                self.send_response(status)
                for name, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


def loopback(address: Address) -> bool:
    return address == ip_address("127.0.0.1")


READER = PageReader(allow=loopback)


async def texts(*urls: str, reader: PageReader = READER) -> tuple[list[str], str]:
    """The texts of pages, and all notes."""
    hits = [SearchHit("t", url, "s") for url in urls]
    found, notes = await reader.texts(hits, len(hits))
    assert set(found) <= set(urls)
    return list(found.values()), "\n".join(notes)


async def test_the_main_text_of_a_page_is_read(site: Site) -> None:
    site.answers = {"/a": (200, HTML, PAGE), "/b": (200, {"content-type": "text/plain"}, b"plain")}
    assert await texts(site.url("/a"), site.url("/b")) == ([WORDS, "plain"], "")
    asked = dict(site.asked)  # side by side: either may come first
    headers = asked["/a"]
    assert not {"cookie", "authorization", "referer"} & set(headers)
    assert headers["host"] == f"127.0.0.1:{site.port}"
    assert sorted(asked) == ["/a", "/b"]


async def test_only_as_many_pages_as_asked_for_are_fetched(site: Site) -> None:
    site.answers = dict.fromkeys(("/a", "/b"), (200, HTML, PAGE))
    hits = [SearchHit("t", site.url(path), "s") for path in ("/a", "/b")]
    found, notes = await READER.texts(hits, 1)
    assert (list(found), notes) == ([site.url("/a")], ())


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.8.8.8", "localhost", "2130706433", "0x7f.1", "127.1", "0.0.0.0",
        "0.1.2.3", "192.88.99.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "100.100.100.200",
        "168.63.129.16", "192.0.0.192", "198.18.0.1", "192.0.2.1", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "[::1]", "[::]", "[fe80::1]", "[fd00:ec2::254]", "[ff02::1]",
        "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[::127.0.0.1]", "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]", "[2001:0:4136:e378:8000:63bf:3fff:fdd2]", "[2001:db8::1]",
    ],
)  # fmt: skip
async def test_an_address_that_is_not_public_is_refused(host: str) -> None:
    found, notes = await texts(f"http://{host}/", reader=PageReader())
    assert found == []
    assert "which is not a public address" in notes


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1"])
def test_a_public_address_is_allowed(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.2/",
        "http://[::1]/",
        "//10.0.0.1/",
    ],
)
async def test_a_redirect_to_an_address_that_is_not_public_is_refused(
    site: Site, target: str
) -> None:
    site.answers = {"/a": (302, {"location": target}, b"")}
    found, notes = await texts(site.url("/a"))
    assert found == []
    assert "which is not a public address" in notes


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "gopher://a/", "javascript:1", "http://u:p@127.0.0.1/"]
)
async def test_a_redirect_to_what_is_not_a_plain_web_address_is_refused(
    site: Site, target: str
) -> None:
    site.answers = {"/a": (301, {"location": target}, b"")}
    found, notes = await texts(site.url("/a"))
    assert found == []
    assert "is not a plain http(s) address" in notes


async def test_redirects_are_followed_and_counted(site: Site) -> None:
    site.answers = {
        "/a": (302, {"location": "/b"}, b""),
        "/b": (200, HTML, PAGE),
        "/loop": (302, {"location": "/loop"}, b""),
    }
    found, notes = await texts(site.url("/a"), site.url("/loop"))
    assert found == [WORDS]
    assert "more than 4 redirects" in notes
    assert sum(path == "/loop" for path, _ in site.asked) == 5


async def test_a_name_is_looked_up_once_and_connected_to_what_was_checked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[object] = []

    def rebinding(host: str, port: int, *_: object, **__: object) -> list[object]:
        """Public the first time, private from then on."""
        looked_up.append(host)
        address = "127.0.0.1" if len(looked_up) == 1 else "10.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    site.answers = {"/a": (200, HTML, PAGE), "/again": (302, {"location": "/a"}, b"")}
    assert await texts(site.url("/a", "news.example")) == ([WORDS], "")
    assert looked_up == ["news.example"]
    assert site.asked[0][1]["host"] == f"news.example:{site.port}"
    looked_up.clear()
    found, notes = await texts(site.url("/again", "news.example"))
    assert found == []
    assert "news.example is at 10.0.0.1, which is not a public address" in notes


async def test_a_name_with_one_private_address_among_others_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def both(host: str, port: int, *_: object, **__: object) -> list[object]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ("127.0.0.1", "192.168.0.1")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    found, notes = await texts(site.url("/a", "news.example"))
    assert found == []
    assert "192.168.0.1" in notes
    assert site.asked == []


async def test_the_certificate_is_of_the_name_and_not_of_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [entry])
    request = await READER._request(httpx.URL("https://b\u00fccher.example/x?y#z"))
    assert str(request.url) == "https://127.0.0.1/x?y"
    assert request.headers["host"] == request.extensions["sni_hostname"] == "xn--bcher-kva.example"


async def test_a_bomb_is_stopped_after_decompression(site: Site) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    whole = gzip.compress(PAGE)
    zipped = {**HTML, "content-encoding": "gzip"}
    site.answers = {
        "/bomb": (200, zipped, bomb),
        "/long": (200, HTML, b"x" * 2_000_001),
        "/ok": (200, zipped, whole),
        "/lie": (200, zipped, PAGE),
    }
    found, notes = await texts(*map(site.url, site.answers))
    assert found == [WORDS]
    assert notes.count("it is longer than 2,000,000 bytes") == 2
    assert "it is not gzip" in notes


async def test_a_bomb_that_calls_itself_text_is_not_unpacked(site: Site) -> None:
    said = b"<p>The price of bread number %d rose to 3 euros.</p>"
    words = b"".join(said % n for n in range(25_000))
    site.answers = {
        "/bomb": (200, HTML, gzip.compress(b"<html><body>" + words)),
        "/plain": (200, {"content-type": "text/plain"}, gzip.compress(words)),
    }
    found, _ = await texts(*map(site.url, site.answers))
    assert not any("price of bread" in one for one in found)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain; charset=ISO-8859-1", "Das Brötchen kostet 1 £, naïve".encode("latin-1")),
        ("text/plain; charset=iso-8859-1", "Das Brötchen kostet 1 £, naïve".encode()),
        ("text/plain; charset=zlib", "Das Brötchen kostet 1 £, naïve".encode()),
        ("text/html; charset=windows-1252", PAGE.replace(b"loaf", "Brötchen".encode("cp1252"))),
        ("text/html; charset=windows-1252", PAGE.replace(b"loaf", "Brötchen".encode())),
        ("text/html; charset=utf-8", PAGE.replace(b"loaf", "Brötchen".encode())),
    ],
)
def test_a_charset_is_believed_where_it_fits(kind: str, body: bytes) -> None:
    assert "Brötchen" in main_text(body, kind)


async def test_a_server_that_drips_or_never_ends_its_headers_is_left() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readline()).split()[1]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n")
        await reader.readuntil(b"\r\n\r\n")
        left = asyncio.create_task(reader.read())
        with contextlib.suppress(ConnectionError):
            while not left.done():
                writer.write(b"X-A: " + b"a" * 9_000 + b"\r\n" if path == b"/big" else b"\r\na")
                await writer.drain()
                await asyncio.sleep(0.001 if path == b"/big" else 0.05)
        writer.close()
        ended.append(path)

    ended: list[bytes] = []
    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        urls = [f"http://127.0.0.1:{port}/{path}" for path in ("big", "slow")]
        found, notes = await texts(*urls, reader=PageReader(2.0, allow=loopback))
        while len(ended) < 2:
            await asyncio.sleep(0.01)
    assert found == []
    assert notes.count("not read") == 2
    assert "no answer within 2 s" in notes


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((404, HTML, b""), "status 404"),
        ((200, {"content-type": "application/pdf"}, b"%PDF"), "its type is 'application/pdf'"),
        ((200, {}, b"x"), "its type is ''"),
        ((200, {**HTML, "content-encoding": "br"}, b"x"), "its encoding is 'br'"),
        ((200, HTML, b"<html></html>"), "no text in it"),
        ((200, HTML, b""), "no text in it"),
        (
            (200, HTML, PAGE.replace(b"</p>", b"</p>" + b"<p>x</p>" * 31_000)),
            "elements, more than 30,000",
        ),
        ((200, HTML, 3.0), "no answer within 2 s"),
    ],
)
async def test_a_page_without_text_says_why(
    site: Site, answer: tuple[int, dict[str, str], bytes | float], why: str
) -> None:
    site.answers = {"/a": answer}
    found, notes = await texts(site.url("/a"), reader=PageReader(2.0, allow=loopback))
    assert found == []
    assert why in notes
    assert "\n" not in notes


@pytest.mark.parametrize(
    "url", ["http://", "http://[::", "http://\u202e.example/", "x", "http://a b/"]
)
async def test_an_address_that_cannot_be_read_is_a_note(url: str) -> None:
    found, notes = await texts(url)
    assert found == []
    assert notes


async def test_a_server_that_is_not_there_is_a_note() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        found, notes = await texts(f"http://127.0.0.1:{free.getsockname()[1]}/")
    assert (found, "not read" in notes) == ([], True)


async def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with pytest.raises(MissingExtraError, match="Page text needs the extra 'search'"):
        await texts("https://a.example/")


@pytest.mark.parametrize(
    "style",
    [
        "display:none", "visibility: hidden", "opacity:0", "opacity:.0", "font-size:0",
        "font-size:0px", "text-indent:-9999px", "color:#fff", "color: white;",
        "color:#FFFFFF;background:#fff",
        "color:rgba(255,255,255,1)", "color:transparent", "height:0;overflow:hidden",
    ],
)  # fmt: skip
def test_text_that_is_not_seen_does_not_count(style: str) -> None:
    hidden = f'<p style="{style}">Nobody sees this sentence here.</p>'
    ruled = f"<style>p.h, #i {{ {style} }}</style>"
    for body in (
        hidden,
        f'{ruled}<p class="a h">Nobody sees this.</p><p id="i">Nobody sees this.</p>',
        "<p hidden>Nobody sees this.</p><template><p>Nobody sees this.</p></template>",
    ):
        page = f"<html><body><article><p>{WORDS}</p>{body}</article></body></html>"
        assert main_text(page.encode(), "text/html") == WORDS


@pytest.mark.parametrize(
    "style",
    ["color:#fff;background:#000", "opacity:0.5", "font-size:0.9em", "color:#fffaf0", "left:-3px"],
)
def test_text_that_is_seen_counts(style: str) -> None:
    page = f'<html><body><article><p style="{style}">{WORDS}</p></article></body></html>'
    assert main_text(page.encode(), "text/html") == WORDS


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"<" * 5000, b"<div>" * 20_000, b"\0" * 100, b"<!--", b"{}"]
)
def test_a_page_that_is_not_html_is_read_or_is_empty(body: bytes) -> None:
    assert isinstance(main_text(body, "text/html"), str)
