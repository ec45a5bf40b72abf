"""What a sentence says that happens: by an action, or by itself; and what is seen where.

Each segment says at most one effect: an action or nobody, a verb, and the state that it leads to,
or a step along the list.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.gmn.request import verbs
from orchestrator.gmn.request.commitment import Effect, TextSpan
from orchestrator.gmn.request.directions import STEP_WORDS, counted, step_of
from orchestrator.gmn.request.names import found_in, names_of, roots
from orchestrator.gmn.request.scan import ARTICLES
from orchestrator.gmn.request.segment import Segment, is_condition, segments
from orchestrator.gmn.request.standing import FINAL, SAME, is_at_edge, is_unknown, kept_in, start_in
from orchestrator.gmn.request.subjects import add_subjects
from orchestrator.gmn.request.tokens import number, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.gmn.request.names import NamedValues
    from orchestrator.gmn.request.scan import Scan

_OFTEN = words(
    "( ) % percent per cent with probability chance of a the time times out half third"
    " hour day week month year minute turn round cases"
)
_WHOLLY = words("completely fully entirely totally")
#: Between the two states of ``a to b``, and what may stand before them.
_BETWEEN_STATES = ARTICLES | words("to into - > \u2192 = in on at")
_BEGINS = words("starts begins")
_DOING = words("i you we it he she they agent the only just merely simply a an")
_IDLE = frozenset(("do nothing", "nothing", "wait", "watch", "rest", "idle"))
_ARROWS = frozenset((">", "\u2192"))
_ENDS = frozenset(",;:.!?\n")
_DIGITS = frozenset(".0123456789")
_SURELY = words("sure certain certainly always")
#: What is understood of a segment whose effect was read.
_READ = verbs.SILENT.union(
    *(verbs.CAUSE, verbs.FIX, verbs.UP, verbs.DOWN, verbs.BETTER, verbs.WORSE, verbs.WHEN),
    *(verbs.SHOWS, verbs.ALONE, verbs.STEPS, verbs.OPPOSITE, STEP_WORDS),
    *(_BETWEEN_STATES, _WHOLLY, _BEGINS, _SURELY),
    words("nothing unchanged left not no effect same as does has time"),
)
_NOBODY = Effect("", "", "", TextSpan(0, 0))


def read_effects(scan: Scan) -> None:
    """Add the effects of a text to what its scan has found; needs its lists."""
    _take_edges(scan)
    names = names_of(scan.text, scan.found)
    if not names.states:
        return
    if not names.actions:
        add_subjects(scan, names.states)
        names = names_of(scan.text, scan.found)
    _take_repeated(scan, names)
    verb, last, head, shared = "", _NOBODY, "", ""
    for begin, end in segments(scan):
        is_headed = scan.tokens[begin - 1].text == ":" and last.before == last.after == ""
        if begin and scan.tokens[begin - 1].text in ".!?\n;:" and not is_headed:
            verb, last, head = "", _NOBODY, ""
        segment = Segment(scan, names, begin, end)
        if _is_start(segment):
            continue
        verb = next((w for w in segment.low if w in verbs.CAUSE | verbs.FIX | verbs.SHOWS), verb)
        own = _head(segment)
        head = own or ("" if "=" in segment.low else head)
        found = _all_said(segment, verb, last, head)
        last = found[-1] if found and found[-1].after != "@stay" else last
        if not found and own and scan.low(end) == ":":
            last = _made(segment, own, "", "")
            _take(segment, last)
        if shared and last.action:  # ``flying and hovering lower the battery``
            found.append(replace(last, action=shared))
        scan.effects += found
        is_shared = segment.is_whole and scan.low(end) == "and" and bool(names.actions)
        shared = segment.action if is_shared else ""
        if shared:
            _take(segment, _made(segment, shared, "", ""))


def _is_start(segment: Segment) -> bool:
    """Whether a segment says how it is at first, or that nobody knows."""
    start = start_in(segment)
    if start:
        segment.scan.add("start", start, segment.begin, segment.end, "how it is at first")
    is_said = bool(start) or is_unknown(segment)
    if is_said:
        segment.scan.take(segment.begin, segment.end)
    return is_said


def _all_said(segment: Segment, verb: str, last: Effect, head: str) -> list[Effect]:
    if (kept := kept_in(segment)) is not None:
        found = _kept(segment, kept, head)
    elif not (found := _opposite(segment, head)):
        is_begun = segment.is_whole and segment.scan.low(segment.end) == ":"
        one = None if is_begun else _said(segment, verb, last, head)
        found = [one] if one else []
    for one in found:
        _take(segment, one)
    return found


def _take_edges(scan: Scan) -> None:
    """What is so of every row and grid without being said."""
    begin = 0
    for end in range(len(scan.tokens) + 1):
        if end == len(scan.tokens) or scan.tokens[end].text in _ENDS:
            if begin < end and is_at_edge([scan.low(n) for n in range(begin, end)]):
                scan.take(begin, end)
            begin = end + 1


def _said(segment: Segment, verb: str, last: Effect, head: str) -> Effect | None:
    return _shown(segment) or _effect(segment, verb, last, head) or _pair(segment, last)


def _head(segment: Segment) -> str:
    """``feed`` of ``FEED - sleepy becomes active``, ``heat: next stage`` and ``if it feeds``: what
    follows up to the full stop is its."""
    if segment.low[0] in verbs.WHEN:
        return _done(segment)
    after = segment.begin + segment.at + len(segment.action.split())
    is_head = segment.scan.low(segment.end) == ":" or segment.scan.low(after) in verbs.SIGNS
    return segment.action if segment.is_first and is_head else ""


def _done(segment: Segment) -> str:
    """``do nothing`` of ``if you only do nothing``: an action that has the segment to itself."""
    at = next((n for n, word in enumerate(segment.low) if n and word not in _DOING), 0)
    said = " ".join(segment.low[at:])
    name, length = found_in(segment.low, at, segment.names.actions)
    is_idle = not segment.names.actions and said in _IDLE
    action = name if length == len(segment.low) - at else said if is_idle else ""
    if action:
        segment.scan.take(segment.begin, segment.end)
    return action


def _kept(segment: Segment, states: Sequence[str], head: str) -> list[Effect]:
    """What an action leaves as it is; nobody leaves a thing that stays by itself."""
    for n in range(segment.begin, segment.end):
        segment.scan.taken[n] |= number(segment.scan.low(n)) is None
    scan, before = segment.scan, segment.begin - 2
    if scan.low(before + 1) == "and":  # ``sleepy and collapsed don't change``
        scan.taken[before] |= found_in([scan.low(before)], 0, segment.names.states)[1]
    action = segment.action or head
    actions = [action] if action or _has_share(segment) else []
    if segment.has(FINAL):
        actions = list(segment.names.actions)
    return [_made(segment, one, state, "@stay") for one in actions for state in states]


def _has_share(segment: Segment) -> bool:
    return any(word[:1] in _DIGITS for word in segment.low)


def _opposite(segment: Segment, head: str) -> list[Effect]:
    """``lowering does the opposite`` of what was said last, ``loosen: exactly the reverse``."""
    is_said = segment.has(verbs.OPPOSITE) and not segment.is_whole
    action = (segment.action or head) if is_said else ""
    known = segment.scan.effects
    last = next((one.action for one in reversed(known) if one.action), "")
    if not action or not last:
        return []
    own = [e for e in known if e.action == last and e.after[:1] != "@" and (e.before or e.step)]
    made = _made(segment, action, "", "")
    return [replace(made, before=e.after, after=e.before, step=-e.step) for e in own]


def _pair(segment: Segment, last: Effect) -> Effect | None:
    """The second part of ``turns a into b and b into c``: two states and nothing else."""
    own = {n + k for n, name in segment.known for k in range(len(name.split()))}
    rest = {w for n, w in enumerate(segment.low) if n not in own and number(w) is None}
    states = [name for _, name in segment.known]
    if last.is_shown or rest - _BETWEEN_STATES - verbs.LEADING - _OFTEN:
        return None
    if len(states) == 1 and last.after and last.before and _has_share(segment):
        states = [last.before, *states]  # ``or jammed 10%``
    if last is _NOBODY or len(states) != 2:
        return None
    return replace(_made(segment, last.action, *states), is_alone=last.is_alone)


def _is_verb(segment: Segment) -> bool:
    """``partying exhausts her``, ``active collapses``, ``a dry one starts rotting``: a verb that is
    made of a state, and nothing else of it."""
    last = segment.known[-1][0] if segment.known else -1
    word = segment.low[last]
    rest = {w for w in segment.low[last + 1 :] if number(w) is None}
    is_alone = len(segment.known) > 1 or segment.at >= 0 or segment.low[0] == "it"
    is_verb = word.endswith("s") and word not in segment.names.states
    is_verb |= not _BEGINS.isdisjoint(segment.low[:last][-1:])
    return last > segment.at and is_alone and is_verb and not rest - verbs.SILENT - _OFTEN


def _leads(segment: Segment) -> bool:
    """``whistling calms panicked to scattered``: any verb, two states and a way between them."""
    known = [n for n, _ in segment.known if n > segment.at]
    between = segment.low[known[0] : known[1]] if len(known) == 2 else []
    return not _BETWEEN_STATES.isdisjoint(between[1:])


def _effect(segment: Segment, verb: str, last: Effect, head: str) -> Effect | None:
    if segment.has(verbs.WISHES) or any(word.endswith("n't") for word in segment.low):
        return _useless(segment, last)
    action, is_before = segment.action, segment.is_first
    if not action and last.action and segment.low[0] in verbs.CAUSE | verbs.FIX:
        action, is_before = last.action, True  # ``makes a b, but makes c d``
    if not action and head and not segment.has(verbs.ALONE):
        action, is_before = head, True
    before, after = _states_of(segment, verb)
    step = step_of(segment, after)
    if after and not step and any(word in verbs.STEPS for word in counted(segment)):
        return None  # ``tires her one step``: along the list, nobody says which way
    is_kept = _is_held(segment)
    is_own = bool(step or _says(segment)) or bool(head and segment.has(_SURELY))
    if not is_own and not (action and is_before and (verb or is_kept)):
        return None
    is_elsewhere = not before and not segment.has(verbs.ALONE) and segment.has(verbs.CONDITIONS)
    if is_elsewhere and (is_before or not action):
        return None  # on a condition that is not one of its states
    if is_kept:
        return _made(segment, action, before, "@stay") if action else None
    if step:
        return _stepped(segment, action, before, step)
    if after:
        is_left = action and "leaves" in segment.low  # ``leaves it closed``, as it was before
        return _made(segment, action, *((after, "@stay") if is_left else (before, after)))
    is_fixed = verb in verbs.FIX and action and before
    return _made(segment, action, before, "@goal") if is_fixed else None


def _says(segment: Segment) -> bool:
    """Whether its words say by themselves that something happens."""
    arrows = _ARROWS.intersection(segment.low[segment.at : segment.at + 4])
    is_own = segment.has(verbs.CAUSE, verbs.FIX) or bool(arrows)
    return is_own or _is_verb(segment) or bool(segment.action and _leads(segment))


def _useless(segment: Segment, last: Effect) -> Effect | None:
    """``but does not help when it is cut``."""
    before = next((s for n, s in segment.known if is_condition(segment, n)), "")
    is_said = bool(before and last.action) and {"not", "help"} <= set(segment.low)
    return _made(segment, last.action, before, "@stay") if is_said else None


def _states_of(segment: Segment, verb: str) -> tuple[str, str]:
    """The state in which something happens, and the one it leads to; empty for none."""
    known = [(n, name) for n, name in segment.known if n != segment.at]
    before = next((s for n, s in known if is_condition(segment, n)), "")
    after = [s for n, s in known if not is_condition(segment, n)]
    is_pair = len(after) > 1 and verb not in verbs.SHOWS  # ``turns X into Y``
    if after and not before and (is_pair or verb in verbs.FIX):  # ``clearing fixes a jam``
        before, after = after[0], after[1:]
    return before, after[-1] if after else ""


def _stepped(segment: Segment, action: str, before: str, step: int) -> Effect | None:
    """A step along the list, or all the way: ``fills it completely``."""
    if segment.has(_WHOLLY):
        end = segment.names.states[-(step > 0)] if abs(step) == 1 else ""
        return _made(segment, action, before, end) if end else None
    is_alone = segment.has(verbs.ALONE)
    is_about_it = action or is_alone or segment.low[0] == "it" or abs(step) == 2
    return _made(segment, action, before, "", step=step) if is_about_it else None


def _made(segment: Segment, action: str, before: str, after: str, *, step: int = 0) -> Effect:
    first, last = segment.scan.tokens[segment.begin], segment.scan.tokens[segment.end - 1]
    is_alone = not action and segment.has(verbs.ALONE)
    span = TextSpan(first.start, last.end)
    return Effect(action, before, after, span, step=step, is_alone=is_alone)


def _is_held(segment: Segment) -> bool:
    """``does nothing``, ``leaves it alone``."""
    said = segment.low
    is_left = "leaves" in said[-3:-1] and said[-1] in ("it", "them", "alone")
    return is_left or SAME.search(" ".join(said)) is not None


def _shown(segment: Segment) -> Effect | None:
    """``sepsis looks pale``: a state, a verb of seeing, what is observed there."""
    at = next((n for n, word in enumerate(segment.low) if word in verbs.SHOWS), 0)
    state = next((s for n, s in segment.known if n < at), "")
    seen = (found_in(segment.low, n, segment.names.observations)[0]
            for n in range(at + 1, len(segment.low)))  # fmt: skip
    label = next((name for name in seen if name), "")
    return replace(_made(segment, "", state, label), is_shown=True) if state and label else None


def _take(segment: Segment, found: Effect) -> None:
    """Mark the words that an effect consists of; numbers stay for the rules of numbers."""
    segment.scan.happening[segment.begin : segment.end] = bytes([1]) * len(segment.low)
    said = [name for _, name in segment.known] if found.step else [found.before, found.after]
    own = " ".join([found.action, segment.towards, *said]).split()
    parts = frozenset[str]().union(*map(roots, own))
    silent = _READ
    if found.action and _leads(segment):
        at = segment.at
        silent |= (
            set(segment.low[at : next(n for n, _ in segment.known if n > at)]) - verbs.CONDITIONS
        )
    for n in range(segment.begin, segment.end):
        word = segment.scan.low(n)
        is_step = number(word) is not None and segment.scan.low(n + 1) in verbs.STEPS
        if is_step or (word in silent and number(word) is None) or roots(word) & parts:
            segment.scan.taken[n] = 1


def _take_repeated(scan: Scan, names: NamedValues) -> None:
    """The rest of a list that is said a second time: ``can ask, or answer a, b or c``."""
    for one in scan.found:
        last = str(one.value[-1]) if isinstance(one.value, tuple) else ""
        if one.kind != "actions" or not last.endswith(tuple(f" {name}" for name in names.states)):
            continue
        at = next((n for n, token in enumerate(scan.tokens) if token.start >= one.span.end), 0)
        while at and (scan.low(at) in (",", "or") or found_in([scan.low(at)], 0, names.states)[1]):
            scan.taken[at] = 1
            at += 1
