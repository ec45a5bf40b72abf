"""Small documents that tests take apart."""

from __future__ import annotations

GOOD = """gmn 1.0
agent walker { type: explorer }
node state pos { labels: [a, b, c] }
node observation place { labels: [a, b, c] }
node action go { labels: [left, stay, right] }
node emission A { from: [pos] to: place rows: [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]] }
node transition B { from: [go, pos] to: pos shift moves: {left: [-1], stay: [0], right: [1]} }
node belief D { about: pos rows: [[0.5, 0.3, 0.2]] }
node preference C { on: place values: [0, 1, 3] }
node policy pi { horizon: 2 gamma: 8 }
"""


def swapped(old: str, new: str, text: str = GOOD) -> str:
    """The good document with one part replaced, which must be there."""
    assert old in text, old
    return text.replace(old, new)


def without(start: str, text: str = GOOD) -> str:
    """The good document without the line that starts so."""
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith(start)]
    assert len(lines) < len(text.splitlines())
    return "".join(lines)


def plus(line: str, text: str = GOOD) -> str:
    """The good document with one more line."""
    return f"{text}{line}\n"
