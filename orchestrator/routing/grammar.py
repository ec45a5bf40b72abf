"""A schema with bounds, for servers that turn it into a grammar and hold a model to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def with_grammar(arguments: dict[str, Any], grammar: Mapping[str, object] | None) -> dict[str, Any]:
    """LiteLLM's arguments of a call with `grammar` in place of the schema that they send."""
    if grammar is None:
        return arguments
    form = arguments.get("response_format")
    if form and form.get("type") == "json_schema":
        inner = {**form["json_schema"], "schema": grammar}
        return {**arguments, "response_format": {**form, "json_schema": inner}}
    if tools := arguments.get("tools"):
        function = {**tools[0]["function"], "parameters": grammar}
        return {**arguments, "tools": [{**tools[0], "function": function}]}
    return arguments
