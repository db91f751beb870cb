"""Ranks resample by resample: certain where a method is far ahead, open between equals."""

import csv
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from leaderboard_entries import BOOTSTRAP, RULE, measured_entry, published_entry, report, volumes

from leaderboard.board import Board
from leaderboard.challenger import challenger_table
from leaderboard.entry import Task
from leaderboard.stability import PairedDifference, paired_difference, rank_stability
from leaderboard.store import add_all
from mitobench import Bootstrap, compare_pair
from mitobench.cli import main
from mitobench.errors import InvalidInputError
from mitobench.uncertainty import tail


def board_of(*entries):
    """Return the board of some entries, in the order given."""
    return Board(rule=RULE.label, rank_by="ap_75", task=Task(part="val"), entries=entries)


def with_values(entry, *, values=None, blocks=None, occupied=None, value=None):
    """Return an entry with other resamples in every volume: what is given replaces what was measured."""

    def change(volume):
        made = volume.resamples
        made = replace(
            made,
            values=made.values if values is None else dict.fromkeys(made.values, values),
            by_block=made.by_block if blocks is None else dict.fromkeys(made.by_block, blocks),
            occupied=made.occupied if occupied is None else occupied,
        )
        scores = volume.metrics if value is None else volume.metrics | {"ap_75": dict.fromkeys(made.values, value)}
        return replace(volume, resamples=made, metrics=scores)

    result = entry.result
    return replace(entry, result=replace(result, volumes=tuple(map(change, result.volumes))))


def made_up(name, values, score=0.5):
    return with_values(measured_entry(name, 0.7), values=values, value=score)


def test_a_method_far_ahead_is_first_in_every_resample():
    stability = rank_stability(board_of(measured_entry("good", 0.9), measured_entry("bad", 0.4)))
    good, bad = stability.spreads
    assert (good.key, good.rank, good.low, good.high, good.mean, good.first) == ("good-v2-val", 1, 1, 1, 1.0, 1.0)
    assert (bad.rank, bad.low, bad.high, bad.first) == (2, 2, 2, 0.0)
    assert stability.better == {"good-v2-val": {"bad-v2-val": 1.0}, "bad-v2-val": {"good-v2-val": 0.0}}
    assert (stability.bucket, stability.level, stability.resamples, stability.occupied) == ("all", 0.95, 200, 16)
    assert stability.left_out == {}


def test_two_equal_predictions_share_the_first_rank():
    a, b = measured_entry("a", 0.7), measured_entry("b", 0.7)
    stability = rank_stability(board_of(a, b, measured_entry("bad", 0.4)))
    assert [(s.rank, s.low, s.high, s.first) for s in stability.spreads] == [(1, 1, 1, 1), (1, 1, 1, 1), (3, 3, 3, 0)]
    assert stability.better["a-v2-val"]["b-v2-val"] == stability.better["b-v2-val"]["a-v2-val"] == 0.5
    assert paired_difference(a, b) == PairedDifference(0.0, 0.0, 0.0, 1.0)


def test_ranks_are_counted_resample_by_resample():
    """Against a literal count over a few methods with ties, and the percentiles of their ranks."""
    rng = np.random.default_rng(5)
    table = rng.integers(0, 4, (5, 200)) / 4
    # Rounding alone makes no difference.
    noisy = table + rng.uniform(-1e-14, 1e-14, table.shape)
    stability = rank_stability(board_of(*(made_up(f"m{k}", row.tolist(), 0.1 * k) for k, row in enumerate(noisy))))
    outside = tail(0.95, 16)
    found = {spread.key: spread for spread in stability.spreads}
    assert [spread.key for spread in stability.spreads] == [f"m{k}-v2-val" for k in (4, 3, 2, 1, 0)]
    for k, own in enumerate(table):
        ranks = np.array([1 + sum(other[i] > own[i] for other in table) for i in range(200)])
        spread = found[f"m{k}-v2-val"]
        assert (spread.rank, spread.mean, spread.first) == (5 - k, ranks.mean(), (ranks == 1).mean())
        assert spread.low <= np.quantile(ranks, outside) < spread.low + 1
        assert spread.high - 1 < np.quantile(ranks, 1 - outside) <= spread.high
        for j, other in enumerate(table):
            if j != k:
                share = np.mean([(a > b) + (a == b) / 2 for a, b in zip(own, other, strict=True)])
                assert stability.better[f"m{k}-v2-val"][f"m{j}-v2-val"] == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize("bucket", ["all", "small"])
def test_the_paired_difference_is_that_of_the_comparison(bucket):
    """One volume, whose blocks the comparison draws alike."""
    a, b = (measured_entry(name, recall, seeds=(1,)) for name, recall in (("a", 0.8), ("b", 0.7)))
    gt = volumes(1, 0.8)[0]
    comparison = compare_pair(volumes(1, 0.8)[1], volumes(1, 0.7)[1], gt, rule=RULE, bootstrap=BOOTSTRAP)
    expected = comparison.of("ap_75", bucket)
    found = paired_difference(a, b, bucket=bucket)
    assert found == paired_difference(a, b, volume="MitoEM-H", bucket=bucket)
    assert found.value == pytest.approx(expected.difference, abs=1e-15)
    assert (found.low, found.high, found.p) == (expected.low, expected.high, expected.p_bootstrap)
    mirrored = paired_difference(b, a, bucket=bucket)
    assert (-mirrored.value, -mirrored.high, -mirrored.low) == pytest.approx((found.value, found.low, found.high))


def test_a_difference_over_two_volumes_is_the_mean_of_both_resample_by_resample():
    a, b = measured_entry("a", 0.8), measured_entry("b", 0.7)
    found = paired_difference(a, b)
    single = [paired_difference(a, b, volume=name) for name in a.volumes]
    assert found.value == pytest.approx(np.mean([one.value for one in single]), abs=1e-15)
    assert found.high - found.low < max(one.high - one.low for one in single)
    assert found.value == pytest.approx(a.score - b.score, abs=1e-15)


def test_the_mean_over_volumes_has_the_interval_of_the_report():
    """Against a method that finds nothing, the difference is the score itself."""
    a, nothing = measured_entry("a", 0.8), measured_entry("b", 0.0)
    found = paired_difference(a, nothing)
    assert [found.low, found.high] == a.overall_interval("ap_75")
    assert found.p < 0.05


ALONE = "other ground truth, or intervals made in another way, than a-v2-val"


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (lambda: replace(published_entry("c", part="val", rule=RULE)), "published numbers come without resamples"),
        (lambda: measured_entry("c", 0.7, bootstrap=None), "scored without intervals, or by an older mitobench"),
        (
            lambda: measured_entry("c", 0.7, bootstrap=Bootstrap(resamples=200, unit="instances")),
            "its intervals are of single instances, not of blocks",
        ),
        (lambda: measured_entry("c", 0.7, bootstrap=Bootstrap(resamples=200, seed=1)), ALONE),
        (lambda: measured_entry("c", 0.7, bootstrap=Bootstrap(resamples=100)), ALONE),
        (lambda: measured_entry("c", 0.7, seeds=(1, 3)), ALONE),
        (lambda: measured_entry("c", 0.7, seeds=(2, 1)), ALONE),
        (lambda: measured_entry("c", 0.7, seeds=(1,)), ALONE),
        (lambda: with_values(measured_entry("c", 0.7), values=[0.5] * 199), "its resamples are not complete"),
        (lambda: with_values(measured_entry("c", 0.7), blocks=[]), "its resamples are not complete"),
        (lambda: with_values(measured_entry("c", 0.7), blocks=[0.5] * 15), ALONE),
    ],
)
def test_what_cannot_be_compared_is_left_out_with_the_reason(other, reason):
    a, b, c = measured_entry("a", 0.8), measured_entry("b", 0.7), other()
    stability = rank_stability(board_of(a, c, b))
    assert {spread.key for spread in stability.spreads} == {"a-v2-val", "b-v2-val"}
    assert stability.left_out == {c.key: reason}
    assert rank_stability(board_of(a, c)) is None
    assert paired_difference(a, c) is None


def test_settings_that_mitobench_does_not_have_are_left_out():
    entry = measured_entry("c", 0.7)
    lying = replace(entry, result=replace(entry.result, uncertainty=entry.result.uncertainty | {"level": 5.0}))
    stability = rank_stability(board_of(measured_entry("a", 0.8), measured_entry("b", 0.6), lying))
    reason = "level of the intervals is 5.0; allowed: a number from 0.5 to 0.999"
    assert stability.left_out == {"c-v2-val": reason}


def test_an_entry_without_a_score_is_left_out():
    a, b = measured_entry("a", 0.8), measured_entry("b", 0.7)
    undefined = with_values(measured_entry("c", 0.7), value=0.5)
    first, *rest = undefined.result.volumes
    first = replace(first, metrics=first.metrics | {"ap_75": dict.fromkeys(first.metrics["ap_75"])})
    undefined = replace(undefined, result=replace(undefined.result, volumes=(first, *rest)))
    assert rank_stability(board_of(a, b, undefined)).left_out == {"c-v2-val": "its score is undefined"}


def test_resamples_in_which_a_method_is_undefined_do_not_count():
    """Up to 5 % of them; beyond that there are no ranks."""
    few, many = [None] * 10 + [0.4] * 190, [None] * 11 + [0.4] * 189
    a = made_up("a", [0.5] * 200)
    stability = rank_stability(board_of(a, made_up("b", few)))
    assert (stability.resamples, stability.spreads[0].first) == (190, 1.0)
    assert rank_stability(board_of(a, made_up("b", many))) is None
    assert paired_difference(a, made_up("b", many)) == PairedDifference(0.0, None, None, None)


def test_too_few_blocks_give_no_intervals():
    a, b = (with_values(measured_entry(name, r), occupied=5) for name, r in (("a", 0.8), ("b", 0.7)))
    assert rank_stability(board_of(a, b)) is None
    found = paired_difference(a, b)
    assert (found.low, found.high, found.p) == (None, None, None)
    assert found.value == a.score - b.score


def test_a_block_counts_that_one_of_the_methods_predicts_something_in():
    a = with_values(measured_entry("a", 0.8), occupied=14)
    b = with_values(measured_entry("b", 0.7), occupied=12)
    assert rank_stability(board_of(a, b)).occupied == 14


def test_other_rules_and_unknown_volumes_have_no_difference():
    a, b = measured_entry("a", 0.8), measured_entry("b", 0.7, rule=replace(RULE, min_gt_size=3))
    assert paired_difference(a, b) is None
    assert paired_difference(a, measured_entry("b", 0.7), volume="MitoEM-X") is None


# The table for challengeR.


def test_every_block_of_every_volume_is_a_case():
    a, b = measured_entry("a", 0.8), measured_entry("b", 0.7)
    table = challenger_table(board_of(a, b))
    assert len(table.rows) == 2 * 2 * 16
    assert {row["TestCase"] for row in table.rows} == {f"block-{k:02d}" for k in range(1, 17)}
    of_b = [row["MetricValue"] for row in table.rows if (row["Algorithm"], row["Task"]) == ("b", "MitoEM-R")]
    assert of_b == report(0.7).volumes[1].resamples.by_block["all"]
    assert table.left_out == {}
    assert {row["Task"] for row in challenger_table(board_of(a, b), bucket="large").rows} == {
        "MitoEM-H large",
        "MitoEM-R large",
    }


def test_an_undefined_block_is_not_available():
    """No box is large."""
    table = challenger_table(board_of(measured_entry("a", 0.8)), bucket="large")
    assert {row["MetricValue"] for row in table.rows} == {"NA"}


def test_settings_of_the_bootstrap_do_not_matter_for_blocks_but_the_ground_truth_does():
    a = measured_entry("a", 0.8)
    b = measured_entry("b", 0.7, bootstrap=Bootstrap(resamples=100, seed=3))
    c = measured_entry("c", 0.7, seeds=(1, 3))
    table = challenger_table(board_of(a, b, c, published_entry("d")))
    assert {row["Algorithm"] for row in table.rows} == {"a", "b"}
    assert table.left_out == {
        "c-v2-val": "other ground truth than a-v2-val",
        "d-v2": "published numbers come without resamples",
    }


@pytest.mark.parametrize(
    ("method", "shown"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        (" =1", "' =1"),
        ('a,"b";c', 'a,"b";c'),
        ("<b>'; DROP TABLE x; --", "<b>'; DROP TABLE x; --"),
    ],
)
def test_names_survive_the_table_and_are_no_formulas(tmp_path, capsys, method, shown):
    folder = tmp_path / "results"
    add_all(folder, [measured_entry(method, 0.8), measured_entry("b", 0.7)])
    assert main(["leaderboard", "export", "--form", "challenger", "--entries", str(folder)]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0]) == ["Task", "TestCase", "Algorithm", "MetricValue"]
    assert len(rows) == 64
    assert {row["Algorithm"] for row in rows} == {shown, "b"}
    assert all(0 <= float(row["MetricValue"]) <= 1 for row in rows)


def test_volumes_cannot_break_out_of_the_table():
    entry = measured_entry("a", 0.8)
    first, second = entry.result.volumes
    names = (replace(first, name="=1\n,x"), second)
    table = challenger_table(board_of(replace(entry, result=replace(entry.result, volumes=names))))
    assert {row["Task"] for row in table.rows} == {"'=1\N{REPLACEMENT CHARACTER},x", "MitoEM-R"}


def test_names_that_look_alike_get_their_keys():
    a = measured_entry("Net", 0.8)
    b = replace(measured_entry("net", 0.7), task=Task(part="val", protocol="budget-5"))
    table = challenger_table(board_of(a, b, measured_entry("c", 0.7)))
    assert {row["Algorithm"] for row in table.rows} == {"Net (net-v2-val)", "net (net-v2-val-budget-5)", "c"}


def test_without_blocks_there_is_no_table():
    message = (
        f"no entry of {RULE.label}, MitoEM val, annotation v2 has scores of blocks (d-v2: published numbers come "
        "without resamples); add some that were scored with intervals"
    )
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        challenger_table(board_of(published_entry("d")))


def test_the_command_writes_the_table_and_names_what_is_left_out(tmp_path, capsys):
    folder, output = tmp_path / "results", tmp_path / "table.csv"
    missing = published_entry("d", part="val", rule=RULE)
    add_all(folder, [measured_entry("a", 0.8), measured_entry("b", 0.7), missing])
    command = ["leaderboard", "export", "--form", "challenger", "--entries", str(folder)]
    assert main([*command, "-o", str(output)]) == 0
    left_out = "mitobench: left out d-v2-val: published numbers come without resamples\n"
    assert capsys.readouterr() == ("", left_out)
    assert main(command) == 0
    assert capsys.readouterr() == (output.read_text(), left_out)
    add_all(folder, [published_entry("e")])
    assert main(command) == 2
    assert capsys.readouterr().err == (
        'mitobench: error: the entries are of 2 leaderboards; choose one: --rule "mitoem-2020" --task "MitoEM test, '
        f'annotation v2"; --rule "{RULE.label}" --task "MitoEM val, annotation v2"\n'
    )
    assert main([*command, "-o", str(tmp_path / "no" / "t.csv")]) == 2
    assert "does not exist; create it first" in capsys.readouterr().err
