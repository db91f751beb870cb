"""From a submission and ground truth to an entry: equal to scoring the volumes directly, and free of private paths."""

import json
import os
import zipfile
from datetime import UTC, datetime

import numpy as np
import pytest
from challenge_files import CHALLENGE, HUMAN, RAT, SHAPE, labels, make_ground_truth, make_submission, write, zipped

from leaderboard.card import MethodCard
from leaderboard.entry import Entry, Task
from leaderboard.ground_truth import GroundTruthError, cable_options, open_ground_truth
from leaderboard.score import score_submission
from mitobench.cli import main
from mitobench.errors import InputWarning, InvalidInputError, UnusableFileError
from mitobench.evaluate import evaluate_benchmark
from mitobench.resampling import Bootstrap

CARD = MethodCard(method="U3D", team="A")
NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


@pytest.fixture
def gt(tmp_path):
    return make_ground_truth(tmp_path / "gt")


@pytest.fixture
def submission(tmp_path):
    return make_submission(tmp_path / "submission")


def score(path, gt, **options):
    return score_submission(path, gt, card=CARD, task=Task(), challenge=CHALLENGE, now=NOW, **options)


def direct(**options):
    pairs = {volume.name: labels(seed)[::-1] for seed, volume in enumerate(CHALLENGE.volumes)}
    return evaluate_benchmark(pairs, **options)


def numbers(report):
    """Return all of a report but the names of its sources and the types of their ids."""
    values = report.to_dict()
    for volume in values["volumes"]:
        for side in ("gt", "pred"):
            del volume[side]["name"], volume[side]["dtype"]
    return values


@pytest.mark.parametrize("rule", ["mitoem-2020", "coco"])
@pytest.mark.parametrize("form", ["stored", "deflated", "folder"])
def test_the_numbers_are_those_of_the_volumes(gt, submission, tmp_path, form, rule):
    compression = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED}.get(form)
    path = submission if compression is None else zipped(submission, tmp_path / "submission.zip", compression)
    entry = score(path, gt, rule=rule, repairs=True)
    expected = direct(rule=rule, repairs=True, intervals=Bootstrap())
    assert numbers(entry.report) == numbers(expected)
    assert 0 < entry.score < 1
    assert entry.overall_interval("ap_75") is not None
    assert (entry.card, entry.task, entry.created) == (CARD, Task(), "2026-11-23T12:30:00+00:00")
    assert [file.name for file in entry.files] == [HUMAN, RAT]


def test_no_private_path_is_in_an_entry(gt, submission, tmp_path, monkeypatch):
    entry = score(zipped(submission, tmp_path / "sub.zip", zipfile.ZIP_DEFLATED), gt, intervals=None)
    assert [(volume.gt.name, volume.pred.name) for volume in entry.report.volumes] == [
        ("ground truth of MitoEM-H", f"sub.zip::{HUMAN}"),
        ("ground truth of MitoEM-R", f"sub.zip::{RAT}"),
    ]
    assert str(tmp_path) not in entry.to_json()
    monkeypatch.chdir(submission)
    assert score(".", gt, intervals=None).report.volumes[0].pred.name == f"submission::{HUMAN}"


@pytest.mark.parametrize("name", ["MitoEM-H", "mitoem_h-test", "EM30-H-mito-test-v2", "HUMAN gt", "test.human"])
def test_ground_truth_is_found_by_its_name_in_any_format(tmp_path, name):
    gt = make_ground_truth(tmp_path / "gt")
    (gt / "human.h5").unlink()
    (gt / ".human.h5").touch()
    (gt / "human_cable_lengths.csv").touch()
    np.save(gt / f"{name}.npy", labels(0)[0])
    with open_ground_truth(gt, CHALLENGE) as found:
        assert [path.name for path in found.files.values()] == [f"{name}.npy", "rat.h5"]


def test_a_folder_of_sections_is_a_ground_truth(tmp_path, submission):
    tifffile = pytest.importorskip("tifffile")
    gt = make_ground_truth(tmp_path / "gt")
    (gt / "rat.h5").unlink()
    (gt / "rat").mkdir()
    for z, section in enumerate(labels(1)[0]):
        tifffile.imwrite(gt / "rat" / f"seg{z:04}.tif", section)
    assert numbers(score(submission, gt, intervals=None).report) == numbers(direct())


def test_a_whole_volume_is_cut_to_the_sections_to_predict(gt, submission):
    array = labels(0)[0]
    write(gt / "human.h5", np.concatenate([array[::-1] + 7, array]), chunks=(3, 64, 64))
    entry = score(submission, gt, intervals=None)
    assert numbers(entry.report) == numbers(direct())
    assert entry.report.volumes[0].gt.name == "ground truth of MitoEM-H"


def test_ground_truth_that_cannot_be_told_is_refused(gt, submission):
    (gt / "rat.h5").rename(gt / "human_old.h5")
    with pytest.raises(GroundTruthError) as error:
        score(submission, gt)
    assert str(error.value) == (
        f"{gt}: 2 files or folders are named as ground truth of MitoEM-H; expected one with human or mitoem-h or "
        "em30-h in its name; the folder holds human.h5, human_old.h5"
    )
    (gt / "human_old.h5").unlink()
    with pytest.raises(GroundTruthError) as error:
        score(submission, gt)
    assert str(error.value) == (
        f"{gt}: no files or folders are named as ground truth of MitoEM-R; expected one with rat or mitoem-r or "
        "em30-r in its name; the folder holds human.h5"
    )


def test_ground_truth_of_another_shape_or_kind_is_refused(gt, submission):
    write(gt / "rat.h5", np.zeros((5, 96, 96), "u1"))
    with pytest.raises(GroundTruthError) as error:
        score(submission, gt)
    assert str(error.value) == (
        f"{gt}/rat.h5: the ground truth of MitoEM-R has the shape (5, 96, 96); expected (8, 96, 96), or (16, 96, 96) "
        "for the whole volume; export those sections"
    )
    write(gt / "rat.h5", np.zeros(SHAPE))
    with pytest.raises(GroundTruthError, match=r"rat\.h5: voxels of type float64"):
        score(submission, gt)
    with pytest.raises(GroundTruthError) as error:
        score(submission, gt / "none")
    assert str(error.value) == (
        f"{gt}/none: the ground truth cannot be listed (No such file or directory); name the folder that holds it"
    )


@pytest.mark.parametrize("side", ["ground truth", "submission"])
def test_negative_ids_are_blamed_on_who_has_them(gt, tmp_path, side):
    negative = np.full(SHAPE, -1, "i4")
    if side == "ground truth":
        write(gt / "human.h5", negative)
    submission = make_submission(tmp_path / "sub", **({"human": negative} if side == "submission" else {}))
    with pytest.raises(InvalidInputError, match="holds negative ids") as error:
        score(submission, gt)
    assert isinstance(error.value, GroundTruthError) == (side == "ground truth")


def table(path, length):
    path.write_text("id,length_nm\n" + "".join(f"{n},{length}\n" for n in range(1, 289)))


def test_cable_lengths_are_taken_from_beside_the_ground_truth(gt, submission, tmp_path):
    for key, length in (("human", 500), ("rat", 2000)):
        table(gt / f"{key}_cable_lengths.csv", length)
    entry = score(submission, gt, rule="mitoem-2023", intervals=None)
    assert [entry.value(name, "tp_75", "small") for name in entry.volumes][1] == 0
    given = {"MitoEM-H": dict.fromkeys(range(1, 289), 500), "MitoEM-R": dict.fromkeys(range(1, 289), 2000)}
    assert score(submission, gt, rule="mitoem-2023", intervals=None, cable_lengths=given) == entry
    table(gt / "rat_cable_lengths.csv", -1)
    with pytest.raises(GroundTruthError, match=r"rat_cable_lengths\.csv"):
        score(submission, gt, rule="mitoem-2023", intervals=None)


def test_measured_cable_lengths_are_kept_for_this_ground_truth(gt, submission):
    pytest.importorskip("kimimaro")
    first = score(submission, gt, rule="mitoem-2023", intervals=None)
    kept = gt / "human_cable_lengths.csv"
    assert kept.read_text().startswith("# cable lengths of the ground truth, measured by mitobench")
    kept.write_text(kept.read_text().replace("fingerprint: ", "fingerprint: 0"))
    stale = kept.read_text()
    assert score(submission, gt, rule="mitoem-2023", intervals=None) == first
    assert kept.read_text() != stale


def test_a_ground_truth_that_cannot_be_written_to_is_no_obstacle(gt, submission, tmp_path, monkeypatch):
    pytest.importorskip("kimimaro")
    can_write = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: os.fspath(path) != os.fspath(gt) and can_write(path, mode))
    options = {"rule": "mitoem-2023", "intervals": None}
    with pytest.raises(UnusableFileError) as error:
        score(submission, gt, cable_folder=tmp_path / "kept", **options)
    assert str(error.value) == f"{tmp_path}/kept: no folder for cable lengths; create it first"
    (tmp_path / "kept").mkdir()
    first = score(submission, gt, cable_folder=tmp_path / "kept", **options)
    kept = sorted((tmp_path / "kept").iterdir())
    assert [path.name for path in kept] == ["human_cable_lengths.csv", "rat_cable_lengths.csv"]
    for path in kept:
        path.rename(gt / path.name)
    assert score(submission, gt, **options) == first


def test_lengths_that_cannot_be_kept_are_warned_of(gt, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.warns(InputWarning) as warned, cable_options(gt, CHALLENGE) as options:
        assert options["MitoEM-H"]["cable_file"].parent != gt
    assert str(warned[0].message) == (
        f"{gt}: cannot be written to, so the cable lengths of MitoEM-H are measured and not kept; name a folder for "
        "them"
    )


def run(capsys, *arguments):
    code = main(["leaderboard", "score", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_command_writes_an_entry_and_prints_the_scores(gt, submission, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    unnamed = (submission, "--gt", gt, "--method", "U3D", "--shape", "8,96,96", "--protocol", "budget-5")
    assert run(capsys, *unnamed) == (
        2,
        "",
        "mitobench: error: --shape says that these are not the volumes of MitoEM; name the data with --dataset\n",
    )
    options = (*unnamed, "--dataset", "phantom")
    code, out, err = run(capsys, *options, "--resamples", "200")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "entry: u3d-v2-phantom-budget-5.json"
    entry = Entry.from_json("u3d-v2-phantom-budget-5.json")
    assert f"{entry.score:.4f}" in out
    assert entry.report == direct_named(entry, intervals=Bootstrap(resamples=200))
    assert entry.task == Task(dataset="phantom", protocol="budget-5")
    code, out, err = run(capsys, *options)
    assert (code, out) == (2, "")
    assert err == (
        "mitobench: error: u3d-v2-phantom-budget-5.json: it is there already; name another file with -o, or give "
        "--replace\n"
    )
    assert run(capsys, *options, "--replace", "--without-instances", "--no-intervals")[0] == 0
    entry = Entry.from_json("u3d-v2-phantom-budget-5.json")
    assert entry.report.uncertainty is None
    assert all(volume.instances == {} for volume in entry.report.volumes)


def direct_named(entry, **options):
    """Return the report of the same arrays, with the sources as the entry has them."""
    from dataclasses import replace

    report = direct(**options)
    volumes = zip(report.volumes, entry.report.volumes, strict=True)
    return replace(report, volumes=tuple(replace(one, gt=other.gt, pred=other.pred) for one, other in volumes))


def test_a_card_says_whose_result_it_is(gt, submission, tmp_path, capsys):
    card = tmp_path / "card.toml"
    card.write_text('method = "U3D"\nteam = "線"\n')
    output = tmp_path / "e.json"
    options = (submission, "--gt", gt, "--dataset", "phantom", "--shape", "8,96,96", "-o", output)
    assert run(capsys, *options, "--card", card, "--no-intervals")[0] == 0
    assert json.loads(output.read_text())["card"]["team"] == "線"


def test_without_a_card_the_method_is_called_as_the_file(gt, submission, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = submission.stem
    code, out, err = run(capsys, submission, "--gt", gt, "--dataset", "phantom", "--shape", "8,96,96", "--no-intervals")
    assert (code, out.splitlines()[-1]) == (0, f"entry: {name}-v2-phantom.json")
    assert err == (
        f"mitobench: warning: the entry calls the method {name!r}, as the file; say whose it is with --card FILE or "
        "--method NAME\n"
    )
    assert Entry.from_json(f"{name}-v2-phantom.json").card == MethodCard(method=name)


def test_the_command_refuses_a_bad_submission_and_leaves_nothing(gt, tmp_path, capsys):
    submission = make_submission(tmp_path / "sub")
    (submission / RAT).unlink()
    output = tmp_path / "e.json"
    options = ("--gt", gt, "--dataset", "phantom", "--shape", "8,96,96", "--method", "A", "-o", output)
    assert run(capsys, submission, *options) == (
        2,
        "",
        f"mitobench: error: {submission}: holds no {RAT}, the prediction of MitoEM-R; add it\n",
    )
    assert not output.exists()
