"""A second catalogue of models, read from a file in the JSON form of models.dev.

``models sync --catalog FILE`` keeps what is used of it in the cache directory. Nothing is fetched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.ledger.private import write_private
from orchestrator.ledger.usage import stamp
from orchestrator.models.facts import Fact, stated_in
from orchestrator.parsing.bounds import json_value
from orchestrator.types.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CATALOGUE_FILE = "catalogue.json"  # in the cache directory
SOURCE = "catalogue"
_MOST_BYTES = 64 * 2**20
#: The names of providers there, where LiteLLM's prefix is another word.
_PREFIXES = {
    "google": "gemini", "google-vertex": "vertex_ai", "amazon-bedrock": "bedrock",
    "togetherai": "together_ai", "fireworks-ai": "fireworks_ai", "lmstudio": "lm_studio",
    "github-copilot": "github_copilot", "nvidia": "nvidia_nim",
}  # fmt: skip
_INPUTS = {"vision": "image", "audio_input": "audio", "pdf_input": "pdf", "video_input": "video"}
_FLAGS = {
    "function_calling": "tool_call", "response_schema": "structured_output",
    "reasoning": "reasoning",
}  # fmt: skip


class Catalogue:
    """What a catalogue says about models, by LiteLLM's name of the model."""

    def __init__(
        self,
        entries: Mapping[str, Mapping[str, Any]],
        at: str = "",
        *,
        left_out: tuple[str, ...] = (),
    ) -> None:
        """`entries` have the keys of LiteLLM's table; `at` is when they were read, ISO 8601;
        `left_out` names the models and providers of which nothing could be read, and facts."""
        self.entries, self.at, self.left_out = entries, at, left_out

    def facts(self, model: str) -> dict[str, Fact]:
        """The facts about a model; empty when it is not listed."""
        entry = self.entries.get(model, {})
        return {n: Fact(value, SOURCE, self.at) for n, value in stated_in(entry).items()}

    @classmethod
    def kept(cls, path: Path) -> Catalogue:
        """What was kept at `path`; empty for nothing, or for what cannot be read."""
        try:
            found = json_value(path.read_text(encoding="utf-8"))
            entries = {name: _mapping(one) for name, one in found["models"].items()}
            return cls(entries, str(found["at"]))
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return cls({})

    def keep(self, path: Path) -> None:
        """Write it to `path`, for this user only. Raises: OSError: it cannot be written."""
        value = {"at": self.at, "models": self.entries}
        write_private(path, json.dumps(value, separators=(",", ":")).encode())


def read_catalogue(path: Path) -> Catalogue:
    """A file of models.dev: providers, each with its ``models``.

    Raises: ConfigError: it cannot be read, is not JSON, has a key twice, or lists no model in that
        form.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise ValueError(f"it holds more than {_MOST_BYTES} bytes")  # noqa: TRY301
        found = json_value(raw, takes_twice=False)
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read ({error.strerror or error})") from None
    except ValueError as error:
        raise ConfigError(str(path), f"is not a catalogue: {error}") from None
    providers = _mapping(found)
    providers = _mapping(providers.get("providers")) or providers
    entries: dict[str, dict[str, Any]] = {}
    left_out: list[str] = []
    for provider, about in providers.items():
        models = _mapping(about).get("models")
        if not isinstance(models, Mapping):
            left_out.append(provider)
        for model, one in _mapping(models).items():
            name = f"{_PREFIXES.get(provider, provider)}/{model}"
            entries[name] = _entry(_mapping(one))
            if not stated_in(entries[name]):
                left_out.append(name)
                del entries[name]
            else:
                left_out += [f"{key} of {name}" for key in _misread(_mapping(one))]
    if not entries:
        fix = "Save https://models.dev/api.json, and name that file."
        raise ConfigError(str(path), "lists no model in the form of models.dev", fix=fix)
    return Catalogue(entries, stamp(), left_out=tuple(left_out))


def _entry(one: Mapping[str, Any]) -> dict[str, Any]:
    """A model under the keys of LiteLLM's table; prices there are per million tokens."""
    made: dict[str, Any] = {
        f"supports_{name}": one[key] for name, key in _FLAGS.items() if key in one
    }
    modalities = _mapping(one.get("modalities"))
    if isinstance(inputs := modalities.get("input"), list):
        made |= {f"supports_{name}": word in inputs for name, word in _INPUTS.items()}
    if isinstance(outputs := modalities.get("output"), list):
        made["supports_audio_output"] = "audio" in outputs
    limit, cost = _mapping(one.get("limit")), _mapping(one.get("cost"))
    sizes = (limit.get("input"), limit.get("context"))
    made["max_input_tokens"] = next((n for n in sizes if type(n) is int and n > 0), None)
    made["max_output_tokens"] = limit.get("output")
    for name, key in (("input_cost_per_token", "input"), ("output_cost_per_token", "output")):
        price = cost.get(key)
        if isinstance(price, int | float) and not isinstance(price, bool):
            made[name] = price / 1e6
    return {key: value for key, value in made.items() if value is not None}


def _misread(one: Mapping[str, Any]) -> Iterator[str]:
    """What a model states as something that it cannot be, such as a limit in words."""
    for key in _FLAGS.values():
        if not isinstance(one.get(key), bool | None):
            yield key
    for part, keys in (("limit", ("context", "input", "output")), ("cost", ("input", "output"))):
        for key in keys:
            said = _mapping(one.get(part)).get(key) or 0
            if isinstance(said, bool) or not isinstance(said, int | float) or said < 0:
                yield f"{part}.{key}"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
