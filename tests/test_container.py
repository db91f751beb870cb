"""What the evaluation image writes, and the one line that it says of everything that can go wrong."""

import json
import math
import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from challenge_files import HUMAN, RAT, SHAPE, labels, make_ground_truth, make_submission, write

from leaderboard.container import evaluation
from leaderboard.container.evaluation import failure_of
from leaderboard.container.paths import Paths
from leaderboard.container.settings import Settings
from leaderboard.container.supervisor import Supervisor
from leaderboard.platform import phase_settings, value_at
from mitobench.evaluate import evaluate_benchmark
from mitobench.resampling import Bootstrap

GROUND_TRUTH = (
    "the ground truth cannot be used, which is no fault of the submission; the organisers have to mend it, please tell "
    "them"
)
SET_UP = GROUND_TRUTH.replace("ground truth", "set-up of the evaluation")
TOO_LARGE = (
    "scoring this submission takes more memory than there is; check that it holds instance ids, one for each "
    "mitochondrion, and that its chunks have no more than a few million voxels; if so, tell the organisers"
)
LIMIT = 8 * 10**9


@pytest.fixture
def paths(tmp_path):
    """Everything in its place."""
    (tmp_path / "output").mkdir()
    return Paths(
        input=make_submission(tmp_path / "input"),
        output=tmp_path / "output",
        ground_truth=(tmp_path / "uploaded", make_ground_truth(tmp_path / "gt")),
        settings=tmp_path / "settings.toml",
    )


@pytest.fixture
def gt(paths):
    return paths.ground_truth[1]


def metrics(paths):
    return json.loads((paths.output / "metrics.json").read_text())


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    else:
        yield path, value


def command(paths, *mode):
    where = ("--input", paths.input, "--output", paths.output, "--ground-truth", paths.ground_truth[1])
    return [sys.executable, "-m", "leaderboard.container", *mode, *map(str, where)]


def program(paths, *mode):
    """Run the program as the platform does, with the memory that it has there."""

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))

    done = subprocess.run(command(paths, *mode), capture_output=True, text=True, check=False, preexec_fn=limit)
    assert done.stdout == ""
    return done


@pytest.mark.parametrize("mode", [(), ("exec",)])
def test_metrics_are_numbers_that_the_platform_finds(paths, mode):
    done = program(paths, *mode)
    assert (done.returncode, done.stderr) == (0, "")
    written = metrics(paths)
    for path, value in leaves(written):
        assert not any("." in key for key in path)
        assert type(value) in {int, float}, path
        assert math.isfinite(value), path
    pairs = {name: labels(seed)[::-1] for seed, name in enumerate(("MitoEM-H", "MitoEM-R"))}
    report = evaluate_benchmark(pairs, intervals=Bootstrap())
    assert written["aggregates"]["ap_75"] == report.score
    assert written["case"]["human"]["ap_75"]["small"] == report.volumes[0].metrics["ap_75"]["small"]
    settings = phase_settings("ap_75")
    assert value_at(written, settings.score.error_path) == pytest.approx(np.ptp(report.overall_intervals["ap_75"]) / 2)
    shown = [
        column.path for column in (settings.score, *settings.extra) if not column.path.endswith(("medium", "large"))
    ]
    assert all(value_at(written, path) is not None for path in shown)
    assert "medium" not in written["case"]["human"]["ap_75"], "no instance is of this size"
    assert [path.name for path in paths.output.iterdir()] == ["metrics.json"]


def test_the_program_says_what_is_wrong_last(paths):
    (paths.output / "metrics.json").write_text("of an earlier run")
    (paths.input / HUMAN).rename(paths.input / "0_human_instance_seg.h5")
    (paths.input / os.fsdecode(b"not text \xff")).touch()
    done = program(paths)
    assert (done.returncode, done.stderr) == (
        1,
        f"submission: holds no {HUMAN}, did you mean '0_human_instance_seg.h5'?; rename it to {HUMAN}\n",
    )
    assert list(paths.output.iterdir()) == []


BAD = {
    "float": (
        lambda file: write(file, np.zeros(SHAPE, "f4")),
        "{}: has voxels of type float32, real numbers; expected instance ids of an integer type; write whole numbers",
    ),
    "shape": (
        lambda file: write(file, np.zeros((8, 96, 95), "u1")),
        (
            "{}: has the shape (8, 96, 95); expected (8, 96, 96) along z, y, x; write sections 8 to 15 of the whole "
            "volume, at full resolution"
        ),
    ),
    "negative": (
        lambda file: write(file, np.full(SHAPE, -1, "i2")),
        (
            "{}: holds negative ids (such as -1); ids must be 0 for background and positive for instances; set the "
            "negative voxels to 0"
        ),
    ),
    "truncated": (
        lambda file: file.write_bytes(file.read_bytes()[:6000]),
        "{}: the HDF5 file is truncated (6000 bytes are there); copy it again",
    ),
    "missing": (lambda file: file.unlink(), "submission: holds no {}, the prediction of MitoEM-H; add it"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_a_submission(paths, capsys, case):
    damage, expected = BAD[case]
    damage(paths.input / HUMAN)
    assert failure_of(paths) == expected.format(HUMAN)
    assert capsys.readouterr() == ("", "")
    assert list(paths.output.iterdir()) == []


def test_a_damaged_chunk(paths):
    file = paths.input / HUMAN
    content = bytearray(file.read_bytes())
    content[-800:-300] = bytes(500)
    file.write_bytes(content)
    message = failure_of(paths)
    assert message.startswith(f"{HUMAN}: the chunk at voxel (")
    assert message.endswith("; copy the file again")


def test_an_empty_submission(paths):
    for file in paths.input.iterdir():
        file.unlink()
    assert failure_of(paths) == (
        f"submission: holds no {HUMAN}, the prediction of MitoEM-H; add it; and 1 more: run `mitobench leaderboard "
        "check`"
    )


def test_a_mask_is_scored_with_a_warning(paths, capsys):
    mask = np.zeros(SHAPE, "u1")
    mask[:, ::4] = 1
    write(paths.input / RAT, mask)
    assert failure_of(paths) is None
    assert capsys.readouterr().err.startswith(f"warning: {RAT}: id 1 covers 100% of the foreground, in 24 pieces")
    assert metrics(paths)["case"]["rat"]["ap_75"]["all"] == 0


def test_nothing_predicted_scores_0(paths):
    for name in (HUMAN, RAT):
        write(paths.input / name, np.zeros(SHAPE, "u1"))
    assert failure_of(paths) is None
    assert metrics(paths)["aggregates"]["ap_75"] == 0
    assert "precision_75" not in metrics(paths)["aggregates"], "there is none without predictions"


def test_a_ground_truth_that_cannot_be_used_is_no_fault_of_the_submission(paths, gt, capsys):
    write(gt / "rat.h5", np.full(SHAPE, -1, "i2"))
    assert failure_of(paths) == GROUND_TRUTH
    assert capsys.readouterr().err.startswith("ground truth of MitoEM-R: holds negative ids")
    (gt / "rat.h5").unlink()
    assert failure_of(paths) == GROUND_TRUTH
    assert capsys.readouterr().err.endswith("in its name; the folder holds human.h5\n")


def test_a_ground_truth_without_instances_gives_no_rank(paths, gt, capsys):
    write(gt / "human.h5", np.zeros(SHAPE, "u1"))
    assert failure_of(paths) == SET_UP
    assert capsys.readouterr().err == (
        "ap_75 is undefined, so the result could not be ranked; does the ground truth hold ids?\n"
    )


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("", "settings lack rule; add it"),
        ("rule = 5", "rule is 5; allowed: the name of a rule"),
        (
            "ruel = 'coco'",
            f"settings have no 'ruel', did you mean 'rule'?; allowed: {', '.join(vars(Settings(rule='coco')))}",
        ),
        ("rule = 'coco'\nintervals = 1", "intervals is 1; allowed: true or false"),
        ("rule = 'coco'\nmemory_gb = true", "memory_gb is True; allowed: a number above 0, such as 4"),
        ("rule = 'coco'\nshape = [1, 2]", "shape is (1, 2); allowed: three whole numbers above 0"),
        ("rule = 'coco'\nalgorithm = 3", "algorithm is 3; allowed: a table [algorithm]"),
        ("rule = 'coco'\n[algorithm]\noutput = 'a'", "[algorithm] lack human, rat; add it"),
        ("rule =", "cannot be read as TOML (Invalid value (at end of document))"),
    ],
)
def test_settings_are_checked(paths, gt, capsys, settings, reason):
    (gt / "settings.toml").write_text(settings)
    assert failure_of(paths) == SET_UP
    where = f"{gt}/settings.toml"
    assert capsys.readouterr().err == f"{where}: {reason}\n"


def test_what_else_the_organisers_may_forget(paths, gt, capsys):
    (gt / "settings.toml").rename(paths.settings)
    assert failure_of(paths) is None, "settings in the image are as good"
    paths.settings.unlink()
    assert failure_of(paths) == SET_UP
    assert capsys.readouterr().err == f"no settings; expected {gt}/settings.toml or {paths.settings}\n"
    assert failure_of(replace(paths, ground_truth=(gt / "a", gt / "b"))) == SET_UP
    assert capsys.readouterr().err == f"no ground truth; expected it in {gt}/a or {gt}/b\n"
    assert failure_of(replace(paths, output=gt / "none")) == SET_UP
    assert capsys.readouterr().err.startswith(
        f"cannot write {gt}/none/metrics.json: the folder {gt}/none does not exist"
    )


def test_the_uploaded_ground_truth_counts(paths):
    uploaded = make_ground_truth(paths.ground_truth[0])
    write(uploaded / "human.h5", labels(0)[1])
    assert failure_of(paths) is None
    assert metrics(paths)["case"]["human"]["ap_75"]["all"] == 1


@pytest.mark.parametrize("error", [MemoryError(), KeyError("id 17 at voxel 3")], ids=repr)
def test_what_is_no_error_of_the_input(paths, capsys, monkeypatch, error):
    def score_predictions(*args, **options):
        raise error

    monkeypatch.setattr("leaderboard.score.score_predictions", score_predictions)
    message = failure_of(paths)
    told = capsys.readouterr().err
    if isinstance(error, MemoryError):
        assert (message, told) == (TOO_LARGE, "out of memory: \n")
        return
    line = score_predictions.__code__.co_firstlineno + 1
    assert message == (
        "the evaluation itself failed, which is no fault of the submission; tell the organisers: KeyError in "
        f"score_predictions, line {line}"
    )
    assert told.startswith("Traceback")


def test_buffers_that_do_not_fit(paths, gt, capsys):
    (gt / "settings.toml").write_text(f"rule = 'coco'\nshape = {list(SHAPE)}\nmemory_gb = 1e-5")
    assert failure_of(paths) == TOO_LARGE
    assert capsys.readouterr().err.startswith("out of memory: one chunk of each volume needs")


def supervised(code):
    return Supervisor([sys.executable, "-c", code])


LOST = "the evaluation itself failed, which is no fault of the submission; tell the organisers: it"
NOISE = "import atexit, sys; atexit.register(sys.stderr.write, 'noise\\n'); "


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("", None),
        (f"{NOISE} print('chatter\\n\\na.h5: bad'); sys.exit(1)", "a.h5: bad"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", TOO_LARGE),
        ("import os; os.abort()", f"{LOST} ended with -6"),
        ("import sys; sys.exit(3)", f"{LOST} ended with 3"),
    ],
    ids=["well", "told", "killed", "aborted", "mute"],
)
def test_whatever_becomes_of_the_process_someone_says_so_last(capfd, code, message):
    assert supervised(code).run() == message
    assert capfd.readouterr().err.endswith("" if message is None else f"{message}\n")


def test_a_process_that_cannot_be_started(tmp_path):
    assert Supervisor([str(tmp_path / "none")]).run() == f"{LOST} could not be started (No such file or directory)"


def test_a_process_that_is_stopped(paths, tmp_path):
    code = (
        "import signal, sys; from leaderboard.container.supervisor import Supervisor\n"
        "s = Supervisor([sys.executable, '-c', 'import sys, time; sys.stderr.write(\"up\\\\n\"); sys.stderr.flush(); "
        "time.sleep(60)'])\n"
        "signal.signal(signal.SIGTERM, lambda *_: s.stop()); s.run()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=30)
    assert told == "the evaluation was stopped before its end, most likely by the time limit of the platform\n"


def test_compiled_loops_that_come_with_the_image_are_used_where_nothing_can_be_written(tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    (kept / "room").mkdir(parents=True)
    (kept / "room" / "loop.nbc").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(kept))
    with evaluation._numba_cache():
        assert os.environ["NUMBA_CACHE_DIR"] == str(kept)
    can_write = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: os.fspath(path) != str(kept) and can_write(path, mode))
    (kept / "room").chmod(0o555)
    with evaluation._numba_cache():
        copy = os.environ["NUMBA_CACHE_DIR"]
        assert copy != str(kept)
        assert (tmp_path / copy / "room" / "loop.nbc").exists()
        assert (tmp_path / copy / "room").stat().st_mode & 0o777 == 0o700
