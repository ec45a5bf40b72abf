"""Every reader of the package by its door: a stranger's text in, a value or its own error out."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from orchestrator.cache.cassette import Cassette
from orchestrator.config.settings import Config
from orchestrator.generation.answer_schema import schema_of
from orchestrator.generation.contract import JsonSchemaContract
from orchestrator.generation.evaluation.finetune import examples_of
from orchestrator.generation.gmn_contract import GMNContract
from orchestrator.generation.request_building import load_library
from orchestrator.gmn.acting.expectations import Expectation
from orchestrator.gmn.formats import comments_of, read, with_shares, write_text
from orchestrator.gmn.formats.candidates import Span
from orchestrator.gmn.imports import KINDS, cassandra, gnn
from orchestrator.gmn.request.read import read_request as read_commitments
from orchestrator.gmn.validate import validate
from orchestrator.gmn.words.explain import explain
from orchestrator.ledger.months import sums_of
from orchestrator.models.secrets import Secrets
from orchestrator.routing.offline.answer import write_model
from orchestrator.server.chat_request import UnservedRequestError, read_request
from orchestrator.server.lsp.analysis import Analysis
from orchestrator.server.lsp.completion import complete
from orchestrator.server.lsp.formatting import formatted
from orchestrator.server.lsp.hints import hints
from orchestrator.server.lsp.hover import explain_at
from orchestrator.server.lsp.lenses import claims
from orchestrator.server.lsp.positions import Text
from orchestrator.server.lsp.quick_fixes import quick_fixes
from orchestrator.types.errors import OrchestratorError
from tests.support.documents import GOOD

if TYPE_CHECKING:
    from collections.abc import Callable

_SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "share": {"type": "number", "minimum": 0, "maximum": 1},
        "steps": {"type": "array", "items": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string"}, "kind": {"enum": ["left", "right"]},
        }}},
        "more": {"$ref": "#"},
    },
}  # fmt: skip
_POMDP = "states: 2\nactions: 2\nobservations: 2\nT: * identity\nO: * uniform\n"
_GNN = "## StateSpaceBlock\ns[2]\no[2]\n## InitialParameterization\nA={(1,0),(0,1)}\n"
_CONTRACT: JsonSchemaContract[Any] = JsonSchemaContract(_SCHEMA)
_GMN = GMNContract()
_SECRETS = Secrets(["sk-proj-a-secret-1234", "short"])
_LINE = {
    "at": "", "contract": "", "model": "m", "provider": "p", "templates": {}, "calls": 1,
    "system": [], "answer": "",
}  # fmt: skip


def document(text: str) -> None:
    """``validate``, ``format`` and ``explain`` of a file."""
    made = validate(text, run_steps=0)
    reading = read(text)
    comments = comments_of(reading.places)
    if made.spec is not None:
        write_text(with_shares(made.spec, reading.places), comments)
        if made.report.is_valid:  # the command refuses what is not
            explain(made.spec)


def foreign(text: str) -> None:
    """Every reader of what other tools write."""
    for kind in KINDS.values():
        if kind.module:
            kind.read(text)


def behind_a_document(text: str) -> None:
    """The same where a good document stands before the text, and the text in a comment of it."""
    document(f"{GOOD}\n{text}")
    comment = text.replace("\n", " ")
    document(GOOD.replace("node", f"# {comment}\nnode", 1))


def gmn_answer(text: str) -> None:
    """An answer to a question for a document, whole and while it arrives."""
    _GMN.evaluate(text)
    _GMN.read_partial(text)


def json_answer(text: str) -> None:
    """An answer to a question for a value, whole and while it arrives."""
    _CONTRACT.evaluate(text)
    _CONTRACT.read_partial(text)


def patch(text: str) -> None:
    """An answer to a question for a patch."""
    _GMN.apply_patch(_GOOD, text)
    _CONTRACT.apply_patch(_VALUE, text)


def expectation(text: str) -> None:
    """An expectation of the command line, or of a request."""
    Expectation.parse(text)


def sentence(text: str) -> None:
    """A description that is answered offline."""
    read_commitments(text)
    write_model(text, "general", {}, load_library())


def kept_result(text: str) -> None:
    """A line that is exported for fine-tuning."""
    examples_of([{**_LINE, "messages": [{"role": "user", "content": text}]}], secrets=_SECRETS)


def in_a_file(text: str, reader: Callable[[Path], object], name: str) -> None:
    """`reader` of a file with the text in it."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / name
        path.write_text(text, encoding="utf-8", errors="replace")
        reader(path)


def config(text: str) -> None:
    """A configuration file."""
    in_a_file(text, lambda path: Config.load(path, {}), "config.yaml")


def ledger(text: str) -> None:
    """A line of the ledger."""
    in_a_file(text, lambda path: sums_of(path.parent, "model"), "2026-01.jsonl")


def cassette(text: str) -> None:
    """A recording."""
    in_a_file(text, lambda path: Cassette(path.parent).load(), "a-question.json")


def chat_request(text: str) -> None:
    """A request to the proxy: the text as its message, and as its body where it is JSON."""
    read_request([{"role": "user", "content": text}], {"expectations": [text]})


def chat_body(text: str) -> None:
    """A whole request to the proxy."""
    body = json.loads(text)
    if isinstance(body, dict):
        read_request(body.pop("messages", None), body)


def schema(text: str) -> None:
    """A schema of a caller."""
    found = json.loads(text)
    if isinstance(found, dict):
        schema_of(found)


def pomdp_file(text: str) -> None:
    """A ``.POMDP`` file, alone and behind a good one."""
    for one in (text, f"{_POMDP}{text}"):
        cassandra.read(one)


def gnn_file(text: str) -> None:
    """A GNN file, alone and where a good one has its numbers."""
    for one in (text, f"{_GNN}{text}"):
        gnn.read(one)


def editor(text: str) -> None:
    """A text in an editor: what is shown of it, and every edit that is offered."""
    analysis = Analysis(Text.of(text))
    end = len(analysis.body)
    for at in (0, end // 2, end):
        complete(analysis, at)
        explain_at(analysis, at)
    hints(analysis, Span(0, end))
    claims(analysis)
    quick_fixes(analysis, Span(0, end))
    formatted(analysis)


TARGETS: dict[str, Callable[[str], None]] = {
    made.__name__: made
    for made in (
        document, foreign, behind_a_document, gmn_answer, json_answer, patch, expectation, sentence,
        kept_result, config, ledger, cassette, chat_request, chat_body, schema,
        pomdp_file, gnn_file, editor,
    )
}  # fmt: skip
_GOOD = _GMN.evaluate(GOOD)
_VALUE = _CONTRACT.evaluate('{"name": "a", "share": 0.5, "steps": [{"name": "b", "kind": "left"}]}')


def run(target: Callable[[str], None], text: str) -> None:
    """Read a text; the errors that a caller is promised are the only ones."""
    try:
        target(text)
    except (OrchestratorError, UnservedRequestError, ValueError):
        pass  # ValueError: of json and of the readers that say so
    except RecursionError:
        if target not in (chat_body, schema):  # json.loads of the target itself
            raise
