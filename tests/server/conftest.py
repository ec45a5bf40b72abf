"""The service over a loopback model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.databases import database, postgres
from tests.support.service import Served, served, service_config
from tests.support.wire import WireServer

__all__ = ["database", "http", "postgres", "running", "with_keys"]


@pytest.fixture
def running(wire: WireServer, tmp_path: Path) -> Iterator[Served]:
    with served(service_config(wire.base, tmp_path)) as made:
        yield made


@pytest.fixture
def http(running: Served) -> Iterator[httpx.Client]:
    with running.client() as client:
        yield client


@pytest.fixture
def with_keys(wire: WireServer, tmp_path: Path) -> Iterator[Served]:
    with served(service_config(wire.base, tmp_path), with_keys=True) as made:
        yield made
