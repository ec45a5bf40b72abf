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

KEYS: list[str | None] = []


class _Other(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        KEYS.append(self.headers["Idempotency-Key"])
        if self.path.startswith("/gone"):  # after the message, before an answer
            return
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


def test_a_message_whose_answer_was_lost_is_sent_again_as_the_same_turn(
    other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    KEYS.clear()
    given = ["client", "--message", "hi", "--url", f"{other}/gone"]
    assert main(given) == 2
    said = capsys.readouterr().err
    assert "got the message and gave no answer" in said
    key = said.split()[-1]
    assert main([*given, "--idempotency-key", key]) == 2
    assert [key, key] == KEYS
    assert main([*given, "--mode", "direct"]) == 2
    assert "it may be paid twice" in capsys.readouterr().err


def test_a_service_on_this_machine_is_asked_without_a_proxy(
    other: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert main(["client", "--message", "hi", "--url", f"{other}/other"]) == 2
    assert "is another service" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--idempotency-key", "caf\u00e9"], "--idempotency-key holds what no header can"),
        (["--idempotency-key", "a\nb"], "--idempotency-key holds what no header can"),
        (["--mode", "direct", "--idempotency-key", "a"], "no turn to be sent twice"),
    ],
)
def test_what_cannot_be_sent_is_said_to_be_so(
    other: str, more: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["client", "--message", "hi", "--url", f"{other}/other", *more]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["inf", "0", "-1", "nan", "soon"])
def test_a_time_that_nobody_can_wait_is_refused(
    seconds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["client", "--message", "hi", "--timeout", seconds])
    assert "is not seconds" in capsys.readouterr().err


def test_a_key_that_no_header_holds_is_said_without_showing_it(
    other: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_KEY", "secret\n")
    assert main(["client", "--message", "hi", "--url", f"{other}/other"]) == 2
    said = capsys.readouterr().err
    assert "ORCHESTRATOR_KEY holds what no header can" in said
    assert "secret" not in said
