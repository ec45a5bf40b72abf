"""Small valid documents, and functions that change one part of them."""

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
    """The valid document with `old` replaced; fails when `old` is not in it."""
    assert old in text, old
    return text.replace(old, new)


def without(start: str, text: str = GOOD) -> str:
    """The valid document without the lines that begin with `start`."""
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith(start)]
    assert len(lines) < len(text.splitlines())
    return "".join(lines)


def plus(line: str, text: str = GOOD) -> str:
    """The valid document with one more line."""
    return f"{text}{line}\n"


#: Three state factors that share parents, two modalities, a habit.
SHARED = """gmn 1.0
agent shared { type: explorer }
node state pos { labels: [a, b, c] }
node state energy { labels: [low, high] }
node state weather { labels: [dry, wet] }
node observation place { labels: [a, b, c] }
node observation gauge { labels: [low, high] }
node action go { labels: [left, rest, right] }
node emission A1 { from: [pos, weather] to: place rules: [
  {when: {weather: wet}, then: {a: 0.4, b: 0.3, c: 0.3}}, {when: {pos: a}, then: {a: 0.9, b: 0.1}},
  {when: {pos: b}, then: {b: 0.8, c: 0.2}}, {then: {c: 1}} ] }
node emission A2 { from: [energy] to: gauge identity noise: 0.2 noise_kind: others }
node transition B1 { from: [go, pos] to: pos shift
  moves: {left: [-1], rest: [0], right: [1]} noise: 0.1 noise_kind: stay }
node transition B2 { from: [go, energy, weather] to: energy rules: [
  {when: {go: rest, weather: dry}, then: {high: 0.9, low: 0.1}},
  {when: {go: rest}, then: {high: 0.5, low: 0.5}}, {then: {low: 0.6, @stay: 0.4}} ] }
node transition B3 { from: [weather] to: weather identity noise: 0.2 noise_kind: others }
node belief D1 { about: pos map: [b] }
node preference C1 { on: place goals: {c: 2} }
node preference C2 { on: gauge values: [-1, 1] }
node policy pi { horizon: 3 gamma: 8 habit: {go: [1, 2, 1]} }
"""
