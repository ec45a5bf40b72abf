"""The page over a service that is killed and comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import expect

from tests.server.page.conftest import Window
from tests.server.page.test_page import LONG, chat, open_text
from tests.server.test_kills import Killed
from tests.support.documents import GOOD
from tests.support.service import service_config
from tests.support.wire import Reply, WireServer

pytestmark = [pytest.mark.may_block, pytest.mark.slow]


def test_a_killed_service_that_comes_back_is_talked_to_again(
    window: Window, wire: WireServer, tmp_path: Path
) -> None:
    wire.plan("chat", Reply(LONG, trickle_s=0.05))
    service = Killed(service_config(wire.base, tmp_path), tmp_path)
    page = window.page
    try:
        service.start()
        url = f"http://127.0.0.1:{service.port}"
        open_text(page, url, GOOD)
        expect(page.locator(".text .chip")).to_have_text("valid")
        chat(page, url, "count")
        expect(page.locator(".theirs")).to_contain_text("word3")
        service.kill()
        page.get_by_role("tab", name="Model").click()
        expect(page.locator(".text .chip")).to_have_text("not connected; trying again")
        service.start()
        expect(page.locator(".text .chip")).to_have_text("valid")
        page.get_by_role("tab", name="Chat").click()
        expect(page.locator(".theirs p").first).to_have_text(LONG, timeout=60_000)
        assert page.locator(".said").count() == 1
    finally:
        service.stop()
    window.complaints[:] = [one for one in window.complaints if "WebSocket" not in one]
