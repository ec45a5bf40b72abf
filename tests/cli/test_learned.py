"""`refine --data`: a log teaches a document, contradicts it, or is refused with its line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from orchestrator.cli.main import main
from orchestrator.gmn.acting.world import World
from orchestrator.gmn.validate import validate
from tests.gmn.test_learning import DOCUMENT, walker

Output = pytest.CaptureFixture[str]
MODEL = DOCUMENT.replace("NOISE", "0").replace("node transition", "# how it slips\nnode transition")


@pytest.fixture
def document(tmp_path: Path) -> str:
    path = tmp_path / "m.gmn"
    path.write_text(MODEL)
    return str(path)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Ten episodes of 200 random steps in a world whose pushes succeed more often."""
    _, world_model = walker(0.0)
    rng = np.random.default_rng(1)
    lines = ["episode,sight,push"]
    for episode in range(10):
        world = World(world_model, rng)
        for _ in range(200):
            action = world_model.policies[int(rng.integers(2)), 0]
            seen = world_model.observations[0].names[world.observe()[0]]
            lines.append(f"{episode},{seen},{['back', 'forth'][int(action[0])]}")
            world.act(action)
    path = tmp_path / "log.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def written(tmp_path: Path, text: str | bytes, name: str = "log.csv") -> str:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def test_a_log_teaches_the_named_table_and_the_report_says_how_much(
    document: str, log: Path, capsys: Output
) -> None:
    assert main(["refine", document, "--data", str(log), "--learn", "room"]) == 0
    printed = capsys.readouterr()
    learned = validate(printed.out, run_steps=0)
    assert learned.report.is_accepted
    assert learned.compiled is not None
    _, world = walker(0.0)
    assert np.abs(learned.compiled.B[0] - world.B[0]).max() < 0.06
    assert "# how it slips" in printed.out
    assert "transition of room from log.csv: 2,000 steps" in printed.out
    assert "2,000 steps in 10 episodes" in printed.err
    assert "a uniform guess -1.0986" in printed.err
    assert "GMN908 warning: transition of room: row (room=" in printed.err
    assert Path(document).read_text() == MODEL


def test_the_result_as_json_holds_every_row(document: str, log: Path, capsys: Output) -> None:
    assert main(["refine", document, "--data", str(log), "--learn", "room", "--json", "-q"]) == 0
    value = json.loads(capsys.readouterr().out)
    nats = value["nats_per_step"]
    assert nats["document"] < nats["learned"] < 0
    assert nats["uniform"] == pytest.approx(-np.log(3))
    (moves,) = [table for table in value["tables"] if table["is_learned"]]
    assert moves["title"] == "transition of room"
    assert len(moves["rows"]) == 6
    assert sum(row["observed"] for row in moves["rows"]) == pytest.approx(1990)
    assert all(row["p_value"] < 1e-3 for row in moves["rows"])
    assert validate(value["text"]).report.is_accepted


def test_without_a_table_to_learn_the_log_is_only_held_against_the_document(
    document: str, log: Path, capsys: Output
) -> None:
    assert main(["refine", document, "--data", str(log)]) == 0
    printed = capsys.readouterr()
    assert "no table is marked learn: true" in printed.err
    assert "differs from the log's" in printed.err
    assert validate(printed.out).spec == validate(MODEL).spec


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffsight;push\r\nleft;forth\r\nmiddle;back\r\nleft;\r\n",
        "sight\tpush\nleft\tforth\nmiddle\tback\nleft\t\n",
        'note,"sight","push"\n"a, b","left", "forth"\n, middle,back\n,left,\n',
        "sight,push\n0,1\n1.0,0.0\n\n0,\n",
        '{"sight": "left", "push": 1}\n{"sight": 1, "push": "back"}\n{"sight": "left"}\n',
    ],
    ids=["bom-crlf-semicolon", "tab", "quoted", "indices", "json-lines"],
)
def test_every_usual_spelling_of_a_log_reads_alike(
    document: str, tmp_path: Path, text: str, capsys: Output
) -> None:
    assert main(["refine", document, "--data", written(tmp_path, text), "--json", "-q"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["steps"], value["episodes"]) == (3, 1)
    # 1/3 for the first, then 0.5 and 0.4 by the rows of the document.
    expected = (np.log(1 / 3) + np.log(0.5) + np.log(0.6)) / 3
    assert value["nats_per_step"]["document"] == pytest.approx(expected)
    assert value["notes"] == (
        ["columns that are not variables of the model are ignored: note"] if "note" in text else []
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty; expected a header such as sight,push"),
        ("sight,push\n", "has a header and no row"),
        ("left,forth\nmiddle,back\n", "line 1: no column for action push; expected a header"),
        ("sight\nleft\n", "line 1: no column for action push"),
        ("push\nforth\n", "line 1: no column for any observation"),
        (
            "Sight,push\nleft,forth\n",
            "line 1: column 'Sight' is not a variable; did you mean sight?",
        ),
        ("sight,sight,push\nleft,left,forth\n", "line 1: column 'sight' is there twice"),
        ("sight,push\nleft,forth\nmidle,back\n", "line 3: 'midle' is not a label of sight; did"),
        ("sight,push\nleft,forth\n7,back\n", "line 3: sight is 7; write a label, or an index of 0"),
        ("sight,push\nleft,forth\nmiddle\n", "line 3: 1 cell, the header has 2"),
        ("sight,push\nleft,\nmiddle,back\n", "line 2: push is empty, and the episode goes on"),
        (
            "episode,sight,push\na,left,forth\nb,left,back\na,left,back\n",
            "line 4: episode 'a' goes on after another one",
        ),
        (b"sight,push\nl\xe9ft,forth\n", "line 2: byte 0xe9 is not UTF-8"),
        ('sight,push\n"left,forth\nmiddle,back\n', "close every quote"),
        ('{"sight": "left"\n', "line 1: is not JSON"),
        ('[{"sight": 1, "push": 0}]\n', "is a JSON array; write one object a line"),
        ('{"sight": [1], "push": 0}\n', "line 1: sight is not one value"),
    ],
)
def test_a_wrong_log_is_refused_with_its_line_and_what_to_write(
    document: str, tmp_path: Path, text: str | bytes, words: str, capsys: Output
) -> None:
    assert main(["refine", document, "--data", written(tmp_path, text)]) == 2
    printed = capsys.readouterr()
    assert "log.csv: " in printed.err
    assert words in printed.err
    assert printed.out == ""


def test_a_log_of_a_million_lines_is_refused_in_time(
    document: str, tmp_path: Path, capsys: Output
) -> None:
    data = written(tmp_path, "sight,push\n" + "left,forth\n" * 1_000_000)
    assert main(["refine", document, "--data", data]) == 2
    assert "line 250002: more than 250,000 steps; split the log" in capsys.readouterr().err


def test_labels_that_are_numbers_are_labels_and_never_indices(
    tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "m.gmn"
    path.write_text(
        MODEL.replace("[left, middle, right]", '["1", "2", "3"]').replace("right", '"3"')
    )
    assert (
        main(
            [
                "refine",
                str(path),
                "--data",
                written(tmp_path, "sight,push\n1.0,forth\n3,\n"),
                "--json",
                "-q",
            ]
        )
        == 0
    )
    value = json.loads(capsys.readouterr().out)
    assert value["nats_per_step"]["document"] == pytest.approx((np.log(1 / 3) + np.log(0.1)) / 2)
    assert (
        main(["refine", str(path), "--data", written(tmp_path, "sight,push\n0,forth\n3,\n")]) == 2
    )
    assert "line 2: '0' is not a label of sight; it has 1, 2, 3" in capsys.readouterr().err


def test_what_the_document_rules_out_is_found_and_stays_impossible(
    tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "m.gmn"
    path.write_text(
        MODEL.replace("[0.6, 0.3, 0.1], [0.4, 0.5, 0.1]", "[0.6, 0.4, 0], [0.4, 0.6, 0]")
    )
    rows = "left,forth\nright,back\nleft,back\n" * 20
    data = written(tmp_path, f"sight,push\n{rows}")
    assert main(["refine", str(path), "--data", data, "--learn", "room"]) == 0
    printed = capsys.readouterr()
    words = "20 rows are impossible after those before them, the first at line 3 (after push=forth,"
    assert words in printed.err
    learned = validate(printed.out).compiled
    assert learned is not None
    assert learned.B[0][2, 0].tolist() == [0, 0]
    assert np.all(np.isfinite(learned.B[0]))


def test_a_certain_table_and_an_action_that_is_never_done_are_findings(
    tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "m.gmn"
    path.write_text(MODEL)
    data = written(tmp_path, "sight,push\n" + "left,back\n" * 40)
    assert main(["refine", str(path), "--data", data, "--learn", "sight"]) == 0
    printed = capsys.readouterr()
    assert "likelihood of sight is certain, so a log cannot change it" in printed.err
    assert "the log never does push=forth" in printed.err
    assert validate(printed.out).spec == validate(MODEL).spec


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--learn", "rooom"], "'rooom' has no table to learn; did you mean 'room'?"),
        (["--learn", "push"], "'push' has no table to learn"),
        (["--route", "fast"], "--route goes with --feedback"),
        (["--expect", "sight=left within 3"], "--expect goes with --feedback"),
        (["--feedback", "x"], "not allowed with argument"),
        (["-o", "LOG"], "is the log itself"),
    ],
)
def test_options_without_a_meaning_are_refused(
    document: str, log: Path, more: list[str], words: str, capsys: Output
) -> None:
    more = [str(log) if one == "LOG" else one for one in more]
    before = log.read_text()
    try:
        code = main(["refine", document, "--data", str(log), *more])
    except SystemExit as error:
        code = int(str(error.code))
    assert code == 2
    assert words in capsys.readouterr().err
    assert log.read_text() == before


def test_recorded_states_count_as_evidence_and_teach_a_hidden_transition(
    tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "m.gmn"
    path.write_text(MODEL.replace("noise: 0", "noise: 0.4"))
    data = written(tmp_path, "sight,push,room\n" + "right,back,left\nleft,back,left\n" * 30)
    assert main(["refine", str(path), "--data", data, "--learn", "room", "--json", "-q"]) == 0
    value = json.loads(capsys.readouterr().out)
    (moves,) = [table for table in value["tables"] if table["is_learned"]]
    (row,) = [row for row in moves["rows"] if row["observed"] > 0]
    assert row["context"] == "room=left, push=back"
    assert row["after"] == pytest.approx([59.6 / 60, 0.3 / 60, 0.1 / 60])


def test_an_unset_prior_can_be_learned(document: str, log: Path, capsys: Output) -> None:
    assert main(["refine", document, "--data", str(log), "--learn", "prior room", "-q"]) == 0
    text = capsys.readouterr().out
    assert "node belief D_room {" in text
    assert validate(text).report.is_accepted


def test_a_table_that_is_marked_learns_its_rows_as_they_are_written(
    tmp_path: Path, capsys: Output
) -> None:
    rows = "from: [push]\n  to: room\n  learn: true\n  concentration: 4\n  rows: [[0.5, 0.5, 0], "
    head, _, tail = MODEL.partition("from: [room, push]")
    path = tmp_path / "m.gmn"
    rest = tail.partition("  ]\n")[2]
    path.write_text(f"{head}{rows}[0.2, 0.2, 0.6]]\n{rest}")
    data = written(tmp_path, "sight,push\n" + "left,back\nmiddle,back\nleft,back\n" * 10)
    assert main(["refine", str(path), "--data", data]) == 0
    printed = capsys.readouterr()
    assert "transition of room: 29 observations in 2 rows" in printed.err
    spec = validate(printed.out).spec
    assert spec is not None
    (table,) = spec.transitions
    # 19 of the 29 moves lead to the left; each row began as 4 observations.
    assert table.table.rows[0] == pytest.approx([21 / 33, 12 / 33, 0], abs=1e-6)
    assert table.table.rows[1] == (0.2, 0.2, 0.6)
    assert table.learn
    # The other row is still worth 4; one number stands for both.
    assert table.concentration == pytest.approx((33 * 4) ** 0.5, abs=1e-3)
