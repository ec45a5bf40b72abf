"""Routes whose bodies have each key once: of two, the last would win without a word."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute
from starlette.requests import Request

from orchestrator.parsing.bounds import json_value

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.responses import Response


class _Request(Request):
    async def json(self) -> Any:
        """The value of the body. Raises: JSONDecodeError: it is not JSON, or has a key twice."""
        try:
            return json_value(await self.body(), takes_twice=False)
        except json.JSONDecodeError:
            raise
        except ValueError as error:
            raise json.JSONDecodeError(str(error), "", 0) from None


class OnceRoute(APIRoute):
    """A route that reads its body so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler with the request in that form."""
        handler = super().get_route_handler()

        async def read(request: Request) -> Response:
            return await handler(_Request(request.scope, request.receive))

        return read
