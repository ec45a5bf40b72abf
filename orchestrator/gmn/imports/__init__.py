"""Documents of other tools in, the JSON form of GMN out; nothing guessed, everything reported."""

from __future__ import annotations

from orchestrator.gmn.imports.detect import is_whole, read
from orchestrator.gmn.imports.forms import FORMS, LEFT_OUT
from orchestrator.gmn.imports.imported import Imported
from orchestrator.gmn.imports.kinds import KINDS, Kind

__all__ = ["FORMS", "KINDS", "LEFT_OUT", "Imported", "Kind", "is_whole", "read"]
