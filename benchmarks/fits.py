"""What is read of 120 sentences, what a model keeps of them, and which wrong twins are noticed.

python -m benchmarks.fits
"""

from __future__ import annotations

from collections import Counter

from orchestrator.config.paths import shipped
from orchestrator.gmn.examples import load
from orchestrator.gmn.request.fits import fits_of
from orchestrator.gmn.validate import validate
from orchestrator.routing.offline.answer import questions_of, write_model
from tests.support.built import tally
from tests.support.commitments import sentences, shares
from tests.support.twins import detailed, is_caught, twins

#: Least share of the wrong twins that is noticed, and of commitments that are read and meant.
LEAST_CAUGHT, LEAST_READ, LEAST_MEANT = 0.9, 0.94, 0.97
#: Of the models that the embedded provider builds, and of the commitments in them.
LEAST_RIGHT, MOST_IGNORED = 0.6, 0.02


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
    is_bad |= kept["contradicted"] > 0
    said.append(
        "fits: embedded provider: {models} models of 120 sentences, with {fulfilled} of {of}"
        " commitments honoured, {missing} missing and said so, {contradicted} contradicted;"
        " {refused} sentences answered with questions".format_map(kept)
    )
    # All but the first and ``strangers`` were judged before any tuning.
    for half in ("tuned", "kept back", "fresh", "strangers", "unseen"):
        found = tally(half)
        is_bad |= found["contradicted"] > 0 or found["right"] < LEAST_RIGHT * found["models"]
        is_bad |= found["ignored"] > MOST_IGNORED * found["of"]
        said.append(
            "fits: embedded provider, {sentences} sentences, at first {half}: {right} right of"
            " {models} models, {refused} refused with questions; of {of} commitments {honoured}"
            " honoured, {ignored} silently ignored, {contradicted} contradicted".format_map(
                {**found, "half": half}
            )
        )
    caught = [is_caught(d.sentence, twin) for d in detailed() for _, twin in twins(d.spec)]
    share = sum(caught) / len(caught)
    is_bad |= share < LEAST_CAUGHT
    said.append(f"fits: wrong twins noticed: {sum(caught)} of {len(caught)} ({share:.0%})")
    return said, is_bad


def _kept() -> Counter[str]:
    library, found = load(shipped("prompts", "library")), Counter[str]()
    for one in sentences():
        spec = write_model(one.text, "general", {}, library)
        if questions_of(spec):
            found["refused"] += 1
            continue
        verdict = validate(spec, run_steps=0)
        if verdict.spec is None or verdict.compiled is None:
            continue
        fits = fits_of(one.text, verdict.spec, verdict.compiled)
        outcomes = Counter(commitment.outcome for commitment in fits.commitments)
        found.update(outcomes)
        found["of"] += fits.of
        found["models"] += 1
    return found


def main() -> int:
    """Print the figures; return 1 when one is below its least value."""
    said, is_bad = lines()
    for line in said:
        print(line)
    return int(is_bad)


if __name__ == "__main__":
    raise SystemExit(main())
