"""Methods by name: any package that is installed may bring one, and what is wrong with it is said in one line."""

import h5py
import installed_methods
import numpy as np
import pytest
from installed_methods import DOCUMENTED

from mitobench.errors import InvalidInputError, MissingExtraError, UnknownNameError
from mitobench.methods import Description, list_methods, load_method

LEAST = """
class Made:
    def describe(self): ...
    def fit(self, volumes, folder, **more): ...
    def predict(self, image, path, folder, **more): ...
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return what puts a package with one method on the path."""
    return lambda name, value, code=LEAST, **more: installed_methods.install(
        monkeypatch, tmp_path, name, value, code, **more
    )


def refused(name, error=InvalidInputError, **options):
    with pytest.raises(error) as caught:
        load_method(name, **options)
    return str(caught.value)


def test_the_baselines_are_methods():
    assert {"u2d-b+cc", "u3d-bc+mw"} <= set(list_methods())


def test_the_method_of_the_docs_is_found_by_its_name(install, tmp_path):
    install("dark-blobs", "docs_blobs:DarkBlobs", DOCUMENTED)
    method = load_method("dark-blobs", inside="20")
    assert "dark-blobs" in list_methods()
    about = method.describe()
    assert isinstance(about, Description)
    assert (about.name, about.settings) == ("dark blobs", {"inside": 20.0})
    image = np.full((6, 40, 40), 200, np.uint8)
    image[1:5, 5:15, 5:15] = image[1:5, 20:35, 20:35] = 40
    assert method.predict(image, tmp_path / "found.h5", tmp_path) is None
    with h5py.File(tmp_path / "found.h5") as file:
        found = file["main"][:]
    assert len(np.unique(found)) == 3
    assert found[3, 10, 10] != found[3, 27, 27]


def test_a_name_that_is_not_there(install):
    install("blobs", "blobs_a:Made")
    names = ", ".join(list_methods())
    message = f"unknown method 'blob', did you mean 'blobs'?; installed: {names}"
    assert refused("blob", UnknownNameError) == message


def test_options_go_to_the_method_and_unknown_ones_are_named(install):
    install("blobs", "blobs_b:Made", LEAST + "    def __init__(self, *, size=1, sharp=2): self.size = int(size)\n")
    assert load_method("blobs", size="7").size == 7
    where = "the method 'blobs' of others"
    assert refused("blobs", siz=3) == (
        f"{where} has no option 'siz', did you mean 'size'?; its options are size, sharp"
    )
    assert refused("blobs", size="x") == (
        f"{where} cannot be made (ValueError: invalid literal for int() with base 10: 'x'); check its options"
    )


def test_any_option_goes_to_a_method_that_takes_any(install):
    install("blobs", "blobs_c:Made", LEAST + "    def __init__(self, **options): self.options = options\n")
    assert load_method("blobs", name="a", size=1).options == {"name": "a", "size": 1}


@pytest.mark.parametrize(
    ("value", "code", "error", "message"),
    [
        ("blobs_d0:Made", "import not_there", MissingExtraError,
         "needs the module not_there, which is not installed; install it"),
        ("blobs_d1:Made", "1 / 0", InvalidInputError,
         "cannot be loaded (ZeroDivisionError: division by zero); install that package again"),
        ("blobs_d2:Mad", LEAST, InvalidInputError,
         "cannot be loaded (AttributeError: module 'blobs_d2' has no attribute 'Mad'); install that package again"),
        ("blobs_d3:Made", "Made = 3", InvalidInputError,
         "is blobs_d3:Made, which cannot be called; mend that package"),
        ("blobs_d4:Made", "class Made:\n    def describe(self): ...\n    fit = 3", InvalidInputError,
         "is a Made without fit; expected describe, fit, predict, see mitobench.methods.Method; mend that package"),
        ("blobs_d5:Made", "def Made(): raise RuntimeError('no GPU')", InvalidInputError,
         "cannot be made (RuntimeError: no GPU); check its options"),
    ],
)  # fmt: skip
def test_entry_points_that_are_no_methods(install, value, code, error, message):
    install("blobs", value, code)
    assert refused("blobs", error) == f"the method 'blobs' of others {message}"


def test_two_packages_with_one_name(install):
    install("blobs", "blobs_e:Made", package="one")
    install("blobs", "blobs_f:Made", package="two")
    assert list_methods().count("blobs") == 1
    assert refused("blobs") == ("the method 'blobs' is in one and two; expected one of this name; uninstall the other")
