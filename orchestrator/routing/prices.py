"""What a call can cost at most, from LiteLLM's price map and the prices a deployment states."""

from __future__ import annotations

import json
import math
import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from orchestrator.config.providers import OFFLINE
from orchestrator.models.facts import PRICES, facts_of
from orchestrator.models.table import shipped_table
from orchestrator.routing import _litellm
from orchestrator.routing.offline.litellm_adapter import estimated_tokens
from orchestrator.types.requests import Usage, WireAttempt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestrator.models.deployment import Deployment
    from orchestrator.models.facts import Facts
    from orchestrator.models.groups import Deployments

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
    stated: dict[str, Any] = {**one.entry_in(model_table()), **one.model_info, **one.params.value}
    prices = [*map(as_number, map(stated.get, PRICES))]
    if prices[0] is not None and prices[1] is not None:
        return prices[0], prices[1]
    return (0.0, 0.0) if one.is_local else None


def as_number(stated: Any) -> float | None:
    """A price, None where it is none; YAML reads ``1e-6`` as text, which LiteLLM takes for the
    number that it is."""
    try:
        number = float(stated)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def model_table() -> Mapping[str, Any]:
    """What LiteLLM knows about models, by name: prices, kinds, abilities, retirements.

    Where LiteLLM is not loaded, its file is read, which takes a hundredth of the time.
    """
    loaded = sys.modules.get("litellm")
    table: Mapping[str, Any] | None = getattr(loaded, "model_cost", None)
    return shipped_table() if table is None else table


def are_as_shipped(deployments: Deployments) -> bool:
    """Whether LiteLLM, which is not loaded yet, will give the prices of its table as shipped.

    Not where it is to fetch another table, nor where a deployment states a price of its own, which
    a Router also writes into the entry of those that state none.
    """
    if "litellm" in sys.modules or not _litellm.reads_shipped_table():
        return False
    ready = deployments.ready
    return len({frozenset(PRICES) & {*d.model_info, *d.params.value} for d in ready}) == 1


def serves(one: Deployment, method: str) -> bool:
    """Whether a model is of the kind that a method of the Router asks.

    A model whose kind neither its `model_info` (``mode``) nor LiteLLM knows is taken for chat.
    """
    kind = one.model_info.get("mode") or one.entry_in(model_table()).get("mode") or "chat"
    return kind in _KINDS[method]


def reads_pictures(one: Deployment) -> bool:
    """Whether a model takes images: as stated in its model_info, else as LiteLLM knows it."""
    return _facts(one)["vision"] is True


def takes_schema(one: Deployment) -> bool | None:
    """LiteLLM's first guess whether a model takes a JSON schema; None when it has no entry."""
    return bool(_facts(one)["response_schema"]) if one.entry_in(model_table()) else None


def _facts(one: Deployment) -> Facts:
    """From its configuration and the table as shipped: into the table that LiteLLM holds a Router
    writes what one deployment states of itself, and its siblings would be taken for the same."""
    return facts_of(one, shipped_table())


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
    prompt = len("".join(_read_texts(arguments)).encode(errors="replace")) // 4 + 1
    if not ready:
        return WireAttempt("", "", group, "unfinished", usage=Usage(prompt), estimated=True)
    prices = [*map(price_of, ready)]
    price = None if None in prices else max(filter(None, prices))
    one = ready[0] if price is None else ready[prices.index(price)]
    answer = 0 if method == "aembedding" else min(_most_answer(d, arguments) for d in (one, None))
    usage = Usage(prompt, int(answer))
    model = one.model.partition("/")[2] or one.model
    cost = cost_at(price, usage)
    return WireAttempt(
        one.id, one.provider, model, "unfinished", usage=usage, cost_usd=cost, estimated=True
    )


def cost_at(price: tuple[float, float] | None, usage: Usage) -> float | None:
    """Dollars for tokens at a price for each prompt and answer token; None without a price."""
    if price is None:
        return None
    return usage.prompt_tokens * price[0] + usage.completion_tokens * price[1]


def prompt_tokens(arguments: Mapping[str, Any]) -> int:
    """About what a provider counts for the prompt of a call; opens no tokenizer and no network."""
    texts = _read_texts(arguments)
    pictures = sum(text.startswith("data:image/") for text in texts)
    read = " ".join(text for text in texts if not text.startswith("data:image/"))
    return estimated_tokens(read) + pictures * _TOKENS_PER_PICTURE


def _read_texts(arguments: Mapping[str, Any]) -> list[str]:
    return _with_texts([], [*map(arguments.get, _READ)])


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
                # Some servers repeat the name in every part.
                name = "" if written[place] else call.function.name or ""
                written[place] += f"{name}{call.function.arguments or ''}"
    return sum(map(estimated_tokens, written.values()))


def _with_texts(texts: list[str], value: Any) -> list[str]:
    """`texts`, and every text in a value added to them.

    Names of fields are among them: they cost about what a message's frame does. A token that was
    sent as its number counts as one.
    """
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, Mapping):
        for key, part in value.items():
            texts.append(str(key))
            _with_texts(texts, part)
    elif isinstance(value, list | tuple):
        for part in value:
            _with_texts(texts, part)
    elif isinstance(value, int):
        texts.append("1")
    elif isinstance(value, BaseModel):
        _with_texts(texts, value.model_dump(exclude_none=True))
    return texts


def _most_answer(one: Deployment | None, arguments: Mapping[str, Any]) -> float:
    """The longest answer: as the call says, else as the deployment does, else a usual one."""
    if "input" in arguments and "messages" not in arguments:
        return 0.0  # an embedding has no text
    most = arguments.get("max_tokens") or arguments.get("max_completion_tokens")
    if not most and one is not None:
        known = one.entry_in(model_table())
        most = one.params.value.get("max_tokens") or known.get("max_output_tokens")
    return float(most or _USUAL_ANSWER) * float(arguments.get("n") or 1)


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
    found = [name for name, _ in targets_of(arguments, group)]
    return tuple(dict.fromkeys([*found, *(arguments.get("default_fallbacks") or [])]))


def targets_of(fallbacks: Mapping[str, Any], group: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The same by the fallbacks that are stated for a group, each with its own arguments."""
    found: list[tuple[str, Mapping[str, Any]]] = [(group, {})]
    for one, _ in found:  # grows while it is walked: fallbacks chain
        for entry in (entry for name in FALLBACKS for entry in fallbacks.get(name) or ()):
            for target in (*entry.get(one, ()), *entry.get("*", ())):
                own = target if isinstance(target, Mapping) else {"model": target}
                made = str(own.get("model") or one), own if own is target else {}
                if made not in found:
                    found.append(made)
    return found
