"""A document as an agent that acts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.gmn.acting.actor import Actor
from orchestrator.gmn.compile import Compiled
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.validate import Source, Validation, validate
from orchestrator.types.errors import GMNError
from orchestrator.types.requests import Generation

if TYPE_CHECKING:
    from orchestrator.gmn.acting.world import Seed

#: What an agent can be made of.
Described = Source | Generation[GMNSpec] | Validation | Compiled
_TAKEN = (str, bytes, Mapping, GMNSpec, Validation, Compiled)


class Agent(Actor):
    """An active-inference agent that you tell what it observes, and that says what it does.

    Attributes:
        report: what was found in the document, and what was repaired in it; None for arrays.
    """

    def __init__(self, spec: Described, *, seed: Seed = 0) -> None:
        """An agent of a document in any spelling, of what `generate_gmn` gave, or of arrays.

        `seed` is for ``selection: stochastic``, which alone draws.

        Raises:
            GMNError: the document is not valid, or cannot run; `report` has every finding.
            TypeError: it is none of these.
        """
        if isinstance(spec, Generation):
            spec = spec.spec
        if not isinstance(spec, _TAKEN):
            raise TypeError(
                f"spec is {type(spec).__name__}, expected the text of a document, a GMNSpec or a"
                " Generation; of a file give its text: path.read_text()"
            )
        self.report = None
        if isinstance(spec, Compiled):
            super().__init__(Engine(spec), seed=seed)
            return
        verdict = spec if isinstance(spec, Validation) else validate(spec, run_steps=0)
        self.report = verdict.report
        if verdict.compiled is None or verdict.spec is None:
            errors = verdict.report.errors
            first = f": {errors[0]}" if errors else ""
            more = f" (and {len(errors) - 1} more errors in .report)" if len(errors) > 1 else ""
            raise GMNError(f"the document is not a valid model{first}{more}", report=verdict.report)
        super().__init__(Engine(verdict.compiled), verdict.spec.queries, seed)
