"""The HTML page in a real browser: it is silent and asks for nothing, and its table, pictures and themes work."""

import csv
import io
import json
import time
from dataclasses import replace

import numpy as np
import pytest
from browser import started

from mitobench.evaluate import evaluate_benchmark
from mitobench.pictures import error_pictures
from mitobench.render import to_html
from mitobench.resampling import Bootstrap
from mitobench.testing import random_volumes
from mitobench.volumes import open_image, open_labels

HUGE = 2**64 - 1
WORD = 2**63
HOSTILE = "</script><img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>\", = 1"


def volumes():
    """Return a small pair with a few enormous ids."""
    gt, pred = random_volumes(np.random.default_rng(3), instances=70, edge=32)
    ids = np.unique(gt[gt > 0])
    for label, new in zip(ids[:4], (HUGE, WORD, HUGE - 1, 2**53 + 1), strict=True):
        gt[gt == label] = np.uint64(new)
    return gt, pred


@pytest.fixture(scope="module")
def report():
    gt, pred = volumes()
    pairs = {"MitoEM-H": (pred, gt), HOSTILE: (gt, pred)}
    report = evaluate_benchmark(pairs, repairs=True, intervals=Bootstrap(resamples=100, unit="instances"))
    warned = replace(report.volumes[1], warnings=(HOSTILE,), notes=(HOSTILE,))
    return replace(report, volumes=(report.volumes[0], warned))


@pytest.fixture(scope="module")
def address(report, tmp_path_factory):
    gt, pred = map(open_labels, volumes())
    image = open_image(np.random.default_rng(1).integers(0, 255, gt.shape, np.uint8))[0]
    pictures = error_pictures(report.volumes[0], gt=gt, pred=pred, image=image, per_class=2)
    pictures += error_pictures(report.volumes[1], gt=pred, pred=gt, per_class=1)
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(to_html(report, pictures=pictures), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def browser():
    with started() as browser:
        yield browser


@pytest.fixture
def page(browser, address):
    page = browser.open(address)
    yield page
    assert page.complaints() == []
    page.close()


@pytest.fixture(scope="module")
def rows(report):
    """Return what the table holds: one dictionary for each instance."""
    return [
        {"volume": volume.name, "side": side, **dict(zip(columns, values, strict=True))}
        for volume in report.volumes
        for side, columns in volume.instances.items()
        for values in zip(*columns.values(), strict=True)
    ]


def column(page, name):
    """Return the texts of a column of the visible page of the table."""
    return page.run(
        f"""(() => {{
            const heads = [...document.querySelectorAll("#rows thead th")].map((th) => th.dataset.column);
            const lines = [...document.querySelectorAll("#rows tbody tr")];
            return lines.map((tr) => tr.cells[heads.indexOf({json.dumps(name)})].textContent);
        }})()"""
    )


def sort_by(page, name):
    page.run(f"""document.querySelector('#rows th[data-column="{name}"] button').click()""")
    return page.run(f"""document.querySelector('#rows th[data-column="{name}"]').getAttribute("aria-sort")""")


def enter(page, **values):
    """Fill the filters in as a person does."""
    for name, value in values.items():
        page.run(
            f"""(() => {{
                const field = document.querySelector("#explorer form").elements[{json.dumps(name)}];
                field.value = {json.dumps(value)};
                field.dispatchEvent(new Event("input", {{ bubbles: true }}));
            }})()"""
        )
    return count(page)


def count(page):
    return int(page.run("document.getElementById('count').textContent").split()[0].replace(",", ""))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390, 360])
def test_the_page_loads_silently_asks_for_nothing_and_fits(browser, address, width, scheme):
    page = browser.open(address, width=width, scheme=scheme)
    assert page.complaints() == []
    assert {url for url in page.requests() if not url.startswith("data:")} == {address}
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run("document.body.scrollWidth") <= width
    assert page.run("document.querySelectorAll('#rows tbody tr').length") == 50
    page.close()


def test_hostile_names_run_nothing(page):
    assert page.run("document.title").startswith("AP-75")
    assert page.run("document.images.length") == 0
    assert page.run("document.scripts.length") == 2
    assert HOSTILE in page.run("document.body.innerText")


def test_scripts_that_are_not_ours_are_blocked(browser, address):
    page = browser.open(address)
    page.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.taken = 1'}))")
    assert page.run("window.taken") is None
    assert any("Content Security Policy" in str(complaint) for complaint in page.complaints())
    page.close()


def test_rows_are_sorted_by_size_both_ways(page, rows):
    sizes = sorted(row["size"] for row in rows)
    assert [int(text.replace(",", "")) for text in column(page, "size")] == sizes[::-1][:50]
    assert sort_by(page, "size") == "ascending"
    assert [int(text.replace(",", "")) for text in column(page, "size")] == sizes[:50]
    assert sort_by(page, "size") == "descending"
    assert page.run("document.querySelectorAll('#rows th[aria-sort=none]').length") > 5


def test_ids_are_sorted_as_the_numbers_that_they_are_and_shown_to_the_last_digit(page, rows):
    ids = sorted(row["id"] for row in rows)
    assert sort_by(page, "id") == "ascending"
    assert [int(text) for text in column(page, "id")] == ids[:50]
    assert sort_by(page, "id") == "descending"
    assert [int(text) for text in column(page, "id")] == ids[::-1][:50]
    assert column(page, "id")[:2] == [str(HUGE), str(HUGE)]


def test_every_column_sorts_with_undefined_values_last(page):
    names = page.run("[...document.querySelectorAll('#rows thead th')].map((th) => th.dataset.column)")
    assert {"volume", "side", "id", "verdict", "size", "bucket", "iou", "partner", "z"} <= set(names)
    for name in names:
        assert sort_by(page, name) in {"ascending", "descending"}
    assert sort_by(page, "partner") == "ascending"
    for _ in range(2):
        enter(page, verdict="missed", least="")
        texts = column(page, "partner")
        dashes = [text == "\N{EN DASH}" for text in texts]
        assert dashes == sorted(dashes)
        sort_by(page, "partner")


def test_filters_narrow_the_rows_and_a_reset_brings_them_back(page, rows):
    everything = count(page)
    assert everything == len(rows)
    merged = [row for row in rows if row["verdict"] == "merged"]
    assert enter(page, verdict="merged") == len(merged) < everything
    assert set(column(page, "verdict")) == {"merged"}
    on_gt = [row for row in merged if row["side"] == "gt"]
    assert enter(page, side="gt") == len(on_gt)
    assert enter(page, volume=HOSTILE) == len([row for row in on_gt if row["volume"] == HOSTILE])
    assert enter(page, bucket="small") == len([row for row in on_gt if row["volume"] == HOSTILE])
    page.run("document.querySelector('#explorer form button[type=reset]').click()")
    page.run("new Promise((resolve) => setTimeout(resolve))")
    assert count(page) == everything


def test_ids_are_searched_by_their_digits_and_sizes_from_a_least_one(page, rows):
    assert enter(page, id=" 6 ") == len([row for row in rows if "6" in str(row["id"])])
    assert enter(page, id=str(HUGE)) == 2
    assert column(page, "id") == [str(HUGE)] * 2
    assert enter(page, id="no such id") == 0
    assert column(page, "id") == []
    assert enter(page, id="", least="40") == len([row for row in rows if row["size"] >= 40])


def test_pages_are_turned(page, rows):
    shown = len(column(page, "id"))
    pages = -(-len(rows) // 50)
    assert page.run("document.getElementById('previous').disabled")
    while not page.run("document.getElementById('next').disabled"):
        page.run("document.getElementById('next').click()")
        shown += len(column(page, "id"))
    assert shown == len(rows)
    assert page.run("document.getElementById('page').textContent") == f"Page {pages} of {pages}"
    page.run("document.getElementById('previous').click()")
    assert page.run("document.getElementById('page').textContent") == f"Page {pages - 1} of {pages}"
    enter(page, verdict="matched")
    assert page.run("document.getElementById('page').textContent").startswith("Page 1 of")


def test_headers_work_from_the_keyboard(page):
    page.run("document.querySelector('#rows th[data-column=iou] button').focus()")
    page.press("Enter", 13)
    assert page.run("document.querySelector('#rows th[data-column=iou]').getAttribute('aria-sort')") == "ascending"


def test_the_rows_that_are_shown_are_saved(browser, page, rows, tmp_path):
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    number = enter(page, volume=HOSTILE, side="pred")
    sort_by(page, "id")
    page.run("document.getElementById('save').click()")
    path, deadline = tmp_path / "instances.csv", time.monotonic() + 30
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    saved = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    expected = sorted((row for row in rows if (row["volume"], row["side"]) == (HOSTILE, "pred")), key=lambda r: r["id"])
    assert len(saved) == len(expected) == number
    for line, row in zip(saved, expected, strict=True):
        assert line["volume"] == HOSTILE
        assert line["side"] == "prediction"
        assert line["partner"] == ("" if row["partner"] is None else str(row["partner"]))
        assert float(line["iou"]) == pytest.approx(row["iou"], abs=0.0005)
        for name in ("id", "size", "bucket", "verdict", "z0", "x1", "partners"):
            assert line[name] == str(row[name])


def test_a_row_leads_to_its_picture(page):
    enter(page, verdict="missed")
    page.run("document.querySelector('#rows tr.pictured').cells[3].click()")
    target = page.run("location.hash.slice(1)")
    assert target.startswith("picture-")
    assert "missed" in page.run(f"document.getElementById('{target}').innerText")
    assert page.run("document.querySelector('#rows tr.pictured a').textContent") in page.run(
        f"document.getElementById('{target}').innerText"
    )


def test_a_section_is_enlarged_and_closed_again(page):
    page.run("document.querySelector('button.zoom').click()")
    assert page.run("document.getElementById('zoom').open")
    small, large = "document.querySelector('button.zoom svg')", "document.querySelector('#zoom svg')"
    width = "getBoundingClientRect().width"
    assert page.run(f"{large}.{width}") > 2 * page.run(f"{small}.{width}")
    assert page.run("document.querySelector('#zoom p').textContent").startswith("Section")
    page.run("document.querySelector('#zoom form button').click()")
    assert not page.run("document.getElementById('zoom').open")


def test_outlines_of_one_side_are_hidden(page):
    shown = "getComputedStyle(document.querySelector('.sections .outline.pred')).display"
    assert page.run(shown) != "none"
    page.run("document.querySelector('input[data-hide=pred]').click()")
    assert page.run(shown) == "none"
    assert page.run("[...document.querySelectorAll('input[data-hide=pred]')].some((box) => box.checked)") is False
    assert page.run("getComputedStyle(document.querySelector('.sections .outline.gt')).display") != "none"


CONTRAST = """(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const light = (colour) => {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => v / 255)
            .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const back = light(getComputedStyle(document.body).backgroundColor);
    const styles = ["body", ".note", "a", ".value", ".sub", "summary", "th", "svg.chart text"];
    return Object.fromEntries(styles.map((style) => {
        const computed = getComputedStyle(document.querySelector(style));
        const front = light(style.startsWith("svg") ? computed.fill : computed.color);
        return [style, (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05)];
    }));
})()"""


def test_both_themes_are_readable_and_the_button_changes_them(page):
    back = "getComputedStyle(document.body).backgroundColor"
    first = page.run(back)
    assert page.run("document.getElementById('theme').textContent") == "Dark"
    assert min(page.run(CONTRAST).values()) >= 4.5, page.run(CONTRAST)
    page.run("document.getElementById('theme').click()")
    assert page.run(back) != first
    assert page.run("document.getElementById('theme').textContent") == "Light"
    assert min(page.run(CONTRAST).values()) >= 4.5, page.run(CONTRAST)
    page.run("document.getElementById('theme').click()")
    assert page.run(back) == first


def test_the_system_decides_on_the_first_theme(browser, address):
    dark = browser.open(address, scheme="dark")
    assert dark.run("document.getElementById('theme').textContent") == "Light"
    assert dark.run("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 28)"
    dark.close()
