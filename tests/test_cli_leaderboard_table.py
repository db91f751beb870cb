"""`mitobench leaderboard table` on the command line."""

import csv
import io
import json
from dataclasses import replace

import pytest
from table_entries import measured, published

from leaderboard.platform import phase_settings
from leaderboard.store import SHIPPED, add_all, load_entries
from leaderboard.tables import paper_tables, to_latex, to_markdown, to_text
from mitobench.cli import main
from mitobench.resampling import Bootstrap


def table(*arguments):
    return main(["leaderboard", "table", *map(str, arguments)])


@pytest.fixture
def mine(tmp_path):
    folder = tmp_path / "mine"
    intervals = Bootstrap(resamples=100, unit="instances")
    add_all(folder, [measured("ours", intervals=intervals), measured("theirs", seed=1)])
    return folder


def test_prints_the_tables_of_the_note(capsys):
    assert table() == 0
    out = capsys.readouterr().out
    assert "U2D-B+CC v1" in " ".join(out.split())
    assert "0.816*" in out


@pytest.mark.parametrize(
    ("suffix", "name", "write"),
    [("txt", "terminal", to_text), ("md", "markdown", to_markdown), ("tex", "latex", to_latex)],
)
def test_the_format_follows_the_suffix(tmp_path, capsys, suffix, name, write):
    path = tmp_path / f"t.{suffix}"
    assert table("-o", path) == 0
    text = path.read_text(encoding="utf-8")
    assert text == write(paper_tables(load_entries(SHIPPED))) + "\n"
    assert list(tmp_path.iterdir()) == [path]
    assert capsys.readouterr().out == ""
    other = tmp_path / "t.inc"
    assert table("-o", other, "--format", name) == 0
    assert other.read_text(encoding="utf-8") == text


def test_csv_has_every_row_once(mine, capsys):
    assert table("--entries", mine, "--published", "--format", "csv", "-o", "-") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["method"] for row in rows][:4] == ["U2D-B+CC"] * 2 + ["U3D-BC+MW"] * 2
    assert {(row["method"], row["kind"]) for row in rows[4:]} == {("ours", "measured"), ("theirs", "measured")}
    assert len(rows) == 6


def test_all_methods_of_a_task_and_their_intervals(mine, capsys):
    arguments = ("--entries", mine, "--published", "--compare", "methods", "--intervals", "--buckets", "all", "small")
    assert table(*arguments, "--task", "MitoEM test, annotation v2", "--format", "markdown") == 0
    out = capsys.readouterr().out
    headings = [line.split("|")[1:-1] for line in out.splitlines() if line.startswith("| Method")]
    names = [f"MitoEM-{name} {title}" for name in "HR" for title in ("All", "Small")]
    assert [[cell.strip() for cell in line] for line in headings] == [["Method", "Remark", *names, "Overall"]]
    assert "<br>\\[" in out


def test_the_form_of_the_platform_ranks_by_the_settings_of_a_phase(mine, tmp_path, capsys):
    settings = replace(phase_settings("ap_75"), decimals=2, scoring_method="med")
    path = tmp_path / "phase.json"
    path.write_text(json.dumps(settings.to_dict()))
    assert table("--entries", mine, "--form", "platform", "--settings", path, "--format", "markdown") == 0
    out = capsys.readouterr().out
    assert "Median Position | AP-75 (Position)" in out
    assert "\N{PLUS-MINUS SIGN}" in out


def test_csv_says_on_stderr_what_is_not_listed(tmp_path, capsys):
    add_all(tmp_path / "e", [published("good"), published("none", human=None, rat=None)])
    assert table("--entries", tmp_path / "e", "--form", "platform", "--format", "csv") == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert err == (
        "mitobench: warning: Not listed: 1 result. Not listed: none (none-v2) has no MitoEM-H and no MitoEM-R.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "t.doc"], "t.doc: no format has the suffix '.doc'; allowed: .txt, .md, .tex, .csv, or name a --format"),
        (["-o", "t"], "t: no format has the suffix ''; allowed: .txt, .md, .tex, .csv, or name a --format"),
        (["-o", "t.md", "--format", "csv"], "t.md: is named as markdown, but --format is csv; change one of them"),
        (["-o", "no/t.md"], "cannot write no/t.md: the folder no does not exist; create it first"),
        (
            ["--form", "platform", "--intervals"],
            "--intervals is an option of --form paper; leave it out or name that form",
        ),
        (
            ["--form", "platform", "--compare", "methods"],
            "--compare is an option of --form paper; leave it out or name that form",
        ),
        (["--settings", "s"], "--settings is an option of --form platform; leave it out or name that form"),
        (["--rule", "mitoem"], "no entries of rule 'mitoem', did you mean 'mitoem-2020'?; there are: mitoem-2020"),
        (["--form", "platform", "--settings", "s"], "s: cannot be read (No such file or directory); check the path"),
    ],
)
def test_refuses(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert table(*arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"mitobench: error: {message}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_the_table_that_was_there(tmp_path, capsys):
    path = tmp_path / "t.md"
    path.write_text("old")
    assert table("-o", path, "--rule", "none") == 2
    assert path.read_text() == "old"
    assert "no entries of rule 'none'" in capsys.readouterr().err
