"""How connections are taken: a client that sends its request too slowly is cut off."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import TYPE_CHECKING, Any, ClassVar

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from orchestrator.config.serving import ServerSettings

#: A request, head and body, arrives within so many seconds; uvicorn itself would wait for ever.
ARRIVAL_S = 30.0
_WAITING = (h11.IDLE, h11.SEND_BODY)
#: Of more connections that wait for their request, those that wait longest are closed, so that
#: a client that opens many keeps nobody out. Requests at once are bounded by the gate.
MOST_WAITING = 512
#: What has come is read within so many seconds, however many come at once.
_UNREAD_S = 1.0


class Arriving(H11Protocol):
    """uvicorn's protocol, with a bound on the time in which a request arrives."""

    _late: asyncio.TimerHandle | None = None
    _is_upgraded = False
    _arriving: ClassVar[dict[Arriving, float]] = {}

    def connection_made(self, transport: Any) -> None:
        """The first request is awaited."""
        super().connection_made(transport)
        self._await_rest()

    def data_received(self, data: bytes) -> None:
        """Go on waiting, unless the request is whole."""
        super().data_received(data)
        if self.conn.their_state in _WAITING and not self._is_upgraded:
            self._await_rest()
        else:
            self._stop_waiting()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """From here on its protocol reads, which pings a client that says nothing."""
        super().handle_websocket_upgrade(event)
        self._is_upgraded = True

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_rest(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(ARRIVAL_S, self.transport.close)
            self._arriving[self] = self.loop.time()
            if len(self._arriving) > MOST_WAITING:
                oldest, since = next(iter(self._arriving.items()))
                if self.loop.time() - since > _UNREAD_S:
                    oldest._stop_waiting()
                    oldest.transport.close()

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
            self._arriving.pop(self, None)


class Ending(uvicorn.Server):
    """uvicorn's server; readers and turns that nobody reads share the time that an end may take.

    With `has_process` the process is its own and ends with it: what was loaded before the first
    request is never looked through for garbage, which would stop all requests for 0.4 s each time.
    """

    def __init__(self, config: uvicorn.Config, *, has_process: bool = False) -> None:
        super().__init__(config)
        self._has_process = has_process

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Get ready, then take requests."""
        await super().startup(sockets)
        if self._has_process:
            gc.collect()
            gc.freeze()

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        """Take no more requests, and finish those there are; a second Ctrl-C does not wait."""
        gate: Any = self.config.app
        gate.end()
        ending = asyncio.create_task(super().shutdown(sockets))
        while not (ending.done() or self.force_exit):
            await asyncio.wait([ending], timeout=0.1)
        if self.force_exit:
            ending.cancel()  # uvicorn itself would wait for turns that nobody reads
            # It would log all that is cut off now as faults, with tracebacks.
            logging.getLogger("uvicorn.error").disabled = True
        await asyncio.gather(ending, return_exceptions=self.force_exit)
        # Raised again after this; asyncio would have a second one interrupt its loop midway.
        del self._captured_signals[1:]


def listening(app: Any, settings: ServerSettings) -> uvicorn.Config:
    """How uvicorn serves the application of `create_app`.

    Nothing is believed of headers that a proxy would set: whose a request is, its key says.
    """
    return uvicorn.Config(
        app, http=Arriving, ws="websockets-sansio", ws_max_size=settings.body_kb * 1024,
        ws_per_message_deflate=False, proxy_headers=False, log_config=None, server_header=False,
        date_header=False, timeout_graceful_shutdown=int(settings.shutdown_s),
        timeout_keep_alive=15,
    )  # fmt: skip
