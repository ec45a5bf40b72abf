"""Configuration: a LiteLLM proxy config.yaml, unchanged, plus our own ``orchestrator:`` section."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self, get_args

import platformdirs
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from orchestrator.config.files import from_older, is_older, line_of, read_yaml, with_credentials
from orchestrator.config.paths import shipped
from orchestrator.config.providers import CHOICES, PROVIDERS
from orchestrator.config.search import SearchSettings
from orchestrator.config.serving import ServerSettings
from orchestrator.parsing.spelling import nearest
from orchestrator.types.caching import CacheMode
from orchestrator.types.errors import ConfigError
from orchestrator.types.requests import OutputMode
from orchestrator.types.visible import logger_of

APP = "orchestrator"
GIVEN = "the given mapping"  # the source of what no file holds
_log = logger_of(__name__)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


Role = Literal["default", "fast", "strong", "local"]
ROLES: tuple[Role, ...] = get_args(Role)


class Routes(_Section):
    """Model groups by role, in order: the first that is configured answers, the others are its
    fallbacks. Without `default` the first chat group that serves no other role answers, without
    fallbacks. Loading fails for a role whose groups cannot be called, unless it is `optional`."""

    default: tuple[str, ...] = ()
    fast: tuple[str, ...] = ()
    strong: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    optional: tuple[Literal["fast", "strong", "local"], ...] = ()


class GenerationSettings(_Section):
    """How a document is generated."""

    max_calls: int = Field(default=4, ge=1, le=16, description="Most calls of one loop.")
    deadline_s: float = Field(
        default=120.0, gt=0, description="Seconds for one request; 600 where a server of yours"
        " answers it and nothing is stated."
    )  # fmt: skip
    timeout_s: float = Field(
        default=60.0, gt=0, description="Seconds for one call on the wire; a server of yours is"
        " held to the next two instead where nothing is stated."
    )  # fmt: skip
    first_token_s: float = Field(
        default=300.0, gt=0, description="Seconds until a server of yours begins its answer."
    )
    between_tokens_s: float = Field(
        default=30.0, gt=0, description="Seconds between two tokens of a server of yours."
    )
    max_tokens: int = Field(default=4096, ge=64, description="Length limit of one answer.")
    temperature: float | None = Field(
        default=0.2, ge=0, description="None: not sent, the provider's default holds."
    )
    seed: int | None = Field(
        default=1, ge=0, description="Of the first sample; the next one has the next. None: none."
    )
    mode: Literal[
        "auto", OutputMode.JSON_SCHEMA, OutputMode.TOOL_CALL, OutputMode.JSON_OBJECT,
        OutputMode.PROMPT, "staged",
    ] = "auto"  # fmt: skip
    max_questions: int = Field(
        default=8, ge=0, le=16, description="Most calls of staged mode, beside the loop's; 0: none."
    )
    repair: Literal["none", "safe", "suggest"] = "safe"
    episodes: int = Field(default=40, ge=1, le=1000, description="Episodes per expectation.")
    examples: int = Field(default=1, ge=0, le=4, description="Curated models shown as examples.")
    fits: Literal["off", "warning", "error"] = Field(
        default="warning", description="What too little of the sentence in a model is."
    )
    fits_share: float = Field(
        default=0.5, ge=0, le=1, description="Least share of a sentence that is in its model."
    )

    @property
    def is_by_progress(self) -> bool:
        """Whether a server of the user's own has time as long as it goes on: `timeout_s` is not
        stated."""
        return "timeout_s" not in self.model_fields_set

    @functools.cached_property
    def sampling(self) -> Mapping[str, float]:
        """The parameters of a first sample that are stated; a deployment may refuse them."""
        stated = {"temperature": self.temperature, "seed": self.seed}
        return {name: value for name, value in stated.items() if value is not None}


class LimitSettings(_Section):
    """Bounds on concurrency, on the time of a completion and on requests on the wire."""

    parallel: int = Field(default=64, ge=1, description="Calls in flight; more wait.")
    deadline_s: float = Field(default=600.0, gt=0, description="Seconds for one completion.")
    fallbacks: int = Field(default=3, ge=0, description="Model groups tried after the first.")
    wire_attempts: int = Field(
        default=64, ge=1, description="Requests on the wire for one operation; more is refused."
    )


class Budgets(_Section):
    """Most dollars and tokens; None for no bound. Reserved before a call, settled after it."""

    usd_per_request: float | None = Field(default=None, gt=0)
    tokens_per_request: int | None = Field(default=None, gt=0)
    usd_per_day: float | None = Field(default=None, gt=0)
    tenants: dict[str, float] = Field(default={}, description="Dollars a day, by tenant.")
    when_unwritable: Literal["refuse", "warn"] = Field(
        default="refuse", description="What a budget does while the ledger cannot be written."
    )

    @property
    def must_be_on_the_bill(self) -> bool:
        """Whether a call is refused while it cannot be put on the bill: dollars are bounded."""
        is_bound = self.usd_per_request is not None or self.bound_a_day
        return is_bound and self.when_unwritable == "refuse"

    @property
    def bound_a_day(self) -> bool:
        """Whether a bound per day is set, so that earlier spending counts."""
        return self.usd_per_day is not None or bool(self.tenants)


class Cache(_Section):
    """Where and how long answers are cached."""

    mode: CacheMode = Field(
        default="use", description="ORCHESTRATOR_CACHE_MODE overrides it: tests record and replay."
    )
    cassette: str = Field(
        default="", description="Directory of recordings; empty: ORCHESTRATOR_CASSETTE, cassettes."
    )
    directory: str = Field(default="", description="Empty: ORCHESTRATOR_CACHE_DIR, or the user's.")
    max_age_s: float = Field(
        default=0.0, ge=0, description="0 keeps answers until the size limit is reached."
    )
    size_limit_mb: int = Field(default=1024, ge=1)
    url: str = Field(default="", description="redis://… keeps answers there, for several machines.")
    encrypt: str = Field(
        default="", description="A Fernet key, best as os.environ/NAME; several, comma-separated."
    )
    share: Literal["all", "tenant"] = Field(
        default="all", description="tenant: an answer is given only to the tenant that paid for it."
    )
    keep_accepted: bool = Field(
        default=False, description="Keep accepted results, for export --finetune."
    )


class LedgerSettings(_Section):
    """Whether and where the ledger is written."""

    enabled: bool = True
    directory: str = Field(
        default="", description="Empty: ORCHESTRATOR_LEDGER_DIR, or beside the user's state files."
    )


class Settings(_Section):
    """The ``orchestrator:`` section."""

    provider: str = Field(default="auto", json_schema_extra={"enum": list(CHOICES)})
    privacy: Literal["any", "local_only"] = "any"
    retired_models: Literal["warn", "refuse"] = Field(
        default="warn", description="refuse leaves out what its provider has retired."
    )
    # Defaults need no validator, and none is built for each of these classes beside `Config`'s.
    routes: Routes = Routes.model_construct()
    generation: GenerationSettings = GenerationSettings.model_construct()
    limits: LimitSettings = LimitSettings.model_construct()
    budgets: Budgets = Budgets.model_construct()
    cache: Cache = Cache.model_construct()
    ledger: LedgerSettings = LedgerSettings.model_construct()
    server: ServerSettings = ServerSettings.model_construct()
    search: SearchSettings = SearchSettings.model_construct()

    @field_validator("provider")
    @classmethod
    def _is_choice(cls, given: str) -> str:
        if given not in CHOICES:
            raise ValueError(f"{given!r} is not a provider; use one of {', '.join(CHOICES)}")
        return given


class ModelListEntry(BaseModel):
    """One entry of LiteLLM's ``model_list``; unknown keys are passed to LiteLLM."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=(), defer_build=True)

    model_name: str
    litellm_params: dict[str, Any]
    model_info: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"ModelListEntry({self.model_name!r})"  # its parameters hold keys

    __str__ = __repr__


class Config(BaseModel):
    """The whole file. Sections of LiteLLM's that are not used load and are listed in `unused`."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=(), defer_build=True)

    model_list: tuple[ModelListEntry, ...] = ()
    router_settings: dict[str, Any] = {}
    litellm_settings: dict[str, Any] = {}
    general_settings: dict[str, Any] = {}
    environment_variables: dict[str, str] = {}
    search_tools: tuple[dict[str, Any], ...] = ()
    orchestrator: Settings = Settings.model_construct()
    source: str = Field(default="", exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _without_names_of_credentials(cls, given: Any) -> Any:
        return with_credentials(given) if isinstance(given, Mapping) else given

    def __repr__(self) -> str:
        return f"Config({self.source!r}, models={[one.model_name for one in self.model_list]})"

    __str__ = __repr__

    @property
    def is_searched(self) -> bool:
        """Whether the configuration says anything about searches."""
        return bool(self.search_tools) or "search" in self.orchestrator.model_fields_set

    @property
    def unused(self) -> tuple[str, ...]:
        """Keys that LiteLLM's proxy knows and this package does not use."""
        return tuple(sorted(self._unused()))

    def _unused(self) -> Iterator[str]:
        yield from self.model_extra or {}
        yield from (f"general_settings.{key}" for key in self.general_settings)
        for key in self.litellm_settings:
            if key not in LITELLM_SETTINGS:
                yield f"litellm_settings.{key}"

    @classmethod
    def load(
        cls, source: str | Path | Mapping[str, object] | Config | None, environ: Mapping[str, str]
    ) -> Self:
        """Load a configuration.

        `source` is a path, a mapping, a `Config`, or None: then ``ORCHESTRATOR_CONFIG``, else
        the user's own file, else the shipped defaults. A mapping may have the older shape
        ``{"provider": "auto", "openai": {"model": …}}``. Keys that are not used are logged in one
        warning.

        Raises: ConfigError: the file is missing or not YAML, or a key is wrong; the message names
            the file, the line, the key, what is wrong and the nearest valid key.
        """
        if isinstance(source, cls):
            return source
        if isinstance(source, Mapping):
            loaded = cls._checked(_modern(dict(source)), GIVEN)
        else:
            path = Path(source) if isinstance(source, str | Path) else default_path(environ)
            loaded = cls._checked(_modern(read_yaml(path)), str(path))
        loaded = loaded._with_mode(environ.get("ORCHESTRATOR_CACHE_MODE", ""))
        if loaded.unused:
            _log.warning("%s: not used here: %s", loaded.source, ", ".join(loaded.unused))
        return loaded

    def _with_mode(self, mode: str) -> Self:
        if not mode:
            return self
        if mode not in get_args(CacheMode):
            known = ", ".join(get_args(CacheMode))
            raise ConfigError(
                "ORCHESTRATOR_CACHE_MODE", f"{mode!r} is not a mode", fix=f"Use {known}."
            )
        cache = self.orchestrator.cache.model_copy(update={"mode": mode})
        ours = self.orchestrator.model_copy(update={"cache": cache})
        return self.model_copy(update={"orchestrator": ours})

    @classmethod
    def _checked(cls, tree: dict[str, object], where: str) -> Self:
        try:
            return cls.model_validate({**tree, "source": where})
        except ValidationError as error:
            raise _config_error(error, where) from None


def _modern(tree: dict[str, Any]) -> dict[str, Any]:
    if not is_older(tree, PROVIDERS):
        return tree
    usual = read_yaml(shipped("config.yaml"))["model_list"]
    known = {entry["model_name"]: entry["litellm_params"] for entry in usual}
    return from_older(tree, {name: known[name] for name in PROVIDERS if name in known})


def default_path(environ: Mapping[str, str]) -> Path:
    """The file to read when none is named: ORCHESTRATOR_CONFIG, the user's, the shipped one."""
    if named := environ.get("ORCHESTRATOR_CONFIG"):
        return Path(named)
    own = Path(platformdirs.user_config_dir(APP)) / "config.yaml"
    return own if own.is_file() else shipped("config.yaml")


def cache_directory(settings: Cache, environ: Mapping[str, str]) -> Path:
    """The cache directory: the setting, else ORCHESTRATOR_CACHE_DIR, else the user's cache."""
    named = settings.directory or environ.get("ORCHESTRATOR_CACHE_DIR")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir(APP))


def cassette_directory(settings: Cache, environ: Mapping[str, str]) -> Path:
    """Directory of recordings: the setting, else ORCHESTRATOR_CASSETTE, else ``cassettes``."""
    return Path(settings.cassette or environ.get("ORCHESTRATOR_CASSETTE") or "cassettes")


def ledger_directory(settings: LedgerSettings, environ: Mapping[str, str]) -> Path | None:
    """Directory of the ledger; None when the ledger is disabled.

    The setting, else ORCHESTRATOR_LEDGER_DIR, else beside the answers in ORCHESTRATOR_CACHE_DIR,
    else in the user's state directory.
    """
    if not settings.enabled:
        return None
    if own := settings.directory or environ.get("ORCHESTRATOR_LEDGER_DIR"):
        return Path(own).expanduser()
    if named := environ.get("ORCHESTRATOR_CACHE_DIR"):
        return Path(named).expanduser() / "ledger"
    return Path(platformdirs.user_state_dir(APP)) / "ledger"


def output_modes(configured: str) -> tuple[OutputMode, ...]:
    """The output modes to try, in order; the questions of ``staged`` are asked in any of them."""
    is_open = configured in ("auto", "staged")
    return tuple(OutputMode) if is_open else (OutputMode(configured),)


#: Keys of ``litellm_settings`` that are used, with the equivalent argument of the Router; empty for
#: a key that becomes a default of every deployment.
LITELLM_SETTINGS = {
    "num_retries": "num_retries",
    "request_timeout": "timeout",
    "fallbacks": "fallbacks",
    "default_fallbacks": "default_fallbacks",
    "context_window_fallbacks": "context_window_fallbacks",
    "content_policy_fallbacks": "content_policy_fallbacks",
    "allowed_fails": "allowed_fails",
    "drop_params": "",
}

_SECTIONS: dict[tuple[str, ...], type[BaseModel]] = {
    ("orchestrator",): Settings,
    ("orchestrator", "routes"): Routes,
    ("orchestrator", "generation"): GenerationSettings,
    ("orchestrator", "limits"): LimitSettings,
    ("orchestrator", "budgets"): Budgets,
    ("orchestrator", "cache"): Cache,
    ("orchestrator", "ledger"): LedgerSettings,
    ("orchestrator", "server"): ServerSettings,
    ("orchestrator", "search"): SearchSettings,
}


def _config_error(error: ValidationError, where: str) -> ConfigError:
    """The first problem as a `ConfigError`, without any value that may be a secret."""
    problem = error.errors(include_input=False, include_url=False)[0]
    steps = tuple(str(step) for step in problem["loc"])
    key = ".".join(steps) or "config"
    message = problem["msg"].lower()
    fix = ""
    if problem["type"] == "extra_forbidden":
        message = "is not a known key"
        known = list(_SECTIONS.get(steps[:-1], Settings).model_fields)
        near = nearest(steps[-1], known)
        fix = f"Did you mean {near!r}?" if near else f"Known: {', '.join(known)}."
    line = line_of(Path(where), problem["loc"])
    return ConfigError(f"{where}{f':{line}' if line else ''}: {key}", message, fix=fix)
