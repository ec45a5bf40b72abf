"""The types of the arguments of every public operation, by their names."""

from __future__ import annotations

import asyncio
import difflib
import math
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import NoneType
from typing import NamedTuple

from orchestrator.config.settings import Budgets, Config, GenerationSettings, LimitSettings
from orchestrator.gmn.acting.expectations import Expectation
from orchestrator.gmn.model import GMNSpec
from orchestrator.routing.parameters import USUAL, arguments_of_litellm
from orchestrator.types.messages import LLMMessage


class _Kind(NamedTuple):
    """What an argument may be.

    Attributes:
        words: the same for the user.
        items: what the items of a collection may be; empty where it is not one.
        least: the smallest number.
    """

    types: tuple[type, ...]
    words: str
    items: tuple[type, ...] = ()
    least: int | None = None


_SOURCE = (str, bytes, Mapping, GMNSpec)
_TEXT = _Kind((str,), "a str")
_NAME = _Kind((str, NoneType), "a str or None")
_FLAG = _Kind((bool,), "a bool")
_KINDS: Mapping[str, _Kind] = {
    "prompt": _TEXT,
    "feedback": _TEXT,
    "query": _TEXT,
    "engine": _TEXT,
    "agent_type": _TEXT,
    "tenant": _TEXT,
    "since": _TEXT,
    "model": _NAME,
    "search": _Kind((str, Mapping, NoneType), "a mode or a mapping"),
    "provider": _NAME,
    "operation": _TEXT,
    "budget": _TEXT,
    "journal": _Kind((str, os.PathLike, NoneType), "a path or None"),
    "concurrency": _Kind((int, NoneType), "an int or None", least=1),
    "batch_size": _Kind((int, NoneType), "an int or None", least=1),
    "ordered": _FLAG,
    "retry_failed": _FLAG,
    "carry": _FLAG,
    "infer_expectations": _FLAG,
    "probe": _FLAG,
    "auto_search": _FLAG,
    "force_search": _FLAG,
    "search_provider": _TEXT,
    "search_query": _TEXT,
    "again": _FLAG,
    "kind": _TEXT,
    "constraints": _Kind((Mapping, NoneType), "a mapping of names to whole numbers"),
    "spec": _Kind(_SOURCE, "text, bytes, a mapping or a GMNSpec"),
    "examples": _Kind((Collection, NoneType), "a list of documents", _SOURCE),
    "expectations": _Kind((Collection, NoneType), "a list of str", (str, Expectation)),
    "images": _Kind((Collection,), "a list of paths, bytes or addresses", (str, bytes, Path)),
    "messages": _Kind((Collection,), "a str or a list of messages", (Mapping, LLMMessage)),
    "checks": _Kind((Collection, NoneType), "a list of functions", (Callable,)),  # type: ignore[arg-type]  # an ABC
    "cache": _Kind((str, Mapping, NoneType), "a mode or a mapping"),
    "cache_ttl": _Kind((int, float, NoneType), "seconds"),
    "seed": _Kind((int, NoneType), "an int or None"),
    "samples": _Kind((int,), "an int", least=1),
    "steps": _Kind((int,), "an int", least=1),
    "max_results": _Kind((int, NoneType), "an int or None", least=1),
    "within_s": _Kind((int, float, NoneType), "seconds"),
    "max_calls": _Kind((int,), "an int", least=0),
    "refine": _Kind((int, NoneType), "an int or None", least=0),
    "hook": _Kind((Callable, NoneType), "a function or None"),  # type: ignore[arg-type]  # an ABC
    "on_text": _Kind((Callable, NoneType), "a function or None"),  # type: ignore[arg-type]  # an ABC
    "config": _Kind(
        (str, os.PathLike, Mapping, Config, NoneType), "a path, a mapping, a Config or None"
    ),
    "environ": _Kind((Mapping, NoneType), "a mapping or None"),
}
#: What a call with LiteLLM's arguments takes beside them; those are LiteLLM's to refuse.
OF_COMPLETION = frozenset({"cache", "cache_ttl", "tenant", "refine", "checks", "samples", "search"})

_OF_CONFIGURATION = {
    **dict.fromkeys(Budgets.model_fields, "budgets"),
    **dict.fromkeys(LimitSettings.model_fields, "limits"),
    **dict.fromkeys(GenerationSettings.model_fields, "generation"),
}
#: Two words this alike are one of them mistyped: `topp` and `top_p`, not `top_n`.
_IS_MISTYPED = 0.88


def check_arguments(given: Mapping[str, object], *, only: Collection[str] = ()) -> None:
    """Hold arguments to their types, by their names; of others than `only` nothing is known, and of
    those None says nothing.

    Raises: TypeError: one is of another type; ValueError: a number is too small.
    """
    for name, value in given.items():
        if (kind := _KINDS.get(name)) is None or (only and (name not in only or value is None)):
            continue
        is_flag = isinstance(value, bool) and bool not in kind.types  # which is an int, too
        is_message = name == "messages" and isinstance(value, str)
        is_text = bool(kind.items) and isinstance(value, str | bytes | Mapping) and not is_message
        if is_flag or is_text or not isinstance(value, kind.types):
            raise TypeError(f"{name} must be {kind.words}, not {type(value).__name__}")
        if name == "messages" and not (value.strip() if isinstance(value, str) else value):
            raise ValueError("messages is empty; say what is asked")
        is_list = bool(kind.items) and isinstance(value, Collection) and not is_message
        for item in value if is_list else ():  # type: ignore[attr-defined]  # a Collection
            if not isinstance(item, kind.items):
                words = f"{name} must be {kind.words}; one of them is {type(item).__name__}"
                raise TypeError(words)
        if kind.least is not None and isinstance(value, int) and value < kind.least:
            raise ValueError(f"{name} is {value}, expected at least {kind.least}")


async def check_parameters(operation: str, parameters: Mapping[str, object]) -> None:
    """Refuse an argument that is nearly one of LiteLLM's, a key of the configuration, or one of
    other operations, and numbers that JSON does not have; any other that LiteLLM does not know is
    handed on to the provider.

    Raises: TypeError, ValueError: before anything is asked; the message says what may be meant.
    """
    for name, value in parameters.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} is {value}, which no provider can be sent; leave it out")
    allowed = parameters.get("allowed_openai_params")
    stated = allowed if isinstance(allowed, list | tuple) else ()
    for name in [name for name in parameters if name not in USUAL and name not in stated]:
        section = _OF_CONFIGURATION.get(name)
        near = difflib.get_close_matches(name, (*OF_COMPLETION, *USUAL), n=1, cutoff=_IS_MISTYPED)
        if not (section or near) or name in await asyncio.to_thread(arguments_of_litellm):
            continue
        words = f"{name} is not an argument of {operation}; nothing was sent."
        if section:
            place = f"orchestrator.{section}.{name}"
            raise TypeError(f"{words} It is set in the configuration: {place}")
        if name in OF_COMPLETION:
            raise TypeError(words)
        own = f"extra_body={{{name!r}: …}}"
        raise TypeError(f"{words} Did you mean {near[0]}? If the provider has it: {own}")
