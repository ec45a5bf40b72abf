"""Bytes that are a text, and characters that stand for others."""

from __future__ import annotations

import urllib.parse

_QUOTES = str.maketrans(
    {
        **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2018\u2019\u201a", "'"),
    }
)
#: How files begin that are not text, and what they are.
_MAGIC = {
    b"PK\x03\x04": "a zip archive (as numpy's .npz is)", b"\x1f\x8b": "compressed with gzip",
    b"\x93NUMPY": "an array of numpy (.npy)", b"\x80\x04": "a pickle, which is never read",
    b"\x80\x05": "a pickle, which is never read", b"%PDF": "a PDF", b"\x89PNG": "a picture",
    b"\x89HDF": "in HDF5", b"MATLAB 5.0": "in MATLAB's format",
}  # fmt: skip


def with_newlines(text: str) -> str:
    """The text with the ends of lines that Windows and old Macs write as line feeds."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def why_binary(source: bytes) -> str:
    """Why bytes are not a text to read; empty where nothing says so."""
    if source.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "the file is UTF-16 (its byte order mark says so); save the document as UTF-8"
    kind = next((words for magic, words in _MAGIC.items() if source.startswith(magic)), "")
    if kind:
        return f"the file is {kind}, not a text; unpack or export it as text or JSON first"
    if b"\0" in source:
        at = source.index(b"\0")
        return (
            f"byte {at} is 0: the file is binary, or UTF-16 or UTF-32 text; save the document as"
            " UTF-8"
        )
    return ""


def respelled(text: str) -> str:
    """The text with its HTML entities, percent escapes and typographic quotes replaced."""
    if "%" in text and "\n" not in text.strip():  # as in an address; in a table % means hundredths
        text = urllib.parse.unquote(text)
    import html  # noqa: PLC0415  2,231 names that few documents need

    return html.unescape(text).translate(_QUOTES)
