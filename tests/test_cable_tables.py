"""Cable lengths from tables of many makes, and the file that keeps them for the next run."""

import json
import math
import re
import textwrap
from importlib import metadata

import numpy as np
import pytest

from mitobench.cable import load_cable_lengths, read_cable_lengths, save_cable_lengths
from mitobench.errors import InvalidInputError, UnusableFileError

ISOTROPIC, MITOEM = (1.0, 1.0, 1.0), (30.0, 8.0, 8.0)


def message(text):
    return f"^{re.escape(text)}$"


@pytest.mark.parametrize(
    "text",
    [
        "id,length_nm\n5,0.5\n7,1200\n",
        "5,0.5\n7,1200\n",
        "# by hand, in nm; with care\n5 0.5\n# the long one\n7 1200\n",
        "length_nm;id\n0.5;5\n1200;7\n",
        "label,volume,skel_size,cable_length,category\n5,1,1,0.5,small\n7.0,4000,30,1200.0,medium\n",
    ],
)
def test_tables_of_many_makes_are_read(tmp_path, text):
    (tmp_path / "lengths.csv").write_text(text)
    assert read_cable_lengths(tmp_path / "lengths.csv") == {5: 0.5, 7: 1200.0}
    assert read_cable_lengths(str(tmp_path / "lengths.csv")) == {5: 0.5, 7: 1200.0}


def test_lengths_in_memory_are_read():
    assert read_cable_lengths({5: 0, np.uint64(2**63 + 1): np.float32(2.5)}) == {5: 0.0, 2**63 + 1: 2.5}
    table = np.zeros(2, [("label", "u8"), ("volume", "i8"), ("cable_length", "f8")])
    table["label"], table["cable_length"] = (2**64 - 1, 3), (1.5, 2)
    assert read_cable_lengths(table) == {2**64 - 1: 1.5, 3: 2.0}
    assert read_cable_lengths(np.empty((0, 2))) == {}


EXPECTED = "expected two columns, id and length_nm"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("id,length\n1,2\n", f"the columns are id, length; {EXPECTED}"),
        ("label,volume\n1,2\n", f"the columns are label, volume; {EXPECTED}"),
        ("1,2\n3\n", f"row 2 has 1 column(s); {EXPECTED}"),
        ("1,2\n1,3\n", "id 1 occurs twice; give one length for each id"),
        ("1.5,2\n", "'1.5' is not an instance id; expected positive integers"),
        ("0,2\n", "'0' is not an instance id; expected positive integers"),
        ("-4,2\n", "'-4' is not an instance id; expected positive integers"),
        ("4,nan\n", "the length of id 4 is 'nan'; expected a finite number, 0 or more"),
        ("4,-0.5\n", "the length of id 4 is '-0.5'; expected a finite number, 0 or more"),
        ("4,inf\n", "the length of id 4 is 'inf'; expected a finite number, 0 or more"),
        ("4,long\n", "the length of id 4 is 'long'; expected a finite number, 0 or more"),
    ],
)
def test_wrong_tables_are_refused(tmp_path, text, reason):
    path = tmp_path / "lengths.csv"
    path.write_text(text)
    with pytest.raises(InvalidInputError, match=message(f"{path}: {reason}")):
        read_cable_lengths(path)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (np.zeros((2, 3)), f"the table of cable lengths has shape (2, 3) and type float64; {EXPECTED}"),
        (np.array([["1", "2"]]), f"the table of cable lengths has shape (1, 2) and type <U1; {EXPECTED}"),
        ({"seven": 3.0}, "'seven' is not an instance id; expected positive integers"),
        ({7: None}, "the length of id 7 is None; expected a finite number, 0 or more"),
        (
            np.array([[2.0**60, 1]]),
            "ids above 2^53 are not exact as float64; store the ids as integers, in a CSV for example",
        ),
    ],
)
def test_wrong_tables_in_memory_are_refused(source, reason):
    with pytest.raises(InvalidInputError, match=message(f"cable lengths: {reason}")):
        read_cable_lengths(source)


def test_files_that_are_no_tables_are_refused(tmp_path):
    path = tmp_path / "lengths.csv"
    with pytest.raises(
        UnusableFileError, match=message(f"{path}: the table of cable lengths does not exist; check the path")
    ):
        read_cable_lengths(path)
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UnusableFileError, match=rf"lengths\.csv: cannot be read as CSV \(.*\); {EXPECTED}$"):
        read_cable_lengths(path)


CONTENT = "0f" * 32
SETTINGS = {"anisotropy": ISOTROPIC, "voxel_size": MITOEM}
LENGTHS = {3: 0.1 + 0.2, 2**64 - 1: 1e-300, 1: np.float64(4000), 12: math.pi * 1e5}


@pytest.fixture
def kept(tmp_path):
    path = tmp_path / "lengths.csv"
    save_cable_lengths(path, LENGTHS, fingerprint=CONTENT, settings=SETTINGS)
    return path


def test_kept_lengths_come_back_to_the_bit(kept):
    assert load_cable_lengths(kept, fingerprint=CONTENT, settings=SETTINGS) == LENGTHS
    assert load_cable_lengths(str(kept), fingerprint=CONTENT, settings={**SETTINGS, "anisotropy": [1, 1, 1]}) == LENGTHS
    assert read_cable_lengths(kept) == LENGTHS
    settings = {"anisotropy": [1.0, 1.0, 1.0], "voxel_size": [30.0, 8.0, 8.0], "kimimaro": metadata.version("kimimaro")}
    assert kept.read_text() == textwrap.dedent(f"""\
        # cable lengths of the ground truth, measured by mitobench
        # fingerprint: {CONTENT}
        # settings: {json.dumps(settings)}
        id,length_nm
        1,4000.0
        3,0.30000000000000004
        12,314159.2653589793
        18446744073709551615,1e-300
        # end
        """)
    assert [path.name for path in kept.parent.iterdir()] == ["lengths.csv"]


def test_lengths_of_another_content_or_making_are_not_taken(kept, monkeypatch):
    assert load_cable_lengths(kept.parent / "none.csv", fingerprint=CONTENT, settings=SETTINGS) is None
    assert load_cable_lengths(kept, fingerprint="aa" * 32, settings=SETTINGS) is None
    assert load_cable_lengths(kept, fingerprint=CONTENT, settings={**SETTINGS, "anisotropy": MITOEM}) is None
    assert load_cable_lengths(kept, fingerprint=CONTENT, settings={**SETTINGS, "voxel_size": ISOTROPIC}) is None
    monkeypatch.setattr(metadata, "version", lambda name: "99.0")
    assert load_cable_lengths(kept, fingerprint=CONTENT, settings=SETTINGS) is None


def test_where_kimimaro_is_absent_its_version_is_not_compared(kept, monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    assert load_cable_lengths(kept, fingerprint=CONTENT, settings=SETTINGS) == LENGTHS
    assert load_cable_lengths(kept, fingerprint=CONTENT, settings={**SETTINGS, "anisotropy": MITOEM}) is None


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text[: text.index("2653")], "its end is missing"),
        (lambda text: text.replace("12,", "3,"), "id 3 occurs twice; give one length for each id"),
        (lambda text: text.replace("4000.0", "-1"), "the length of id 1 is '-1'; expected a finite number, 0 or more"),
        (
            lambda text: text.replace('{"anis', "{anis"),
            "the settings are not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
    ],
)
def test_damaged_lengths_are_refused(kept, damage, reason):
    kept.write_text(damage(kept.read_text()))
    text = f"{kept}: the stored cable lengths are damaged ({reason}); delete the file to measure anew"
    with pytest.raises(UnusableFileError, match=message(text)):
        load_cable_lengths(kept, fingerprint=CONTENT, settings=SETTINGS)


def test_a_table_of_somebody_else_is_not_replaced(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("id,length_nm\n1,2\n")
    text = (
        f"{path}: not a file of measured cable lengths, it lacks fingerprint or settings; name another file, or give "
        "this one as the table of lengths"
    )
    with pytest.raises(UnusableFileError, match=message(text)):
        load_cable_lengths(path, fingerprint=CONTENT, settings=SETTINGS)
    path.write_bytes(b"\xff\x00")
    with pytest.raises(UnusableFileError, match=r"mine\.csv: cannot be read \(.*\); name another file, or delete this"):
        load_cable_lengths(path, fingerprint=CONTENT, settings=SETTINGS)


def test_lengths_that_cannot_be_kept_are_an_error(tmp_path):
    path = tmp_path / "none" / "lengths.csv"
    text = f"cannot write {path}: the folder {path.parent} does not exist; create it first"
    with pytest.raises(UnusableFileError, match=message(text)):
        save_cable_lengths(path, LENGTHS, fingerprint=CONTENT, settings=SETTINGS)
