"""Why an answer or a question ended too early, and how it is asked again: longer, shorter, in text.

Pure, as the policy is: a state of the loop in, its next question out.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from orchestrator.parsing.endings import is_getting_on, is_looping, is_stopped_short
from orchestrator.routing.offline.litellm_adapter import estimated_tokens
from orchestrator.types.requests import OutputMode

if TYPE_CHECKING:
    from orchestrator.generation.state import Ask, State
    from orchestrator.types.errors import ContextWindowExceededError
    from orchestrator.types.messages import LLMMessage
    from orchestrator.types.requests import Answer, Attempt, Request

T = TypeVar("T")

MORE_TOKENS = 2  # factor on the length limit after a cut-off answer
DEFAULT_MAX_TOKENS = 4096
SHORTEST = 2  # of the ways to put the first question
_ENOUGH, _FEWEST = 512, 256  # tokens in which an answer usually fits, and may fit
_DOCUMENT = 1024  # tokens in which one fits that names every field
_CHARACTERS_PER_TOKEN = 4  # where a server does not say how many the prompt has
_MARGIN = 64  # tokens: the frames of messages
_UNSURE = 8  # estimates of a prompt may be too low by one part in so many
_FULL = 0.9  # of a context window, above which it is what cut an answer off


@dataclass(frozen=True, slots=True)
class Remedy(Generic[T]):
    """What follows a cut-off answer.

    Attributes:
        ask: the next question; None where there is none to this model in other words.
        needs_another_model: no sample of the same question could be whole either.
    """

    state: State[T]
    ask: Ask | None
    reason: str
    needs_another_model: bool = False


def after_cut_off(state: State[T], answer: Answer) -> Remedy[T]:
    """What follows depends on what ended the answer; never a blind repeat.

    Our limit: more tokens the first time, the compact text form the second. The context window: a
    shorter question. A loop, or a limit of the server's own: the compact text form.
    """
    asked = state.asked.request
    room = asked.max_tokens or DEFAULT_MAX_TOKENS
    if is_looping(answer.text, is_cut_off=True):
        return _in_text_form(state, "the answer says the same over and over")
    if not is_getting_on(answer.text):
        return _in_text_form(state, "the answer was not getting anywhere")
    if is_stopped_short(answer, room) and (found := _after_full_window(state, answer)) is not None:
        return found
    longer = dataclasses.replace(state.asked, request=with_room(asked, room * MORE_TOKENS))
    state = dataclasses.replace(state, more_room=state.more_room + 1)
    if state.more_room == 1:
        reason = f"cut off at {room} tokens: twice the room"
        return Remedy(state, dataclasses.replace(longer, reason=reason), reason)
    return _in_text_form(dataclasses.replace(state, asked=longer), "cut off again")


def is_endless(attempt: Attempt[T]) -> bool:
    """Whether our own limit, or a loop, kept an answer from its end, and no limit of the server."""
    answer, limit = attempt.answer, attempt.request.max_tokens or DEFAULT_MAX_TOKENS
    is_lost = is_looping(answer.text, is_cut_off=True) or not is_getting_on(answer.text)
    is_ours = is_lost or not is_stopped_short(answer, limit)
    return attempt.evaluation.kind == "truncated" and is_ours


def _in_text_form(state: State[T], reason: str) -> Remedy[T]:
    """The question that is asked, in the compact text form; none where that is what it asks for."""
    request = state.asked.request
    if request.mode is OutputMode.PROMPT:
        return Remedy(state, None, reason)
    reason, mode = f"{reason}: the compact text form", OutputMode.PROMPT
    if state.asked.purpose == "patch":
        request = dataclasses.replace(request, mode=mode)
    else:
        messages = state.follow_ups.reworded(state.first, mode=mode, brevity=state.brevity)
        state = _begun(state, messages)
        first = dataclasses.replace(state.first, mode=mode, schema=None)
        state = dataclasses.replace(state, first=first)
        request = dataclasses.replace(state.asked.request, mode=mode, schema=None)
    return Remedy(state, dataclasses.replace(state.asked, request=request, reason=reason), reason)


def _after_full_window(state: State[T], answer: Answer) -> Remedy[T] | None:
    """A shorter question, where that makes room for the answer.

    None: there is none, and that the window is full is only a guess: the server names none.
    """
    wrote, read = answer.usage.completion_tokens, answer.usage.prompt_tokens
    window = answer.context_tokens
    if window and wrote + read < _FULL * window:
        made = _in_text_form(state, f"the server ends answers at {wrote} tokens")
        return dataclasses.replace(made, needs_another_model=True)
    reason = f"a prompt of {read} tokens and an answer of {wrote} fill the context window"
    reason += f" of {window}" if window else ""
    shorter = _shortened(state, read, window, needed=max(2 * wrote, _FEWEST))
    if shorter is None and not window:
        return None
    if shorter is None:
        return Remedy(state, None, reason, needs_another_model=True)
    reason = f"{reason}: a shorter question"
    return Remedy(shorter, dataclasses.replace(shorter.asked, reason=reason), reason)


def refused_as_too_long(state: State[T], error: ContextWindowExceededError) -> tuple[State[T], Ask]:
    """What to ask after a server refused a question as too long.

    A limit of the answer that does not fit beside the prompt is lowered first. The call that was
    refused counts as one.

    Raises: ContextWindowExceededError: `error`, where nothing shorter, or no call, is left.
    """
    most, asked, before = state.bounds.max_calls - 1, state.asked, state.asked.request
    if most <= len(state.attempts):
        raise error
    state = dataclasses.replace(state, bounds=dataclasses.replace(state.bounds, max_calls=most))
    room = asked.request.max_tokens or DEFAULT_MAX_TOKENS
    window, characters = error.context_tokens, _characters(asked.request)
    read = error.prompt_tokens or characters // _CHARACTERS_PER_TOKEN
    reason = f"refused: {error.prompt_tokens or 'too many'} prompt tokens" + (
        f", a context window of {window}" if window else ""
    )
    left = window - read - _MARGIN if window else _ENOUGH
    if not window or not _ENOUGH <= left < room:
        shorter = _shortened(state, read, window, needed=_ENOUGH + _MARGIN)
        if shorter is not None:
            share = _characters(shorter.asked.request) / characters
            left = window - int(read * share) - _MARGIN if window else room
            state, asked = shorter, shorter.asked
        elif left >= room or left < _FEWEST:
            raise error
    request = with_room(asked.request, left) if _FEWEST <= left < room else asked.request
    if request == before:
        raise error
    ask = dataclasses.replace(asked, request=request, reason=f"{reason}: a shorter question")
    return dataclasses.replace(state, asked=ask), ask


def fitted(state: State[T]) -> State[T]:
    """The state with a first question that leaves room for a document in the context window.

    Some servers cut a longer one from its start without a word. The same where it fits, where the
    window is not known, and where there are no shorter words for it.
    """
    window, before = state.bounds.window, state.asked.request
    if not window:
        return state
    read = _most_read(before)
    room = before.max_tokens or DEFAULT_MAX_TOKENS
    if read + min(room, _DOCUMENT) + _MARGIN <= window:
        return state
    reason = f"the context window holds {window} tokens, the question about {read}"
    if (shorter := _shortened(state, read, window, needed=_DOCUMENT + _MARGIN)) is not None:
        state = shorter
        words = ("", "without examples", "without examples, in short words")[state.brevity]
        reason = f"{reason}: asked {words}"
    read = _most_read(state.asked.request)
    left = max(window - read - _MARGIN, _FEWEST)
    request = with_room(state.asked.request, left) if left < room else state.asked.request
    ask = dataclasses.replace(state.asked, request=request, reason=reason)
    return dataclasses.replace(state, asked=ask)


def _most_read(request: Request) -> int:
    """The tokens of a question, at the upper end of what is estimated."""
    estimated = sum(estimated_tokens(turn.text) for turn in request.messages)
    return estimated + estimated // _UNSURE


def _shortened(state: State[T], read: int, window: int, *, needed: int) -> State[T] | None:
    """The state with a shorter question, without examples or with the short system prompt too.

    `read` are the tokens of the one asked now, `needed` those of the answer. None: there is none.
    """
    before = _characters(state.asked.request)
    for brevity in range(state.brevity + 1, SHORTEST + 1):
        messages = state.follow_ups.reworded(state.first, mode=state.first.mode, brevity=brevity)
        made = dataclasses.replace(_begun(state, messages), brevity=brevity)
        after = _characters(made.asked.request)
        estimate = read * after / before
        is_enough = not window or brevity == SHORTEST or estimate + needed <= window
        if after < before and is_enough:
            return made
    return None


def _begun(state: State[T], messages: tuple[LLMMessage, ...] | None) -> State[T]:
    """The state with other words for its first question, also at the start of the one asked."""
    if messages is None:
        return state
    first, asked = state.first, state.asked
    after = asked.request.messages[len(first.messages) :]
    request = dataclasses.replace(asked.request, messages=(*messages, *after))
    return dataclasses.replace(
        state,
        first=dataclasses.replace(first, messages=messages),
        asked=dataclasses.replace(asked, request=request),
    )


def _characters(request: Request) -> int:
    return sum(len(turn.text) for turn in request.messages)


def with_room(request: Request, tokens: int) -> Request:
    """The same request with another length limit of its answer."""
    by = "max_completion_tokens" if "max_completion_tokens" in request.parameters else "max_tokens"
    return dataclasses.replace(request, parameters={**request.parameters, by: tokens})
