"""An experiment: from a data set to an entry, in steps that are kept, by any method."""

import hashlib
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from installed_methods import DOCUMENTED, install

from baselines import _data
from baselines.experiment import run_experiment
from leaderboard.entry import Entry
from mitobench import Bootstrap
from mitobench.cli import main
from mitobench.errors import InputWarning, InvalidInputError, MitobenchError, UnknownNameError, UnusableFileError
from mitobench.methods import Description
from mitobench.types import Box
from mitobench.volumes import open_image, write_hdf5

HALF_AND_HALF = "train = 0.4, val = 0.2, test = 0.4"
NOT_MITOEM = (
    "{data}: called MitoEM, but these are not the published volumes of (1000, 4096, 4096): MitoEM-H (20, 40, 40); "
    "describe them in a TOML file, by another name"
)


class Threshold:
    """What is dark is one instance each; it counts what is asked of it."""

    def __init__(self, name="threshold", settings=None, shape=None, scores=None):
        self.about = Description(name, "Dark boxes.", settings or {})
        self.shape, self.scores = shape, scores
        self.fitted, self.predicted = [], []

    def describe(self):
        return self.about

    def fit(self, volumes, folder, *, validation=(), seed=0, progress=False):
        self.fitted.append(([v.name for v in volumes], [v.name for v in validation], seed))
        (folder / "learned.txt").write_text("dark")

    def predict(self, image, path, folder, *, progress=None):
        from scipy.ndimage import label

        [volume] = open_image(image)
        assert (folder / "learned.txt").read_text() == "dark"
        self.predicted.append(path.name)
        labels = np.zeros(self.shape, np.uint8) if self.shape else label(read(volume) < 100)[0].astype(np.uint8)
        write_hdf5(path, lambda z0, z1: labels[z0:z1], shape=labels.shape, dtype=labels.dtype)
        if self.scores is None:
            return None
        path.with_suffix(".csv").write_text(self.scores)
        return path.with_suffix(".csv")


def read(volume):
    return volume.read(Box((0, 0, 0), volume.shape))


@pytest.fixture
def data(tmp_path):
    """Two volumes of dark boxes; the second has no split of its own."""
    labels = np.zeros((20, 40, 40), np.uint16)
    for z in range(0, 20, 4):
        for k, y in enumerate(range(2, 38, 12)):
            labels[z + 1 : z + 3, y : y + 8, 5:30] = 1 + 3 * z + k
    image = np.where(labels > 0, 40, 200).astype(np.uint8)
    with h5py.File(tmp_path / "tissue.h5", "w") as file:
        file["image"], file["labels"] = image, labels
    return described(tmp_path)


def described(folder, *, name="tiny boxes", split=HALF_AND_HALF, labels=True, volumes=("a", "b")):
    text = f'name = "{name}"\nsplit = {{ {split} }}\n'
    for volume in volumes:
        text += f'[[volumes]]\nname = "{volume}"\nimage = "tissue.h5::image"\nvoxel_size = [30, 8, 8]\n'
        text += 'labels = "tissue.h5::labels"\n' if labels else ""
    path = folder / "data.toml"
    path.write_text(text)
    return path


def refused(*arguments, error=InvalidInputError, **more):
    with pytest.raises(error) as caught:
        run_experiment(*arguments, **more)
    return str(caught.value)


def run(capsys, *arguments):
    code = main(["baseline", "run", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_method_of_the_docs_becomes_an_entry(data, tmp_path, monkeypatch, capsys):
    install(monkeypatch, tmp_path, "dark-blobs", "experiment_blobs:DarkBlobs", DOCUMENTED)
    out = tmp_path / "private" / "run"
    out.parent.mkdir()
    words = ("dark-blobs", "--data", data, "--out", out, "--option", "inside=20", "--team", "we")
    code, printed, err = run(capsys, *words)
    assert (code, err) == (0, "")
    first, second = printed.splitlines()
    assert first == f"entry: {out / 'entry.json'}"
    assert second.startswith("ap_75: ")
    entry = Entry.from_json(out / "entry.json")
    assert (entry.card.method, entry.card.team, entry.remark) == ("dark blobs", "we", "seed 0")
    assert entry.card.command == (
        "mitobench baseline run dark-blobs --data data.toml --out run --seed 0 --split test --option inside=20"
    )
    assert entry.task.label == "tiny boxes test, annotation given"
    assert str(tmp_path) not in (out / "entry.json").read_text()
    assert [volume.pred.name for volume in entry.report.volumes] == ["0-a.h5", "1-b.h5"]
    assert [volume.gt.name for volume in entry.report.volumes] == ["a test", "b test"]
    predictions = [out / "predictions" / file.name for file in entry.files]
    assert [file.sha256 for file in entry.files] == [hashlib.sha256(p.read_bytes()).hexdigest() for p in predictions]
    journal = json.loads((out / "experiment.json").read_text())
    assert list(journal["hours"]) == ["fit", "predict", "score"]
    assert str(data) in journal["starts"][0]["command"]
    code, printed, err = run(capsys, *words)
    assert printed.splitlines() == [f"{out}: was finished before; nothing was computed", first, second]


def test_scores_are_those_of_evaluate_and_come_with_intervals(data, tmp_path):
    report = run_experiment(Threshold(), data, tmp_path / "run", intervals=Bootstrap(unit="instances")).report
    assert report.overall["ap_75"] == 1
    assert report.overall_intervals["ap_75"] == [1, 1]
    assert report.uncertainty["unit"] == "instances"
    assert run_experiment(Threshold(), data, tmp_path / "other", intervals=None).report.overall_intervals == {}


def test_scores_of_instances_decide_the_order(data, tmp_path):
    with h5py.File(tmp_path / "tissue.h5", "a") as file:
        file["image"][:, 38:, 38:] = 40
    # The dark edge, which is no box, is the smallest, and number 1 of a raster scan of the test part.
    last, first = (f"id,score\n1,{score}\n" + "".join(f"{n},0.5\n" for n in range(2, 8)) for score in (0.1, 0.9))
    reached = [
        run_experiment(Threshold(scores=scores), data, tmp_path / f"run{k}", intervals=None).report.overall["ap_75"]
        for k, scores in enumerate((None, last, first))
    ]
    assert reached[0] == reached[1] == 1
    assert reached[2] < 1


def test_what_is_learned_from_and_what_thresholds_are_chosen_by(data, tmp_path):
    method = Threshold()
    run_experiment(method, data, tmp_path / "test", seed=3)
    run_experiment(method, data, tmp_path / "val", part="val")
    described(tmp_path, split="train = 0.5, test = 0.5")
    run_experiment(method, data, tmp_path / "none")
    both = ["a", "b"]
    assert method.fitted == [(both, both, 3), (both, [], 0), (both, [], 0)]


def test_what_was_stopped_goes_on(data, tmp_path):
    class Stopped(Threshold):
        def predict(self, image, path, folder, *, progress=None):
            if path.name.startswith("1-"):
                raise KeyboardInterrupt
            return super().predict(image, path, folder)

    stopped, method = Stopped(), Threshold()
    with pytest.raises(KeyboardInterrupt):
        run_experiment(stopped, data, tmp_path / "run")
    experiment = run_experiment(method, data, tmp_path / "run")
    assert (len(stopped.fitted), stopped.predicted) == (1, ["0-a.h5"])
    assert (method.fitted, method.predicted) == ([], ["1-b.h5"])
    assert not experiment.again
    assert len(json.loads((tmp_path / "run" / "experiment.json").read_text())["starts"]) == 2


def test_learning_that_was_stopped_is_begun_again_in_its_folder(data, tmp_path):
    class Stopped(Threshold):
        def fit(self, volumes, folder, **more):
            (folder / "half.txt").write_text("half")
            raise KeyboardInterrupt

    class Going(Threshold):
        def fit(self, volumes, folder, **more):
            assert (folder / "half.txt").read_text() == "half"
            super().fit(volumes, folder, **more)

    with pytest.raises(KeyboardInterrupt):
        run_experiment(Stopped(), data, tmp_path / "run")
    assert run_experiment(Going(), data, tmp_path / "run").report.overall["ap_75"] == 1


def test_what_is_finished_is_read_and_another_rule_only_scores_again(data, tmp_path):
    first, again = Threshold(), Threshold()
    before = run_experiment(first, data, tmp_path / "run")
    after = run_experiment(again, data, tmp_path / "run")
    assert (before.again, after.again) == (False, True)
    assert after.report == before.report
    coco = run_experiment(again, data, tmp_path / "run", rule="coco")
    assert coco.report.rule["name"] == "coco"
    assert not coco.again
    (tmp_path / "run" / "entry.json").unlink()
    assert run_experiment(again, data, tmp_path / "run", rule="coco").entry.is_file()
    assert (again.fitted, again.predicted) == ([], [])


@pytest.mark.parametrize(
    ("method", "more", "difference"),
    [
        (Threshold(), {"seed": 1}, "seed 0, not 1"),
        (Threshold("other"), {}, "method.name 'threshold', not 'other'"),
        (Threshold(settings={"at": (1, 2)}), {}, "method.settings.at None, not [1, 2]"),
        (Threshold(), {"part": "val"}, "data.part 'test', not 'val'"),
    ],
)
def test_a_folder_is_of_one_experiment(data, tmp_path, method, more, difference):
    folder = tmp_path / "run"
    run_experiment(Threshold(), data, folder)
    before = (folder / "experiment.json").read_bytes()
    assert refused(method, data, folder, **more) == (
        f"{folder}: the experiment there has {difference}; name another folder, or start with the same"
    )
    assert (folder / "experiment.json").read_bytes() == before


def test_other_data_in_the_same_folder(data, tmp_path):
    run_experiment(Threshold(), data, tmp_path / "run")
    described(tmp_path, split="train = 0.5, val = 0.1, test = 0.4")
    assert "has data.volumes.a.train [0, 8], not [0, 10]; name" in refused(Threshold(), data, tmp_path / "run")


def test_a_damaged_journal(data, tmp_path):
    folder = tmp_path / "run"
    run_experiment(Threshold(), data, folder)
    path = folder / "experiment.json"
    for text, reason in (
        ("{", "not JSON; expected the journal of an experiment"),
        ("[]", "not the journal of an experiment; name another folder"),
        ('{"version": 1}', "not the journal of an experiment; name another folder"),
    ):
        path.write_text(text)
        assert refused(Threshold(), data, folder, error=MitobenchError) == f"{path}: {reason}"


@pytest.mark.parametrize(
    ("options", "part", "error", "message"),
    [
        ({"labels": False}, "test", InvalidInputError, "a: no labels were found; the TOML file names none"),
        (
            {"split": "val = 0.5, test = 0.5"}, "test", UnknownNameError,
            "a: no split 'train'; the splits are val, test",
        ),
        (
            {"split": "train = 0.5, val = 0.5"}, "test", UnknownNameError,
            "a: no split 'test'; the splits are train, val",
        ),
        (
            {}, "train", InvalidInputError,
            "the part train is what a method learns from; score another one, such as test",
        ),
        (
            {"name": "tiny (boxes)"}, "test", InvalidInputError,
            "dataset of a task is 'tiny (boxes)'; allowed: up to 60 letters, digits, spaces and . _ + -",
        ),
        (
            {"name": "MitoEM", "volumes": ("MitoEM-H",)}, "test", InvalidInputError,
            NOT_MITOEM,
        ),
    ],
)  # fmt: skip
def test_data_that_will_not_do(data, tmp_path, options, part, error, message):
    described(tmp_path, **options)
    method = Threshold()
    assert refused(method, data, tmp_path / "run", part=part, error=error) == message.format(data=data)
    assert method.fitted == []
    assert not (tmp_path / "run").exists()


def test_a_volume_without_labels_is_not_scored(data, tmp_path):
    with data.open("a") as file:
        file.write('[[volumes]]\nname = "c"\nimage = "tissue.h5::image"\nsplit = { test = 1 }\n')
    with pytest.warns(InputWarning, match=r"^c: no labels in the part test; it is not scored$"):
        report = run_experiment(Threshold(), data, tmp_path / "run").report
    assert [volume.name for volume in report.volumes] == ["a", "b"]


def test_folders_that_will_not_do(data, tmp_path):
    full, absent = tmp_path / "full", tmp_path / "absent" / "run"
    full.mkdir()
    (full / "thesis.txt").write_text("mine")
    assert refused(Threshold(), data, full, error=UnusableFileError) == (
        f"{full}: the folder is not empty and holds no experiment; name a new folder"
    )
    assert refused(Threshold(), data, absent, error=UnusableFileError) == (
        f"cannot make {absent}: the folder {absent.parent} does not exist; create it first"
    )
    assert refused(Threshold(), data, data, error=UnusableFileError) == (
        f"cannot make {data}: File exists; name another folder"
    )
    assert refused(Threshold(), data, tmp_path / "run", seed=-1) == "the seed is -1; allowed: whole numbers from 0"


def test_a_method_that_fails_says_where_and_can_be_mended(data, tmp_path):
    class Broken(Threshold):
        def fit(self, volumes, folder, **more):
            raise KeyError("weights")

    message = refused(Broken(), data, tmp_path / "run")
    line = message.partition(" line ")[2].partition(";")[0]
    assert 'raise KeyError("weights")' in Path(__file__).read_text().splitlines()[int(line) - 1]
    assert message == (
        f"the method 'threshold' failed while learning: KeyError: 'weights', in test_experiment.py line {line}; mend "
        "it and start again: what is finished is kept"
    )
    assert run_experiment(Threshold(), data, tmp_path / "run").report.overall["ap_75"] == 1


def test_predictions_that_cannot_be_scored(data, tmp_path):
    class Nothing(Threshold):
        def predict(self, image, path, folder, **more):
            return None

    class Elsewhere(Threshold):
        def predict(self, image, path, folder, **more):
            super().predict(image, path, folder)
            return folder / "scores.csv"

    folder = tmp_path / "run"
    path = folder / "predictions" / "0-a.h5"
    where = "the method 'threshold' has left no prediction that can be scored"
    assert refused(Threshold(shape=(8, 40, 39)), data, folder) == (
        f"{where}: 0-a.h5 is (8, 40, 39), the image (8, 40, 40); expected one shape; mend it"
    )
    path.unlink()
    assert refused(Nothing(), data, folder).startswith(f"{where}: {path}: does not exist; expected HDF5")
    assert refused(Elsewhere(), data, folder) == (
        f"{where}: its scores are {folder / 'method' / 'scores.csv'}; expected a file beside 0-a.h5; mend it"
    )
    assert run_experiment(Threshold(), data, folder).report.overall["ap_75"] == 1


def test_settings_that_json_cannot_hold(data, tmp_path):
    assert refused(Threshold(settings={"at": object}), data, tmp_path / "run").startswith(
        "the method 'Threshold' failed while describing itself: TypeError: Object of type type is not JSON serializable"
    )
    assert not (tmp_path / "run").exists()


def test_the_phantom_is_made_once(tmp_path, monkeypatch):
    monkeypatch.setattr(_data, "_SHAPE", (20, 64, 64))
    monkeypatch.setattr(_data, "_TISSUE", {"seed": 0, "instances_per_gigavoxel": 3e5, "foreground": 0.2})

    class Stopped(Threshold):
        def fit(self, volumes, folder, **more):
            raise KeyboardInterrupt

    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run_experiment(Stopped(), "phantom", folder)
    made = (folder / "data" / "im.h5").stat().st_mtime_ns
    run_experiment(Threshold(), "phantom", folder)
    assert (folder / "data" / "im.h5").stat().st_mtime_ns == made
    assert Entry.from_json(folder / "entry.json").task.label == "phantom 20x64x64 test, annotation given"


def test_a_phantom_that_was_interrupted_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(_data, "_SHAPE", (20, 64, 64))
    (tmp_path / "run" / "data").mkdir(parents=True)
    (tmp_path / "run" / "data" / "im.h5").write_text("half")
    run_experiment(Threshold(), "phantom", tmp_path / "run")
    assert h5py.File(tmp_path / "run" / "data" / "im.h5")["main"].shape == (20, 64, 64)


def test_the_phantom_has_something_to_find_in_every_part():
    from mitobench.phantom import plan_tissue

    plan = plan_tissue(_data._SHAPE, **_data._TISSUE)
    for part, (z0, z1), least in (("train", (0, 33), 25), ("val", (33, 42), 10), ("test", (42, 60), 12)):
        assert np.sum(np.unique(plan.gt(z0, z1), return_counts=True)[1][1:] >= 1024) >= least, part


def test_names_and_options_that_make_no_sense(data, tmp_path, monkeypatch, capsys):
    install(monkeypatch, tmp_path, "dark-blobs", "experiment_blobs_b:DarkBlobs", DOCUMENTED)
    start = ("--data", data, "--out", tmp_path / "run")
    code, out, err = run(capsys, "u3d-bc-smal", *start)
    assert (code, out) == (2, "")
    assert err.startswith("mitobench: error: unknown recipe or method 'u3d-bc-smal', did you mean 'u3d-bc-small'?; ")
    for words, message in (
        (("dark-blobs", "--option", "inside"), "--option 'inside': expected key=value, such as accelerator=gpu"),
        (
            ("dark-blobs", "--set", "iterations=3"),
            "the method 'dark-blobs' of others has no option 'changes'; its options are inside",
        ),
        (
            ("u3d-bc-small", "--option", "recipe=u2d-b"),
            "u3d-bc-small is a recipe, and the option recipe names another; leave it out",
        ),
        (("u3d-bc-small", "--set", "iterations=0"), None),
    ):
        code, out, err = run(capsys, *words, *start)
        assert (code, out) == (2, "")
        assert message is None or err == f"mitobench: error: {message}\n"
        assert err.startswith("mitobench: error: ")
    assert not (tmp_path / "run").exists()
