"""Pictures in a request: read, typed by their bytes, sent, and refused where nobody sees them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.generation.images import MOST_IMAGES, Image, image_parts
from orchestrator.types.errors import NoDeploymentError
from tests.support.documents import GOOD
from tests.support.wire import WireServer, configured

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def seeing(base: str, *groups: str) -> dict[str, Any]:
    config: dict[str, Any] = configured(base, *groups)
    config["model_list"][-1]["model_info"]["supports_vision"] = True
    return config


async def test_a_picture_goes_to_whoever_sees_and_identifies_the_question(
    wire: WireServer, tmp_path: Path
) -> None:
    path = tmp_path / "sketch.png"
    path.write_bytes(PNG)
    wire.plan("eye", GOOD)
    async with Orchestrator(seeing(wire.base, "blind", "eye")) as orc:
        await orc.generate_gmn("a walker", images=[path])
        await orc.generate_gmn("a walker", images=[PNG])
        await orc.generate_gmn("a walker", images=["https://example.org/other.png"])
    assert wire.asked("blind") == []
    first, second = wire.asked("eye")
    words, picture = first["messages"][-1]["content"]
    assert "a walker" in words["text"]
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert picture == {"type": "image_url", "image_url": {"url": url}}
    assert second["messages"][-1]["content"][1]["image_url"]["url"].startswith("https://")


async def test_where_nobody_sees_nothing_is_asked(wire: WireServer) -> None:
    async with Orchestrator(configured(wire.base, "blind")) as orc:
        with pytest.raises(NoDeploymentError, match="supports_vision"):
            await orc.generate_gmn("a walker", images=[PNG])
    assert wire.requests == []


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([b"not a picture"], "the given bytes: no PNG"),
        ([Path("/no/such/file.png")], "cannot be read: No such file"),
        ([PNG] * (MOST_IMAGES + 1), "at most 8"),
        ([b"\x89PNG\r\n\x1a\n" + b"0" * 11_000_000] * 2, "shrink"),
    ],
)
def test_what_is_no_picture_or_too_much_is_refused(images: list[Image], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        image_parts(images)


@pytest.mark.parametrize(
    ("raw", "kind"), [(b"\xff\xd8\xff\xe0", "jpeg"), (b"GIF89a", "gif"), (b"RIFF0000WEBP", "webp")]
)
def test_the_bytes_say_what_they_are(raw: bytes, kind: str) -> None:
    (part,) = image_parts([raw])
    assert str(part["image_url"]).startswith(f"{{'url': 'data:image/{kind};base64,")
