"""Two versions of an annotation: what was edited, and what that does to the score of a prediction."""

import csv
import io
import json
from dataclasses import fields, replace
from itertools import permutations

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitobench.annotation import EDIT_KINDS, AnnotationDiff, diff_annotations
from mitobench.annotation._attribution import Intermediates, attribute, shapley
from mitobench.annotation._edits import find_edits
from mitobench.annotation._versions import TwoVersions, triples_pass
from mitobench.cli import main
from mitobench.errors import InputWarning, InvalidInputError, UnusableFileError
from mitobench.evaluate import evaluate_pair
from mitobench.phantom import write_label_pair
from mitobench.render.annotation import diff_text
from mitobench.rules import RULES, Rule
from mitobench.strata import ALL_BUCKETS
from mitobench.testing import (
    edit_groups,
    intermediate,
    overlap_table,
    pair_numbers,
    random_volumes,
    table_from_counts,
)
from mitobench.types import Box
from mitobench.volumes import open_labels

RULE = replace(RULES["mitoem-2020"], size_thresholds=(20, 60))
LIMITS = {"memory": 10**8, "workers": 2, "progress": None}
SWAPPED = {"removed": "added", "added": "removed", "split": "merged", "merged": "split"}

seeds = st.integers(0, 2**32 - 1)


def volumes(seed):
    """Return two versions and a prediction: random boxes, shifted, split, merged, missed and invented."""
    rng = np.random.default_rng(seed)
    old, new = random_volumes(rng, instances=10, edge=9)
    same = rng.random(12) < 0.3
    for label in np.flatnonzero(same):
        new[new == label] = 0
        new[old == label] = label
    _, pred = random_volumes(rng, instances=10, edge=9)
    return old, new, np.where(rng.random(old.shape) < 0.7, new, pred)


def intermediates(old, new, pred):
    pairs = overlap_table(old, new)
    edits = find_edits(pairs)
    triples = triples_pass(open_labels(old), open_labels(new), pairs, open_labels(pred), LIMITS)
    return Intermediates(triples, pairs, edits), pairs, edits


def same_tables(one, other):
    for field in fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), err_msg=field.name)


def groups_of(diff):
    """Return (kind, old ids, new ids) of every group, the unchanged ones from the instances."""
    found = {}
    for side, position in (("old", 0), ("new", 1)):
        columns = diff.instances[side]
        for number, kind, label in zip(columns["edit"], columns["kind"], columns["id"], strict=True):
            found.setdefault(number, (kind, set(), set()))[1 + position].add(label)
    return found


CASES = {
    "unchanged": ({(1, 1): 10}, 0, 1.0),
    "removed": ({(1, 0): 10}, 10, 0.0),
    "added": ({(0, 1): 10}, 10, 0.0),
    "split": ({(1, 1): 6, (1, 2): 3, (1, 0): 1}, 4, 0.9),
    "merged": ({(1, 1): 6, (2, 1): 3, (0, 1): 1}, 4, 0.9),
    "rearranged": ({(1, 1): 60, (1, 2): 40, (2, 2): 30}, 40, 1.0),
    "reshaped": ({(1, 1): 89, (1, 0): 11}, 11, 0.89),
    "touched-up": ({(1, 1): 90, (1, 0): 10}, 10, 0.9),
}


@pytest.mark.parametrize("kind", CASES)
def test_each_kind_of_edit(kind):
    counts, changed, iou = CASES[kind]
    edits = find_edits(table_from_counts(counts))
    assert [EDIT_KINDS[k] for k in edits.kind] == [kind]
    assert edits.changed.tolist() == [changed]
    assert edits.iou.tolist() == [iou]


def test_what_shares_half_and_no_more_is_not_linked():
    edits = find_edits(table_from_counts({(1, 1): 10, (1, 0): 10, (0, 1): 10}))
    assert [EDIT_KINDS[k] for k in edits.kind] == ["removed", "added"]
    assert edits.changed.tolist() == [20, 20]


def test_a_chain_leaves_as_many_voxels_as_possible_with_their_instance():
    """Each of three in turn shares most with two; the best two pairs are not the ones of most voxels."""
    edits = find_edits(table_from_counts({(1, 1): 40, (2, 1): 50, (2, 2): 45}))
    assert [EDIT_KINDS[k] for k in edits.kind] == ["rearranged"]
    assert edits.changed.tolist() == [50]


@given(seeds)
@settings(max_examples=60)
def test_every_instance_is_in_the_group_that_the_definition_says(seed):
    old, new, _ = volumes(seed)
    diff = diff_annotations(old, new, rule=RULE)
    found = groups_of(diff)
    assert {(frozenset(o), frozenset(n)) for _, o, n in found.values()} == set(edit_groups(old, new))
    assert len(found) == len(edit_groups(old, new))
    for kind, olds, news in found.values():
        shape = (len(olds) > 1) - (not olds), (len(news) > 1) - (not news)
        same = np.array_equal(np.isin(old, list(olds)), np.isin(new, list(news)))
        expected = {
            (0, -1): {"removed"},
            (-1, 0): {"added"},
            (0, 1): {"split"},
            (1, 0): {"merged"},
            (1, 1): {"rearranged"},
            (0, 0): {"unchanged"} if same else {"reshaped", "touched-up"},
        }
        assert kind in expected[shape]


@given(seeds)
@settings(max_examples=60)
def test_counts_add_up(seed):
    old, new, _ = volumes(seed)
    diff = diff_annotations(old, new, rule=RULE)
    for side, labels in (("old", old), ("new", new)):
        columns = diff.instances[side]
        assert columns["id"] == [i for i in np.unique(labels).tolist() if i]
        for bucket in ALL_BUCKETS:
            expected = sum(bucket in {"all", b} for b in columns["bucket"])
            assert sum(counts[side][bucket] for counts in diff.kinds.values()) == expected
    voxels = diff.voxels
    assert voxels["to_background"] == ((old != 0) & (new == 0)).sum()
    assert voxels["to_foreground"] == ((old == 0) & (new != 0)).sum()
    assert voxels["changed"] == voxels["to_background"] + voxels["to_foreground"] + voxels["relabelled"]
    assert 0 <= voxels["relabelled"] <= ((old != 0) & (new != 0)).sum()
    assert len(diff.rows()) == sum(counts["edits"] for kind, counts in diff.kinds.items() if kind != "unchanged")
    assert diff.kinds["unchanged"]["voxels"] == 0
    assert sum(counts["voxels"] for counts in diff.kinds.values()) >= voxels["changed"]
    for row in diff.rows():
        inside = np.isin(old, row["old_ids"]) | np.isin(new, row["new_ids"])
        where = np.argwhere(inside)
        assert [row[f"{axis}0"] for axis in "zyx"] == where.min(axis=0).tolist()
        assert [row[f"{axis}1"] for axis in "zyx"] == (where.max(axis=0) + 1).tolist()
        np.testing.assert_allclose([row[axis] for axis in "zyx"], where.mean(axis=0))
        union, both = inside.sum(), (np.isin(old, row["old_ids"]) & np.isin(new, row["new_ids"])).sum()
        assert row["iou"] == both / union
        assert 0 < row["voxels_changed"] <= union


@given(seeds)
@settings(max_examples=40)
def test_swapping_the_versions_swaps_the_edits(seed):
    old, new, _ = volumes(seed)
    forth, back = (diff_annotations(a, b, rule=RULE) for a, b in ((old, new), (new, old)))
    assert forth.voxels["to_background"] == back.voxels["to_foreground"]
    assert forth.voxels["relabelled"] == back.voxels["relabelled"]
    assert forth.renumbered == back.renumbered
    for kind, counts in forth.kinds.items():
        other = back.kinds[SWAPPED.get(kind, kind)]
        swapped = {"edits": counts["edits"], "old": counts["new"], "new": counts["old"], "voxels": counts["voxels"]}
        assert other == swapped


@given(seeds)
@settings(max_examples=40)
def test_ids_are_only_names(seed):
    old, new, _ = volumes(seed)
    # The highest ids that there are, in another order.
    names = np.append(np.uint64(0), np.random.default_rng(seed).permutation(np.arange(2**64 - 99, 2**64, dtype=object)))
    renamed = names.astype(np.uint64)[new.astype(np.int64)]
    diff, other = diff_annotations(old, new, rule=RULE), diff_annotations(old, renamed, rule=RULE)
    assert (diff.voxels, diff.kinds) == (other.voxels, other.kinds)
    assert other.renumbered == diff.kinds["unchanged"]["edits"]
    assert [row["old_ids"] for row in diff.rows() if row["old_ids"]] == [
        row["old_ids"] for row in other.rows() if row["old_ids"]
    ]


@given(seeds)
@settings(max_examples=20)
def test_identical_annotations_have_no_edits(seed):
    old, _, pred = volumes(seed)
    diff = diff_annotations(old.astype("u2"), old.astype("i8"), pred=pred, rule=RULE)
    assert diff.same_labels
    assert diff.rows() == []
    assert diff.voxels["changed"] == diff.renumbered == 0
    assert diff.prediction.old == diff.prediction.new
    assert diff.prediction.attribution.share == {}
    assert set(diff.prediction.attribution.change.values()) <= {0, None}
    assert "Both are the same labels." in str(diff)


@pytest.mark.parametrize("empty", ["old", "new", "pred", "all"])
def test_empty_volumes(empty):
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[1:, 1:3, 2:] = 7
    given_ = {name: np.zeros_like(labels) if empty in {name, "all"} else labels for name in ("old", "new", "pred")}
    diff = diff_annotations(given_["old"], given_["new"], pred=given_["pred"])
    kinds = {"old": "added", "new": "removed", "pred": "unchanged"}
    assert [kind for kind, counts in diff.kinds.items() if counts["edits"]] == [kinds[e] for e in kinds if e == empty]
    assert AnnotationDiff.from_dict(diff.to_dict()) == diff
    assert str(diff)


@given(seeds)
@settings(max_examples=30)
def test_intermediate_annotations_are_exact(seed):
    """Also where an edit that is applied and one that is not claim the same voxel."""
    old, new, pred = volumes(seed)
    between, pairs, edits = intermediates(old, new, pred)
    rng = np.random.default_rng(seed)
    for applied in (np.zeros(len(edits), bool), np.ones(len(edits), bool), rng.random(len(edits)) < 0.5):
        gone = set(pairs.gt.id[applied[edits.old_group]].tolist())
        come = set(pairs.pred.id[applied[edits.new_group]].tolist())
        same_tables(between.table(applied), overlap_table(intermediate(old, new, gone, come), pred))


@given(seeds, st.sampled_from([RULE, *RULES.values(), replace(RULES["coco"], rank_by="ap_50_95")]))
@settings(max_examples=40)
def test_the_parts_of_a_change_sum_up_to_it(seed, rule):
    old, new, pred = volumes(seed)
    lengths = [{i: 10.0 * i for i in np.unique(v).tolist() if i} for v in (old, new)]
    change = diff_annotations(old, new, pred=pred, rule=rule, cable_lengths=lengths).prediction
    found = change.attribution
    assert list(found.change) == (["all"] if rule.size_by == "cable-length" else list(ALL_BUCKETS))
    for bucket, total in found.change.items():
        before, after = (scores[rule.rank_by][bucket] for scores in (change.old, change.new))
        assert total == (None if before is None or after is None else after - before)
        parts = [share[bucket] for share in found.share.values()]
        if None in parts:
            assert parts == [None] * len(parts)
        elif parts:
            assert sum(parts) == pytest.approx(total, abs=1e-12)
    if found.share:
        assert list(found.cumulative.values())[-1]["all"] == change.new[rule.rank_by]["all"]


@given(seeds)
@settings(max_examples=20)
def test_the_scores_are_those_of_an_evaluation(seed):
    old, new, pred = volumes(seed)
    scores = {i: 1 / i for i in np.unique(pred).tolist() if i}
    change = diff_annotations(old, new, pred=pred, rule=RULE, scores=scores).prediction
    for version, metrics in ((old, change.old), (new, change.new)):
        report = evaluate_pair(pred, version, rule=RULE, scores=scores)
        assert metrics == report.volumes[0].metrics
        assert change.pred == report.volumes[0].pred


@given(seeds)
@settings(max_examples=20)
def test_the_score_with_one_kind_alone_is_that_of_the_materialised_annotation(seed):
    old, new, pred = volumes(seed)
    between, pairs, edits = intermediates(old, new, pred)
    for kind, score in attribute(between, edits, RULE).alone.items():
        applied = edits.kind == EDIT_KINDS.index(kind)
        if len(attribute(between, edits, RULE).alone) == 1:
            continue
        gone = set(pairs.gt.id[applied[edits.old_group]].tolist())
        come = set(pairs.pred.id[applied[edits.new_group]].tolist())
        report = evaluate_pair(pred, intermediate(old, new, gone, come), rule=RULE)
        assert score == report.volumes[0].metrics["ap_75"]


@given(st.integers(0, 4), seeds)
def test_shapley_is_the_mean_over_all_orders(players, seed):
    values = np.random.default_rng(seed).random(2**players).tolist()
    gains = np.zeros(players)
    orders = list(permutations(range(players)))
    for order in orders:
        subset = 0
        for player in order:
            gains[player] += values[subset | 1 << player] - values[subset]
            subset |= 1 << player
    assert shapley(values) == pytest.approx((gains / len(orders)).tolist())


@given(seeds, st.sampled_from(["u1", "i2", "u8"]), st.sampled_from(["u1", "i4", "u8"]), st.booleans())
@settings(max_examples=20)
def test_two_versions_as_one_volume(seed, first, second, transposed):
    old, new, _ = volumes(seed)
    old, new = old.astype(first), new.astype(second)
    expected = pair_numbers(old, new)
    if transposed:
        old = np.asfortranarray(old)
    both = TwoVersions(open_labels(old), open_labels(new), overlap_table(old, new), memory=10**6)
    for box in (Box((0, 0, 0), old.shape), Box((2, 3, 1), (5, 4, 9))):
        np.testing.assert_array_equal(both.read(box), expected[box.slices])


def test_a_version_that_changes_while_it_is_read_is_refused():
    old, new, _ = volumes(0)
    both = TwoVersions(open_labels(old), open_labels(new), overlap_table(old, new), memory=10**6)
    new[0, 0, 0] = 99
    with pytest.raises(InvalidInputError, match=r"^array and array: changed while they were read; compare when they"):
        both.read(Box((0, 0, 0), old.shape))


@pytest.mark.parametrize("chunks", [(3, 4, 5), (9, 9, 9)])
def test_files_of_any_chunks_and_threads_give_the_same(tmp_path, chunks):
    old, new, pred = volumes(3)
    sources = {}
    for name, labels, edge in (("old", old, (2, 9, 3)), ("new", new, chunks), ("pred", pred, (9, 2, 9))):
        sources[name] = str(tmp_path / f"{name}.h5")
        with h5py.File(sources[name], "w") as file:
            file.create_dataset("main", data=labels.astype("u2"), chunks=edge, compression="gzip")
    from_files = diff_annotations(sources["old"], sources["new"], pred=sources["pred"], rule=RULE, workers=3)
    in_memory = diff_annotations(old, new, pred=pred, rule=RULE, workers=1)
    assert from_files.old.fingerprint == in_memory.old.fingerprint
    skipped = {"old", "new", "prediction"}
    one, other = from_files.to_dict(), in_memory.to_dict()
    assert {k: v for k, v in one.items() if k not in skipped} == {k: v for k, v in other.items() if k not in skipped}
    assert one["prediction"]["attribution"] == other["prediction"]["attribution"]


def test_chunks_that_do_not_fit_each_other_are_read_again_for_the_memory_limit(tmp_path):
    old, new, pred = (np.repeat(labels, 8, axis=2).astype("u4") for labels in volumes(3))
    sources = {}
    for name, labels, edge in (("old", old, (1, 9, 72)), ("new", new, (9, 2, 8)), ("pred", pred, (9, 9, 72))):
        sources[name] = str(tmp_path / f"{name}.h5")
        with h5py.File(sources[name], "w") as file:
            file.create_dataset("main", data=labels, chunks=edge, compression="gzip")
    volumes_ = [open_labels(sources[name]) for name in ("old", "new", "pred")]
    pairs = overlap_table(old, new)
    expected = triples_pass(*volumes_[:2], pairs, volumes_[2], {**LIMITS, "memory": 10**9})
    needed = 2 * 9 * 9 * 72 * 12
    message = f"are read up to 2 times, for the memory limit of {needed - 2:,} bytes; with {needed:,} "
    with pytest.warns(InputWarning, match=message):
        same_tables(triples_pass(*volumes_[:2], pairs, volumes_[2], {**LIMITS, "memory": needed - 2}), expected)
    for volume in volumes_:
        volume.close()


def test_json_round_trip(tmp_path):
    old, new, pred = volumes(1)
    old[0, 0, 0] = 2**64 - 1
    for prediction in (None, pred):
        diff = diff_annotations(old, new, pred=prediction, rule=RULE, names=("v1", "v2"))
        diff.to_json(tmp_path / "d.json")
        assert AnnotationDiff.from_json(tmp_path / "d.json") == diff
        assert str(AnnotationDiff.from_json(tmp_path / "d.json")) == str(diff)
    assert len(diff.to_frame()) == len(diff.rows())
    assert len(diff.instances_frame()) == diff.old.instances + diff.new.instances
    assert {row["metric"] for row in diff.prediction.rows()} == set(diff.prediction.metrics)


WRITER = "expected the JSON that `mitobench dataset diff --json` writes"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 9}, "the diff has schema version 9, this mitobench reads up to 1; upgrade mitobench"),
        ({"schema_version": "1"}, f"not a diff of annotations (schema_version is '1'); {WRITER}"),
        ({"renumbered": None}, f"not a diff of annotations (renumbered is None); {WRITER}"),
        ({"voxels": 3}, f"not a diff of annotations ('int' object has no attribute 'items'); {WRITER}"),
    ],
)
def test_json_of_strangers_is_refused(tmp_path, change, message):
    values = diff_annotations(*volumes(1)[:2]).to_dict() | change
    path = tmp_path / "d.json"
    path.write_text(json.dumps(values))
    with pytest.raises(InvalidInputError) as refused:
        AnnotationDiff.from_json(path)
    assert str(refused.value) == f"{path}: {message}"


def test_files_that_are_no_json_are_refused(tmp_path):
    with pytest.raises(UnusableFileError, match="cannot be read"):
        AnnotationDiff.from_json(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("text")
    with pytest.raises(UnusableFileError, match="not JSON"):
        AnnotationDiff.from_json(tmp_path / "text.json")
    with pytest.raises(InvalidInputError, match=r"^not a diff of annotations \(key 'schema_version' is missing\)"):
        AnnotationDiff.from_dict({})


def test_a_realistic_annotation(tmp_path):
    """The prediction of a phantom as a first annotation, its ground truth as the second: known errors are mended."""
    write_label_pair(
        tmp_path / "gt.h5", tmp_path / "pred.h5", shape=(40, 192, 192), seed=3, instances_per_gigavoxel=40000.0
    )
    first, second = str(tmp_path / "pred.h5"), str(tmp_path / "gt.h5")
    rule = replace(RULES["mitoem-2020"], size_thresholds=(300, 1000))
    diff = diff_annotations(first, second, pred=first, rule=rule)
    change = diff.prediction
    assert {"reshaped", "touched-up"} <= set(diff.edits["kind"])
    assert change.old["ap_75"]["all"] == pytest.approx(1)
    assert change.new == evaluate_pair(first, second, rule=rule).volumes[0].metrics
    assert sum(share["all"] for share in change.attribution.share.values()) == pytest.approx(
        change.attribution.change["all"]
    )
    assert diff.voxels["old"] == sum(diff.instances["old"]["size"])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with v1.h5, v2.h5 and pred.h5."""
    old = np.zeros((4, 40, 40), "u2")
    old[:, 2:12, 2:30], old[:, 20:30, 2:10], old[0, 0, 0] = 1, 2, 3
    new = np.where(old == 3, 0, old)
    new[:, 2:12, 16:30] *= 5
    for name, labels in {"v1": old, "v2": new, "pred": old}.items():
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file.create_dataset("main", data=labels, compression="gzip")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["main"] = np.ones((2, 3, 4), "u1")
    (tmp_path / "old.csv").write_text("id,length_nm\n1,4500\n2,1200\n3,5\n")
    (tmp_path / "new.csv").write_text("id,length_nm\n1,2000\n2,1200\n5,2000\n")
    (tmp_path / "scores.csv").write_text("id,score\n1,0.5\n2,0.9\n3,0.1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *arguments):
    """Return exit status, standard output and standard error."""
    try:
        code = main(["dataset", "diff", *map(str, arguments)])
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    return code, out, err


def test_a_diff_is_printed_and_written_in_every_form(folder, capsys):
    outputs = ("--json", "d.json", "--csv", "d.csv", "--instances", "i.csv")
    options = ("--pred", "pred.h5", "--names", "v1,v2", "--size-thresholds", "10,400", "--scores", "scores.csv")
    code, out, err = run(capsys, "v1.h5", "v2.h5", *options, *outputs)
    assert (code, err) == (0, "")
    diff = AnnotationDiff.from_json(folder / "d.json")
    assert out.rstrip() == diff_text(diff, width=80)
    assert diff.names == ("v1", "v2")
    rows = list(csv.DictReader(io.StringIO((folder / "d.csv").read_text())))
    assert [(row["kind"], row["old_ids"], row["new_ids"]) for row in rows] == [
        ("split", "1", "1 5"),
        ("removed", "3", ""),
    ]
    assert len(list(csv.DictReader(io.StringIO((folder / "i.csv").read_text())))) == 6
    lines = [line.split() for line in out.splitlines()]
    assert ["split", "1", "1", "2", "560", "one", "to", "several"] in lines
    assert ["v1", "1.0000", "1.0000", "1.0000", "1.0000"] in lines


def test_json_and_csv_can_be_printed_instead(folder, capsys):
    code, out, _ = run(capsys, "v1.h5", "v2.h5", "--json", "-")
    assert code == 0
    assert AnnotationDiff.from_dict(json.loads(out)) == diff_annotations("v1.h5", "v2.h5")
    code, out, _ = run(capsys, "v1.h5", "v1.h5", "--csv", "-")
    assert (code, out.split(",")[:3]) == (0, ["edit", "kind", "bucket"])


def test_cable_lengths_sort_both_versions(folder, capsys):
    options = (
        "--rule",
        "mitoem-2023",
        "--cable-lengths",
        "old.csv",
        "new.csv",
        "--pred",
        "pred.h5",
        "--json",
        "d.json",
    )
    code, out, err = run(capsys, "v1.h5", "v2.h5", *options)
    assert (code, err) == (0, "")
    diff = AnnotationDiff.from_json("d.json")
    assert diff.instances["old"]["bucket"] == ["large", "medium", "small"]
    assert diff.instances["new"]["cable_length"] == [2000.0, 1200.0, 2000.0]
    assert list(diff.prediction.attribution.change) == ["all"]
    assert "Only over all instances: an annotation in between has no cable lengths" in " ".join(out.split())


REFUSED = {
    "another shape": (
        ("v1.h5", "other.h5"),
        (
            "v1.h5 has the shape (4, 40, 40) and other.h5 has (2, 3, 4); both must have the same (z, y, x) shape: cut "
            "or resample them to the same region first"
        ),
    ),
    "a prediction of another shape": (
        ("v1.h5", "v2.h5", "--pred", "other.h5"),
        (
            "v1.h5 has the shape (4, 40, 40) and other.h5 has (2, 3, 4); both must have the same (z, y, x) shape: cut "
            "or resample them to the same region first"
        ),
    ),
    "scores alone": (
        ("v1.h5", "v2.h5", "--scores", "scores.csv"),
        "scores are given without a prediction; name the prediction too",
    ),
    "scores of something else": (
        ("v1.h5", "v2.h5", "--pred", "v2.h5", "--scores", "scores.csv"),
        "scores.csv: no score for the predicted ids 5; give one for each",
    ),
    "no cable lengths": (
        ("v1.h5", "v2.h5", "--rule", "mitoem-2023"),
        (
            "the buckets of the rule mitoem-2023 measure cable length, which is not given; give it for both versions "
            "with --cable-lengths, in Python cable_lengths"
        ),
    ),
    "cable lengths of the other version": (
        ("v1.h5", "v2.h5", "--cable-lengths", "old.csv", "old.csv"),
        "old.csv: no cable length for the ground-truth ids 5; give one for each",
    ),
    "one name": (("v1.h5", "v2.h5", "--names", "v1"), "--names is 'v1'; expected two different names, such as v1,v2"),
    "names alike": (
        ("v1.h5", "v2.h5", "--names", "v1, v1"),
        "--names is 'v1, v1'; expected two different names, such as v1,v2",
    ),
    "no such rule": (
        ("v1.h5", "v2.h5", "--rule", "cocoa"),
        (
            "unknown rule 'cocoa', did you mean 'coco'?; allowed: mitoem-2020, mitoem-2021, mitoem-2023, coco, or a "
            "Rule of your own"
        ),
    ),
    "one version": (("v1.h5",), "the following arguments are required: NEW"),
    "instances on standard output": (
        ("v1.h5", "v2.h5", "--instances", "-"),
        "--instances needs a file; only --json and --csv can print with -",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(folder, capsys, case):
    arguments, message = REFUSED[case]
    before = sorted(p.name for p in folder.iterdir())
    code, out, err = run(capsys, *arguments, "--csv", "new.csv2")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == f"mitobench: error: {message}"
    assert sorted(p.name for p in folder.iterdir()) == before


def test_a_rule_that_ranks_by_a_count_is_refused():
    with pytest.raises(InvalidInputError, match=r"^rank_by is 'tp_75', a number of instances"):
        diff_annotations(*volumes(0)[:2], rule=Rule(name="mine", rank_by="tp_75"))


def test_names_cannot_steer_the_terminal(folder, capsys):
    code, out, _ = run(capsys, "v1.h5", "v2.h5", "--names", "a\x1b[31m,b")
    assert code == 0
    assert "\x1b" not in out
