"""What each code of the catalogue means, with a document that raises it and one that does not.

They stand in ``code_examples.txt``, for `orchestrator explain CODE` and docs/gmn.md alike. An
example is a whole document, or the nodes that differ from those of `BASE`.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE = Path(__file__).with_name("code_examples.txt")
_TIMES = re.compile(r"<<(\d+) times: ((?:[^<>]|<(?!<)|>(?!>))*+)>>")
_NODE = re.compile(r"node \w+ (\w+)")
_WITHOUT = "# without "
_ONES_OWN = re.compile(r"(?:node |# without )")


@dataclass(frozen=True, slots=True)
class CodeExample:
    """What a code means, and two documents.

    Attributes:
        words: what is wrong and how it is put right; of a code that no document raises, what does.
        fails: the document that raises it as it is printed; empty where none does.
        fixed: the document that does not.
        beside: what is said beside the documents: a ``request``, an expectation to ``expect``, a
            bound, such as ``max_states``, or a kind to read them ``as``.
    """

    words: str
    fails: str = ""
    fixed: str = ""
    beside: Mapping[str, str] = ()  # type: ignore[assignment]  # an empty one, which never changes

    def documents(self) -> tuple[str, str]:
        """Both documents as they are validated, the failing one first."""
        return whole(self.fails), whole(self.fixed)


def whole(example: str) -> str:
    """The document that an example stands for: what it says in place of, or beside, `BASE`."""
    text = _TIMES.sub(lambda found: int(found[1]) * found[2], example)
    if not text or not _ONES_OWN.match(text):
        return text
    gone = {line.removeprefix(_WITHOUT) for line in text.splitlines() if line.startswith(_WITHOUT)}
    said = {_name(part): part for part in _parts(text)}
    kept = [said.pop(_name(part), part) for part in _parts(base()) if _name(part) not in gone]
    return "".join([*kept, *said.values(), "end\n"])


def _name(part: str) -> str:
    """What a node is called; all of it where it has no name."""
    found = _NODE.match(part)
    return found[1] if found else part


def _parts(text: str) -> list[str]:
    """A text from node to node, comments and the closing line left out."""
    lines = [line for line in text.splitlines() if line != "end" and not line.startswith(_WITHOUT)]
    return re.split(r"(?m)^(?=node )", "".join(f"{line}\n" for line in lines))


@functools.cache
def base() -> str:
    """The valid document of which examples say only what differs."""
    return _sections()["BASE"].fixed


def code_examples() -> Mapping[str, CodeExample]:
    """The example of every code, as ``GMN201``."""
    return {code: one for code, one in _sections().items() if code != "BASE"}


@functools.cache
def _sections() -> dict[str, CodeExample]:
    found: dict[str, CodeExample] = {}
    for section in re.split(r"(?m)^== ", _FILE.read_text(encoding="utf-8"))[1:]:
        code, _, rest = section.partition("\n")
        words, *parts = re.split(r"(?m)^-- ", rest)
        said = dict(re.split(r"[:\n]\s*", part.rstrip("\n"), maxsplit=1) for part in parts)
        documents = {k: f"{said.pop(k)}\n" for k in ("fails", "fixed") if k in said}
        found[code] = CodeExample(" ".join(words.split()), **documents, beside=said)
    return found
