"""`orchestrator client` and what may be at the address that it is given."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from orchestrator.cli.main import main

pytestmark = pytest.mark.may_block
ANSWERS = {
    "/html": b"<html>", "/list": b"[1]", "/other": b'{"status": "ok"}', "/bytes": b"\xff\xfe\xfa",
}  # fmt: skip


class _Other(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = ANSWERS[self.path.removesuffix("/api/llm/interact")]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def other() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("path", ANSWERS)
def test_another_service_is_said_to_be_one(
    other: str, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["client", "--message", "hi", "--url", other + path]) == 2
    assert "is another service" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["nonsense", "ftp://x", "http://[::1"])
def test_what_is_no_address_is_said_to_be_none(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["client", "--message", "hi", "--url", url]) == 2
    assert "is not an address" in capsys.readouterr().err
