"""Names texts in a language that is not read, such as code, YAML or a table, in one finding."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestrator.gmn.codes import finding
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from orchestrator.gmn.formats.source_map import SourceMap
    from orchestrator.types.diagnostics import Diagnostic

_MOST_LINES = 200  # of a text are looked at
_LONGEST = 2000
_ANY_CASE = re.IGNORECASE
#: What it is, how many of its lines at least, and how these begin; the first that fits is taken.
_LOOKS = (
    ("XML or HTML", 1, pattern(r"<(?:\?xml|!|\w)")),
    ("a table in Markdown", 2, pattern(r"\|[^|\n]*+\|")),
    ("MATLAB code", 1, pattern(r"\w{1,64}+(?:[{(][^})\n]{0,64}+[)}])*+[ \t]*+=[^=\n]++(?<=;)\Z")),
    ("Julia code", 1, pattern(r"(?:@\w++[ \t]|using[ \t]++\w|function[ \t]++\w)")),
    (
        "Python code", 1,
        pattern(
            r"(?:import[ \t]++\w|from[ \t]++\S{1,64}+[ \t]++import\b"
            r"|[\w.]{1,64}+[ \t]*+=[ \t]*+[\w.]{1,64}+\()"
        ),
    ),
    ("sections without [nodes]", 1, pattern(r"(?:#{1,6}+ )?\[?(?:nodes|edges)\]?:?\Z", _ANY_CASE)),
    (
        "GNN without its headings '## StateSpaceBlock' and '## InitialParameterization'", 1,
        pattern(
            r"[#*]{0,6}+ ?(?:State ?Space ?Block|Initial ?Parameteri[sz]ation|GNN\w{0,32}+)"
            r"[*:]{0,4}+\Z", _ANY_CASE,
        ),
    ),
    ("YAML", 2, pattern(r"(?:- |---\Z|[\w ]{1,64}+:(?: |\Z))")),
)  # fmt: skip


def foreign(text: str, places: SourceMap) -> Diagnostic | None:
    """The finding (002) on a text in another language; None where it may be a document."""
    lines = [line.strip()[:_LONGEST] for line in text.splitlines()[:_MOST_LINES] if line.strip()]
    has_blocks = any(line.endswith("{") for line in lines)
    for name, least, begins in _LOOKS:
        if name == "YAML" and has_blocks:
            continue
        if sum(bool(begins.match(line)) for line in lines) >= least:
            words = (
                f"expected 'node', 'agent' or 'gmn'; it looks like {name}, which is not read:"
                " export it as JSON (docs/import.md has the kinds), or use it as a prompt:"
                " orchestrator generate"
            )
            return finding("GMN002", words, place=places.at(len(text) - len(text.lstrip())))
    return None
