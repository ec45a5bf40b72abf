"""What identifies a question: everything that shapes its answer, and nothing else."""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
import os.path
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticSerializationError, to_json

from orchestrator.types.caching import AS_CONFIGURED, CachePolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.types.requests import Request

#: Everything that shapes an answer, as JSON.
Question = Mapping[str, object]

LAYOUT = 3  # of keys and stored values; another number makes every older entry a miss

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_PRIVATE = re.compile(r"key|token|secret|password|authori[sz]ation|credential|headers", re.I)
_HARMLESS = ("max_tokens", "max_completion_tokens", "logit_bias", "top_k")
_CONTENT = ("messages", "response_format", "tools", "functions", "form", "input", "prompt")
_FORMAL = frozenset({"", "system", "user", "assistant", "tool", "text", "image_url"})
_ABSENT = object()
# A union in isinstance() would be built at every call.
_LISTS, _NUMBERS = (list, tuple), (int, float)
_LONG = 1024  # characters; shorter texts are quoted as fast as they are hashed
_LONGEST_SHOWN = 60
_LONGEST_WORD = 16  # names of models, roles and modes are shorter; sentences are longer


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON of `value`; key order and the spelling of numbers do not count.

    Stable across processes: the digest of a question is the key of its answer.

    Raises: TypeError: something in it has no JSON form.
    """
    plain = _plain(value)
    try:
        text = to_json(plain, inf_nan_mode="constants")
    except PydanticSerializationError:  # half a surrogate pair, which UTF-8 does not have
        text = _CANONICAL.encode(plain).encode(errors="surrogatepass")
    return hashlib.sha256(text).hexdigest()


@functools.lru_cache(maxsize=32)
def _sha256(text: str) -> str:
    # The same long text comes again and again: what every question of a run begins with.
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def question_of(request: Request, *, fingerprint: str) -> dict[str, object]:
    """Everything that shapes the answer to a request, as JSON.

    `fingerprint` identifies the deployments behind the route, without their keys.
    """
    return {
        "layout": LAYOUT,
        "route": request.route,
        "deployments": fingerprint,
        "messages": [(str(turn.role), turn.content) for turn in request.messages],
        "parameters": request.parameters,
        "mode": request.mode,
        "form": request.schema if request.mode.sends_schema else request.in_words,
        "templates": dict(request.templates),
        "sample": request.sample,
        **_owner(request.keep),
    }


def _owner(policy: CachePolicy) -> dict[str, object]:
    return {} if policy.tenant is None else {"tenant": policy.tenant}


#: LiteLLM's arguments that say how to ask, not what: they shape no answer.
_TRANSPORT = frozenset({
    "timeout", "request_timeout", "stream_timeout", "num_retries", "max_retries", "metadata",
    "litellm_metadata", "caching", "tenant",
})  # fmt: skip


def call_question(
    method: str,
    arguments: Mapping[str, object],
    *,
    fingerprint: str,
    policy: CachePolicy = AS_CONFIGURED,
) -> dict[str, object]:
    """The question of a call with LiteLLM's own arguments."""
    asked = dict(arguments)
    for name in _TRANSPORT & asked.keys():
        del asked[name]
    if asked.get("stream") is False:  # as if it were not stated
        del asked["stream"]
    known = {"layout": LAYOUT, "call": method, "deployments": fingerprint}
    return {**known, "arguments": asked, **_owner(policy)}


def _plain(value: object) -> object:
    """The same value, its keys in order, each number in one spelling: 1 is 1.0 to providers.

    A long text stands as its digest: to quote it in JSON would cost three times as much. The mark
    before it begins no other text, so nothing else can be taken for one.

    Raises: TypeError: something in it has no JSON form.
    """
    if isinstance(value, str):
        if len(value) > _LONG:
            return f"\0{_sha256(value)}"
        return f"\0{value}" if value.startswith("\0") else value
    if isinstance(value, dict):
        return {str(key): _plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, _LISTS):
        return list(map(_plain, value))
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or isinstance(value, _NUMBERS):
        return value
    raise TypeError(f"{type(value).__name__} has no JSON form")


def without_secrets(question: Any, name: str = "") -> Any:
    """A question as it may be kept: what could be a secret is a digest of itself."""
    if name and name not in _HARMLESS and _PRIVATE.search(name) and question:
        return f"[removed, digest {digest(question)[:8]}]"
    if isinstance(question, Mapping):
        return {
            key: part if key in _CONTENT else without_secrets(part, str(key))
            for key, part in question.items()
        }
    if isinstance(question, list | tuple):
        return [without_secrets(part) for part in question]
    return question


def redacted(question: Any, *, is_said: bool = False) -> Any:
    """A question without its words: where two differ can be said, what was said cannot be read."""
    if isinstance(question, Mapping):
        return {
            key: redacted(part, is_said=is_said or key in _CONTENT)
            for key, part in question.items()
        }
    if isinstance(question, list | tuple):
        return [redacted(part, is_said=is_said) for part in question]
    if not isinstance(question, str) or question in _FORMAL:
        return question
    if is_said or len(question) > _LONGEST_WORD:
        return f"[{len(question)} characters, digest {digest(question)[:8]}]"
    return question


def as_kept(question: Question) -> dict[str, Any]:
    """A question in the form in which it is kept: plain JSON, no secret in it."""
    made: dict[str, Any] = json.loads(_CANONICAL.encode(without_secrets(question)))
    return made


def differences(one: object, other: object) -> Iterator[str]:
    """Where two questions differ, a line each: place, the one, the other."""
    left, right = dict(_leaves(one)), dict(_leaves(other))
    for at in dict.fromkeys((*left, *right)):
        here, there = left.get(at, _ABSENT), right.get(at, _ABSENT)
        if here != there:
            where = "".join(f"[{n}]" if isinstance(n, int) else f".{n}" for n in at)
            yield f"{where.removeprefix('.')}: {_shown(here, there)}"


def _leaves(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, object]]:
    """The parts that hold no other part, by their path."""
    if isinstance(value, Mapping | list | tuple) and value:
        for key, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _leaves(part, (*at, key))
    else:
        yield at, value


def similarity(one: Question, other: Question) -> float:
    """How alike two questions are, in [0, 1]; for finding the nearest, not for equality."""
    texts = [_CANONICAL.encode(question)[-20_000:] for question in (one, other)]
    return difflib.SequenceMatcher(None, texts[0], texts[1], autojunk=False).quick_ratio()


def _shown(here: object, there: object) -> str:
    """Two values; of two texts the place where they part, with a little around it."""
    start = 0
    if isinstance(here, str) and isinstance(there, str):
        alike = os.path.commonprefix((here, there))  # noqa: RUF071  of characters, not of paths
        start = max(len(alike) - 20, 0)
    return f"{_short(here, start)} is {_short(there, start)}"


def _short(value: object, start: int) -> str:
    if isinstance(value, str):
        end = start + _LONGEST_SHOWN
        return repr(f"{'…' if start else ''}{value[start:end]}{'…' if value[end:] else ''}")
    return "absent" if value is _ABSENT else json.dumps(value, ensure_ascii=False, default=str)
