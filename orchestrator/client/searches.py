"""Current information for one request: whether, by which query, within which time, read by whom."""

from __future__ import annotations

import asyncio
import datetime
import importlib.util
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.client.search_choice import SearchChoice, Searching, choice_of
from orchestrator.client.searched import last_of_user, wanted_query, with_sources
from orchestrator.generation.loop import refine
from orchestrator.generation.prompts import ConversationPrompts
from orchestrator.generation.request_building import cache_use
from orchestrator.generation.search.found import Found
from orchestrator.generation.search.query import query_of, request_part, without_private
from orchestrator.generation.state import Bounds
from orchestrator.routing.offline.completer import are_embedded
from orchestrator.types.errors import (
    BudgetExceededError,
    ConfigError,
    DeadlineExceededError,
    InvalidOutputError,
    LLMError,
    MissingExtraError,
)
from orchestrator.types.messages import LLMMessage, LLMRole, as_messages
from orchestrator.types.requests import OutputMode, Request
from orchestrator.types.run_context import RunContext
from orchestrator.types.searching import SearchReport
from orchestrator.types.visible import json_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.client.structured import Structured
    from orchestrator.generation.loop import GenerationLoop, GenerationRequest
    from orchestrator.generation.search.augment import Augmentation
    from orchestrator.generation.search.reading import Ask, ReadFacts
    from orchestrator.ledger.ledger import Ledger, LedgerEntry
    from orchestrator.routing.plan import Plan
    from orchestrator.routing.searching import Searcher
    from orchestrator.types.events import Hook
    from orchestrator.types.requests import Answer
    from orchestrator.types.searching import SearchResults

T = TypeVar("T")

_SHARE = 0.5  # of the request's time, for everything that comes before its answer
_READING_CALLS = 2
_NOT_OF_TOOLS = (401, 403, 408, 429)  # statuses of refusals that are not for the tool
_QUERY_S, _QUERY_TOKENS = 5.0, 64  # for a query that a model writes
_ROLES = ("default", "strong")  # a group or provider that was forced reads for itself
_QUIET = SearchReport("not_needed", "The model asked for no search.")
_QUERY = (
    "Write the query for a web search engine that finds what the request asks. Today is {today}."
    " Answer with the query alone: a few words, no quotes, nothing about private persons."
)
_LOOK = (
    "You prepare a request that another call will answer. Where it needs facts that change with"
    " time, call the tool search, once for each thing to look up. Otherwise answer: ready."
)
_LOOKED_UP = "Searched for so far; what was found stands above, if anything was:"
_GMN = (
    "The document holds what follows from these facts where the request depends on them. It names"
    " no source numbers: its sources are written into it afterwards."
)
_TOOL = {
    "type": "function",
    "function": {
        "name": "search",
        "description": "Search the web for facts that change with time.",
        "parameters": {
            "type": "object",
            "properties": {"query": {"type": "string", "description": "a few words"}},
            "required": ["query"],
            "additionalProperties": False,
        },
    },
}


@dataclass(frozen=True)
class Searches:
    """Searches for requests, on their bill and within their time."""

    loop: GenerationLoop
    searcher: Callable[[], Searcher]  # made for the first request that is searched for
    structured: Structured

    async def choice(self, given: Searching | None) -> SearchChoice:
        """What a call asks for; the mode is the configured one where it states none.

        Raises: ValueError: a mode, a key or a value is unknown; ConfigError: so is the engine;
            ConfigError, MissingExtraError: it always searches, and no engine can be asked.
        """
        choice = choice_of(given, self.loop.settings.search.mode)
        if choice.mode != "off":
            # It looks for files of the extras.
            await asyncio.to_thread(self._require, choice, self.searcher())
        return choice

    def _require(self, choice: SearchChoice, searcher: Searcher) -> None:
        settings = self.loop.settings
        if settings.cache.mode != "replay":
            engines = searcher.engines_named(choice.engine)
            if choice.mode == "always":
                engines.require()
        if settings.search.fetch_pages and importlib.util.find_spec("trafilatura") is None:
            raise MissingExtraError("Page text", "search")

    async def augmented(
        self,
        task: GenerationRequest[T],
        text: str,
        choice: SearchChoice,
        entry: LedgerEntry,
        hook: Hook | None = None,
    ) -> tuple[GenerationRequest[T], Found]:
        """The task with what was found for `text`; an error closes the entry."""
        if choice.mode == "off":
            return task, Found()
        started = time.monotonic()
        context = replace(self.loop.context(task, entry, hook), on_text=None)
        try:
            found = await self.found(text, choice, task.first, context)
        except BaseException as error:
            entry.__exit__(type(error), error, None)
            raise
        left = self.loop.settings.generation.deadline_s - (time.monotonic() - started)
        first, contract = task.first, task.contract
        shown = found.shown
        if shown and first.description is not None:
            shown = f"{found.shown}\n{_GMN}"
            first = replace(first, description=replace(first.description, facts=shown))
            contract = replace(contract, sources=found.report.citations)  # type: ignore[type-var]  # of GMN
        messages = replace(found, shown=shown).beside(first.messages)
        first = replace(first, messages=messages)
        return replace(task, first=first, contract=contract, deadline_s=left), found

    async def answer(self, request: Request, choice: SearchChoice, context: RunContext) -> Answer:
        """The answer to messages, with the sources that it names.

        Raises: LLMError: as the completer; DeadlineExceededError: the time was over.
        """
        seconds = self.loop.settings.generation.deadline_s
        context = replace(context.within(seconds), hook=self.loop.hook)
        try:
            async with asyncio.timeout(seconds):
                if choice.mode == "tool" and "tools" not in request.parameters:
                    found, answer = await self._by_tool(request, choice, context)
                else:
                    text = last_of_user(request.messages)
                    found, answer = await self.found(text, choice, request, context), None
                if answer is None:
                    asked = replace(request, messages=found.beside(request.messages))
                    answer = await self.loop.completer.complete(asked, context)
        except TimeoutError:
            raise DeadlineExceededError(f"no answer within {seconds:g} s") from None
        return with_sources(answer, found)

    async def found(
        self, text: str, choice: SearchChoice, request: Request, context: RunContext
    ) -> Found:
        """What was found for the text of a request that `request` is going to ask.

        Raises: BudgetExceededError, CacheMissError; unless the mode is auto ConfigError.
        """
        mode = choice.mode
        if mode == "tool":
            look = LLMMessage(LLMRole.SYSTEM, _LOOK), LLMMessage(LLMRole.USER, request_part(text))
            asked = Request(
                look, request.route, parameters={"max_tokens": 256}, timeout_s=request.timeout_s,
                cache=request.cache, keep=request.keep, purpose="search",
            )  # fmt: skip
            return (await self._by_tool(asked, choice, context))[0]
        # Most requests are not searched for, and do without its words in many languages.
        from orchestrator.generation.search.need import need  # noqa: PLC0415

        wanted = need(text, _today())
        if mode == "auto" and not wanted.is_needed:
            return Found(SearchReport("not_needed", wanted.reason))
        reason = wanted.reason if mode == "auto" else "It was asked for."
        look_up = self._augmentation(text, choice, request, context, reason)
        query = choice.query or await self._query(text, wanted.words, request, context)
        try:
            await look_up.look_for(query)
        except (ConfigError, MissingExtraError) as error:
            if mode != "auto":
                raise
            return Found(SearchReport("failed", f"{reason} {error}", query))
        return look_up.found(context.cost.billed_usd)

    async def for_completion(self, arguments: dict[str, Any]) -> CompletionSearch | None:
        """How LiteLLM's arguments ask to be searched for; None where they do not.

        Raises: ValueError: the mode is tool, whose calls are not LiteLLM's; as `choice`.
        """
        given = arguments.pop("search", None)
        if given is None or (choice := await self.choice(given)).mode == "off":
            return None
        if choice.mode == "tool":
            raise ValueError("search='tool' needs generate or generate_structured, or use auto")
        return CompletionSearch(self, choice, arguments)

    def _augmentation(
        self, text: str, choice: SearchChoice, request: Request, context: RunContext, reason: str
    ) -> Augmentation:
        from orchestrator.generation.search.augment import Augmentation  # noqa: PLC0415  as in `found`

        settings = self.loop.settings

        async def engines(query: str, seconds: float) -> SearchResults:
            return await self.searcher().search(
                query, context=context, within_s=seconds, cache=request.cache, keep=request.keep,
                engine=choice.engine, max_results=choice.max_results,
            )  # fmt: skip

        until = time.monotonic() + _SHARE * settings.generation.deadline_s
        is_read = not are_embedded(self.loop.router.routes.first_group(self._reader(request.route)))
        ask = self._asking(request, context, until) if is_read else None
        return Augmentation(text, settings.search, engines, ask, until, reason, context.emit)

    def _reader(self, route: str) -> str:
        """The route that reads: the fast one, unless a group or a provider was forced."""
        routes = self.loop.router.deployments.routes
        return "fast" if "fast" in routes and route in _ROLES else route

    def _asking(self, request: Request, context: RunContext, until: float) -> Ask:
        loop, structured = self.loop, self.structured

        async def ask(messages: tuple[LLMMessage, ...], kind: type[ReadFacts]) -> ReadFacts:
            contract = await structured.contract(kind, ())
            first = structured.first(
                messages, contract, self._reader(request.route), cache=None, tenant="",
                parameters={},
            )  # fmt: skip
            first = replace(first, cache=request.cache, keep=request.keep, purpose="read")
            bounds = Bounds(_READING_CALLS, max(until - time.monotonic(), 0.0))
            try:
                made = await refine(
                    first, completer=loop.completer, contract=contract, bounds=bounds,
                    follow_ups=ConversationPrompts(structured.prompts),
                    context=RunContext(context.cost, until=until),
                )  # fmt: skip
            except InvalidOutputError as error:
                await loop.completer.withdraw(one.request for one in error.attempts)
                raise
            value: ReadFacts = made.value
            return value

        return ask

    async def _query(self, text: str, words: str, request: Request, context: RunContext) -> str:
        """The query for a request, written by the configured route, else cut from the request."""
        own = query_of(text, about=words)
        route = self.loop.settings.search.query_route
        if not own or not route:
            return own
        turns = (
            LLMMessage(LLMRole.SYSTEM, _QUERY.format(today=_today())),
            LLMMessage(LLMRole.USER, without_private(request_part(text))),
        )
        asked = Request(
            turns, self.loop.router.resolve(route), parameters={"max_tokens": _QUERY_TOKENS},
            timeout_s=_QUERY_S, cache=request.cache, keep=request.keep, purpose="query",
        )  # fmt: skip
        try:
            async with asyncio.timeout(_QUERY_S):
                answer = await self.loop.completer.complete(asked, RunContext(context.cost))
        except BudgetExceededError:
            raise
        except (LLMError, TimeoutError):
            return own
        return query_of(answer.text.partition("\n")[0]) or own

    async def _by_tool(
        self, request: Request, choice: SearchChoice, context: RunContext
    ) -> tuple[Found, Answer | None]:
        """What the model asked for by itself, and its answer where it asked for nothing more.

        A model that is known to call no tools, or refuses them, is searched for as in mode auto.
        """
        text = last_of_user(request.messages)
        look_up = self._augmentation(text, choice, request, context, "The model may search.")
        rounds = self.loop.settings.search.rounds
        looked_up: list[str] = []
        is_able = self._calls_tools(request.route)
        for number in range(rounds + 1) if is_able else ():
            tools = {"tools": [_TOOL], "tool_choice": "auto"} if number < rounds else {}
            messages = look_up.found().beside(request.messages)
            if looked_up:  # also where nothing was found: an equal question has an equal answer
                said = f"{_LOOKED_UP} {json_text(looked_up)}"
                messages = (*messages, LLMMessage(LLMRole.USER, said))
            asked = replace(
                request, messages=messages, mode=OutputMode.PROMPT,
                parameters={**request.parameters, **tools},
            )  # fmt: skip
            # A call of the tool is not text for the listener.
            heard = replace(context, on_text=None) if tools else context
            try:
                answer = await self.loop.completer.complete(asked, heard)
            except LLMError as error:
                if number or not 400 <= error.status < 500 or error.status in _NOT_OF_TOOLS:
                    raise
                break
            wanted = wanted_query(answer)
            if wanted is None or not tools:
                if tools and context.on_text is not None and not answer.cached:
                    context.on_text(answer.text)
                if wanted is not None:
                    look_up.note("The model asked for one search too many in place of an answer.")
                found = look_up.found(context.cost.billed_usd) if number else Found(_QUIET)
                return found, answer
            query = query_of(wanted)
            looked_up.append(query or "(not a query)")
            await look_up.look_for(query)
        found = await self.found(text, replace(choice, mode="auto"), request, context)
        why = f"The model calls no tools, so it is searched for as in auto. {found.report.reason}"
        return replace(found, report=replace(found.report, reason=why)), None

    def _calls_tools(self, route: str) -> bool:
        """Whether no deployment of a route is known to call no tools."""
        group = self.loop.router.routes.first_group(route)
        if are_embedded(group):
            return False
        stated = (one.model_info.get("supports_function_calling") for one in group)
        return all(one is not False for one in stated)

    def planned(self, plan: Plan, choice: SearchChoice) -> Plan:
        """The bounds of a request with those of its search."""
        mode = choice.mode
        if mode == "off":
            return plan
        about, known = self.loop.settings.search, self.searcher().engines.ready
        searches = about.rounds if mode == "tool" else 1
        reading = _READING_CALLS if about.reading == "facts" else 0
        calls = searches * reading + (mode == "tool") * (about.rounds + 1) + bool(about.query_route)
        prices = [one.price_usd(about.max_results) for one in known]
        tries = searches * 3 * max(len(known), 1)
        usd: float | None = None
        if plan.max_cost_usd is not None and None not in prices:
            per_call = plan.max_cost_usd / max(plan.max_calls, 1)
            usd = plan.max_cost_usd + calls * per_call + 3 * searches * sum(p or 0 for p in prices)
        per_call_attempts = plan.max_wire_attempts // max(plan.max_calls, 1)
        line = (
            f"search ({mode}): at most {searches} searches over {len(known)} engines, {tries}"
            f" requests, and {calls} calls to write queries and to read; half of the time"
        )
        return replace(
            plan,
            max_calls=plan.max_calls + calls,
            max_wire_attempts=plan.max_wire_attempts + tries + calls * per_call_attempts,
            max_cost_usd=usd,
            lines=(*plan.lines, line),
        )


@dataclass
class CompletionSearch:
    """The search for one of LiteLLM's own calls, whose `arguments` get what was found."""

    searches: Searches
    choice: SearchChoice
    arguments: dict[str, Any]
    found: Found = field(default_factory=Found)

    async def __call__(self, context: RunContext) -> None:
        """Search, on the bill of `context`, and put what was found beside the messages."""
        given, loop = self.arguments, self.searches.loop
        messages, tenant = as_messages(given["messages"]), str(given.get("tenant") or "")
        use, keep = cache_use(given.get("cache"), loop.settings.cache, tenant)
        request = Request(messages, str(given.get("model") or "default"), cache=use, keep=keep)
        context = replace(context, hook=loop.hook)
        text = last_of_user(messages)
        self.found = await self.searches.found(text, self.choice, request, context)
        given["messages"] = [turn.as_dict() for turn in self.found.beside(messages)]

    async def alone(self, ledger: Ledger) -> None:
        """Search with a line of its own in the ledger."""
        route, tenant = (str(self.arguments.get(name) or "") for name in ("model", "tenant"))
        with ledger.open("search", route=route or "default", tenant=tenant) as entry:
            await self(entry.context)
            entry.outcome = self.found.report.status


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
