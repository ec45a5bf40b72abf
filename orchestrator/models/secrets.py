"""What is secret in a configuration, and how text is freed of it without harm to other words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from orchestrator.config.providers import PROVIDERS
from orchestrator.models.surroundings import is_secret
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestrator.config.settings import Config

REMOVED = "[removed]"
#: Shorter values are words that stand elsewhere too; they are removed only where a key is printed.
SHORTEST = 8
_ENV = "os.environ/"
_PRIVATE = pattern(r"key|token|secret|passw(or)?d|credential|authori[sz]ation", re.I)
_PRIVATE_VARIABLE = pattern(r"(^|_)(KEY|TOKEN|SECRET|PASSWORD|PASSWD)$", re.I)
#: Fields that name who answers.
_NAMES = frozenset({
    "model", "provider", "deployment", "route", "deployments", "llm_provider", "model_id",
    "custom_llm_provider", "litellm_model_name", "provider_response_model", "model_group",
    "failed_deployment_id", "contract", "role",
})  # fmt: skip
#: Keys and tokens of common services: a prefix that is not a word, then what no word looks like.
_SHAPES = pattern(
    # Each begins at the start of a run of such characters: a long text is read once.
    r"(?<![\w-])(?:sk-(?:[A-Za-z0-9]+[-_])*(?=[A-Za-z]*\d)[A-Za-z0-9]{16,}[\w-]*"
    r"|(?:[prs]k_live_|[prs]k_test_|hf_|gsk_|r8_|gh[opsu]_|github_pat_|pplx-|xai-|nvapi-)"
    r"[A-Za-z0-9]{16,}[\w-]*|glpat-(?=[\w-]*\d)[\w-]{20,}|xox[abpr]-(?=[\w-]*\d)[\w-]{10,}"
    r"|AIza(?=[\w-]*\d)[\w-]{20,}|(?:AKIA|ASIA)(?=[A-Z]*\d)[A-Z0-9]{12,}|ya29\.[\w-]{20,}"
    r"|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,})"
    r"|(?i:\bbearer)\s+(?=[A-Za-z-]*[\d._~+/]\w)[\w.~+/-]{16,}=*"
    # A key without its end was cut off: what is there of it are its whole lines.
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:"
    r"(?:(?!-----(?:BEGIN|END) ).){0,9999}+-----END [A-Z ]{0,30}PRIVATE KEY-----"
    r"|(?:(?:\s|\\[nr])*+[A-Za-z0-9+/=]{16,}+){1,400}+)",
    re.DOTALL,
)
_BEFORE_A_KEY = (
    r"(?i:(?P<before>(?:api[-_ ]?key|access[-_ ]?token|password|authorization)(?:\s+provided)?"
    r"[\"']?\s*[:=]\s*[\"']?(?:bearer\s+)?))"
)


class Secrets:
    """Values that must be shown nowhere.

    A value of at least `SHORTEST` characters is removed wherever it stands; one of letters alone
    only as a whole word. A shorter one is removed where it is printed as a key: ``api_key=x``,
    ``Authorization: Bearer x``. A value that is part of one of `names` is a name, not a secret.
    """

    def __init__(self, values: Iterable[str], *, names: Iterable[str] = ()) -> None:
        known = {*names, *PROVIDERS}
        by_length = sorted({value.strip() for value in values} - {""}, key=len, reverse=True)
        self._long = [
            value
            for value in by_length
            if len(value) >= SHORTEST and not any(value in name for name in known)
        ]
        short = "|".join(re.escape(value) for value in by_length if value not in self._long)
        self._short = re.compile(rf"{_BEFORE_A_KEY}(?:{short})(?!\w)") if short else None

    def removed(self, text: str) -> tuple[str, int]:
        """The text without secrets and without what has the form of a key, and how many went."""
        count = 0
        for value in self._long:
            if value not in text:
                continue
            form = re.escape(value)
            if value.isalpha():
                form = rf"(?<!\w){form}(?!\w)"
            text, found = re.subn(form, REMOVED, text)
            count += found
        text, found = _SHAPES.subn(REMOVED, text)
        count += found
        if self._short is not None:
            text, found = self._short.subn(rf"\g<before>{REMOVED}", text)
            count += found
        return text, count

    def removed_from(self, value: Any, name: str = "") -> tuple[Any, int]:
        """The same of every text in a JSON value, but for the fields that name who answers."""
        if isinstance(value, str):
            return (value, 0) if name in _NAMES else self.removed(value)
        if isinstance(value, Mapping):
            pairs = {key: self.removed_from(part, str(key)) for key, part in value.items()}
            return {k: part for k, (part, _) in pairs.items()}, sum(n for _, n in pairs.values())
        if isinstance(value, list | tuple):
            parts = [self.removed_from(part) for part in value]
            return [part for part, _ in parts], sum(n for _, n in parts)
        return value, 0


def secrets_of(config: Config, environ: Mapping[str, str]) -> Secrets:
    """What is secret in a configuration and in the environment; its own names are not."""
    names = [
        name
        for one in config.model_list
        for name in (one.model_name, str(one.litellm_params.get("model") or ""))
    ]
    return Secrets(secret_values(config, environ), names=names)


def secret_values(config: Config, environ: Mapping[str, str]) -> list[str]:
    """What stands in a configuration and in the environment under names of secrets."""
    environ = {**environ, **config.environment_variables}
    sections = (
        *(dict(one.litellm_params) for one in config.model_list),
        config.router_settings,
        config.search_tools,
    )
    cache = config.orchestrator.cache
    stated = [*private_values(sections), cache.encrypt, urlsplit(cache.url).password or ""]
    values = [environ.get(v.removeprefix(_ENV), "") if v.startswith(_ENV) else v for v in stated]
    return values + [
        value
        for name, value in environ.items()
        if _PRIVATE_VARIABLE.search(name) and (len(value) >= SHORTEST or name.endswith("_API_KEY"))
    ]


def _in_address(address: str) -> Iterator[str]:
    """The user, the password and the keys that stand in an address."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return
    access = parts.netloc.rpartition("@")[0]
    yield from (text for part in access.split(":", 1) for text in (part, unquote(part)))
    yield from (text for name, text in parse_qsl(parts.query) if is_secret(name))


def private_values(value: Any, *, is_private: bool = False) -> Iterator[str]:
    """Every text under a name that says that it is secret, and what an address carries of one."""
    if isinstance(value, str):
        if is_private:
            yield value
        elif value.startswith(("http://", "https://")):
            yield from _in_address(value)
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield from private_values(
                part, is_private=is_private or bool(_PRIVATE.search(str(name)))
            )
    elif isinstance(value, list | tuple):
        for part in value:
            yield from private_values(part, is_private=is_private)
