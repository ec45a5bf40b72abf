"""What judging a document costs, counted in calls; its findings are in the tests of the checks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from orchestrator.gmn.acting.expectations import Expectation
from orchestrator.gmn.checks import shape
from orchestrator.gmn.checks.registry import Subject
from orchestrator.gmn.engine.choice import best
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.gmn.model import Conditional, Inference, Variable
from orchestrator.gmn.validate import validate

LIBRARY = sorted(Path("prompts/library").glob("*.gmn"))
POMDPS = sorted(Path("tests/gmn/pomdps").glob("*.gmn"))


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_a_good_document_is_judged_with_one_engine(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Engine] = []
    prepare = Engine.__init__

    def counted(self: Engine, *args: object, **kwargs: object) -> None:
        made.append(self)
        prepare(self, *args, **kwargs)  # type: ignore[arg-type]  # what it is given

    monkeypatch.setattr(Engine, "__init__", counted)
    text = path.read_text(encoding="utf-8")
    name = text.split("node observation ")[1].split()[0]
    expected = Expectation.parse(f"{name}=* within 1 in 100%")
    found = validate(text, expectations=[expected], episodes=2)
    assert found.report.is_accepted, found.report.diagnostics
    assert len(made) == 1


@pytest.mark.parametrize("inference", ["auto", "mean_field"])
@pytest.mark.parametrize("path", [*LIBRARY, *POMDPS], ids=lambda path: path.stem)
def test_an_engine_without_information_is_that_of_the_model_without_it(
    path: Path, inference: Inference
) -> None:
    model = validate(path.read_text(encoding="utf-8"), run_steps=0).compiled
    assert model is not None
    if model.selection != "contingent":
        model = replace(model, inference=inference)
    curious = Engine(model)
    quiet, plain = curious.without_information(), Engine(replace(model, info_gain=False))
    assert not quiet.model.info_gain
    one, other = best(quiet, quiet.start()), best(plain, plain.start())
    assert np.array_equal(one.neg_efe, other.neg_efe)
    assert np.array_equal(one.action, other.action)
    assert quiet.information(quiet.start()) == 0
    assert curious.model.info_gain == model.info_gain
    again = best(curious, curious.start())
    assert np.array_equal(again.neg_efe, best(Engine(model), curious.start()).neg_efe)


MANY = """gmn 1.0
agent many {}
STATES
node observation seen { labels: [a, b] }
node action go { labels: [l, r] }
node emission A { from: [s0] to: seen, rows: [[0.9, 0.1], [0.2, 0.8]] }
TABLES
node preference C { on: seen goals: {a: 1} }
node policy pi { horizon: 1 }
end
"""


def of_many(count: int) -> str:
    states = "\n".join(f"node state s{n} {{ size: 2 }}" for n in range(count))
    tables = "\n".join(
        f"node transition B{n} {{ from: [s{n}] to: s{n} identity }}" for n in range(count)
    )
    return MANY.replace("STATES", states).replace("TABLES", tables)


def test_a_size_is_compared_with_the_tables_of_its_variable_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[str] = []
    extents = shape._extents

    def counted(subject: Subject, table: Conditional, variable: Variable) -> list[int | None]:
        looked.append(variable.name)
        return extents(subject, table, variable)

    monkeypatch.setattr(shape, "_extents", counted)
    validate(of_many(8), run_steps=0)
    # Of 9 tables each that is about the variable or has it as a parent.
    assert sorted(looked) == ["s0", *(f"s{n}" for n in range(8))]


def test_names_are_repaired_in_one_pass_over_what_refers_to_them() -> None:
    text = of_many(8)
    for n in range(8):
        text = text.replace(f"s{n} ", f"s-{n} ").replace(f"s{n}]", f"s-{n}]")
    found = validate(text, run_steps=0)
    assert found.spec is not None
    assert [state.name for state in found.spec.states] == [f"s_{n}" for n in range(8)]
    assert [table.given for table in found.spec.transitions] == [(f"s_{n}",) for n in range(8)]


def test_errors_beside_many_wrong_values_are_found_by_their_places() -> None:
    wrong = ", ".join(["x"] * 3000)
    text = of_many(2).replace("rows: [[0.9, 0.1]", f"rows: [[{wrong}], [0.9, 0.1]")
    text = text.replace("from: [s1] to: s1", "from: [s9] to: s1")
    found = validate(text, limits=replace(DEFAULT_LIMITS, findings=5000, work=4_000_000))
    codes = [d.code for d in found.report.diagnostics]
    assert "GMN105" in codes
    assert "GMN712" not in codes


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("grid MOVES learn: true", "leave out learn: true where"),
        ("grid MOVES noise: 0.1", "write noise_kind: stay, or no noise, where then"),
        ("uniform", "write grid, shift, map or rules where"),
        (
            "rules: [{then: {'@stay': 0.1, '@(0,1)': 0.1, '@(1,0)': 0.8}}]",
            "these are its possible outcomes alone: declare fewer values, parents or actions",
        ),
    ],
)
def test_what_counts_of_a_transition_that_is_too_large_is_said(table: str, words: str) -> None:
    text = f"""gmn 1.0
agent walker {{}}
node state cell {{ shape: [20, 20] }}
node observation seen {{ labels: [a, b] }}
node action go {{ labels: [up, down] }}
node action run {{ size: 90 }}
node emission A {{ from: [cell] to: seen uniform }}
node transition B {{ from: [go, run, cell] to: cell {table} }}
node preference C {{ on: seen goals: {{a: 1}} }}
node policy pi {{ horizon: 1 }}
end
""".replace("MOVES", "moves: {up: [-1, 0], down: [1, 0]}")
    found = validate(text, run_steps=0).report
    (error,) = (d for d in found.errors if d.code == "GMN702")
    assert error.pointer == "/transitions/0/table"
    assert words in error.message
