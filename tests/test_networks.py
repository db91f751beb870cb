"""The networks of the baselines: outputs of published weights, shapes, and what makes no network."""

import os
from pathlib import Path

import h5py
import pytest
import torch

from baselines.networks import NETWORKS, build_network, name_of
from mitobench.errors import InvalidInputError, UnknownNameError

PARITY = Path(os.environ.get("MITOBENCH_PARITY", Path(__file__).parent.parent.parent / "shared" / "parity"))


def published(name):
    """Return weights, input and output of a public network."""
    path = PARITY / f"net_{name}.h5"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    weights = {}

    def keep(key, item):
        if isinstance(item, h5py.Dataset):
            weights[key] = torch.as_tensor(item[()])

    with h5py.File(path) as file:
        file["state_dict"].visititems(keep)
        return weights, torch.from_numpy(file["input"][()]), torch.from_numpy(file["output"][()])


@pytest.mark.parametrize(
    ("parity", "name", "after"),
    [("b3dd590", "unet-residual-3d", torch.sigmoid), ("e7383b8", "unet-se-3d", torch.clone)],
)
def test_published_weights_give_the_published_output(parity, name, after):
    from baselines.checkpoint import load_weights

    weights, image, expected = published(parity)
    network = build_network(name).eval()
    load_weights(network, weights)
    with torch.no_grad():
        assert torch.allclose(after(network(image)), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "shape"), [("unet-residual-3d", (3, 32, 48)), ("unet-se-3d", (5, 33, 49)), ("unet-2d", (3, 32, 48))]
)
def test_logits_have_the_shape_of_the_image_and_every_weight_learns(name, shape):
    network = build_network(name, {"in_channels": 2})
    assert network.config.fits(shape)
    logits = network(torch.rand(2, 2, *shape))
    assert logits.shape == (2, network.config.out_channels, *shape)
    logits.square().sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())


@pytest.mark.parametrize(
    ("name", "shape"), [("unet-residual-3d", (3, 33, 48)), ("unet-se-3d", (4, 33, 49)), ("unet-2d", (3, 32, 40))]
)
def test_shapes_that_do_not_fit(name, shape):
    assert not build_network(name).config.fits(shape)


def test_sections_of_the_2d_network_do_not_see_each_other():
    network = build_network("unet-2d").eval()
    image = torch.rand(1, 1, 3, 32, 32)
    other = image.clone()
    other[:, :, 1] = 0
    with torch.no_grad():
        a, b = network(image), network(other)
    assert torch.equal(a[:, :, 0], b[:, :, 0])
    assert torch.equal(a[:, :, 2], b[:, :, 2])
    assert not torch.allclose(a[:, :, 1], b[:, :, 1])


def test_the_residual_network_sees_29_sections():
    network = build_network("unet-residual-3d").eval()
    image = torch.zeros(1, 1, 41, 16, 16, requires_grad=True)
    network(image)[0, 0, 20].sum().backward()
    seen = torch.nonzero(image.grad[0, 0].abs().sum(dim=(1, 2)))[:, 0]
    assert (seen.min().item(), seen.max().item()) == (6, 34)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_knows_its_name(name):
    assert name_of(build_network(name)) == name


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        (
            "unet-2d",
            {"filter": (1, 2)},
            "the network unet-2d has no field 'filter', did you mean 'filters'?; allowed: ",
        ),
        ("unet-2d", {"filters": (4,)}, "filters of a network are (4,); allowed: at least two levels"),
        (
            "unet-2d",
            {"filters": (4, 8)},
            "dropout of a network are (0.1, 0.1, 0.2, 0.2, 0.3); expected one for each of 2 levels",
        ),
        ("unet-se-3d", {"filters": (4, -8, 8, 8, 8)}, "filters[1] of a network is -8; allowed: whole numbers from 1"),
        ("unet-residual-3d", {"out_channels": 0}, "out_channels of a network is 0; allowed: whole numbers from 1"),
    ],
)
def test_what_makes_no_network(name, config, message):
    with pytest.raises(InvalidInputError) as raised:
        build_network(name, config)
    assert str(raised.value).startswith(message)


def test_an_unknown_network():
    with pytest.raises(UnknownNameError) as raised:
        build_network("unet2d")
    message = "unknown network 'unet2d', did you mean 'unet-2d'?; allowed: unet-residual-3d, unet-se-3d, unet-2d"
    assert str(raised.value) == message
