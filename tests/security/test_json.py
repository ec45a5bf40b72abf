"""JSON that is deep, or holds numbers of thousands of digits, through every door that reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator.cache.cassette import Cassette
from orchestrator.cli.main import main
from orchestrator.generation.contract import contract_of
from orchestrator.generation.gmn_contract import GMNContract
from orchestrator.gmn.validate import validate
from orchestrator.ledger.jsonl import read
from orchestrator.models.refused_modes import MODES_FILE, RefusedModes
from orchestrator.types.errors import ConfigError
from orchestrator.types.requests import Contract
from tests.support.documents import GOOD


class Tree(BaseModel):
    name: str = ""
    parts: list[Tree] = []


TREE: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "parts": {"type": "array", "items": {"$ref": "#"}}},
}


def deep(levels: int) -> str:
    return '{"parts": [' * levels + "]}" * levels


HOSTILE = {
    "brackets": "[" * 20_000,
    "closed brackets": "[" * 400 + "]" * 400,
    "beyond the reader": "[" * 5000 + "]" * 5000,
    "objects": '{"a":' * 400 + "1" + "}" * 400,
    "tree of 330": deep(330),
    "tree of 49": deep(49),
    "digits": '{"name": ' + "7" * 5000 + "}",
    "digits in a list": "[" + "7" * 5000 + "]",
    "exponent": '{"name": 1e999999999}',
    "digits in a string": json.dumps({"name": "7" * 5000, "parts": "[" * 3000}),
    "json in json": json.dumps({"parts": "[" * 400 + "]" * 400}),
    "python": "{'name': " + "(" * 3000 + ")" * 3000 + "}",
    "not a number": '{"name": NaN, "parts": [Infinity]}',
}
CONTRACTS: dict[str, Callable[[], Contract[Any]]] = {
    "schema": lambda: contract_of(TREE),
    "type": lambda: contract_of(Tree),
    "anything": lambda: contract_of({"type": "object"}),
    "list": lambda: contract_of(list[Any]),
    "gmn": GMNContract,
}
hostile = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)


@hostile
@pytest.mark.parametrize("made", CONTRACTS.values(), ids=CONTRACTS)
def test_an_answer_is_a_finding_or_is_taken(made: Callable[[], Contract[Any]], text: str) -> None:
    contract = made()
    for said in (text, f"Here it is:\n```json\n{text}\n```\nEnjoy."):
        evaluation = contract.evaluate(said)
        assert evaluation.is_accepted or evaluation.report.errors
        contract.read_partial(said)
        contract.explain(evaluation)
        contract.name_keyed(evaluation)


@hostile
def test_a_patch_is_a_finding_or_is_applied(text: str) -> None:
    old = contract_of(TREE).evaluate('{"name": "a"}')
    for value in (text, json.dumps(text)):
        for patch in (
            f'[{{"op": "add", "path": "/parts", "value": {value}}}]',
            f'{{"operations": [{{"op": "add", "path": "/parts", "from": "", "value": {value}}}]}}',
        ):
            for contract, before in ((contract_of(TREE), old), (GMNContract(), None)):
                known = before or contract.evaluate(GOOD)
                made = contract.apply_patch(known, patch)
                assert made.is_accepted or made.report.errors


@hostile
def test_a_document_is_a_finding(text: str) -> None:
    for source in (text, f'{{"gmn": "1.0", "name": "x", "states": {text}}}'):
        assert not validate(source).report.is_accepted


@hostile
def test_files_beside_the_cache_are_skipped_or_refused(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "lines.jsonl").write_text(f'{text}\n{{"id": 1}}\n')
    assert list(read([tmp_path / "lines.jsonl"]))[-1] == {"id": 1}
    (tmp_path / MODES_FILE).write_text(text)
    assert isinstance(RefusedModes(tmp_path / MODES_FILE)._read(), dict)
    (tmp_path / "cassette").mkdir()
    (tmp_path / "cassette" / "one.json").write_text(text)
    with pytest.raises(ConfigError, match=r"one\.json"):
        Cassette(tmp_path / "cassette").load()


@hostile
def test_commands_say_it_in_a_sentence(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CACHE_DIR", str(tmp_path / "cache"))
    file = tmp_path / "file.json"
    file.write_text(text)
    for command in (["validate"], ["cache", "import"], ["cache", "explain", str(file)]):
        assert main([*command, str(file)]) in (0, 1, 2)
    assert "Traceback" not in capsys.readouterr().err


def test_what_is_nested_as_models_write_it_is_read() -> None:
    assert contract_of(TREE).evaluate(deep(12)).is_accepted
    assert contract_of(Tree).evaluate(deep(12)).is_accepted
