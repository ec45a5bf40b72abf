"""Where personas lie: those that come with the package, and a directory of one's own over them."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from orchestrator.agents.errors import DatabaseError, NotFoundError
from orchestrator.agents.persona import PersonaConfig
from orchestrator.config.files import line_of, yaml_value
from orchestrator.config.paths import shipped
from orchestrator.ledger.private import make_private, open_private
from orchestrator.parsing.spelling import nearest
from orchestrator.types.errors import ConfigError
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_log = logger_of(__name__)
_Signature = tuple[int, int, int]
#: What pydantic says in words of Python's types.
_PLAINER = {
    "tuple_type": "Input should be a list",
    "model_type": "Input should be a mapping",
    "invalid_key": "is a key that is not a text; YAML reads on, yes and numbers so: quote it",
}


class Personas:
    """Personas by id; a file that changes is read again when it is next asked for.

    A file in one's own directory goes before a shipped one of the same id. While a changed file is
    wrong its last good version holds, and a line in the log says why.
    """

    def __init__(self, directory: Path | None = None) -> None:
        """Read both directories; `directory` is one's own, None for shipped personas alone.

        Raises: ConfigError: a file is wrong.
        """
        self._own = directory
        self._read: dict[Path, tuple[_Signature, PersonaConfig | None]] = {}
        self._lock = threading.Lock()
        for path in self._paths():
            self._read[path] = (_signature(path), persona_from_file(path))

    def all(self) -> list[PersonaConfig]:
        """Every persona, by id."""
        found: dict[str, PersonaConfig] = {}
        with self._lock:
            paths = list(self._paths())
            # What was removed has no last version.
            self._read = {path: self._read[path] for path in paths if path in self._read}
            for path in paths:  # one's own come last
                if (persona := self._current(path)) is not None:
                    found[persona.id] = persona
        return [found[name] for name in sorted(found)]

    def get(self, persona_id: str) -> PersonaConfig:
        """The persona of an id.

        Raises: NotFoundError: there is none; the message names the nearest.
        """
        known = {persona.id: persona for persona in self.all()}
        if persona_id not in known:
            near = nearest(persona_id, list(known))
            hint = f"did you mean {near!r}?" if near else f"known: {', '.join(known) or 'none'}"
            raise NotFoundError(f"there is no persona {persona_id!r}; {hint}")
        return known[persona_id]

    def put(self, persona: PersonaConfig | Mapping[str, Any]) -> PersonaConfig:
        """Create a persona in one's own directory, or replace the one of its id.

        Raises: ConfigError: it is wrong, or there is no directory of one's own.
        """
        kept = persona if isinstance(persona, PersonaConfig) else _checked(persona, "persona")
        directory = self._directory()
        path = directory / f"{kept.id}.yaml"
        # PyYAML writes this one line break plain, and reads a blank.
        plain = "\x85" not in kept.model_dump_json()
        text = yaml.safe_dump(kept.model_dump(mode="json"), sort_keys=False, allow_unicode=plain)
        beside = directory / f".{kept.id}.{os.getpid()}.{threading.get_ident()}.tmp"
        try:
            make_private(directory)
            beside.unlink(missing_ok=True)
            with os.fdopen(
                open_private(beside, os.O_WRONLY | os.O_EXCL), "w", encoding="utf-8"
            ) as file:
                file.write(text)
            beside.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise _unkept(kept.id, error) from None
        return kept

    def delete(self, persona_id: str) -> None:
        """Remove a persona of one's own; a shipped one of the same id shows again.

        Raises: NotFoundError: there is none of one's own; ConfigError: no directory of one's own.
        """
        held = [path for path in self._files(self._directory()) if path.stem == persona_id]
        if not held:
            self.get(persona_id)  # says which ones there are
            raise NotFoundError(f"persona {persona_id!r} comes with the package and stays")
        try:
            held[0].unlink()
        except FileNotFoundError:
            raise NotFoundError(f"there is no persona {persona_id!r} any more") from None
        except OSError as error:
            raise _unkept(persona_id, error) from None

    def _directory(self) -> Path:
        if self._own is None:
            raise ConfigError("personas", "there is no directory to keep them in",
                              fix="Name one: Personas(directory).")  # fmt: skip
        return self._own

    def _paths(self) -> Iterator[Path]:
        yield from self._files(shipped("prompts", "personas"))
        if self._own is not None:
            yield from self._files(self._own)

    @staticmethod
    def _files(directory: Path) -> list[Path]:
        if not directory.is_dir():
            return []
        return sorted(path for path in directory.glob("*.yaml") if not path.name.startswith("."))

    def _current(self, path: Path) -> PersonaConfig | None:
        """The persona of a file as it is now, or its last good version; None without one."""
        known = self._read.get(path)
        signature = _signature(path)
        if not os.path.lexists(path):  # removed since it was listed
            return None
        if known is None or known[0] != signature:
            try:
                self._read[path] = known = (signature, persona_from_file(path))
            except ConfigError as error:
                held = "The version before it holds." if known and known[1] else "It is left out."
                _log.warning("%s %s", error, held)
                self._read[path] = known = (signature, known[1] if known else None)
        return known[1]


def _unkept(persona_id: str, error: OSError) -> DatabaseError:
    words = f"the file of persona {persona_id!r} cannot be changed now ({error.strerror})"
    return DatabaseError(f"{words}; see that there is room and that the service may write there")


def _signature(path: Path) -> _Signature:
    try:
        found = path.stat()
    except OSError:  # a link to nothing; reading it says so
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino


def persona_from_file(path: Path) -> PersonaConfig:
    """Read one persona; its id is the file's name where the file names none.

    Raises: ConfigError: it is not YAML, or a key is wrong; the message names file and key.
    """
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait for ever
            raise ConfigError(str(path), "is not a file")
        tree = yaml_value(path) or {}
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise ConfigError(str(path), f"is not usable: {error}") from None
    if not isinstance(tree, dict):
        raise ConfigError(str(path), f"holds a {type(tree).__name__}, not a mapping")
    persona = _checked({"id": path.stem, **tree}, str(path))
    if persona.id != path.stem:
        raise ConfigError(f"{path}: id", f"is {persona.id!r} in a file named for {path.stem!r}",
                          fix=f"Rename the file to {persona.id}.yaml.")  # fmt: skip
    return persona


def _checked(given: Mapping[str, Any], where: str) -> PersonaConfig:
    try:
        return PersonaConfig.model_validate(given)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        steps = tuple(str(step) for step in problem["loc"])
        words, fix = problem["msg"].removeprefix("Value error, "), ""
        if problem["type"] in _PLAINER:
            words = _PLAINER[problem["type"]]
        elif problem["type"] == "extra_forbidden":
            words = "is not a known key"
            fix = f"Known: {', '.join(_keys(steps[:-1]))}."
        line = line_of(Path(where), problem["loc"])
        where = f"{where}:{line}" if line else where
        raise ConfigError(f"{where}: {'.'.join(steps) or 'persona'}", words, fix=fix) from None


def _keys(steps: tuple[str, ...]) -> list[str]:
    """The keys of the part of a persona at `steps`."""
    part: Any = PersonaConfig
    for step in steps:
        part = part.model_fields[step].annotation
    return list(part.model_fields)
