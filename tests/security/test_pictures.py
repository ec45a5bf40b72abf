"""A text is never a file of the machine, a file is regular, an address is not fetched here."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import Orchestrator
from orchestrator.generation.images import MOST_BYTES, Image, image_parts
from tests.support.documents import GOOD
from tests.support.wire import WireServer, configured

ROOT = Path(__file__).parent.parent.parent
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
DATA = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


@pytest.mark.parametrize(
    "text",
    ["/etc/passwd", "/dev/zero", "picture.png", "~/picture.png", "file:///etc/passwd", "C:\\a.png",
     "https:", "https:///etc/passwd", "http:/etc", "ftp://a/b.png", "gs://a/b.png", "", " https://a",
     "data:text/plain;base64,AAAA", "https://a/" + "a" * 5000],
)  # fmt: skip
async def test_a_text_that_is_no_address_is_refused(wire: WireServer, text: str) -> None:
    async with Orchestrator(configured(wire.base, "m")) as orc:
        with pytest.raises(ValueError, match=r"neither an address.*pass pathlib.Path"):
            await orc.generate_gmn("a walker", images=[text])
    assert wire.requests == []


@given(st.text(max_size=40))
def test_no_text_opens_a_file(text: str) -> None:
    try:
        (part,) = image_parts([text])
    except ValueError:
        return
    url: Any = part["image_url"]
    assert str(url["url"]).lower().startswith(("http://", "https://", "data:image/"))


def test_a_text_of_data_is_judged_by_its_bytes() -> None:
    (part,) = image_parts([DATA.replace("png", "jpeg").replace("data", "DATA")])
    assert part["image_url"] == {"url": DATA}
    for text in ("data:image/png;base64,*", "data:image/png;base64,AAAA"):
        with pytest.raises(ValueError, match=r"not base64|no PNG"):
            image_parts([text])
    with pytest.raises(ValueError, match="20 MB"):
        image_parts([f"data:image/png;base64,{'A' * (MOST_BYTES * 2)}"])


@pytest.mark.parametrize("kind", ["device", "pipe", "directory", "link", "socket"])
def test_a_file_is_a_regular_one(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/dev/zero")
    elif kind == "directory":
        path.mkdir()
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind(str(path))
    else:
        path = Path("/dev/zero")
    with pytest.raises(ValueError, match="is not a regular file"):
        image_parts([path])


def test_a_file_that_becomes_a_pipe_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, plain = tmp_path / "pipe", tmp_path / "plain"
    os.mkfifo(pipe)
    plain.write_bytes(PNG)
    seen = plain.stat()
    monkeypatch.setattr(Path, "stat", lambda _: seen)
    with pytest.raises(ValueError, match="is not a regular file"):
        image_parts([pipe])


def test_files_are_read_up_to_the_limit_of_all_together(tmp_path: Path) -> None:
    big = tmp_path / "big.png"
    with big.open("wb") as file:
        file.write(PNG)
        file.truncate(2**40)  # a terabyte of nothing
    half: list[Image] = [PNG + b"0" * (MOST_BYTES // 2)] * 2
    for images in ([big], half, [*half[:1], big]):
        with pytest.raises(ValueError, match="more than 20 MB together"):
            image_parts(images)


CALL = """
import asyncio, json, sys
from orchestrator import Orchestrator
from orchestrator.types.errors import OrchestratorError
base, address = sys.argv[1:]
models = {"claude": ("anthropic/claude", base), "ollama": ("ollama_chat/o", base),
          "gemini": ("gemini/g", base + "/v1beta"), "openai": ("openai/o", base + "/v1")}
config = {"model_list": [
    {"model_name": name, "litellm_params": {"model": model, "api_base": at, "api_key": "k"},
     "model_info": {"supports_vision": True}}
    for name, (model, at) in models.items()], "orchestrator": {"cache": {"mode": "off"}}}
async def main():
    said = {}
    ask = [{"role": "user", "content": [{"type": "text", "text": "what is it?"},
            {"type": "image_url", "image_url": {"url": address, "detail": "low"}}]}]
    async with Orchestrator(config) as orc:
        for name in models:
            try:
                await orc.generate_gmn("a walker", model=name, images=[address])
            except OrchestratorError as error:
                said[name] = str(error)
            try:
                await orc.acompletion(model=name, messages=ask)
            except Exception as error:
                said[name + " drop-in"] = str(error)
    print(json.dumps(said))
asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.timeout(320)
def test_no_address_is_fetched_here(wire: WireServer) -> None:
    """In a process of its own: LiteLLM reads its limit when it is imported."""
    fetched: list[str] = []

    class Gallery(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fetched.append(self.path)
            self.send_response(200)
            self.send_header("content-type", "image/png")
            self.end_headers()
            self.wfile.write(PNG)

    gallery = ThreadingHTTPServer(("127.0.0.1", 0), Gallery)
    threading.Thread(target=gallery.serve_forever, daemon=True).start()
    wire.plan("o", GOOD)
    address = f"http://127.0.0.1:{gallery.server_port}/x.png"
    try:
        ran = subprocess.run(
            [sys.executable, "-c", CALL, wire.root, address], cwd=ROOT, check=True,
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
    finally:
        gallery.shutdown()
        gallery.server_close()
    said = json.loads(ran.stdout)
    assert fetched == []
    for name in ("claude", "gemini"):
        assert "nothing is fetched here: pass its bytes or a Path" in said[name], said
        assert "download is disabled" in said[f"{name} drop-in"], said
    # These take the address and fetch it themselves, or not.
    assert {body["_protocol"] for body in wire.requests} == {"openai", "ollama"}
    assert all(address in str(body["messages"]) for body in wire.requests)
