"""Loading LiteLLM: nothing is looked up, nothing is written, and its own names are not used up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
WATCHED = """
import os, sys

met = []

def watch(event, details):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"):
        met.append((event, str(details[:2])))
    if event == "open" and isinstance(details[1], str) and set(details[1]) & set("wax+"):
        met.append((event, str(details[0])))
    if event in ("os.mkdir", "os.rename"):
        met.append((event, str(details[0])))

sys.addaudithook(watch)
from orchestrator.routing.host import hosted_router

deployment = {"model_name": "m", "litellm_params": {"model": "openai/gpt-5.5", "api_key": "k"}}
hosted_router(model_list=[deployment])
import litellm

litellm.token_counter(model="ollama_chat/llama3.1", text="how many tokens")
print([one for one in met if one[1] != os.devnull])
"""


@pytest.mark.slow
def test_loading_looks_nothing_up_and_writes_nothing(tmp_path: Path) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("COV", "LITELLM", "HF_"))}
    ran = subprocess.run(
        [sys.executable, "-B", "-c", WATCHED], cwd=ROOT, capture_output=True, text=True,
        env={**kept, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}, timeout=100, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout.strip(), ran.stderr) == (0, "[]", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("transport", ["httpx", "httpx2"])
def test_an_error_of_any_transport_is_litellms_without_its_request(transport: str) -> None:
    import importlib

    import litellm.exceptions

    from orchestrator.routing.translate import cleaned, in_litellms_class

    library: Any = importlib.import_module(transport)
    request = library.Request(
        "POST", "http://h/v1", headers={"authorization": "Bearer sk-canary-1"}, content=b"a-canary"
    )
    raw = library.ConnectError("refused: a-canary", request=request)
    made = in_litellms_class(raw, model="m", provider="openai")
    assert type(made).__module__ == "litellm.exceptions"
    assert isinstance(made, litellm.exceptions.APIError | litellm.exceptions.APIConnectionError)
    clean = cleaned(made, {"messages": [{"content": "a-canary"}]}, ["sk-canary-1"])
    seen = f"{clean!r}{vars(clean)}{clean.__cause__!r}{clean.__context__!r}"
    assert "canary" not in seen
