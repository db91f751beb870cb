"""Checkpoints: what was saved comes back, and files of strangers run nothing."""

import os
import pickle

import numpy as np
import pytest
import torch

from baselines.checkpoint import load_network, load_notes, save_network
from baselines.networks import build_network
from mitobench.errors import InvalidInputError, MitobenchError, UnusableFileError

SMALL = {"filters": (2, 3, 4), "out_channels": 1}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build_network("unet-residual-3d", SMALL).eval()


def output(network):
    with torch.no_grad():
        return network(torch.linspace(0, 1, 3 * 8 * 8).reshape(1, 1, 3, 8, 8))


def test_what_is_kept_beside_the_network(network, tmp_path):
    save_network(network, tmp_path / "n.ckpt", step=7, score=0.5)
    assert load_notes(tmp_path / "n.ckpt") == {"step": 7, "score": 0.5}
    torch.save({"state_dict": network.state_dict()}, tmp_path / "theirs.ckpt")
    with pytest.raises(UnusableFileError) as caught:
        load_notes(tmp_path / "theirs.ckpt")
    assert str(caught.value) == (
        f"{tmp_path / 'theirs.ckpt'}: no checkpoint of mitobench; expected one of `mitobench baseline train`"
    )


def test_a_checkpoint_knows_its_network(network, tmp_path):
    save_network(network, tmp_path / "n.ckpt", step=7)
    again = load_network(tmp_path / "n.ckpt")
    assert again.config == network.config
    assert torch.equal(output(again), output(network))
    assert not again.training


@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: {"state_dict": s}, lambda s: {"state_dict": s, "iteration": 3}]
)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_published_forms(network, wrap, prefix, tmp_path):
    weights = {prefix + key: value for key, value in network.state_dict().items()}
    weights[f"{prefix}downE.2.projector.0.weight"] = torch.zeros(2, 2, 1, 1, 1)
    torch.save(wrap(weights), tmp_path / "p.pth.tar")
    again = load_network(tmp_path / "p.pth.tar", name="unet-residual-3d", config=SMALL)
    assert torch.equal(output(again), output(network))


class Exploit:
    def __reduce__(self):
        return os.mkdir, ("taken",)


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_nothing_in_a_checkpoint_is_run(save, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save({"state_dict": {"a": Exploit()}}, tmp_path / "evil.pth")
    with pytest.raises(UnusableFileError) as raised:
        load_network(tmp_path / "evil.pth", name="unet-2d")
    assert "not a checkpoint, or one that holds more than weights and is not opened" in str(raised.value)
    assert not (tmp_path / "taken").exists()


def edited(network, path, edit):
    weights = dict(network.state_dict())
    edit(weights)
    torch.save(weights, path)
    return path


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda w: w.pop("upE.2.1.bias"), "holds no upE.2.1.bias for the network unet-residual-3d"),
        (
            lambda w: w.update({"upE.2.1.bias": torch.zeros(3)}),
            "upE.2.1.bias is (3,), the network unet-residual-3d has (1",
        ),
        (lambda w: w.update({"upE.2.1.bias": 3}), "upE.2.1.bias is int, the network unet-residual-3d has (1,)"),
        (
            lambda w: w.update({"head.bias": torch.zeros(3)}),
            "holds head.bias, which the network unet-residual-3d has not",
        ),
    ],
)
def test_a_checkpoint_of_another_network(network, edit, message, tmp_path):
    path = edited(network, tmp_path / "x.pth", edit)
    with pytest.raises(InvalidInputError) as raised:
        load_network(path, name="unet-residual-3d", config=SMALL)
    assert str(raised.value).startswith(f"{path}: {message}")


def test_a_file_that_does_not_say_its_network(network, tmp_path):
    path = edited(network, tmp_path / "x.pth", lambda w: None)
    with pytest.raises(InvalidInputError) as raised:
        load_network(path)
    assert str(raised.value) == (
        f"{path}: does not say what network it is of; name one of unet-residual-3d, unet-se-3d, unet-2d"
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"mitobench_checkpoint": 99, "network": "unet-2d", "config": {}},
            "a checkpoint of version 99, this mitobench",
        ),
        ({"mitobench_checkpoint": 1, "network": 3, "config": {}}, "a damaged checkpoint"),
        ({"mitobench_checkpoint": 1, "network": "unet-2d", "config": {"filters": "x"}}, "filters of a network are 'x'"),
        ([1, 2], "holds no weights by name"),
        ({"state_dict": 3}, "holds no weights by name"),
        ({3: torch.zeros(1)}, "holds no weights by name"),
    ],
)
def test_values_that_are_no_checkpoint(values, message, tmp_path):
    torch.save(values, tmp_path / "x.ckpt")
    with pytest.raises(MitobenchError) as raised:
        load_network(tmp_path / "x.ckpt", name="unet-2d")
    assert message in str(raised.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(UnusableFileError, match="cannot be read"):
        load_network(tmp_path / "none.ckpt")


def test_damaged_files_are_refused(network, tmp_path):
    save_network(network, tmp_path / "n.ckpt")
    whole = (tmp_path / "n.ckpt").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(whole[: rng.integers(1, len(whole))] if rng.random() < 0.5 else whole)
        for place in rng.integers(0, len(damaged), rng.integers(1, 20)):
            damaged[place] = rng.integers(256)
        (tmp_path / "d.ckpt").write_bytes(damaged)
        try:
            load_network(tmp_path / "d.ckpt")
        except MitobenchError:
            continue
