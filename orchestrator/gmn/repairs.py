"""Pure repairs of numbers and names: values in, values and what changed out.

Each has a stated band; beyond it the input comes back as it was. None changes a valid value.
"""

from __future__ import annotations
