"""What a stranger's text, or a stranger's client, can do to an editor and its server."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed

from orchestrator.server.lsp.connection import MOST_WAITING
from tests.security.test_terminal import DOCUMENTS, driving
from tests.support.documents import GOOD, swapped
from tests.support.lsp import INITIALIZE, URI, Socket
from tests.support.service import Served, served, service_config
from tests.support.wire import WireServer

pytestmark = pytest.mark.may_block


@pytest.fixture(scope="module")
def running(wire_server: WireServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(service_config(wire_server.base, tmp_path_factory.mktemp("editor"))) as made:
        yield made


def positions(text: str) -> Iterator[dict[str, int]]:
    for number, line in enumerate(text.split("\n")[:40]):
        for character in range(0, min(len(line), 200), 9):
            yield {"line": number, "character": character}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_text_puts_hidden_characters_into_what_an_editor_shows(
    running: Served, name: str
) -> None:
    text, this = DOCUMENTS[name], {"uri": URI}
    with Socket(running.port) as editor:
        editor.begin()
        said = [one["message"] for one in editor.open(text)]
        for place in list(positions(text))[:40]:
            where = {"textDocument": this, "position": place}
            hover = editor.ask("textDocument/hover", where)["result"]
            said.append(hover["contents"]["value"] if hover else "")
            found = editor.ask("textDocument/completion", where)["result"]["items"]
            said += [one["label"] + one.get("detail", "") for one in found]
        whole = {"start": {"line": 0, "character": 0}, "end": {"line": 999, "character": 0}}
        asked = {"textDocument": this, "range": whole, "context": {"diagnostics": []}}
        said += [one["title"] for one in editor.ask("textDocument/codeAction", asked)["result"]]
        hints = {"textDocument": this, "range": whole}
        said += [one["label"] for one in editor.ask("textDocument/inlayHint", hints)["result"]]
        for lens in editor.ask("textDocument/codeLens", {"textDocument": this})["result"]:
            said.append(editor.ask("codeLens/resolve", lens)["result"]["command"]["title"])
    assert [one for one in said if driving(one)] == []


@pytest.mark.parametrize(
    "params",
    [
        None, 3, [], {}, {"textDocument": 3}, {"textDocument": {"uri": "x"}},
        {"textDocument": {"uri": URI}, "position": {"line": -1, "character": -5}},
        {"textDocument": {"uri": URI}, "position": {"line": 10**30, "character": 10**30}},
        {"textDocument": {"uri": URI}, "position": {"line": "a", "character": None}},
        {"textDocument": {"uri": URI}, "contentChanges": [{"range": {}, "text": 3}]},
        {"type_name": "__class__", "jsonrpc": "2.0", "id": {"a": 1}},
    ],
)  # fmt: skip
def test_odd_arguments_are_refused_or_answered_and_the_editor_goes_on(
    running: Served, params: object
) -> None:
    methods = (
        "textDocument/hover", "textDocument/completion", "textDocument/rename",
        "textDocument/codeAction", "textDocument/inlayHint", "codeLens/resolve",
        "workspace/executeCommand", "workspace/didChangeWorkspaceFolders", "$/cancelRequest",
        "$/setTrace", "window/workDoneProgress/cancel", "notebookDocument/didOpen", "strange",
        "textDocument/didOpen", "textDocument/didChange", "textDocument/didClose",
    )  # fmt: skip
    with Socket(running.port) as editor:
        editor.begin()
        assert editor.open(GOOD) == []
        for number, method in enumerate(methods):
            said = {"jsonrpc": "2.0", "method": method, "params": params}
            editor.wire.send(json.dumps({**said, "id": f"x{number}"}))
            editor.wire.send(json.dumps(said))
        editor.say("textDocument/didChange", {
            "textDocument": {"uri": URI, "version": 7}, "contentChanges": [{"text": GOOD}],
        })  # fmt: skip
        where = {"textDocument": {"uri": URI}, "position": {"line": 2, "character": 12}}
        shown = json.dumps(editor.heard)
        editor.ask("textDocument/hover", where)
        shown += json.dumps(editor.heard)
        assert "Traceback" not in shown
        assert '"traceback"' not in shown
        assert "site-packages" not in shown


def test_a_client_that_asks_without_end_waits_and_others_are_served(running: Served) -> None:
    slow = swapped("horizon: 2", "horizon: 7").replace(
        "type: explorer", 'type: explorer metadata: {expect: "pos=c within 9999"}'
    )
    with Socket(running.port) as greedy, Socket(running.port) as other:
        greedy.begin(), other.begin()
        greedy.open(slow)
        (lens,) = greedy.ask("textDocument/codeLens", {"textDocument": {"uri": URI}})["result"]
        for number in range(4 * MOST_WAITING):
            said = {"id": f"x{number}", "method": "codeLens/resolve", "params": lens}
            greedy.wire.send(json.dumps({"jsonrpc": "2.0", **said}))
        began = time.monotonic()
        assert other.open(GOOD) == []
        assert time.monotonic() - began < 60
    with running.client() as http:
        assert http.get("/readyz").status_code == 200


def test_a_client_cannot_have_a_file_read_or_a_program_started(running: Served) -> None:
    with Socket(running.port) as editor:
        can = editor.begin()
        assert not can.get("executeCommandProvider", {}).get("commands")
        for uri in ("file:///etc/passwd", "http://127.0.0.1:1/x", "../../etc/passwd"):
            where = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 0}}
            found = editor.ask("textDocument/hover", where)
            assert "is not open" in found["error"]["message"]
        ran = {"command": "sh", "arguments": ["-c", "true"]}
        assert "error" in editor.ask("workspace/executeCommand", ran)


def test_a_client_that_leaves_leaves_no_work_behind(running: Served) -> None:
    slow = swapped("horizon: 2", "horizon: 7").replace(
        "type: explorer", 'type: explorer metadata: {expect: "pos=c within 9999"}'
    )
    for _ in range(3):
        with Socket(running.port) as editor:
            editor.begin()
            editor.open(slow)
            (lens,) = editor.ask("textDocument/codeLens", {"textDocument": {"uri": URI}})["result"]
            said = {"jsonrpc": "2.0", "id": "x", "method": "codeLens/resolve", "params": lens}
            editor.wire.send(json.dumps(said))
    gate = running.app
    for _ in range(200):
        if not gate._sockets:
            break
        time.sleep(0.05)
    assert gate._sockets == 0


def test_a_message_that_is_cut_into_frames_without_end_has_the_same_bound(
    running: Served,
) -> None:
    with Socket(running.port) as editor:
        editor.begin()
        parts = (b"x" * 65_536 for _ in range(64))
        with contextlib.suppress(ConnectionClosed):
            editor.wire.send(part.decode() for part in parts)
        with pytest.raises(ConnectionClosed):
            editor.wire.recv(timeout=60)
        assert editor.wire.close_code in (1009, 1006)


def test_a_client_that_takes_nothing_is_cut_off(
    running: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.server.gate._READ_S", 0.5)
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}
    item = {"uri": URI, "languageId": "gmn", "version": 1, "text": "x " * 30_000}
    opened = {"method": "textDocument/didOpen", "params": {"textDocument": item}}
    where = {"textDocument": {"uri": "x" * 50_000}, "position": {"line": 0, "character": 0}}
    asked = {"method": "textDocument/hover", "params": where}
    with socket.create_connection(("127.0.0.1", running.port)) as there:
        there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        there.sendall(UPGRADE)
        there.settimeout(5)
        assert there.recv(12) == b"HTTP/1.1 101"
        with contextlib.suppress(OSError):  # it is closed, or takes no more
            there.sendall(frame(hello) + frame({"jsonrpc": "2.0", **opened}))
            for number in range(400):
                there.sendall(frame({"jsonrpc": "2.0", "id": number + 2, **asked}))
        for _ in range(400):
            if not running.app._sockets:
                break
            time.sleep(0.05)
        assert running.app._sockets == 0


UPGRADE = (
    b"GET /api/lsp HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def frame(message: object) -> bytes:
    """A masked text frame, as a client sends it."""
    body = json.dumps(message).encode()
    return b"\x81" + struct.pack("!BQ", 0x80 | 127, len(body)) + b"\0" * 4 + body
