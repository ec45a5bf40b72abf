"""From single values of block text to parts of a canonical document."""

from __future__ import annotations

from orchestrator.gmn.formats.syntax import Block, Property, Value, plain
from orchestrator.parsing.json_pointer import pointer_to

Tree = dict[str, object]


def true_at(value: Value) -> Value:
    """A key that is true, at the place of another value."""
    return Value(True, value.offset, "true")


def word_in(value: Value) -> object:
    """A scalar as it was spelled: labels such as 0 or 1.0 are words, not numbers."""
    if isinstance(value.content, list | Block):
        return plain(value, "", {})
    return value.raw


def items_in(value: Value) -> list[Value]:
    """The values of a list; one that is not a list stands for a list of one."""
    return value.content if isinstance(value.content, list) else [value]


def words_in(value: Value, pointer: str, offsets: dict[str, int]) -> list[object]:
    """Words of a list, or the one word that stands for a list of one."""
    words: list[object] = []
    for i, item in enumerate(items_in(value)):
        offsets[f"{pointer}/{i}"] = item.offset
        words.append(word_in(item))
    return words


def key_at(entry: Property, pointer: str, offsets: dict[str, int]) -> str:
    """The key of an entry, which stands for the part at `pointer`."""
    offsets[pointer] = entry.offset
    return entry.key


def goals_in(block: Block, where: str, offsets: dict[str, int]) -> list[Tree]:
    """``{label: utility}`` as goals."""
    goals: list[Tree] = []
    for i, entry in enumerate(block.entries):
        offsets[f"{where}/{i}"] = offsets[f"{where}/{i}/value"] = entry.offset
        offsets[f"{where}/{i}/utility"] = entry.value.offset
        goals.append({"value": entry.key, "utility": entry.value.content})
    return goals


def rules_in(value: Value, where: str, offsets: dict[str, int], *empty: str) -> list[object]:
    """A list of rules; each has the `empty` keys even where it does not say them."""
    return [
        _rule(rule, f"{where}/{i}", offsets, {key: [] for key in empty})
        for i, rule in enumerate(items_in(value))
    ]


def _rule(rule: Value, where: str, offsets: dict[str, int], made: Tree) -> object:
    """``{when: {var: label}, then: {label: p}}`` as conditions and outcomes."""
    offsets[where] = rule.offset
    if not isinstance(rule.content, Block):
        return plain(rule, where, offsets)
    for entry in rule.content.entries:
        part = where + pointer_to(entry.key)
        offsets[part] = entry.value.offset
        if isinstance(entry.value.content, Block) and entry.key == "when":
            made["when"] = [
                {
                    "var": key_at(e, f"{part}/{i}/var", offsets),
                    "values": words_in(e.value, f"{part}/{i}/values", offsets),
                }
                for i, e in enumerate(entry.value.content.entries)
            ]
        elif isinstance(entry.value.content, Block) and entry.key == "then":
            made["then"] = [
                {
                    "value": key_at(e, f"{part}/{i}/value", offsets),
                    "p": plain(e.value, f"{part}/{i}/p", offsets),
                }
                for i, e in enumerate(entry.value.content.entries)
            ]
        else:
            made[entry.key] = plain(entry.value, part, offsets)
    return made
