"""Search engines: which can be asked, in which order, and why the others cannot."""

from __future__ import annotations

import importlib.util
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from orchestrator.models.addresses import is_here, origin_of
from orchestrator.models.deployment import Secret
from orchestrator.models.deployments import resolved
from orchestrator.models.origins import why_carried_elsewhere
from orchestrator.models.surroundings import surroundings, without_secrets
from orchestrator.parsing.spelling import nearest
from orchestrator.routing.prices import model_table
from orchestrator.types.errors import ConfigError, MissingExtraError
from orchestrator.types.installation import install_command
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from orchestrator.config.settings import Config

_log = logger_of(__name__)
#: The provider of engines that need no key: the package ``ddgs`` reads their pages.
DDGS = "ddgs"
EXTRA = "search"
_KEY = "orchestrator.search.engines"


@dataclass(frozen=True, slots=True)
class _Provider:
    """What LiteLLM reads for a search provider.

    Attributes:
        home: its own address; empty where one must be stated.
        key: the variable of its key; empty where there is none.
        base: the variable of its address.
        needs_key: whether it answers nobody without one.
        process: variables that LiteLLM reads from the process alone.
        other_key: a variable that is read where that of the key is not set.
        is_automatic: whether ``auto`` asks it where its key (or address) is there.
    """

    home: str
    key: str
    base: str
    needs_key: bool = True
    process: tuple[str, ...] = ()
    is_automatic: bool = True
    other_key: str = ""

    def key_in(self, environ: Mapping[str, str]) -> str:
        """Its key; empty where there is none."""
        return environ.get(self.key) or environ.get(self.other_key) or ""


#: LiteLLM's search providers, in the order of ``auto``. The keys of `xai` and `deepseek` are those
#: of their models, and a model answers for them: they are asked where they are named.
PROVIDERS: Mapping[str, _Provider] = {
    "searxng": _Provider("", "SEARXNG_API_KEY", "SEARXNG_API_BASE", needs_key=False),
    "brave": _Provider("https://api.search.brave.com", "BRAVE_API_KEY", "BRAVE_API_BASE"),
    "serper": _Provider("https://google.serper.dev", "SERPER_API_KEY", "SERPER_API_BASE"),
    "tavily": _Provider("https://api.tavily.com", "TAVILY_API_KEY", "TAVILY_API_BASE"),
    "exa_ai": _Provider("https://api.exa.ai", "EXA_API_KEY", "EXA_API_BASE"),
    "google_pse": _Provider(
        "https://www.googleapis.com", "GOOGLE_PSE_API_KEY", "GOOGLE_PSE_API_BASE",
        process=("GOOGLE_PSE_ENGINE_ID",),
    ),
    "perplexity": _Provider(
        "https://api.perplexity.ai", "PERPLEXITYAI_API_KEY", "PERPLEXITY_API_BASE"
    ),
    "linkup": _Provider("https://api.linkup.so", "LINKUP_API_KEY", "LINKUP_API_BASE"),
    "firecrawl": _Provider("https://api.firecrawl.dev", "FIRECRAWL_API_KEY", "FIRECRAWL_API_BASE"),
    "parallel_ai": _Provider(
        "https://api.parallel.ai", "PARALLEL_AI_API_KEY", "PARALLEL_AI_API_BASE",
        other_key="PARALLEL_API_KEY",
    ),
    "searchapi": _Provider("https://www.searchapi.io", "SEARCHAPI_API_KEY", "SEARCHAPI_API_BASE"),
    "you_com": _Provider(
        "https://ydc-index.io", "YOUCOM_API_KEY", "YOUCOM_API_BASE", needs_key=False
    ),
    "dataforseo": _Provider(
        "https://api.dataforseo.com", "", "DATAFORSEO_API_BASE", needs_key=False,
        process=("DATAFORSEO_LOGIN", "DATAFORSEO_PASSWORD"), is_automatic=False,
    ),
    "nimble": _Provider("https://sdk.nimbleway.com", "NIMBLE_API_KEY", "NIMBLE_API_BASE"),
    "apiserpent": _Provider("https://apiserpent.com", "APISERPENT_API_KEY", "APISERPENT_API_BASE"),
    "tinyfish": _Provider(
        "https://api.search.tinyfish.ai", "TINYFISH_API_KEY", "TINYFISH_API_BASE"
    ),
    "fastcrw": _Provider("https://fastcrw.com", "CRW_API_KEY", "CRW_API_BASE"),
    "bing_grounding": _Provider(
        "", "BING_GROUNDING_TOKEN", "BING_GROUNDING_PROJECT_ENDPOINT", needs_key=False,
        process=("BING_GROUNDING_MODEL",), is_automatic=False,
    ),
    "agentcore": _Provider(
        "", "AGENTCORE_GATEWAY_TOKEN", "AGENTCORE_GATEWAY_URL", needs_key=False, is_automatic=False
    ),
    "xai": _Provider("https://api.x.ai", "XAI_API_KEY", "XAI_API_BASE", is_automatic=False),
    "deepseek": _Provider(
        "https://api.deepseek.com", "DEEPSEEK_API_KEY", "DEEPSEEK_API_BASE", is_automatic=False
    ),
    # Abstracts of encyclopaedias alone; as an engine this name means the pages that ddgs reads.
    "duckduckgo": _Provider(
        "https://api.duckduckgo.com", "", "DUCKDUCKGO_API_BASE", needs_key=False, is_automatic=False
    ),
}  # fmt: skip
#: Engines without a key, with their name in ddgs; the first ones are asked by ``auto``.
KEYLESS: Mapping[str, str] = {
    "duckduckgo": "duckduckgo", "brave-html": "brave", "mojeek": "mojeek", "yahoo": "yahoo",
    "startpage": "startpage", "wikipedia": "wikipedia", "grokipedia": "grokipedia", "bing": "bing",
    "google-html": "google", "yandex": "yandex",
}  # fmt: skip
_AUTOMATIC = tuple(KEYLESS)[:3]
ALIASES: Mapping[str, str] = {
    "google": "google_pse", "exa": "exa_ai", "parallel": "parallel_ai", "you": "you_com",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SearchEngine:
    """An engine that can be asked.

    Attributes:
        provider: LiteLLM's name of the search provider, or `DDGS`.
        backend: its name in ddgs, for `DDGS`.
        params: LiteLLM's arguments; they hold secrets and stay out of every repr.
    """

    name: str
    provider: str
    backend: str = ""
    params: Secret = field(default_factory=lambda: Secret({}))

    @property
    def identity(self) -> list[object]:
        """What shapes its results, without secrets."""
        return [self.provider, self.backend, without_secrets(self.params.value)]

    def price_usd(self, results: int) -> float | None:
        """Dollars of one search for so many results; None where they are not known."""
        params = self.params.value
        stated = params.get("input_cost_per_query")
        if self.provider == DDGS or isinstance(stated, int | float):
            return float(stated or 0.0)
        name, extra = f"{self.provider}/search", params.keys() - {"search_provider", *_PLAIN}
        # A parameter such as search_depth may ask for the dearer form.
        table = model_table()
        names = [one for one in table if one.startswith(name)] if extra else [name]
        prices = [_price(table.get(one) or {}, results) for one in names]
        known = [price for price in prices if price is not None]
        return max(known) if known else None


_PLAIN = ("api_key", "api_base", "timeout")


def _price(entry: Mapping[str, Any], results: int) -> float | None:
    for tier in entry.get("tiered_pricing") or ():
        if results <= tier["max_results_range"][1]:
            return float(tier["input_cost_per_query"])
    price = entry.get("input_cost_per_query")
    return None if price is None else float(price)


@dataclass(frozen=True, slots=True)
class SkippedEngine:
    """An engine that is left out, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Engines:
    """The engines of a configuration, in the order in which they are asked."""

    ready: tuple[SearchEngine, ...] = ()
    skipped: tuple[SkippedEngine, ...] = ()

    def require(self) -> tuple[SearchEngine, ...]:
        """The engines that can be asked.

        Raises: MissingExtraError: it takes the extra, and nothing else; ConfigError: there is none.
        """
        if self.ready:
            return self.ready
        if all(one.name in KEYLESS for one in self.skipped) and not _has_ddgs():
            raise MissingExtraError("Searching without a key", EXTRA)
        reasons = "; ".join(map(str, self.skipped)) or "none is configured"
        keyless = f"install the extra: {install_command(EXTRA)}"
        if _has_ddgs():
            keyless = "name an engine without a key, such as duckduckgo."
        raise ConfigError(
            _KEY,
            f"no search engine can be asked ({reasons})",
            fix=f"Set a key such as TAVILY_API_KEY, or {keyless}",
        )


def engines_of(config: Config, environ: Mapping[str, str], names: tuple[str, ...] = ()) -> Engines:
    """The engines that a configuration names, or those of `names` in their place.

    Raises: ConfigError: a name is neither one of the file's search tools nor a known engine.
    """
    environ = {**environ, **config.environment_variables}
    found = list(_found(config, environ, names or config.orchestrator.search.engines))
    if config.orchestrator.privacy == "local_only":
        found = [_held(one, environ) for one in found]
    ready: dict[str, SearchEngine] = {}
    for one in found:
        if isinstance(one, SearchEngine):
            ready.setdefault(str([*one.identity, one.params.value.get("api_key")]), one)
    skipped = tuple(one for one in found if isinstance(one, SkippedEngine))
    return Engines(tuple(ready.values()), skipped)


def report(config: Config, engines: Engines) -> None:
    """Log each engine that the configuration names and that is left out."""
    named = {*config.orchestrator.search.engines, *(_tools(config))}
    for one in engines.skipped:
        if one.name in named:
            _log.warning("search: %s is left out: %s", one.name, one.reason)


_Found = SearchEngine | SkippedEngine


def _found(config: Config, environ: Mapping[str, str], names: tuple[str, ...]) -> Iterator[_Found]:
    tools = _tools(config)
    for name in names:
        known = ALIASES.get(name, name)
        if name in tools:
            yield from (_checked(name, params, environ) for params in tools[name])
        elif name == "auto":
            every = ((tool, params) for tool, stated in tools.items() for params in stated)
            yield from (_checked(tool, params, environ) for tool, params in every)
            yield from _automatic(environ)
        elif known in KEYLESS:
            yield _keyless(known)
        elif known in PROVIDERS:
            yield _checked(name, {"search_provider": known}, environ)
        else:
            every_name = list(dict.fromkeys(["auto", *tools, *PROVIDERS, *KEYLESS, *ALIASES]))
            near = nearest(name, every_name)
            words = f"Did you mean {near!r}?" if near else f"Known: {', '.join(every_name)}."
            raise ConfigError(_KEY, f"{name!r} is not a search engine", fix=words)


def _tools(config: Config) -> dict[str, list[Mapping[str, Any]]]:
    """The parameters of the file's search tools, by name; several may share one."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for index, entry in enumerate(config.search_tools):
        name, params = entry.get("search_tool_name"), entry.get("litellm_params")
        if not isinstance(name, str) or not isinstance(params, Mapping):
            raise ConfigError(
                f"search_tools.{index}", "needs a search_tool_name and litellm_params"
            )
        found.setdefault(name, []).append(params)
    return found


def _automatic(environ: Mapping[str, str]) -> Iterator[_Found]:
    for name, known in PROVIDERS.items():
        has_own = known.key_in(environ) if known.home else environ.get(known.base)
        if known.is_automatic and has_own:
            yield _checked(name, {"search_provider": name}, environ)
    yield from map(_keyless, _AUTOMATIC)


def _keyless(name: str) -> _Found:
    if not _has_ddgs():
        words = f"needs the extra {EXTRA!r}. Install it: {install_command(EXTRA)}"
        return SkippedEngine(name, words)
    return SearchEngine(name, DDGS, KEYLESS[name])


def _has_ddgs() -> bool:
    return importlib.util.find_spec(DDGS) is not None


def _checked(name: str, stated: Mapping[str, Any], environ: Mapping[str, str]) -> _Found:
    """An engine with its key and its address, as LiteLLM would find them.

    They are handed over with each call: LiteLLM says of a missing one that the server failed.
    """
    params, unset = resolved(stated, environ)
    provider = str(params.get("search_provider"))
    known = PROVIDERS.get(provider)
    if known is None:
        near = nearest(provider, list(PROVIDERS)) or ", ".join(PROVIDERS)
        return SkippedEngine(name, f"{provider!r} is not a search provider; use {near}")
    if known.key or not params.get("api_key"):  # dataforseo: its key is login:password
        unset += [one for one in known.process if not surroundings().environ.get(one)]
    if not params.get("api_key") and (key := known.key_in(environ)):
        own = {origin_of(one) for one in (known.home, environ.get(known.base)) if one}
        if (base := params.get("api_base")) and origin_of(base) not in own:
            words = (
                f"{known.key} is not sent to its api_base; state it as api_key if it belongs there"
            )
            return SkippedEngine(name, words)
        params["api_key"] = key
    if not params.get("api_key") and known.needs_key and not stated.get("api_key"):
        unset.append(known.key)
    params["api_base"] = params.get("api_base") or environ.get(known.base)
    if not params["api_base"] and not known.home:
        unset.append(known.base)
    if unset:
        return SkippedEngine(name, f"{' and '.join(dict.fromkeys(unset))} is not set")
    plain = {key: value for key, value in params.items() if value is not None}
    return SearchEngine(name, provider, params=Secret(plain))


def _held(one: _Found, environ: Mapping[str, str]) -> _Found:
    """The engine, or why ``local_only`` leaves it out."""
    if isinstance(one, SkippedEngine):
        return one
    base = str(one.params.value.get("api_base") or "")
    if not base or not _is_near(base):
        return SkippedEngine(one.name, "privacy is local_only, and it is not on this network")
    if why := why_carried_elsewhere(base, environ):
        return SkippedEngine(one.name, f"privacy is local_only, and {why}")
    return one


def _is_near(address: str) -> bool:
    """Whether an address is of this machine, or a private one in numbers: a name may lead away."""
    if is_here(address):
        return True
    try:
        host = ipaddress.ip_address(urlsplit(address).hostname or "")
    except ValueError:
        return False
    return bool(origin_of(address)) and host.is_private and not host.is_unspecified
