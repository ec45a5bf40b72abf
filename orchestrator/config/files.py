"""Reads configuration files: YAML, includes, line numbers, and the older shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from orchestrator.parsing.bounds import MOST_NESTED
from orchestrator.types.errors import ConfigError

Tree = dict[str, Any]

_MOST_BYTES = 4 * 2**20  # a device such as /dev/zero has no end
_MOST_NODES = 100_000
_LONGEST_NUMBER = 100  # characters; with colons PyYAML reads them to the base of 60
_NUMBERS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp"))

_NAMED = "litellm_credential_name"
#: Keys of the older shape that LiteLLM spells differently.
_OLDER_KEYS = {"base_url": "api_base", "max_retries": "num_retries"}


class _Loader(yaml.SafeLoader):
    """YAML without its dates: ``api_version: 2024-02-01`` is text to everyone who reads it."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in known if not tag.endswith(":timestamp")]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(path: Path) -> Tree:
    """The mapping in `path`, merged with every file it includes.

    ``include: [other.yaml]`` is read as LiteLLM's proxy reads it: relative to the declaring file,
    lists are extended, everything else is overridden, each file counts once.

    Raises: ConfigError: a file cannot be read, is not YAML, or does not hold a mapping.
    """
    return _included(_mapping(path), path, {path.resolve()})


def _included(tree: Tree, path: Path, seen: set[Path]) -> Tree:
    named = tree.pop("include", None) or []
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise ConfigError(f"{path}: include", "is not a list of file names")
    for name in named:
        other = (path.parent / name).resolve()
        if other in seen:
            continue
        seen.add(other)
        for key, value in _included(_mapping(other), other, seen).items():
            if isinstance(value, list) and isinstance(tree.get(key), list):
                tree[key] = [*tree[key], *value]
            else:
                tree[key] = value
    return tree


def _mapping(path: Path) -> Tree:
    try:
        tree = yaml_value(path)
    except OSError as error:
        problem = f"{str(path)!r} cannot be read ({error.strerror or error})"
        fix = "Name an existing file in ORCHESTRATOR_CONFIG, or unset it for the defaults."
        raise ConfigError("config", problem, fix=fix) from error
    except ValueError as error:
        raise ConfigError("config", f"{str(path)!r} is not usable: {error}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError("config", f"{str(path)!r} holds a {type(tree).__name__}, not a mapping")
    return tree


def yaml_value(path: Path) -> Any:
    """The value of a YAML file.

    It is measured with its aliases and merge keys written out, before they are.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not YAML, too large or too deep, or an object in it has a key twice.
    """
    with path.open("rb") as file:
        raw = file.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        raise ValueError(f"it holds more than {_MOST_BYTES} bytes")
    try:
        loader = _Loader(raw.decode())
        node = loader.get_single_node()
        if node is None:
            return None
        _measure(node)
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ValueError(f"it is not YAML{_place(mark) if mark else ''}") from error
    except RecursionError:
        raise ValueError(f"it is nested in more than {MOST_NESTED} levels") from None
    except (KeyError, IndexError, AttributeError, TypeError, OverflowError) as error:
        raise ValueError("it is not YAML: a value is not what its tag says") from error


def _measure(root: yaml.Node) -> None:
    """Look at every node as often as it is reached, before merge keys copy what they refer to.

    Raises: ValueError: as `yaml_value`.
    """
    count, level = 1, [root]
    for _ in range(MOST_NESTED):
        below: list[yaml.Node] = []
        for node in level:
            parts = _parts(node)
            count += len(parts)
            if count > _MOST_NODES:
                raise ValueError(f"it holds more than {_MOST_NODES} values, aliases written out")
            below.extend(parts)
        if not below:
            return
        level = below
    where = _place(level[0].start_mark)
    raise ValueError(f"it is nested in more than {MOST_NESTED} levels, or in itself{where}")


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if isinstance(node, yaml.MappingNode):
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            name = (key.tag, str(key.value))
            if name in seen:
                raise ValueError(f"the key {key.value!r} is given twice{_place(key.start_mark)}")
            seen |= {name} if isinstance(key, yaml.ScalarNode) else set()
        return [part for pair in node.value for part in pair]
    if node.tag in _NUMBERS and len(node.value) > _LONGEST_NUMBER:
        raise ValueError(f"a number is longer than {_LONGEST_NUMBER}{_place(node.start_mark)}")
    return []


def _place(mark: yaml.Mark) -> str:
    return f" at line {mark.line + 1}, column {mark.column + 1}"


def line_of(path: Path, steps: Sequence[str | int]) -> int | None:
    """The line, from 1, of a key in `path` or of its nearest ancestor; None when unknown."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return None
    line: int | None = None
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(step)), None)
            if found is None:
                return line
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            if step >= len(node.value):
                return line
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            return line
    return line


def with_credentials(tree: Mapping[str, Any]) -> Tree:
    """`tree` with each ``litellm_credential_name`` replaced by the values that ``credential_list``
    has under that name; what a deployment states itself counts, as in LiteLLM's proxy.

    Raises: ConfigError: no entry has that name, or the list is not one of credentials.
    """
    made = {key: value for key, value in tree.items() if key != "credential_list"}
    known: dict[str, Mapping[str, Any]] = {}
    listed = tree.get("credential_list") or ()
    for index, entry in enumerate(listed if isinstance(listed, list | tuple) else (listed,)):
        values = entry.get("credential_values") if isinstance(entry, Mapping) else None
        if not isinstance(values, Mapping) or not isinstance(entry.get("credential_name"), str):
            what = "is not a credential: it needs credential_name and a mapping credential_values"
            raise ConfigError(f"credential_list.{index}", what)
        known[entry["credential_name"]] = values
    entries = tree.get("model_list")
    if isinstance(entries, list | tuple):
        made["model_list"] = [_completed(index, one, known) for index, one in enumerate(entries)]
    return made


def _completed(index: int, entry: Any, known: Mapping[str, Mapping[str, Any]]) -> Any:
    params = entry.get("litellm_params") if isinstance(entry, Mapping) else None
    if not isinstance(params, Mapping) or not (name := params.get(_NAMED)):
        return entry
    if name not in known:
        place = f"model_list.{index}.litellm_params.{_NAMED}"
        fix = f"Known: {', '.join(known) or 'none'}."
        raise ConfigError(place, f"{name!r} is not in credential_list", fix=fix)
    own = {key: value for key, value in params.items() if key != _NAMED}
    return {**entry, "litellm_params": {**known[name], **own}}


def is_older(tree: Mapping[str, Any], providers: Iterable[str]) -> bool:
    """Whether `tree` has the older shape, ``{"provider": "auto", "openai": {"model": …}}``."""
    return "model_list" not in tree and any(isinstance(tree.get(p), Mapping) for p in providers)


def from_older(tree: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> Tree:
    """The older shape as a model_list; `known` gives each provider's usual litellm_params.

    Raises: ConfigError: a key is neither ``provider`` nor a provider.
    """
    model_list = []
    for written, settings in tree.items():
        name = "offline" if written == "mock" else written
        if name in ("provider", "orchestrator"):
            continue
        if name not in known or not isinstance(settings, Mapping):
            providers = ", ".join(known)
            raise ConfigError(
                name, "is not a section of provider settings", fix=f"Known: {providers}."
            )
        params = dict(known[name])
        for key, value in settings.items():
            params[_OLDER_KEYS.get(str(key), str(key))] = value
        if "model" in settings:
            prefix = str(known[name]["model"]).partition("/")[0]
            model = str(settings["model"])
            params["model"] = model if model.startswith(f"{prefix}/") else f"{prefix}/{model}"
        model_list.append({"model_name": name, "litellm_params": params})
    if not {"offline", "mock"} & set(tree):
        model_list.append({"model_name": "offline", "litellm_params": dict(known["offline"])})
    ours = {"provider": tree.get("provider", "auto"), **tree.get("orchestrator", {})}
    return {"model_list": model_list, "orchestrator": ours}
