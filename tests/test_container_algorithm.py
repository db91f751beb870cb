"""Phases that run algorithms: which output is the prediction of which volume, and what a stranger may try."""

import json

import h5py
import numpy as np
import pytest
from challenge_files import SHAPE, labels, make_ground_truth, write

from leaderboard.container.algorithm import find_outputs
from leaderboard.container.evaluation import failure_of
from leaderboard.container.paths import Paths, SetupError
from leaderboard.container.settings import Algorithm
from mitobench.errors import InvalidInputError

SLUG = "mitochondria"
ALGORITHM = Algorithm(output=SLUG, inputs={"human": "Human", "rat": "rat-"})
SETTINGS = f"""
rule = "mitoem-2020"
shape = {list(SHAPE)}
[algorithm]
output = "{SLUG}"
human = "Human"
rat = "rat-"
"""


def job(pk, image, *, kind="socket", relative="images/mitochondria", status="Succeeded", slug=SLUG):
    """Return one job of the platform's list."""
    given = {kind: {"slug": "em-image", "relative_path": "images/em"}, "image": {"name": image}}
    log = {kind: {"slug": "log", "relative_path": "log.json"}, "value": 3}
    made = {kind: {"slug": slug, "relative_path": relative}}
    return {"pk": pk, "inputs": [given], "outputs": [log, made], "status": status}


def write_jobs(folder, *jobs):
    (folder / "predictions.json").write_text(json.dumps(jobs))


@pytest.fixture
def paths(tmp_path):
    """Two jobs that succeeded, one in each of the platform's ways to say so."""
    gt = make_ground_truth(tmp_path / "gt", settings=SETTINGS)
    for seed, pk in enumerate(("a-1", "b-2")):
        output = tmp_path / "input" / pk / "output" / "images" / "mitochondria"
        output.mkdir(parents=True)
        write(output / f"{pk}.h5", labels(seed)[1])
    write_jobs(tmp_path / "input", job("b-2", "RAT-test.h5", kind="interface"), job("a-1", "human.h5"))
    (tmp_path / "output").mkdir()
    return Paths(input=tmp_path / "input", output=tmp_path / "output", ground_truth=(gt,))


def test_outputs_are_scored_as_a_submission_is(paths):
    assert failure_of(paths) is None
    written = json.loads((paths.output / "metrics.json").read_text())
    (paths.input / "a-1" / "output" / "images" / "mitochondria" / "a-1.h5").unlink()
    np.save(paths.input / "a-1" / "output" / "images" / "mitochondria" / "a-1.npy", labels(0)[1].astype("i4"))
    assert failure_of(paths) is None
    assert json.loads((paths.output / "metrics.json").read_text()) == written
    assert written["case"]["human"]["ap_75"] != written["case"]["rat"]["ap_75"]


def test_what_an_algorithm_may_do_wrong(paths):
    file = paths.input / "a-1" / "output" / "images" / "mitochondria" / "a-1.h5"
    write(file, np.zeros((8, 96, 95), "u1"))
    assert failure_of(paths) == (
        "output 'mitochondria' for MitoEM-H: its shape is (8, 96, 95); expected (8, 96, 96); write it as large as "
        "the input"
    )
    write(file, np.full(SHAPE, -1, "i2"))
    assert failure_of(paths).startswith("output 'mitochondria' for MitoEM-H: holds negative ids")
    write(file, np.zeros(SHAPE))
    assert failure_of(paths).startswith("a-1/output/images/mitochondria/a-1.h5: voxels of type float64; expected")
    file.unlink()
    assert failure_of(paths).startswith("a-1/output/images/mitochondria: no volume in this folder of 0 entries")


def test_an_output_that_would_lead_to_the_ground_truth_is_refused(paths):
    output = paths.input / "a-1" / "output" / "images" / "mitochondria"
    secret = paths.ground_truth[0] / "human.h5"
    (output / "a-1.h5").unlink()
    (output / "a-1.h5").symlink_to(secret)
    message = "output 'mitochondria' for MitoEM-H: "
    assert failure_of(paths) == f"{message}holds a link; expected none; write the file itself"
    (output / "a-1.h5").unlink()
    layout = h5py.VirtualLayout(SHAPE, "u2")
    layout[:] = h5py.VirtualSource(str(secret), "main", SHAPE)
    with h5py.File(output / "a-1.h5", "w") as file:
        file.create_virtual_dataset("main", layout)
    assert failure_of(paths).startswith(f"{message}'main' is virtual: its voxels lie in other files; ")
    with h5py.File(output / "a-1.h5", "w") as file:
        file["main"] = h5py.ExternalLink(str(secret), "main")
    assert failure_of(paths).startswith(f"{message}'main' links to other files")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"status": "Failed"},
            "the algorithm did not finish on the human volume (job a-1: Failed); see the log of that job",
        ),
        (
            {"slug": "mito"},
            "the algorithm wrote no output 'mitochondria' for the human volume (job a-1); it wrote 'log', 'mito'",
        ),
        ({"relative": "../../b-2/x"}, "the output '../../b-2/x' of job a-1 leads out of its folder; write it inside"),
        ({"relative": "/etc/passwd"}, "the output '/etc/passwd' of job a-1 leads out of its folder; write it inside"),
        ({"relative": "link"}, "the output 'link' of job a-1 leads out of its folder; write it inside"),
        ({"pk": "../gt"}, "the output 'images/mitochondria' of job ../gt leads out of its folder; write it inside"),
        ({"pk": ".."}, "the output 'images/mitochondria' of job .. leads out of its folder; write it inside"),
    ],
)
def test_a_job_that_is_no_good(paths, changes, message):
    (paths.input / "a-1" / "output" / "link").symlink_to(paths.ground_truth[0])
    write_jobs(paths.input, job(**({"pk": "a-1", "image": "human"} | changes)), job("b-2", "rat-"))
    with pytest.raises(InvalidInputError) as error:
        find_outputs(paths.input, ALGORITHM)
    assert str(error.value) == message


def test_jobs_that_do_not_fit_the_settings(paths):
    human, both = job("a-1", "human"), job("b-2", "human and rat-")
    strange = "predictions.json: no list of jobs as the platform writes it"
    for jobs, message in (
        ([human], "no jobs have 'rat-' in their inputs; one is expected for rat"),
        ([human, both], "2 jobs have 'Human' in their inputs; one is expected for human"),
        ([{"pk": "a-1"}], f"{strange} (KeyError('inputs'))"),
        ([5], f"{strange} (TypeError(\"'int' object is not subscriptable\"))"),
    ):
        write_jobs(paths.input, *jobs)
        with pytest.raises(SetupError) as error:
            find_outputs(paths.input, ALGORITHM)
        assert str(error.value) == message


def test_a_list_of_jobs_that_is_none(paths, capsys):
    listed = paths.input / "predictions.json"
    for text, reason in (("{}", "no list of jobs"), ("{", "cannot be read as JSON (Expecting property name")):
        listed.write_text(text)
        with pytest.raises(SetupError) as error:
            find_outputs(paths.input, ALGORITHM)
        assert str(error.value).startswith(f"{listed}: {reason}")
    listed.unlink()
    assert failure_of(paths).startswith("the set-up of the evaluation cannot be used")
    assert capsys.readouterr().err == f"{listed} does not exist, but the settings have a table [algorithm]\n"
