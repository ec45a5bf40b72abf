"""The command line: results on stdout, the rest on stderr, exit codes that mean something."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.cli.output import painted
from orchestrator.gmn.validate import validate
from tests.support.documents import GOOD, swapped

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "prompts" / "library"
TMAZE = str(LIBRARY / "tmaze.gmn")

Output = pytest.CaptureFixture[str]


@pytest.fixture
def good(tmp_path: Path) -> str:
    path = tmp_path / "good.gmn"
    path.write_text(GOOD)
    return str(path)


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = tmp_path / "bad.gmn"
    path.write_text(swapped("about: pos", "about: nowhere"))
    return str(path)


def stdin(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def shell(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestrator", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
    )


def test_a_valid_document_is_said_to_be_valid(good: str, capsys: Output) -> None:
    assert main(["validate", good]) == 0
    assert capsys.readouterr().out == f"{good}: valid, runs\n"


def test_diagnostics_are_lines_that_editors_jump_to(good: str, bad: str, capsys: Output) -> None:
    assert main(["validate", good, bad]) == 1
    out = capsys.readouterr().out
    assert f"{bad}:8:24: GMN105 error: 'nowhere' is not defined" in out
    assert f"{bad}: not valid, 1 error\n" in out


def test_repairs_are_reported_and_can_be_turned_off(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "m.gmn"
    path.write_text(swapped("about: pos", "about: Pos"))
    assert main(["validate", str(path)]) == 0
    out = capsys.readouterr().out
    assert "GMN105 repaired: " in out
    assert "error" not in out
    assert main(["validate", "--no-repair", str(path)]) == 1


def test_standard_input_is_a_file_named_dash(
    monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    stdin(monkeypatch, GOOD)
    assert main(["validate", "-", "-v"]) == 0
    assert "<stdin>: valid" in capsys.readouterr().out


def test_validation_as_json_holds_the_whole_report(bad: str, capsys: Output) -> None:
    assert main(["validate", "--json", bad]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["valid"], found["spelling"]) == (False, "text")
    assert found["diagnostics"][0]["code"] == "GMN105"


def test_format_prints_checks_and_writes_the_canonical_form(good: str, capsys: Output) -> None:
    assert main(["format", good, "--check"]) == 1
    assert "would be reformatted" in capsys.readouterr().err
    assert main(["format", good]) == 0
    canonical = capsys.readouterr().out
    assert main(["format", good, "--write"]) == 0
    assert Path(good).read_text() == canonical
    assert main(["format", good, "--check"]) == 0
    assert main(["format", good, "--to", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "walker"
    assert main(["format", good, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["canonical"] is True


COMMENTED = """# Walks a line.
# Written by hand.
gmn 1.0
agent walker { type: explorer } # who
// where it is
node state pos { labels: [a, b] }
node observation place {
  labels: [a, b] # "no # comment" in here
}
node policy pi { horizon: 1 }
node emission A { from: [pos] to: place identity noise: 0.1 }
# the end
"""


def test_format_keeps_comments_with_their_statement(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "walker.gmn"
    path.write_text(COMMENTED)
    assert main(["format", str(path), "-w"]) == 0
    once = path.read_text()
    assert once.startswith("# Walks a line.\n# Written by hand.\ngmn 1.0\n# who\nagent walker {")
    assert "// where it is\nnode state pos {" in once
    assert '# "no # comment" in here\nnode observation place {' in once
    assert once.endswith("}\n# the end\nend\n")
    assert main(["format", str(path), "--check"]) == 0
    capsys.readouterr()
    assert main(["format", str(path), "--to", "json"]) == 0
    assert "6 comments left out" in capsys.readouterr().err


def test_format_says_what_it_drops(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "walker.gmn"
    path.write_text(COMMENTED.replace("labels: [a, b] }", "labels: [a, b] colour: red }", 1))
    assert main(["format", str(path)]) == 0
    assert "unknown property 'colour'" in capsys.readouterr().err


def test_formatting_keeps_the_model_and_every_comment(capsys: Output) -> None:
    for path in sorted(Path(TMAZE).parent.glob("*.gmn")):
        assert main(["format", str(path)]) == 0
        text = capsys.readouterr().out
        assert validate(text).spec == validate(path.read_text()).spec
        said = [line for line in path.read_text().splitlines() if line.startswith("#")]
        assert [line for line in text.splitlines() if line.startswith("#")] == said


def test_format_refuses_what_cannot_be_read(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "x.gmn"
    path.write_text("gibberish")
    assert main(["format", str(path)]) == 1
    assert f"{path}:1:1: GMN002 error" in capsys.readouterr().err
    assert main(["format", "-", "--write"]) == 2


def test_simulate_draws_a_grid_as_a_grid_and_nothing_else(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["simulate", "prompts/library/warehouse.gmn", "--steps", "4", "--seed", "0"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\npos: S start, @ where it is, * where it was, # blocked\n  S * * @\n  . # # .\n" in out
    monkeypatch.setenv("COLUMNS", "7")
    assert main(command) == 0
    assert "\n  S**@\n" in capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "5")
    assert main(command) == 0
    assert "blocked" not in capsys.readouterr().out
    assert main(["simulate", TMAZE, "--steps", "3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_simulate_says_why(capsys: Output) -> None:
    assert main(["simulate", "prompts/library/warehouse.gmn", "--steps", "2", "--why"]) == 0
    out = capsys.readouterr().out
    assert "step 2: cell=r0c1, task=waiting\n  It does move=right (then move=right, " in out
    assert "Second best is move=down, under 1% probable: worth " in out
    assert "It expects to see cell=r0c1 91% or r0c0 5%, task=waiting 100%." in out
    assert "  pos: @ where it is, # blocked\n    . @ . .\n" in out


def test_json_of_an_episode_has_every_number_and_only_finite_ones(
    capsys: Output, tmp_path: Path
) -> None:
    path = tmp_path / "never.gmn"
    path.write_text(swapped("gamma: 8", "gamma: 900 habit: {go: [0, 1, 1]}"))
    assert main(["simulate", str(path), "--steps", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["actions"] == [{"go": "left"}, {"go": "stay"}, {"go": "right"}]
    assert found["plans"] == [[a, b] for a in range(3) for b in range(3)]
    assert found["utility"] == sum(step["utility"] for step in found["steps"])
    for step in found["steps"]:
        assert sum(step["posterior"]["pos"].values()) == pytest.approx(1)
        assert step["belief"]["pos"]["p"] == max(step["posterior"]["pos"].values())
        assert len(step["neg_efe"]) == len(step["plan_posterior"]) == 9
        assert sum(step["plan_posterior"]) == pytest.approx(1)
        assert sum(step["plan_posterior"][:3]) == step["action_posterior"][0] == 0
        assert step["state"]["pos"] in "abc"
        plan, other = step["why"]["plan"], step["why"]["runner_up"]
        assert plan["actions"][0] == step["action"]
        assert other["actions"][0] not in ({"go": "left"}, step["action"])  # left is forbidden
        assert sum(plan["utility"] + plan["information"]) == pytest.approx(max(step["neg_efe"][3:]))
        assert sum(step["why"]["expected"]["place"].values()) == pytest.approx(1)


def test_explain_speaks_plain_english(good: str, bad: str, capsys: Output) -> None:
    assert main(["explain", good]) == 0
    assert "It looks 2 steps ahead" in capsys.readouterr().out
    assert main(["explain", good, "--all"]) == 0
    assert "if pos is b: a 10%, b 80%, c 10%" in capsys.readouterr().out
    assert main(["explain", good, "--json"]) == 0
    assert "explanation" in json.loads(capsys.readouterr().out)
    assert main(["explain", bad]) == 1


def test_simulate_shows_an_episode_and_holds_expectations(capsys: Output) -> None:
    arguments = ["simulate", TMAZE, "--steps", "3", "--expect", "reward=cheese within 3 in 90%"]
    assert main(arguments) == 0
    first = capsys.readouterr().out
    assert "loc=cue 100%" in first
    assert main(arguments) == 0
    assert capsys.readouterr().out == first
    assert main(["simulate", TMAZE, "--expect", "never reward=cheese within 5", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["expectations"][0]["trace"]
    assert len(found["steps"]) == 20


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["simulate", TMAZE, "--expect", "nonsense"], "is not an expectation"),
        (["simulate", TMAZE, "--expect", "cell=a within 3"], "is not defined"),
        (["simulate", TMAZE, "--steps", "99999"], "is beyond"),
        (["validate", "no/such/file"], "No such file"),
        (["generate", "x", "--provider", "acme"], "is not a provider"),
        (["generate", "x", "--constraint", "max_stats=3"], "is not a constraint"),
        (["generate", "x", "--route", "nowhere"], "is not configured"),
        (["format", TMAZE, "--to", "json", "-w", "--json"], ""),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_code_two(
    arguments: list[str], words: str, capsys: Output
) -> None:
    if not words:
        return
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert words in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [[], ["fly"], ["generate"], ["generate", "x", "--constraint", "many"],
     ["simulate", TMAZE, "--steps", "0"], ["validate"], ["generate", "x", "-q", "-v"]],
)  # fmt: skip
def test_what_argparse_refuses_also_says_where_help_is(
    arguments: list[str], capsys: Output
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "--help" in capsys.readouterr().err


def test_an_invalid_document_cannot_be_simulated(bad: str, capsys: Output) -> None:
    assert main(["simulate", bad]) == 1
    assert "GMN105" in capsys.readouterr().err


def test_generate_prints_the_model_alone_on_stdout(tmp_path: Path, capsys: Output) -> None:
    arguments = ["generate", "a cautious explorer for a 5x5 grid", "--agent-type", "explorer"]
    arguments += ["--constraint", "max_states=25", "--expect", "cell=r4c4 within 16 in 80%"]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("gmn 1.0\nagent explorer {")
    for words in ("[1] generate: asking", "runs:     yes", "behaves:  yes", "embedded provider"):
        assert words in printed.err
    out = tmp_path / "m.gmn"
    assert main([*arguments, "-o", str(out), "--quiet"]) == 0
    again = capsys.readouterr()
    assert (again.out, again.err) == ("", "")
    assert out.read_text() == printed.out


def test_the_same_sentence_twice_is_answered_from_the_cache(capsys: Output) -> None:
    assert main(["generate", "a thermostat"]) == 0
    capsys.readouterr()
    assert main(["generate", "a thermostat"]) == 0
    assert "answered by the cache" in capsys.readouterr().err
    assert main(["cache", "info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["entries"] == 2  # an answer and an accepted run
    assert main(["cache", "clear"]) == 0
    assert "2 entries removed" in capsys.readouterr().out
    assert main(["cache", "clear", "--json"]) == 0
    assert main(["cache", "info"]) == 0
    assert "0 entries" in capsys.readouterr().out


def test_generate_gives_other_forms_too(
    monkeypatch: pytest.MonkeyPatch, good: str, capsys: Output
) -> None:
    stdin(monkeypatch, "a two-armed bandit")
    assert main(["generate", "-", "--format", "pymdp", "-q", "--example", good]) == 0
    assert set(json.loads(capsys.readouterr().out)) >= {"A", "B", "C", "D", "num_controls"}
    assert main(["generate", "a bandit", "--format", "json", "--seed", "3", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["gmn"] == "1.0"
    assert main(["generate", "a bandit", "--json", "-v"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["provider"], found["report"]["valid"]) == ("offline", True)


def test_refine_changes_the_document_it_is_given(
    good: str, tmp_path: Path, bad: str, capsys: Output
) -> None:
    out = tmp_path / "more.gmn"
    assert main(["refine", good, "--feedback", "Add memory", "-o", str(out)]) == 0
    assert "node state memory" in out.read_text()
    assert "patch: asking" in capsys.readouterr().err
    assert main(["refine", good, "--feedback", "horizon 1", "--json", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["spec"]["policy"]["horizon"] == 1
    gibberish = tmp_path / "g.gmn"
    gibberish.write_text("[1")
    assert main(["refine", str(gibberish), "--feedback", "x"]) == 1


def test_models_plan_and_doctor_say_what_is_there(capsys: Output) -> None:
    assert main(["models"]) == 0
    assert "OPENAI_API_KEY is not set" in capsys.readouterr().out
    assert main(["models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["routes"]["default"] == ["offline"]
    assert main(["plan", "x"]) == 0
    assert "at most 4 calls" in capsys.readouterr().out
    assert main(["plan", "x", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["max_cost_usd"] == 0
    assert main(["doctor"]) == 0
    assert "export OPENAI_API_KEY" in capsys.readouterr().out
    assert main(["doctor", "--json"]) == 0


def test_doctor_names_what_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("orchestrator: {cahce: 1}")
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(config))
    assert main(["doctor"]) == 1
    assert "Did you mean 'cache'" in capsys.readouterr().out
    config.write_text("guardrails: []")
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("ORCHESTRATOR_CACHE_DIR", str(tmp_path / "file"))
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "unused config keys: guardrails" in out
    assert "bad   cache" in out
    assert "bad   deployments" in out


def test_a_provider_that_fails_is_exit_code_three(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        "model_list: [{model_name: m, litellm_params: {model: openai/m, api_key: k,"
        " api_base: 'http://127.0.0.1:9/v1'}}]"
    )
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(config))
    assert main(["generate", "x"]) == 3
    err = capsys.readouterr().err
    assert "[1] failed" in err
    assert "Traceback" not in err


def test_demo_prints_sentence_model_report_and_ten_steps(capsys: Output) -> None:
    assert main(["demo"]) == 0
    printed = capsys.readouterr()
    assert "a cautious explorer for a 5x5 grid who must reach the corner" in printed.err
    for words in ("gmn 1.0", "behaves:  yes", "cost:     0.000000 USD", "10    cell="):
        assert words in printed.out
    assert printed.out.splitlines()[-1] in (ROOT / "README.md").read_text().splitlines()
    assert main(["demo", "--json"]) == 0


def test_the_version_and_the_help_are_there(capsys: Output) -> None:
    for option in ("--version", "--help"):
        with pytest.raises(SystemExit) as caught:
            main([option])
        assert caught.value.code == 0
    printed = capsys.readouterr().out
    assert re.match(r"gmn-orchestrator \d+\.\d+\.\d+\n", printed)
    assert "exit codes" in printed


def test_colour_is_for_terminals_and_for_those_who_want_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert painted("x", "red", Terminal()) == "\033[31mx\033[0m"
    assert painted("x", "red", io.StringIO()) == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert painted("x", "red", Terminal()) == "x"


def test_checking_a_file_does_not_bring_litellm() -> None:
    code = (
        "import sys; from orchestrator.cli.main import main; "
        f"code = main(['validate', {TMAZE!r}]); print(code, 'litellm' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert ran.stdout.splitlines()[-1] == "0 False"


def test_a_reader_that_stops_early_is_no_error() -> None:
    ran = subprocess.run(
        f"{sys.executable} -m orchestrator simulate {TMAZE} --steps 500 | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert ran.stdout.startswith("step")
    assert ran.stderr == ""


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_control_c_is_one_line_and_exit_code_130(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    # A port that accepts and never answers.
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        config.write_text(
            "model_list: [{model_name: m, litellm_params: {model: openai/m, api_key: k,"
            f" api_base: 'http://127.0.0.1:{port}/v1'}}}}]"
        )
        running = subprocess.Popen(
            [sys.executable, "-m", "orchestrator", "generate", "x"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "ORCHESTRATOR_CONFIG": str(config)},
        )
        server.settimeout(120)  # LiteLLM is loaded first
        connection, _ = server.accept()
        time.sleep(0.5)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
        connection.close()
    assert running.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "interrupted"
    assert "Traceback" not in err


def test_shell_exit_codes_reach_the_shell(bad: str) -> None:
    assert shell("validate", bad).returncode == 1
    assert shell("validate", TMAZE).returncode == 0


def test_generate_shows_the_answer_while_it_comes(capsys: Output) -> None:
    assert main(["generate", "a thermostat for a cold room", "--live", "--samples", "1"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("gmn 1.0\nagent thermostat {")
    assert printed.out.strip() in printed.err
    assert "runs:     yes" in printed.err


def test_the_cache_mode_of_the_environment_is_checked(
    monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CACHE_MODE", "sometimes")
    assert main(["generate", "a thermostat"]) == 2
    assert "ORCHESTRATOR_CACHE_MODE" in capsys.readouterr().err
    monkeypatch.setenv("ORCHESTRATOR_CACHE_MODE", "off")
    assert main(["generate", "a thermostat", "-q"]) == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["validat", "model.gmn"], "'validat' is not a choice; did you mean 'validate'? Try: orch"),
        (["format", "x", "--to", "gmm"], "'gmm' is not a choice; did you mean 'gmn'? Try: orch"),
        (["paint"], "invalid choice: 'paint' (choose from"),
    ],
)
def test_a_misspelled_choice_names_the_one_that_was_meant(
    given: list[str], words: str, capsys: Output
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(given)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
