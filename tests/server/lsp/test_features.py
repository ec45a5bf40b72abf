"""What an editor asks for, through the protocol, of a real process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from orchestrator.gmn.validate import validate
from tests.support.documents import GOOD, swapped
from tests.support.lsp import URI, Started, edited, place_of

pytestmark = pytest.mark.may_block
LIBRARY = sorted((Path(__file__).parents[3] / "prompts" / "library").glob("*.gmn"))
THIS = types.TextDocumentIdentifier(URI)


@pytest.fixture(scope="module")
def editor() -> Iterator[Started]:
    made = Started()
    yield made
    assert made.end() == 0


def items(editor: Started, text: str) -> list[types.CompletionItem]:
    """What is offered at the sign in a text."""
    shown, place = place_of(text)
    editor.open(shown)
    found = editor.ask("textDocument/completion", types.CompletionParams(THIS, place))
    return [*found.items]


def offered(editor: Started, text: str) -> list[str]:
    return [one.label for one in items(editor, text)]


def hovered(editor: Started, text: str) -> str:
    shown, place = place_of(text)
    editor.open(shown)
    found = editor.ask("textDocument/hover", types.HoverParams(THIS, place))
    return found.contents.value if found else ""


def actions(
    editor: Started, text: str, only: list[str | types.CodeActionKind] | None = None
) -> list[types.CodeAction]:
    """Every action for a whole text."""
    found = editor.open(text)
    whole = types.Range(types.Position(0, 0), types.Position(text.count("\n") + 1, 0))
    context = types.CodeActionContext(found, only=only)
    return [*editor.ask("textDocument/codeAction", types.CodeActionParams(THIS, whole, context))]


def edits_of(change: types.WorkspaceEdit) -> list[types.TextEdit]:
    (part,) = change.document_changes or ()
    assert isinstance(part, types.TextDocumentEdit)
    return [one for one in part.edits if isinstance(one, types.TextEdit)]


# Diagnostics


def test_every_finding_of_validate_is_shown_at_its_part_of_the_text(editor: Started) -> None:
    wrong = GOOD.replace("[0.1, 0.8, 0.1]", "[0.1, 0.8, 0.5]").replace("gamma: 8", "gama: 8")
    found = editor.open(wrong)
    lines = wrong.split("\n")
    places = {str(one.code): one.range for one in found}
    shown = {
        code: lines[place.start.line][place.start.character : place.end.character]
        for code, place in places.items()
    }
    assert shown == {"GMN201": "[0.1, 0.8, 0.5]", "GMN007": "gama"}
    severities = {str(one.code): one.severity for one in found}
    assert severities["GMN201"] is types.DiagnosticSeverity.Error
    assert severities["GMN007"] is types.DiagnosticSeverity.Warning


def test_an_error_that_is_repaired_is_a_warning_that_says_what_is_done(editor: Started) -> None:
    shown = editor.open(swapped("[0.8, 0.1, 0.1]", "[0.8, 0.11, 0.1]"))
    (found,) = [one for one in shown if one.code == "GMN201"]
    assert found.severity is types.DiagnosticSeverity.Warning
    assert found.message.endswith("(repaired: scale the row to sum 1)")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"states": [{"name": "s", "size": 2}], "observations": [{"name": "o", "size": 2}]}',
         "GMN107"),
        ('{"A": [[[0.9, 0.1], [0.1, 0.9]]], "B": [[[1, 0], [0, 1]]]}', "GMN804"),
        ("# GNN\n## StateSpaceBlock\ns[2,1]\n", "GMN806"),
        ("discount: 1\nvalues: reward\nstates: 2\nactions: 2\nobservations: 2\nT: 0\nx\n", "GMN"),
        ("---\nname: x\n---\nwords", "GMN806"),
    ],
)  # fmt: skip
def test_texts_of_other_formats_are_judged_as_validate_judges_them(
    editor: Started, text: str, code: str
) -> None:
    report = validate(text).report
    found = editor.open(text)
    assert sorted(str(one.code) for one in found) == sorted(
        d.code for d in (*report.diagnostics, *report.repairs)
    )
    assert any(str(one.code).startswith(code) for one in found) or code == "GMN806"
    ends = text.split("\n")
    for one in found:
        assert one.range.end.character <= len(ends[one.range.end.line])


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_a_curated_model_has_no_error_and_is_formatted_already(editor: Started, path: Path) -> None:
    found = editor.open(path.read_text(encoding="utf-8"))
    assert [one for one in found if one.severity is types.DiagnosticSeverity.Error] == []
    options = types.FormattingOptions(2, insert_spaces=True)
    assert not editor.ask("textDocument/formatting", types.DocumentFormattingParams(THIS, options))


# Positions


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("indent", ["", "\t", "\ufeff", "\u2028", "\x0c"])
def test_positions_are_utf_16_whatever_stands_before(
    editor: Started, newline: str, indent: str
) -> None:
    text = f"{indent}# \U0001f600\U0001f600 \t\n{GOOD}".replace("\n", newline)
    text = text.replace(
        "agent walker {", 'agent walker { description: "\U0001f600\U0001f469\u200d\U0001f52c"'
    )
    text = text.replace("type: explorer", "type: explorer wrong_key: 3")
    (found,) = [one for one in editor.open(text) if one.code == "GMN007"]
    line = re.split("\r\n|\r|\n", text)[found.range.start.line]
    units = line.encode("utf-16-le")
    start, end = 2 * found.range.start.character, 2 * found.range.end.character
    assert units[start:end].decode("utf-16-le") == "wrong_key"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_positions_are_in_the_units_that_the_client_prefers(encoding: str) -> None:
    editor = Started(encodings=[encoding])
    assert editor.can.position_encoding == encoding
    line = 'agent walker { description: "\U0001f600\u00e9" wrong_key: 3 }'
    (found,) = editor.open(swapped("agent walker { type: explorer }", line))
    before = line[: line.index("wrong_key")]
    sizes = {"utf-8": len(before.encode()), "utf-32": len(before),
             "utf-16": len(before.encode("utf-16-le")) // 2}  # fmt: skip
    assert found.range.start.character == sizes[encoding]
    assert editor.end() == 0


def test_changes_are_applied_in_their_order_and_positions_beyond_a_line_are_its_end(
    editor: Started,
) -> None:
    editor.open("")
    beyond = types.Range(types.Position(0, 999), types.Position(99, 999))
    editor.change(
        {"text": "\U0001f600" * 3}, {"range": beyond, "text": "\r\n"}, {"text": GOOD}
    )  # fmt: skip
    assert editor.found() == []
    line = GOOD.split("\n")[9]
    at_8 = line.index("8")
    place = types.Range(types.Position(9, at_8), types.Position(9, at_8 + 1))
    editor.change({"range": place, "text": "0"})
    (found,) = editor.found()
    assert (found.code, found.range) == ("GMN411", place)


# Completion


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("|", ["gmn", "agent", "node", "end"]),
        ("gmn 1.0\nno|", ["node"]),
        ("node |", ["state", "emission", "transition", "belief", "preference", "policy"]),
        ("node st|", ["state"]),
        (GOOD + "node emission |", ["A_place"]),
        (GOOD + "node policy |", ["pi"]),
        ("node state s { |", ["labels", "size", "shape", "terminal", "description", "initial"]),
        ("node state s { labels: [a] |", ["size"]),
        (GOOD + "node emission A { |", ["from", "to", "rows", "map", "identity", "rules", "noise"]),
        (GOOD + "node emission A { from: [|", ["pos"]),
        (GOOD + "node emission A { from: [pos] to: |", ["place"]),
        (GOOD + "node transition B { from: [|", ["go", "pos"]),
        (GOOD + "node transition B { from: [go, |", ["pos"]),
        (GOOD + "node belief D { about: |", ["pos"]),
        (swapped("about: pos", "about: p|os"), ["pos"]),
        (GOOD + "node belief D { about: pos map: [|", ["a", "b", "c"]),
        (GOOD + "node preference C { on: |", ["place", "pos", "go"]),
        (GOOD + "node preference C { on: place goals: {|", ["a", "b", "c"]),
        (GOOD + "node preference C { on: place goals: {a: 1, |", ["b", "c"]),
        (GOOD + "node preference C { on: place goal_gradient: {|", ["goal", "utility", "decay"]),
        (GOOD + "node preference C { on: place goal_gradient: {goal: |", ["a", "b", "c"]),
        (GOOD + "node emission A { from: [pos] to: place rules: [{|", ["when", "then"]),
        (GOOD + "node emission A { from: [pos] to: place rules: [{when: {|", ["pos"]),
        (GOOD + "node emission A { from: [pos] to: place rules: [{when: {pos: |", ["a", "b", "c"]),
        (GOOD + "node emission A { from: [pos] to: place rules: [{when: {pos: [a, |", ["a", "b"]),
        (GOOD + "node emission A { from: [pos] to: place rules: [{then: {|", ["a", "b", "c"]),
        (GOOD + "node transition B { from: [go, pos] to: pos rules: [{then: {|", ["@stay", "a"]),
        (GOOD + "node transition B { from: [go, pos] to: pos shift moves: {|", ["left", "stay"]),
        (GOOD + "node transition B { from: [go, pos] boundary: |", ["stay", "clamp", "wrap"]),
        (GOOD + "node policy pi { |", ["horizon", "gamma", "selection"]),
        (GOOD + "node policy pi { selection: |", ["deterministic", "contingent"]),
        (GOOD + "node policy pi { habit: {|", ["go"]),
        (GOOD + "node llm_query q { trigger: |", ["on_start", "on_goal"]),
        (GOOD + "node llm_query q { inputs: [|", ["place", "pos", "go"]),
        ("node state s { labels: [x, y] terminal: [|", ["x", "y"]),
        ("agent a { |", ["type", "description", "metadata"]),
        ("agent a { type: |", ["explorer", "general"]),
        ("agent a { metadata: {|", ["expect", "prompt"]),
    ],
)
def test_what_fits_is_offered(editor: Started, text: str, expected: list[str]) -> None:
    found = offered(editor, text)
    assert set(expected) <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    "text",
    [
        "# no|",
        'agent a { description: "no|de" }',
        "// |",
        '{"states": [|',
        "node state s { size: |",
        GOOD + "node belief D { about: pos rows: [[|",
        "node state |",
    ],
)
def test_nothing_is_offered_where_words_do_not_fit(editor: Started, text: str) -> None:
    assert offered(editor, text) == []


def test_a_key_that_is_there_and_a_variable_that_is_named_are_not_offered_again(
    editor: Started,
) -> None:
    assert "from" not in offered(editor, GOOD + "node emission A { from: [pos] |")
    assert "from" not in offered(editor, GOOD + "node emission A { given: [pos] |")
    assert "go" not in offered(editor, GOOD + "node transition B { from: [go, |")
    assert "place" not in offered(editor, GOOD + "node transition B { from: [|")


def test_what_is_taken_stands_in_place_of_the_word(editor: Started) -> None:
    text = swapped("about: pos", "about: p|o")
    (found,) = [one for one in items(editor, text) if one.label == "pos"]
    assert isinstance(found.text_edit, types.TextEdit)
    shown = place_of(text)[0]
    assert edited(shown, [found.text_edit]).split("about: ")[1].startswith("poso rows")
    text = swapped("labels: [a, b, c]", 'labels: ["a b", b, c]').replace("0.5, 0.3, 0.2", "x")
    text = text.replace("rows: [[x]]", "map: [|]")
    (found,) = [one for one in items(editor, text) if one.label == "a b"]
    assert isinstance(found.text_edit, types.TextEdit)
    assert found.text_edit.new_text == '"a b"'


# Hover


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (swapped("node state", "node st|ate"), "hidden state factor"),
        (swapped("node state", "no|de state"), "A part of the model"),
        (swapped("horizon:", "hori|zon:"), "Steps looked ahead"),
        (swapped("from: [pos]", "fr|om: [pos]"), "first one varies slowest"),
        (swapped("from: [pos]", "from: [p|os]"), "3 values"),
        (swapped("pos { labels", "po|s { labels"), "labels: a, b, c"),
        (swapped("left: [-1]", "le|ft: [-1]"), "label of action **go**"),
        (swapped("left: [-1]", "le|ft: [-1]"), "value 1 of 3"),
        (swapped("emission A", "emission |A"), "3 rows of 3"),
        (swapped("transition B", "transition B|"), "**P(pos | go, pos)**"),
        (swapped("transition B", "transition B|"), "9 rows of 3"),
        ("# see GMN|201\n" + GOOD, "row does not sum to 1"),
        (swapped("[0.1, 0.8, 0.1]", "[0.1, |0.8, 0.5]"), "**GMN201** error: row does not sum to 1"),
        (swapped("labels: [a, b, c]", "shape: [2, 3]").replace("pos {", "po|s {"), "a grid of 2x3"),
    ],
)
def test_meaning_and_shape_are_said(editor: Started, text: str, words: str) -> None:
    assert words in hovered(editor, text)


def test_a_strangers_text_is_not_read_as_markdown(editor: Started) -> None:
    text = swapped("labels: [a, b, c]", 'labels: ["[x](http://e)", "<b>", c]', GOOD)
    said = hovered(editor, text.replace("node state pos", "node state p|os"))
    assert r"\[x\](http" in said
    assert r"\<b\>" in said


# Formatting


def formatting(editor: Started) -> list[types.TextEdit]:
    options = types.FormattingOptions(2, insert_spaces=True)
    found = editor.ask("textDocument/formatting", types.DocumentFormattingParams(THIS, options))
    return [*(found or ())]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_formatting_means_the_same_and_keeps_comments_and_line_ends(
    editor: Started, newline: str
) -> None:
    text = f"# \U0001f600 note\n{GOOD}".replace("\n", newline)
    editor.open(text)
    made = edited(text, formatting(editor))
    assert (newline == "\r\n") == ("\r\n" in made)
    assert made.count("\n") == made.count(newline)
    assert made.startswith("# \U0001f600 note")
    before, after = validate(text).spec, validate(made).spec
    assert before is not None
    assert before == after
    editor.open(made)
    assert formatting(editor) == []


def test_formatting_touches_only_the_lines_that_change(editor: Started) -> None:
    text = (LIBRARY[0]).read_text(encoding="utf-8").replace("  gamma: 8", "      gamma:   8")
    editor.open(text)
    (edit,) = formatting(editor)
    assert edit.range.end.line - edit.range.start.line == 1


@pytest.mark.parametrize(
    "text",
    [
        "node {",
        f"Here is your model:\n{GOOD}",
        swapped("gamma: 8", "gamma: 8 colour: red"),
        '{"states": [], "strange": 1}',
        '{"states": [] /* why */}',
        "---\nname: x\n---\nwords",
    ],
)
def test_formatting_loses_nothing_and_says_why_it_does_not(editor: Started, text: str) -> None:
    editor.open(text)
    with pytest.raises(JsonRpcException, match=r"would be lost|cannot be read|canonical form"):
        formatting(editor)


def test_json_is_formatted_as_json(editor: Started) -> None:
    text = '{"states": [{"name": "s", "size": 2}]}'
    editor.open(text)
    made = edited(text, formatting(editor))
    assert made.startswith('{\n  "gmn": "1.0"')
    assert validate(made).spec == validate(text).spec


# Renaming


def renamed(editor: Started, text: str, new: str) -> str:
    shown, place = place_of(text)
    editor.open(shown)
    change = editor.ask("textDocument/rename", types.RenameParams(THIS, place, new))
    return edited(shown, edits_of(change))


def test_a_variable_is_renamed_everywhere_and_nothing_else(editor: Started) -> None:
    text = swapped(
        "type: explorer",
        'type: explorer description: "pos pos" metadata: {expect: "pos=c within 3; place=a at 2"}',
    )
    made = renamed(editor, text.replace("node state pos", "node state p|os"), "where")
    assert made == (
        text.replace("state pos", "state where").replace("[pos]", "[where]")
        .replace("[go, pos]", "[go, where]").replace("to: pos", "to: where")
        .replace("about: pos", "about: where").replace("pos=c", "where=c")
    )  # fmt: skip


def test_a_label_is_renamed_for_its_own_variable_only(editor: Started) -> None:
    text = swapped("rows: [[0.5, 0.3, 0.2]]", "map: [a]")
    made = renamed(
        editor, text.replace("node state pos { labels: [a", "node state pos { labels: [|a"), "start"
    )
    assert "node state pos { labels: [start, b, c] }" in made
    assert "node observation place { labels: [a, b, c] }" in made
    assert "map: [start]" in made


def test_a_rename_reaches_rules_moves_goals_habits_and_questions(editor: Started) -> None:
    text = GOOD + (
        'node llm_query q { trigger: on_start inputs: [go] prompt: "why {go}, {place}?"'
        " effect: suggest_action target: go }\n"
    )
    text = text.replace("gamma: 8", "gamma: 8 habit: {go: [1, 2, 1]}")
    made = renamed(editor, text.replace("action go", "action |go"), "act")
    assert re.findall(r"\bgo\b", made) == []
    assert '"why {act}, {place}?"' in made
    assert "habit: {act: [1, 2, 1]}" in made
    made = renamed(editor, text.replace("labels: [left", "labels: [l|eft"), "back")
    assert "moves: {back: [-1]" in made


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_renaming_there_and_back_gives_the_same_text(editor: Started, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    spec = validate(text).spec
    assert spec is not None
    for _, variable in spec.variables():
        at_it = re.compile(rf"(node \w+ ){variable.name}\b")
        there = renamed(editor, at_it.sub(rf"\1|{variable.name}", text, count=1), "other_name")
        assert there != text
        found = editor.open(there)
        assert [one for one in found if one.severity is types.DiagnosticSeverity.Error] == []
        back = re.sub(r"(node \w+ )other_name\b", r"\1|other_name", there, count=1)
        assert renamed(editor, back, variable.name) == text


@pytest.mark.parametrize(
    ("text", "new", "why"),
    [
        (swapped("state pos", "state |pos"), "place", "taken, by node observation place"),
        (swapped("state pos", "state |pos"), "1 x", "not a name"),
        (GOOD.replace("labels: [a", "labels: [|a", 1), "b", "has a label 'b' already"),
        (swapped("horizon", "hor|izon"), "x", "only a variable or a label"),
        (swapped("labels: [a, b, c]", "size: 3").replace("0.5, 0.3, 0.2]]", "1, 0, 0]]").replace(
            "rows: [[1, 0, 0]]", "map: [|0]"), "x", "not declared"),
        (GOOD.replace("labels: [a, b, c]", "labels: [a|1, a2, b]", 1).replace(
            "rows: [[0.5, 0.3, 0.2]]", "rules: [{then: {a*: 1}}]"), "z", "pattern 'a\\*'"),
    ],
)  # fmt: skip
def test_a_rename_that_would_change_the_model_is_refused(
    editor: Started, text: str, new: str, why: str
) -> None:
    shown, place = place_of(text)
    editor.open(shown)
    with pytest.raises(JsonRpcException, match=why):
        editor.ask("textDocument/rename", types.RenameParams(THIS, place, new))


def test_what_can_be_renamed_is_said_first(editor: Started) -> None:
    text = swapped("about: pos", "about: p|os")
    shown, place = place_of(text)
    editor.open(shown)
    found = editor.ask("textDocument/prepareRename", types.PrepareRenameParams(THIS, place))
    assert found.placeholder == "pos"
    where = types.Position(0, 0)
    with pytest.raises(JsonRpcException, match="only a variable or a label"):
        editor.ask("textDocument/prepareRename", types.PrepareRenameParams(THIS, where))


def test_names_lead_to_their_declaration_and_to_each_other(editor: Started) -> None:
    shown, place = place_of(swapped("about: pos", "about: p|os"))
    editor.open(shown)
    (declared,) = editor.ask("textDocument/definition", types.DefinitionParams(THIS, place))
    assert (declared.range.start.line, declared.range.start.character) == (2, 11)
    for is_wanted, count in ((True, 5), (False, 4)):
        context = types.ReferenceContext(include_declaration=is_wanted)
        params = types.ReferenceParams(context, THIS, place)
        assert len(editor.ask("textDocument/references", params)) == count
    marked = types.DocumentHighlightParams(THIS, place)
    assert len(editor.ask("textDocument/documentHighlight", marked)) == 5


# Quick fixes


@pytest.mark.parametrize(
    ("old", "new", "title"),
    [
        ("[0.8, 0.1, 0.1]", "[0.8, 0.11, 0.1]", "GMN201: scale the row to sum 1"),
        ("about: pos", "about: pso", "GMN105: read as 'pos'"),
        ("gamma: 8", "gamma: 8 colour: red", "GMN007: remove 'colour'"),
        ("gamma: 8", "gamma: 8 horizn: 2", "GMN007: remove 'horizn'"),
        ("node belief", "node beleif", "GMN006: write 'belief'"),
        ("node policy pi { horizon: 2 gamma: 8 }", "node policy pi { horizon: 2 gamma: 8 ",
         "GMN002: write '}'"),
        ("moves: {left: [-1], stay: [0], right: [1]}", "moves: {left: [-1], right: [1]}",
         "GMN307: add the missing moves"),
    ],
)  # fmt: skip
def test_a_safe_repair_is_the_preferred_fix_and_removes_the_finding(
    editor: Started, old: str, new: str, title: str
) -> None:
    text = swapped(old, new)
    (found,) = [one for one in actions(editor, text, ["quickfix"]) if one.title == title]
    assert found.is_preferred
    assert found.diagnostics
    assert found.edit is not None
    made = edited(text, edits_of(found.edit))
    code = title.partition(":")[0]
    assert code not in [one.code for one in editor.open(made)]
    before, after = validate(text).spec, validate(made).spec
    assert before == after


def test_a_repair_that_is_only_suggested_is_not_preferred(editor: Started) -> None:
    found = actions(editor, swapped("values: [0, 1, 3]", "values: [0.2, 0.3, 0.5]"), ["quickfix"])
    assert [(one.title, one.is_preferred) for one in found] == [("GMN407: take logarithms", False)]


def test_a_fix_leaves_the_rest_of_the_text_as_it_is(editor: Started) -> None:
    text = swapped("[0.8, 0.1, 0.1]", "[0.8,   0.11, 0.1] # why\n")
    (found,) = actions(editor, text, ["quickfix"])
    assert found.edit is not None
    (edit,) = edits_of(found.edit)
    assert edit.new_text.startswith("[0.79")
    made = edited(text, [edit])
    assert "# why" in made
    assert made.replace(edit.new_text, "") == text.replace("[0.8,   0.11, 0.1]", "")


def test_a_fix_of_a_statement_keeps_its_comments_and_the_other_statements(
    editor: Started,
) -> None:
    text = swapped(
        "shift moves: {left: [-1], stay: [0], right: [1]}",
        "shift\n  # both ways\n  moves: {left: [-1], right: [1]}",
    )
    (found,) = actions(editor, text, ["quickfix"])
    assert found.edit is not None
    made = edited(text, edits_of(found.edit))
    assert "# both ways" in made
    assert (
        made.split("node transition")[0]
        .strip()
        .startswith(text.split("node transition")[0].strip()[:300])
    )
    assert made.split("node belief")[1] == text.split("node belief")[1]


def test_every_safe_repair_can_be_made_at_once(editor: Started) -> None:
    text = swapped("[0.8, 0.1, 0.1]", "[0.8, 0.11, 0.1]").replace("about: pos", "about: pso")
    (found,) = actions(editor, text, ["source.fixAll"])
    assert found.kind == types.CodeActionKind.SourceFixAll
    assert found.edit is not None
    made = edited(text, edits_of(found.edit))
    left = {one.code for one in editor.open(made)}
    assert left.isdisjoint({"GMN201", "GMN105"})
    assert actions(editor, GOOD, ["source.fixAll"]) == []


# Hints and lenses


def hinted(editor: Started, text: str) -> list[tuple[str, str]]:
    """Every hint with the word before it."""
    editor.open(text)
    whole = types.Range(types.Position(0, 0), types.Position(999, 0))
    found = editor.ask("textDocument/inlayHint", types.InlayHintParams(THIS, whole))
    lines = text.split("\n")
    return [
        (re.split(r"[\s\[]", lines[h.position.line][: h.position.character])[-1], str(h.label))
        for h in found
    ]


def test_hints_say_sizes_and_sums(editor: Started) -> None:
    found = hinted(editor, swapped("[0.1, 0.8, 0.1]", "[0.1, 0.8, 0.5]"))
    assert ("pos", "3 values") in found
    assert ("A", "3 rows of 3") in found
    assert ("B", "9 rows of 3") in found
    assert [words for _, words in found if words.startswith("sum")] == [
        "sum 1", "sum 1.4", "sum 1", "sum 1",
    ]  # fmt: skip


def test_hints_are_those_of_the_lines_that_are_shown(editor: Started) -> None:
    editor.open(GOOD)
    shown = types.Range(types.Position(2, 0), types.Position(3, 0))
    found = editor.ask("textDocument/inlayHint", types.InlayHintParams(THIS, shown))
    assert [str(one.label) for one in found] == ["3 values"]


def lenses(editor: Started, expect: str) -> list[str]:
    text = swapped("type: explorer", f'type: explorer metadata: {{expect: "{expect}"}}')
    editor.open(text)
    found = editor.ask("textDocument/codeLens", types.CodeLensParams(THIS))
    said = [editor.ask("codeLens/resolve", one).command.title for one in found]
    line = text.split("\n")[1]
    parts = [line[one.range.start.character : one.range.end.character] for one in found]
    assert parts == [part.strip() for part in expect.split(";") if part.strip()]
    return said


def test_a_lens_says_how_often_an_expectation_holds(editor: Started) -> None:
    held, missed, average = lenses(
        editor,
        "pos=c within 9 in 50%; never pos=c within 9 in 90%; pos=c within 9 on average at least 2",
    )
    assert re.fullmatch(r"holds in \d+ of 100 episodes", held)
    assert re.fullmatch(r"fails: it is so in \d+ of 100 episodes", missed)
    assert re.fullmatch(r"(holds|fails): [\d.]+ steps on average over 100 episodes", average)


def test_a_lens_says_why_nothing_was_measured(editor: Started) -> None:
    unknown, other, label = lenses(editor, "gold=c within 9; whatever; pos=z within 3")
    assert "'gold' is not defined" in unknown
    assert "is not an expectation" in other
    assert "no 'z' in pos" in label


def test_a_lens_of_a_document_that_is_not_valid_says_so(editor: Started) -> None:
    text = swapped("type: explorer", 'type: explorer metadata: {expect: "pos=c within 9"}')
    editor.open(text.replace("about: pos", "about: nothing"))
    (found,) = editor.ask("textDocument/codeLens", types.CodeLensParams(THIS))
    assert "not valid" in editor.ask("codeLens/resolve", found).command.title


def test_measuring_ends_when_the_text_is_edited(editor: Started) -> None:
    slow = swapped("type: explorer", 'type: explorer metadata: {expect: "pos=c at 2000"}')
    slow = slow.replace("horizon: 2", "horizon: 7")
    editor.open(slow)
    (found,) = editor.ask("textDocument/codeLens", types.CodeLensParams(THIS))
    waiting = editor.begin("codeLens/resolve", found)
    editor.ask("textDocument/hover", types.HoverParams(THIS, types.Position(0, 0)))
    assert not waiting.done()
    editor.change({"text": GOOD})
    with pytest.raises(JsonRpcException) as refused:
        waiting.result(60)
    assert refused.value.code == types.LSPErrorCodes.ContentModified
    with pytest.raises(JsonRpcException) as refused:  # nor is it begun for an old lens
        editor.ask("codeLens/resolve", found)
    assert refused.value.code == types.LSPErrorCodes.ContentModified


def test_a_request_that_is_cancelled_is_answered_so(editor: Started) -> None:
    slow = swapped("type: explorer", 'type: explorer metadata: {expect: "pos=c at 2000"}')
    editor.open(slow.replace("horizon: 2", "horizon: 7"))
    (found,) = editor.ask("textDocument/codeLens", types.CodeLensParams(THIS))
    waiting = editor.begin("codeLens/resolve", found, "to-cancel")
    editor.ask("textDocument/hover", types.HoverParams(THIS, types.Position(0, 0)))
    editor.say("$/cancelRequest", types.CancelParams("to-cancel"))
    with pytest.raises(JsonRpcException) as refused:
        waiting.result(60)
    assert refused.value.code == types.LSPErrorCodes.RequestCancelled


JSON = """{"states": [{"name": "s", "labels": ["a", "b"]}],
 "observations": [{"name": "o", "labels": ["x", "y"]}],
 "likelihoods": [{"of": "o", "given": ["s"],
  "table": {"kind": "rows", "rows": [[0.9, 0.1], [0.1, 0.91]]}}],
 "priors": [{"of": "s", "table": {"kind": "map", "map": ["a"]}}]}
"""


def test_a_json_document_is_explained_renamed_counted_and_repaired(editor: Started) -> None:
    assert "**state** s" in hovered(editor, JSON.replace('"given": ["s"', '"given": ["|s"'))
    made = renamed(editor, JSON.replace('"name": "s"', '"name": "|s"'), "hidden")
    assert made == JSON.replace('"s"', '"hidden"')
    made = renamed(editor, JSON.replace('"labels": ["a"', '"labels": ["|a"'), "first")
    assert made == JSON.replace('"a"', '"first"')
    assert ("0.91]", "sum 1.01") in hinted(editor, JSON)
    fixes = {one.title: one for one in actions(editor, JSON, ["quickfix"])}
    fix = fixes["GMN201: scale the row to sum 1"].edit
    assert fix is not None
    made = edited(JSON, edits_of(fix))
    assert made.count("\n") == JSON.count("\n")
    assert "GMN201" not in [one.code for one in editor.open(made)]


@pytest.mark.parametrize(
    "text",
    [
        "## GNNSection\n## StateSp|aceBlock\nstate[2,1]\n",
        "discount: 1\nvalues: reward\nstates: 2\nact|ions: 2\nobservations: 2\nT: * identity\n",
    ],
)
def test_words_of_other_formats_are_not_taken_for_those_of_gmn(editor: Started, text: str) -> None:
    assert hovered(editor, text) == ""
    assert offered(editor, text) == []


def test_a_document_that_is_not_open_is_a_refusal_and_not_a_fault(editor: Started) -> None:
    other = types.TextDocumentIdentifier("file:///other.gmn")
    with pytest.raises(JsonRpcException, match="is not open"):
        editor.ask("textDocument/hover", types.HoverParams(other, types.Position(0, 0)))


def test_a_huge_document_is_refused_in_one_finding(editor: Started) -> None:
    found = editor.open("node state s { size: 2 }\n" * 20_000)
    assert [one.code for one in found] == ["GMN704"]
    assert editor.ask("textDocument/codeLens", types.CodeLensParams(THIS)) in ([], ())
    whole = types.Range(types.Position(0, 0), types.Position(99_999, 0))
    assert editor.ask("textDocument/inlayHint", types.InlayHintParams(THIS, whole)) in ([], ())
    assert editor.ask("textDocument/hover", types.HoverParams(THIS, types.Position(9, 2))) is None
