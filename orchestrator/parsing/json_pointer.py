"""RFC 6901 pointers: from steps to text and back."""

from __future__ import annotations


def pointer_to(*steps: object) -> str:
    """The pointer that takes `steps` (keys or indices); empty for the whole value."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def steps_of(pointer: str) -> list[str]:
    """The steps of a pointer, as `pointer_to` takes them."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
