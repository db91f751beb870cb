"""Ranks as the platform gives them, held against a literal count of who is better."""

import json
import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leaderboard_entries import RULE, measured_entry, published_entry

from leaderboard.board import boards
from leaderboard.platform import Column, PhaseSettings, phase_settings, platform_metrics
from leaderboard.ranking import Result, rank_board, rank_results, why_hidden, with_ranked
from leaderboard.store import add_all
from mitobench.cli import main
from mitobench.errors import InvalidInputError

PATHS = ("aggregates.a", "aggregates.b", "case.human.c")
TIMES = ("", "2026-01-01", "2026-01-01T00:00:00+00:00", "2026-01-01T01:00:00+02:00", "2026-02-03T04:05:06.000001")


TEST, VAL = "MitoEM test, annotation v2", "MitoEM val, annotation v2"


def refused(message):
    return pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$")


# A twin that counts, instead of sorting.


def number_at(metrics, path):
    for key in path.split("."):
        if not (isinstance(metrics, dict) and key in metrics):
            return None
        metrics = metrics[key]
    return metrics if type(metrics) is int or (type(metrics) is float and math.isfinite(metrics)) else None


def counted(results, settings):
    """Return id -> (rank, rank score, ranks by metric) of those that are ranked, whatever is displayed."""
    columns = {settings.score.path: settings.score}
    columns |= {column.path: column for column in settings.extra if not column.exclude_from_ranking}
    valid = [r for r in results if all(number_at(r.metrics, path) is not None for path in columns)]
    ranks = {r.id: {} for r in valid}
    for path, column in columns.items():
        sign = 1 if column.order == "desc" else -1
        for r in valid:
            own = sign * number_at(r.metrics, path)
            ranks[r.id][path] = 1 + sum(sign * number_at(other.metrics, path) > own for other in valid)
    scores = {}
    for key, by_path in ranks.items():
        several = sorted(by_path.values())
        middle = len(several) // 2
        median = several[middle] if len(several) % 2 else (several[middle - 1] + several[middle]) / 2
        mean = sum(several) / len(several)
        scores[key] = {"abs": by_path[settings.score.path], "avg": mean, "med": median}[settings.scoring_method]
    return {key: (1 + sum(s < own for s in scores.values()), own, ranks[key]) for key, own in scores.items()}


def newer(a, b, results):
    """Whether A counts as newer than B: created later, or at the same time and given earlier."""
    return a.moment > b.moment or (a.moment == b.moment and results.index(a) < results.index(b))


def twin(results, settings):
    kept = results
    if settings.result_display == "rec":
        kept = [r for r in results if not any(o.user == r.user and newer(o, r, results) for o in results if o is not r)]
    elif settings.result_display == "bst":
        first = counted(results, settings)
        valid = [r for r in results if r.id in first]

        def beats(a, b):
            rank_a, rank_b = first[a.id][0], first[b.id][0]
            return rank_a < rank_b or (rank_a == rank_b and newer(a, b, results))

        kept = [r for r in valid if not any(o.user == r.user and beats(o, r) for o in valid if o is not r)]
    ranked = counted(kept, settings)
    return {r.id: ranked.get(r.id, (0, 0.0, {})) for r in results}


anything = st.one_of(
    st.sampled_from([0, 1, 1.0, 0.5, 0.25, -0.0, 0.1 + 0.2, 0.3]),
    st.sampled_from([None, math.nan, math.inf, True, "0.5", [0.5], {"x": 1}, 10**400]),
)
metrics = st.fixed_dictionaries(
    {"aggregates": st.dictionaries(st.sampled_from("ab"), anything)},
    optional={"case": st.just(3) | st.fixed_dictionaries({"human": st.dictionaries(st.just("c"), anything)})},
)
mostly_numbers = st.builds(
    lambda a, b, c: {"aggregates": {"a": a, "b": b}, "case": {"human": {"c": c}}},
    *[st.sampled_from([0, 0.25, 0.5, 1])] * 3,
)
columns = st.builds(
    Column,
    title=st.just("x"),
    path=st.sampled_from(PATHS),
    order=st.sampled_from(["asc", "desc"]),
    exclude_from_ranking=st.booleans(),
)
all_settings = st.builds(
    PhaseSettings,
    score=columns,
    extra=st.lists(columns, max_size=3).map(tuple),
    scoring_method=st.sampled_from(["abs", "avg", "med"]),
    result_display=st.sampled_from(["all", "rec", "bst"]),
)
all_results = st.lists(
    st.tuples(st.sampled_from("XYZ"), st.sampled_from(TIMES), mostly_numbers | metrics), max_size=9
).map(lambda rows: [Result(str(k), *row) for k, row in enumerate(rows)])


@given(all_results, all_settings)
def test_ranks_are_those_of_the_literal_twin(results, settings):
    found = rank_results(results, settings)
    expected = twin(results, settings)
    assert {key: (s.rank, s.rank_score, s.rank_per_metric) for key, s in found.items()} == expected


@given(all_results, all_settings)
def test_every_result_without_a_rank_has_a_reason(results, settings):
    standings = rank_results(results, settings)
    reasons = why_hidden(results, settings, standings)
    assert set(reasons) == {key for key, standing in standings.items() if standing.rank == 0}
    by_id = {result.id: result for result in results}
    for key, reason in reasons.items():
        if not reason.startswith("has no "):
            assert settings.result_display != "all"
            other = by_id[re.search(r"result,? (\d+)", reason)[1]]
            assert other.user == by_id[key].user
            assert other.id != key


@given(all_results, all_settings)
def test_settings_survive_the_form_of_the_platform(results, settings):
    again = PhaseSettings.from_dict(json.loads(json.dumps(settings.to_dict())))
    assert again == replace(settings, score=replace(settings.score, exclude_from_ranking=False))
    assert rank_results(results, again) == rank_results(results, settings)


def results_of(*rows):
    """Return results 0, 1 ... of (user, created, score)."""
    return [Result(str(k), user, when, {"aggregates": {"ap_75": score}}) for k, (user, when, score) in enumerate(rows)]


def ranks_of(results, display):
    settings = replace(phase_settings("ap_75"), result_display=display)
    return [standing.rank for standing in rank_results(results, settings).values()]


def test_ties_share_the_smallest_rank():
    results = results_of(("a", "", 0.9), ("b", "", 0.8), ("c", "", 0.8), ("d", "", 0.7))
    assert ranks_of(results, "all") == [1, 2, 2, 4]


def test_of_each_user_the_newest_or_the_best_is_kept_and_ranks_close_up():
    rows = [("a", "2026-01-01", 0.9), ("a", "2026-02-01", 0.5), ("b", "2026-01-01", 0.7), ("c", "2026-01-01", 0.4)]
    assert ranks_of(results_of(*rows), "all") == [1, 3, 2, 4]
    assert ranks_of(results_of(*rows), "rec") == [0, 2, 1, 3]
    assert ranks_of(results_of(*rows), "bst") == [1, 0, 2, 3]


def test_an_invalid_newest_result_hides_its_user_and_an_invalid_best_does_not():
    rows = [("a", "2026-01-01", 0.9), ("a", "2026-02-01", None), ("b", "2026-01-01", 0.7)]
    assert ranks_of(results_of(*rows), "rec") == [0, 0, 1]
    assert ranks_of(results_of(*rows), "bst") == [1, 0, 2]


def test_the_first_of_two_of_the_same_time_counts_as_the_newer():
    rows = [("a", "2026-01-01T12:00+01:00", 0.5), ("a", "2026-01-01T11:00", 0.5)]
    assert ranks_of(results_of(*rows), "rec") == [1, 0]
    assert ranks_of(results_of(*rows), "bst") == [1, 0]


def test_two_results_of_one_id_are_refused():
    with refused("two results to rank have the same id; give each its own"):
        rank_results([Result("x", "a", "", {}), Result("x", "b", "", {})], phase_settings("ap_75"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"scoring_method_choice": "max"}, "settings.scoring_method_choice is 'max', allowed: abs, avg, med"),
        ({"score_default_sort": ["asc"]}, "settings.score_default_sort is ['asc'], allowed: asc, desc"),
        ({"score_jsonpath": 3}, "settings.score_jsonpath is 3, expected text"),
        ({"score_decimal_places": 1.5}, "settings.score_decimal_places is 1.5, expected a whole number"),
        (
            {"extra_results_columns": [{"title": "x", "path": "y", "order": "asc", "exclude_from_ranking": 1}]},
            "settings.extra_results_columns.exclude_from_ranking is 1, expected true or false",
        ),
    ],
)
def test_settings_of_another_form_are_refused(change, reason):
    values = phase_settings("ap_75").to_dict() | change
    expected = "expected the fields of the platform's form, score_title and so on"
    with refused(f"not the settings of a phase ({reason}); {expected}"):
        PhaseSettings.from_dict(values)


def board_of(*entries):
    (board,) = boards(entries)
    return board


def test_a_board_is_ranked_by_the_metric_of_its_rule():
    ranking = rank_board(board_of(published_entry("a", 0.5), published_entry("b", 0.7), published_entry("c", 0.5)))
    assert {key: standing.rank for key, standing in ranking.standings.items()} == {"a-v2": 2, "b-v2": 1, "c-v2": 2}
    assert [entry.key for entry in ranking.entries] == ["b-v2", "a-v2", "c-v2"]
    assert ranking.hidden == {}


def test_teams_are_the_users_and_methods_where_there_is_no_team():
    entries = [
        published_entry("a", 0.5, team="Blue", created="2026-02-01"),
        published_entry("b", 0.7, team="Blue", created="2026-01-01"),
        published_entry("c", 0.6),
        published_entry("d", 0.4),
    ]
    board = board_of(*entries)
    settings = replace(phase_settings("ap_75"), result_display="bst")
    ranking = rank_board(board, settings)
    assert ranking.hidden == {"a-v2": "Blue has the result b-v2, no worse; only the best of each is ranked"}
    ranking = rank_board(board, replace(settings, result_display="rec"))
    assert ranking.hidden == {"b-v2": "Blue has a newer result, a-v2; only the newest of each is ranked"}
    assert [ranking.standings[key].rank for key in ("a-v2", "b-v2", "c-v2", "d-v2")] == [2, 0, 1, 3]


def test_an_entry_without_a_score_is_hidden_and_the_volume_is_named():
    entry = published_entry("a", None)
    result = replace(entry.result, scores={"MitoEM-H": {"ap_75": {"all": 0.5}}, "MitoEM-R": {"ap_75": {"all": None}}})
    ranking = rank_board(board_of(replace(entry, result=result), published_entry("b")))
    assert ranking.hidden == {"a-v2": "has no AP-75 (aggregates.ap_75): undefined in MitoEM-R"}
    assert [entry.key for entry in ranking.entries] == ["b-v2", "a-v2"]


def test_columns_that_rank_are_sorted_the_way_the_metric_is_better():
    board = board_of(measured_entry("good", 0.9), measured_entry("bad", 0.5))
    settings = with_ranked(phase_settings("ap_75"), ["aggregates.voi_split", "case.human.ap_75.all"], board)
    added = {column.path: column for column in settings.extra if not column.exclude_from_ranking}
    assert {path: column.order for path, column in added.items()} == {
        "aggregates.voi_split": "asc",
        "case.human.ap_75.all": "desc",
    }
    ranking = rank_board(board, replace(settings, scoring_method="avg"))
    assert ranking.standings["good-v2-val"].rank == 1
    assert set(ranking.standings["good-v2-val"].rank_per_metric) == {"aggregates.ap_75", *added}


def test_a_column_that_nothing_has_is_refused():
    message = (
        "no entry of mitoem-2020, MitoEM test, annotation v2 has a number under 'aggregates.ap_57', did you mean "
        "'aggregates.ap_75'?; expected such as aggregates.ap_75"
    )
    with refused(message):
        with_ranked(phase_settings("ap_75"), ["aggregates.ap_57"], board_of(published_entry()))


def test_the_score_is_not_ranked_twice():
    settings = phase_settings("ap_75")
    assert with_ranked(settings, ["aggregates.ap_75"], board_of(published_entry())) == settings


@pytest.fixture
def folder(tmp_path):
    entries = [
        measured_entry("good", 0.9, team="Blue"),
        measured_entry("[red]fair[/red]", 0.7, team="Blue"),
        measured_entry("bad", 0.5, team="=1+1"),
        replace(published_entry("hidden", None, part="val"), result=published_entry(rule=RULE).result),
    ]
    none = replace(entries[3].result, overall={"ap_75": None})
    add_all(tmp_path / "results", [*entries[:3], replace(entries[3], result=none), published_entry("alone")])
    return str(tmp_path / "results")


def test_the_command_prints_ranks_and_why_there_is_none(folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "110")
    assert main(["leaderboard", "rank", "--entries", folder]) == 0
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert lines[0] == "MitoEM test, annotation v2, rule mitoem-2020"
    assert any(line.split()[:3] == ["1", "alone", "(published)"] for line in lines)
    assert "MitoEM val, annotation v2, rule mitoem-2020 with iou_thresholds=(0.75,)" in lines
    rows = [line.split() for line in lines if re.match(r" *[123] .* (Blue|=1\+1) ", line)]
    assert [row[1] for row in rows] == ["good", "[red]fair[/red]", "bad"]
    assert all(re.fullmatch(r"\d+%", row[-1]) for row in rows)
    assert "not ranked: hidden (hidden-v2-val) has no AP-75 (aggregates.ap_75)" in lines
    assert "without hidden (hidden-v2-val): published numbers come without resamples" in shown


def test_the_command_ranks_otherwise_when_asked(folder, capsys, tmp_path):
    path = tmp_path / "phase-settings.json"
    path.write_text(json.dumps(phase_settings("ap_75").to_dict()))
    rule = ["--rule", "mitoem-2020 with iou_thresholds=(0.75,)"]
    command = ["leaderboard", "rank", "--entries", folder, *rule, "--json", "-", "--settings", str(path)]
    options = ["--method", "avg", "--rank-columns", "aggregates.recall_75"]
    assert main([*command, *options]) == 0
    (board,) = json.loads(capsys.readouterr().out)["boards"]
    assert (board["rule"], board["task"]) == (rule[1], "MitoEM val, annotation v2")
    assert board["settings"]["result_display_choice"] == "bst"
    assert board["settings"]["scoring_method_choice"] == "avg"
    found = {entry["key"]: entry for entry in board["entries"]}
    assert found["good-v2-val"]["rank"] == 1
    assert found["good-v2-val"]["rank_per_metric"] == {"aggregates.ap_75": 1, "aggregates.recall_75": 1}
    assert found["good-v2-val"]["interval"] == measured_entry("good", 0.9).overall_interval("ap_75")
    reason = "Blue has the result good-v2-val, no worse; only the best of each is ranked"
    assert found["red-fair-red-v2-val"]["why_not_ranked"] == reason
    assert main([*command, "--display", "all"]) == 0
    (board,) = json.loads(capsys.readouterr().out)["boards"]
    assert [entry["rank"] for entry in board["entries"]] == [1, 2, 3, 0]


def test_the_command_shows_positions_where_several_columns_rank(folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "110")
    options = ["--rule", RULE.label, "--method", "med"]
    command = ["leaderboard", "rank", "--entries", folder, *options, "--rank-columns", "aggregates.voi_split"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "median position" in shown
    value = platform_metrics(measured_entry("good", 0.9))["aggregates"]["ap_75"]
    assert f"{value:.4f} (1)" in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rule", "coca"], f"no entries of rule 'coca'; there are: mitoem-2020; {RULE.label}"),
        (
            ["--task", "MitoEM val, annotation v1"],
            f"no entries of task 'MitoEM val, annotation v1', did you mean '{VAL}'?; there are: {TEST}; {VAL}",
        ),
        (
            ["--task", VAL, "--rule", "mitoem-2020"],
            f"no entries of rule 'mitoem-2020' and task '{VAL}'; leave one of them out",
        ),
        (["--json", "no/ranks.json"], "cannot write no/ranks.json: the folder no does not exist; create it first"),
        (["--settings", "no.json"], "no.json: cannot be read (No such file or directory); check the path"),
    ],
)
def test_the_command_says_what_it_cannot_rank(folder, capsys, options, message):
    assert main(["leaderboard", "rank", "--entries", folder, *options]) == 2
    assert capsys.readouterr() == ("", f"mitobench: error: {message}\n")


def test_without_entries_there_is_nothing_to_rank(tmp_path, capsys):
    assert main(["leaderboard", "rank", "--entries", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        "mitobench: error: there are no entries yet; `mitobench leaderboard add` puts some into a folder\n"
    )


def test_the_shipped_entries_are_ranked_by_default(capsys):
    assert main(["leaderboard", "rank"]) == 0
    lines = capsys.readouterr().out.splitlines()
    first = [line.split()[1] for line in lines if line.split()[:1] == ["1"]]
    assert first == ["U3D-BC+MW", "U3D-BC+MW"]


def test_a_mean_over_fewer_volumes_is_not_ranked_beside_the_others():
    both, whole = published_entry("both"), published_entry("rat", 0.9)
    rat = replace(whole, result=replace(whole.result, scores={"MitoEM-R": whole.result.scores["MitoEM-R"]}))
    (board,) = boards([both, rat])
    ranking = rank_board(board)
    assert {key: standing.rank for key, standing in ranking.standings.items()} == {both.key: 1, rat.key: 0}
    assert ranking.hidden == {rat.key: "has no MitoEM-H"}
    (alone,) = boards([rat])
    assert rank_board(alone).standings[rat.key].rank == 1
