"""From the arguments of a call to the first question of a run."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, get_args

from orchestrator.cache.keys import digest
from orchestrator.config.paths import shipped
from orchestrator.gmn.acting.expectations import Expectation
from orchestrator.gmn.examples import Example, choose, load
from orchestrator.gmn.formats import write_text
from orchestrator.gmn.formats.bounded import grammar_of
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.validate import validate
from orchestrator.types.caching import CacheMode, CachePolicy, Caching
from orchestrator.types.errors import GMNError
from orchestrator.types.messages import check_characters
from orchestrator.types.requests import AgentType, OutputMode, Request

if TYPE_CHECKING:
    from orchestrator.config.settings import Cache, Settings
    from orchestrator.generation.prompts import Rendered
    from orchestrator.types.requests import Contract, Description

#: A document in any form: text of any spelling, JSON data, or typed.
Source = str | bytes | Mapping[str, object] | GMNSpec

_CACHE_KEYS = frozenset({"mode", "ttl", "tag", "no-cache", "no-store", "s-maxage"})
AGENT_TYPES = get_args(AgentType)
#: Characters of a description or a feedback, and of all expectations of one request.
MOST_PROMPT = 32_768
#: Characters of the documents that a question shows, together.
MOST_SHOWN = DEFAULT_LIMITS.document_bytes


def check_text(name: str, text: object) -> None:
    """Raises: TypeError: the argument `name` is not a str; ValueError: it says nothing, is longer
    than `MOST_PROMPT`, or holds what UTF-8 cannot encode."""
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a str, not {type(text).__name__}")
    check_length(name, len(text), MOST_PROMPT)
    if not text.strip():
        raise ValueError(f"{name} is empty; describe what is wanted in a sentence")
    check_characters(name, text)


def check_length(name: str, length: int, most: int) -> None:
    """Raises: ValueError: the argument `name` has more characters than a question may show."""
    if length > most:
        words = f"{name}: {length:,} characters, more than {most:,}"
        raise ValueError(f"{words}; nothing was asked: shorten it")


def check_description(prompt: object, agent_type: object) -> None:
    """Raises: as `check_text`; ValueError: the agent type is unknown."""
    check_text("prompt", prompt)
    if agent_type not in AGENT_TYPES:
        known = ", ".join(AGENT_TYPES)
        raise ValueError(f"{agent_type!r} is not an agent type; use one of {known}")


def parsed(given: Sequence[str | Expectation] | None) -> tuple[Expectation, ...]:
    """Expectations, read where they are text.

    Raises: ValueError: one of them is none, or as `check_text`.
    """
    for text in given or ():
        if isinstance(text, str):
            check_text("expectations", text)
    check_length("expectations", sum(len(str(e)) for e in given or ()), MOST_PROMPT)
    return tuple(e if isinstance(e, Expectation) else Expectation.parse(e) for e in given or ())


def load_library() -> tuple[Example, ...]:
    """The curated models that travel with the package; read once per process."""
    return load(shipped("prompts", "library"))


def examples_for(
    prompt: str, agent_type: str, given: Sequence[Source] | None, *, count: int
) -> tuple[str, ...]:
    """Documents to show, as block text: those given, or `count` curated ones that suit.

    Raises:
        GMNError: a given document is not valid.
        ValueError: together they are longer than `MOST_SHOWN`.
    """
    if given is not None:
        shown: list[str] = []
        for example in given:  # no more are checked than may be shown
            shown.append(_as_text(example))
            check_length("examples", sum(map(len, shown)), MOST_SHOWN)
        return tuple(shown)
    if not count:
        return ()
    chosen = choose(prompt, agent_type, load_library(), count)
    return tuple(_block_text(example.name) for example in chosen)


@functools.cache
def _block_text(name: str) -> str:
    """A curated model without its comments."""
    return next(_shown(e.spec) for e in load_library() if e.name == name)


def _as_text(example: Source) -> str:
    verdict = validate(example, run_steps=0)
    if verdict.spec is None or not verdict.report.is_valid:
        first = verdict.report.errors[0]
        raise GMNError(f"an example is not valid: {first}", report=verdict.report)
    return _shown(verdict.spec)


def _shown(spec: GMNSpec) -> str:
    """A document without its metadata: a model copies them, another request's sentence too."""
    return write_text(spec.model_copy(update={"metadata": ()}))


def initial_request(
    rendered: Rendered,
    route: str,
    contract: Contract[GMNSpec],
    *,
    settings: Settings,
    cache: Caching | None,
    description: Description,
    mode: OutputMode = OutputMode.PROMPT,
    seed: int | None = None,
    tenant: str = "",
) -> Request:
    """The question that a run begins with."""
    generation = settings.generation
    parameters = {"max_tokens": generation.max_tokens, **generation.sampling}
    optional = frozenset(generation.sampling)
    if seed is not None:
        parameters["seed"] = seed
        optional -= {"seed"}
    use, keep = cache_use(cache, settings.cache, tenant)
    return Request(
        rendered.messages,
        route,
        parameters=parameters,
        optional=optional,
        mode=mode,
        schema=contract.schema if mode.sends_schema else None,
        schema_name=contract.name,
        templates=rendered.templates,
        timeout_s=generation.timeout_s,
        cache=use,
        keep=keep,
        purpose="generate",
        description=description,
        grammar=grammar_of(contract.schema) if mode.sends_schema else None,
    )


def cache_use(given: Caching | None, settings: Cache, tenant: str) -> tuple[CacheMode, CachePolicy]:
    """Whether the cache may answer a tenant's call, and how its answer is kept.

    Raises: ValueError: a mode or a key is unknown.
    """
    owner = tenant if settings.share == "tenant" else None
    if given is None:
        return settings.mode, CachePolicy(tenant=owner)
    if not isinstance(given, Mapping):
        return _cache_mode(given), CachePolicy(tenant=owner)
    if unknown := set(given) - _CACHE_KEYS:
        known = ", ".join(sorted(_CACHE_KEYS))
        raise ValueError(f"cache has no {sorted(unknown)[0]!r}; known: {known}")
    mode = _cache_mode(given.get("mode") or settings.mode)
    if given.get("no-store"):
        mode = "off"
    elif given.get("no-cache"):
        mode = "refresh"
    seconds = [float(str(given.get(name) or 0)) for name in ("ttl", "s-maxage")]
    return mode, CachePolicy(seconds[0], str(given.get("tag") or ""), seconds[1], owner)


def _cache_mode(given: object) -> CacheMode:
    for mode in get_args(CacheMode):
        if given == mode:
            known: CacheMode = mode
            return known
    raise ValueError(f"cache={given!r} is not a mode; use one of {', '.join(get_args(CacheMode))}")


def without_json(mode: CacheMode, parameters: Mapping[str, object]) -> CacheMode:
    """`mode`, or off for a question that has no JSON form to be known by again."""
    try:
        digest(parameters)
    except TypeError:
        return "off"
    return mode
