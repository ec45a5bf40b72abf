"""A real model on loopback: SmolLM2-135M behind a server that holds it to a grammar."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVE = Path(__file__).with_name("serve.py")
PYTHON = Path(os.environ.get("LOCAL_LLM_VENV", ROOT / ".venv-local-llm")) / "bin" / "python"
CONTEXT = 1280  # tokens; the whole question for a document does not fit


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The root of the server's addresses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root, log = f"http://127.0.0.1:{port}", tmp_path_factory.mktemp("served") / "log"
    # One thread: on a busy machine two wait for each other most of the time.
    options = ["--n_ctx", CONTEXT, "--n_threads", 1, "--n_threads_batch", 1, "--port", port]
    with log.open("wb") as written:
        server = subprocess.Popen(
            [PYTHON, SERVE, *map(str, options)], stdout=written, stderr=subprocess.STDOUT
        )
    try:
        for _ in range(1200):
            assert server.poll() is None, log.read_text()[-2_000:]
            try:
                httpx.get(f"{root}/v1/models", timeout=5)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield root
    finally:
        server.kill()  # asked to end, it waits for answers that nobody wants any more
        server.wait()


@pytest.fixture
def counted(served: str) -> Callable[[str], int]:
    """What the server's own tokenizer counts for a text."""

    def count(text: str) -> int:
        asked = {"input": text}
        response = httpx.post(f"{served}/extras/tokenize/count", json=asked, timeout=60)
        return int(response.raise_for_status().json()["count"])

    return count


@pytest.fixture
def small(served: str) -> Callable[..., dict[str, Any]]:
    """A configuration that asks this model alone."""

    def config(**generation: Any) -> dict[str, Any]:
        params = {"model": "openai/smollm2", "api_base": f"{served}/v1", "api_key": "none"}
        entry = {"model_name": "small", "litellm_params": params, "model_info": {"id": "smollm2"}}
        ours = {"routes": {"default": ["small"]}, "generation": {"max_tokens": 96, **generation}}
        return {"model_list": [entry], "orchestrator": ours}

    return config
