"""A model as a picture: what it shows, where it stands, how large it may be."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.gmn.draw.graph import MOST_NODES, edges
from orchestrator.gmn.draw.heat import MOST_SIDE
from orchestrator.gmn.draw.mermaid import mermaid
from orchestrator.gmn.draw.picture import picture
from orchestrator.gmn.draw.scene import Box, Group, Part, Scene, TextLine, cut, number, width_of
from orchestrator.gmn.draw.svg import svg
from orchestrator.gmn.limits import HARD_LIMITS
from orchestrator.gmn.model import DrawnPart, GMNSpec, Variable
from orchestrator.gmn.validate import validate
from tests.support.documents import GOOD, swapped

LIBRARY = sorted((Path(__file__).parents[3] / "prompts" / "library").glob("*.gmn"))
ALL: tuple[DrawnPart, ...] = ("graph", "tables", "preferences", "trace")
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</text><script>x</script>\" onload='y' &lt; \x1b[2J \u202e \ufffe javascript:z url(#a)"

GRID = """gmn 1.0
agent far { type: explorer }
node state pos { shape: [20, 20] }
node observation cell { shape: [20, 20] }
node action move { labels: [up, down, left, right, stay] }
node emission A { from: [pos] to: cell identity noise: 0.1 }
node transition B { from: [move, pos] to: pos grid
  moves: {up: [-1, 0], down: [1, 0], left: [0, -1], right: [0, 1], stay: [0, 0]} }
node belief D { about: pos map: [r0c0] }
node preference C { on: cell goals: {r19c19: 3, r5c5: -4} }
node policy pi { horizon: 1 gamma: 4 }
"""


def drawn(source: str | bytes | GMNSpec, *parts: DrawnPart, steps: int = 5) -> ET.Element:
    return ET.fromstring(svg(scene_of(source, *parts, steps=steps)))


def scene_of(source: str | bytes | GMNSpec, *parts: DrawnPart, steps: int = 5) -> Scene:
    verdict = validate(source, run_steps=0)
    return picture(verdict, parts=parts or ALL, steps=steps)


def words(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def placed(
    parts: tuple[Part, ...], x: float = 0, y: float = 0
) -> Iterator[tuple[Part, float, float]]:
    for part in parts:
        if isinstance(part, Group):
            yield from placed(part.parts, x + part.x, y + part.y)
        else:
            yield part, x, y


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_every_curated_model_is_drawn_whole_and_within_its_paper(path: Path) -> None:
    spec = validate(path.read_bytes(), run_steps=0).spec
    assert spec is not None
    made = scene_of(path.read_bytes())
    root = ET.fromstring(svg(made))
    named = {g.get("data-name"): g.get("data-kind") for g in root.iter(f"{SVG}g")}
    assert {v.name: kind for kind, v in spec.variables()}.items() <= named.items()
    joined = {(g.get("data-from"), g.get("data-to")) for g in root.iter(f"{SVG}g")}
    assert {(parent, child) for parent, child, _ in edges(spec)} <= joined
    shown = words(root)
    assert {v.name for p in spec.preferences if (v := spec.variable(p.on))} <= {
        found[1] for one in shown if (found := re.match(r"utility of (\w+)", one))
    }
    assert not [one for one in shown if "not drawn" in one]
    for part, x, y in placed(made.parts):
        assert 0 <= x < made.width
        assert 0 <= y < made.height
        if isinstance(part, TextLine) and not part.is_upright:
            begin = {"start": 0.0, "middle": 0.5, "end": 1.0}[part.anchor]
            left = x + part.x - begin * width_of(part.words, part.size)
            assert left >= 0, part
            assert left + width_of(part.words, part.size) <= made.width, part
        if isinstance(part, Box):
            assert x + part.x + part.width <= made.width


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_no_two_nodes_of_a_graph_overlap(path: Path) -> None:
    root = drawn(path.read_bytes(), "graph")
    boxes = []
    for group in root.iter(f"{SVG}g"):
        if group.get("data-name"):
            x, y = map(float, re.findall(r"[\d.]+", group.get("transform") or "")[:2])
            box = group.findall(f"{SVG}rect")[0]
            boxes.append((x, y, float(box.get("width") or 0), float(box.get("height") or 0)))
    for i, (x, y, wide, high) in enumerate(boxes):
        for other in boxes[:i]:
            apart_x = x + wide <= other[0] or other[0] + other[2] <= x
            apart_y = y + high <= other[1] or other[1] + other[3] <= y
            assert apart_x or apart_y


def test_a_table_shows_its_numbers_its_labels_and_the_sum_of_each_row() -> None:
    shown = words(drawn(GOOD, "tables"))
    assert "P(place | pos)" in shown
    assert shown.count("0.8") >= 3
    assert "sum" in shown
    assert "go = left" in shown
    wrong = words(drawn(swapped("[0.8, 0.1, 0.1]", "[0.8, 0.5, 0.1]"), "tables"))
    assert "1.4" in wrong
    assert any("GMN2" in one for one in wrong), "the picture says that the document is not valid"


def test_a_document_with_errors_is_drawn_as_far_as_it_can_be() -> None:
    shown = words(drawn(swapped("from: [pos] to: place", "from: [nothing] to: place")))
    assert "walker" in shown
    assert any("GMN105" in one for one in shown)
    assert "preferences are drawn once the document is valid" in shown
    with pytest.raises(ValueError, match="could not be read"):
        picture(validate("not a document"))


def test_large_tables_are_drawn_coarser_and_say_so() -> None:
    made = svg(scene_of(GRID))
    shown = words(ET.fromstring(made))
    assert "400 x 400 numbers: a cell shows the largest of 7 x 7" in shown
    assert "every row sums to 1" in shown
    assert "20 x 20 grid, 400 values" in shown
    assert len(made) < 300_000
    cells = re.findall(r"h[\d.]+v[\d.]+h-[\d.]+z", made)
    assert len(cells) < 12 * MOST_SIDE * MOST_SIDE


def test_labels_of_a_long_list_that_are_worth_nothing_are_counted() -> None:
    names = ", ".join(f"a_label_that_goes_on_and_on_and_is_long_{i}" for i in range(50))
    text = f"""gmn 1.0
agent long {{ type: explorer }}
node state at {{ labels: [{names}] }}
node observation seen {{ labels: [{names}] }}
node action go {{ labels: [back, on] }}
node emission A {{ from: [at] to: seen identity }}
node transition B {{ from: [go, at] to: at shift moves: {{back: [-1], on: [1]}} }}
node preference C {{ on: seen goals: {{a_label_that_goes_on_and_on_and_is_long_9: 1}} }}
node policy pi {{ horizon: 1 gamma: 2 }}
"""
    shown = words(drawn(text))
    assert "49 more labels have 0" in shown
    assert any("…" in one and one.endswith("long_9") for one in shown)


def test_a_hostile_label_is_text_and_nothing_else() -> None:
    spec = validate(GOOD).spec
    assert spec is not None
    dirty = GMNSpec.model_validate_json(
        spec.model_dump_json()
        .replace('"c"', json.dumps(f"c{HOSTILE}"))
        .replace('"pos"', json.dumps(HOSTILE))
    ).model_copy(update={"name": HOSTILE, "description": HOSTILE})
    text = dirty.to_svg(*ALL)
    root = ET.fromstring(text)
    allowed = {"svg", "g", "rect", "path", "text", "title", "style"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= allowed
    for element in root.iter():
        assert not [name for name in element.attrib if name.startswith("on") or "href" in name]
        assert not re.search(r"url\(|javascript:", element.get("style") or "")
    style = root.find(f"{SVG}style")
    assert style is not None
    assert "url" not in (style.text or "")
    assert "import" not in (style.text or "")
    assert "\x1b" not in text
    assert "\u202e" not in text
    flow = mermaid(dirty)
    assert "<script" not in flow
    assert all(line.count('"') in (0, 2) for line in flow.splitlines())


def test_a_model_far_beyond_the_limits_is_drawn_in_bounds() -> None:
    many = tuple(Variable(name=f"s{i}", size=10**9) for i in range(500))
    spec = GMNSpec(
        name="x" * 10**6, states=many, observations=many[:2], description="word " * 10**5
    )
    text = spec.to_svg()
    assert len(text) < 200_000
    shown = words(ET.fromstring(text))
    assert f"{500 - MOST_NODES} more variables are left out of the graph" in shown
    assert "1,000,000,000 values" in shown


def test_the_largest_model_that_is_allowed_makes_a_picture_of_bounded_size() -> None:
    n, states = 90, 12
    lines = ["gmn 1.0", "agent large { type: explorer }", "node action go { size: 8 }"]
    for i in range(states):
        lines += [
            f"node state s{i} {{ size: {n} }}",
            f"node observation o{i} {{ size: {n} }}",
            f"node emission A{i} {{ from: [s{i}] to: o{i} identity noise: 0.5 }}",
            f"node transition B{i} {{ from: [go, s{i}] to: s{i} uniform }}",
        ]
    lines.append("node policy pi { horizon: 1 gamma: 1 }")
    verdict = validate("\n".join(lines), run_steps=0, limits=HARD_LIMITS)
    assert verdict.report.is_valid, verdict.report.errors
    text = svg(picture(verdict, parts=ALL, steps=500, limits=HARD_LIMITS))
    assert len(text) < 5_000_000
    ET.fromstring(text)


def test_a_page_may_give_the_picture_its_own_colours() -> None:
    text = svg(scene_of(GOOD, "graph"))
    assert "prefers-color-scheme:dark" in text
    assert "var(--gmn-ink," in text
    # A reader that knows no style sheet has a colour for every shape.
    for element in ET.fromstring(text).iter():
        if element.tag.removeprefix(SVG) in ("rect", "path", "text"):
            assert re.fullmatch("#[0-9a-f]{6}", element.get("color") or "")


def test_who_does_not_see_the_picture_hears_what_it_shows() -> None:
    root = drawn(GOOD, "graph")
    said = "model walker: actions go; hidden states pos; observations place"
    assert root.get("role") == "img"
    assert root.get("aria-label") == said
    assert root.findtext(f"{SVG}title") == said


def test_equal_models_make_equal_pictures() -> None:
    assert svg(scene_of(GOOD)) == svg(scene_of(GOOD))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (1.0, "1"), (0.05, "0.05"), (1 / 3, "0.333"), (-6.0, "-6"), (2.5, "2.5"),
     (1e-9, "1e-09"), (-1e-9, "-1e-09"), (123.4, "123"), (100.0, "100"), (1e9, "1e+09")],
)  # fmt: skip
def test_a_number_is_short_and_never_rounded_to_nothing(value: float, shown: str) -> None:
    assert number(value) == shown


def test_a_line_is_cut_in_its_middle_to_the_room_it_has() -> None:
    assert cut("short", 100, 10) == "short"
    made = cut("a_very_long_name_that_ends_in_nine_9", 100, 10)
    assert width_of(made, 10) <= 100
    assert made.startswith("a_ver")
    assert made.endswith("9")
    assert "…" in made
    assert width_of("界界", 10) > width_of("ii", 10)
