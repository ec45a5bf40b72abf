"""The service as its users see it: over HTTP on loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from ag_ui.core import Event
from pydantic import TypeAdapter

from tests.support.documents import GOOD, swapped
from tests.support.service import Served
from tests.support.wire import Reply, WireServer

pytestmark = pytest.mark.may_block
Sent = tuple[str, dict[str, Any]]
EVENT: TypeAdapter[Any] = TypeAdapter(Event)


def events(lines: Iterator[str]) -> Iterator[Sent]:
    """Id and data of Server-Sent Events."""
    event_id = ""
    for line in lines:
        if line.startswith("id: "):
            event_id = line[4:]
        elif line.startswith("data: "):
            yield event_id, json.loads(line[6:])
            event_id = ""


def test_a_message_is_answered_and_the_conversation_goes_on(
    wire: WireServer, http: httpx.Client
) -> None:
    wire.plan("chat", "Hello Ada.", "Still here.")
    body = {"message": "hello", "user_id": "ada", "persona_id": "cherry"}
    first = http.post("/api/llm/interact", json=body).json()
    second = http.post("/api/llm/interact", json={**body, "message": "there?"}).json()
    assert first["response"] == "Hello Ada."
    assert {"persona", "model", "provider", "usage", "session_id", "interaction_id",
            "response_time_ms"} <= set(first)  # fmt: skip
    assert second["session_id"] == first["session_id"]
    session = first["session_id"]
    turns = http.get(f"/api/conversations/{session}/messages").json()
    assert [(one["number"], one["message"], one["answer"]) for one in turns] == [
        (1, "hello", "Hello Ada."), (2, "there?", "Still here."),
    ]  # fmt: skip
    assert [one["id"] for one in http.get("/api/conversations?active=true").json()] == [session]
    assert http.post(f"/api/conversations/{session}/end").json()["ended_at"] is not None
    refused = http.post("/api/llm/interact", json={**body, "session_id": session})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:gmn:problem:ended")
    assert http.delete(f"/api/conversations/{session}").status_code == 204
    assert http.get(f"/api/conversations/{session}").status_code == 404


def test_the_same_key_is_the_same_turn(wire: WireServer, http: httpx.Client) -> None:
    wire.plan("chat", "once")
    found = [
        http.post("/api/llm/interact", json={"message": "hi"}, headers={"Idempotency-Key": "k"})
        for _ in range(3)
    ]
    assert len({one.json()["interaction_id"] for one in found}) == 1
    assert [one.json()["repeated"] for one in found] == [False, True, True]
    assert len(wire.requests) == 1


def test_a_failed_model_is_never_a_200(wire: WireServer, http: httpx.Client) -> None:
    wire.plan("chat", Reply(status=500))
    asked: dict[str, dict[str, Any]] = {
        "/api/llm/interact": {"message": "hi"},
        "/api/llm/direct": {"messages": [{"role": "user", "content": "hi"}]},
        "/v1/chat/completions": {"model": "chat", "messages": [{"role": "user", "content": "hi"}]},
        "/api/gmn/generate": {"prompt": "a thermostat"},
    }
    # Side by side: each tries again and waits in between.
    with ThreadPoolExecutor() as threads:
        answers = threads.map(lambda path: http.post(path, json=asked[path]), asked)
        for path, found in zip(asked, answers, strict=True):
            assert 500 <= found.status_code < 600, path
            assert "sk-canary" not in found.text


def test_what_a_model_says_as_it_declines_reaches_who_asked(
    wire: WireServer, http: httpx.Client
) -> None:
    wire.plan("chat", Reply(refusal="I may not"))
    made = http.post("/api/llm/direct", json={"messages": [{"role": "user", "content": "hi"}]})
    assert (made.json()["response"], made.json()["refusal"]) == ("", "I may not")
    assert http.post("/api/llm/interact", json={"message": "hi"}).json()["response"] == "I may not"
    body = {"message": "hi", "stream": True}
    with http.stream("POST", "/api/llm/interact", json=body) as response:
        sent = [data for _, data in events(response.iter_lines())]
    assert "".join(one.get("delta", "") for one in sent) == "I may not"
    failed = http.post("/api/gmn/generate", json={"prompt": "a thermostat for a cold room"})
    assert failed.status_code >= 400
    assert "the model declined: 'I may not'" in failed.text
    asked = {"model": "chat", "messages": [{"role": "user", "content": "a thermostat"}]}
    assert "I may not" in http.post("/v1/chat/completions", json=asked).text


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/api/conversations?limt=3", "query/limt: is not known. Did you mean 'limit'?"),
        ("/api/usage?limit=3&Since=1d", "query/Since: is not known. Did you mean 'since'?"),
        ("/api/usage?limit=3&limit=5", "query/limit: is there twice"),
        ("/v1/models?limit=3", "query/limit: is not known. Known: none."),
        ("/api/health?%1b%5b31m=", r"query/\x1b[31m: is not known. Known: none."),
    ],
)
def test_a_key_of_a_query_that_nothing_reads_is_refused(
    http: httpx.Client, path: str, says: str
) -> None:
    found = http.get(path)
    assert found.status_code == 422
    said = found.json()
    assert (said["error"]["message"] if path.startswith("/v1") else said["detail"]) == says
    assert http.get(path.partition("?")[0]).status_code == 200


def test_every_route_but_pages_and_probes_holds_its_query_to_what_it_reads(
    http: httpx.Client,
) -> None:
    verbs = [
        (verb.upper(), path)
        for path, about in http.get("/openapi.json").json()["paths"].items()
        for verb in about
    ]
    assert len(verbs) > 20
    for verb, path in verbs:
        found = http.request(verb, path.replace("{", "").replace("}", "") + "?utm_source=mail")
        is_refused = "query/utm_source" in found.text
        assert is_refused is (path not in ("/healthz", "/readyz")), (verb, path, found.text)
    for path in ("/", "/page/page.js", "/healthz", "/readyz"):
        assert http.get(f"{path}?utm_source=mail").status_code == 200


def test_a_stream_has_the_vocabulary_and_goes_on_where_it_was_cut(
    wire: WireServer, http: httpx.Client
) -> None:
    wire.plan("chat", Reply("one two three four five six seven eight", trickle_s=0.05))
    body = {"message": "count", "stream": True}
    seen: list[Sent] = []
    with http.stream("POST", "/api/llm/interact", json=body) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for sent in events(response.iter_lines()):
            seen.append(sent)
            if len(seen) == 4:
                break
    last_id = next(event_id for event_id, _ in reversed(seen) if event_id)
    turn = seen[0][1]["runId"]
    path = f"/api/llm/turns/{turn}/events"
    with http.stream("GET", path, headers={"Last-Event-ID": last_id}) as response:
        seen += events(response.iter_lines())
    assert len(wire.requests) == 1
    for _, data in seen:
        EVENT.validate_python(data)
    kinds = [data["type"] for _, data in seen]
    assert kinds[:2] == ["RUN_STARTED", "TEXT_MESSAGE_START"]
    assert kinds[-2:] == ["TEXT_MESSAGE_END", "RUN_FINISHED"]
    assert set(kinds[2:-2]) == {"TEXT_MESSAGE_CONTENT"}
    text = "".join(data.get("delta", "") for _, data in seen)
    assert text.split() == ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    assert seen[-1][1]["result"]["response"] == text
    again = list(events(http.get(path).iter_lines()))  # from the beginning, after its end
    assert "".join(data.get("delta", "") for _, data in again) == text
    assert len(wire.requests) == 1


def test_a_stream_that_fails_says_so_as_its_last_event(
    wire: WireServer, http: httpx.Client
) -> None:
    wire.plan("chat", Reply(status=400, error_message="no"))
    found = http.post("/api/llm/interact", json={"message": "hi", "stream": True})
    last = [data for _, data in events(iter(found.text.splitlines()))][-1]
    assert last["type"] == "RUN_ERROR"
    assert last["code"] == "refused_by_provider"


def test_documents_are_generated_checked_run_and_explained(http: httpx.Client) -> None:
    document = {"document": GOOD}
    report = http.post("/api/gmn/validate", json=document).json()
    assert (report["valid"], report["runs"]) == (True, True)
    wrong = http.post("/api/gmn/validate", json={"document": "gmn 1.0 node"}).json()
    assert not wrong["valid"]
    run = http.post("/api/gmn/simulate", json={**document, "steps": 3}).json()
    assert len(run["steps"]) == 3
    assert http.post("/api/gmn/explain", json=document).json()["explanation"]
    drawn = http.post("/api/gmn/draw", json={**document, "parts": ["graph", "trace"], "steps": 2})
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert 'data-name="pos"' in drawn.text
    assert "2 steps, seed 0" in drawn.text
    faulty = swapped("[0.8, 0.1, 0.1]", "[0.8, 0.5, 0.1]")
    assert "GMN201" in http.post("/api/gmn/draw", json={"document": faulty}).text
    assert http.post("/api/gmn/draw", json={"document": "no document"}).status_code == 422
    refused = http.post("/api/gmn/simulate", json={"document": "gmn 1.0 node"})
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["diagnostics"][0]["code"].startswith("GMN")


def test_a_generation_streams_its_attempts(wire: WireServer, http: httpx.Client) -> None:
    wire.plan("chat", GOOD)
    found = http.post("/api/gmn/generate", json={"prompt": "an agent", "stream": True})
    seen = [data for _, data in events(iter(found.text.splitlines()))]
    for data in seen:
        EVENT.validate_python(data)
    kinds = [data["type"] for data in seen]
    assert kinds[0] == "RUN_STARTED"
    assert kinds[-2:] == ["STEP_FINISHED", "RUN_FINISHED"]
    assert {"STEP_STARTED", "TEXT_MESSAGE_CONTENT", "CUSTOM"} <= set(kinds)
    assert seen[-1]["result"]["report"]["valid"]


def test_a_refinement_streams_its_attempts(wire: WireServer, http: httpx.Client) -> None:
    change = [{"op": "replace", "path": "/name", "value": "runner"}]
    wire.plan("chat", "[not a patch", json.dumps(change))
    asked = {"document": GOOD, "feedback": "call it runner"}
    found = http.post("/api/gmn/refine", json={**asked, "stream": True})
    seen = [data for _, data in events(iter(found.text.splitlines()))]
    for data in seen:
        EVENT.validate_python(data)
    steps = [data["stepName"] for data in seen if data["type"] == "STEP_STARTED"]
    assert len(steps) == 2
    assert [data["type"] for data in seen][-2:] == ["STEP_FINISHED", "RUN_FINISHED"]
    assert "agent runner" in seen[-1]["result"]["text"]
    for wrong in ({"document": "{"}, {"kind": "yaml"}, {"model": "nothing"}):
        refused = http.post("/api/gmn/refine", json={**asked, "stream": True, **wrong})
        assert refused.status_code == 422, wrong


def test_a_wrong_request_has_a_status_though_it_asks_for_a_stream(http: httpx.Client) -> None:
    for wrong in ({"constraints": {"colour": 1}}, {"model": "nothing"}, {"expectations": ["x"]}):
        body = {"prompt": "an agent", "stream": True, **wrong}
        assert http.post("/api/gmn/generate", json=body).status_code == 422, wrong


def test_openai_s_client_chats_streams_and_gets_documents(
    wire: WireServer, running: Served
) -> None:
    from openai import NotFoundError, OpenAI

    client = OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0)
    wire.plan("chat", "from the model", "in parts", GOOD)
    hello: Any = [{"role": "user", "content": "hello"}]
    said = client.chat.completions.create(model="default", messages=hello)
    assert said.choices[0].message.content == "from the model"
    stream = client.chat.completions.create(model="chat", messages=hello[:1], stream=True, seed=2)
    text = "".join(part.choices[0].delta.content or "" for part in stream if part.choices)
    assert text.strip() == "in parts"
    made = client.chat.completions.create(model="gmn/default", messages=hello)
    assert str(made.choices[0].message.content).startswith("gmn 1.0")
    with pytest.raises(NotFoundError):
        client.chat.completions.create(model="nothing", messages=hello)
    assert "gmn/default" in [model.id for model in client.models.list()]


@pytest.mark.parametrize(
    "more",
    [
        {"api_base": "http://127.0.0.1:1"}, {"api_key": "x"}, {"tenant": "other"},
        {"fallbacks": ["x"]}, {"extra_headers": {"a": "b"}}, {"metadata": {"tags": ["x"]}},
    ],
)  # fmt: skip
def test_where_a_request_goes_is_not_a_caller_s_to_say(
    wire: WireServer, http: httpx.Client, more: dict[str, Any]
) -> None:
    wire.plan("chat", "yes")
    body = {"model": "chat", "messages": [{"role": "user", "content": "hi"}], **more}
    found = http.post("/v1/chat/completions", json=body)
    is_carriage = "metadata" in more
    assert found.status_code == (200 if is_carriage else 400)
    assert len(wire.requests) == is_carriage


def test_personas_are_made_changed_and_removed(wire: WireServer, http: httpx.Client) -> None:
    wire.plan("chat", "arr")
    pirate = {"id": "pirate", "name": "Anne", "style": {"opening": "Ahoy! "}}
    assert http.put("/api/personas/pirate", json=pirate).json()["name"] == "Anne"
    answer = http.post("/api/llm/interact", json={"message": "hi", "persona_id": "pirate"}).json()
    assert answer["response"] == "Ahoy! arr"
    assert "pirate" in [one["id"] for one in http.get("/api/personas").json()]
    assert http.put("/api/personas/other", json=pirate).status_code == 422
    wrong = http.put("/api/personas/pirate", json={**pirate, "colour": "red"}).json()
    assert "colour" in wrong["detail"]
    assert http.delete("/api/personas/pirate").status_code == 204
    assert http.get("/api/personas/pirate").status_code == 404
    assert http.delete("/api/personas/cherry").status_code == 404
    assert http.get("/api/personas/cherry").status_code == 200


def test_another_name_is_refused_and_every_answer_has_its_headers(running: Served) -> None:
    with running.client() as http:
        for host, status in (
            ("evil.example", 421), ("localhost", 200), (f"localhost:{running.port}", 200),
            ("127.0.0.1.evil.example", 421), ("[::1]:80", 200), ("", 421),
        ):  # fmt: skip
            found = http.get("/api/models", headers={"Host": host})
            assert found.status_code == status, host
            assert found.headers["x-content-type-options"] == "nosniff"
            assert "access-control-allow-origin" not in found.headers


def test_bodies_are_bounded_whatever_they_say_of_their_length(http: httpx.Client) -> None:
    large = b'{"message": "' + b"x" * 2**21 + b'"}'
    headers = {"Content-Type": "application/json"}
    assert http.post("/api/llm/interact", content=large, headers=headers).status_code == 413
    parts = (large[n : n + 65_536] for n in range(0, len(large), 65_536))
    assert http.post("/api/llm/interact", content=parts, headers=headers).status_code == 413
    deep = b'{"document": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}"
    found = http.post("/api/gmn/validate", content=deep, headers=headers)
    assert 400 <= found.status_code < 500
    assert http.post("/api/llm/interact", content=b"{", headers=headers).status_code == 400
    listed = http.post("/v1/chat/completions", content=b"[" * 10**5, headers=headers)
    assert listed.status_code == 400


def test_keys_are_demanded_and_bounded(wire: WireServer, with_keys: Served) -> None:
    keys = with_keys.app.keys
    text, key = keys.create("lab", rpm=3)
    with with_keys.client() as http:
        refused = http.get("/api/models")
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert http.get("/healthz").status_code == 200
        changed = text[:-1] + ("x" if text[-1] != "x" else "y")
        for wrong in (changed, "gmn_" + "0" * 12 + text[16:], text[17:], text.upper(), "x"):
            assert http.get("/api/models", headers={"X-API-Key": wrong}).status_code == 401
    with with_keys.client(text) as http:
        codes = [http.get("/api/models").status_code for _ in range(4)]
        assert codes[-1] == 429
        assert int(http.get("/api/models").headers["retry-after"]) > 0
    keys.revoke(key.id)
    with with_keys.client(text) as http:
        assert http.get("/api/models").status_code == 401
    rows = with_keys.service.memory.engine.connect().exec_driver_sql("SELECT * FROM api_keys").all()
    assert text[17:] not in str(rows)


def test_a_tenant_sees_nothing_of_another(wire: WireServer, with_keys: Served) -> None:
    wire.plan("chat", "for the first", "for the second")
    texts = {name: with_keys.app.keys.create(name)[0] for name in ("one", "two")}
    with with_keys.client(texts["one"]) as one, with_keys.client(texts["two"]) as two:
        body = {"message": "secret of one", "user_id": "ada"}
        mine = one.post("/api/llm/interact", json=body, headers={"Idempotency-Key": "k"}).json()
        one.put("/api/personas/mine", json={"id": "mine", "name": "Mine"})
        session, turn = mine["session_id"], mine["interaction_id"]
        paths = {
            "conversation_id": session, "turn_id": turn, "persona_id": "mine", "name": "mine",
            "model": "mine",
        }  # fmt: skip
        document = one.get("/openapi.json").json()
        for path, operations in document["paths"].items():
            for method in operations:
                if path == "/api/personas/{persona_id}" and method == "delete":
                    continue  # theirs, which the route before has put there
                filled = path.format(**paths)
                answer = two.request(method, filled, json={"id": "mine", "name": "Theirs"})
                assert "secret of one" not in answer.text, path
                if "{" in path and method != "put":
                    assert answer.status_code == 404, (method, path, answer.text)
        theirs = two.post("/api/llm/interact", json=body, headers={"Idempotency-Key": "k"}).json()
        assert theirs["response"] == "for the second"
        assert theirs["session_id"] != session
        assert one.get("/api/personas/mine").json()["name"] == "Mine"
        assert one.get("/api/usage").json()["requests"] == 1


def test_a_key_s_budget_holds_its_tenant(wire: WireServer, with_keys: Served) -> None:
    wire.plan("chat", Reply("yes", tokens=900))
    text, _ = with_keys.app.keys.create("poor", usd_per_day=0.005)
    with with_keys.client(text) as http:
        codes = [
            http.post("/api/llm/interact", json={"message": f"say {n}"}).status_code
            for n in range(4)
        ]
        assert codes[0] == 200
        assert codes[-1] == 429
        refused = http.post("/api/llm/interact", json={"message": "more"}).json()
        assert refused["type"] == "urn:gmn:problem:budget"


def test_too_many_at_once_are_sent_away_and_long_ones_end(
    wire: WireServer, running: Served
) -> None:
    wire.plan("chat", Reply("late", delay_s=1.0))
    gate = running.app
    gate._settings = gate._settings.model_copy(update={"parallel": 2})
    codes: list[int] = []

    def ask(n: int) -> None:
        with running.client() as http:
            body = {"message": f"hi {n}", "user_id": f"u{n}"}
            codes.append(http.post("/api/llm/interact", json=body).status_code)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    for thread in threads:
        thread.join()
    assert sorted(set(codes)) == [200, 503]
    gate._settings = gate._settings.model_copy(update={"deadline_s": 0.2, "parallel": 99})
    with running.client() as http:
        found = http.post("/api/llm/interact", json={"message": "too slow", "user_id": "z"})
        assert found.status_code == 504


def test_figures_and_usage_are_there(wire: WireServer, http: httpx.Client) -> None:
    wire.plan("chat", "yes")
    http.post("/api/llm/interact", json={"message": "hi"})
    figures = http.get("/metrics").text
    assert 'gmn_http_requests_total{route="/api/llm/interact",status="200"} 1.0' in figures
    usage = http.get("/api/usage?since=1h").json()
    assert usage["requests"] == 1
    assert usage["usd"] > 0
    assert http.get("/api/usage?since=yesterdayish").status_code == 422
    assert http.get("/api/health").json()["available"]
    assert http.get("/api/models").json()["routes"]["default"] == ["chat"]
