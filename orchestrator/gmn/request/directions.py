"""Which way an action goes by its name, and which way a list of labels goes."""

from __future__ import annotations

from orchestrator.gmn.request.tokens import words

#: What an action may be called that goes along any list.
_UPWARDS = words("up raise raises higher increase increases lift forward forwards ahead next")
_DOWNWARDS = words("down lower lowers decrease decreases reduce back backward backwards previous")
#: Ends of lists, by what their labels mean: the first is the low end.
_LOW = words(
    "cold cool low empty slow dry off dark small weak quiet none behind still poor few short"
    " shallow thin"
)
_HIGH = words(
    "hot warm high full fast wet on bright large strong loud many ahead rich soggy tall deep thick"
)


def level_step(name: str) -> int:
    """1 where an action goes up by its name (``raise``, ``go up``), -1 where it goes down."""
    said = set(name.casefold().replace("_", " ").split())
    up, down = not said.isdisjoint(_UPWARDS), not said.isdisjoint(_DOWNWARDS)
    return up - down


def ring_step(name: str) -> int:
    """1 where an action goes round clockwise by its name, -1 for the other way."""
    ways = (dict.fromkeys(("anticlockwise", "counterclockwise", "anti-clockwise",
            "counter-clockwise"), -1) | {"clockwise": 1})  # fmt: skip
    return next((ways[w] for w in name.casefold().replace("_", " ").split() if w in ways), 0)


def orientation(states: tuple[str, ...]) -> int:
    """1 where a list goes from low to high by its labels, -1 from high to low, 0 if they do not
    say."""
    said = [name.casefold().replace("_", " ").split() for name in states]
    low = [n for n, name in enumerate(said) if not _LOW.isdisjoint(name)]
    high = [n for n, name in enumerate(said) if not _HIGH.isdisjoint(name)]
    middle = (len(states) - 1) / 2
    up = sum(high) / len(high) if high else middle
    down = sum(low) / len(low) if low else middle
    return (up > down) - (up < down)
