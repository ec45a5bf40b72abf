"""A real browser over a real service whose language model is the loopback server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import Served, served, service_config
from tests.support.wire import WireServer

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page, expect, sync_playwright

expect.set_options(timeout=20_000)
CHROMIUM = shutil.which("chromium")


def embedded_config(directory: Path) -> dict[str, Any]:
    """Only the embedded provider answers, from curated models."""
    config = service_config("", directory)
    config["model_list"] = [{"model_name": "chat", "litellm_params": {"model": "offline/library"}}]
    return config


@pytest.fixture(scope="module")
def page_service(
    wire_server: WireServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """Asks the loopback server."""
    with served(service_config(wire_server.base, tmp_path_factory.mktemp("page"))) as made:
        yield made


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Asks the embedded provider."""
    with served(embedded_config(tmp_path_factory.mktemp("embedded"))) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed here")
    with sync_playwright() as playwright:
        # In a container there is nothing for its sandbox to stand on.
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


class Window:
    """A page with everything that it complained about."""

    def __init__(self, page: Page) -> None:
        self.page, self.complaints = page, list[str]()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)

    def _hear(self, message: Any) -> None:
        # A request that is refused is said by the page itself.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)


@pytest.fixture
def window(browser: Browser, wire: WireServer) -> Iterator[Window]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    made = Window(context.new_page())
    yield made
    context.close()
    assert made.complaints == []  # among them what the content policy refused
