"""`orchestrator serve --open`."""

from __future__ import annotations

import pytest

from orchestrator.cli.serve import _page


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/"), ("::1", "http://[::1]:80/"),
        ("0.0.0.0", "http://localhost:80/"), ("::", "http://localhost:80/"),
        ("192.168.1.5", "http://192.168.1.5:80/"),
    ],
)  # fmt: skip
def test_the_page_is_opened_at_an_address_of_this_machine(host: str, address: str) -> None:
    assert _page(host, 80) == address
