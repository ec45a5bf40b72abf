"""Pictures for a request: from files, bytes and addresses to the parts that chat APIs take."""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: A file, its bytes, or text: an address (``https://…``) or data (``data:image/…;base64,…``).
Image = str | Path | bytes

MOST_IMAGES = 8
MOST_BYTES = 20 * 2**20  # what the strictest of the large providers takes in one request
_MOST_ADDRESS = 2048
_READ_ONLY = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_ADDRESS = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)
_BEGINNINGS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


def image_parts(images: Sequence[Image]) -> tuple[Mapping[str, object], ...]:
    """The content parts of a message; files are read here, addresses are left to the provider.

    Raises: ValueError: a text is neither an address nor data, a file is missing or is not a regular
        one, something is not a PNG, JPEG, GIF or WebP, or there is too much.
    """
    if len(images) > MOST_IMAGES:
        raise ValueError(f"{len(images)} images, and at most {MOST_IMAGES} go into one request")
    urls: list[str] = []
    left = MOST_BYTES
    for image in images:
        if isinstance(image, str) and _ADDRESS.match(image) and len(image) <= _MOST_ADDRESS:
            urls.append(image)
            continue
        raw, name = _bytes_of(image, left)
        if (left := left - len(raw)) < 0:
            raise ValueError(f"the images have more than 20 MB together, with {name}; shrink them")
        urls.append(f"data:{_type_of(raw, name)};base64,{base64.b64encode(raw).decode()}")
    return tuple({"type": "image_url", "image_url": {"url": url}} for url in urls)


def _bytes_of(image: Image, left: int) -> tuple[bytes, str]:
    """At most one byte more than `left` of a picture, and what to call it."""
    if isinstance(image, bytes):
        return image, "the given bytes"
    if isinstance(image, Path):
        return _read(image, left), f"the image {image}"
    head, _, data = image.partition(",")
    if head.lower().startswith("data:image/") and head.lower().endswith(";base64"):
        if len(data) > left * 4 // 3 + 4:
            return b"0" * (left + 1), "the data: URL"
        try:
            return base64.b64decode(data, validate=True), "the data: URL"
        except (binascii.Error, ValueError):
            raise ValueError("images has a data: URL that is not base64") from None
    raise ValueError(
        f"images has the text {image[:60]!a}, which is neither an address (https://…) nor data"
        " (data:image/…;base64,…); for a file of this machine pass pathlib.Path(…)"
    )


def _read(path: Path, left: int) -> bytes:
    try:
        # To open a device can do something by itself, and a pipe would be waited for.
        if stat.S_ISREG(path.stat().st_mode):
            with os.fdopen(os.open(path, _READ_ONLY), "rb") as file:
                if stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # it may be another by now
                    return file.read(left + 1) or b""
    except OSError as error:
        raise ValueError(f"the image {path} cannot be read: {error.strerror}") from error
    raise ValueError(f"the image {path} is not a regular file")


def _type_of(raw: bytes, name: str) -> str:
    for beginning, kind in _BEGINNINGS.items():
        if raw.startswith(beginning):
            return kind
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return "image/webp"
    raise ValueError(f"{name}: no PNG, JPEG, GIF or WebP image, which are what models read")
