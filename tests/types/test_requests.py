"""The types of the flow: output modes are the strings of configuration, ledger and modes file."""

from __future__ import annotations

import json

import pytest

from orchestrator.cache.keys import digest
from orchestrator.config.settings import Config
from orchestrator.types.errors import ConfigError
from orchestrator.types.requests import Description, OutputMode, Request


def test_each_output_mode_degrades_to_the_next_weaker_one() -> None:
    chain = [(str(mode), mode.weaker, mode.sends_schema) for mode in OutputMode]
    assert chain == [
        ("json_schema", "tool_call", True),
        ("tool_call", "json_object", True),
        ("json_object", "prompt", False),
        ("prompt", None, False),
    ]


def test_an_output_mode_is_written_as_its_string() -> None:
    for mode in OutputMode:
        assert json.loads(json.dumps({mode: mode})) == {str(mode): str(mode)}
        assert digest({"mode": mode}) == digest({"mode": str(mode)})


def test_the_configuration_takes_the_strings_and_lists_them() -> None:
    def configured(mode: str) -> Config:
        return Config.load({"orchestrator": {"generation": {"mode": mode}}}, {})

    assert configured("tool_call").orchestrator.generation.mode is OutputMode.TOOL_CALL
    with pytest.raises(ConfigError, match="'auto', 'json_schema', 'tool_call'"):
        configured("xml")


def test_requests_that_differ_in_their_description_only_are_equal() -> None:
    one, other = (Request((), "m", description=Description(words)) for words in ("a", "b"))
    assert one == other


def test_the_users_feedback_outranks_the_findings_of_a_patch() -> None:
    assert Description("a grid").for_patch("{}", "- GMN503").feedback == "- GMN503"
    wish = Description(document="{}", feedback="be bold").for_patch('{"name": "x"}', "- GMN503")
    assert (wish.document, wish.feedback) == ('{"name": "x"}', "be bold")
