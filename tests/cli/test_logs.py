"""What a log may look like: spellings of CSV and JSON lines, their columns, and where one ends."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import main
from tests.cli.test_learned import MODEL, Output, document, written

__all__ = ["document"]  # a fixture


def told(capsys: Output, document: str, data: str, *more: str) -> dict[str, Any]:
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
    value = told(capsys, document, written(tmp_path, text.getvalue()))
    assert (value["steps"], value["notes"]) == (3, [])
