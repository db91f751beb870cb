"""Losses: the formulas, their limits, and what is left out where nothing is known."""

import numpy as np
import pytest
import torch

from baselines.losses import ChannelLoss, balance_weights, dice_loss, weighted_bce
from mitobench.errors import InvalidInputError


def crops(*shares, size=1000):
    """Return targets with these shares of foreground, (b, 10, 10, 10)."""
    target = torch.zeros(len(shares), size)
    for row, share in zip(target, shares, strict=True):
        row[: round(share * size)] = 1
    return target.reshape(len(shares), 10, 10, 10)


@pytest.mark.parametrize(
    ("share", "foreground", "background"),
    [(0.1, 9, 1), (0.5, 1, 1), (0.8, 1, 4), (0.01, 19, 1), (0.995, 1, 99)],
)
def test_foreground_and_background_weigh_the_same(share, foreground, background):
    target = crops(share)
    weights = balance_weights(target)
    assert weights[target == 1].unique().tolist() == pytest.approx([foreground], rel=1e-4)
    assert weights[target == 0].unique().tolist() == pytest.approx([background], rel=1e-4)


def test_each_crop_is_balanced_by_itself():
    both = balance_weights(crops(0.1, 0.8))
    assert torch.equal(both, torch.cat([balance_weights(crops(0.1)), balance_weights(crops(0.8))]))


@pytest.mark.parametrize(("empty", "value"), [("ones", 1), ("zeros", 0)])
def test_crops_of_one_value(empty, value):
    assert balance_weights(crops(0, 1), empty=empty).unique().tolist() == [value]


def test_the_limits_of_the_first_code():
    assert balance_weights(crops(0.001), lowest=0.01).max().item() == pytest.approx(99, rel=1e-4)


def test_cross_entropy_is_averaged_over_all_voxels():
    rng = np.random.default_rng(0)
    logits, target = rng.normal(size=(2, 3, 4, 5)), rng.integers(0, 2, (2, 3, 4, 5))
    weights = rng.random((2, 3, 4, 5))
    p = 1 / (1 + np.exp(-logits))
    expected = -(weights * np.where(target == 1, np.log(p), np.log(1 - p))).mean()
    values = (torch.from_numpy(np.asarray(a, np.float64)) for a in (logits, target, weights))
    assert weighted_bce(*values).item() == pytest.approx(expected)


def test_dice_is_that_of_each_crop_averaged():
    p, t = torch.rand(2, 3, 4, 5), crops(0.3, 0.6)[:, :3, :4, :5]
    expected = [1 - (2 * (a * b).sum() + 100) / (a.sum() + b.sum() + 100) for a, b in zip(p, t, strict=True)]
    assert dice_loss(p, t).item() == pytest.approx(sum(e.item() for e in expected) / 2)


def test_a_loss_is_the_sum_of_its_terms():
    logits, target = torch.randn(2, 10, 10, 10), crops(0.1, 0.4)
    bce = weighted_bce(logits, target, balance_weights(target))
    expected = 2 * bce + 0.5 * dice_loss(torch.sigmoid(logits), target)
    assert ChannelLoss(bce=2, dice=0.5)(logits, target).item() == pytest.approx(expected.item())


def test_what_is_not_annotated_teaches_nothing():
    logits = torch.randn(1, 10, 10, 10, requires_grad=True)
    valid = torch.zeros(1, 10, 10, 10)
    valid[:, :5] = 1
    ChannelLoss(dice=1.0)(logits, crops(0.3), valid).backward()
    assert not logits.grad[:, 5:].any()
    assert logits.grad[:, :5].any()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"bce": 0}, "the weights of a loss are bce 0 and dice 0.0; allowed: from 0, one of them above"),
        ({"dice": -1}, "the weights of a loss are bce 1.0 and dice -1; allowed: from 0, one of them above"),
        (
            {"lowest": 0.6},
            "lowest and highest of a loss are 0.6 and 0.99; allowed: 0 < lowest <= 0.5 and 0.5 <= highest < 1",
        ),
        ({"empty": "one"}, "empty of a loss is 'one'; allowed: ones, zeros"),
    ],
)
def test_losses_that_make_no_sense(fields, message):
    with pytest.raises(InvalidInputError) as raised:
        ChannelLoss(**fields)
    assert str(raised.value) == message
