"""Tables of papers: every value in its place, the best ones marked, nothing beside what it cannot be compared with."""

import csv
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from table_entries import BUCKETS, RULE, bold, latex_rows, markdown_rows, measured, published, texts

from leaderboard.store import SHIPPED, load_entries
from leaderboard.tables import paper_tables, to_csv, to_latex, to_markdown, to_text
from mitobench.errors import InvalidInputError
from mitobench.resampling import Bootstrap

# As the note prints them: small, medium, large, all of H, then of R, then overall.
TABLE_1 = [
    ("U2D-B+CC", "v1", ".408 .814 .711 .597 .104 .628 .481 .355 .476"),
    ("U2D-B+CC", "v2", ".272 .636 .493 .534 .133 .523 .289 .330 .432"),
]
TABLE_2 = [
    ("U3D-BC+MW", "v1", ".489 .820 .618 .605 .290 .751 .490 .521 .563"),
    ("U3D-BC+MW", "v2", ".426 .838 .798 .804 .311 .845 .803 .816 .810"),
]
NOTE = [[(method, version, [f"0{value}" for value in values.split()]) for method, version, values in table]
        for table in (TABLE_1, TABLE_2)]  # fmt: skip


@pytest.fixture(scope="module")
def shipped():
    return load_entries(SHIPPED)


# The two tables of the note


def test_the_shipped_entries_are_the_tables_of_the_note(shipped):
    tables = paper_tables(shipped)
    assert [table.caption for table in tables] == [
        "AP-75 of U2D-B+CC on MitoEM test",
        "AP-75 of U3D-BC+MW on MitoEM test",
    ]
    for table, rows in zip(tables, NOTE, strict=True):
        headings = [column.heading for column in table.columns if column.numeric]
        assert headings == [
            *(f"MitoEM-{name} {bucket}" for name in "HR" for bucket in ("Small", "Med", "Large", "All")),
            "Overall",
        ]
        assert [(line[0], line[1], line[-9:]) for line in texts(table)] == rows
    assert [row.cells[2].text for row in tables[1].rows] == ["old implementation", "updated implementation"]


def test_the_note_in_markdown(shipped):
    rows = [row for row in markdown_rows(to_markdown(paper_tables(shipped))) if row[0].startswith("U")]
    plain = [(row[0], row[1], [cell.strip("*") for cell in row[-9:]]) for row in rows]
    assert plain == [row for table in NOTE for row in table]


def test_the_note_in_latex(shipped):
    text = to_latex(paper_tables(shipped))
    rows = [row for row in latex_rows(text) if row[0].startswith("U")]
    plain = [(row[0], row[1], [re.sub(r"\\textbf{(.*)}", r"\1", cell) for cell in row[-9:]]) for row in rows]
    assert plain == [row for table in NOTE for row in table]
    for command in (r"\toprule", r"\midrule", r"\bottomrule", r"\multicolumn{4}{c}{MitoEM-H}"):
        assert text.count(command) == 2
    assert [line.strip() for line in text.splitlines() if "cmidrule" in line] == [
        r"\cmidrule(lr){3-6} \cmidrule(lr){7-10}",
        r"\cmidrule(lr){4-7} \cmidrule(lr){8-11}",
    ]


def test_the_note_in_csv(shipped):
    rows = list(csv.DictReader(io.StringIO(to_csv(paper_tables(shipped)))))
    names = [*(f"MitoEM-{name}_{bucket}" for name in "HR" for bucket in BUCKETS), "overall"]
    found = [(row["method"], row["annotation"], [f"{float(row[name]):.3f}" for name in names]) for row in rows]
    assert found == [row for table in NOTE for row in table]
    assert {(row["rule"], row["metric"], row["kind"]) for row in rows} == {("mitoem-2020", "ap_75", "published")}


def test_the_note_as_text(shipped):
    lines = [line for line in to_text(paper_tables(shipped)).splitlines() if line.startswith("U")]
    found = [(line.split()[0], line.split()[1], re.findall(r"\d\.\d{3}", line)) for line in lines]
    assert found == [row for table in NOTE for row in table]


def test_the_best_of_each_column_of_the_note_is_marked(shipped):
    for index, rows in enumerate(NOTE):
        first, second = (np.array(values, float) for _, _, values in rows)
        expected = [[bool(flag) for flag in first >= second], [bool(flag) for flag in second >= first]]
        table = paper_tables(shipped)[index]
        assert [line[-9:] for line in bold(table)] == expected
        assert not any(flag for line in bold(table) for flag in line[:-9])
        in_markdown = [row for row in markdown_rows(to_markdown([table])) if row[0].startswith("U")]
        assert [[cell.startswith("**") for cell in row[-9:]] for row in in_markdown] == expected
        in_latex = [row for row in latex_rows(to_latex([table])) if row[0].startswith("U")]
        assert [[cell.startswith(r"\textbf{") for cell in row[-9:]] for row in in_latex] == expected
        as_text = [line for line in to_text([table]).splitlines() if line.startswith("U")]
        assert [[mark == "*" for mark in re.findall(r"\d\.\d{3}(\*?)", line)] for line in as_text] == expected


def test_notes_name_the_rule_the_annotations_and_the_source(shipped):
    rule, annotations, source = paper_tables(shipped)[0].notes
    assert rule == (
        "Rule mitoem-2020. AP-75 is the average precision at IoU 0.75; each prediction stands for the ground truth "
        "that it overlaps best. Small is up to 5,000 voxels, medium up to 15,000, large above."
    )
    assert annotations == (
        "Annotations v1 and v2 are different ground truth: the rows of one cannot be held against those of another."
    )
    assert source == (
        "As published, not computed anew: Updated Baselines on MitoEM Dataset for Mitochondria Instance Segmentation, "
        "Tables 1 and 2."
    )


# Which rows are in which table


def test_methods_of_a_task_share_a_table_with_the_published_ones_above(shipped):
    ours = measured()
    v1, v2 = paper_tables([ours, *shipped], compare="methods")
    assert (v1.caption, v2.caption) == ("AP-75 on MitoEM test, annotation v1", "AP-75 on MitoEM test, annotation v2")
    assert [[row.cells[0].text for row in section] for section in v2.sections] == [
        ["U3D-BC+MW\N{DAGGER}", "U2D-B+CC\N{DAGGER}"],
        ["ours"],
    ]
    assert any(note.startswith("\N{DAGGER} As published, not computed anew: ") for note in v2.notes)
    assert not any("different ground truth" in note for note in (*v1.notes, *v2.notes))
    assert to_latex([v2]).count(r"\midrule") == 2


def test_methods_with_one_result_share_a_table_behind_those_with_versions(shipped):
    tables = paper_tables([published("B"), published("A"), *shipped])
    assert [table.caption for table in tables][2:] == ["AP-75 on MitoEM test, annotation v2"]
    assert [row.cells[0].text for row in tables[2].rows] == ["A", "B"]


def test_rules_data_sets_and_protocols_are_never_in_one_table():
    entries = [
        published(),
        published(rule=RULE | {"label": "mine"}),
        published(protocol="budget-5"),
        published(dataset="Other"),
        published(part="val"),
        published(annotation="v1"),
    ]
    assert sorted(len(table.rows) for table in paper_tables(entries)) == [1, 1, 1, 1, 2]
    assert [len(table.rows) for table in paper_tables(entries, compare="methods")] == [1] * 6
    captions = [table.caption for table in paper_tables(entries, compare="methods")]
    assert "AP-75 of A on MitoEM test, annotation v2, budget-5" in captions


def test_rows_are_sorted_by_version_as_people_count():
    (table,) = paper_tables([published(annotation=version) for version in ("v10", "v2", "v1")])
    assert [row.cells[1].text for row in table.rows] == ["v1", "v2", "v10"]
    assert any(note.startswith("Annotations v1, v2 and v10 are different") for note in table.notes)


def test_methods_of_one_name_are_told_apart_by_their_teams():
    entries = [measured("U-Net", seed=seed, team=team) for seed, team in enumerate(("Red", "Blue"))]
    (table,) = paper_tables([*entries, measured("other", team="Red")], compare="methods")
    assert {row.cells[0].text for row in table.rows} == {"U-Net (Red)", "U-Net (Blue)", "other"}


def test_no_entries_make_no_table():
    assert paper_tables([]) == ()
    assert to_text([]) == to_markdown([]) == ""


# Values


def test_the_best_is_found_among_printed_digits_and_shared():
    values = (0.4084, 0.4076, 0.407)
    (table,) = paper_tables([published(name, human=value) for name, value in zip("abc", values, strict=True)])
    assert [line[1] for line in bold(table)] == [True, True, False]


def test_nothing_is_best_by_itself():
    (table,) = paper_tables([published("a"), published("b", rat=None)])
    assert [cell.best for cell in table.rows[0].cells] == [False, *[True] * 4, *[False] * 5]


def test_zero_and_one_are_scores():
    (table,) = paper_tables([published("perfect", human=1, rat=1.0), published("hopeless", human=0, rat=0)])
    assert texts(table) == [["perfect", *["1.000"] * 9], ["hopeless", *["0.000"] * 9]]
    assert bold(table)[0] == [False, *[True] * 9]


def test_an_entry_without_a_volume_has_dashes_and_no_overall():
    (table,) = paper_tables([published("rat only", human=None, rat=0.9), published("both")])
    only = next(line for line in texts(table) if line[0] == "rat only")
    assert only == ["rat only", *["\N{EN DASH}"] * 4, *["0.900"] * 4, "\N{EN DASH}"]
    assert [column.group for column in table.columns[1:]] == ["MitoEM-H"] * 4 + ["MitoEM-R"] * 4 + [""]
    assert "There is no overall value without all volumes." in table.notes
    assert re.search(r"rat only( +-){4}( +0\.900\*){4} +-", to_text([table]))
    assert to_csv([table]).splitlines()[1].endswith(",,,,,,0.9,0.9,0.9,0.9,")


def test_one_volume_needs_no_overall():
    (table,) = paper_tables([published(human=None), published("b", human=None)])
    assert [column.heading for column in table.columns[1:]] == [
        f"MitoEM-R {title}" for title in ("Small", "Med", "Large", "All")
    ]


def test_a_publication_may_print_the_overall_value_alone():
    bare = published("bare", human=None, rat=None)
    bare = replace(bare, result=replace(bare.result, overall={"ap_75": 0.7}))
    (table,) = paper_tables([bare, published("b")])
    assert texts(table)[0] == ["bare", *["\N{EN DASH}"] * 8, "0.700"]
    (alone,) = paper_tables([bare])
    assert texts(alone) == [["bare", "0.700"]]


def test_the_overall_value_of_a_publication_is_the_printed_one(shipped):
    old = next(entry for entry in shipped if entry.key == "u3d-bc-mw-v1")
    other = replace(old, result=replace(old.result, overall={"ap_75": 0.999}))
    assert texts(paper_tables([other])[0])[0][-1] == "0.999"


def test_measured_values_are_whole_in_csv_and_rounded_elsewhere():
    entry = measured(seed=3)
    tables = paper_tables([entry])
    (row,) = csv.DictReader(io.StringIO(to_csv(tables)))
    for name in ("MitoEM-H", "MitoEM-R"):
        for bucket in BUCKETS:
            value = entry.value(name, "ap_75", bucket)
            assert row[f"{name}_{bucket}"] == ("" if value is None else repr(value))
    assert float(row["overall"]) == entry.score
    assert texts(tables[0])[0][-1] == f"{entry.score:.3f}"
    assert row["created"] == "2026-11-23T10:00:00+00:00"


def test_intervals_stand_under_their_values():
    entry = measured(intervals=Bootstrap(resamples=100, unit="instances"))
    (table,) = paper_tables([entry, published("B")], compare="methods", intervals=True)
    low, high = entry.overall_interval("ap_75")
    below = f"[{low:.3f}, {high:.3f}]"
    ours = next(row for row in table.rows if row.record["kind"] == "measured")
    assert ours.cells[-1].below == below
    assert ours.record["overall_low"] == low
    assert {cell.below for row in table.rows if row is not ours for cell in row.cells} == {""}
    assert f"<br>\\{below.replace(']', chr(92) + ']')} |" in to_markdown([table])
    assert rf"{{\scriptsize {{[}}{below[1:]}}} \\" in to_latex([table])
    assert below in to_text([table])
    assert table.notes[-1].startswith("Brackets are 95% intervals (")
    assert not any(cell.below for row in paper_tables([entry])[0].rows for cell in row.cells)


def test_a_table_without_intervals_says_so(shipped):
    assert paper_tables(shipped, intervals=True)[0].notes[-1] == "No result in this table has intervals."


def test_an_entry_without_all_volumes_has_no_overall_interval_either():
    entry = measured(names=("MitoEM-R",), intervals=Bootstrap(resamples=100, unit="instances"))
    (table,) = paper_tables([entry, published()], compare="methods", intervals=True)
    ours = next(row for row in table.rows if row.record["kind"] == "measured")
    assert (ours.cells[-1].text, ours.cells[-1].below) == ("\N{EN DASH}", "")
    assert ours.record["overall_low"] is None


def test_buckets_are_chosen():
    (table,) = paper_tables([published()], buckets=["all", "small", "all"])
    assert [column.title for column in table.columns[1:]] == ["All", "Small", "All", "Small", "Overall"]


@pytest.mark.parametrize(
    ("buckets", "message"),
    [
        ([], "no bucket is named for the columns of a table; allowed: small, medium, large, all"),
        (["smal"], "unknown bucket 'smal', did you mean 'small'?; allowed: small, medium, large, all"),
    ],
)
def test_unknown_buckets_are_refused(buckets, message):
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        paper_tables([published()], buckets=buckets)
