"""`orchestrator explain FILE`."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from orchestrator.cli.documents import validated
from orchestrator.cli.output import GOOD, UsageError, echo_result, refused
from orchestrator.gmn.codes import CATALOGUE
from orchestrator.gmn.words.code_examples import code_examples
from orchestrator.gmn.words.explain import explain, passages
from orchestrator.types.diagnostics import Severity

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from orchestrator.gmn.codes import Code

_WHOLE = (
    "These nodes stand in an agent of docs/gmn.md; orchestrator explain {} --json prints it all."
)
_CODE = re.compile(r"(?:gmn)?(\d{1,4})", re.IGNORECASE | re.ASCII)
_ARTICLE = {Severity.ERROR: "an error", Severity.WARNING: "a warning", Severity.INFO: "an info"}


def run(arguments: argparse.Namespace) -> int:
    """Print the document, or what a code means, in English; exit 1 when it is not valid."""
    if (found := _CODE.fullmatch(arguments.file)) and not Path(arguments.file).exists():
        if (code := f"GMN{found[1]}") not in CATALOGUE:
            raise UsageError(f"{arguments.file!r} is not a code; docs/gmn.md lists them all")
        return _explain_code(arguments, CATALOGUE[code])
    verdict = validated(arguments)
    if verdict.spec is None or not verdict.report.is_valid:
        return refused(arguments, verdict.report)
    text = explain(verdict.spec, is_whole=arguments.all)
    parts = [asdict(one) for one in passages(verdict.spec)] if arguments.json else []
    value = {"file": arguments.file, "explanation": text, "passages": parts}
    echo_result(arguments, value, text.split("\n"))
    return GOOD


def _explain_code(arguments: argparse.Namespace, code: Code) -> int:
    block = (
        "blocks the use of the document" if code.severity is Severity.ERROR else "blocks nothing"
    )
    fixed = "nothing repairs it but who wrote it"
    if code.group:
        fixed = "it is repaired locally within a stated band, and reported; --no-repair leaves it"
    example = code_examples()[code.code]
    fails, good = example.documents()
    lines = (
        f"{code.code} {code.severity}: {code.title}",
        f"It is about {code.about}. As {_ARTICLE[code.severity]} it {block}; {fixed}.",
        *wrap(example.words, 100),
        *(f"With {key}: {value}" for key, value in example.beside.items()),
        *_shown("This raises it:", example.fails),
        *_shown("This does not:", example.fixed),
        *((_WHOLE.format(code.code),) if fails != example.fails else ()),
    )
    value = {"code": code.code, "severity": str(code.severity), "title": code.title,
             "about": code.about, "repaired": bool(code.group), "words": example.words,
             "fails": fails, "fixed": good, "beside": dict(example.beside)}  # fmt: skip
    echo_result(arguments, value, lines)
    return GOOD


def _shown(title: str, example: str) -> Iterator[str]:
    """A document below its title, indented; nothing where there is none."""
    if example:
        yield title
        yield from (f"  {line}" for line in example.splitlines())
