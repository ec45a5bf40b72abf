"""One call of one search engine: its hits, or why it gave none."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import html
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.parsing.addresses import canonical_url, clean_url
from orchestrator.routing import _litellm
from orchestrator.routing.engines import DDGS
from orchestrator.routing.host import hosted_router
from orchestrator.routing.redirects import SEEN, RedirectRefusedError, Seen
from orchestrator.types.searching import SearchHit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from orchestrator.routing.engines import SearchEngine

#: What an engine sends for twenty results takes a tenth of it.
MOST_BYTES = 2 * 2**20
_TOO_LONG = f"its answer is longer than {MOST_BYTES // 2**20} MiB"
_LONGEST = {"title": 500, "snippet": 20_000, "date": 60}  # characters
_MARKUP = re.compile(r"</?(?:b|em|i|mark|strong)>", re.I)  # engines mark the words of a query
_TOOL = "search"
#: Searches in threads at a time; a thread that nobody waits for ends with its own timeout.
_THREADS = threading.BoundedSemaphore(16)
_PAUSE_S = 0.02
_TRANSIENT = frozenset({408, 425, 429})
#: A page that asks whether one is a robot, at DuckDuckGo.
_DOUBTED = 202


@dataclass(slots=True)
class EngineError(Exception):
    """An engine gave no results, for a reason in a few words without secrets.

    Attributes:
        outcome: the name under which the ledger has it.
        is_transient: whether it may be asked again.
        retry_after_s: seconds that it asked to wait; None where it did not say.
        was_sent: whether anything left this machine.
    """

    reason: str
    outcome: str = "ServiceUnavailableError"
    status: int = 0
    is_transient: bool = False
    retry_after_s: float | None = None
    was_sent: bool = True

    def __str__(self) -> str:
        return self.reason


@dataclass(slots=True)
class EngineCalls:
    """Asks engines: LiteLLM's through its Router, those without a key through ddgs.

    Attributes:
        region: country and language, such as ``us-en``; empty for none.
        proxy: for the engines without a key, as ddgs reads it; empty for none.
    """

    region: str = ""
    proxy: str = ""
    _routers: dict[int, Any] = field(default_factory=dict)

    async def hits(
        self, one: SearchEngine, query: str, most: int, seconds: float, seen: Seen
    ) -> tuple[tuple[SearchHit, ...], float | None]:
        """At most so many results within so many seconds, no page twice; and the dollars that
        LiteLLM says they cost, None where it does not.

        Raises: EngineError: it gave none; TimeoutError.
        """
        async with asyncio.timeout(seconds):
            if one.provider == DDGS:
                seen.sent += 1
                ask = functools.partial(_from_ddgs, one, query, self.region, seconds, self.proxy)
                return _hits(await _in_thread(ask), most), None
            return await self._from_litellm(one, query, most, seconds, seen)

    async def _from_litellm(
        self, one: SearchEngine, query: str, most: int, seconds: float, seen: Seen
    ) -> tuple[tuple[SearchHit, ...], float | None]:
        await _litellm.loaded()
        router = self._router_of(one)
        country = {"country": self.region[:2].upper()} if self.region else {}
        tokens = SEEN.set(seen), _litellm.OURS.set(True)
        try:
            # Retries and fallbacks are those of `Searcher`: LiteLLM's would ask again for a page
            # that is not JSON, and wait a minute where a server says so.
            response = await router.asearch(
                query=query, search_tool_name=_TOOL, max_results=most, timeout=seconds,
                num_retries=0, disable_fallbacks=True, **country,
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001  LiteLLM raises its own, httpx's, ValueErrors
            if rows := _read_over(one.provider, seen):
                return _hits(rows, most), None
            failure = _failure(error, seen)
        else:
            if response.results or not (words := _complaint(seen)):
                cost = (getattr(response, "_hidden_params", None) or {}).get("response_cost")
                return _hits(map(vars, response.results), most), float(cost) if cost else None
            failure = EngineError(words, "BadResponseError", seen.response.status_code)
        finally:
            SEEN.reset(tokens[0])
            _litellm.OURS.reset(tokens[1])
        raise failure  # out here: the original quotes the address, and the key in it

    def _router_of(self, one: SearchEngine) -> Any:
        """A Router for each engine: of two tools with one name LiteLLM asks either."""
        if (known := self._routers.get(id(one))) is not None:
            return known
        tool = {"search_tool_name": _TOOL, "litellm_params": dict(one.params.value)}
        made = hosted_router(search_tools=[tool], num_retries=0).router
        self._routers[id(one)] = made
        return made

    async def aclose(self) -> None:
        """Release the Routers and the HTTP clients of this event loop."""
        routers, self._routers = self._routers, {}
        for router in routers.values():
            router.retire()
        if routers:
            await _litellm.close_clients([_litellm.loop_token()])


def _failure(error: Exception, seen: Seen) -> EngineError:
    """Why a call failed, from what was seen on the wire: LiteLLM says 500 of everything else."""
    redirect = next((e for e in _chain(error) if isinstance(e, RedirectRefusedError)), None)
    if redirect is not None:
        return EngineError(str(redirect), "RedirectRefusedError")
    if not seen.sent:
        return EngineError(
            f"LiteLLM did not send it ({type(_last(error)).__name__})", was_sent=False
        )
    if seen.response is None:
        words = f"it cannot be reached ({type(_last(error)).__name__})"
        return EngineError(words, is_transient=True)
    status = int(seen.response.status_code)
    if seen.is_too_long:
        return EngineError(_TOO_LONG, "BadResponseError", status)
    if status >= 300:
        return status_error(status, seen.response.headers.get("retry-after"))
    if not seen.is_whole:
        return EngineError("it hung up before the end of its answer", is_transient=True)
    kind = str(seen.response.headers.get("content-type") or "no type")[:60]
    words = f"its answer is not what this engine sends ({kind}), is that the right api_base?"
    return EngineError(words, "BadResponseError", status)


def status_error(status: int, retry_after: str | None = None) -> EngineError:
    """What an HTTP status that is not a success means for a search."""
    words = {
        401: ", the key is refused",
        403: ", it refuses this (SearXNG: json is not in search.formats)",
        429: ", its rate limit",
    }
    words[_DOUBTED] = ", it takes this for a robot"
    transient = status in _TRANSIENT or status >= 500
    outcome = {401: "AuthenticationError", 429: "RateLimitError", _DOUBTED: "RateLimitError"}
    usual = "ServiceUnavailableError" if transient else "BadRequestError"
    return EngineError(
        f"HTTP {status}{words.get(status, '')}", outcome.get(status, usual), status, transient,
        _seconds(retry_after),
    )  # fmt: skip


def _seconds(retry_after: str | None) -> float | None:
    """Of a header in seconds; one with a date is passed over."""
    text = (retry_after or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


def _last(error: BaseException) -> BaseException:
    return list(_chain(error))[-1]


def _read_over(provider: str, seen: Seen) -> list[dict[str, Any]]:
    """The results of an answer of which LiteLLM refuses every row where one is odd."""
    utils = _litellm.load().utils
    reader = utils.ProviderConfigManager.get_provider_search_config(utils.SearchProviders(provider))
    if reader is None or not seen.is_whole or seen.response.status_code != 200:
        return []
    try:
        body = _spelled_out(seen.response.json())
        body = type(seen.response)(200, json=body, request=seen.response.request)
        read = reader.transform_search_response(body, logging_obj=None)
    except Exception:  # noqa: BLE001  as above: then it is what it seemed to be
        return []
    return [vars(one) for one in read.results]


def _spelled_out(value: Any) -> Any:
    """JSON with text in place of its nulls and numbers; beside objects nothing else is a row."""
    if isinstance(value, dict):
        return {name: _spelled_out(part) for name, part in value.items()}
    if isinstance(value, list):
        rows = [part for part in value if isinstance(part, dict)]
        return [_spelled_out(part) for part in rows or value if part is not None]
    return "" if value is None else value if isinstance(value, str) else str(value)


def _complaint(seen: Seen) -> str:
    """What a body without results says; empty where nothing was found.

    LiteLLM takes ``{"error": …}`` with the status 200 for an empty list.
    """
    try:
        body = seen.response.json()
    except (ValueError, AttributeError):
        return ""
    if not isinstance(body, dict):
        return ""
    if any(body.get(name) for name in ("error", "errors", "fault")):
        return "it answers with an error in place of results"
    if body.get("unresponsive_engines"):
        return "the engines behind it did not respond"
    return "" if any(isinstance(part, dict | list) for part in body.values()) else (
        "its answer holds no results and does not say why"
    )  # fmt: skip


def _hits(found: Iterable[dict[str, Any]], most: int) -> tuple[SearchHit, ...]:
    """The first results with an address of the web, no page twice."""
    hits: dict[str, SearchHit] = {}
    for one in found:
        url = clean_url(str(one.get("url") or ""))
        if url and (page := canonical_url(url)) not in hits:
            texts = {
                name: html.unescape(_MARKUP.sub("", str(one.get(name) or "")[:size]))
                for name, size in _LONGEST.items()
            }
            hits[page] = SearchHit(url=url, **texts)
        if len(hits) == most:
            break
    return tuple(hits.values())


async def _in_thread(call: Callable[[], Any]) -> Any:
    """What `call` returns, from a thread of its own that keeps nobody from leaving.

    An executor's threads are waited for at the end of the process.
    """
    while not _THREADS.acquire(blocking=False):  # noqa: ASYNC110  threads of any loop release it
        await asyncio.sleep(_PAUSE_S)
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def end(result: Any, error: Exception | None) -> None:
        if not future.done():
            future.set_result(result) if error is None else future.set_exception(error)

    def run() -> None:
        result, failure = None, None
        try:
            result = call()
        except Exception as error:  # noqa: BLE001  raised where it is waited for
            failure = error
        finally:
            _THREADS.release()
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(end, result, failure)

    threading.Thread(target=run, name="search", daemon=True).start()
    return await future


def _from_ddgs(
    one: SearchEngine, query: str, region: str, seconds: float, proxy: str
) -> list[dict[str, Any]]:
    """The results of one engine of ddgs.

    Asked by itself: ``DDGS().text`` waits for its threads whatever its timeout, and does not say
    what a server answered.
    """
    from ddgs.engines import ENGINES  # noqa: PLC0415  of the extra; 30 ms
    from ddgs.exceptions import DDGSException, TimeoutException  # noqa: PLC0415

    if (kind := ENGINES["text"].get(one.backend)) is None:
        words = "this release of ddgs does not have it; known: " + ", ".join(ENGINES["text"])
        raise EngineError(words, was_sent=False)
    try:
        engine: Any = kind(proxy=proxy or None, timeout=max(seconds, 0.1))  # type: ignore[arg-type]  # primp takes floats
        engine.http_client.request = functools.partial(_checked, engine.http_client.request)
        found: Sequence[Any] = engine.search(query, region=region or "us-en") or ()
    except TimeoutException:
        raise TimeoutError from None
    except DDGSException as error:
        name = type(error.__cause__ or error).__name__
        raise EngineError(f"it cannot be reached ({name})", is_transient=True) from None
    except EngineError:
        raise
    except Exception as error:  # noqa: BLE001  it reads pages of strangers
        words = f"its page cannot be read ({type(error).__name__})"
        raise EngineError(words, "BadResponseError", 200) from None
    return [{"title": hit.title, "url": hit.href, "snippet": hit.body} for hit in found]


def _checked(request: Callable[..., Any], *given: Any, **arguments: Any) -> Any:
    """The response of a request of ddgs, which passes over each that is not a success."""
    response = request(*given, **arguments)
    if response.status_code != 200:
        raise status_error(response.status_code, response._resp.headers.get("retry-after"))
    if len(response.content) > MOST_BYTES:
        raise EngineError(_TOO_LONG, "BadResponseError", 200)
    return response
