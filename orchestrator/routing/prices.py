"""What a call can cost at most, from LiteLLM's price map and the prices a deployment states."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from orchestrator.config.providers import OFFLINE
from orchestrator.routing import _litellm
from orchestrator.routing.offline.litellm_adapter import estimated_tokens
from orchestrator.types.requests import Usage, WireAttempt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from orchestrator.models.deployments import Deployment, Deployments

#: A token is hardly ever shorter than this many bytes of JSON; estimates here are upper bounds.
_BYTES_PER_TOKEN = 2.0
_USUAL_ANSWER = 4096
#: LiteLLM's modes of the models that a method of the Router may ask.
_KINDS = {"acompletion": ("chat", "completion", "responses"), "aembedding": ("embedding",)}
_PICTURE = re.compile(r"data:image/[^\"]*")
_TOKENS_PER_PICTURE = 4096  # above what any large provider counts for one


#: LiteLLM's arguments that hold what a model reads.
_READ = ("messages", "input", "tools", "prompt", "functions")
#: Fields of a message, or of a part of a streamed one, that hold what a model wrote.
_WRITTEN = ("content", "reasoning_content", "refusal", "text")

#: The Router's arguments, and settings, that say where a group may fall back to.
FALLBACKS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")


def price_of(one: Deployment) -> tuple[float, float] | None:
    """Dollars per prompt and per answer token; 0 on this machine, None when it is not known."""
    if one.provider == OFFLINE:  # LiteLLM's table does not have to be loaded for it
        return 0.0, 0.0
    stated: dict[str, Any] = {**one.model_info, **one.params.value}
    prices = [
        stated.get(key, known_about(one).get(key))
        for key in ("input_cost_per_token", "output_cost_per_token")
    ]
    if all(isinstance(price, int | float) for price in prices):
        return float(prices[0]), float(prices[1])  # type: ignore[arg-type]  # numbers, as just checked
    return (0.0, 0.0) if one.is_local else None


def known_about(one: Deployment) -> Mapping[str, Any]:
    """LiteLLM's entry about the model of a deployment; empty when it has none."""
    return one.entry_in(model_table())


def model_table() -> Mapping[str, Any]:
    """What LiteLLM knows about models, by name: prices, kinds, abilities, retirements."""
    table: Mapping[str, Any] = _litellm.load().model_cost
    return table


def serves(one: Deployment, method: str) -> bool:
    """Whether a model is of the kind that a method of the Router asks.

    A model whose kind neither its `model_info` (``mode``) nor LiteLLM knows is taken for chat.
    """
    kind = one.model_info.get("mode") or known_about(one).get("mode") or "chat"
    return kind in _KINDS[method]


def reads_pictures(one: Deployment) -> bool:
    """Whether a model takes images: as stated in its model_info, else as LiteLLM knows it."""
    return bool({**known_about(one), **one.model_info}.get("supports_vision"))


def takes_schema(one: Deployment) -> bool | None:
    """LiteLLM's first guess whether a model takes a JSON schema; None when it has no entry."""
    entry = known_about(one)
    return bool(entry.get("supports_response_schema")) if entry else None


def most_usd(
    deployments: Deployments, groups: Sequence[str], arguments: Mapping[str, Any]
) -> float | None:
    """The dearest answer that any of `groups` can give; None when a price is not known.

    A failed attempt is not billed, so retries and fallbacks do not add up.
    """
    ready = [one for group in groups for one in deployments.of_group(group)]
    sent = {key: arguments[key] for key in _READ if key in arguments}
    text = _PICTURE.sub("", json.dumps(sent, default=str, ensure_ascii=False))
    pictures = len(_PICTURE.findall(json.dumps(sent, default=str)))
    tokens = len(text.encode()) / _BYTES_PER_TOKEN + pictures * _TOKENS_PER_PICTURE
    worst = 0.0
    for one in ready:
        price = price_of(one)
        if price is None:
            return None
        worst = max(worst, tokens * price[0] + _most_answer(one, arguments) * price[1])
    return worst


def expected_attempt(
    deployments: Deployments, method: str, arguments: Mapping[str, Any]
) -> WireAttempt:
    """What a call that is about to be sent may take: its prompt, and an answer of full length.

    It stands on the bill when nothing says how the call ended.
    """
    group = str(arguments.get("model"))
    ready = deployments.of_group(group)
    # Before every call: a quarter of the bytes takes 10 µs, counting words 200 for 2,000 letters.
    prompt = sum(len(text.encode(errors="replace")) for text in _read_texts(arguments)) // 4 + 1
    if not ready:
        return WireAttempt("", "", group, "unfinished", usage=Usage(prompt), estimated=True)
    prices = [price_of(one) for one in ready]
    known = [price for price in prices if price is not None]
    one = ready[prices.index(max(known))] if len(known) == len(prices) else ready[0]
    answer = 0 if method == "aembedding" else min(_most_answer(one, arguments), _likely(arguments))
    usage = Usage(prompt, int(answer))
    cost = cost_at(price_of(one), usage) if len(known) == len(prices) else None
    model = one.model.partition("/")[2] or one.model
    return WireAttempt(
        one.id, one.provider, model, "unfinished", usage=usage, cost_usd=cost, estimated=True
    )


def _likely(arguments: Mapping[str, Any]) -> float:
    """The most that an answer is taken for where only its model says how long it may be."""
    stated = arguments.get("max_tokens") or arguments.get("max_completion_tokens")
    return float(stated or _USUAL_ANSWER) * float(arguments.get("n") or 1)


def cost_at(price: tuple[float, float] | None, usage: Usage) -> float | None:
    """Dollars for tokens at a price for each prompt and answer token; None without a price."""
    if price is None:
        return None
    return usage.prompt_tokens * price[0] + usage.completion_tokens * price[1]


def prompt_tokens(arguments: Mapping[str, Any]) -> int:
    """About what a provider counts for the prompt of a call; opens no tokenizer and no network."""
    texts = list(_read_texts(arguments))
    pictures = sum(text.startswith("data:image/") for text in texts)
    read = " ".join(text for text in texts if not text.startswith("data:image/"))
    return estimated_tokens(read) + pictures * _TOKENS_PER_PICTURE


def _read_texts(arguments: Mapping[str, Any]) -> Iterator[str]:
    for key in _READ:
        yield from _texts(arguments.get(key))


def written_tokens(parts: Iterable[Any]) -> int:
    """About what a provider counts for an answer, given whole or in the parts of a stream."""
    written: dict[tuple[object, ...], str] = defaultdict(str)  # words may be split between parts
    for part in parts:
        for choice in getattr(part, "choices", None) or ():
            said = getattr(choice, "message", None) or getattr(choice, "delta", None) or choice
            for name in _WRITTEN:
                written[choice.index, name] += getattr(said, name, None) or ""
            for number, call in enumerate(getattr(said, "tool_calls", None) or ()):
                place = (choice.index, "tool", getattr(call, "index", number))
                written[place] += f"{call.function.name or ''}{call.function.arguments or ''}"
    return sum(map(estimated_tokens, written.values()))


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, names of fields included: they cost about what a message's frame does.

    A token that was sent as its number counts as one.
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, BaseModel):
        yield from _texts(value.model_dump(exclude_none=True))
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield str(key)
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, int):
        yield "1"


def _most_answer(one: Deployment, arguments: Mapping[str, Any]) -> float:
    stated = arguments.get("max_tokens") or arguments.get("max_completion_tokens")
    most = stated or one.params.value.get("max_tokens") or known_about(one).get("max_output_tokens")
    samples = arguments.get("n") or 1
    return float(most or _USUAL_ANSWER) * float(samples)


def fallbacks_of(router: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Where the groups of a call may fall back to: as the call says, else as its Router does.

    A call may name the fallbacks of its own group in a plain list.
    """
    settings, group = router.settings(), str(arguments.get("model"))
    made: dict[str, Any] = {name: getattr(settings, name) for name in FALLBACKS}
    for name in FALLBACKS:
        if stated := arguments.get(name):
            is_plain = not all(isinstance(one, dict) and "model" not in one for one in stated)
            made[name] = [{group: stated}] if is_plain else stated
    return made


def chain_of(arguments: Mapping[str, Any], group: str) -> tuple[str, ...]:
    """A group and every group that LiteLLM may fall back to from it, each once."""
    found = [group]
    for one in found:  # grows while it is walked: fallbacks chain
        for name in FALLBACKS:
            for entry in arguments.get(name) or []:
                for target in (*entry.get(one, ()), *entry.get("*", ())):
                    wanted = str(target.get("model")) if isinstance(target, dict) else str(target)
                    if wanted not in found:
                        found.append(wanted)
    for target in arguments.get("default_fallbacks") or []:
        if target not in found:
            found.append(target)
    return tuple(found)
