"""What is read of 120 sentences, what a model keeps of them, and which wrong twins are noticed.

python -m benchmarks.fits
"""

from __future__ import annotations

from collections import Counter

from orchestrator.config.paths import shipped
from orchestrator.gmn.examples import load
from orchestrator.gmn.request.fits import fits_of
from orchestrator.gmn.validate import validate
from orchestrator.routing.offline.answer import write_model
from tests.support.commitments import sentences, shares
from tests.support.twins import detailed, is_caught, twins

#: Least share of the wrong twins that is noticed, and of commitments that are read and meant.
LEAST_CAUGHT, LEAST_READ, LEAST_MEANT = 0.9, 0.94, 0.97


def lines() -> tuple[list[str], bool]:
    """One line per figure, and whether one is below its least value."""
    said, is_bad = [], False
    for half in ("before", "after"):
        recall, precision = shares(half)
        is_bad |= recall < LEAST_READ or precision < LEAST_MEANT
        words = (
            f"sentences written {half} the rules: recall {recall:.0%}, precision {precision:.0%}"
        )
        said.append(f"fits: commitments read of the {words}")
    kept = _kept()
    said.append(
        "fits: embedded provider: of {of} commitments {fulfilled} honoured, {missing} missing and"
        " said so, {contradicted} contradicted, in {models} models; {refused} of them refused;"
        " silently ignored: words of {silent} sentences without a commitment".format_map(kept)
    )
    caught = [is_caught(d.sentence, twin) for d in detailed() for _, twin in twins(d.spec)]
    share = sum(caught) / len(caught)
    is_bad |= share < LEAST_CAUGHT
    said.append(f"fits: wrong twins noticed: {sum(caught)} of {len(caught)} ({share:.0%})")
    return said, is_bad


def _kept() -> Counter[str]:
    library, found = load(shipped("prompts", "library")), Counter[str]()
    for one in sentences():
        verdict = validate(write_model(one.text, "general", {}, library), run_steps=0)
        if verdict.spec is None or verdict.compiled is None:
            continue
        fits = fits_of(one.text, verdict.spec, verdict.compiled)
        outcomes = Counter(commitment.outcome for commitment in fits.commitments)
        found.update(outcomes)
        found["of"] += fits.of
        found["models"] += 1
        found["refused"] += fits.share < 0.5 or outcomes["contradicted"] > 0
        found["silent"] += not fits.of and bool(fits.not_understood)
    return found


def main() -> int:
    """Print the figures; return 1 when one is below its least value."""
    said, is_bad = lines()
    for line in said:
        print(line)
    return int(is_bad)


if __name__ == "__main__":
    raise SystemExit(main())
