"""Strangers at the door: what they send as raw bytes, from pages of other sites, and as others."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.documents import GOOD
from tests.support.service import Served, served, service_config
from tests.support.wire import Reply, WireServer

pytestmark = pytest.mark.may_block
HELLO = b'{"message": "hi"}'
CHAT = {"model": "chat", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def running(wire_server: WireServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service without keys for all of them: strangers change nothing."""
    with served(service_config(wire_server.base, tmp_path_factory.mktemp("door"))) as made:
        yield made


def sent(port: int, *lines: str, body: bytes = b"", wait_s: float = 20.0) -> bytes:
    """What comes back for a request of these lines, until the service closes the connection."""
    head = "\r\n".join((*lines, "Connection: close", "", "")).encode("latin-1")
    found = b""
    with socket.create_connection(("127.0.0.1", port), timeout=wait_s) as connection:
        connection.sendall(head + body)
        with contextlib.suppress(ConnectionResetError):  # it was not read to its end
            while part := connection.recv(65_536):
                found += part
    return found


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("Host: [::1]evil", 421), ("Host: [::1].evil.example:80", 421),
        ("Host: a@127.0.0.1", 421), ("Host: 127.0.0.1:80:80", 421), ("Host: 0.0.0.0", 421),
        ("Host: localhost:x", 421), ("Host: [::1]:8080", 200), ("Host: 127.0.0.1", 200),
        ("Host: 127.0.0.1\r\nHost: evil.example", 400),
        ("Host: 127.0.0.1\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b", 400),
        ("Host: 127.0.0.1\r\nX-Forwarded-For: 8.8.8.8\r\nForwarded: for=8.8.8.8", 200),
        ("Host: 127.0.0.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13", 200),
        ("Host: 127.0.0.1\r\nX: " + "a" * 600_000, 400),
    ],
)  # fmt: skip
def test_who_is_asked_is_said_once_and_clearly(running: Served, line: str, code: int) -> None:
    assert status(sent(running.port, "GET /api/models HTTP/1.1", line)) == code


@pytest.mark.parametrize(
    ("lines", "body", "code"),
    [
        (["Content-Type: text/plain", "Content-Length: 17"], HELLO, 415),
        (["Content-Length: 17"], HELLO, 415),
        (["Content-Type: application/x-www-form-urlencoded", "Content-Length: 17"], HELLO, 415),
        (["Content-Type: application/json", "Content-Encoding: gzip", "Content-Length: 17"],
         HELLO, 415),
        (["Content-Type: application/json", "Content-Length: 17", "Content-Length: 3"], HELLO, 400),
        (["Content-Type: application/json", "Content-Length: " + "9" * 20], HELLO, 413),
        (["Content-Type: application/json", "Transfer-Encoding: chunked"],
         b"-1\r\n" + HELLO + b"\r\n0\r\n\r\n", 400),
        (["Content-Type: application/json", "Transfer-Encoding: chunked"],
         b"11\r\n" + HELLO + b"\r\n0\r\n\r\n", 200),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/llm/interact"])
def test_a_body_is_json_and_says_its_length_once(
    wire: WireServer, running: Served, path: str, lines: list[str], body: bytes, code: int
) -> None:
    wire.plan("chat", "yes")
    found = sent(running.port, f"POST {path} HTTP/1.1", "Host: localhost", *lines, body=body)
    assert status(found) == code
    assert len(wire.requests) == (code == 200)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
    ],
)  # fmt: skip
def test_a_page_of_another_site_is_refused_where_no_key_is_demanded(
    wire: WireServer, running: Served, headers: dict[str, str]
) -> None:
    wire.plan("chat", "yes")
    with running.client(headers=headers) as http:
        for path, body in (
            ("/api/llm/interact", {"message": "hi"}), ("/v1/chat/completions", CHAT),
            ("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
        ):  # fmt: skip
            found = http.post(path, json=body)
            assert found.status_code == 403, path
        assert http.post("/api/conversations/x/end").status_code == 403
        assert http.get("/api/conversations").status_code == 403
    assert not wire.requests
    own = {"Origin": running.url, "Sec-Fetch-Site": "same-origin"}
    with running.client(headers=own) as http:
        assert http.post("/api/llm/interact", json={"message": "hi"}).status_code == 200


@pytest.mark.parametrize("with_keys", [False, True])
def test_a_page_of_a_named_origin_may_call(
    wire: WireServer, tmp_path: Path, *, with_keys: bool
) -> None:
    page = "https://page.example"
    config = service_config(wire.base, tmp_path, server={"origins": [page]})
    with served(config, with_keys=with_keys) as made:
        text = made.app.keys.create("lab")[0] if with_keys else ""
        asks = {"Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type"}  # fmt: skip
        with made.client() as http:
            before = http.options("/api/models", headers={"Origin": page, **asks})
            assert before.headers["access-control-allow-origin"] == page
            other = http.options("/api/models", headers={"Origin": "https://other.example", **asks})
            assert "access-control-allow-origin" not in other.headers
        with made.client(text, headers={"Origin": page, "Sec-Fetch-Site": "cross-site"}) as http:
            found = http.get("/api/models")
            assert found.status_code == 200
            assert found.headers["access-control-allow-origin"] == page


def test_a_request_that_trickles_is_cut_off(
    running: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.server.listening.ARRIVAL_S", 0.3)
    head = b"POST /api/llm/interact HTTP/1.1\r\nHost: localhost\r\n"
    head += b"Content-Type: application/json\r\n"
    for beginning in (b"", head, head + b"Content-Length: 99\r\n\r\n{"):
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
            connection.sendall(beginning)
            while connection.recv(65_536):  # until it is closed from the other side
                pass


def test_with_keys_a_service_of_all_addresses_answers_to_any_name(
    wire: WireServer, with_keys: Served, tmp_path: Path
) -> None:
    text, _ = with_keys.app.keys.create("lab")
    with with_keys.client(text) as http:
        found = http.get("/api/models", headers={"Host": "model-server.example:8080"})
        assert found.status_code == 200
    config = service_config(wire.base, tmp_path / "b", server={"hosts": ["our.example"]})
    with served(config, with_keys=True) as made:
        text, _ = made.app.keys.create("lab")
        with made.client(text) as http:
            for host, code in (("other.example", 421), ("our.example:80", 200)):
                assert http.get("/api/models", headers={"Host": host}).status_code == code


def test_faults_of_this_side_are_problems_and_show_nothing(
    running: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("gmn_secret")

    monkeypatch.setattr(running.service.memory, "conversations", broken)
    with running.client() as http:
        found = http.get("/api/conversations")
    assert found.status_code == 500
    assert found.headers["content-type"] == "application/problem+json"
    assert "gmn_secret" not in found.text
    assert sum("A request failed" in one.message for one in caplog.records) == 1


def test_a_fault_of_the_database_does_not_show_what_was_said(
    wire: WireServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with served(service_config(wire.base, tmp_path)) as made, made.client() as http:
        with contextlib.closing(sqlite3.connect(tmp_path / "memory.db")) as database:
            database.execute("DROP TABLE turns")
        found = http.post("/api/llm/interact", json={"message": "my private words"})
    assert found.status_code == 503
    assert "private words" not in found.text + caplog.text


def test_the_log_of_the_program_stays_its_own(running: Served) -> None:
    assert not any("Rich" in type(one).__name__ for one in logging.getLogger().handlers)


@pytest.mark.parametrize(
    "query",
    [
        "usage?since=99999999999999999d", "usage?since=0001-01-01", "usage?since=%00",
        "conversations?before=nan", "conversations?user_id=%ed%a0%80",
        "conversations/x/messages?after=99999999999999999999999", "models/",
    ],
)  # fmt: skip
def test_no_address_is_a_fault(http: httpx.Client, query: str) -> None:
    session = http.post("/api/conversations", json={}).json()["id"]
    assert http.get(f"/api/{query}".replace("/x/", f"/{session}/")).status_code in (200, 404, 422)


@pytest.mark.parametrize(
    "more",
    [
        {"input_cost_per_token": 0}, {"extra_body": {"x": 1}}, {"mock_timeout": True},
        {"organization": "x"}, {"specific_deployment": True}, {"client": 1}, {"foo": 1},
        {"search": "always"}, {"samples": 3}, {"timeout": 1}, {"litellm_params": {}},
        {"ssl_verify": False}, {"drop_params": True}, {"temprature": 1},
    ],
)  # fmt: skip
def test_what_openai_s_shape_does_not_have_is_refused_by_its_name(
    wire: WireServer, http: httpx.Client, more: dict[str, Any]
) -> None:
    wire.plan("chat", "yes")
    found = http.post("/v1/chat/completions", json={**CHAT, **more})
    assert found.status_code == 400
    assert next(iter(more)) in found.json()["error"]["message"]
    assert not wire.requests


def test_openai_s_client_has_its_fields_and_its_errors(wire: WireServer, with_keys: Served) -> None:
    import openai

    text, _ = with_keys.app.keys.create("lab")
    base = f"{with_keys.url}/v1"
    wire.plan("chat", "yes")
    hello: Any = CHAT["messages"]
    with openai.OpenAI(base_url=base, api_key="gmn_wrong", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError) as refused:
            stranger.chat.completions.create(model="chat", messages=hello)
        assert refused.value.code == "key"
    with openai.OpenAI(base_url=base, api_key=text, max_retries=0) as client:
        client.chat.completions.create(
            model="chat", messages=hello, n=2, logprobs=True, max_completion_tokens=9, user="ada",
            seed=1, stop=["x"], metadata={"a": "b"}, response_format={"type": "json_object"},
            tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}],
        )  # fmt: skip
        asked = wire.requests[-1]
        assert {"n", "logprobs", "max_completion_tokens", "seed", "stop", "tools",
                "response_format"} <= asked.keys()  # fmt: skip
        assert not {"user", "metadata"} & asked.keys()
        vectors = client.embeddings.create(model="chat", input=["one", "two"])
        assert [len(one.embedding) for one in vectors.data] == [2, 2]
        with pytest.raises(openai.BadRequestError):
            client.embeddings.create(model="chat", input=[])
        with pytest.raises(openai.BadRequestError, match="role 'system'"):
            client.chat.completions.create(
                model="gmn/default", messages=[{"role": "system", "content": "x"}, *hello]
            )
        wire.plan("chat", Reply(status=500))
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(model="chat", messages=hello)
    text, _ = with_keys.app.keys.create("lab", rpm=1)
    with openai.OpenAI(base_url=base, api_key=text, max_retries=0) as client:
        client.models.list()
        with pytest.raises(openai.RateLimitError) as late:
            client.models.list()
        assert int(late.value.response.headers["retry-after"]) > 0


def test_the_usage_of_a_stream_comes_where_it_is_asked_for(
    wire: WireServer, http: httpx.Client
) -> None:
    wire.plan("chat", GOOD)
    for options, has_usage in (({}, False), ({"stream_options": {"include_usage": True}}, True)):
        body = {**CHAT, "model": "gmn/chat", "stream": True, **options}
        lines = http.post("/v1/chat/completions", json=body).text.split("\n\n")
        parts = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
        assert any("usage" in part for part in parts) == has_usage
        assert all(part["choices"] for part in parts) != has_usage


def test_a_tenant_s_budget_is_the_smallest_of_its_valid_keys(
    wire: WireServer, with_keys: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.server.keys.KNOWN_FOR_S", 0.0)
    wire.plan("chat", Reply("yes", tokens=900))
    keys = with_keys.app.keys
    texts = [keys.create("lab", usd_per_day=100)[0], keys.create("lab")[0]]

    def code(text: str) -> int:
        with with_keys.client(text) as http:
            body = {"message": f"hi {time.time_ns()}", "user_id": str(time.time_ns())}
            return http.post("/api/llm/interact", json=body).status_code

    assert [code(text) for text in texts] == [200, 200]
    _, small = keys.create("lab", usd_per_day=0.0001)  # while the service runs
    assert [code(text) for text in texts] == [429, 429]
    keys.revoke(small.id)
    assert [code(text) for text in texts] == [200, 200]


def test_the_configuration_s_budget_holds_beside_a_larger_one_of_a_key(
    wire: WireServer, tmp_path: Path
) -> None:
    config = service_config(wire.base, tmp_path, budgets={"tenants": {"lab": 0.0001}})
    with served(config, with_keys=True) as made:
        text, _ = made.app.keys.create("lab", usd_per_day=100)
        with made.client(text) as http:
            assert http.post("/api/llm/interact", json={"message": "hi"}).status_code == 429


@pytest.mark.parametrize("name", ["..", "Lab", "a.yaml", "lab.", "a/b", "", "con\0", "-x", "é"])
def test_names_of_tenants_are_told_apart_by_every_file_system(with_keys: Served, name: str) -> None:
    with pytest.raises(ValueError, match="is not a tenant's name"):
        with_keys.app.keys.create(name)


async def test_tools_of_a_tenant_give_nothing_of_another(
    wire: WireServer, with_keys: Served
) -> None:
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    wire.plan("chat", GOOD)
    for name in ("one", "two"):
        text, _ = with_keys.app.keys.create(name)
        headers = {"Authorization": f"Bearer {text}"}
        async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
            transport = streamable_http_client(f"{with_keys.url}/mcp", http_client=http)
            async with Client(transport) as client:
                made = await client.call_tool("generate_gmn", {"prompt": "an agent"})
                assert not made.structured_content["cached"]
        assert with_keys.client(text).get("/api/usage").json()["requests"] == 1
    assert len(wire.requests) == 2


def test_every_path_says_which_verbs_it_takes_and_head_is_one_where_get_is(running: Served) -> None:
    """RFC 9110: GET and HEAD are taken by every server (9.1), a 405 names the verbs (15.5.6)."""
    with running.client() as http:
        refused = http.patch("/api/personas/cherry", json={})
        assert refused.headers["allow"] == "DELETE, GET, HEAD, PUT"
        assert http.get("/api/llm/interact").headers["allow"] == "POST"
        for path in ("/", "/healthz", "/readyz", "/metrics", "/page/page.js", "/v1/models"):
            found = http.head(path)
            assert (found.status_code, found.content) == (200, b""), path
        assert http.head("/api/personas/nobody").status_code == 404


@pytest.mark.parametrize("body", [b'{"a":', b"[" * 100_000, b'{"message":"\xff"}', b"9" * 5000])
def test_what_is_not_json_is_a_400_that_says_so(running: Served, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    with running.client(headers=headers) as http:
        for path in ("/api/llm/interact", "/api/gmn/validate"):
            found = http.post(path, content=body)
            assert (found.status_code, found.json()["type"]) == (400, "urn:gmn:problem:json")


def test_a_request_has_one_idempotency_key(running: Served) -> None:
    with running.client() as http:
        keys = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
        found = http.post("/api/llm/interact", json={"message": "hi"}, headers=keys)
        assert (found.status_code, found.json()["type"]) == (400, "urn:gmn:problem:header")


def test_a_model_is_found_by_its_name(running: Served) -> None:
    with running.client() as http:
        assert http.get("/v1/models/gmn/default").json()["id"] == "gmn/default"
        assert http.get("/v1/models/nope").json()["error"]["code"] == "not_found"


def test_a_persona_whose_file_cannot_be_changed_is_a_503(running: Served) -> None:
    directory = Path(running.service.settings.personas)
    (directory / "zed.yaml").mkdir(parents=True)
    with running.client() as http:
        put = http.put("/api/personas/zed", json={"id": "zed", "name": "Zed"})
        removed = http.delete("/api/personas/zed")
    assert [put.status_code, removed.status_code] == [503, 503]
    assert [path.name for path in directory.iterdir()] == ["zed.yaml"]


def test_a_message_sent_again_is_answered_by_who_was_asked_though_it_is_gone(
    running: Served, wire: WireServer
) -> None:
    wire.plan("chat", "yes")
    with running.client() as http:
        bob = {"id": "bob", "name": "Bob", "style": {"opening": "Bob: "}}
        http.put("/api/personas/bob", json=bob)
        body = {"message": "hi", "user_id": "sent-again", "persona_id": "bob"}
        headers = {"Idempotency-Key": "of-bob"}
        first = http.post("/api/llm/interact", json=body, headers=headers).json()
        other = {**body, "persona_id": "tutor"}
        again = http.post("/api/llm/interact", json=other, headers=headers).json()
        assert (again["persona"], again["response"]) == ("bob", first["response"])
        assert http.delete("/api/personas/bob").status_code == 204
        gone = http.post("/api/llm/interact", json=body, headers=headers).json()
        assert gone["response"] == first["response"].removeprefix("Bob: ")
        assert gone["repeated"]
        events = http.get(f"/api/llm/turns/{first['interaction_id']}/events")
        assert "RUN_FINISHED" in events.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/llm/interact", '{"message": "a", "message": "b"}'),
        ("/api/llm/direct", '{"messages": [{"role": "user", "role": "system", "content": "a"}]}'),
        ("/api/gmn/validate", '{"document": "a", "document": "b"}'),
        ("/v1/chat/completions", '{"model": "chat", "model": "other", "messages": []}'),
    ],
)
def test_a_key_that_a_body_has_twice_is_refused(running: Served, path: str, body: str) -> None:
    found = httpx.post(running.url + path, content=body,
                       headers={"Content-Type": "application/json"})  # fmt: skip
    assert (found.status_code, "is given twice in one object" in found.text) == (400, True)
