"""What is written in another form: it reads back as the same model, and pymdp runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from orchestrator.cli.main import main
from orchestrator.gmn.compile import Compiled
from orchestrator.gmn.imports.pymdp_script import write
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.validate import validate
from orchestrator.types.errors import GMNError
from tests.support.documents import GOOD, SHARED, swapped
from tests.support.examples import share_of
from tests.support.specs import valid_specs

LIBRARY = Path(__file__).parents[3] / "prompts" / "library"
Output = pytest.CaptureFixture[str]


def spec_of(text: str) -> GMNSpec:
    verdict = validate(text, run_steps=0)
    assert verdict.spec is not None
    return verdict.spec


def assert_same(one: Compiled | None, other: Compiled | None) -> None:
    assert one is not None
    assert other is not None
    for kind in ("A", "B", "C", "D", "V"):
        for ours, theirs in zip(getattr(one, kind), getattr(other, kind), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-15)
    for kind in ("A_dependencies", "B_dependencies", "B_action_dependencies", "horizon", "gamma"):
        assert getattr(one, kind) == getattr(other, kind)
    for kind in ("states", "observations", "actions"):
        named = [[(v.name, v.names) for v in getattr(model, kind)] for model in (one, other)]
        assert named[0] == named[1]


@pytest.mark.parametrize("form", ["gmn", "json", "pymdp", "gnn"])
@pytest.mark.parametrize("name", ["tmaze", "thermostat", "bandit"])
def test_every_form_reads_back_as_the_same_model(
    form: str, name: str, tmp_path: Path, capsys: Output
) -> None:
    path = LIBRARY / f"{name}.gmn"
    model = validate(path.read_text()).compiled
    assert model is not None
    assert main(["format", str(path), "--to", form]) == 0
    (tmp_path / "out").write_text(capsys.readouterr().out)
    assert main(["import", str(tmp_path / "out")]) == 0
    assert_same(validate(capsys.readouterr().out).compiled, model)


@settings(max_examples=share_of(25), deadline=None, suppress_health_check=list(HealthCheck))
@given(valid_specs())
def test_arrays_of_any_valid_model_read_back_as_the_same_model(spec: GMNSpec) -> None:
    verdict = validate(spec, repair="none", run_steps=0)
    if verdict.compiled is None or any(np.any(t) for t in verdict.compiled.terminal):
        return
    # A repair would drop utilities that are the same for every value, which arrays keep.
    read = validate(json.dumps(verdict.compiled.to_json()), repair="none")
    assert_same(read.compiled, verdict.compiled)


def test_a_form_that_cannot_hold_the_model_says_so(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "model.gmn"
    path.write_text(swapped("gamma: 8", "gamma: 8 discount: 0.9"))
    assert main(["format", str(path), "--to", "pymdp-script"]) == 1
    assert "pymdp cannot express the discount 0.9" in capsys.readouterr().err


def test_a_form_that_grows_beyond_what_is_read_says_so(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "model.gmn"
    small = (LIBRARY / "explorer.gmn").read_text()
    path.write_text(small.replace("[5, 5]", "[20, 20]").replace("r4c4", "r19c19"))
    assert main(["format", str(path), "--to", "pomdp"]) == 0
    said = capsys.readouterr()
    assert len(said.out) > 1_048_576
    assert "bytes; orchestrator reads at most 1,048,576: keep the document" in said.err
    path.write_text(small)
    assert main(["export", str(path), "--to", "pomdp"]) == 0
    assert "reads at most" not in capsys.readouterr().err


def test_names_in_a_script_are_only_ever_strings() -> None:
    evil = '"""\nimport os\nos.abort()\n""" \'\'\''
    spec = spec_of(GOOD).model_copy(update={"name": evil, "description": evil})
    text = write(spec)
    compile(text, "script", "exec")
    assert f"NAME = {evil!a}" in text.splitlines()
    assert not any(line.startswith(("import os", "os.")) for line in text.splitlines())


@pytest.mark.pymdp
@pytest.mark.parametrize("text", [GOOD, SHARED], ids=["one factor", "shared parents"])
def test_the_script_runs_with_pymdp_alone(text: str, tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(write(spec_of(text)))
    done = subprocess.run(
        [sys.executable, "-I", str(path), "3"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert [line[:7] for line in done.stdout.splitlines()] == ["1: sees", "2: sees", "3: sees"]


@pytest.mark.pymdp
def test_a_document_is_an_agent_of_pymdp() -> None:
    agent = spec_of(GOOD).to_pymdp()
    assert type(agent).__module__ == "pymdp.agent"
    assert agent.policy_len == 2
    with pytest.raises(GMNError, match="pymdp cannot express the discount"):
        spec_of(swapped("gamma: 8", "gamma: 8 discount: 0.9")).to_pymdp()
