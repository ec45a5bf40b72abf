"""`orchestrator cache`: look at what is kept, compare, mend, carry over, forget."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cache.keys import differences, digest
from orchestrator.cli.output import GOOD, INVALID, UsageError, say, say_json, table
from orchestrator.client.wiring import store_of
from orchestrator.config.settings import Config
from orchestrator.ledger import jsonl as jsonlines

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from orchestrator.cache.store import Store

_SHOWN = 60


def run(arguments: argparse.Namespace) -> int:
    """Carry out one action on the store."""
    settings = Config.load(None, os.environ).orchestrator.cache
    store = store_of(settings, os.environ)
    with contextlib.closing(store):
        return _ACTIONS[arguments.action](store, arguments)


def _info(store: Store, arguments: argparse.Namespace) -> int:
    info = store.info()
    found = {
        "directory": str(info.directory), "entries": info.entries, "size_bytes": info.size_bytes
    }  # fmt: skip
    words = f"{info.directory}: {info.entries} entries, {info.size_bytes // 1024} KiB"
    return _said(arguments, found, words)


def _clear(store: Store, arguments: argparse.Namespace) -> int:
    where = store.info().directory
    removed = store.evict(arguments.tag) if arguments.tag else store.clear()
    found = {"directory": str(where), "removed": removed}
    return _said(arguments, found, f"{where}: {removed} entries removed")


def _prune(store: Store, arguments: argparse.Namespace) -> int:
    removed = store.prune()
    return _said(arguments, {"removed": removed}, f"{removed} rows past their age or the limit")


def _verify(store: Store, arguments: argparse.Namespace) -> int:
    wrong = store.verify()
    _said(arguments, {"wrong": wrong}, "\n".join(wrong) or "nothing is wrong")
    return INVALID if wrong else GOOD


def _list(store: Store, arguments: argparse.Namespace) -> int:
    rows = [(key, question) for key, question in store.questions()]
    if arguments.json:
        say_json([{"key": key, "question": question} for key, question in rows])
        return GOOD
    shown = [
        (key[:12], _level(question), _who(question), _words(question)) for key, question in rows
    ]
    for line in table(("key", "kept", "asked of", "what"), shown):
        say(line)
    return GOOD


def _show(store: Store, arguments: argparse.Namespace) -> int:
    (name,) = _names(arguments, 1)
    key, question = _question(store, name)
    say_json({"key": key, "question": question, "answer": store.get(key)})
    return GOOD


def _explain(store: Store, arguments: argparse.Namespace) -> int:
    one, other = (_question(store, name)[1] for name in _names(arguments, 2))
    lines = list(differences(one, other))
    words = "the same question" if not lines else "\n".join(lines)
    return _said(arguments, {"same": not lines, "differences": lines}, words)


def _export(store: Store, arguments: argparse.Namespace) -> int:
    (name,) = _names(arguments, 1)
    count = 0
    path = Path(name)
    path.unlink(missing_ok=True)
    for key, question in store.questions():
        line = {"key": key, "question": question, "answer": store.get(key)}
        jsonlines.append(path, json.dumps(line, ensure_ascii=False))
        count += 1
    return _said(arguments, {"exported": count, "file": name}, f"{name}: {count} entries")


def _import(store: Store, arguments: argparse.Namespace) -> int:
    (name,) = _names(arguments, 1)
    path, count = Path(name), 0
    if not path.is_file():
        raise UsageError(f"{name} is no file")
    for line in jsonlines.read([path]):
        if not {"key", "question", "answer"} <= set(line) or not isinstance(line["question"], dict):
            raise UsageError(f"{name} holds lines that `cache export` did not write")
        store.put(str(line["key"]), line["answer"], question=line["question"])
        count += 1
    return _said(arguments, {"imported": count}, f"{count} entries imported")


def _said(arguments: argparse.Namespace, found: Mapping[str, Any], words: str) -> int:
    say_json(dict(found)) if arguments.json else say(words)
    return GOOD


def _names(arguments: argparse.Namespace, count: int) -> list[str]:
    names: list[str] = arguments.names
    if len(names) != count:
        wanted = {"show": "a KEY", "explain": "two KEYs or files"}.get(arguments.action, "a FILE")
        raise UsageError(f"cache {arguments.action} takes {wanted}")
    return names


def _question(store: Store, name: str) -> tuple[str, Mapping[str, Any]]:
    """By the beginning of a key, or from a recording or a question in a file."""
    if Path(name).is_file():
        try:
            found = json.loads(Path(name).read_text(encoding="utf-8"))
        except ValueError as error:
            raise UsageError(f"{name} is no JSON: {error}") from error
        question = found.get("question", found)
        return str(found.get("key") or digest(question)), question
    matches = [(key, question) for key, question in store.questions() if key.startswith(name)]
    if len(matches) != 1:
        raise UsageError(
            f"{len(matches)} entries begin with {name!r}; see: orchestrator cache list"
        )
    return matches[0]


def _level(question: Mapping[str, Any]) -> str:
    return "accepted run" if "accepted" in question else "answer"


def _who(question: Mapping[str, Any]) -> str:
    return str(question.get("route") or question.get("arguments", {}).get("model") or "")


def _words(question: Mapping[str, Any]) -> str:
    asked = question.get("messages") or question.get("arguments", {}).get("messages") or [""]
    last = asked[-1]
    said = last[-1] if isinstance(last, list) else last
    said = said.get("content", "") if isinstance(said, dict) else said
    line = " ".join(str(said).split())
    return line if len(line) <= _SHOWN else f"…{line[-_SHOWN:]}"


_ACTIONS: Mapping[str, Callable[[Store, argparse.Namespace], int]] = {
    "info": _info, "list": _list, "show": _show, "explain": _explain, "clear": _clear,
    "prune": _prune, "verify": _verify, "export": _export, "import": _import,
}  # fmt: skip
