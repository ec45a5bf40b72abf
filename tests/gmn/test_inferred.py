"""What a sentence implies about behaviour: little, never by guessing, and marked as inferred."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.config.paths import shipped
from orchestrator.generation.gmn_contract import GMNContract
from orchestrator.gmn.inferred import inferred_from
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.validate import validate


def curated(name: str) -> GMNSpec:
    spec = validate(shipped("prompts", "library", f"{name}.gmn").read_bytes()).spec
    assert spec is not None
    return spec


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("an explorer who must reach the corner", ["cell=r4c4 within 100 in 50%"]),
        ("an explorer who looks around", []),
        ("an explorer who avoids r0c1", ["never pos=r0c1 within 100 in 80%"]),
        ("an explorer who avoids trouble", []),
        (
            "an explorer who finds the exit and stays out of the r2c2",
            ["cell=r4c4 within 100 in 50%", "never pos=r2c2 within 100 in 80%"],
        ),
    ],
)
def test_only_what_the_words_name_is_inferred(prompt: str, wanted: list[str]) -> None:
    found = inferred_from(prompt, curated("explorer"))
    assert [str(expectation) for expectation in found] == wanted
    assert all(expectation.is_inferred for expectation in found)


@pytest.mark.no_cover
def test_a_model_is_held_to_it_only_on_demand_and_the_report_says_where_it_came_from() -> None:
    text = shipped("prompts", "library", "explorer.gmn").read_text()
    plain = GMNContract().evaluate(text)
    assert plain.report.behaves is None
    contract = GMNContract(description="an explorer who must reach the corner")
    evaluation = contract.evaluate(text)
    assert evaluation.is_accepted
    assert "(inferred): holds" in evaluation.report.behaviour[0]
    strict = replace(contract, description="an explorer who avoids r0c0")  # where it starts
    failed = strict.evaluate(text)
    assert not failed.is_accepted
    assert "(inferred)" in " ".join(failed.report.behaviour)
