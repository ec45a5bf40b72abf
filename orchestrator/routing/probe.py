"""What the user's own deployments can, found out by asking each of them a few short questions."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.config.providers import LOCAL_PREFIXES, OFFLINE, ORIGINS
from orchestrator.models.addresses import origin_of
from orchestrator.models.facts import ABILITIES, LIMITS, FactValue
from orchestrator.models.local_servers import address_of
from orchestrator.models.refused_modes import NEEDS
from orchestrator.parsing.json_reader import is_json
from orchestrator.routing.attempts import Trace
from orchestrator.routing.context_window import served_window, window_in
from orchestrator.routing.prices import price_of, serves

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.models.deployment import Deployment
    from orchestrator.routing.complete import RouterCompleter
    from orchestrator.types.run_context import RunContext

_PROBE_S = 20.0
_REFUSALS = (400, 415, 422, 501)
_ANSWER, _SECOND_ANSWER = 64, 512  # tokens; the second is for models that think first
_PROMPT = 300  # tokens, above what any of the questions takes
_PICTURE = 4096  # tokens, above what any large provider counts for one
#: Of one deployment: a stream, in its place a plain call, a schema twice, and three more.
MOST_CALLS = 7
#: One more goes to servers of the user's own, some of which cut a long prompt without a word
#: (Ollama at 2,048 or 4,096 tokens). Its words are as many tokens or more, at most twice as many.
_LONG_WORDS = 4_600
#: No prompt names them: an answer that is one of them comes from the schema.
_NONSENSE = ["zorblax", "quenfip"]
_MODES = {ability: mode for mode, ability in NEEDS.items()}
_RED = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAJ0lEQVR42u3NsQkAAAjAsP7/tF7hIASyp6lTCQQCgUAgEAgEgi/BAjLD/C5w/SM9AAAAAElFTkSuQmCC"
)


@dataclass(slots=True)
class ProbeReport:
    """What one deployment did.

    Attributes:
        why: the error that it answered with; empty where it answered.
        found: by the keys of a `model_info`; what could not be found out is not in it.
        window: how the context window was found out; empty where it was not.
        calls: requests that were sent.
    """

    deployment: str
    model: str
    is_reachable: bool = False
    why: str = ""
    found: dict[str, FactValue] = field(default_factory=dict)
    window: str = ""
    calls: int = 0

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return asdict(self)

    def words(self) -> str:
        """What was found, by the names of the facts; the error of one that did not answer."""
        names = {key: name.replace("_", " ") for name, key in ABILITIES.items()}
        said = [
            f"{'' if value else 'no '}{names[key]}"
            for key, value in self.found.items()
            if key in names
        ]
        if tokens := self.found.get(LIMITS["max_context_window"]):
            said.append(f"reads {tokens:,} tokens ({self.window})")
        return self.why or ", ".join(said)


@dataclass(frozen=True, slots=True)
class ProbeBound:
    """The most that probing can take; dollars are None where a price is not known."""

    calls: int
    tokens: int
    usd: float | None

    def words(self) -> str:
        """The bound in one line."""
        cost = "an unknown price" if self.usd is None else f"{self.usd:.4f} USD"
        return f"at most {self.calls} calls, {self.tokens:,} tokens, {cost}"


def is_probed(one: Deployment) -> bool:
    """Whether a deployment can be asked: it has a model of its own, for chat, behind a provider."""
    return one.provider != OFFLINE and "*" not in one.model and serves(one, "acompletion")


def probe_bound(ready: Iterable[Deployment]) -> ProbeBound:
    """The most that probing these deployments can take."""
    calls = tokens = 0
    usd: float | None = 0.0
    for one in ready:
        if not is_probed(one):
            continue
        is_long = _is_own_server(one)
        read = MOST_CALLS * _PROMPT + _PICTURE + is_long * (2 * _LONG_WORDS + _PROMPT)
        written = (MOST_CALLS - 1 + is_long) * _ANSWER + _SECOND_ANSWER
        calls, tokens = calls + MOST_CALLS + is_long, tokens + read + written
        price = price_of(one)
        known = usd is not None and price is not None
        usd = usd + price[0] * read + price[1] * written if known else None  # type: ignore[operator,index]  # both known
    return ProbeBound(calls, tokens, usd)


def _is_own_server(one: Deployment) -> bool:
    """Whether a deployment has an address that is not a provider's own."""
    speaks = one.provider in LOCAL_PREFIXES or one.provider in ("openai", "llamafile")
    return speaks and bool(base := address_of(one)) and origin_of(base) not in ORIGINS.values()


async def probe(router: RouterCompleter, one: Deployment, context: RunContext) -> ProbeReport:
    """Probe one deployment by itself: no retry, no fallback, no cache."""
    await router.transport.router()  # loading LiteLLM takes none of a deployment's time
    return await _Probe(router, one, context).run()


class _SilentError(Exception):
    """It did not answer, so that nothing is known."""


class _Probe:
    """The questions to one deployment."""

    def __init__(self, router: RouterCompleter, one: Deployment, context: RunContext) -> None:
        self._router, self._one, self._context = router, one, context
        self._report = ProbeReport(one.id, one.model)
        self._refusal = ""

    async def run(self) -> ProbeReport:
        report = self._report
        try:
            await self._stream()
            for question in (self._schema, self._json_object, self._tool, self._picture):
                await question()
        except _SilentError as error:
            report.why = str(error)
        if report.is_reachable:
            await self._window()
        return report

    async def _note(self, ability: str, *, value: bool, refused: bool = False) -> None:
        self._report.found[ABILITIES[ability]] = value
        if ability in _MODES:
            why = "" if value else "refused it" if refused else "took it and ignored it"
            await self._router.ignored(self._one.id, _MODES[ability], why)

    async def _ask(self, words: object, tokens: int = _ANSWER, **more: Any) -> tuple[Any, Trace]:
        """The response, None where it was refused, and its trace.

        Raises: _SilentError: it did not answer, or to anything.
        """
        arguments: dict[str, Any] = {
            "model": self._one.id,  # this deployment and no other, resting or not
            "messages": [{"role": "user", "content": words}],
            "max_tokens": tokens,
            "num_retries": 0,
            "disable_fallbacks": True,
            "timeout": _PROBE_S,
            **more,
        }
        trace = Trace(self._context.cost)
        self._report.calls += 1
        send = self._router.transport.send
        try:
            response = await send("acompletion", arguments, _PROBE_S, trace, waits=0)
            if more.get("stream"):
                response = [part async for part in response]
        except Exception as error:  # noqa: BLE001  whatever it is, a probe reports and never raises
            if getattr(error, "status_code", 0) in _REFUSALS:
                self._refusal = str(error)
                return None, trace
            raise _SilentError(type(error).__name__) from None  # its words may hold the prompt
        if not (more.get("stream") or response.choices):
            raise _SilentError("an answer without choices")
        return response, trace

    async def _stream(self) -> None:
        """Whether it answers at all, streams, and counts tokens in a stream."""
        parts, trace = await self._ask("Say yes.", stream=True)
        if parts is None:
            response, _ = await self._ask("Say yes.")
            if response is None:
                raise _SilentError("it refuses a plain question")
            await self._note("streaming", value=False)
        else:
            await self._note("streaming", value=True)
            counted = bool(trace.ended) and not trace.ended[-1].estimated
            await self._note("stream_usage", value=counted)
        self._report.is_reachable = True

    async def _schema(self) -> None:
        """Whether a schema is enforced, accepted and ignored, or refused."""
        schema = {
            "type": "object", "properties": {"word": {"type": "string", "enum": _NONSENSE}},
            "required": ["word"], "additionalProperties": False,
        }  # fmt: skip
        form = {"name": "answer", "schema": schema, "strict": True}
        asked = {"response_format": {"type": "json_schema", "json_schema": form}}
        text: str | None = ""
        for tokens in (_ANSWER, _SECOND_ANSWER):
            response, _ = await self._ask("What colour is the sky? JSON.", tokens, **asked)
            if response is None:
                return await self._note("response_schema", value=False, refused=True)
            if (text := _whole_text(response)) is not None:
                break
        if text is None:
            return None
        read = json.loads(text) if is_json(text) else None
        word = read.get("word") if isinstance(read, dict) else None
        return await self._note("response_schema", value=word in _NONSENSE)

    async def _json_object(self) -> None:
        words = "What colour is the sky? Explain it in one sentence, as JSON."
        response, _ = await self._ask(words, response_format={"type": "json_object"})
        if response is None:
            await self._note("json_object", value=False, refused=True)
        elif (text := _whole_text(response)) is not None:
            await self._note("json_object", value=is_json(text))

    async def _tool(self) -> None:
        """Whether it calls the tool that is named; a refusal says nothing about other calls."""
        function = {
            "name": "note", "description": "Note a word.",
            "parameters": {"type": "object", "properties": {"word": {"type": "string"}},
                           "required": ["word"]},
        }  # fmt: skip
        response, _ = await self._ask(
            "What colour is the sky?", tools=[{"type": "function", "function": function}],
            tool_choice={"type": "function", "function": {"name": "note"}},
        )  # fmt: skip
        if response is None:
            await self._note("tool_choice", value=False, refused=True)
            return
        calls = getattr(response.choices[0].message, "tool_calls", None)
        if calls or response.choices[0].finish_reason != "length":
            await self._note("tool_choice", value=bool(calls))
        if calls:
            await self._note("function_calling", value=True)

    async def _picture(self) -> None:
        picture = {"type": "image_url", "image_url": {"url": _RED}}
        words = {"type": "text", "text": "Which colour is this picture? One word."}
        response, _ = await self._ask([words, picture])
        if response is None:
            await self._note("vision", value=False)
        elif (text := _whole_text(response)) is not None:
            await self._note("vision", value="red" in text.lower())

    async def _window(self) -> None:
        """The window that a long prompt shows, else the one that the server says it serves."""
        window, how = await asyncio.to_thread(served_window, self._one)
        if _is_own_server(self._one) and (not window or window > _LONG_WORDS):
            try:
                seen, seen_how = await self._long_prompt()
            except _SilentError:
                seen, seen_how = 0, ""
            if seen:
                window, how = seen, seen_how
        if window:
            self._report.found[LIMITS["max_context_window"]] = window
            self._report.window = how

    async def _long_prompt(self) -> tuple[int, str]:
        """The window by an error that names it, or by what is left of a prompt that was cut; 0
        where it was read whole, or where nobody can say."""
        filler = "seven green houses stand behind eight yellow trees " * (_LONG_WORDS // 8)
        words = f"The password is {_NONSENSE[0]}. {filler} What is the password? One word."
        response, trace = await self._ask(words)
        if response is None:
            window, _ = window_in(self._refusal)
            return window, "an error names it"
        text = _whole_text(response)
        ended = trace.ended[-1] if trace.ended else None
        if text is None or _NONSENSE[0] in text.lower() or ended is None or ended.estimated:
            return 0, ""
        # Two signs: its beginning is unknown, and it counts fewer tokens than there were words.
        read = ended.usage.prompt_tokens
        is_cut = 0 < read < _LONG_WORDS
        return (read, f"it cut a prompt of {_LONG_WORDS:,} words") if is_cut else (0, "")


def _whole_text(response: Any) -> str | None:
    """What was answered; None where it was cut off by its length."""
    choice = response.choices[0]
    return None if choice.finish_reason == "length" else str(choice.message.content or "")
