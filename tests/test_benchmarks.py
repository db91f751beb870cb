"""Each benchmark runs once, tiny."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def bench(*options, name="bench_pair"):
    command = [sys.executable, "-m", f"benchmarks.{name}", "--shape", "16,64,64", "--repeat", "1", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def rows(done):
    assert done.returncode == 0, done.stderr
    return [line[:42].strip() for line in done.stdout.splitlines()[1:-1]]


def test_files_and_the_kept_pair(tmp_path):
    done = bench("--keep", str(tmp_path / "pair"))
    assert rows(done) == [
        "plain h5py read, whole command",
        "plain h5py read, read alone",
        "mitobench evaluate, whole command",
    ]
    assert done.stderr.startswith("made 16,64,64 uint16 in ")
    assert json.loads((tmp_path / "pair" / "pair.json").read_text())["shape"] == "16,64,64"
    again = bench("--keep", str(tmp_path / "pair"))
    assert again.stderr == "", "the pair is made once"
    other = bench("--keep", str(tmp_path / "pair"), "--seed", "1")
    assert other.stderr.startswith("made")


def test_in_memory():
    pytest.importorskip("skimage")
    assert rows(bench("--in-memory", "--sections", "4", "--dtype", "uint32")) == [
        "arrays alone",
        "numpy (gt == pred).sum()",
        "mitobench overlap_pass",
        "mitobench evaluate_pair",
        "numpy.unique of pairs, 4 sections",
        "skimage contingency_table, 4 sections",
    ]


def test_failure_is_told():
    done = bench("--dtype", "uint13")
    assert done.returncode == 1
    assert "mitobench: error: argument --dtype: invalid choice: 'uint13'" in done.stderr


def module(name, *options):
    command = [sys.executable, "-m", f"benchmarks.{name}", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_intervals():
    head, *lines = module("bench_intervals", "--instances", "200", "--resamples", "100", "--repeat", "1")
    assert head.endswith(" predictions, 100 resamples")
    assert [line[:42].strip() for line in lines] == [
        "every metric once",
        "intervals of every metric, by blocks",
        "intervals of every metric, by instances",
        "comparison of two predictions, by blocks",
    ]


def test_coverage():
    head, *lines = module("coverage", "--volumes", "2", "--density", "0.02")
    assert head.split()[-3:] == ["recall_75", "f1_75", "ap_75"]
    assert len(lines) == 4 * 5


def test_conversion(tmp_path):
    done = bench("--keep", str(tmp_path), name="bench_convert")
    assert rows(done) == [
        "read and inflate, a loop",
        "read and inflate, 2 threads",
        "to Zarr, zstd",
        "to Zarr, zstd, --no-verify",
        "to HDF5, not compressed",
        "to HDF5, not compressed, --no-verify",
        "to HDF5, gzip",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["im", "sections.json"]
    assert bench("--keep", str(tmp_path), name="bench_convert").returncode == 0


def test_pieces():
    pytest.importorskip("cc3d", reason="connected-components-3d comes with the extra 'cable'")
    assert rows(bench(name="bench_pieces")) == [
        "plain h5py read",
        "mitobench overlap_pass with itself",
        "mitobench count_pieces",
        "cc3d of the whole, numpy.unique",
    ]


def test_augmentation():
    head, *lines = module("bench_augment", "--patch", "3,16,16", "--samples", "1", "--repeat", "1")
    assert head == "recipe v2, crop 5x70x70, patch 3x16x16"
    assert [line[:42].strip() for line in lines] == [
        *("CutNoise", "CutBlur", "MotionBlur", "Misalignment", "MissingSection", "MissingParts", "Brightness"),
        *("Elastic", "Rescale", "Rotate", "Flip"),
        "smooth_instances",
        "whole chain",
        "samples per second per core",
        "whole chain, outlines smoothed",
        "samples per second per core",
    ]


def test_prediction():
    pytest.importorskip("torch")
    head, *lines = module("bench_predict", "--shape", "2,16,24", "--patch", "2,8,8", "--filters", "2,3", "--plain")
    assert head == "volume 2x16x24, 15 windows, 1 tiles, 0.0% of the windows twice"
    assert [line[:42].strip() for line in lines] == [
        "network as PyTorch has it",
        "bare network",
        "whole prediction",
        "network within the prediction",
        "overhead over the bare network",
        "overhead in time of the processors",
        "overhead over the network within",
        "voxels per second",
        "growth of the peak memory",
    ]


def test_container():
    assert rows(bench(name="bench_container")) == ["mitobench evaluate --intervals", "leaderboard.container exec"]


def test_decoding():
    pytest.importorskip("cc3d", reason="connected-components-3d comes with the extra 'baselines'")
    pytest.importorskip("skimage")
    assert rows(bench("--sections", "8", name="bench_decode")) == [
        "plain h5py read",
        "mitobench decode",
        "scikit-image, whole volume, 8 sections",
    ]
