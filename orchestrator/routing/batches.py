"""A provider's batch endpoints, in OpenAI's form: a file of requests, answered within a day.

Everything is pinned to one deployment: in a group of several LiteLLM would put file and batch on
different ones. Nothing is retried here that a provider may have carried out already.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.models.facts import PRICES
from orchestrator.routing import _litellm
from orchestrator.routing.counts import usage_of
from orchestrator.routing.output_modes import messages_of, response_format_arguments
from orchestrator.routing.prices import as_number, cost_at, expected_attempt, model_table
from orchestrator.routing.translate import refused_parameters, translated
from orchestrator.routing.whole import answer_of
from orchestrator.types.errors import BadRequestError, ConfigError, LLMError
from orchestrator.types.requests import WireAttempt
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from orchestrator.models.deployment import Deployment
    from orchestrator.routing.complete import RouterCompleter
    from orchestrator.types.requests import Answer, Request

URL = "/v1/chat/completions"
_MARK = "orchestrator"
_PAGE = 100
_MOST_PAGES = 50
_UNDO = "Leave out the engine to ask at once, or name a route to an openai/… model that has them."
#: LiteLLM downloads the whole output at each poll of a finished batch, to log it, unless this
#: says not to.
_UNLOGGED = {"batch_ignore_default_logging": True}
#: Parameters of a deployment that say how it is asked, not what.
_NOT_SENT = frozenset({
    "api_version", "custom_llm_provider", "extra_headers", "max_retries", "messages", "metadata",
    "model", "stream", "stream_options",
})  # fmt: skip
#: Statuses that say that nothing was made.
REFUSALS = frozenset({400, 401, 403, 404, 405, 413, 422, 429})


@dataclass(frozen=True, slots=True)
class BatchState:
    """What a provider says of a batch.

    Attributes:
        status: ``validating``, ``in_progress``, ``completed``, ``failed``, ``expired``…
        files: ids of the files with its results, those of its errors last.
        problem: why it failed, in the provider's words.
    """

    status: str
    files: tuple[str, ...]
    problem: str

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in ("completed", "failed", "expired", "cancelled")


@dataclass(frozen=True)
class ProviderBatches:
    """The batch endpoints of one deployment."""

    router: RouterCompleter
    one: Deployment

    async def body(self, request: Request) -> dict[str, Any]:
        """What the wire gets of a request: its parameters as LiteLLM spells them for the model.

        Raises: what LiteLLM raises for a parameter that the model does not have.
        """
        litellm = await _litellm.loaded()
        known = litellm.constants.DEFAULT_CHAT_COMPLETION_PARAM_VALUES
        stated = {**self.router.deployments.defaults, **self.one.params.value}
        own = frozenset() if request.sample else request.optional & stated.keys()
        given = {name: value for name, value in stated.items() if name in known}
        given |= {name: value for name, value in request.parameters.items() if name not in own}
        given |= response_format_arguments(request)
        given = {n: v for n, v in given.items() if v is not None and n not in _NOT_SENT}
        model, provider, *_ = litellm.get_llm_provider(self.one.model)
        while True:
            try:
                sent = litellm.utils.get_optional_params(
                    model=model, custom_llm_provider=provider, **given
                )
                break
            except litellm.UnsupportedParamsError as error:
                if not (refused := refused_parameters(error, request.optional & given.keys())):
                    raise
                given = {name: value for name, value in given.items() if name not in refused}
        sent.pop("stream", None)
        more = {**(sent.pop("extra_body", None) or {}), **(stated.get("extra_body") or {})}
        return {"model": model, "messages": messages_of(request), **sent, **more}

    def price(self) -> tuple[float, float] | None:
        """Dollars per prompt and answer token in a batch; the full price where none is stated."""
        own = {**self.one.model_info, **self.one.params.value}
        stated = own if any(name in own for name in PRICES) else self.one.entry_in(model_table())
        found = []
        for name in PRICES:
            price = as_number(stated.get(f"{name}_batches"))
            found.append(as_number(stated.get(name)) if price is None else price)
        prompt, answer = found
        return None if prompt is None or answer is None else (prompt, answer)

    def expected(self, body: Mapping[str, Any]) -> WireAttempt:
        """What a line may take: its prompt, and an answer of full length, at the batch's price."""
        asked = {**body, "model": self.one.id}
        made = expected_attempt(self.router.deployments, "acompletion", asked)
        return WireAttempt(
            self.one.id, made.provider, made.model, made.outcome, usage=made.usage,
            cost_usd=cost_at(self.price(), made.usage), estimated=True,
        )  # fmt: skip

    async def upload(self, lines: bytes) -> str:
        """Send a file of requests, which costs nothing; its id.

        Raises: ConfigError: there are no batch endpoints; LLMError: it failed.
        """
        try:
            made = await self._call("acreate_file", file=("requests.jsonl", lines), purpose="batch")
        except LLMError as error:
            if error.status in (404, 405):
                raise no_endpoints(self.one.id, f"the provider answers {error.status}") from None
            raise
        return str(made.id)

    async def create(self, file: str, mark: str) -> str:
        """Buy what a file asks for; the id of the batch.

        Raises: LLMError: it was not made (its status is one of `REFUSALS`), or nobody knows.
        """
        made = await self._call(
            "acreate_batch", completion_window="24h", endpoint=URL, input_file_id=file,
            metadata={_MARK: mark}, num_retries=0, max_retries=0,
        )  # fmt: skip
        return str(made.id)

    async def find(self, file: str, mark: str, *, since: float = 0.0) -> str:
        """The id of the batch with a mark, or of a file; empty where there is none.

        `since`: when, in seconds since 1970, it was made at the earliest.

        Raises: LLMError: the provider could not be asked.
        """
        litellm = await _litellm.loaded()
        router = await self.router.transport.router()
        # The Router's own list gives none where asking failed, and it would be bought again.
        credentials = router.registry().credentials(self.one.id, form="with_provider")
        after = None
        for _ in range(_MOST_PAGES):
            page = await self._raised_as_ours(
                litellm.alist_batches(after=after, limit=_PAGE, **credentials)
            )
            for batch in page.data:
                if (batch.metadata or {}).get(_MARK) == mark or batch.input_file_id == file:
                    return str(batch.id)
            if not page.data or page.data[-1].created_at < since or not page.has_more:
                return ""
            after = page.data[-1].id
        return ""

    async def state(self, batch: str) -> BatchState:
        """How far a batch is.

        Raises: LLMError: the provider could not be asked.
        """
        made = await self._call("aretrieve_batch", batch_id=batch, litellm_metadata=_UNLOGGED)
        files = tuple(one for one in (made.output_file_id, made.error_file_id) if one)
        said = getattr(made.errors, "data", None) or []
        words = "; ".join(f"{one.code}: {one.message}" for one in said[:3])
        return BatchState(str(made.status), files, visible(words)[:500])

    async def content(self, file: str) -> bytes:
        """A file of results.

        Raises: LLMError: it cannot be had.
        """
        return bytes((await self._call("afile_content", file_id=file)).content)

    async def answer(self, body: Any) -> Answer | None:
        """The answer in a line of results; None where there is none."""
        await asyncio.sleep(0)  # there may be thousands
        try:
            return await self._answer(body)
        except (ValueError, TypeError, LookupError, AttributeError):
            return None

    async def _answer(self, body: Mapping[str, Any]) -> Answer:
        response = await self.router.revived("ModelResponse", body)
        finish = body["choices"][0].get("finish_reason") or ""
        usage = usage_of(response)
        model, provider, *_ = (await _litellm.loaded()).get_llm_provider(self.one.model)
        attempt = WireAttempt(
            self.one.id, provider, str(response.model or model), "answered", 200, usage=usage,
            cost_usd=cost_at(self.price(), usage),
        )  # fmt: skip
        made = answer_of(response, (attempt,), 0.0)
        return made if finish else replace(made, finish="")

    async def _call(self, method: str, **arguments: Any) -> Any:
        """A call of the Router's that asks no model: it takes no place and is on no bill."""
        transport = self.router.transport
        await _litellm.loaded()
        router = await transport.router()
        transport.guard.check(self.router.deployments, router, {"model": self.one.id})
        call = getattr(router, method)(model=self.one.id, **arguments)
        return await self._raised_as_ours(call)

    async def _raised_as_ours(self, call: Any) -> Any:
        token = _litellm.OURS.set(True)
        try:
            async with asyncio.timeout(self.router.deadline_s):
                return await call
        except Exception as error:  # noqa: BLE001  LiteLLM raises its own, openai's, httpx's
            failure = translated(error, route=self.one.id)
        finally:
            _litellm.OURS.reset(token)
        raise failure


def line_of(name: str, body: Mapping[str, Any]) -> bytes:
    """The line of a file of requests."""
    made = {"custom_id": name, "method": "POST", "url": URL, "body": body}
    return json.dumps(made, ensure_ascii=False).encode(errors="replace") + b"\n"


def results_in(lines: bytes) -> dict[str, Mapping[str, Any]]:
    """The answers in a file of results, by ``custom_id``; of two with one id the first.

    What is broken, was refused or is of another file is left out.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for line in lines.splitlines():
        try:
            made = json.loads(line)
        except (ValueError, RecursionError):
            continue
        response = made.get("response") if isinstance(made, Mapping) else None
        if not isinstance(response, Mapping) or response.get("status_code") != 200:
            continue
        body, name = response.get("body"), made.get("custom_id")
        if isinstance(body, Mapping) and isinstance(name, str):
            found.setdefault(name, body)
    return found


def batches_of(router: RouterCompleter, route: str) -> ProviderBatches:
    """The batch endpoints of a route: of the first deployment of its first group that has them.

    Raises: ConfigError: none has.
    """
    first = router.routes.first_group(route)
    for one in first:
        if one.provider == "openai":
            return ProviderBatches(router, one)
    names = ", ".join(one.model for one in first) or "nothing"
    raise no_endpoints(f"the route {route}", f"it asks {names} first")


def no_endpoints(who: str, why: str) -> ConfigError:
    """The error for a provider whose batch endpoints are not there, or not known."""
    return ConfigError("--engine provider", f"{who} has no batch endpoints: {why}", fix=_UNDO)


def batch_failed(batch: str, problem: str) -> BadRequestError:
    """The error for a batch that a provider refused as a whole; nothing of it was paid."""
    return BadRequestError(
        f"the provider refused the batch {batch}, and nothing of it is paid:"
        f" {problem or 'it does not say why'}. Correct that, make the files smaller (--batch-size),"
        " or leave out the engine; then go on with the same journal."
    )
