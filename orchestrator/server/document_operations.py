"""What HTTP offers of documents beside `operations`: tables, differences, curated models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.generation.request_building import load_library
from orchestrator.gmn.differences import behaviour, differences
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.gmn.validate import validate
from orchestrator.server.model_tables import TablePart, model_tables
from orchestrator.server.operations import valid
from orchestrator.server.problems import Problem
from orchestrator.types.errors import GMNError
from orchestrator.types.work import allowance, doing, judge_within

if TYPE_CHECKING:
    from orchestrator.client.orchestrator import Orchestrator
    from orchestrator.generation.request_building import Source


async def tables(
    orc: Orchestrator, document: Source, part: TablePart, kind: str = ""
) -> dict[str, Any]:
    """The tables of a document as it stands, valid or not.

    Raises: GMNError: it cannot be read at all.
    """

    def work() -> dict[str, Any]:
        verdict = validate(document, run_steps=0, repair="none", kind=kind)
        if verdict.spec is None:  # as far as it can be read
            verdict = validate(document, run_steps=0, kind=kind)
        if verdict.spec is None:
            raise GMNError("the document cannot be read", report=verdict.report)
        with allowance(DEFAULT_LIMITS.work):
            doing("expanding the tables")
            return model_tables(verdict.spec, verdict.compiled, part)

    return await judge_within(orc.config.orchestrator.generation.deadline_s, work)


async def compare(
    orc: Orchestrator,
    before: Source,
    after: Source,
    *,
    kinds: tuple[str, str] = ("", ""),
    steps: int,
    seed: int,
) -> dict[str, Any]:
    """What the second of two valid documents says and does otherwise than the first.

    `kinds` says what each of them is, where it could be several.

    Raises: GMNError: one of them is not valid.
    """

    def work() -> dict[str, Any]:
        models = [valid(*one).compiled for one in zip((before, after), kinds, strict=True)]
        assert models[0] is not None
        assert models[1] is not None
        with allowance(DEFAULT_LIMITS.work):
            doing("comparing the models", "ask for fewer steps")
            lines = [*differences(models[0], models[1])]
            try:
                acts = lines and behaviour(models[0], models[1], steps=steps, seed=seed)
            except ValueError as error:  # they observe or do other things
                acts = str(error)
        if lines and not acts:
            acts = f"the same beliefs and actions in {steps} steps"
        return {"same": not lines, "differences": lines, "behaviour": acts or ""}

    return await judge_within(orc.config.orchestrator.generation.deadline_s, work)


def library() -> list[dict[str, str]]:
    """Name, type and sentence of every curated model."""
    return [
        {"name": one.name, "agent_type": one.agent_type, "prompt": one.prompt}
        for one in load_library()
    ]


def from_library(name: str) -> dict[str, str]:
    """A curated model with its text.

    Raises: Problem: there is none of this name.
    """
    for one in load_library():
        if one.name == name:
            return {"name": one.name, "agent_type": one.agent_type, "prompt": one.prompt,
                    "text": one.text}  # fmt: skip
    known = ", ".join(one.name for one in load_library())
    raise Problem(404, "not_found", f"{name!r} is not a curated model; there are {known}")
