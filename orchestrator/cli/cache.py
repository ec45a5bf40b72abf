"""`orchestrator cache`: list, compare, verify, export, import and remove cached answers."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import to_jsonable_python

from orchestrator.cache.keys import differences, digest
from orchestrator.cli.output import (
    GOOD,
    INVALID,
    UsageError,
    echo_json,
    echo_lines,
    echo_result,
    echo_stderr,
    table,
)
from orchestrator.client.stores import store_of
from orchestrator.config.settings import Config
from orchestrator.ledger.private import open_private
from orchestrator.parsing.bounds import json_value
from orchestrator.types.visible import json_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from orchestrator.cache.store import Store

_MOST_CHARACTERS = 60


def run(arguments: argparse.Namespace) -> int:
    """Run one action on the store; exit 1 when `verify` finds damage."""
    settings = Config.load(None, os.environ).orchestrator.cache
    with contextlib.closing(store_of(settings, os.environ)) as store:
        return _ACTIONS[arguments.action](store, arguments)


def _info(store: Store, arguments: argparse.Namespace) -> int:
    info = store.info()
    value = {
        "directory": str(info.directory), "entries": info.entries, "size_bytes": info.size_bytes
    }  # fmt: skip
    words = f"{info.directory}: {info.entries} entries, {info.size_bytes // 1024} KiB"
    return _print(arguments, value, words)


def _clear(store: Store, arguments: argparse.Namespace) -> int:
    removed = store.evict(arguments.tag) if arguments.tag else store.clear()
    value = {"directory": str(store.place), "removed": removed}
    return _print(arguments, value, f"{store.place}: {removed} entries removed")


def _prune(store: Store, arguments: argparse.Namespace) -> int:
    removed = store.prune()
    words = f"{removed} entries removed that were too old or beyond the size limit"
    return _print(arguments, {"removed": removed}, words)


def _verify(store: Store, arguments: argparse.Namespace) -> int:
    wrong = store.verify()
    _print(arguments, {"wrong": wrong}, *(wrong or ["nothing is wrong"]))
    return INVALID if wrong else GOOD


def _list(store: Store, arguments: argparse.Namespace) -> int:
    if (count := store.info().entries) > arguments.last:
        words = f"the last {arguments.last} of {count} entries; all with: --last {count}"
        echo_stderr(f"orchestrator: {words}")
    questions = store.questions(last=arguments.last)
    if arguments.json:
        echo_json(to_jsonable_python([{"key": key, "question": q} for key, q in questions]))
        return GOOD
    shown = [
        (key[:12], "accepted run" if "accepted" in q else "answer", _route(q), _last_message(q))
        for key, q in questions
    ]
    echo_lines(table(("key", "kept", "asked of", "what"), shown))
    return GOOD


def _show(store: Store, arguments: argparse.Namespace) -> int:
    (name,) = _names(arguments, 1)
    key, question = _question(store, name)
    echo_json({"key": key, "question": question, "answer": store.get(key)})
    return GOOD


def _explain(store: Store, arguments: argparse.Namespace) -> int:
    one, other = (_question(store, name)[1] for name in _names(arguments, 2))
    lines = list(differences(one, other))
    value = {"same": not lines, "differences": lines}
    return _print(arguments, value, *(lines or ["the same question"]))


def _export(store: Store, arguments: argparse.Namespace) -> int:
    (name,) = _names(arguments, 1)
    kept = [(key, question, store.get(key)) for key, question in store.questions()]
    entries = [
        {"key": key, "question": question, "answer": answer}
        for key, question, answer in kept
        if answer is not None
    ]
    count = len(entries)
    # Each line says where it stands, so that an import sees where a file was cut off.
    lines = [
        f"{json_text({**entry, 'line': at, 'of': count})}\n" for at, entry in enumerate(entries, 1)
    ]
    try:
        handle = open_private(Path(name), os.O_WRONLY | os.O_TRUNC, is_named=True)
        with os.fdopen(handle, "wb") as file:
            file.writelines(line.encode(errors="replace") for line in lines)
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}. Name a file that can be written.") from None
    return _print(arguments, {"exported": count, "file": name}, f"{name}: {count} entries")


def _import(store: Store, arguments: argparse.Namespace) -> int:
    (name,) = _names(arguments, 1)
    if not Path(name).is_file():
        raise UsageError(f"{name} is not a file")
    entries = list(_exported(name))
    if not store.put_all(entries):
        raise UsageError(f"{store.place} cannot be written: nothing is imported")
    return _print(arguments, {"imported": len(entries)}, f"{len(entries)} entries imported")


def _exported(name: str) -> Iterator[tuple[str, object, Mapping[str, Any]]]:
    """Key, answer and question of every line that `cache export` wrote.

    Raises: UsageError: a line is another's, or lines are missing.
    """
    at = of = 0
    with Path(name).open("rb") as file:
        for at, raw in enumerate(file, 1):
            try:
                line = _Exported.model_validate_json(raw)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                at_field = ".".join(map(str, first["loc"]))
                why = f"{at_field}: {first['msg']}" if at_field else first["msg"]
                raise _junk(name, at, f"cache export did not write it ({why})") from None
            if line.line not in (0, at):
                raise _junk(name, at, f"it was line {line.line} of {line.of}")
            of = line.of
            yield line.key, line.answer, line.question
    if of not in (0, at):
        raise _junk(name, at, f"the file is cut off: {of} lines were exported")


class _Exported(BaseModel):
    """A line of an export; `line` and `of` are 0 in the exports of earlier versions."""

    key: str = Field(pattern=r"^[0-9a-f]{64}\z")
    question: dict[str, Any]
    answer: list[Any] = Field(min_length=2)
    line: int = 0
    of: int = 0


def _junk(name: str, line: int, why: str) -> UsageError:
    fix = "Nothing is imported; export again with: orchestrator cache export FILE"
    return UsageError(f"{name}, line {line}: {why}. {fix}.")


def _print(arguments: argparse.Namespace, value: object, *lines: str) -> int:
    echo_result(arguments, value, lines)
    return GOOD


def _names(arguments: argparse.Namespace, count: int) -> list[str]:
    names: list[str] = arguments.names
    if len(names) != count:
        wanted = {"show": "a KEY", "explain": "two KEYs or files"}.get(arguments.action, "a FILE")
        raise UsageError(f"cache {arguments.action} takes {wanted}")
    return names


def _question(store: Store, name: str) -> tuple[str, Mapping[str, Any]]:
    """Key and question of the entry whose key begins with `name`, or of the file `name`."""
    if Path(name).is_file():
        try:
            found = json_value(Path(name).read_text(encoding="utf-8"))
        except ValueError as error:
            raise UsageError(f"{name} is not JSON: {error}") from error
        if not isinstance(found, Mapping):
            raise UsageError(f"{name} holds a {type(found).__name__}, not a question")
        question = found.get("question", found)
        return str(found.get("key") or digest(question)), question
    matches = list(store.questions(name))
    if len(matches) != 1:
        raise UsageError(
            f"{len(matches)} entries begin with {name!r}; see: orchestrator cache list"
        )
    return matches[0]


def _route(question: Mapping[str, Any]) -> str:
    return str(question.get("route") or question.get("arguments", {}).get("model") or "")


def _last_message(question: Mapping[str, Any]) -> str:
    messages = question.get("messages") or question.get("arguments", {}).get("messages") or [""]
    last = messages[-1]
    content = last[-1] if isinstance(last, list) else last
    content = content.get("content", "") if isinstance(content, dict) else content
    line = " ".join(str(content).split())
    return line if len(line) <= _MOST_CHARACTERS else f"…{line[-_MOST_CHARACTERS:]}"


_ACTIONS: Mapping[str, Callable[[Store, argparse.Namespace], int]] = {
    "info": _info, "list": _list, "show": _show, "explain": _explain, "clear": _clear,
    "prune": _prune, "verify": _verify, "export": _export, "import": _import,
}  # fmt: skip
