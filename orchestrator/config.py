"""Configuration: a LiteLLM proxy config.yaml, unchanged, plus our own ``orchestrator:`` section."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import platformdirs
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestrator.errors import ConfigError
from orchestrator.result import CacheMode, OutputMode
from orchestrator.shipped import shipped

APP = "orchestrator"

Provider = Literal[
    "auto",
    "openai",
    "anthropic",
    "gemini",
    "huggingface",
    "openrouter",
    "ollama",
    "lmstudio",
    "groq",
    "mistral",
    "azure",
    "offline",
    "mock",
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Routes(_Section):
    """Which model groups serve which role, in order: the first that is configured answers, the
    others are its fallbacks. Empty means every group that serves no other role."""

    default: tuple[str, ...] = ()
    fast: tuple[str, ...] = ()
    strong: tuple[str, ...] = ()
    local: tuple[str, ...] = ()


class GenerationSettings(_Section):
    """How a document is asked for."""

    max_calls: int = Field(default=4, ge=1, le=16, description="Calls of the loop at most.")
    deadline_s: float = Field(default=120.0, gt=0, description="Seconds for everything.")
    timeout_s: float = Field(default=60.0, gt=0, description="Seconds for one call on the wire.")
    max_tokens: int = Field(default=4096, ge=64, description="Length limit of one answer.")
    temperature: float | None = Field(default=None, ge=0, description="Left to the provider.")
    mode: Literal["auto", "json_schema", "json_object", "prompt"] = "auto"
    repair: Literal["none", "safe", "suggest"] = "safe"
    episodes: int = Field(default=40, ge=1, le=1000, description="Episodes per expectation.")
    examples: int = Field(default=1, ge=0, le=4, description="Curated models shown as examples.")


class Budget(_Section):
    """What one request may spend; empty for no bound."""

    usd_per_request: float | None = Field(default=None, gt=0)
    tokens_per_request: int | None = Field(default=None, gt=0)


class Cache(_Section):
    """Where answers are kept."""

    mode: CacheMode = "use"
    directory: str = Field(default="", description="Empty: ORCHESTRATOR_CACHE_DIR, or the user's.")
    max_age_s: float = Field(default=0.0, ge=0, description="0 keeps answers until room is needed.")
    size_limit_mb: int = Field(default=1024, ge=1)


class LedgerSettings(_Section):
    """Where the bill is kept."""

    enabled: bool = True
    directory: str = Field(default="", description="Empty: beside the user's state files.")


class Settings(_Section):
    """The ``orchestrator:`` section."""

    provider: Provider = "auto"
    privacy: Literal["any", "local_only"] = "any"
    max_parallel: int = Field(default=64, ge=1, description="Calls in flight; more wait.")
    routes: Routes = Routes()
    generation: GenerationSettings = GenerationSettings()
    budget: Budget = Budget()
    cache: Cache = Cache()
    ledger: LedgerSettings = LedgerSettings()


class Deployment(BaseModel):
    """One entry of LiteLLM's ``model_list``; keys that are not ours go to LiteLLM as they are."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    model_name: str
    litellm_params: dict[str, Any]
    model_info: dict[str, Any] = {}


class Config(BaseModel):
    """The whole file. Sections of LiteLLM's that we do not use load and are named in `unused`."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    model_list: tuple[Deployment, ...] = ()
    router_settings: dict[str, Any] = {}
    litellm_settings: dict[str, Any] = {}
    general_settings: dict[str, Any] = {}
    environment_variables: dict[str, str] = {}
    orchestrator: Settings = Settings()
    source: str = Field(default="", exclude=True)

    @property
    def unused(self) -> tuple[str, ...]:
        """Top-level keys that LiteLLM's proxy knows and this package does not use."""
        return tuple(sorted(self.model_extra or {}))

    @classmethod
    def load(
        cls, source: str | Path | Mapping[str, object] | Config | None, environ: Mapping[str, str]
    ) -> Self:
        """Load a configuration.

        `source` is a path, a mapping, a `Config`, or None: then ``ORCHESTRATOR_CONFIG``, else
        the user's own file, else the shipped defaults.

        Raises: ConfigError: the file is missing or not YAML, or a key is wrong; the message names
            the file, the key, what is wrong and the nearest valid key.
        """
        if isinstance(source, cls):
            return source
        if isinstance(source, Mapping):
            return cls._checked(dict(source), "the given mapping")
        path = Path(source) if isinstance(source, str | Path) else default_path(environ)
        return cls._checked(_yaml(path), str(path))

    @classmethod
    def _checked(cls, tree: dict[str, object], where: str) -> Self:
        try:
            return cls.model_validate({**tree, "source": where})
        except ValidationError as error:
            raise _config_error(error, where) from None


def default_path(environ: Mapping[str, str]) -> Path:
    """The file that is read when none is named."""
    if named := environ.get("ORCHESTRATOR_CONFIG"):
        return Path(named)
    own = Path(platformdirs.user_config_dir(APP)) / "config.yaml"
    return own if own.is_file() else shipped("config.yaml")


def cache_directory(settings: Cache, environ: Mapping[str, str]) -> Path:
    """Where answers are kept: the setting, else the environment, else the user's cache."""
    named = settings.directory or environ.get("ORCHESTRATOR_CACHE_DIR")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir(APP))


def ledger_directory(settings: LedgerSettings, environ: Mapping[str, str]) -> Path | None:
    """Where the bill is kept; None when it is not."""
    if not settings.enabled:
        return None
    if settings.directory:
        return Path(settings.directory).expanduser()
    if named := environ.get("ORCHESTRATOR_CACHE_DIR"):
        return Path(named).expanduser() / "ledger"
    return Path(platformdirs.user_state_dir(APP)) / "ledger"


def output_modes(configured: str) -> tuple[OutputMode, ...]:
    """The modes to try in turn."""
    every: tuple[OutputMode, ...] = ("json_schema", "json_object", "prompt")
    return every if configured == "auto" else tuple(m for m in every if m == configured)


def _yaml(path: Path) -> dict[str, object]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        problem = f"{str(path)!r} cannot be read ({error.strerror or error})"
        fix = "Name an existing file in ORCHESTRATOR_CONFIG, or unset it for the defaults."
        raise ConfigError("config", problem, fix=fix) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError("config", f"{str(path)!r} is not YAML{where}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError("config", f"{str(path)!r} holds a {type(tree).__name__}, not a mapping")
    return tree


_SECTIONS: dict[tuple[str, ...], type[BaseModel]] = {
    ("orchestrator",): Settings,
    ("orchestrator", "routes"): Routes,
    ("orchestrator", "generation"): GenerationSettings,
    ("orchestrator", "budget"): Budget,
    ("orchestrator", "cache"): Cache,
    ("orchestrator", "ledger"): LedgerSettings,
}


def _config_error(error: ValidationError, where: str) -> ConfigError:
    """The first problem, in words, without any value that may be a secret."""
    problem = error.errors(include_input=False, include_url=False)[0]
    steps = tuple(str(step) for step in problem["loc"])
    key = ".".join(steps) or "config"
    message = problem["msg"].lower()
    fix = ""
    if problem["type"] == "extra_forbidden":
        message = "is not a key that is known here"
        known = list(_SECTIONS.get(steps[:-1], Settings).model_fields)
        near = difflib.get_close_matches(steps[-1], known, n=1)
        fix = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
    return ConfigError(f"{where}: {key}", message, fix=fix)
