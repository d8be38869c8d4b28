"""The command that infers events from a table: text, JSON, a written table, and words for what it cannot read."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from metaleptic.cli import app

TABLE = "patient,arm,months\n" + "".join(
    f"{i + 1},{arm},{t}\n" for i, (arm, t) in enumerate(zip("AAAABBBB", [4, 9, 12, 15, 2, 3, 5, 8], strict=True))
)
TEXT = """
time = "months"
means = { A = "10.0", B = "4.5" }

[published.A]
median = inf
rates = { 6 = "0.75", 14 = "0.75" }

[published.B]
events = 3
median = 5

[[contrasts]]
arm = "A"
versus = "B"
hr = "0.194"
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    table, text = tmp_path / "patients.csv", tmp_path / "text.toml"
    table.write_text(TABLE, encoding="utf-8")
    text.write_text(TEXT, encoding="utf-8")
    return table, text


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["reconstruct-table", *(str(a) for a in arguments)])


def test_text_json_and_table_tell_the_same(files: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "inferred.csv"
    result = run(*files, "--out", out)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("as printed: ")
    record = json.loads(run(*files, "--json").stdout)
    assert record["complete"]
    with out.open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    assert [r["patient"] for r in rows] == [str(i + 1) for i in range(8)]
    found = record["repairs"][0]["assignments"] if record["repairs"] else record["assignments"]
    assert [int(r["event_inferred"]) for r in rows] == found[0]["event"]
    assert f"inferred {found[0]['checks'][0]['value']}" in result.stdout


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        (("arm = ", "arm "), "not a readable TOML file"),
        (("hr = ", "ratio = "), "'ratio' is unknown"),
        (("6 = ", "six = "), "'six' is not a time"),
        (('"months"', '"weeks"'), "no column 'weeks'"),
        (("[[contrasts]]", "[contrasts]"), "Write [[contrasts]]"),
    ],
)
def test_slips_in_the_text_file_are_explained(files: tuple[Path, Path], slip: tuple[str, str], message: str) -> None:
    table, text = files
    text.write_text(TEXT.replace(*slip), encoding="utf-8")
    result = run(table, text)
    assert result.exit_code in {1, 2}
    assert message in result.output
    assert "Traceback" not in result.output
