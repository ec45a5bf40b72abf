"""Secrets go from every text, and nothing else does."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orchestrator.cache.cassette import Cassette, _label
from orchestrator.config.settings import Config
from orchestrator.generation.evaluation.finetune import examples_of
from orchestrator.models.secrets import SHORTEST, Secrets, secret_values, secrets_of
from orchestrator.routing.translate import cleaned
from tests.support.examples import share_of

LETTERS = string.ascii_letters + string.digits + "-_+/=."
SECRET = st.text(LETTERS, min_size=SHORTEST, max_size=60).filter(
    lambda value: any(c.isdigit() for c in value) and "removed" not in value
)
#: Longer than any word, and with no digit: nothing has the form of a key.
PLAIN = st.text(st.characters(exclude_categories=["Nd", "Cs"]), max_size=200)


@settings(max_examples=share_of(50), deadline=None)
@given(before=st.text(max_size=50), secret=SECRET, after=st.text(max_size=50))
def test_a_secret_is_gone_whatever_stands_around_it(before: str, secret: str, after: str) -> None:
    assume(not any(secret in name for name in ("anthropic", "huggingface", "openrouter")))
    text, count = Secrets([secret, "x"]).removed(f"{before}{secret}{after}")
    assert secret not in text
    assert count >= 1


@settings(max_examples=share_of(50), deadline=None)
@given(PLAIN, st.lists(SECRET, max_size=3))
def test_text_without_a_secret_is_unchanged(text: str, secrets: list[str]) -> None:
    assume(not any(secret in text for secret in secrets))
    assert Secrets([*secrets, "x", "ollama", "1234567"]).removed(text) == (text, 0)


KEYS = [
    "sk-proj-abcdefghijklmnop1234", "sk-ant-api03-AbCdEfGh1234567890-xyz_1",
    "hf_AbCdEfGhIjKlMnOpQr",
    "sk-or-v1-0123456789abcdef0123", "gsk_AbCdEfGhIjKlMnOpQr12", "ghp_AbCdEfGhIjKlMnOpQrSt",
    "AIzaSyA1234567890abcdefghij", "AKIAIOSFODNN7EXAMPLE", "xai-AbCdEfGhIjKlMnOpQr12",
    "glpat-abcdefghij1234567890", "xoxb-123456789012-abc", "sk_live_AbCdEfGhIjKlMnOp",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0.abcdef123456",
]  # fmt: skip


@settings(max_examples=share_of(50), deadline=None)
@given(before=st.text(" \n\t\"'=:,({[<", min_size=0, max_size=5), key=st.sampled_from(KEYS))
def test_what_has_the_form_of_a_known_key_goes_without_being_configured(
    before: str, key: str
) -> None:
    assert Secrets([]).removed(f"it is{before or ' '}{key}, I think") == (
        f"it is{before or ' '}[removed], I think", 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    "part", ["sk-", "eyJ-", "glpat-", "bearer ", "api_key ", "xoxb-a.", KEYS[0]]
)
def test_a_long_text_is_read_in_a_moment(part: str) -> None:
    pem = "-----BEGIN PRIVATE KEY-----"
    for text in (part * (200_000 // len(part)), pem * 500):  # in squares, minutes
        assert Secrets(["x"]).removed(text)[1] <= 200_000 // len(part)


@pytest.mark.parametrize(
    "text",
    [
        "xai and ollama serve openai/gpt-x", "a sketchbook-drawing of skyscraper-buildings",
        "pkgconfig-something, hfstatistics-of-models and r8-something-longer",
        "the bearer internationalization of responsibilities.", "x = 3, y = x; token: x, key: x",
        "hf_transformers_pipeline_v2 of sk-learn-pipelines", "password reset for users of x",
        "AKIA and eyJ stand alone", "s0 to s11 at 0.7; state_10", "passwordless changemelater",
    ],
)  # fmt: skip
def test_innocent_text_is_unchanged(text: str) -> None:
    secrets = Secrets(["x", "ollama", "EMPTY", "changeme", "passwordl"])
    assert secrets.removed(text) == (text, 0)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (
            "Incorrect API key provided: x. See x.ai",
            "Incorrect API key provided: [removed]. See x.ai",
        ),
        ("api_key=x&model=xai", "api_key=[removed]&model=xai"),
        ("{'Authorization': 'Bearer x', 'x': 1}", "{'Authorization': 'Bearer [removed]', 'x': 1}"),
        ('"x-api-key": "ollama" for ollama', '"x-api-key": "[removed]" for ollama'),
    ],
)
def test_a_short_key_is_not_printed_as_a_key(text: str, clean: str) -> None:
    assert Secrets(["x", "ollama"]).removed(text) == (clean, 1)


def test_a_longer_secret_that_holds_a_shorter_one_goes_whole() -> None:
    assert Secrets(["abcd1234", "abcd1234efgh"]).removed("abcd1234efgh")[0] == "[removed]"


def test_a_value_that_names_who_is_asked_is_a_name() -> None:
    config = Config.load({
        "model_list": [{
            "model_name": "local-models",
            "litellm_params": {"model": "openai/lm-studio-7b", "api_key": "lm-studio"},
        }],
    }, {})  # fmt: skip
    secrets = secrets_of(config, {"ANTHROPIC_API_KEY": "anthropic"})
    text = "lm-studio and anthropic were asked"
    assert secrets.removed(text) == (text, 0)
    assert secrets.removed("api_key=lm-studio")[0] == "api_key=[removed]"


def test_secrets_are_found_by_the_names_of_their_settings() -> None:
    params = {
        "model": "openai/m", "api_key": "os.environ/MY_OWN", "aws_secret_access_key": "aws-12345",
        "extra_headers": {"Authorization": "Bearer abc-123456", "Accept": "application/json"},
        "vertex_credentials": {"private": "vertex-123"}, "max_tokens": 5,
    }  # fmt: skip
    config = Config.load({
        "model_list": [{"model_name": "m", "litellm_params": params}],
        "router_settings": {"redis_password": "redis-123"},
        "orchestrator": {"cache": {"url": "redis://u:cache-123@host/0"}},
    }, {})  # fmt: skip
    found = secret_values(
        config, {"MY_OWN": "mine-1234", "GH_TOKEN": "gh-12345", "MONKEY": "banana-1"}
    )
    assert set(found) - {""} == {
        "mine-1234", "aws-12345", "Bearer abc-123456", "vertex-123", "redis-123", "cache-123",
        "gh-12345",
    }  # fmt: skip


def test_an_export_leaves_the_names_of_providers_and_models() -> None:
    line = {
        "at": "2026", "contract": "gmn", "system": [], "answer": "good", "templates": {},
        "messages": [{"role": "user", "content": "ask xai with my-secret-1\\\"quoted"}],
        "model": "my-secret-1", "provider": "xai", "calls": 1,
    }  # fmt: skip
    made = examples_of([line], secrets=["x", "my-secret-1", "openai-1"], valid_percent=0)
    assert made.train[0]["messages"][0]["content"] == 'ask xai with [removed]\\"quoted'
    assert (made.provenance[0]["provider"], made.provenance[0]["model"]) == ("xai", "my-secret-1")


@settings(max_examples=share_of(50), deadline=None)
@given(secret=SECRET, words=st.text(max_size=80))
def test_a_recording_and_its_name_hold_no_secret(
    secret: str, words: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("tape")
    secrets = Secrets([secret])
    tape = Cassette(directory, clean=lambda value: secrets.removed_from(value)[0])
    asked = {"route": "default", "messages": [("user", f"{words} {secret} tell me")]}
    tape.put("a" * 64, [3, 0.0, f"it is {secret}", "stop"], question=asked)
    (path,) = directory.iterdir()
    assert secret not in path.name
    assert path.name.rpartition("-")[2] == f"{'a' * 12}.json"
    assert set(path.name) <= set(string.ascii_lowercase + string.digits + "-.")
    text = json.loads(path.read_text(encoding="utf-8"))
    assert secret not in json.dumps([text["answer"], text["question"]["messages"]])
    assert (
        Cassette(directory).get("a" * 64)
        == tape.get("a" * 64)
        == [3, 0.0, text["answer"][2], "stop"]
    )


@settings(max_examples=share_of(50), deadline=None)
@given(words=st.text(max_size=200))
def test_a_recordings_name_is_a_slug_and_a_digest_whatever_was_asked(
    words: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("tape")
    Cassette(directory).put("b" * 64, [3], question={"messages": [["user", words]]})
    (path,) = directory.iterdir()
    assert set(path.name) <= set(string.ascii_lowercase + string.digits + "-.")
    assert len(path.name) < 120


def test_an_unconfigured_key_or_address_is_not_in_the_name() -> None:
    asked = "Mail jane.doe@example.org about Xy7abc-Secret and ../../etc/passwd, please"
    assert _label({"messages": [["user", asked]]}) == "mail-about-and-please"


class FailedError(Exception):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message, self.model, self.llm_provider = message, "xai/grok-x", "xai"


def test_an_error_keeps_its_names_and_its_innocent_words() -> None:
    words = "xai failed: the system is overloaded by user input for the assistant of grok-x"
    sent = {
        "model": "xai/grok-x", "custom_llm_provider": "overloaded", "api_key": "x",
        "messages": [{"role": "assistant", "content": "overloaded"}, {"content": "user"}],
    }  # fmt: skip
    error = cleaned(FailedError(words), sent, ["x", "ollama"])
    assert str(error) == words
    assert vars(error)["llm_provider"] == "xai"
    assert vars(error)["model"] == "xai/grok-x"
    quoted = cleaned(FailedError("you said: my own words"), {"prompt": "my own words"}, [])
    assert str(quoted) == vars(quoted)["message"] == "you said: [removed]"
