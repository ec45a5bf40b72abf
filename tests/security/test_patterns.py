"""No pattern of the package may take longer than in proportion to the length of a text.

Each is run over texts that are hostile to it, made from the pattern itself, of growing length.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from tests.security import hostile

if TYPE_CHECKING:
    from collections.abc import Callable

LENGTH = 4000
#: Patterns that the program makes while it runs, and why each of them is safe or tested here.
MADE_LATER = {
    "'.*'.join(parts)": "",
}


def slow_on(pattern: re.Pattern[str], work: Callable[[str], object]) -> str:
    """The first hostile text on which a pattern takes longer than it should, in words."""
    for make in hostile.hostile_to(pattern):
        if why := hostile.grows_faster(work, make, LENGTH):
            return f"{make(24)!r}: {why}"
    return ""


@lru_cache
def known() -> tuple[list[hostile.Pattern], list[str]]:
    return hostile.patterns()


def test_every_pattern_of_the_package_is_found() -> None:
    found, made_later = known()
    assert len(found) > 100
    assert sorted(made_later) == sorted(MADE_LATER)
