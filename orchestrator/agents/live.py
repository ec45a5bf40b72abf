"""A turn that is being answered: its text as it comes, for as many readers as there are."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from orchestrator.agents.interaction import Interaction


@dataclass(frozen=True, slots=True)
class Heard:
    """What a reader has of an answer.

    Attributes:
        length: in characters.
        mark: of the text itself, so that the same answer is known from another one.
        is_whole: whether the reader knows that this is all.
    """

    length: int = 0
    mark: str = ""
    is_whole: bool = False

    @classmethod
    def of(cls, text: str) -> Heard:
        """That a reader has `text`."""
        return cls(len(text), hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16])


@dataclass(frozen=True, slots=True)
class Piece:
    """The next piece of an answer.

    Attributes:
        heard: what its reader then has.
        begins_again: whether this is another answer, and what the reader had is void.
    """

    text: str
    heard: Heard
    begins_again: bool = False


class LiveTurn:
    """The task that answers a turn, which goes on when a reader leaves.

    Attributes:
        turn_id, conversation_id, number: whose it is.
        text: what has come so far.
    """

    def __init__(self, turn_id: str, conversation_id: str, number: int) -> None:
        """`task` is set by who starts it."""
        self.turn_id, self.conversation_id, self.number = turn_id, conversation_id, number
        self.text = ""
        self.task: asyncio.Task[Interaction] | None = None
        self._grown = asyncio.Event()

    def hear(self, piece: str) -> None:
        """The next piece of the answer."""
        self.text += piece
        self._wake()

    def settle(self, text: str) -> None:
        """The whole answer, which may have come in one piece."""
        self.text = text
        self._wake()

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

    async def pieces(self, heard: Heard | None = None) -> AsyncIterator[Piece]:
        """The text after what a reader has, until the turn is over.

        A reader has the beginning of an answer that a dead process did not keep: the model is
        asked again, and says something else. Then its text comes from the beginning, and says so;
        a reader never gets a mixture. Whether the turn was answered says `result`.
        """
        assert self.task is not None
        self.task.add_done_callback(lambda _: self._wake())
        had, text = heard or Heard.of(""), None if heard else ""
        while True:
            grown, is_over = self._grown, self.task.done()
            begins_again = False
            if text is None and (is_over or (not had.is_whole and len(self.text) >= had.length)):
                text = self.text if had.is_whole else self.text[: had.length]
                begins_again = Heard.of(text).mark != had.mark
            elif text is not None:
                begins_again = not self.text.startswith(text)
            if begins_again:
                text = ""
            if text is not None and (begins_again or len(self.text) > len(text)):
                piece, text = self.text[len(text) :], self.text
                yield Piece(piece, Heard.of(text), begins_again)
            elif is_over:
                return
            else:
                await grown.wait()

    async def result(self) -> Interaction:
        """What came of it; leaving the wait does not end the turn.

        Raises: what answering it raised.
        """
        assert self.task is not None
        return await asyncio.shield(self.task)
