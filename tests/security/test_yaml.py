"""YAML files whose few bytes mean more than they look like are errors that name the place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.main import main
from orchestrator.config.settings import Config
from orchestrator.generation.evaluation.evaluate import load_cases
from orchestrator.types.errors import ConfigError

_ROUNDS = range(1, 30)
LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in _ROUNDS)
MERGES = "a0: &a0 {x: 1, y: 2}\n" + "".join(
    f"a{n}: &a{n}\n  <<: [*a{n - 1}, *a{n - 1}]\n" for n in _ROUNDS
)
HOSTILE = {
    "laughs": (LAUGHS, "more than 100000 values"),
    "merges": (MERGES, "more than 100000 values"),
    "in itself": ("a: &a [*a]\n", "nested in more than 100 levels, or in itself at line 1"),
    "merged with itself": ("a: &a\n  <<: *a\n", "or in itself"),
    "deep": ("a: " + "[" * 5000, "nested in more than 100 levels"),
    "deep and closed": ("a: " + "[" * 150 + "]" * 150, "nested in more than 100 levels"),
    "long number": ("a: " + "1" * 5000, "a number is longer than 100 at line 1, column 4"),
    "base of sixty": ("a: 1" + ":59" * 20_000, "a number is longer than 100"),
    "a key twice": ("provider: offline\nprovider: auto\n", "'provider' is given twice at line 2"),
    "a key twice, quoted": ("a: {b: 1, 'b': 2}", "'b' is given twice at line 1, column 11"),
    "not its tag": ("a: !!bool perhaps", "it is not YAML"),
    "not a time": ("a: !!timestamp soon", "it is not YAML"),
    "not a number": ("a: !!int ''", "it is not YAML"),
    "an object of Python": ("a: !!python/object/apply:os.system [ls]", "it is not YAML at line 1"),
    "not text": ("a: \x00", "it is not YAML"),
}


@pytest.mark.parametrize(("text", "words"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_an_error_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        Config.load(file, {})
    assert str(file) in str(caught.value)
    with pytest.raises(ConfigError, match=words):
        load_cases(file)


def test_an_included_file_is_measured_too(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(LAUGHS)
    file = tmp_path / "config.yaml"
    file.write_text("include: [other.yaml]\n")
    with pytest.raises(ConfigError, match="more than 100000 values"):
        Config.load(file, {})


def test_the_command_line_says_it_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(MERGES)
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(tmp_path / "config.yaml"))
    assert main(["models"]) == 2
    assert "more than 100000 values" in capsys.readouterr().err


def test_aliases_and_merge_keys_that_stay_small_are_read(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "usual: &usual {model: offline/gmn}\nmodel_list:\n- model_name: offline\n"
        "  litellm_params:\n    <<: *usual\n    timeout: 3\n"
    )
    loaded = Config.load(file, {})
    assert loaded.model_list[0].litellm_params["model"] == "offline/gmn"


pieces = st.sampled_from(
    ("&a ", "*a", "<<: ", "- ", "? ", ": ", "[", "]", "{", "}", ", ", "\n", "  ", "1", "x", '"',
     "|\n", "!!set ", "!!omap ", "!!binary ", "!!float ", "0x", "2001-99-99", ":59", "#", "---\n",
     "include", "model_list", "null", "~", "%", "@")
)  # fmt: skip


@given(st.lists(pieces, max_size=24).map("".join))
def test_no_file_is_a_traceback(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    file.write_text(text)
    said: list[str] = []
    for read in (lambda: Config.load(file, {}), lambda: load_cases(file)):
        try:
            read()
        except ConfigError as error:
            said.append(str(error))
    assert all(said)
