"""The language server behind the gate of the service: one WebSocket, one editor."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.support.documents import GOOD, swapped
from tests.support.lsp import URI, Socket
from tests.support.service import Served, served, service_config
from tests.support.wire import WireServer

pytestmark = pytest.mark.may_block
WRONG = swapped("horizon: 2", "horizon: 0")


@pytest.fixture(scope="module")
def running(wire_server: WireServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service for all of them."""
    directory = tmp_path_factory.mktemp("lsp")
    with served(service_config(wire_server.base, directory, server={"body_kb": 256})) as made:
        yield made


def codes(found: list[dict[str, object]]) -> list[object]:
    return [one["code"] for one in found]


def test_a_text_frame_is_a_message_and_findings_come_back(running: Served) -> None:
    with Socket(running.port) as editor:
        assert editor.begin()["textDocumentSync"]["change"] == 2
        (found,) = editor.open(WRONG)
        assert (found["code"], found["range"]["start"]) == ("GMN410", {"line": 9, "character": 26})
        change = {"range": found["range"], "text": "2"}
        editor.say("textDocument/didChange", {
            "textDocument": {"uri": URI, "version": 2}, "contentChanges": [change],
        })  # fmt: skip
        assert editor.found(version=2) == []


def test_each_connection_has_documents_of_its_own(running: Served) -> None:
    with Socket(running.port) as one, Socket(running.port) as other:
        one.begin(), other.begin()
        assert codes(one.open(WRONG)) == ["GMN410"]
        assert codes(other.open(GOOD)) == []
        change = {"text": WRONG}
        for editor in (one, other):
            editor.say("textDocument/didChange", {
                "textDocument": {"uri": URI, "version": 2}, "contentChanges": [change],
            })  # fmt: skip
        assert codes(one.found(version=2)) == codes(other.found(version=2)) == ["GMN410"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421), ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)  # fmt: skip
def test_the_gate_refuses_a_socket_as_it_refuses_a_request(
    running: Served, headers: dict[str, str], status: int
) -> None:
    host = headers.get("Host", "127.0.0.1")
    sent = {name: value for name, value in headers.items() if name != "Host"}
    with (
        socket.create_connection(("127.0.0.1", running.port)) as there,
        pytest.raises(InvalidStatus) as refused,
    ):
        connect(f"ws://{host}/api/lsp", sock=there, additional_headers=sent).__enter__()
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body or b"")["status"] == status


def test_the_page_of_the_service_may_connect(running: Served) -> None:
    with Socket(running.port, origin=running.url) as editor:
        assert editor.begin()


def test_another_path_has_no_socket(running: Served) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{running.port}/api/models").__enter__()
    assert refused.value.response.status_code in (403, 404)


def test_with_keys_a_socket_needs_one_in_a_header_or_among_its_protocols(
    wire: WireServer, tmp_path: Path
) -> None:
    with served(service_config(wire.base, tmp_path), with_keys=True) as made:
        key = made.app.keys.create("lab")[0]
        for wrong in ({}, {"subprotocols": ["lsp", "bearer.gmn_0"]}, {"subprotocols": [key]}):
            with pytest.raises(InvalidStatus) as refused:
                Socket(made.port, **wrong)
            assert refused.value.response.status_code == 401
        with Socket(made.port, subprotocols=["lsp", f"bearer.{key}"]) as editor:
            assert editor.wire.subprotocol == "lsp"  # the key is not sent back
            assert editor.begin()
        headers = {"Authorization": f"Bearer {key}"}
        with Socket(made.port, additional_headers=headers) as editor:
            assert editor.begin()


def test_sockets_are_counted_apart_from_requests(
    running: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.server.gate.MOST_SOCKETS", 1)
    with Socket(running.port), running.client() as http:
        with pytest.raises(InvalidStatus) as refused:
            Socket(running.port)
        assert refused.value.response.status_code == 503
        assert http.get("/api/models").status_code == 200
    for _ in range(100):  # its place is free once the service has heard of the end
        try:
            with Socket(running.port) as editor:
                assert editor.begin()
                return
        except InvalidStatus:
            time.sleep(0.05)
    pytest.fail("the place of a socket that is closed is not free")


def test_a_message_has_a_bound_and_so_have_the_documents_together(running: Served) -> None:
    with Socket(running.port) as editor:
        editor.begin()
        with pytest.raises(ConnectionClosed) as closed:
            editor.open("#" * 300_000)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
    with Socket(running.port) as editor:
        editor.begin()
        for number in range(5):
            editor.open("#" * 200_000, uri=f"file:///{number}.gmn")
        with pytest.raises(ConnectionClosed) as closed:
            editor.open("#" * 200_000, uri="file:///5.gmn")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


def test_a_frame_of_bytes_ends_the_connection(running: Served) -> None:
    with Socket(running.port) as editor:
        editor.begin()
        editor.wire.send(b"{}")
        with pytest.raises(ConnectionClosed) as closed:
            editor.wire.recv(timeout=60)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1003


def test_an_editor_that_says_nothing_is_not_cut_off_like_a_request_that_trickles(
    running: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.server.listening.ARRIVAL_S", 0.1)
    with Socket(running.port) as editor:
        editor.begin()
        time.sleep(0.4)
        assert codes(editor.open(WRONG)) == ["GMN410"]


def test_the_editor_is_closed_when_it_asks_for_the_end(running: Served) -> None:
    with Socket(running.port) as editor:
        editor.begin()
        assert editor.ask("shutdown")["result"] is None
        editor.say("exit", {})
        with pytest.raises(ConnectionClosed) as closed:
            editor.wire.recv(timeout=60)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1000
    with running.client() as http:
        assert http.get("/readyz").status_code == 200


def test_the_end_of_the_service_closes_its_sockets(wire: WireServer, tmp_path: Path) -> None:
    with served(service_config(wire.base, tmp_path)) as made, Socket(made.port) as editor:
        editor.begin()
        made._server.should_exit = True
        with pytest.raises(ConnectionClosed) as closed:
            editor.wire.recv(timeout=60)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
