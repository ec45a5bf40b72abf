"""Texts as they are while somebody types: no place of no beginning of a document is a fault."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.gmn.formats.block_nodes import KEYS_OF
from orchestrator.gmn.formats.candidates import Span
from orchestrator.gmn.formats.extents import end_of
from orchestrator.server.lsp import meanings
from orchestrator.server.lsp.analysis import Analysis, NotPossibleError
from orchestrator.server.lsp.completion import complete
from orchestrator.server.lsp.context import context_at
from orchestrator.server.lsp.formatting import formatted, says
from orchestrator.server.lsp.hints import hints
from orchestrator.server.lsp.hover import explain_at
from orchestrator.server.lsp.lenses import claims
from orchestrator.server.lsp.positions import Caret, Edit, Text, difference, replaced
from orchestrator.server.lsp.quick_fixes import fix_all, quick_fixes
from orchestrator.server.lsp.rename import _swapped, rename
from tests.support.examples import share_of
from tests.support.specimens import SPECIMENS

LIBRARY = sorted((Path(__file__).parents[3] / "prompts" / "library").glob("*.gmn"))


SIGNS = "{}[]:,;\"'#/@*\n\t\r\u2028\x0c \U0001f600\u0301a1.-%\ufeff\x00"


def look_everywhere(text: str, offset: int) -> Analysis:
    """Ask all that an editor asks while it shows a text."""
    analysis = Analysis(Text.of(text))
    complete(analysis, offset)
    explain_at(analysis, offset)
    explain_at(analysis, max(0, offset - 1))
    hints(analysis, Span(0, len(text)))
    claims(analysis)
    return analysis


def change_everything(analysis: Analysis, offset: int) -> None:
    """Ask for every edit; each must be one of the text."""
    size = len(analysis.body)
    for fix in quick_fixes(analysis, Span(0, size)):
        assert all(0 <= edit.start <= edit.end <= size for edit in fix.edits)
    fix_all(analysis)
    with contextlib.suppress(NotPossibleError):
        assert all(0 <= edit.start <= edit.end <= size for edit in formatted(analysis))
    with contextlib.suppress(NotPossibleError):
        made = rename(analysis, offset, "new_name")
        assert all(0 <= edit.start <= edit.end <= size for edit in made)


@pytest.mark.timeout(60)
def test_a_name_in_a_long_string_is_compared_in_one_way_only() -> None:
    run = "a" * 4000
    assert not _swapped(f"{run} {{a}}!", f"{run} {{aa}}?", "a", "aa")
    assert _swapped(f"{run} {{a}} a=b.", f"{run} {{aa}} aa=b.", "a", "aa")
    assert not _swapped("a=b|c", "aa=b|d", "a", "aa")
    assert not _swapped("a=b", "aa=b a", "a", "aa")
    assert not _swapped("aa=b", "a=b", "a", "aa")
    assert not _swapped("b-a=b", "b-aa=b", "a", "aa")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("every", [23, pytest.param(7, marks=pytest.mark.slow)])
@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_every_beginning_of_a_curated_model_can_be_typed(path: Path, every: int) -> None:
    text = path.read_text(encoding="utf-8")
    for end in range(len(text) + 1):
        if end % (every // 7) == 0:
            context_at(text[:end], end)
        if end % every == 0:
            analysis = look_everywhere(text[:end], end)
            if end % (13 * every) == 0:
                for found in analysis.checked().found:
                    assert 0 <= found.span.start <= found.span.end <= end
                change_everything(analysis, end)


@settings(max_examples=share_of(60), deadline=None)
@given(
    document=st.sampled_from(sorted(SPECIMENS.values(), key=len)[:-1]),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    put=st.text(st.sampled_from(SIGNS), max_size=6),
)
def test_no_edit_of_a_document_is_a_fault(
    document: str, cut: tuple[float, float], put: str
) -> None:
    document = document[:5000]
    start, end = sorted(int(share * len(document)) for share in cut)
    text = document[:start] + put + document[end:]
    analysis = look_everywhere(text, min(start + len(put), len(Text.of(text).body)))
    for found in analysis.checked().found:
        assert 0 <= found.span.start <= found.span.end <= len(analysis.body)
    change_everything(analysis, min(start, len(analysis.body)))


@pytest.mark.parametrize("code", SPECIMENS)
def test_every_fix_gives_a_text_that_says_what_the_repair_says(code: str) -> None:
    analysis = Analysis(Text.of(SPECIMENS[code]))
    if analysis.is_too_large:
        return
    fixes = quick_fixes(analysis, Span(0, len(analysis.body)))
    offered = {fix.found.diagnostic.code for fix in fixes}
    wanted = {d.code for d in analysis.as_written().report.diagnostics if d.fix and d.fix.patch}
    if analysis.reading().spelling in ("text", "json"):  # others are not written back
        assert wanted <= offered
    if (edits := fix_all(analysis)) and (spec := analysis.checked().verdict.spec):
        assert says(replaced(analysis.body, edits), spec)


TEXTS = st.text(st.sampled_from("ab\n\r\t\U0001f600\u00e9\u2028\x0b\x0c\x85\ufeff"), max_size=30)
CARETS = st.builds(Caret, st.integers(0, 6), st.integers(0, 12))


@given(TEXTS, st.lists(st.tuples(CARETS, CARETS, TEXTS), max_size=4))
def test_changes_do_to_a_text_what_an_editor_does(
    text: str, changes: list[tuple[Caret, Caret, str]]
) -> None:
    ours = Text.of(text)
    units = ours.whole.encode("utf-16-le")
    for start, end, put in changes:
        ours = ours.changed(start, end, put)
        first, last = sorted((_unit(units, start), _unit(units, end)))
        clean = put.replace("\r\n", "\n").replace("\r", "\n")
        units = units[:first] + clean.encode("utf-16-le") + units[last:]
        assert ours.whole == units.decode("utf-16-le")


def _unit(units: bytes, caret: Caret) -> int:
    """Where a position is in bytes of UTF-16; within a character it is before it."""
    lines = units.decode("utf-16-le").split("\n")
    if caret.line >= len(lines):
        return len(units)
    before = sum(len(f"{line}\n".encode("utf-16-le")) for line in lines[: caret.line])
    within = lines[caret.line].encode("utf-16-le")[: 2 * caret.character]
    return before + len(within.decode("utf-16-le", "ignore").encode("utf-16-le"))


@given(TEXTS, st.integers(0, 30))
def test_an_offset_comes_back_from_its_position(text: str, at: int) -> None:
    for encoding in ("utf-8", "utf-16", "utf-32"):
        ours = Text.of(text, encoding)
        offset = min(at, len(ours.body))
        assert ours.offset(ours.place(offset)) == offset


@given(TEXTS, TEXTS)
def test_a_difference_makes_one_text_of_the_other(old: str, new: str) -> None:
    old, new = old.replace("\r", "\n"), new.replace("\r", "\n")
    assert replaced(old, difference(old, new)) == new


def test_a_long_text_is_replaced_as_a_whole() -> None:
    old = "a\n" * 3000
    assert difference(old, old) == []
    assert difference(old, "b\n") == [Edit(0, len(old), "b\n")]


@pytest.mark.parametrize(
    "size",
    ["size: 1000000000", "shape: [100000, 100000]", "size: 2 shape: [100000, 100000]", "size: -5"],
)
def test_a_variable_that_is_too_large_is_not_written_out(size: str) -> None:
    text = f"node state s {{ {size} }}\nnode belief D {{ about: s map: [a*] }}\n"
    change_everything(look_everywhere(text, text.index("s {")), text.index("s {"))
    text += "node belief E { about: s map: ["
    analysis = look_everywhere(text, len(text))
    assert complete(analysis, len(analysis.body)).items == ()


def test_half_of_a_surrogate_pair_is_a_character_that_can_be_written() -> None:
    assert Text.of("a\ud800b").whole == "a\ufffdb"


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("abc: 1", 3), ('"a b" c', 5), ("[1, [2], 3] x", 11), ("{a: {b: 1}} x", 11), ("12% x", 3),
        ("[1, 2", 5), ('"open\nx', 5), ("", 0), ("  x", 0), ('"""a\nb""" c', 9), ("@(1, 2): 3", 7),
        ("[1, # ]\n 2] x", 11), ("{", 1), ("\u20ac x", 1),
    ],
)  # fmt: skip
def test_a_part_of_a_text_ends_where_it_ends(text: str, end: int) -> None:
    assert end_of(text, 0) == end


def test_every_property_of_the_language_has_a_meaning() -> None:
    for kind, keys in KEYS_OF.items():
        assert set(meanings.PROPERTIES[kind]) >= set(keys.values()), kind
        for canonical, word in meanings.SPELLED.get(kind, {}).items():
            assert keys[word] == canonical
    assert set(meanings.NODES) == set(KEYS_OF) - {"agent"}
