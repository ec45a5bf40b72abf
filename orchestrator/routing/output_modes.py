"""Output modes on the wire, and which of them each deployment has refused or ignored.

What a model takes is a fact to be learned: LiteLLM's table is only a first guess. What was learned
is remembered on disk.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.ledger.private import private_lock, write_private
from orchestrator.ledger.usage import stamp
from orchestrator.parsing.bounds import json_value
from orchestrator.types.cached import cached_property
from orchestrator.types.requests import OutputMode
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.models.deployments import Deployment
    from orchestrator.types.requests import Request

_log = logger_of(__name__)
MODES_FILE = "modes.json"  # in the cache directory
_STRICT_WORDS = frozenset({
    "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf",
    "$ref", "$defs", "description", "title", "pattern", "format", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems",
})  # fmt: skip
#: Keywords that say nothing about a value, or that providers refuse.
_IDLE = ("$schema", "title", "default", "examples")


class RefusedModes:
    """The refusals, by deployment; those of another model than the one configured do not count."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def _known(self) -> dict[str, Any]:
        return self._read()

    def load(self) -> None:
        """Read the file now."""
        _ = self._known

    def refused(self, one: Deployment) -> Mapping[OutputMode, Mapping[str, str]]:
        """The modes that do not work with a deployment, each with ``why`` and ``at``."""
        entry = self._known.get(one.id, {})
        refused: Mapping[OutputMode, Mapping[str, str]] = entry.get("refused", {})
        return refused if entry.get("model") == one.model else {}

    def note(self, one: Deployment, mode: OutputMode, why: str) -> None:
        """Remember that a mode does not work; what other processes learned is kept."""
        refused = {**self.refused(one), mode: {"why": why, "at": stamp()}}
        self._known[one.id] = {"model": one.model, "refused": refused}
        try:
            # Several may learn at once, in this process and in others.
            with private_lock(self.path.with_suffix(".lock")):
                known = {**self._read(), one.id: self._known[one.id]}
                write_private(self.path, json.dumps(known, indent=1).encode())
        except OSError as error:
            _log.warning("%s cannot be written (%s).", self.path, error)

    def forget(self) -> int:
        """Forget everything; return how many deployments something was known of."""
        count = len(self._known)
        self._known.clear()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        return count

    def _read(self) -> dict[str, Any]:
        try:
            found = json_value(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            _log.warning("%s cannot be read (%s): starting without it.", self.path, error)
            return {}
        return found if isinstance(found, dict) else {}


def messages_of(request: Request) -> list[dict[str, Any]]:
    """The conversation, with the schema in words where the provider is not given it."""
    turns = [turn.as_dict() for turn in request.messages]
    if not request.in_words or request.mode.sends_schema:
        return turns
    last = turns[-1]
    if last["role"] == "user" and isinstance(last["content"], str):
        return [*turns[:-1], {**last, "content": f"{last['content']}\n\n{request.in_words}"}]
    return [*turns, {"role": "user", "content": request.in_words}]


def response_format_arguments(request: Request) -> dict[str, Any]:
    """LiteLLM's arguments that ask for the shape of the answer in the request's mode."""
    if request.mode is OutputMode.JSON_OBJECT:
        return {"response_format": {"type": "json_object"}}
    if request.schema is None or not request.mode.sends_schema:
        return {}
    name, schema = request.schema_name or "answer", tightened(request.schema)
    if request.mode is OutputMode.JSON_SCHEMA:
        form = {"name": name, "schema": schema, "strict": takes_strictly(schema)}
        return {"response_format": {"type": "json_schema", "json_schema": form}}
    return {
        "tools": [{"type": "function", "function": {"name": name, "parameters": schema}}],
        "tool_choice": {"type": "function", "function": {"name": name}},
    }


def tightened(schema: Any) -> Any:
    """A schema without idle words, closed where every property is required anyway.

    Whatever fulfils it fulfils the original too, and providers enforce it in more cases.
    """
    if not isinstance(schema, Mapping):
        return schema
    made = {key: part for key, part in schema.items() if key not in _IDLE}
    for key in ("properties", "$defs"):
        if key in made:
            made[key] = {name: tightened(part) for name, part in made[key].items()}
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if key in made:
            made[key] = [tightened(part) for part in made[key]]
    if "items" in made:
        made["items"] = tightened(made["items"])
    if "properties" in made and set(made["properties"]) == set(made.get("required", ())):
        made.setdefault("additionalProperties", False)
    return made


def takes_strictly(schema: object) -> bool:
    """Whether a schema is in the subset that providers enforce word by word.

    There every object is closed and every property required; with anything else providers refuse
    ``strict`` and only try their best.
    """
    if not isinstance(schema, Mapping):
        return isinstance(schema, bool)
    if not set(schema) <= _STRICT_WORDS:
        return False
    wanted = schema.get("properties", {})
    is_object = schema.get("type") == "object" or "properties" in schema
    is_closed = schema.get("additionalProperties") is False
    if is_object and not (is_closed and set(wanted) == set(schema.get("required", ()))):
        return False
    parts = [*wanted.values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", ())]
    return all(map(takes_strictly, [*parts, *([schema["items"]] if "items" in schema else [])]))
