"""What a request to the proxy's model may carry, whose it is, and which status a fault becomes."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import jsonschema
import litellm
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gmn.formats.schema import strict_schema
from orchestrator.gmn.model import GMNSpec
from orchestrator.server.chat_request import UnservedRequestError, read_request
from orchestrator.server.litellm_proxy import custom_llm
from orchestrator.types import errors

ASK = "a cautious explorer"
TURN = {"role": "user", "content": ASK}
PIXEL = b"\x89PNG\r\n\x1a\n1"
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


class Generator:
    """In place of `generate_gmn`: notes what it is asked, gives or raises what the test says."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    async def __call__(self, prompt: str, route: str, options: dict[str, Any]) -> Any:
        self.asked.append((prompt, route, options))
        if self.fault is not None:
            raise self.fault
        usage = SimpleNamespace(prompt_tokens=1, completion_tokens=2, total_tokens=3)
        return SimpleNamespace(text="agent {}", spec=GMNSpec(), usage=usage)


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch) -> Generator:
    made = Generator()
    entry = {"provider": "gmn", "custom_handler": custom_llm(made)}
    monkeypatch.setattr(litellm, "custom_provider_map", [entry])
    monkeypatch.setattr(litellm, "suppress_debug_info", True)
    return made


async def ask(messages: Any = None, **parameters: Any) -> str:
    """The answer as LiteLLM gives it, whole or in parts."""
    given = [TURN] if messages is None else messages
    answer = await litellm.acompletion(model="gmn/default", messages=given, **parameters)
    if not parameters.get("stream"):
        return str(answer.choices[0].message.content)
    return "".join([part.choices[0].delta.content or "" async for part in answer])


CANNOT: dict[str, tuple[dict[str, Any], str]] = {
    "system message": ({"messages": [{"role": "system", "content": "s"}, TURN]}, r"messages\[0\]"),
    "developer": ({"messages": [{"role": "developer", "content": "s"}, TURN]}, r"messages\[0\]"),
    "earlier turns": (
        {"messages": [TURN, {"role": "assistant", "content": "a"}, TURN]}, r"messages\[1\]",
    ),
    "audio": (
        {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
        "input_audio",
    ),
    "file": (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "x"}}]}]},
        "'file'",
    ),
    "picture from a disk": (
        {"messages": [{"role": "user", "content": [
            {"type": "text", "text": ASK},
            {"type": "image_url", "image_url": {"url": "/etc/passwd"}},
        ]}]}, "image_url",
    ),
    "n": ({"n": 2}, "n:"),
    "tools": ({"tools": [TOOL]}, "tools"),
    "functions": ({"functions": [{"name": "f"}]}, "functions"),
    "forced tool": (
        {"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice",
    ),
    "foreign schema": (
        {"response_format": {
            "type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}},
        }}, "response_format",
    ),
    "unknown format": ({"response_format": {"type": "xml"}}, "response_format"),
    "temperature": ({"temperature": 0.2}, "temperature"),
    "max_tokens": ({"max_tokens": 5}, "max_tokens"),
    "stop": ({"stop": ["x"]}, "stop"),
    "logprobs": ({"logprobs": True}, "logprobs"),
    "misspelt option": ({"constraint": {"max_states": 3}}, "did you mean 'constraints'"),
    "tenant": ({"extra_body": {"tenant": "victim"}}, "tenant"),
    "agent type": ({"agent_type": "wizard"}, "is not an agent type"),
    "constraint": ({"constraints": {"max_state": 3}}, "max_state"),
    "constraints": ({"constraints": [3]}, "constraints"),
    "expectation": ({"expectations": ["whatever"]}, "whatever"),
    "expectations": ({"expectations": "whatever"}, "expectations"),
    "cache": ({"extra_body": {"cache": "sometimes"}}, "sometimes"),
    "seed": ({"extra_body": {"seed": "x"}}, "seed"),
    "nothing said": ({"messages": [{"role": "user", "content": " "}]}, "no user message"),
}  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", sorted(CANNOT))
async def test_what_cannot_be_honoured_is_refused_by_its_name(
    generate: Generator, case: str, stream: bool
) -> None:
    parameters, words = CANNOT[case]
    with pytest.raises(litellm.exceptions.BadRequestError, match=words) as caught:
        await ask(**parameters, stream=stream)
    assert caught.value.status_code == 400
    assert generate.asked == []


async def test_what_can_be_honoured_arrives(generate: Generator) -> None:
    data = f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
    parts = [
        {"type": "text", "text": "a map"},
        {"type": "image_url", "image_url": {"url": data}},
        {"type": "image_url", "image_url": {"url": "https://maps.test/a.png"}},
    ]
    options = {"agent_type": "explorer", "constraints": {"max_states": 9},
               "expectations": ["cell=r1c1 within 3"], "seed": 4}  # fmt: skip
    neutral = {"n": 1, "tools": [], "top_p": 1, "user": "u", "metadata": {"a": "b"},
               "response_format": {"type": "text"}, "logprobs": False}  # fmt: skip
    assert await ask([TURN, {"role": "user", "content": parts}], **options, **neutral) == "agent {}"
    pictures = {"images": [PIXEL, "https://maps.test/a.png"]}
    assert generate.asked == [(f"{ASK}\na map", "default", {**options, **pictures})]


@pytest.mark.parametrize("stream", [False, True])
async def test_json_comes_where_it_is_asked_for(generate: Generator, stream: bool) -> None:
    ours = {"type": "json_schema", "json_schema": {"name": "gmn", "schema": strict_schema()}}
    for form in ({"type": "json_object"}, ours):
        shown = json.loads(await ask(response_format=form, stream=stream))
        jsonschema.validate(shown, strict_schema())
    assert len(generate.asked) == 2


FAULTS: dict[str, tuple[Exception, int]] = {
    "our ValueError": (ValueError("not a finite number"), 500),
    "our AttributeError": (AttributeError("no such thing"), 500),
    "our TypeError": (TypeError("no such argument"), 500),
    "file of the server": (errors.ConfigError("orchestrator.cache.url", "is wrong"), 500),
    "unknown route": (errors.ConfigError("model", "'x' is not configured"), 400),
    "extra": (errors.MissingExtraError("Redis", "redis"), 500),
    "rate limit": (errors.RateLimitError("full"), 429),
    "no deployment": (errors.NoDeploymentError("all rest"), 503),
    "not valid": (  # LiteLLM makes it of our 422, which it does not try again
        errors.InvalidOutputError("no", attempts=(), best=None, reason="calls"), 400,
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", sorted(FAULTS))
async def test_a_fault_of_this_side_is_not_the_requests(generate: Generator, fault: str) -> None:
    generate.fault, status = FAULTS[fault]
    with pytest.raises(Exception, match=r"\w") as caught:
        await ask()
    assert getattr(caught.value, "status_code", 0) == status
    if status == 500 and not isinstance(generate.fault, errors.OrchestratorError):
        assert str(generate.fault) not in str(caught.value)


async def test_pictures_that_no_model_reads_are_refused(generate: Generator) -> None:
    generate.fault = errors.NoDeploymentError("no model on the route reads pictures")
    picture = {"type": "image_url", "image_url": "https://maps.test/a.png"}
    with pytest.raises(litellm.exceptions.BadRequestError, match="reads pictures"):
        await ask([{"role": "user", "content": [{"type": "text", "text": ASK}, picture]}])


class Key:
    """As the proxy's own object for a key, of which a body can make no copy."""

    def __init__(self, **known: Any) -> None:
        self.metadata = known.get("metadata", {})
        self.team_metadata = known.get("team_metadata")
        self.team_id, self.key_alias = known.get("team_id"), known.get("key_alias")
        self.token = "a-hash"


@pytest.mark.parametrize(
    ("metadata", "tenant"),
    [
        ({"user_api_key_auth": Key(metadata={"tenant": "a"}, team_id="t")}, "a"),
        ({"user_api_key_auth": Key(team_metadata={"tenant": "b"}, key_alias="k")}, "b"),
        ({"user_api_key_auth": Key(team_id="t", key_alias="k")}, "t"),
        ({"user_api_key_auth": Key(key_alias="k")}, "k"),
        ({"user_api_key_auth": Key()}, "a-hash"),
        ({"user_api_key_auth": Key(), "user_api_key_team_id": "victim"}, "a-hash"),
        ({"user_api_key_metadata": {"tenant": "c"}, "user_api_key_team_id": "t"}, "c"),
        ({"user_api_key_team_id": "t", "user_api_key_alias": "k"}, "t"),
        ({"tenant": "victim"}, ""),
        ({}, ""),
    ],
)
async def test_the_tenant_is_that_of_the_key(
    generate: Generator, metadata: dict[str, Any], tenant: str
) -> None:
    await ask(metadata=metadata, user="victim")
    (_, _, options) = generate.asked[0]
    assert options.get("tenant", "") == tenant


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
names = st.sampled_from(
    ("response_format", "constraints", "expectations", "cache", "seed", "agent_type", "tools", "n",
     "extra_body", "foo", "images", "tenant")
)  # fmt: skip


@given(anything, st.dictionaries(names, anything, max_size=3))
def test_no_body_is_a_fault_of_this_side(messages: Any, parameters: dict[str, Any]) -> None:
    for given_messages in (messages, [messages], [{"role": "user", "content": messages}], [TURN]):
        try:
            made = read_request(given_messages, parameters)
        except UnservedRequestError:
            continue
        assert made.prompt.strip()
        assert "tenant" not in made.options
        assert "images" not in made.options
