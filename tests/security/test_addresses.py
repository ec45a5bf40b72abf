"""Addresses in what strangers write stay text: no reader opens one."""

from __future__ import annotations

import ast
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import orchestrator
from orchestrator.cli.main import main
from orchestrator.config.settings import Config
from orchestrator.generation.contract import contract_of
from orchestrator.generation.evaluation.evaluate import load_cases
from orchestrator.generation.gmn_contract import GMNContract
from orchestrator.generation.images import image_parts
from orchestrator.gmn.formats import write_json
from orchestrator.gmn.validate import validate
from orchestrator.parsing.schemas import validator
from orchestrator.server.chat_request import read_request
from orchestrator.types.errors import ConfigError
from orchestrator.types.messages import as_messages
from tests.support.documents import GOOD

SECRET = "what stood at the address"
#: Files that import what can open a connection, each with what it opens.
CONNECTS = {
    "routing/context_window.py": "the base of a configured deployment",
    "routing/translate.py": "nothing: it knows the errors of connections",
    "models/local_servers.py": "the port of a server on this machine",
    "models/origins.py": "nothing: it reads what an address names",
    "cli/doctor.py": "the servers that doctor looks for on this machine",
    "cli/client.py": "the service that --url names",
    "cli/serve.py": "nothing: it listens at --host",
    "routing/redirects.py": "nothing: it looks at what LiteLLM's clients send and get",
    "generation/search/pages.py": "pages that a search has found, at public addresses only",
}


@pytest.fixture
def address() -> Iterator[str]:
    """The address of a listener; the test fails when anything connects to it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield f"http://127.0.0.1:{server.getsockname()[1]}/x.json"
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("scheme", ["http", "file"])
@pytest.mark.parametrize("word", ["$ref", "$dynamicRef", "$recursiveRef", "$schema", "$id"])
def test_a_schema_looks_nothing_up(address: str, tmp_path: Path, scheme: str, word: str) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"const": SECRET}))
    there = address if scheme == "http" else (tmp_path / "x.json").as_uri()
    for schema in (
        {"type": "object", word: there},
        {"type": "object", "properties": {"a": {word: f"{there}#/a"}}},
        {"type": "object", "$id": there, "properties": {"a": {word: "y.json"}}},
        {"type": "object", "$vocabulary": {there: True}, "$defs": {"a": {word: there}}},
    ):
        said = ""
        try:
            said = str(contract_of(schema).evaluate('{"a": 1}').report)
        except ValueError as error:
            said = str(error)
        try:
            said += str(list(validator(schema).iter_errors({"a": 1})))
        except Exception as error:  # noqa: BLE001  jsonschema's own; it reaches nobody
            said += str(error)
        assert SECRET not in said


def documents(address: str) -> dict[str, str]:
    spec = validate(GOOD).spec
    assert spec is not None
    tree: dict[str, Any] = json.loads(write_json(spec))
    return {
        "text": f'{GOOD}\nmetadata {{ source = "{address}" }}\n',
        "json": json.dumps({**tree, "$schema": address, "$ref": address}),
        "a reference alone": json.dumps({"$ref": address}),
        "an entity": f'<!DOCTYPE a [<!ENTITY b SYSTEM "{address}">]><gmn>&b;</gmn>',
        "an include": f"include {address}\n{GOOD}",
        "a link": address,
        "a picture": f"![a]({address})\n{GOOD}",
    }


@pytest.mark.parametrize("name", ["text", "json", "a reference alone", "an entity", "an include",
                                  "a link", "a picture"])  # fmt: skip
@pytest.mark.parametrize("scheme", ["http", "file"])
def test_a_document_or_answer_looks_nothing_up(
    address: str, tmp_path: Path, name: str, scheme: str
) -> None:
    (tmp_path / "x.json").write_text(SECRET)
    there = address if scheme == "http" else (tmp_path / "x.json").as_uri()
    text = documents(there)[name]
    for contract in (GMNContract(), contract_of({"type": "object"})):
        evaluation = contract.evaluate(text)
        assert SECRET not in f"{evaluation.report}{evaluation.text}"
        contract.read_partial(text)
    assert SECRET not in str(validate(text).report)


def test_files_of_yaml_look_nothing_up(address: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    (tmp_path / "x.json").write_text(SECRET)
    for there in (address, (tmp_path / "x.json").as_uri()):
        for text in (f"include: ['{there}']", f"a: !include {there}", f"%TAG ! {there}\n--- !a b"):
            file.write_text(text)
            for read in (lambda: Config.load(file, {}), lambda: load_cases(file)):
                with pytest.raises(ConfigError) as caught:
                    read()
                assert SECRET not in str(caught.value)


def test_pictures_of_messages_are_left_to_the_provider(address: str) -> None:
    part = {"type": "image_url", "image_url": {"url": address}}
    turn = {"role": "user", "content": [{"type": "text", "text": "a door"}, part]}
    assert image_parts([address]) == (part,)
    assert read_request([turn], {}).options["images"] == [address]
    assert as_messages([turn])[0].pictures == (part,)


def test_commands_take_files_and_no_addresses(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CACHE_DIR", str(tmp_path))
    commands: tuple[list[str], ...] = (
        ["validate", address], ["explain", address], ["simulate", address],
        ["format", address], ["cache", "import", address], ["eval", "--prompts", address],
    )  # fmt: skip
    for command in commands:
        assert main(command) == 2


def test_no_file_of_the_package_opens_a_connection() -> None:
    ways = {"urllib.request", "http.client", "httpx", "requests", "aiohttp", "socket", "ftplib"}
    package = Path(orchestrator.__file__).parent
    found: set[str] = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found |= {path.relative_to(package).as_posix()} if ways & set(names) else set()
    assert found == CONNECTS.keys()
