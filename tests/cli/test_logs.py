"""What a log may look like: spellings of CSV and JSON lines, their columns, and where one ends."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import main
from tests.cli.test_learned import Output, document, written

__all__ = ["document"]  # a fixture


def report_of(capsys: Output, document: str, data: str, *more: str) -> dict[str, Any]:
    """What `refine --data` gives as JSON."""
    code = main(["refine", document, "--data", data, "--json", "-q", *more])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    value: dict[str, Any] = json.loads(printed.out)
    return value


def refused(capsys: Output, document: str, data: str) -> str:
    assert main(["refine", document, "--data", data]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC, csv.QUOTE_MINIMAL])
def test_a_csv_reads_alike_however_its_cells_are_quoted(
    document: str, tmp_path: Path, separator: str, end: str, quoting: Any, capsys: Output
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting)
    rows = [["left", "forth"], ["middle", "back"], ["left", ""]]
    writer.writerows([["sight", "push"], *rows])
    value = report_of(capsys, document, written(tmp_path, text.getvalue()))
    assert (value["steps"], value["notes"]) == (3, [])


@pytest.mark.parametrize("separator", [";", "\t", "^"])
def test_a_spreadsheet_may_state_its_separator(
    document: str, tmp_path: Path, separator: str, capsys: Output
) -> None:
    rows = [["sight", "push"], ["left", "forth"], ["left", ""]]
    text = f"sep={separator}\r\n" + "".join(f"{separator.join(row)}\r\n" for row in rows)
    value = report_of(capsys, document, written(tmp_path, text))
    assert (value["steps"], value["notes"]) == (2, [])
    said = refused(capsys, document, written(tmp_path, text.replace("forth", "first")))
    assert "line 3: 'first' is not a label of push" in said


def test_the_same_log_again_is_a_warning(document: str, tmp_path: Path, capsys: Output) -> None:
    data = written(tmp_path, "sight,push\nleft,forth\nmiddle,back\nleft,\n")
    learned = tmp_path / "learned.gmn"
    words = "counts twice"
    refine = ["refine", document, "--data", data, "--learn", "room", "-o", str(learned)]
    assert main(refine) == 0
    assert words not in capsys.readouterr().err
    assert main(["refine", str(learned), *refine[2:]]) == 0
    assert words in capsys.readouterr().err


def test_the_separator_is_found_where_every_name_is_misspelt(
    document: str, tmp_path: Path, capsys: Output
) -> None:
    said = refused(capsys, document, written(tmp_path, '"Sight";"Push"\n"left";"forth"\n'))
    assert "line 1: column 'Sight' is not a variable; did you mean sight?" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Episode,sight,push\n1,left,forth\n", "line 1: column 'Episode' is not a variable; did"),
        ("episode_id,sight,push\n1,left,forth\n", "did you mean episode?"),
        ("episodes,sight,push\n1,left,forth\n", "did you mean episode?"),
        ("epsiode,sight,push\n1,left,forth\n", "did you mean episode?"),
        ("sight,push,Room\nleft,forth,left\n", "column 'Room' is not a variable; did you mean ro"),
        ("sight,push,rom\nleft,forth,left\n", "did you mean room?"),
        ("\n\nsight,push,rom\nleft,forth,left\n", "line 3: column 'rom' is not a variable"),
        ("sight,push,Sight\nleft,forth,left\n", "column 'Sight' is not a variable, and 'sight' is"),
        ("episode,sight,push\n1,left,forth\n,left,back\n", "line 3: episode is empty; write it in"),
        ("episode,sight,push\n ,left,forth\n", "line 2: episode is empty"),
        ('{"sight": 0, "push": 0, "episode": null}\n', "line 1: episode is empty"),
        (
            '{"sight": 0, "push": 0}\n{"Sight": 1, "push": 0}\n',
            "line 2: column 'Sight' is not a variable, and 'sight' is there too",
        ),
        (
            '{"sight": 0, "push": 0}\n{"sight": 0, "push": 0}\n{"sihgt": 1, "push": 0}\n',
            "line 3: column 'sihgt' is not a variable, and 'sight' is there too",
        ),
        ('{"sight": 0, "push": 0, "sight": 1}\n', "line 1: 'sight' is there twice; keep one"),
        ('{"sight": {"a": 1, "a": 2}, "push": 0}\n', "line 1: sight is not one value"),
    ],
)
def test_a_column_that_nearly_has_a_known_name_is_refused(
    document: str, tmp_path: Path, text: str, words: str, capsys: Output
) -> None:
    assert words in refused(capsys, document, written(tmp_path, text))


def test_other_columns_are_ignored_by_name(document: str, tmp_path: Path, capsys: Output) -> None:
    data = written(tmp_path, ",sight,push,weather,\n0,left,forth,fine,\n1,left,,fine,\n")
    (note,) = report_of(capsys, document, data)["notes"]
    assert note.endswith("are ignored: (without a name), weather")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"sight,push\nleft,{'7' * 5001}\n", "line 2: push is 7777"),
        (f"sight,push\nleft,{'x' * 5001}\n", "line 2: 'xxxx"),
        (f'{{"sight": {"7" * 5001}, "push": 0}}\n', "line 1: sight is 7777"),
        ("sight,push\nleft,forth\n".encode("utf-16-le"), "line 1: a NUL character, as in UTF-16"),
        ("sight,push\nleft,forth\0\n", "line 2: a NUL character"),
        (f"sight,push\nleft,{'x' * 140_000}\n", "line 2: a cell of more than 131,072 characters"),
        ('sight,push\nleft,"forth\n' + "left,back\n" * 50_000, "line 2: a cell of more than 131,0"),
    ],
    ids=["digits", "letters", "integer", "utf-16", "nul", "field", "quote"],
)
def test_a_cell_that_cannot_be_read_is_refused_for_what_it_is(
    document: str, tmp_path: Path, text: str | bytes, words: str, capsys: Output
) -> None:
    csv.field_size_limit(2**23)  # as another reader of the process may set it
    said = refused(capsys, document, written(tmp_path, text))
    assert words in said
    assert len(said) < 400
    assert "set_int_max_str_digits" not in said


def test_a_json_string_may_hold_what_ends_a_line_elsewhere(
    document: str, tmp_path: Path, capsys: Output
) -> None:
    text = '{"sight": 0, "push": 0, "said": "a\u2028b\x85c"}\r\n{"sight": 1, "push": 1}\r\n'
    assert report_of(capsys, document, written(tmp_path, text))["steps"] == 2


def test_wide_logs_and_long_remarks_are_read(document: str, tmp_path: Path, capsys: Output) -> None:
    more = ",".join(f"c{i}" for i in range(5000))
    wide = f"sight,push,{more},remark\nleft,,{',' * 4999},{'long ' * 1000}\n"
    assert report_of(capsys, document, written(tmp_path, wide))["steps"] == 1


TIGER = """gmn 1.0
agent tiger { type: general }
node state tiger { labels: [left, right] }
node state room { labels: [in, out] terminal: [out] }
node observation hear { labels: [left, right] }
node observation seen { labels: [in, out] }
node action act { labels: [listen, open] }
node emission A { from: [tiger] to: hear identity noise: 15% noise_kind: others learn: true }
node emission A2 { from: [room] to: seen identity SLIP }
node transition B1 { from: [tiger] to: tiger identity }
node transition B2 { from: [act, room] to: room rules: [
  {when: {act: listen}, then: {@stay: 1}}, {then: {out: OPENS, in: FAILS}} ] }
node belief D1 { about: tiger uniform }
node belief D2 { about: room map: [in] }
node preference payoff { on: [tiger, act] rules: [
  {when: {tiger: left, act: open}, utility: -10}, {when: {act: open}, utility: 1} ] }
node policy pi { horizon: 2 }
end
"""


def tiger(tmp_path: Path, *, opens: str = "1", slip: str = "") -> str:
    fails = str(round(1 - float(opens), 3))
    text = TIGER.replace("SLIP", slip).replace("OPENS", opens).replace("FAILS", fails)
    return written(tmp_path, text.replace(", in: 0.0", ""), "tiger.gmn")


@pytest.mark.parametrize(
    ("rows", "line", "end"),
    [
        ("hear,act,room\nleft,open,in\nleft,listen,out\nleft,listen,out\n", 4, 3),  # recorded
        ("hear,act\nleft,open\nleft,open\nleft,open\n", 4, 3),  # from what was done
        ("hear,act,seen\nleft,open,in\nleft,listen,out\nleft,,\n", 4, 3),  # from what was seen
        ("hear,act,seen\nleft,open,in\nleft,listen,in\n", 3, 2),  # nothing but another beginning
        ("episode,hear,act\n1,left,open\n1,left,\n2,left,open\n2,left,open\n2,left,\n", 6, 5),
        ('{"hear": 0, "act": 1}\n{"hear": 0, "act": 0}\n\n{"hear": 0, "act": 0}\n', 4, 2),
    ],
)
def test_an_episode_that_goes_on_after_its_end_is_refused(
    tmp_path: Path, rows: str, line: int, end: int, capsys: Output
) -> None:
    said = refused(capsys, tiger(tmp_path), written(tmp_path, rows))
    words = f"line {line}: the episode goes on after room=out has ended it at line {end}; begin"
    assert words in said


@pytest.mark.parametrize(
    ("rows", "opens", "slip"),
    [
        ("hear,act,room\nleft,open,in\nleft,,out\n", "1", ""),
        ("hear,act\nleft,open\nleft,listen\n", "1", ""),  # what is done last leads nowhere
        ("episode,hear,act\n1,left,open\n1,left,\n2,left,open\n2,left,\n", "1", ""),
        ("hear,act\nleft,open\nleft,open\nleft,open\n", "0.9", ""),  # the door may have stuck
        ("hear,act,seen\nleft,open,in\nleft,open,out\nleft,open,in\n", "0.9", "noise: 0.1"),
    ],
)
def test_an_episode_that_may_go_on_is_read(
    tmp_path: Path, rows: str, opens: str, slip: str, capsys: Output
) -> None:
    document = tiger(tmp_path, opens=opens, slip=slip)
    assert report_of(capsys, document, written(tmp_path, rows))["steps"] > 1
