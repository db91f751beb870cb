"""Synthetic tissue: an image, a ground truth and a prediction that agree with each other."""

import tracemalloc

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mitobench.cli import main
from mitobench.errors import InvalidInputError
from mitobench.evaluate import evaluate_pair
from mitobench.phantom import Artefacts, Quality, plan_tissue, write_tissue
from mitobench.phantom import _kernels as kernels
from mitobench.phantom._imaging import draw_sections
from mitobench.phantom._processes import AXON, draw_processes

SHAPE = (24, 160, 200)
DENSE = {"instances_per_gigavoxel": 2e4, "foreground": 0.12}
PERFECT = Quality(missed=0, false=0, split=0, merged=0, jitter_scale=0, jitter_shift=0)
EVERYTHING = ("image", "gt", "pred")
NEXT_TO = np.ones((3, 3, 3))


def quality(**rates):
    return Quality(**{**PERFECT.__dict__, **rates})


def whole(plan):
    return tuple(getattr(plan, name)(0, plan.shape[0]) for name in EVERYTHING)


def ids(labels):
    return set(np.unique(labels).tolist()) - {0}


@pytest.fixture(scope="module")
def plan():
    return plan_tissue(SHAPE, seed=3, **DENSE)


@pytest.fixture(scope="module")
def volumes(plan):
    return whole(plan)


@pytest.fixture(scope="module")
def calm():
    """A larger volume without artefacts and errors: image and ground truth."""
    plan = plan_tissue((50, 320, 320), seed=5, quality=PERFECT, artefacts=Artefacts.none(), instances_per_gigavoxel=6e3)
    return plan, plan.image(0, 50), plan.gt(0, 50)


@settings(max_examples=8)
@given(z0=st.integers(0, SHAPE[0] - 1), depth=st.integers(1, SHAPE[0]))
def test_voxels_do_not_depend_on_the_slabs(plan, volumes, z0, depth):
    for name, expected in zip(EVERYTHING, volumes, strict=True):
        slab = getattr(plan, name)(z0, z0 + depth)
        assert np.array_equal(slab, expected[z0 : z0 + depth])


def test_seed_decides(volumes):
    again, other = (whole(plan_tissue(SHAPE, seed=seed, **DENSE)) for seed in (3, 4))
    assert all(np.array_equal(*pair) for pair in zip(volumes, again, strict=True))
    assert not any(np.array_equal(*pair) for pair in zip(volumes, other, strict=True))


def test_quality_and_artefacts_leave_the_rest_as_it_is(plan, volumes):
    sections = plan.sections
    others = whole(plan_tissue(SHAPE, seed=3, quality=PERFECT, **DENSE))
    assert np.array_equal(others[0], volumes[0])
    assert np.array_equal(others[1], volumes[1])
    assert np.array_equal(draw_sections(np.random.default_rng(3).spawn(4)[3], 24, Artefacts()).shift, sections.shift)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 17, 5), (1, 300, 9), (70, 3, 40), (2, 257, 33)])
def test_any_shape(shape):
    plan = plan_tissue(shape, seed=1)
    image, gt, pred = whole(plan)
    assert image.shape == gt.shape == pred.shape == shape
    assert (image.dtype, gt.dtype, pred.dtype) == (np.uint8, np.uint16, np.uint16)


def test_the_candidates_of_a_square_hold_the_nearest_body(plan, volumes):
    """The slow twin of painting: every body is asked about every voxel."""
    z = int(np.count_nonzero(volumes[1], axis=(1, 2)).argmax())
    (dy, dx), corner, warped = plan.sections.shift[z], np.empty((5, 5)), np.empty((*SHAPE[1:], 5))
    for y, x in np.ndindex(*SHAPE[1:]):
        kernels.corners(plan.seed, (30.0 * z, 8 * dy, 8 * dx), y // 8 * 8, x // 8 * 8, corner)
        kernels.between(corner, y % 8 / 8, x % 8 / 8, warped[y, x])
    at = warped[..., :3]
    best, label = np.zeros(SHAPE[1:]), np.zeros(SHAPE[1:], int)
    for row in plan.bodies.astype(float):
        body = int(row[kernels.OWNER])
        away = at - row[:3]
        t = np.clip((away @ row[3:6]) * row[6], 0, 1)
        gap = np.linalg.norm(away - t[..., None] * row[3:6], axis=-1) - (row[7] + t * row[8])
        nearer = (gap < best) & (plan.gt_labels.before[body] > 0)
        best, label = np.where(nearer, gap, best), np.where(nearer, plan.gt_labels.before[body], label)
    assert label.any()
    assert np.array_equal(label, volumes[1][z])


def test_mitochondria_are_darker_than_their_surroundings_but_not_by_a_threshold(calm):
    _, image, gt = calm
    inside, outside = image[gt > 0].astype(float), image[gt == 0].astype(float)
    assert inside.mean() < outside.mean() - 25
    dark = image < np.percentile(inside, 60)
    assert np.mean(gt[dark] > 0) < 0.5, "most of what is as dark is something else"


def test_every_mitochondrion_is_in_one_piece(calm):
    plan, _, gt = calm
    boxes = ndimage.find_objects(gt)
    pieces = {label: ndimage.label(gt[box] == label, NEXT_TO)[1] for label, box in enumerate(boxes, 1) if box}
    inside = [
        label
        for label, box in enumerate(boxes, 1)
        if box and all(s.start > 0 and s.stop < n for s, n in zip(box, gt.shape, strict=True))
    ]
    assert len(pieces) >= 0.9 * plan.mitochondria
    assert inside
    assert all(pieces[label] == 1 for label in inside)
    # The border cuts the others, into two where they are bent.
    assert np.mean([count == 1 for count in pieces.values()]) > 0.9


def test_sizes_are_spread_over_the_buckets():
    gt = plan_tissue((100, 640, 640), seed=2, artefacts=Artefacts.none()).gt(0, 100)
    sizes = np.bincount(gt.ravel())[1:]
    small, medium, large = np.histogram(sizes[sizes > 0], [0, 5000, 15000, np.inf])[0]
    assert small >= 1
    assert medium >= 1
    assert large >= 5
    assert 0.015 < np.mean(gt > 0) < 0.12


def test_some_mitochondria_touch():
    touching = 0
    for seed in range(3):
        gt = plan_tissue((30, 256, 256), seed=seed, artefacts=Artefacts.none(), instances_per_gigavoxel=2e4).gt(0, 30)
        meet = (gt[:, :, 1:] != gt[:, :, :-1]) & (gt[:, :, 1:] > 0) & (gt[:, :, :-1] > 0)
        pairs = np.sort(np.stack([gt[:, :, 1:][meet], gt[:, :, :-1][meet]]), axis=0)
        touching += len(np.unique(pairs, axis=1).T)
    assert touching >= 2


def test_mitochondria_stay_in_their_process(calm):
    plan, _, _ = calm
    tubes, bodies = plan.tubes.astype(float), plan.bodies[plan.bodies[:, kernels.KIND] == 0].astype(float)
    inside = ((bodies[:, :3] > 0) & (bodies[:, :3] < np.array(plan.shape) * (30, 8, 8))).all(axis=1)
    for row in bodies[inside]:
        away = row[:3] - tubes[:, :3]
        t = np.clip((away * tubes[:, 3:6]).sum(axis=1) * tubes[:, 6], 0, 1)
        gap = np.linalg.norm(away - t[:, None] * tubes[:, 3:6], axis=1) - (tubes[:, 7] + t * tubes[:, 8])
        home = tubes[gap.argmin(), kernels.OWNER]
        other = gap[tubes[:, kernels.OWNER] != home].min()
        assert (other - gap.min()) / 2 > row[7] - 25


def test_distractors_have_no_label(calm):
    plan, _, _ = calm
    centre = plan.bodies[plan.bodies[:, kernels.KIND] == 1][:, :3]
    assert len(centre) > 5
    assert (
        plan.gt_labels.before[plan.bodies[plan.bodies[:, kernels.KIND] > 0][:, kernels.OWNER].astype(int)] == 0
    ).all()


def test_perfect_prediction_differs_by_ids_only(calm):
    plan, _, gt = calm
    pred = plan.pred(0, 50)
    assert np.array_equal(gt > 0, pred > 0)
    pairs = np.unique(np.stack([gt[gt > 0], pred[gt > 0]]), axis=1)
    assert pairs.shape[1] == len(ids(gt)) == len(ids(pred))


def predicted(**rates):
    plan = plan_tissue((30, 256, 256), seed=1, quality=quality(**rates), instances_per_gigavoxel=1e4)
    return plan.gt(0, 30), plan.pred(0, 30)


def test_missed():
    assert not predicted(missed=1)[1].any()


def test_split_makes_two_of_one():
    gt, pred = predicted(split=1)
    assert np.array_equal(gt > 0, pred > 0)
    assert len(ids(pred)) > 1.3 * len(ids(gt))


def test_merged_shares_an_id():
    gt, pred = predicted(merged=1)
    assert np.array_equal(gt > 0, pred > 0)
    assert len(ids(pred)) <= 0.6 * len(ids(gt))


def test_false_ones_are_at_distractors():
    gt, pred = predicted(false=1)
    invented = ids(np.where(gt == 0, pred, 0)) - ids(np.where(gt > 0, pred, 0))
    assert len(invented) >= 0.3 * len(ids(gt))


def test_jitter_moves_boundaries_a_little():
    gt, pred = predicted(jitter_shift=0.2, jitter_scale=0.1)
    assert 0.5 < np.mean((gt > 0)[(gt > 0) | (pred > 0)] & (pred > 0)[(gt > 0) | (pred > 0)]) < 0.95


def test_artefacts_come_at_their_rates():
    rates = {"missing": 0.1, "repeated": 0.2, "contrast": 0.1, "misaligned": 0.3, "scratched": 0.4}
    sections = draw_sections(np.random.default_rng(0), 4000, Artefacts(**rates))
    assert sections.missing.mean() == pytest.approx(0.1, abs=0.02)
    assert np.mean(sections.source < np.arange(4000)) == pytest.approx(0.2, abs=0.02)
    assert np.mean(np.abs(sections.look[:, 1]) > 15) == pytest.approx(0.1, abs=0.02)
    assert np.mean(np.abs(np.diff(sections.shift[:, 0])) > 3) == pytest.approx(2 * 0.3 * 0.7, abs=0.15)
    assert np.mean(sections.look[:, 8] > 0) == pytest.approx(0.4, abs=0.03)
    assert not sections.missing[0]


def test_missing_and_repeated_sections_keep_their_labels():
    clean = plan_tissue(SHAPE, seed=3, artefacts=Artefacts.none(), **DENSE)
    black = plan_tissue(SHAPE, seed=3, artefacts=Artefacts(**{**Artefacts.none().__dict__, "missing": 1}), **DENSE)
    twice = plan_tissue(SHAPE, seed=3, artefacts=Artefacts(**{**Artefacts.none().__dict__, "repeated": 1}), **DENSE)
    assert black.image(0, 1).any()
    assert not black.image(1, 3).any()
    assert np.array_equal(black.gt(0, 24), clean.gt(0, 24))
    assert np.abs(twice.image(5, 6).astype(int) - clean.image(4, 5)).mean() < 25
    assert np.array_equal(twice.gt(0, 24), clean.gt(0, 24))


def test_labels_move_with_a_misaligned_section():
    still = plan_tissue(SHAPE, seed=3, artefacts=Artefacts.none(), **DENSE)
    moved = plan_tissue(SHAPE, seed=3, artefacts=Artefacts(**{**Artefacts.none().__dict__, "misaligned": 1}), **DENSE)
    before, after = still.gt(12, 13)[0] > 0, moved.gt(12, 13)[0] > 0
    dy, dx = np.rint(moved.sections.shift[12]).astype(int)
    back = np.roll(after, (dy, dx), (0, 1))[14:-14, 14:-14]
    assert np.mean(back == before[14:-14, 14:-14]) > np.mean(after == before) + 0.02


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"missing": 1.5}, "missing is 1.5, allowed is 0 to 1; give a number in that range"),
        ({"jitter": -1}, "jitter is -1, allowed is 0 to 4; give a number in that range"),
    ],
)
def test_artefacts_refuse(options, message):
    with pytest.raises(InvalidInputError) as error:
        Artefacts(**options)
    assert str(error.value) == message


@pytest.mark.parametrize("seed", range(6))
def test_no_seed_warns(seed):
    whole(plan_tissue((4, 40, 40), seed=seed, instances_per_gigavoxel=1e6, quality=Quality(split=0.5, false=0.5)))


def test_processes_fill_the_box_and_its_surroundings():
    size = np.array([900.0, 2000.0, 2000.0])
    processes = draw_processes(np.random.default_rng(1), size)
    inside = ((processes.point > 0) & (processes.point < size)).all(axis=1)
    assert inside.sum() > 100
    assert set(processes.kind) >= {AXON}
    assert (np.diff(processes.owner) >= 0).all()
    assert processes.starts()[-1] == len(processes.point)


def test_a_section_needs_little_memory_beside_itself():
    plan = plan_tissue((2, 3000, 300), seed=1)
    plan.image(0, 1)
    tracemalloc.start()
    image = plan.image(1, 2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < image.nbytes + 1_000_000


@pytest.mark.parametrize("chunks", [None, (3, 64, 64)])
def test_files_hold_the_volumes(tmp_path, plan, volumes, chunks):
    paths = [tmp_path / f"{name}.h5" for name in EVERYTHING]
    done = []
    write_tissue(*paths, shape=SHAPE, chunks=chunks, progress=lambda *now: done.append(now), seed=3, **DENSE)
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert done[-1] == (3 * np.prod(SHAPE),) * 2
    for path, expected in zip(paths, volumes, strict=True):
        with h5py.File(path) as file:
            assert file["main"].compression == "gzip"
            assert file["main"].chunks == (chunks or (8, 160, 200))
            assert file["main"].dtype == expected.dtype
            assert np.array_equal(file["main"][()], expected)


def test_one_file_for_two_is_refused(tmp_path):
    with pytest.raises(InvalidInputError) as error:
        write_tissue(tmp_path / "a.h5", tmp_path / "b.h5", tmp_path / "a.h5", shape=SHAPE)
    assert str(error.value) == f"image_path and pred_path are both {tmp_path / 'a.h5'}; name three files"


def test_big_endian_labels():
    plan = plan_tissue((2, 20, 20), dtype=">u4")
    assert plan.gt(0, 2).dtype == ">u4"


def test_command_writes_three_files(tmp_path, capsys):
    folder = tmp_path / "volume"
    arguments = ["--shape", "24,160,200", "--seed", "3", "--density", "2e4", "--foreground", "0.12"]
    nothing = ["--missed", "1", "--split", "0", "--merged", "0", "--false", "0"]
    assert main(["phantom", "make", str(folder), *arguments, "--no-artefacts", *nothing]) == 0
    names = [folder / name for name in ("im.h5", "gt.h5", "pred.h5")]
    assert capsys.readouterr() == ("".join(f"{name}\n" for name in names), "")
    expected = plan_tissue(SHAPE, seed=3, artefacts=Artefacts.none(), **DENSE)
    for name, volume in zip(names[:2], (expected.image, expected.gt), strict=True):
        with h5py.File(name) as file:
            assert np.array_equal(file["main"][()], volume(0, 24))
    with h5py.File(names[2]) as file:
        assert not file["main"][()].any()


def test_command_refuses_a_rate(tmp_path, capsys):
    assert main(["phantom", "make", str(tmp_path / "v"), "--shape", "4,4,4", "--split", "2"]) == 2
    assert capsys.readouterr().err == (
        "mitobench: error: split is 2.0, allowed is 0 to 1; give a number in that range\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_command_shifts_the_prediction(tmp_path):
    scores = []
    for shift in ("0", "0.6"):
        arguments = ["--shape", "24,160,200", "--seed", "3", "--density", "2e4", "--no-artefacts", "--shifted", shift]
        arguments += ["--missed", "0", "--split", "0", "--merged", "0", "--false", "0"]
        folder = tmp_path / shift
        assert main(["phantom", "make", str(folder), *arguments]) == 0
        scores.append(evaluate_pair(folder / "pred.h5", folder / "gt.h5").volumes[0].metrics["sq_50"]["all"])
    assert scores[0] - scores[1] > 0.1
