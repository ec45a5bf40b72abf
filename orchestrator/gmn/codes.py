"""The catalogue of findings: code, severity, when it is repaired locally, what it is about.

The words with the values in them are written by the check that raises the code; severity and the
order of repairs stand here and nowhere else. GMN001-016 are about syntax, 101-125 structure,
201-219 probabilities, 301-312 shapes, 401-416 preferences and policies, 501-519 quality (never
blocking), 601-607 queries, 608-611 the request, 701-713 limits, 801-811 import, 901-908 the engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.types.diagnostics import Diagnostic, Fix, Position, Severity
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_STEPS = 20  # that a finding takes, with all that is done with it later
_LETTERS = {"E": Severity.ERROR, "W": Severity.WARNING, "I": Severity.INFO}


@dataclass(frozen=True, slots=True)
class Code:
    """One line of the catalogue.

    Attributes:
        group: which of `REPAIR_GROUPS` applies the fixes of its check, from 1; 0: it has none.
            A check attaches a fix within a stated band only. What a reader repairs while it
            reads (002, 007, 008…) needs no group.
    """

    code: str
    severity: Severity
    title: str
    group: int

    @property
    def about(self) -> str:
        """What its hundred is about."""
        return _ABOUT[self.code[3]]


_ABOUT = {
    "0": "syntax", "1": "the structure of the model", "2": "probabilities", "3": "shapes of tables",
    "4": "preferences and the policy", "5": "how well the model serves", "6": "queries",
    "7": "limits", "8": "what was read from another format", "9": "compiling and running",
}  # fmt: skip

# number, severity (E W I), group of repairs (- for none), title
_TABLE = """
001 E - illegal character
002 E - expected something else here
003 E - malformed node header
004 E - property given twice
005 E - string or block never closed
006 E - unknown node type
007 W - unknown property ignored
008 E - value of the wrong type
009 E - invalid JSON
010 E - a required key is missing
011 E - unsupported version
012 I - text outside the document removed
013 E - empty document
014 E - several documents in one text
015 E - cut off before its end
016 E - a node after the end
101 E - no state factor
102 E - no observation modality
103 E - name declared twice
104 E - unknown table kind
105 E 1 name not defined
106 E 1 label not in its variable
107 E - an observation needs exactly one likelihood
108 W - state without transition is static
109 E 6 action drives no state
110 W 6 no action: passive model
111 E - not allowed as parent
112 E 1 variable listed twice
113 E 1 second table for one state
114 I - next state ignores its previous value
115 E 1 invalid name
116 E - label listed twice
117 W - variable unused
118 E - joint target
119 E - more than one variable in a single target
120 I - prior missing: uniform
121 W 1 label that can be misread
122 I 1 labels recovered from the description
123 W - labels that look alike
124 E - terminal labels on what is not a state
125 E - ends before its first step
201 E 5 row does not sum to 1
202 E 4 negative probability
203 E - not a finite number
204 E 4 row is all zero
205 E 4 noise outside [0, 1]
206 W 4 rows are percentages
207 W 4 rows are counts
208 W - entry above 1
209 E - probability outside [0, 1]
210 W 5 rule probabilities sum below 1
211 W - probability nearly 0
213 E - relative outcome without its own previous value
214 E 6 no rule matches a context
215 W 9 rule never used
216 W - square matrix stochastic both ways
217 E 4 outcome repeated in one rule
218 E - concentration is not above 0
219 W - concentration without learning
301 E - table has the wrong shape
302 E 2 size, labels and shape disagree
303 W 3 matrix transposed
304 E - identity needs equal sizes
305 E - map has the wrong length
306 E - grid and shift need shape and moves
307 W 6 move missing for an action label: stay
308 W 2 size off by one against every table
309 E - nested array
310 E - ragged rows
311 W 3 matrix independent of the action
312 E - value is not a number
401 W - no preferences
402 E 7 wrong number of preference values
403 E - preference on what has no utility
404 I 7 preference on a hidden state
405 W - very large utility
406 W 7 preference without effect
407 W 7 preference looks like probabilities
408 E - preferred value can never occur
409 E - symbolic value
410 E 7 horizon is not a whole number of at least 1
411 E - precision must be above 0
412 E - habit weights wrong
413 I - several preferences on one target are summed
414 W - goal and avoided label have equal utility
415 E - discount outside (0, 1]
416 E - preference says its utilities in two ways, or in none
501 W - likelihood independent of its parents
502 W - action without effect
503 W - goal beyond the horizon
504 I - unreachable joint states
505 W - trap reachable by the default action
506 I - coupled factors: mean-field inference
507 W - indistinguishable states
508 W - identical actions
509 W - state neither observed nor influential
512 W - observation label that never occurs
513 I - utility range against information gain
514 W - nothing uncertain to infer
515 I - too much work to look for this
516 W - information outweighs the worst utility
517 I - gamma without effect
518 W - idle although a reward is in reach
519 W - goal never worth its way
601 E - unknown trigger or effect
602 E - query input or target undefined
603 E 7 placeholder not among the inputs
604 W - query prompt empty or too long
605 E - effect and target do not fit
606 W - trigger value out of range
607 W - query at every step
608 W - not in the model though the request says it
609 E - the model contradicts the request
610 E - too little of the request in the model
611 E - not enough is said for a model
701 E - variable too large
702 E - table too large
703 E - nested too deep
704 E - document too large
705 E 8 too many policies
706 E - planning needs too much memory
707 E - too many rules, rows or labels
708 E - too many variables
709 E - too many table entries in total
710 E 8 string too long
711 E - constraint of the request not met
712 E - too much work to judge
713 W - more findings than are listed
801 W - axis order ambiguous
802 E - continuous or hierarchical model
803 W - section ignored
804 I - legacy spelling read
805 W - edge direction reinterpreted
806 E - no probabilities in it
807 E - several kinds of document fit
808 E - not read as the kind that was named
809 E - several readings fit
810 I - said in another way
811 W - means something else than its source
901 E - compile failed
902 E - engine missing
903 E - observation not possible for its modality
904 W - beliefs that cannot be relied on
905 I - engines disagree
906 E - expectation not met
907 E - copy of an example
908 W - a log contradicts the document
"""


def _catalogue() -> dict[str, Code]:
    found: dict[str, Code] = {}
    for line in _TABLE.strip().splitlines():
        number, letter, group, title = line.split(" ", 3)
        code = f"GMN{number}"
        found[code] = Code(code, _LETTERS[letter], title, 0 if group == "-" else int(group))
    return found


CATALOGUE: Mapping[str, Code] = _catalogue()

#: Codes in the order in which they are repaired: names before shapes, shapes before the numbers in
#: them. The document is checked again before each group.
REPAIR_GROUPS: Sequence[frozenset[str]] = tuple(
    frozenset(code.code for code in CATALOGUE.values() if code.group == group)
    for group in sorted({code.group for code in CATALOGUE.values()} - {0})
)


def finding(
    code: str,
    message: str,
    *,
    pointer: str = "",
    place: Position | None = None,
    variable: str = "",
    context: str = "",
    got: object = "",
    expected: object = "",
    fix: Fix | None = None,
    missing: str = "",
) -> Diagnostic:
    """A diagnostic with the severity that the catalogue gives its code.

    Raises:
        KeyError: the code is not in the catalogue.
        ValueError: it comes with a fix, and its code has no group that would apply it.
    """
    if fix is not None and not CATALOGUE[code].group:
        raise ValueError(f"{code} has a fix ({fix.description}) but no group in the catalogue")
    look(_STEPS)
    return Diagnostic(
        code,
        CATALOGUE[code].severity,
        message,
        pointer=pointer,
        place=place,
        variable=variable,
        context=context,
        got=str(got),
        expected=str(expected),
        fix=fix,
        missing=missing,
    )
