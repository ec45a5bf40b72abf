"""Holds a model against the commitments of a sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.codes import finding
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.gmn.request import temper
from orchestrator.gmn.request.labels import (
    Label,
    grids,
    is_near,
    is_place,
    labels_of,
    meant_by,
    stems,
    variables_of,
)
from orchestrator.gmn.request.meanings import clash
from orchestrator.gmn.request.read import read
from orchestrator.gmn.request.tokens import words
from orchestrator.gmn.request.worth import TOLERANCE, Held
from orchestrator.types.diagnostics import listed
from orchestrator.types.fits import Fits, Fitted
from orchestrator.types.work import TooMuchWork, allowance, doing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.model import GMNSpec, Variable
    from orchestrator.gmn.request.commitment import Commitment, RequestReading
    from orchestrator.types.diagnostics import Diagnostic, Report
    from orchestrator.types.fits import Outcome

    Verdict = tuple[Outcome, str]

_NOTHING = words("none no nothing healthy")
_WALLS = words("wall obstacle block")
_LIKELY = 0.5  # probability from which a model is said to begin somewhere


def fits_of(sentence: str, spec: GMNSpec, model: Compiled) -> Fits:
    """Every commitment of a sentence, with where it stands in a valid model of it.

    Raises: TooMuchWork: the model is too large for it.
    """
    return fits_of_reading(read(sentence), spec, model)


def fits_of_reading(reading: RequestReading, spec: GMNSpec, model: Compiled) -> Fits:
    """The same of commitments that were read by anybody.

    Raises: TooMuchWork: as `fits_of`.
    """
    held = Held(spec, model)
    with allowance(DEFAULT_LIMITS.work // 20):
        doing("holding the model against the sentence", "it is left out")
        found = [_fitted(reading, one, held) for one in reading.commitments]
        found = _scaled(reading, found, held)
    known = _words_of(spec)
    left = tuple(word for word in reading.not_understood if not stems(word) <= known)
    return Fits(tuple(found), left)


def with_fits(
    report: Report, sentence: str, spec: GMNSpec, model: Compiled, *, least: float = 0.0
) -> Report:
    """The report of a valid model with what of a sentence it fits; see `misfits`."""
    try:
        fits = fits_of(sentence, spec, model)
    except TooMuchWork as error:
        found = (*report.diagnostics, finding("GMN515", str(error)))
        return replace(report, diagnostics=found)
    more = listed(misfits(fits, least=least), DEFAULT_LIMITS.findings, "GMN713")
    found = (*report.diagnostics, *more)
    return replace(report, fits=fits, diagnostics=found)


def misfits(fits: Fits, *, least: float) -> list[Diagnostic]:
    """The findings (608-610) on what does not fit; below the share `least` it is an error."""
    found = []
    for one in fits.unmet:
        code = "GMN609" if one.outcome == "contradicted" else "GMN608"
        words = f"the request says {one.said!r} ({one.kind} {one.value}): {one.where}"
        place = f"request: characters {one.start} to {one.end}"
        found.append(finding(code, words, context=place, got=one.where, expected=one.value))
    if fits.share < least:
        lacking = "; ".join(f"{one.kind} {one.value}" for one in fits.unmet)
        words = (
            f"the model fits {fits} of what the request says, and {least:.0%} is asked: {lacking}"
        )
        found.append(finding("GMN610", words, got=str(fits), expected=f"{least:.0%}"))
    return found


def _words_of(spec: GMNSpec) -> frozenset[str]:
    """The stems of the words that a model has of its own; its metadata may repeat the sentence."""
    said = [spec.name, spec.description]
    for _, variable in spec.variables():
        said += [variable.name, variable.description, *variable.labels]
    return frozenset().union(*(stems(text) for text in said))


def _fitted(reading: RequestReading, one: Commitment, held: Held) -> Fitted:
    outcome, where = _CHECKS[one.kind](one, held)
    parts = one.value if isinstance(one.value, tuple) else (one.value,)
    sign = "x" if one.kind == "size" else " " if one.kind == "count" else ", "
    value = sign.join(f"{part:g}" if isinstance(part, float) else str(part) for part in parts)
    span = one.span
    return Fitted(one.kind, value, reading.said(one), span.start, span.end, outcome, where)


def _named(one: Commitment, held: Held) -> Verdict:
    """Whether all names of a list are values of one variable, or variables, of that kind."""
    names = [str(n) for n in (one.value if isinstance(one.value, tuple) else (one.value,))]
    kinds = {"states": "state", "observations": "observation", "actions": "action"}
    is_open = one.kind in ("options", "named") or one.rule == "list after a verb"
    every = [v for k, v in held.spec.variables() if is_open or k == kinds[one.kind]]
    found = [(_lacks(names, v), v) for v in every]
    whole = [variable for lacking, variable in found if not lacking]
    if whole:
        alike = [v for _, v in held.spec.variables() if v in whole or not _lacks(names, v)]
        doubts = [words for words in (clash(held, v) for v in alike) if words]
        return ("missing", doubts[0]) if doubts else ("fulfilled", f"values of {whole[0].name}")
    if all(any(is_near(n, v.name) for v in every) for n in names):
        return "fulfilled", f"variables {', '.join(names)}"
    lacking = min((lacking for lacking, _ in found), key=len, default=names)
    what = "variable" if is_open else kinds[one.kind]
    return "missing", f"no {what} has {', '.join(lacking)}"


def _lacks(names: Sequence[str], variable: Variable) -> list[str]:
    """The names that are not values of a variable: near ones count if none is there exactly."""
    own = {stems(name) for name in variable.names}
    apart = [name for name in names if stems(name) not in own]
    if 2 * len(apart) <= len(names) and len(names) > 1:
        return [name for name in apart if not any(label < stems(name) for label in own)]
    return [name for name in names if not any(is_near(name, label) for label in variable.names)]


def _count(one: Commitment, held: Held) -> Verdict:
    n, noun = one.value  # type: ignore[misc,str-unpack]  # a count is a number and a noun
    n, noun = int(n), str(noun)
    if noun in _WALLS and any(len(t.table.blocked) == n for t in held.spec.transitions):
        return "fulfilled", f"{n} cells that cannot be entered"
    for kind, variable in held.spec.variables():
        alike = sum(stems(noun) <= stems(label) for label in variable.names)
        is_plain = n > 2 and len(variable.shape) != 2
        if alike == n or (variable.n == n and (is_plain or is_near(noun, variable.name))):
            return "fulfilled", f"{n} values of {kind} {variable.name}"
    named = variables_of(held.spec, noun)
    for variables in ([v for _, v in named], *_families(held.spec)):
        if len(variables) == n:
            return "fulfilled", f"variables {', '.join(v.name for v in variables)}"
    for kind, variable in named:
        if variable.n == n + 1 and not _NOTHING.isdisjoint(map(str.casefold, variable.names)):
            return "fulfilled", f"{n} values of {kind} {variable.name}, beside that of none"
    if n == 2 and any(v.n == 2 for _, v in held.spec.variables()):
        return "fulfilled", "2 values of a variable"
    return "missing", f"no variable has {n} values, and none is called {noun}"


def _families(spec: GMNSpec) -> list[list[Variable]]:
    """Variables of one kind that have the same values: one for each of several things."""
    found: dict[object, list[Variable]] = {}
    for kind, variable in spec.variables():
        found.setdefault((kind, variable.names), []).append(variable)
    return [variables for variables in found.values() if len(variables) > 1]


def _size(one: Commitment, held: Held) -> Verdict:
    found = [(v.name, rows, columns) for _, v, rows, columns in grids(held.spec)]
    for name, rows, columns in found:
        if (rows, columns) == one.value:
            doubts = [words for words in (clash(held, v) for v in held.spec.observations) if words]
            if doubts:
                return "missing", doubts[0]
            return "fulfilled", f"{name} has {rows} rows and {columns} columns"
    if not found:
        return "missing", "no variable is a grid"
    return "missing", f"{found[0][0]} has {found[0][1]} rows and {found[0][2]} columns"


def _start(one: Commitment, held: Held) -> Verdict:
    meant = [label for label in meant_by(one, held.spec) if label.kind == "state"]
    if not meant:
        return _unknown(one, held)
    total = sum(held.prior(label) for label in meant)
    most = max(meant, key=held.prior)
    if total >= _LIKELY:
        return "fulfilled", f"{most} at the start, probability {total:.2g}"
    outcome: Outcome = "contradicted" if total == 0 else "missing"
    return outcome, f"{most} has probability {total:.2g} at the start"


def _unknown(one: Commitment, held: Held) -> Verdict:
    if variables := variables_of(held.spec, str(one.value)):
        return "fulfilled", f"{variables[0][0]} {variables[0][1].name}"
    return "missing", f"nothing in the model is called {one.value}"


def _goal(one: Commitment, held: Held) -> Verdict:
    meant = meant_by(one, held.spec)
    if not meant:
        return _wanted_variable(one, held)
    worst: Verdict = ("missing", f"{meant[0]} is not preferred: its utility is 0")
    for label in meant:
        worth = held.utilities(label)
        own, most = float(worth[label.at]), float(worth.max())
        is_best = own > most - 1e-9 or (own > 0 and own >= 0.5 * most and not label.is_cell)
        if is_best and np.ptp(worth) > 0:
            if held.is_reachable(label):
                return "fulfilled", f"{label}, utility {own:.3g}"
            worst = ("missing", f"{label} is preferred and cannot be reached")
        elif np.ptp(worth) > 0 and own <= float(worth.min()) < 0:
            worst = ("contradicted", f"{label} has the lowest utility, {own:.3g}")
        elif np.ptp(worth) > 0:
            worst = ("missing", f"{label} has utility {own:.3g}, and others have more")
    if all(label.kind == "action" for label in meant):
        return "fulfilled", f"{meant[0]}, an action that can be chosen"
    return worst


def _wanted_variable(one: Commitment, held: Held) -> Verdict:
    """A goal that names what a variable is about: ``find the intruder``."""
    if is_place(str(one.value)):
        return "missing", f"no grid of the model has {one.value}"
    for kind, variable in variables_of(held.spec, str(one.value)):
        if np.ptp(held.utilities(Label(kind, variable, 0))) > 0 or held.spec.preferences:
            return "fulfilled", f"{kind} {variable.name}"
    return "missing", f"nothing in the model is called {one.value}"


def _avoid(one: Commitment, held: Held) -> Verdict:
    meant = meant_by(one, held.spec)
    if not meant:
        return _unknown(one, held) if is_place(str(one.value)) else _wanted_variable(one, held)
    found: Verdict = ("missing", f"{meant[0]} is not dispreferred: its utility is 0")
    for label in meant:
        worth = held.utilities(label)
        own, middle = float(worth[label.at]), 0.5 * float(worth.max() + worth.min())
        if np.ptp(worth) > 0 and own < middle and (own < 0 or own <= float(worth.min())):
            return "fulfilled", f"{label}, utility {own:.3g}"
        if not held.is_reachable(label):
            return "fulfilled", f"{label} cannot be entered"
        if np.ptp(worth) > 0 and own >= float(worth.max()) > 0:
            found = ("contradicted", f"{label} is what the model prefers, utility {own:.3g}")
        elif label.kind == "action" and (share := temper.chosen(held, label)) <= 0.05:
            return "fulfilled", f"{label} is chosen in {share:.0%} of the steps"
    return found


def _absent(one: Commitment, held: Held) -> Verdict:
    found = [*variables_of(held.spec, str(one.value))]
    labels = labels_of(held.spec, str(one.value))
    if not found and not labels:
        return "fulfilled", f"nothing in the model is called {one.value}"
    what = f"{found[0][0]} {found[0][1].name}" if found else str(labels[0])
    return "missing", f"the model has {what}"


def _noise(one: Commitment, held: Held) -> Verdict:
    noises = {table.of: table.table.noise for table in held.spec.likelihoods}
    worst = {
        v.name: float(1 - table.max(axis=0).min())
        for v, table in zip(held.model.observations, held.model.A, strict=True)
        if v.n > 1
    }
    if one.value == "some":
        noisy = next((name for name, noise in worst.items() if noise > 0), "")
        if noisy:
            return "fulfilled", f"likelihood of {noisy}, wrong in up to {worst[noisy]:.2g}"
        return "missing", "every observation shows the state without noise"
    share = float(one.value)  # type: ignore[arg-type]  # a noise is a number or "some"
    for name, noise in (*noises.items(), *worst.items()):
        if name in worst and abs(noise - share) < TOLERANCE and (share or worst[name] < TOLERANCE):
            return "fulfilled", f"likelihood of {name}, noise {share:.3g}"
    tables = zip(held.model.observations, held.model.A, strict=True)
    for variable, table in tables:
        if share and bool((abs(table - (1 - share)) < TOLERANCE).any()):
            return "fulfilled", f"likelihood of {variable.name}, right in {1 - share:.3g}"
    if share and held.has_number(share):
        return "fulfilled", f"a probability of {share:.3g} or {1 - share:.3g}"
    has = ", ".join(f"{name} {noise:.3g}" for name, noise in worst.items())
    outcome: Outcome = "missing" if share else "contradicted"
    return outcome, f"no likelihood has noise {share:.3g}: {has}"


def _chance(one: Commitment, held: Held) -> Verdict:
    share = float(one.value)  # type: ignore[arg-type]  # a chance is a number
    if held.has_number(share):
        return "fulfilled", f"a probability of {share:.3g} or {1 - share:.3g}"
    return "missing", f"no table has the probability {share:.3g}"


def _prior(one: Commitment, held: Held) -> Verdict:
    shares = [float(share) for share in one.value]  # type: ignore[union-attr]  # numbers
    wanted = dict(zip(map(stems, one.about.split(", ")), shares, strict=False))
    for variable, prior in zip(held.model.states, held.model.D, strict=True):
        own = [wanted.get(stems(name)) for name in variable.names]
        if None not in own and len(own) == len(shares):
            is_so = bool(np.allclose(prior, np.array(own, dtype=float), atol=TOLERANCE))
            has = ", ".join(f"{share:.3g}" for share in prior)
            return ("fulfilled" if is_so else "contradicted"), f"prior of {variable.name}: {has}"
        if len(prior) == len(shares) and np.allclose(
            np.sort(prior), sorted(shares), atol=TOLERANCE
        ):
            return "fulfilled", f"prior of {variable.name}"
    return "missing", "no state begins so"


def _utility(one: Commitment, held: Held) -> Verdict:
    value = float(one.value)  # type: ignore[arg-type]  # a utility is a number
    for label in labels_of(held.spec, one.about) if one.about else ():
        if stems(label.variable.names[label.at]) != stems(one.about):
            continue
        own = float(held.utilities(label)[label.at])
        if own * value < 0:
            return "contradicted", f"{label} has utility {own:.3g}"
    if any(abs(wish - value) < TOLERANCE for wish in held.wishes):
        return "fulfilled", f"a utility of {value:g}"
    return "missing", f"no utility is {value:g}"


def _scaled(reading: RequestReading, found: Sequence[Fitted], held: Held) -> list[Fitted]:
    """Several utilities that the model has in the same proportions are fulfilled."""
    said = [one for one in reading.commitments if one.kind == "utility"]
    values = [float(one.value) for one in said if isinstance(one.value, float)]
    unmet = [one for one in found if one.kind == "utility" and one.outcome == "missing"]
    if len(values) < 2 or not unmet or not all(values):
        return list(found)
    for wish in held.wishes:
        scale = wish / values[0]
        if scale > 0 and all(any(abs(w - scale * v) < 1e-3 for w in held.wishes) for v in values):
            words = f"times {scale:g}, as all utilities that were said"
            return [
                replace(one, outcome="fulfilled", where=words) if one in unmet else one
                for one in found
            ]
    return list(found)


def _planning(one: Commitment, held: Held) -> Verdict:
    model, wanted = held.model, float(one.value)  # type: ignore[arg-type]  # they are numbers
    has = {"horizon": model.horizon, "precision": model.gamma, "discount": model.discount}
    outcome: Outcome = "fulfilled" if has[one.kind] == wanted else "missing"
    return outcome, f"{one.kind} {has[one.kind]:g}"


_CHECKS: dict[str, Callable[[Commitment, Held], Verdict]] = {
    **dict.fromkeys(("states", "observations", "actions", "options", "named"), _named),
    "count": _count,
    "size": _size,
    "start": _start,
    "goal": _goal,
    "avoid": _avoid,
    "absent": _absent,
    "noise": _noise,
    "prior": _prior,
    "chance": _chance,
    "utility": _utility,
    **dict.fromkeys(("horizon", "precision", "discount"), _planning),
    "temper": lambda one, held: temper.shown(str(one.value), held),
}
