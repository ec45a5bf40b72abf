"""How many examples a property is tried with: a third of them by default, all in the slow run.

`make test` draws other examples each time; `make test-slow` sets ``EXAMPLES=all``.
"""

from __future__ import annotations

import os

from hypothesis import settings

_IS_WHOLE = os.environ.get("EXAMPLES") == "all"
_LEAST = 10
_USUAL = 100  # Hypothesis's own number


def share_of(number: int) -> int:
    """The number itself in the slow run, else a third of it, at least 10."""
    return number if _IS_WHOLE else min(number, max(_LEAST, number // 3))


#: For properties that state no number. Hypothesis's deadline would measure the machine's load.
PROFILE = "share"
settings.register_profile(PROFILE, max_examples=share_of(_USUAL), deadline=None)
