"""The page in a browser, as its users work with it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page, expect

from orchestrator.gmn.formats import write_text
from orchestrator.gmn.validate import validate
from tests.server.page.conftest import Window, embedded_config
from tests.support.documents import GOOD, swapped
from tests.support.service import Served, served
from tests.support.wire import Reply, WireServer

pytestmark = [pytest.mark.may_block, pytest.mark.slow]
AXE = Path(__file__).parent / "axe" / "axe.min.js"
SENTENCE = "a cautious explorer for a 3x3 grid who must reach the corner"


def generate(page: Page, url: str, sentence: str = SENTENCE) -> None:
    """Write a sentence and wait for its model."""
    page.goto(url)
    page.get_by_label("Describe an agent").fill(sentence)
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_text(re.compile(r"Done after \d+ attempt"))).to_be_visible()
    expect(page.locator(".text .chip")).to_have_text("valid")


def text_of(page: Page) -> str:
    """The text that the page works on."""
    found = page.evaluate("JSON.parse(sessionStorage.getItem('orchestrator.work')).document")
    return str(found)


def open_text(page: Page, url: str, text: str) -> None:
    """Open a file with this text."""
    page.goto(url)
    files = [{"name": "model.gmn", "mimeType": "text/plain", "buffer": text.encode()}]
    page.locator("input[type=file]").set_input_files(files)  # type: ignore[arg-type]
    expect(page.locator(".editor .cm-content")).to_be_visible()


def canonical(text: str) -> str:
    """The same model in short lines."""
    spec = validate(text, run_steps=0).spec
    assert spec is not None
    return write_text(spec)


def view(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def test_a_sentence_becomes_a_model_that_is_seen_from_every_side(
    window: Window, embedded: Served
) -> None:
    page = window.page
    generate(page, embedded.url)
    expect(page.get_by_label("Verdict").first).to_contain_text("3 of 3")
    view(page, "Tables")
    table = page.get_by_role("table", name="P(cell | pos)")
    expect(table.get_by_role("row")).to_have_count(10)
    expect(table.locator("td.sum").first).to_have_text("1")
    view(page, "Preferences")
    expect(page.get_by_role("table", name="Utility of every label of cell")).to_contain_text("+8")
    view(page, "Simulation")
    expect(page.get_by_label("Why")).to_contain_text("runner-up")
    step = page.get_by_role("slider", name="Step")
    step.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("2 of 12")).to_be_visible()
    view(page, "Checks")
    expect(page.get_by_text("“reach the corner”")).to_be_visible()


def test_each_attempt_is_shown_with_what_was_wrong(
    window: Window, wire: WireServer, page_service: Served
) -> None:
    wire.plan("chat", swapped("[0.5, 0.3, 0.2]", "[0.5, 0.9, 0.2]"), Reply(GOOD))
    generate(window.page, page_service.url, "a walker of three places")
    attempts = window.page.locator(".attempt")
    expect(attempts).to_have_count(2)
    expect(attempts.nth(0)).to_contain_text("1 error")
    expect(attempts.nth(1)).to_contain_text("holds")
    expect(window.page.locator(".loop")).to_contain_text("USD")


def test_a_model_that_never_holds_is_not_lost(
    window: Window, wire: WireServer, page_service: Served
) -> None:
    wrong = swapped("[0.5, 0.3, 0.2]", "[0.6, 0.9, 0.2]")
    wire.plan("chat", wrong)
    page = window.page
    page.goto(page_service.url)
    page.get_by_label("Describe an agent").fill("a walker that is never right")
    page.keyboard.press("Control+Enter")
    page.get_by_role("button", name="Open the last answer in the editor").click(timeout=60_000)
    expect(page.locator(".text .chip")).to_have_text("1 error")
    assert "0.9" in text_of(page)


def test_a_refinement_is_shown_while_it_happens(
    window: Window, wire: WireServer, page_service: Served
) -> None:
    change = json.dumps([{"op": "replace", "path": "/name", "value": "runner"}])
    wire.plan("chat", "[not a patch", Reply(change, delay_s=3))
    page = window.page
    open_text(page, page_service.url, GOOD)
    page.get_by_label("Say what to change").fill("call it runner")
    page.get_by_role("button", name="Refine").click()
    attempts = page.locator(".attempt")
    expect(attempts.nth(0)).to_contain_text("1 error")  # while the second is under way
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(attempts.nth(1)).to_contain_text("holds")
    expect(page.get_by_role("tab", name="Compare")).to_be_visible()  # the answer took its place
    assert "agent runner" in text_of(page)


def test_an_edit_that_breaks_the_text_is_marked_at_its_line(
    window: Window, page_service: Served
) -> None:
    page = window.page
    open_text(page, page_service.url, GOOD)
    expect(page.locator(".text .chip")).to_have_text("valid")
    page.locator(".cm-line", has_text="belief D").click()
    page.keyboard.press("End")
    for _ in range(len("0.2]] }")):
        page.keyboard.press("ArrowLeft")
    page.keyboard.type("0.4, ")
    expect(page.locator(".text .chip")).to_have_text(re.compile("error"))
    expect(page.locator(".cm-lint-marker-error").first).to_be_visible()
    finding = page.get_by_label("Findings in the text")
    expect(finding).to_contain_text("line 8")
    page.keyboard.press("Control+z")
    expect(page.locator(".text .chip")).to_have_text("valid")
    assert text_of(page) == GOOD


def test_what_is_broken_is_fixed_by_its_quick_fix(window: Window, page_service: Served) -> None:
    page = window.page
    open_text(page, page_service.url, swapped("[0.5, 0.3, 0.2]", "[0.5, 0.3, 0.3]"))
    expect(page.locator(".text .chip")).to_have_text("1 error")
    page.get_by_role("button", name="Fix: scale the row to sum 1").click()
    expect(page.locator(".text .chip")).to_have_text("valid")
    assert validate(text_of(page)).report.is_valid
    page.keyboard.press("Control+z")
    expect(page.locator(".text .chip")).to_have_text("1 error")
    page.locator(".cm-lintRange-error").first.hover()
    page.locator(".cm-diagnosticAction").first.click()
    expect(page.locator(".text .chip")).to_have_text("valid")


def test_labels_are_completed_as_they_are_typed(window: Window, page_service: Served) -> None:
    page, text = window.page, canonical(GOOD)
    open_text(page, page_service.url, text)
    expect(page.locator(".text .chip")).to_have_text("valid")
    page.locator(".cm-line", has_text="from: [pos]").click()
    page.keyboard.press("End")
    for key in ["ArrowLeft", *["Backspace"] * len("pos")]:
        page.keyboard.press(key)
    page.keyboard.type("po")
    page.keyboard.press("Control+Space")
    expect(page.locator(".cm-tooltip-autocomplete")).to_contain_text("pos")
    page.wait_for_timeout(200)  # a list that has just come takes no key, lest it takes a typed one
    page.keyboard.press("Enter")
    expect(page.locator(".text .chip")).to_have_text("valid")
    assert text_of(page) == text


def test_a_label_is_renamed_everywhere_it_stands(window: Window, page_service: Served) -> None:
    page = window.page
    open_text(page, page_service.url, canonical(GOOD))
    expect(page.locator(".text .chip")).to_have_text("valid")
    page.locator(".cm-line", has_text="node state pos").click()
    page.keyboard.press("Home")
    for _ in "node state p":
        page.keyboard.press("ArrowRight")
    page.keyboard.press("F2")
    page.keyboard.type("room")
    page.keyboard.press("Enter")
    expect(page.locator(".cm-content")).to_contain_text("node state room")
    expect(page.locator(".text .chip")).to_have_text("valid")
    assert {"from: [go, room]", "to: room", "about: room"} <= set(
        map(str.strip, text_of(page).splitlines())
    )


def test_a_node_of_the_graph_leads_to_its_text(window: Window, page_service: Served) -> None:
    page = window.page
    open_text(page, page_service.url, GOOD)
    node = page.locator(".graph [data-name=place]")
    node.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".cm-activeLine")).to_contain_text("node observation place")
    with page.expect_download() as waiting:
        page.get_by_label("Download the model").select_option(label="picture (SVG)")
    assert waiting.value.suggested_filename == "walker.svg"


def test_names_of_strangers_are_text_and_nothing_else(window: Window, page_service: Served) -> None:
    page = window.page
    words = "<img src=x onerror=document.title='no'><script>document.title='no'</script>"
    hostile = GOOD.replace("agent walker {", f'agent walker {{ description: "{words}"')
    open_text(page, page_service.url, hostile.replace("[a, b, c]", "[a, b, c, <b>x</b>]", 1))
    expect(page.locator(".text .chip")).to_have_text(re.compile("error"))
    open_text(page, page_service.url, hostile)
    expect(page.locator(".graph svg")).to_contain_text("<img")
    for name in ("Tables", "Preferences", "Simulation", "Checks"):
        view(page, name)
        page.wait_for_load_state("networkidle")
    assert page.title() == "orchestrator"


def test_quick_typing_is_never_undone_by_the_page(window: Window, page_service: Served) -> None:
    page = window.page
    open_text(page, page_service.url, GOOD)
    page.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    typed = "# " + "quickly typed words " * 10
    page.keyboard.type(typed, delay=0)
    expect(page.locator(".text .chip")).to_have_text("valid")
    assert text_of(page) == GOOD + typed


def test_a_download_is_a_model_again(window: Window, page_service: Served, tmp_path: Path) -> None:
    page = window.page
    open_text(page, page_service.url, GOOD)
    for label, ending in (("GMN text", ".gmn"), ("GMN as JSON", ".json"), ("GNN", ".md"),
                          (".POMDP", ".POMDP"), ("pymdp script", ".py")):  # fmt: skip
        with page.expect_download() as waiting:
            page.get_by_label("Download the model").select_option(label=label)
        file = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(file)
        assert file.suffix == ending
        if ending != ".py":
            assert validate(file.read_bytes(), run_steps=0).report.is_valid, label


def test_a_version_is_compared_with_the_one_before(
    window: Window, wire: WireServer, page_service: Served
) -> None:
    page = window.page
    open_text(page, page_service.url, canonical(GOOD))
    wire.plan("chat", Reply(json.dumps([{"op": "replace", "path": "/policy/gamma", "value": 4}])))
    page.get_by_label("Say what to change").fill("be less sure of your plans")
    page.get_by_role("button", name="Refine").click()
    expect(page.get_by_role("tab", name="Compare")).to_be_visible()
    view(page, "Compare")
    expect(page.get_by_text("gamma").first).to_be_visible()
    expect(page.locator(".diff .added")).to_contain_text("gamma: 4")
    page.get_by_role("button", name="Go back to it").click()
    expect(page.locator(".editor")).to_contain_text("gamma: 8")


def test_a_reload_loses_no_work_and_two_tabs_keep_to_themselves(
    window: Window, embedded: Served
) -> None:
    page = window.page
    generate(page, embedded.url)
    before = text_of(page)
    other = page.context.new_page()
    open_text(other, embedded.url, GOOD)
    page.reload()
    expect(page.locator(".text .chip")).to_have_text("valid")
    assert text_of(page) == before
    assert text_of(other) == GOOD
    expect(page.get_by_label("Describe an agent")).to_have_value(SENTENCE)


def chat(page: Page, url: str, message: str) -> None:
    page.goto(f"{url}/#chat")
    page.get_by_role("radio", name="Cherry").check()
    page.get_by_label("Message", exact=True).fill(message)
    page.keyboard.press("Enter")


LONG = " ".join(f"word{n}" for n in range(60))


def test_a_reload_in_mid_stream_loses_nothing(
    window: Window, wire: WireServer, page_service: Served
) -> None:
    wire.plan("chat", Reply(LONG, trickle_s=0.05))
    page = window.page
    chat(page, page_service.url, "count")
    expect(page.locator(".theirs")).to_contain_text("word3")
    page.reload()
    page.get_by_role("tab", name="Chat").click()
    expect(page.locator(".theirs p").first).to_have_text(LONG)
    assert len(wire.requests) == 1
    page.reload()
    expect(page.locator(".theirs p").first).to_have_text(LONG)


def test_two_tabs_talk_at_once_and_each_has_its_own_conversation(
    window: Window, wire: WireServer, page_service: Served
) -> None:
    wire.decide = lambda asked: Reply(f"to {asked.body['messages'][-1]['content'].split()[-1]}")
    one, two = window.page, window.page.context.new_page()
    chat(one, page_service.url, "from one")
    chat(two, page_service.url, "from two")
    expect(one.locator(".theirs p").first).to_have_text("to one")
    expect(two.locator(".theirs p").first).to_have_text("to two")
    assert one.locator(".said").count() == two.locator(".said").count() == 1


def test_a_model_that_fails_is_said_and_asked_again(
    window: Window, wire: WireServer, page_service: Served
) -> None:
    wire.plan("chat", Reply(status=500))
    page = window.page
    chat(page, page_service.url, "fail once")
    expect(page.get_by_role("alert")).to_be_visible()
    wire.plan("chat", "now it works")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".theirs p").first).to_have_text("now it works")


def test_a_persona_is_written_used_and_removed(
    window: Window, wire: WireServer, page_service: Served
) -> None:
    wire.plan("chat", "Ahoy")
    page = window.page
    page.goto(f"{page_service.url}/#chat")
    page.get_by_role("button", name="New persona").click()
    page.get_by_label("Id").fill("pirate")
    page.get_by_label("Name").fill("Anne <b>Bonny</b>")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("radio", name="Anne <b>Bonny</b>").check()
    page.get_by_role("button", name="Change").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("radio", name="Anne")).to_have_count(0)


def test_usage_and_health_are_shown(window: Window, wire: WireServer, page_service: Served) -> None:
    window.page.goto(f"{page_service.url}/#usage")
    expect(window.page.get_by_text("requests", exact=True)).to_be_visible()
    expect(window.page.get_by_role("table", name="Deployments")).to_contain_text("chat-id")


def test_a_service_with_keys_asks_for_one_and_keeps_it_in_the_tab_alone(
    browser: Browser, tmp_path: Path
) -> None:
    with served(embedded_config(tmp_path), with_keys=True) as made:
        key = made.app.keys.create("lab")[0]
        context = browser.new_context()
        page = context.new_page()
        page.goto(made.url)
        page.locator("#key").fill("gmn_wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_text("The key was refused")).to_be_visible()
        page.locator("#key").fill(key)
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_have_count(0)
        generate(page, made.url)
        assert page.evaluate("JSON.stringify(localStorage)") == "{}"
        assert page.evaluate("document.cookie") == ""
        assert key in page.evaluate("JSON.stringify(sessionStorage)")
        assert key not in page.url
        other = context.new_page()
        other.goto(made.url)
        expect(other.get_by_role("dialog")).to_be_visible()
        page.get_by_role("button", name="Forget the key").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert key not in page.evaluate("JSON.stringify(sessionStorage)")
        context.close()


def faults(page: Page) -> list[str]:
    """What axe finds that is serious or worse."""
    page.evaluate(AXE.read_text())
    found: Any = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in found["violations"] if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_no_serious_fault_and_nothing_is_cut_off(
    browser: Browser,
    wire: WireServer,
    embedded: Served,
    page_service: Served,
    width: int,
    scheme: Any,
) -> None:
    wire.plan("chat", "Hello")
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    generate(page, embedded.url)
    for name in ("Graph", "Tables", "Preferences", "Simulation", "Checks"):
        view(page, name)
        page.wait_for_load_state("networkidle")
        assert faults(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    chat(page, page_service.url, "hello")
    expect(page.locator(".theirs")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("button", name="New persona").click()
    assert faults(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Usage").click()
    expect(page.get_by_role("table", name="Deployments")).to_be_visible()
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_everything_is_reached_by_the_keyboard_alone(
    window: Window, wire: WireServer, page_service: Served
) -> None:
    page = window.page
    page.goto(page_service.url)
    expect(page.get_by_label("Describe an agent")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Chat")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Home")
    page.keyboard.press("Tab")
    page.keyboard.type("a thermostat for a cold room")
    wire.plan("chat", GOOD)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".text .chip")).to_have_text("valid")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(
            "(document.activeElement.shadowRoot?.activeElement ?? document.activeElement)"
            ".getAttribute('aria-label') ?? document.activeElement.textContent"
        ))  # fmt: skip
    assert {"Text of the model, in GMN", "Check", "Format"} <= reached
    assert any(words and words.startswith("Graph") for words in reached)
