"""Whatever happens to the bytes of a file, it is scored or refused with one of our errors: no traceback, no hang."""

import io

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitobench.errors import MitobenchError
from mitobench.evaluate import evaluate_pair
from mitobench.testing import random_volumes

GT, PRED = (v.astype("u2") for v in random_volumes(np.random.default_rng(5), instances=15, edge=20))
STORAGE = {
    "gzip": {"compression": "gzip", "chunks": (5, 7, 9)},
    "all filters": {"compression": "lzf", "shuffle": True, "fletcher32": True, "chunks": (5, 7, 9)},
    "plain": {"chunks": (5, 7, 9)},
    "contiguous": {},
}


def hdf5_bytes(storage):
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file.create_dataset("main", data=PRED, **STORAGE[storage])
    return memory.getvalue()


WHOLE = {storage: hdf5_bytes(storage) for storage in STORAGE}
# Most of a file is voxels; its first bytes are what says where they lie.
places = st.floats(0, 1, exclude_max=True) | st.floats(0, 0.1)


@settings(max_examples=150)
@given(
    storage=st.sampled_from(sorted(STORAGE)),
    damage=st.lists(st.tuples(places, st.integers(0, 255)), max_size=4),
    length=st.just(1.0) | places,
)
@pytest.mark.filterwarnings("ignore::mitobench.errors.InputWarning")
def test_a_damaged_file_is_scored_or_refused(tmp_path_factory, storage, damage, length):
    data = bytearray(WHOLE[storage])
    for place, byte in damage:
        data[int(place * len(data))] = byte
    path = tmp_path_factory.mktemp("damaged") / "pred.h5"
    path.write_bytes(data[: int(length * len(data))])
    try:
        report = evaluate_pair(path, GT)
    except MitobenchError as error:
        message = str(error)
        assert str(path) in message
        assert "\n" not in message
    else:
        assert report.volumes[0].shape == GT.shape
