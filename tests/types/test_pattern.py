"""A regular expression that is compiled when it is first used."""

from __future__ import annotations

import re

import pytest

from orchestrator.types.pattern import pattern


def test_it_does_what_a_compiled_one_does() -> None:
    text, flags = r"(?P<word>[a-z]+)\d", re.IGNORECASE
    lazy, eager = pattern(text, flags), re.compile(text, flags)
    for _ in range(2):
        assert lazy.findall("Ab1 c2") == eager.findall("Ab1 c2")
        assert lazy.sub(r"\g<word>", "Ab1 c2") == eager.sub(r"\g<word>", "Ab1 c2")
        assert (lazy.pattern, lazy.flags) == (eager.pattern, eager.flags)
    assert lazy.fullmatch("Ab") is None


def test_a_wrong_one_raises_when_it_is_used() -> None:
    with pytest.raises(re.error):
        pattern("(").match("")
