"""The command that converts: what it makes and prints, and how it refuses bad input."""

import h5py
import numpy as np
import pytest
from conversions import image, make_sections, stored, voxels

from mitobench.cli import main
from mitobench.dataset.conversion import checksum
from mitobench.dataset.conversion._store import ZarrFolder


def run(capsys, *arguments):
    """Return exit status, standard output and standard error."""
    try:
        code = main([str(argument) for argument in ("dataset", "convert", *arguments)])
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_sections(tmp_path / "im", voxels((12, 40, 30)))
    return tmp_path


def test_the_command_converts_and_prints_the_checksum(folder, capsys):
    code, out, err = run(capsys, "im", "im.zarr", "--sections", "4:10", "--chunks", "2,16,16", "--levels", "2")
    expected = checksum(image(voxels((12, 40, 30))[4:10]))
    assert (code, out, err) == (0, f"{expected} im.zarr\n", "")
    assert np.array_equal(stored(folder / "im.zarr"), voxels((12, 40, 30))[4:10])
    options = ("--compression", "gzip", "--level", "2", "--voxel-size", "30,4,4", "--dataset", "d", "--dtype", "uint16")
    code, out, _ = run(capsys, "im.zarr::0", "im.h5", "--labels", *options, "--no-verify", "--workers", "1")
    assert code == 0
    with h5py.File("im.h5") as file:
        assert file["d"].dtype == np.uint16
        assert (file["d"].compression_opts, file["d"].attrs["voxel_size_nm"].tolist()) == (2, [30, 4, 4])
    assert run(capsys, "im", "im.h5", "--restart")[0] == 0


REFUSED = {
    "im im.txt": "im.txt: the suffix '.txt' tells no format; name the target *.h5 or *.zarr",
    "nowhere a.h5": "nowhere: does not exist; expected HDF5, Zarr, TIFF, .npy, .npz or a folder of PNG or TIFF "
    "sections; check the path",
    "im no/a.h5": "cannot write no/a.h5: the folder no does not exist; create it first",
    "im a.h5 --chunks 0,8,8": "chunks is (0, 8, 8), expected three whole numbers of at least 1 (z, y, x)",
    "im a.h5 --chunks 8,8": "argument --chunks: '8,8' is not 3 whole numbers; expected such as 16,256,256",
    "im a.h5 --compression zstd": "compression is 'zstd'; HDF5 can have 'gzip', 'lzf', 'none'; HDF5 reads zstd with a "
    "plug-in only; choose one of them",
    "im a.zarr --compression lzf": "compression is 'lzf'; Zarr can have 'zstd', 'gzip', 'none'; choose one of them",
    "im a.zarr --level 30": "level is 30, allowed for zstd is 1 to 19; give another or none",
    "im a.h5 --levels 2": "levels of a pyramid are for Zarr; name the target *.zarr or leave levels at 1",
    "im a.zarr --levels 0": "levels is 0, allowed is 1 to 10; 1 is full resolution alone",
    "im a.h5 --voxel-size 30,8,0": "voxel_size is (30.0, 8.0, 0.0), expected three positive numbers in nm (z, y, x), "
    "such as 30, 8, 8",
    "im a.h5 --dtype smallest": "dtype 'smallest' is for labels; keep the type of an image or name one",
    "im a.h5 --dtype uint7": "dtype 'uint7' is no type; name one such as uint16",
    "im a.h5 --dtype float32": "im: voxels of type uint8 to float32; only integers become other integers; keep the "
    "type, or convert the voxels yourself",
    "im a.h5 --dataset /": "dataset is '/', which cannot be named; choose a name such as 'main'",
    "im a.h5 --sections 5:20": "im: sections 5:20 were asked for, allowed is 0:12 and parts of it; give the first "
    "section and the one after the last",
    "im a.h5 --sections 5": "argument --sections: '5' is no range of sections; expected such as 400:500",
    "im a.h5 --workers 0": "workers and memory must be at least 1, got workers=0 and memory=1000000000",
    "im a.h5 --rgb": "--rgb decodes the colours of labels; add --labels",
}


@pytest.mark.parametrize("arguments", REFUSED)
def test_the_command_refuses_in_one_line_and_leaves_nothing(folder, capsys, arguments):
    code, out, err = run(capsys, *arguments.split())
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == f"mitobench: error: {REFUSED[arguments]}"
    assert [entry.name for entry in folder.iterdir()] == ["im"]


def test_channels_are_refused(folder, capsys):
    np.save("c.npy", np.zeros((2, 3, 4, 5), "u1"))
    assert run(capsys, "c.npy", "c.h5") == (
        2,
        "",
        "mitobench: error: c.npy: 2 channels; expected one volume (z, y, x); save one channel by itself\n",
    )


def test_ctrl_c_says_how_to_go_on(folder, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ZarrFolder, "finish", interrupt)
        assert run(capsys, "im", "im.zarr") == (
            130,
            "",
            "mitobench: interrupted; what is done is kept in im.zarr.partial, and the same command goes on with it\n",
        )
    assert run(capsys, "im", "im.zarr")[0] == 0
