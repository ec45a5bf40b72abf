"""What HTTP and MCP offer of the language: each operation takes plain data and gives plain data."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from orchestrator.config.settings import ledger_directory
from orchestrator.gmn.acting.expectations import Expectation, check_names, measure
from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.draw.picture import picture
from orchestrator.gmn.draw.svg import svg
from orchestrator.gmn.imports import FORMS, LEFT_OUT
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.gmn.validate import validate
from orchestrator.gmn.words.explain import explain, passages
from orchestrator.ledger.ledger import recent_lines_of
from orchestrator.ledger.months import sums_of
from orchestrator.ledger.usage import Sum
from orchestrator.types.errors import GMNError
from orchestrator.types.work import allowance, doing, judge_within

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.client.orchestrator import Orchestrator
    from orchestrator.generation.request_building import Source
    from orchestrator.gmn.draw.picture import Part
    from orchestrator.gmn.validate import Validation

#: How the names of files end, by form.
_ENDINGS = {"gmn": ".gmn", "json": ".json", "pymdp": ".pymdp.json", "pymdp-script": ".py",
            "gnn": ".md", "pomdp": ".POMDP"}  # fmt: skip


async def generate(
    orc: Orchestrator, prompt: str, *, tenant: str = "", **options: Any
) -> dict[str, Any]:
    """Turn a description into a document; see `Orchestrator.generate_gmn`."""
    return (await orc.generate_gmn(prompt, tenant=tenant, **options)).as_dict()


async def refine(
    orc: Orchestrator, document: Source, feedback: str, *, tenant: str = "", **options: Any
) -> dict[str, Any]:
    """Change a document as the feedback says; see `Orchestrator.refine_gmn`."""
    return (await orc.refine_gmn(document, feedback, tenant=tenant, **options)).as_dict()


async def check(
    orc: Orchestrator,
    document: Source,
    *,
    constraints: Mapping[str, int] | None = None,
    expectations: Sequence[str] | None = None,
    kind: str = "",
) -> dict[str, Any]:
    """Judge a document; no model is asked."""
    report = await orc.validate_gmn(
        document, constraints=constraints or None, expectations=expectations or None, kind=kind
    )
    return report.as_dict()


async def run(
    orc: Orchestrator, document: Source, *, steps: int = 10, seed: int = 0,
    expectations: Sequence[str] = (), episodes: int = 40, kind: str = "",
) -> dict[str, Any]:  # fmt: skip
    """One episode of a valid document, and how often each expectation held.

    Raises: GMNError: it is not valid; ValueError: an expectation is unknown; DeadlineExceededError:
        it takes longer than a request may.
    """
    read = [Expectation.parse(text) for text in expectations]

    def work() -> dict[str, Any]:
        verdict = valid(document, kind)
        assert verdict.compiled is not None
        assert verdict.spec is not None
        for one in read:
            for wrong in check_names(one, verdict.spec):
                raise ValueError(wrong.message)
        with allowance(DEFAULT_LIMITS.work):
            doing(f"simulating {steps} steps", "ask for fewer steps")
            episode = simulate(
                verdict.compiled, steps=steps, seed=seed, queries=verdict.spec.queries
            )
            found = measure(verdict.compiled, read, episodes=episodes, seed=seed)
        said = [{**asdict(one), "expectation": str(one.expectation)} for one in found]
        return {**episode.as_dict(), "expectations": said}

    return await judge_within(orc.config.orchestrator.generation.deadline_s, work)


async def describe(orc: Orchestrator, document: Source, kind: str = "") -> dict[str, Any]:
    """A valid document in English.

    Raises: GMNError: it is not valid.
    """

    def work() -> dict[str, Any]:
        spec = valid(document, kind).spec
        assert spec is not None
        return {"explanation": explain(spec), "passages": [asdict(one) for one in passages(spec)]}

    return await judge_within(orc.config.orchestrator.generation.deadline_s, work)


async def draw(
    orc: Orchestrator,
    document: Source,
    *,
    parts: Sequence[Part],
    steps: int = 20,
    seed: int = 0,
    kind: str = "",
) -> str:
    """A document as SVG; one with errors as far as it can be drawn.

    Raises: GMNError: it cannot be read; DeadlineExceededError: it takes longer than a request may.
    """

    def work() -> str:
        verdict = validate(document, run_steps=0, kind=kind)
        if verdict.spec is None:
            raise GMNError("the document cannot be read", report=verdict.report)
        return svg(picture(verdict, parts=parts, steps=steps, seed=seed))

    return await judge_within(orc.config.orchestrator.generation.deadline_s, work)


async def convert(
    orc: Orchestrator, document: Source, kind: str = "", to: str = "gmn"
) -> dict[str, Any]:
    """A valid document of any tool, written in a form of `FORMS`, with a name for its file.

    The report says how it was read, and `left_out` what the form has no place for.

    Raises: GMNError: it is not valid, or the form cannot hold it; ValueError: `to` is not a form.
    """
    if to not in FORMS:
        raise ValueError(f"to: {to!r} is not a form; use one of {', '.join(FORMS)}")

    def work() -> dict[str, Any]:
        verdict = valid(document, kind)
        assert verdict.spec is not None
        name = verdict.spec.name
        read_as = {"name": name, "kind": verdict.spelling, "form": to,
                   "file": f"{name or 'model'}{_ENDINGS[to]}",
                   "left_out": LEFT_OUT.get(to, "")}  # fmt: skip
        return {**verdict.report.as_dict(), **read_as, "text": FORMS[to](verdict.spec)}

    return await judge_within(orc.config.orchestrator.generation.deadline_s, work)


def valid(document: Source, kind: str = "") -> Validation:
    """The verdict on a document that is valid.

    Raises: GMNError: it is not valid.
    """
    verdict = validate(document, run_steps=0, kind=kind)
    if verdict.compiled is None or not verdict.report.is_valid:
        raise GMNError("the document is not valid", report=verdict.report)
    return verdict


def usage(orc: Orchestrator, tenant: str, since: str) -> tuple[Sum, list[dict[str, Any]]]:
    """What a tenant has used at or after `since`, and its lines among the last of the ledger.

    For the empty name that of requests without a tenant. Reads no more of a large ledger than a
    small part. Blocks.
    """
    directory = ledger_directory(orc.config.orchestrator.ledger, os.environ)
    if directory is None:
        return Sum(), []
    found = sums_of(directory, "tenant", since=since, is_checked=False)
    lines = recent_lines_of(directory, since)
    mine = [one for one in lines if (one.get("tenant") or "") == tenant]
    return found.get(tenant or "(none)", Sum()), mine
