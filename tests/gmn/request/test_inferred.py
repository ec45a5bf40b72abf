"""What a sentence implies about behaviour: little, never by guessing, and marked as inferred."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.config.paths import shipped
from orchestrator.generation.gmn_contract import GMNContract
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.request.inferred import inferred_from
from orchestrator.gmn.validate import validate
from tests.support.documents import swapped


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


def test_a_model_is_held_to_it_only_on_demand_and_the_report_says_where_it_came_from() -> None:
    text = swapped("[a, b, c]", "[home, road, gate]")
    text = swapped("[[0.5, 0.3, 0.2]]", "[[1, 0, 0]]", text)
    plain = GMNContract().evaluate(text)
    assert plain.report.behaves is None
    contract = GMNContract(description="a walker who must reach the gate")
    evaluation = contract.evaluate(text)
    assert evaluation.is_accepted
    assert "(inferred): holds" in evaluation.report.behaviour[0]
    strict = replace(contract, description="a walker who avoids the home")  # where it starts
    failed = strict.evaluate(text)
    assert not failed.is_accepted
    assert "(inferred)" in " ".join(failed.report.behaviour)
