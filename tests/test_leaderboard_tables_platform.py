"""The table of the platform: ranks, values with errors and positions, and what is not listed."""

import re
from dataclasses import replace

import pytest
from table_entries import bold, measured, published, texts

from leaderboard.board import boards
from leaderboard.platform import Column, phase_settings
from leaderboard.ranking import rank_board, with_ranked
from leaderboard.tables import platform_table, to_csv, to_latex, to_markdown, to_text
from mitobench.errors import InvalidInputError
from mitobench.resampling import Bootstrap


def test_platform_shows_ranks_values_and_dates():
    entries = [measured(seed=1, team="Red"), published("B", human=1, rat=1), published("C", human=1, rat=1)]
    (board,) = boards(entries)
    table = platform_table(rank_board(board))
    assert table.caption == "mitoem-2020 on MitoEM test, annotation v2"
    assert [column.title for column in table.columns][:6] == [
        "#",
        "User (Team)",
        "Algorithm",
        "Created",
        "AP-75",
        "MitoEM-H AP-75 small",
    ]
    score = f"{entries[0].score:.4f}"
    assert [row[:5] for row in texts(table)] == [
        ["1", "B", "B\N{DAGGER}", "", "1.0000"],
        ["1", "C", "C\N{DAGGER}", "", "1.0000"],
        ["3", "Red", "ours", "2026-11-23", score],
    ]
    assert table.notes[1:] == (
        "Ranked by AP-75; equals share a rank.",
        "\N{DAGGER} As published, not computed anew: a paper.",
    )
    assert not any(flag for line in bold(table) for flag in line)


def test_platform_shows_errors_and_positions():
    entry = measured(intervals=Bootstrap(resamples=100, unit="instances"))
    (board,) = boards([entry, published("B", human=0.0, rat=1.0)])
    settings = with_ranked(replace(phase_settings("ap_75"), scoring_method="avg"), ["case.rat.ap_75.all"], board)
    table = platform_table(rank_board(board, settings), buckets=["all"])
    titles = [column.title for column in table.columns]
    assert titles[:6] == [
        "#",
        "User (Team)",
        "Created",
        "Mean Position",
        "AP-75 (Position)",
        "MitoEM-H AP-75 all",
    ]
    assert not any("small" in title for title in titles)
    low, high = entry.overall_interval("ap_75")
    row = next(row for row in table.rows if row.record["method"] == "ours")
    place = 1 if entry.score > 0.5 else 2
    error = f"{(high - low) / 2:.4f}"
    assert row.cells[4].text == f"{entry.score:.4f} \N{PLUS-MINUS SIGN} {error} ({place})"
    assert row.record["aggregates.ap_75.position"] == place
    assert row.record["aggregates.ap_75_error"] == (high - low) / 2
    assert "\N{PLUS-MINUS SIGN}" in to_text([table])
    assert rf"\ensuremath{{\pm}} {error} ({place})" in to_latex([table])
    assert table.notes[1] == "Ranked by the mean position in AP-75, MitoEM-R AP-75 all; equals share a rank."
    assert table.notes[2] == "Of each user the best result is listed."


def test_platform_names_what_it_does_not_list():
    (board,) = boards([published("good"), published("none", human=None, rat=None)])
    table = platform_table(rank_board(board))
    assert [row.cells[1].text for row in table.rows] == ["good"]
    assert table.omissions == (
        "Not listed: 1 result.",
        "Not listed: none (none-v2) has no MitoEM-H and no MitoEM-R.",
    )
    for write in (to_text, to_markdown, to_latex):
        assert "Not listed: 1 result." in write([table])


def test_platform_leaves_out_empty_columns_and_lists_no_mean_over_fewer_volumes():
    (board,) = boards([published("both"), published("rat", human=None)])
    table = platform_table(rank_board(board))
    assert not any("Precision" in column.title for column in table.columns)
    assert [row.cells[1].text for row in table.rows] == ["both"]
    assert table.omissions[1:] == ("Not listed: rat (rat-v2) has no MitoEM-H.",)


def test_a_board_of_hidden_results_is_an_empty_table():
    (board,) = boards([published("none", human=None, rat=None)])
    table = platform_table(rank_board(board))
    assert table.rows == ()
    for write in (to_text, to_markdown, to_latex):
        assert "Not listed: 1 result." in write([table])
    assert to_csv([table]) == "\n"


@pytest.mark.parametrize("decimals", [-1, 18])
def test_decimals_that_no_number_has_are_refused(decimals):
    message = f"decimals of the settings are {decimals}; allowed: whole numbers from 0 to 17"
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        replace(phase_settings("ap_75"), decimals=decimals)


def test_titles_of_settings_are_shown_as_they_are():
    (board,) = boards([published()])
    score = Column(title="a&b\n\x1b|c", path="aggregates.ap_75")
    table = platform_table(rank_board(board, replace(phase_settings("ap_75"), score=score, decimals=2)))
    assert table.columns[3].title == "a&b \ufffd|c"
    assert "a\\&b \ufffd\\textbar{}c" in to_latex([table])
    assert "a\\&b \ufffd\\|c" in to_markdown([table])
    assert texts(table)[0][3] == "0.50"
