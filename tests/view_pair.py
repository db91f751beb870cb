"""A pair of volumes with one mistake of each kind, for the tests of the viewer."""

import h5py
import numpy as np

from mitobench.evaluate import evaluate_pair

SHAPE = (12, 60, 80)


def labels():
    """One matched, one missed, one split into two, two merged into one, and one false instance."""
    gt, pred = np.zeros(SHAPE, np.uint16), np.zeros(SHAPE, np.uint16)
    gt[2:9, 5:20, 5:20] = pred[2:9, 5:20, 5:20] = 1
    gt[1:11, 30:50, 5:25] = 2
    gt[2:6, 5:15, 30:50] = 3
    pred[2:6, 5:15, 30:40], pred[2:6, 5:15, 40:50] = 30, 31
    gt[5:9, 30:40, 40:50], gt[5:9, 30:40, 50:60] = 4, 5
    pred[5:9, 30:40, 40:60] = 40
    pred[0:2, 50:55, 70:75] = 60
    return gt, pred


def write(path, data, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("main", data=data, **options)


def write_all():
    """Write gt.h5, pred.h5, image.h5 and report.json here."""
    gt, pred = labels()
    write("gt.h5", gt, chunks=(4, 16, 32), compression="gzip")
    write("pred.h5", pred.astype("i8"), chunks=(5, 60, 80))
    write("image.h5", np.random.default_rng(0).integers(0, 200, SHAPE, dtype="u1"))
    evaluate_pair("pred.h5", "gt.h5", name="tiny").to_json("report.json")
