"""Regular expressions that are compiled when one is first used: most texts need few of them."""

from __future__ import annotations

import re
from typing import Any, cast


class _Uncompiled:
    def __init__(self, text: str, flags: int) -> None:
        self._given = text, flags

    def __getattr__(self, name: str) -> Any:
        """A method of the compiled pattern, which is kept: this is called once for each."""
        found = getattr(re.compile(*self._given), name)
        setattr(self, name, found)
        return found


def pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """What `re.compile` gives, compiled when one of its methods is first called."""
    return cast("re.Pattern[str]", _Uncompiled(text, flags))
