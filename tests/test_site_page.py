"""The site in a real browser: silent, without requests, sorted and chosen from by mouse and keyboard, readable."""

import json

import pytest
from browser import started
from site_entries import measured, published, without_score

from leaderboard.site import build_site, write_site

HOSTILE = "</script><img src=x onerror=\"document.title='taken'\">"
BOARD = "mitoem-2020--mitoem-test-annotation-v2"
PAGES = ("index.html", "compare.html", "submit.html", "methods/mitoem-2020/ours-v2.html")
LONG = "A method whose name is as long as a name may be, since its makers wanted to say all about it here 99"
ENTER = ("Enter", 13)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "public"
    ours = measured(
        "Ours", 2, team="Team", code="https://example.org/code", description="Two\nlines", command="a " * 90
    )
    theirs = measured("Theirs", 30, team=HOSTILE).without_instances()
    others = measured(LONG, 8, team="W" * 100), measured(HOSTILE, 12), without_score("שיטה"), measured("d" * 100, 40)
    write_site(build_site([*published(), ours, theirs, *others]), folder)
    return folder


@pytest.fixture(scope="module")
def browser():
    with started() as browser:
        yield browser


@pytest.fixture
def board(browser, site):
    page = browser.open((site / "index.html").as_uri())
    yield page
    assert page.complaints() == []
    page.close()


def compare(browser, site, chosen=""):
    return browser.open((site / "compare.html").as_uri() + chosen)


def of_board(script):
    """Return an expression that is worked out with the board that has the most methods, and its table."""
    return f"""(() => {{
        const board = document.getElementById({json.dumps(BOARD)});
        const table = board.querySelector("table.ranks");
        {script}
    }})()"""


def column(page, number):
    return page.run(of_board(f"return [...table.tBodies[0].rows].map((row) => row.cells[{number}].dataset.value);"))


def head(number):
    return f"""table.querySelector('th[data-column="{number}"]')"""


def order(page, number):
    return page.run(of_board(f'return {head(number)}.getAttribute("aria-sort");'))


def press(page, number):
    page.run(of_board(f'{head(number)}.querySelector("button").click();'))
    return order(page, number)


def enter(page, form, **values):
    for name, value in values.items():
        page.run(f"""(() => {{
            const field = document.querySelector({json.dumps(form)}).elements[{json.dumps(name)}];
            if (field.type === "checkbox") field.checked = {json.dumps(value)};
            else field.value = {json.dumps(value)};
            field.dispatchEvent(new Event("input", {{ bubbles: true }}));
        }})()""")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_silent_asks_for_nothing_and_fits(browser, site, name, width):
    address = (site / name).as_uri()
    page = browser.open(address, width=width)
    assert page.complaints() == []
    assert {url for url in page.requests() if not url.startswith("data:")} == {address}
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run("document.title") != "taken"
    assert page.run("document.images.length") == 0
    page.close()


@pytest.mark.parametrize("methods", [(), ("Alone",)])
def test_a_site_with_little_on_it_is_silent_too(browser, tmp_path, methods):
    write_site(build_site(map(measured, methods)), tmp_path)
    for path in tmp_path.rglob("*.html"):
        page = browser.open(path.as_uri())
        assert page.complaints() == []
        page.close()


def test_scripts_that_are_not_ours_are_blocked(browser, site):
    for name in PAGES:
        page = browser.open((site / name).as_uri())
        page.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.x = 1'}))")
        assert page.run("window.x") is None
        page.close()


def test_columns_are_sorted_by_the_mouse_both_ways_with_undefined_values_last(board):
    assert order(board, 0) == "ascending"
    for number in (2, 5, 8):
        assert press(board, number) == "descending"
        values = column(board, number)
        known = [float(value) for value in values if value]
        assert known == sorted(known, reverse=True)
        assert values == [value for value in values if value] + [""] * (len(values) - len(known))
        assert press(board, number) == "ascending"
        values = [float(value) for value in column(board, number) if value]
        assert values == sorted(known)
        assert column(board, number)[-1] == "" or len(values) == len(column(board, number))
        assert order(board, 0) == "none"
    assert press(board, 1) == "ascending"
    assert column(board, 1)[-3:] == ["U2D-B+CC", "U3D-BC+MW", "שיטה"]
    assert press(board, 0) == "ascending"
    assert column(board, 0) == ["1", "2", "3", "4", "5", "6", "7", ""]


def test_columns_are_sorted_from_the_keyboard(board):
    board.run(of_board(f'{head(2)}.querySelector("button").focus();'))
    assert board.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    board.press(*ENTER)
    assert order(board, 2) == "descending"
    board.press(*ENTER)
    assert order(board, 2) == "ascending"
    board.press("Tab", 9)
    assert board.run("document.activeElement.closest('th').dataset.column") == "4"


def test_a_volume_a_bucket_and_intervals_are_chosen(board):
    shown = "return [...table.querySelectorAll('tbody tr:first-child [data-bucket]')].filter((cell) => !cell.hidden)"
    places = of_board(f"{shown}.map((cell) => [cell.dataset.volume, cell.dataset.bucket].join(' '));")
    heads = of_board("return [...table.querySelectorAll('.volume')].map((th) => (th.hidden ? 0 : th.colSpan));")
    form = f"#{BOARD} form"
    assert len(board.run(places)) == 8
    enter(board, form, bucket="small")
    assert board.run(places) == ["1 small", "2 small"]
    assert board.run(heads) == [1, 1]
    enter(board, form, volume="2")
    assert board.run(places) == ["2 small"]
    assert board.run(heads) == [0, 1]
    enter(board, form, bucket="")
    assert board.run(places) == ["2 small", "2 medium", "2 large", "2 all"]
    assert board.run(heads) == [0, 4]
    small = of_board("return getComputedStyle(table.querySelector('td[data-bucket] small')).display;")
    assert board.run(small) == "none"
    enter(board, form, intervals=True)
    assert board.run(small) == "block"


def test_two_methods_are_compared_and_the_address_remembers_them(browser, site):
    page = compare(browser, site, f"#board={BOARD}&a=ours-v2&b=theirs-v2")
    cells = "[...document.querySelector('#versus tbody tr').cells].map((cell) => cell.textContent)"
    mean, a, b, difference, interval, _, p = page.run(cells)
    assert mean == "Mean of 2 volumes"
    assert abs(float(a) - float(b) - float(difference)) < 0.0015
    assert interval.startswith("[+")
    assert 0 <= float(p.lstrip("<")) <= 1
    assert page.run("document.querySelectorAll('#versus tbody').length") == 3
    page.run("document.getElementById('swap').click()")
    turned = page.run(cells)
    assert turned[1:3] == [b, a]
    assert turned[3] == "\N{MINUS SIGN}" + difference[1:]
    low, high = interval[1:-1].split(", ")
    minus = "\N{MINUS SIGN}"
    assert turned[4] == f"[{minus}{high[1:]}, {minus}{low[1:]}]"
    assert turned[6] == p
    chosen = page.run("location.hash")
    assert chosen == f"#board={BOARD}&a=theirs-v2&b=ours-v2"
    assert page.complaints() == []
    page.close()
    again = compare(browser, site, chosen)
    assert again.run(cells) == turned
    again.close()


def test_methods_are_chosen_from_the_keyboard(browser, site):
    page = compare(browser, site, f"#board={BOARD}")
    page.run("document.querySelector('#chooser form').elements.b.focus()")
    before = page.run("location.hash")
    page.press("ArrowDown", 40)
    assert page.run("location.hash") != before
    assert page.run("document.querySelector('#chooser form').elements.b.selectedIndex") == 2
    page.run("document.getElementById('swap').focus()")
    page.press(*ENTER)
    assert page.run("document.querySelector('#chooser form').elements.a.selectedIndex") == 2
    page.close()


def test_comparing_says_where_there_is_no_interval(browser, site):
    page = compare(browser, site, f"#board={BOARD}&a=u3d-bc-mw-v2&b=ours-v2")
    assert page.run("document.getElementById('unpaired').hidden") is False
    assert "published" in page.run("document.getElementById('verdict').textContent")
    enter(page, "#chooser form", a="ours-v2")
    assert page.run("document.getElementById('verdict').textContent") == "A and B are the same method."
    enter(page, "#chooser form", board="mitoem-2020--mitoem-test-annotation-v1")
    assert page.run("document.querySelector('#chooser form').elements.a.options.length") == 2
    page.close()


@pytest.mark.parametrize("chosen", ["#board=none&a=x&b=y", "#%E0%A4%A", "#main", f"#board={BOARD}&a=<img src=x>"])
def test_an_address_of_nothing_known_compares_the_first_two(browser, site, chosen):
    page = compare(browser, site, chosen)
    chosen_methods = "['a', 'b'].map((name) => document.querySelector('#chooser form').elements[name].selectedIndex)"
    assert page.run(chosen_methods) == [0, 1]
    assert page.complaints() == []
    page.close()


def test_everything_can_be_read_without_scripts(browser, site):
    for name, wanted in (("index.html", "U3D-BC+MW"), ("compare.html", "All pairs"), ("submit.html", "card.toml")):
        page = browser.open("about:blank")
        page.call("Emulation.setScriptExecutionDisabled", value=True)
        page.call("Page.navigate", url=(site / name).as_uri())
        browser.wait("Page.loadEventFired", page.session)
        page.call("Emulation.setScriptExecutionDisabled", value=False)
        assert wanted in page.run("document.body.innerText")
        assert page.run("document.querySelectorAll('th button').length") == 0
        visible = "[...document.querySelectorAll('form, #chooser, #theme')].filter((e) => e.checkVisibility()).length"
        assert page.run(visible) == 0
        page.close()


CONTRAST = """(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const light = (colour) => {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => v / 255)
            .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const back = (element) => {
        const colour = element ? getComputedStyle(element).backgroundColor : "rgb(255, 255, 255)";
        return colour === "rgba(0, 0, 0, 0)" ? back(element.parentElement) : colour;
    };
    const worst = [21, ""];
    for (const element of document.querySelectorAll("body *")) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || !element.checkVisibility() || /^(on-|level)/.test(element.getAttribute("class") ?? "")) continue;
        if (element.matches("title, script, style, option")) continue;
        const style = getComputedStyle(element);
        const [front, behind] = [light(element.closest("svg") ? style.fill : style.color), light(back(element))];
        const ratio = (Math.max(front, behind) + 0.05) / (Math.min(front, behind) + 0.05);
        if (ratio < worst[0]) worst.splice(0, 2, ratio, element.outerHTML.slice(0, 200));
    }
    return worst;
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_all_text_stands_out_from_what_is_behind_it(browser, site, name, scheme):
    page = browser.open((site / name).as_uri(), scheme=scheme)
    ratio, element = page.run(CONTRAST)
    assert ratio >= 4.5, element
    page.run("document.getElementById('theme').click()")
    ratio, element = page.run(CONTRAST)
    assert ratio >= 4.5, element
    page.close()


def test_the_first_stop_of_the_keyboard_skips_to_the_content(browser, site):
    page = browser.open((site / "index.html").as_uri())
    page.press("Tab", 9)
    assert page.run("document.activeElement.textContent") == "Skip to the content"
    assert page.run("document.activeElement.getBoundingClientRect().left") >= 0
    page.press(*ENTER)
    assert page.run("location.hash") == "#main"
    page.close()


def test_on_paper_there_are_no_controls(browser, site):
    page = browser.open((site / "index.html").as_uri())
    page.call("Emulation.setEmulatedMedia", media="print")
    assert page.run("[...document.querySelectorAll('nav, form, #theme')].some((e) => e.checkVisibility())") is False
    assert page.run("getComputedStyle(document.querySelector('.ranks th[scope=row]')).position") == "static"
    page.close()
