"""The numbers of the public tools: small cases, and real volumes where they lie beside the repository."""

import os
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from mitobench import testing
from mitobench.evaluate import evaluate_pair
from mitobench.matching import match
from mitobench.metrics import average_precision
from mitobench.overlap import overlap_pass
from mitobench.rules import RULES, metric_name
from mitobench.strata import ALL_BUCKETS, BUCKETS
from mitobench.testing import counts_of_table
from mitobench.volumes import open_labels

SHARED = Path(__file__).resolve().parents[2] / "shared"
PARITY = Path(os.environ.get("MITOBENCH_PARITY", SHARED / "parity"))
DATA = Path(os.environ.get("MITOBENCH_DATA", SHARED / "data"))
DEFAULT = RULES["mitoem-2020"]


def need(path):
    if not path.is_file():
        pytest.skip(f"{path.name} is not there: set MITOBENCH_PARITY or MITOBENCH_DATA to the folder of shared files")
    return path


TOOL_TYPES = ("one-to-one", "missing", "over-segmentation", "under-segmentation", "many-to-many", "background")
TOOL_AP = ["ap_50_95", "ap_50", "ap_75", "ap_90"]


@pytest.mark.parametrize("number", range(49))
def test_timise(number):
    with h5py.File(need(PARITY / "timise.h5")) as file:
        case = file[f"case_{number:03d}"]
        lengths = dict(zip(case["gt_label"][:].tolist(), case["gt_cable_length"][:].tolist(), strict=True))
        rule = replace(RULES["mitoem-2023"], size_thresholds=file.attrs["category_thresholds"], iou_precision="float16")
        volume = evaluate_pair(case["pred"], case["gt"], rule=rule, cable_lengths=lengths).volumes[0]
        columns = case["matching"].attrs["columns"].tolist()
        expected = pd.DataFrame(case["matching"][:], columns=columns)
        rows = list(zip(case["matching"].attrs["category"], case["matching"].attrs["thresh"], strict=True))
        groups = case["associations"][:]
        printed = case["ap"][:]
    matching = volume.matching
    assert list(zip(matching["category"], matching["thresh"], strict=True)) == rows
    counts = ["fp", "tp", "fn", "n_true", "n_pred"]
    assert (matching[counts].to_numpy() == expected[counts].to_numpy()).all()
    assert np.abs(matching[columns].to_numpy(float) - expected.to_numpy()).max() < 1e-12
    assert (volume.associations[list(TOOL_TYPES)].to_numpy() == groups).all()
    values = [volume.metrics[name]["all"] for name in TOOL_AP]
    values += [volume.metrics["ap_75"][bucket] for bucket in BUCKETS]
    assert [-1 if value is None else round(value, 3) for value in values] == printed.tolist()


@pytest.mark.parametrize("number", range(80))
def test_map3d(number):
    with h5py.File(need(PARITY / "map3d.h5")) as file:
        case = file[f"case_{number:03d}"]
        table = overlap_pass(open_labels(case["gt"]), open_labels(case["pred"]))
        scores = {int(label): value for label, value in case["scores"][:]} if "scores" in case else None
        rule = replace(DEFAULT, size_thresholds=case.attrs["size_thresholds"])
        expected = case["ap"][:]
    result = average_precision(match(table, rule, scores=scores))
    twin = testing.average_precision(counts_of_table(table), rule, scores=scores)
    for k, t in enumerate(rule.iou_thresholds):
        for column, bucket in enumerate(ALL_BUCKETS):
            printed = expected[k, column]
            value = None if printed == -1 else pytest.approx(printed, abs=1e-12, rel=0)
            assert result[metric_name("ap", t)][bucket] == value, (t, bucket)
            assert twin[metric_name("ap", t)][bucket] == value, (t, bucket)


@pytest.mark.parametrize(
    ("thresholds", "ap_75"),
    [
        ((5000, 15000), (0.76912864, 0.0, 0.1039604, 0.91969197)),
        ((5000, 30000), (0.76912864, 0.0, 0.08415842, 0.95892923)),
    ],
)
def test_lucchi_pair(thresholds, ap_75):
    gt, pred = (need(DATA / "lucchi_pair" / f"lucchi_{name}.h5") for name in ("gt_test", "pred_UNet_label_test"))
    volume = evaluate_pair(pred, gt, rule=replace(DEFAULT, size_thresholds=thresholds)).volumes[0]
    assert (volume.gt.instances, volume.pred.instances) == (35, 40)
    result = volume.metrics
    assert tuple(result["ap_75"].values()) == pytest.approx(ap_75, abs=5e-9)
    assert result["ap_50"]["all"] == pytest.approx(0.84231271, abs=5e-9)
    assert result["ap_50_95"]["all"] == pytest.approx(0.62823626, abs=5e-9)


def test_epfl_testing_aniso():
    path = need(DATA / "epfl" / "testing_aniso10x10x30nm.h5")
    result = evaluate_pair(f"{path}::pred_unet", f"{path}::label").volumes[0].metrics
    assert tuple(result["ap_75"].values()) == pytest.approx((0.81501945, 0.46534653, 1.0, 1.0), abs=5e-9)
    assert result["ap_50"]["all"] == pytest.approx(0.81501945, abs=5e-9)
