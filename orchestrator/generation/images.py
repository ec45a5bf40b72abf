"""Pictures for a request: from files, bytes and addresses to the parts that chat APIs take."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: A file, its bytes, or an address (``https://…``, ``data:image/…``).
Image = str | Path | bytes

MOST_IMAGES = 8
MOST_BYTES = 20 * 2**20  # what the strictest of the large providers takes in one request
_BEGINNINGS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


def image_parts(images: Sequence[Image]) -> tuple[Mapping[str, object], ...]:
    """The content parts of a message; files are read here, addresses are left to the provider.

    Raises: ValueError: a file is missing, is not a PNG, JPEG, GIF or WebP, or there is too much.
    """
    if len(images) > MOST_IMAGES:
        raise ValueError(f"{len(images)} images, and at most {MOST_IMAGES} go into one request")
    urls = [_url(image) for image in images]
    if (size := sum(len(url) for url in urls if url.startswith("data:")) * 3 // 4) > MOST_BYTES:
        words = f"the images have {size / 2**20:.1f} MB together, more than 20; shrink them"
        raise ValueError(words)
    return tuple({"type": "image_url", "image_url": {"url": url}} for url in urls)


def _url(image: Image) -> str:
    if isinstance(image, str) and image.startswith(("https://", "http://", "data:image/")):
        return image
    raw = image if isinstance(image, bytes) else _read(Path(image))
    return f"data:{_type_of(raw, image)};base64,{base64.b64encode(raw).decode()}"


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)  # a device has no size and no end
    except OSError as error:
        raise ValueError(f"the image {path} cannot be read: {error.strerror}") from error
    if len(raw) > MOST_BYTES:
        raise ValueError(f"the image {path} is larger than 20 MB; shrink it")
    return raw


def _type_of(raw: bytes, image: Image) -> str:
    for beginning, kind in _BEGINNINGS.items():
        if raw.startswith(beginning):
            return kind
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return "image/webp"
    name = "the given bytes" if isinstance(image, bytes) else str(image)
    raise ValueError(f"{name}: no PNG, JPEG, GIF or WebP image, which are what models read")
