"""What a call can cost at most, from LiteLLM's price map and the prices a deployment states."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from orchestrator.config.providers import OFFLINE
from orchestrator.routing import _litellm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.models.deployments import Deployment, Deployments

#: A token is hardly ever shorter than this many bytes of JSON; estimates here are upper bounds.
_BYTES_PER_TOKEN = 2.0
_USUAL_ANSWER = 4096
#: LiteLLM's modes of the models that a method of the Router may ask.
_KINDS = {"acompletion": ("chat", "completion", "responses"), "aembedding": ("embedding",)}
_PICTURE = re.compile(r"data:image/[^\"]*")
_TOKENS_PER_PICTURE = 4096  # above what any large provider counts for one


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
    sent = {k: v for k, v in arguments.items() if k in ("messages", "input", "tools", "prompt")}
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
