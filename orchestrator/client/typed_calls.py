"""What type checkers know of LiteLLM's calls: `parsed` has the type of ``response_format``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast, overload

if TYPE_CHECKING:
    from orchestrator.client.structured import Check
    from orchestrator.types.requests import Generation

T = TypeVar("T")


class ParsedResponse(Protocol[T]):
    """LiteLLM's ``ModelResponse`` of a call with ``refine`` or ``checks``."""

    @property
    def parsed(self) -> T:
        """The typed value."""

    @property
    def generation(self) -> Generation[T]:
        """Everything that led to it."""

    def __getattr__(self, name: str) -> Any: ...


class Completion(Protocol):
    """A blocking call with LiteLLM's arguments."""

    @overload
    def __call__(
        self, *given: Any, response_format: type[T], refine: int, **arguments: Any
    ) -> ParsedResponse[T]: ...
    @overload
    def __call__(
        self, *given: Any, response_format: type[T], checks: Sequence[Check], **arguments: Any
    ) -> ParsedResponse[T]: ...
    @overload
    def __call__(self, *given: Any, **arguments: Any) -> Any: ...


class AsyncCompletion(Protocol):
    """The same call, awaited."""

    @overload
    async def __call__(
        self, *given: Any, response_format: type[T], refine: int, **arguments: Any
    ) -> ParsedResponse[T]: ...
    @overload
    async def __call__(
        self, *given: Any, response_format: type[T], checks: Sequence[Check], **arguments: Any
    ) -> ParsedResponse[T]: ...
    @overload
    async def __call__(self, *given: Any, **arguments: Any) -> Any: ...


def typed(call: Callable[..., Any]) -> Completion:
    """`call` itself, with the types of `Completion`."""
    return cast("Completion", call)


def typed_async(call: Callable[..., Coroutine[Any, Any, Any]]) -> AsyncCompletion:
    """`call` itself, with the types of `AsyncCompletion`."""
    return cast("AsyncCompletion", call)
