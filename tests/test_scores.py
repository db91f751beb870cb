"""Confidence from tables and heat maps. What a wrong table is refused with stands in test_cli.py."""

import re

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mitobench.errors import InvalidInputError, UnusableFileError
from mitobench.scores import heat_map_scores, read_scores
from mitobench.volumes import open_image, open_labels


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32),
    dtype=st.sampled_from(["u1", "u2", "f2", "f4", "f8"]),
    shape=st.tuples(*[st.integers(1, 12)] * 3),
    channels=st.integers(1, 3),
    stored=st.booleans(),
)
def test_a_heat_map_is_averaged_over_each_instance(tmp_path_factory, seed, dtype, shape, channels, stored):
    rng = np.random.default_rng(seed)
    pred = rng.integers(0, 4, shape, "u2").repeat(3, axis=2)
    heat = (rng.random((channels, *pred.shape)) * (200 if dtype[0] == "u" else 1)).astype(dtype)
    source = heat
    if stored:
        source = str(tmp_path_factory.mktemp("heat") / "heat.h5")
        with h5py.File(source, "w") as file:
            file.create_dataset("p", data=heat, chunks=(1, *(max(1, n // 2) for n in pred.shape)), compression="gzip")
    opened = open_image(source)
    ids = [i for i in np.unique(pred).tolist() if i]
    expected = ndimage.mean(heat.mean(axis=0, dtype="f8"), pred, ids) if ids else np.empty(0)
    if len(expected) and expected.max() > 1:
        expected = expected / 255
    volume = open_labels(pred)
    one, two = (heat_map_scores(volume, opened, workers=workers) for workers in (1, 2))
    assert one == two, "the number of threads does not show"
    assert list(one) == ids
    assert list(one.values()) == pytest.approx(expected.tolist(), rel=1e-12)
    opened[0].close()


def test_voxels_of_a_heat_map_that_were_never_written_have_its_fill_value(tmp_path):
    with h5py.File(tmp_path / "heat.h5", "w") as file:
        heat = file.create_dataset("p", (4, 4, 4), "f4", chunks=(2, 4, 4), fillvalue=0.25, compression="gzip")
        heat[:2] = 0.75
    (channel,) = open_image(str(tmp_path / "heat.h5"))
    assert channel.raw is not None
    assert heat_map_scores(open_labels(np.ones((4, 4, 4), "u1")), (channel,)) == {1: 0.5}
    channel.close()


@pytest.mark.parametrize(
    "text",
    [
        "id,score\n5,0.5\n7,1\n",
        "5,0.5\n7,1\n",
        "score;id\n0.5;5\n1;7\n",
        "5\t0.5\n7\t1\n",
        "5 0.5\n\n7 1\n",
        "5.0, 5e-1\n7.0, 1",
    ],
)
def test_tables_of_many_makes_are_read(tmp_path, text):
    (tmp_path / "s.csv").write_text(text)
    assert read_scores(tmp_path / "s.csv") == {5: 0.5, 7: 1.0}


def test_large_ids_stay_exact(tmp_path):
    (tmp_path / "s.csv").write_text(f"id,score\n{2**63 + 5},0.5\n{2**53 + 1},1\n")
    assert read_scores(str(tmp_path / "s.csv")) == {2**63 + 5: 0.5, 2**53 + 1: 1.0}
    table = np.zeros(2, [("score", "f4"), ("id", "u8")])
    table["id"] = 2**64 - 1, 3
    np.save(tmp_path / "s.npy", table)
    assert read_scores(str(tmp_path / "s.npy")) == {2**64 - 1: 0.0, 3: 0.0}
    message = (
        f"{tmp_path}/f.npy: ids above 2^53 are not exact as float64; store the ids as integers, in a CSV for example"
    )
    np.save(tmp_path / "f.npy", np.array([[2.0**54, 1.0]]))
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        read_scores(str(tmp_path / "f.npy"))


def test_pickles_and_other_files_are_refused(tmp_path):
    np.save(tmp_path / "p.npy", np.array([{"id": 1}]), allow_pickle=True)
    with pytest.raises(UnusableFileError, match=r"p\.npy: not a NumPy file without objects"):
        read_scores(str(tmp_path / "p.npy"))
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UnusableFileError, match=r"b\.csv: cannot be read as CSV"):
        read_scores(str(tmp_path / "b.csv"))
    np.save(tmp_path / "three.npy", np.zeros((4, 3)))
    with pytest.raises(InvalidInputError, match=r"the score table has shape \(4, 3\) and type float64; expected two"):
        read_scores(str(tmp_path / "three.npy"))
    for empty in ("", "\n"):
        (tmp_path / "e.csv").write_text(empty)
        assert read_scores(str(tmp_path / "e.csv")) == {}
