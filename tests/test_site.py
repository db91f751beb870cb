"""The leaderboard as a site: what its pages hold, that no name can do anything in them, and how they are written."""

import base64
import errno
import hashlib
import json
import re
import shlex
import sys
import tomllib
from dataclasses import fields, replace
from html import unescape
from itertools import pairwise
from pathlib import Path

import pytest
from site_entries import measured, published, report, without_score
from test_html import Elements

from leaderboard.card import MethodCard
from leaderboard.entry import Task
from leaderboard.site import _folder, _pages, build_site, check_site_folder, write_site
from leaderboard.site._compare import MOST_COMPARED
from mitobench.cli import build_parser, main
from mitobench.errors import InvalidInputError, MissingExtraError, UnusableFileError

HOSTILE = (
    "<script>document.title='taken'</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style><h1>x",
    "Robert'); DROP TABLE entries;--",
    "{{ 7 * 7 }} ${1} %s",
    "a" * 100,
    "שיטה עמוקה",
    "طريقة",
    "線粒體",
)
BOARD = "mitoem-2020--mitoem-test-annotation-v2"


def entries():
    method = {"team": "Team", "description": "First line\nsecond & line", "command": "run --fast \\\n\tnow"}
    links = {"code": "https://example.org/code", "paper": "http://example.org/paper?a=1&b=2"}
    ours = measured("Ours", 2, authors="A. Author", **method, **links)
    return (*published(), ours, measured("Theirs", 30).without_instances())


@pytest.fixture(scope="module")
def pages():
    return build_site(entries())


def data_of(page):
    [text] = [text for attributes, text in Elements(page).all("script") if attributes.get("id") == "data"]
    return json.loads(text)


def lines_of(page, board=BOARD):
    """Return the lines of a board as lists of texts."""
    start = page.index(f'<section id="{board}"')
    table = re.search(r"<tbody>.*?</tbody>", page[start:], re.DOTALL)[0]
    rows = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
    cells = [re.findall(r"<t[dh].*?</t[dh]>", row) for row in rows]
    return [[" ".join(unescape(re.sub("<[^>]*>", " ", cell)).split()) for cell in row] for row in cells]


def test_there_is_a_page_for_each_method_and_three_more(pages):
    assert set(pages) == {
        "index.html",
        "compare.html",
        "submit.html",
        "methods/mitoem-2020/u2d-b-cc-v1.html",
        "methods/mitoem-2020/u3d-bc-mw-v1.html",
        "methods/mitoem-2020/u2d-b-cc-v2.html",
        "methods/mitoem-2020/u3d-bc-mw-v2.html",
        "methods/mitoem-2020/ours-v2.html",
        "methods/mitoem-2020/theirs-v2.html",
    }


def test_equal_entries_give_equal_bytes_in_any_order(pages):
    found = reversed(entries())
    assert build_site(type(entry).from_dict(entry.to_dict()) for entry in found) == pages


def test_pages_load_nothing_and_links_between_them_lead_somewhere(pages):
    for name, page in pages.items():
        assert not re.search(r"url\(|@import", page)
        elements = Elements(page)
        ids = [attributes["id"] for _, attributes, _ in elements.found if "id" in attributes]
        assert len(ids) == len(set(ids)), name
        for tag, attributes, _ in elements.found:
            assert "src" not in attributes, (name, tag)
            address = attributes.get("href", "#main")
            if address.startswith(("http://", "https://")):
                assert (tag, attributes["rel"]) == ("a", "noopener noreferrer")
            elif address != "data:,":
                path, _, anchor = address.partition("#")
                target = (Path("/", name).parent / path).resolve().relative_to("/").as_posix() if path else name
                assert target in pages, (name, address)
                assert not anchor or "=" in anchor or f'id="{anchor}"' in pages[target], (name, address)


def test_only_our_own_script_may_run(pages):
    for page in pages.values():
        [policy] = [a["content"] for a, _ in Elements(page).all("meta") if "http-equiv" in a]
        [own] = [text for attributes, text in Elements(page).all("script") if not attributes]
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"script-src 'sha256-{digest}'" in policy
        assert policy.startswith("default-src 'none'")


def test_pages_can_be_read_without_eyes(pages):
    for name, page in pages.items():
        elements = Elements(page)
        levels = [int(tag[1]) for tag, *_ in elements.found if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels)), name
        assert elements.all("html")[0][0]["lang"] == "en"
        assert elements.all("title")[0][1].strip()
        assert all(len(elements.all(tag)) >= 1 for tag in ("main", "header", "nav"))
        assert all("scope" in attributes for attributes, _ in elements.all("th")), name
        assert all(
            attributes.get("role") == "img" or "key" in attributes["class"] for attributes, _ in elements.all("svg")
        )
        labelled = [a for _, a, _ in elements.found if a.get("role") == "region"]
        assert all("aria-label" in a or "aria-labelledby" in a for a in labelled)


def test_a_board_shows_rank_score_interval_and_kind(pages):
    first, second, third, fourth = lines_of(pages["index.html"])
    ours, theirs = report(2), report(30)
    low, high = ours.overall_intervals["ap_75"]
    assert first[:3] == ["1", "Ours Team code paper", f"{ours.score:.3f} [{low:.3f}, {high:.3f}]"]
    assert second[1] == "U3D-BC+MW"
    assert second[2:5] == ["0.810", "AP-75 0.810", "\N{EN DASH}"]
    assert second[5:13] == ["0.426", "0.838", "0.798", "0.804", "0.311", "0.845", "0.803", "0.816"]
    assert second[13:] == ["published not recomputed here", "2021-04-15"]
    assert third[2].startswith(f"{theirs.score:.3f} [")
    assert third[13:] == ["measured", "2026-11-23"]
    assert [line[0] for line in (first, second, third, fourth)] == ["1", "2", "3", "4"]


def test_annotations_have_boards_of_their_own(pages):
    assert [line[1] for line in lines_of(pages["index.html"], "mitoem-2020--mitoem-test-annotation-v1")] == [
        "U3D-BC+MW",
        "U2D-B+CC",
    ]
    assert "never ranked together" in Elements(pages["index.html"]).words


def test_ranks_of_resamples_stand_beside_those_who_have_them(pages):
    first, _, third, _ = lines_of(pages["index.html"])
    assert re.fullmatch(r"1(\W2)? first in \d+%", first[4])
    assert re.fullmatch(r"(1\W)?2 first in \d+%", third[4])
    words = Elements(pages["index.html"]).words
    assert "95% of 200 resamples" in words
    assert "among the 2 methods that have the same ones" in words
    assert "Without a rank in the resamples: 2 methods" in words
    alone = build_site(entries()[:5])["index.html"]
    assert "Rank in resamples" not in alone


def test_equal_scores_share_a_rank_and_undefined_ones_have_none_and_a_reason():
    page = build_site([measured("A", 2), measured("B", 2), measured("C", 30), without_score("D")])["index.html"]
    assert [line[0] for line in lines_of(page)] == ["1", "1", "3", "\N{EN DASH}"]
    assert lines_of(page)[3][2] == "\N{EN DASH}"
    assert "Not ranked: D has no AP-75 (aggregates.ap_75): undefined in MitoEM-H." in Elements(page).words


def test_one_entry_and_no_entry_make_a_site_too():
    pages = build_site([measured("Ours").without_instances()])
    assert [line[0] for line in lines_of(pages["index.html"])] == ["1"]
    assert "No board has two results with a score yet." in Elements(pages["compare.html"]).words
    assert data_of(pages["compare.html"]) == []
    empty = build_site([])
    assert set(empty) == {"index.html", "compare.html", "submit.html"}
    assert "There are no results yet." in Elements(empty["index.html"]).words


def test_names_are_text_and_nothing_else():
    clean = build_site([measured(f"Method {k}", 2, team=f"Team {k}", description="x") for k in range(len(HOSTILE))])
    pages = build_site([measured(name, 2, team=name, description=name) for name in HOSTILE])
    for name in ("index.html", "compare.html"):
        assert [tag for tag, *_ in Elements(pages[name]).found] == [tag for tag, *_ in Elements(clean[name]).found]
    elements = Elements(pages["index.html"])
    isolated = {text for _, text in elements.all("bdi")}
    assert set(HOSTILE) <= isolated
    named = {method["name"] for board in data_of(pages["compare.html"]) for method in board["methods"]}
    assert set(HOSTILE) <= named
    assert all(re.fullmatch(r"(methods/mitoem-2020/)?[a-z0-9-]+\.html", path) for path in pages)
    for path, page in pages.items():
        assert not {"img", "h4"} & {tag for tag, *_ in Elements(page).found}, path
        assert len(Elements(page).all("h1")) == 1, path


def test_what_a_hand_wrote_into_an_entry_cannot_turn_the_text_around():
    override = "\N{RIGHT-TO-LEFT OVERRIDE}"
    entry = measured("Ours", 2)
    first, second = entry.report.volumes
    rule = {**entry.report.rule, "label": f"rule {override}<b>", "source": f"\ud800{override}"}
    volumes = (replace(first, name=f"{override}H<b>", notes=(f"{override}<i>",), warnings=("\x00",)), second)
    forged = replace(entry, result=replace(entry.report, rule=rule, volumes=volumes), remark=f"{override}</p>\nx")
    pages = build_site([forged, replace(forged, card=MethodCard(method="B"))])
    for page in pages.values():
        page.encode()
        assert override not in page
        assert "\x00" not in page
        assert "i" not in {tag for tag, *_ in Elements(page).found}
    assert "rule \N{REPLACEMENT CHARACTER}<b>" in Elements(pages["index.html"]).words


def test_a_method_page_shows_the_card(pages):
    page = pages["methods/mitoem-2020/ours-v2.html"]
    assert "<bdi>First line</bdi><br><bdi>second &amp; line</bdi>" in page
    assert "<code>run --fast \\<br>    now</code>" in page
    assert (
        '<a href="https://example.org/code" rel="noopener noreferrer"><bdi>https://example.org/code</bdi></a>' in page
    )
    assert 'href="http://example.org/paper?a=1&amp;b=2"' in page
    words = Elements(page).words
    assert f"submission.zip12,345{'ab' * 32}" in Elements(page).letters
    assert "Rank 1" in words
    assert "Precision and recall at IoU 0.75" in words
    assert "AP against the IoU threshold" in words


def test_links_that_are_no_web_addresses_never_get_onto_a_card():
    with pytest.raises(
        InvalidInputError, match=r"^code of a method card is 'javascript:alert\(1\)'; allowed: an address"
    ):
        MethodCard(method="Ours", code="javascript:alert(1)")


def test_a_method_page_says_that_published_numbers_were_not_recomputed(pages):
    page = pages["methods/mitoem-2020/u3d-bc-mw-v2.html"]
    words = Elements(page).words
    assert "Published numbers, not recomputed here. From \N{LEFT DOUBLE QUOTATION MARK}Updated Baselines" in words
    assert "0.426" in words
    assert "It is not known which files were scored." in words
    assert "Curves" not in words


def test_mistakes_are_counted_where_their_tables_are_stored(pages):
    ours = Elements(pages["methods/mitoem-2020/ours-v2.html"]).words
    assert "Ground truths by verdict and size" in ours
    assert "Not stored" not in ours
    theirs = Elements(pages["methods/mitoem-2020/theirs-v2.html"]).words
    assert "Ground truths by verdict and size" not in theirs
    assert theirs.count("Not stored") == 2


def test_where_instances_lie_is_on_no_page():
    """A page of an entry with tables differs from one without only by its counts."""
    entry = measured("Ours", 2)
    path = "methods/mitoem-2020/ours-v2.html"
    full, bare = build_site([entry])[path], build_site([entry.without_instances()])[path]
    counted = re.sub(r'<div class="halves">.*?</details>', "", full, flags=re.DOTALL)
    stored = re.sub(r'<p class="note">Not stored:.*?</p>', "", bare)
    assert "".join(counted.split()) == "".join(stored.split())
    assert "Instances by size" not in full


def test_pairs_are_compared_in_every_place(pages):
    [board] = [board for board in data_of(pages["compare.html"]) if board["name"] == BOARD]
    names = [method["name"] for method in board["methods"]]
    assert names == ["Ours", "U3D-BC+MW", "Theirs", "U2D-B+CC"]
    assert [place["label"] for place in board["places"]][:3] == ["Mean of 2 volumes", "Small", "Medium"]
    assert len(board["gaps"]) == 6
    assert {len(gaps) for gaps in board["gaps"]} == {9}
    ours_theirs = board["gaps"][1][0]
    assert ours_theirs[0] == round(report(2).score - report(30).score, 3)
    assert ours_theirs[1] <= ours_theirs[0] <= ours_theirs[2]
    assert 0 <= ours_theirs[3] <= 1
    assert board["gaps"][0][0][1:] == [None, None, None, 0]
    elements = Elements(pages["compare.html"])
    assert f"+{ours_theirs[0]:.3f}" in elements.words
    assert f"\N{MINUS SIGN}{ours_theirs[0]:.3f}" in elements.words


def test_more_methods_than_can_be_compared_are_cut_and_the_page_says_so():
    pages = build_site(replace(published()[3], card=MethodCard(method=f"M {k}")) for k in range(MOST_COMPARED + 2))
    [board] = data_of(pages["compare.html"])
    assert len(board["methods"]) == MOST_COMPARED
    assert len(lines_of(pages["index.html"])) == MOST_COMPARED + 2
    assert f"At most the best {MOST_COMPARED} methods of a board" in Elements(pages["compare.html"]).words


def test_the_page_for_participants_shows_a_card_that_can_be_read(pages, tmp_path):
    page = pages["submit.html"]
    [shown] = [text for _, text in Elements(page.replace("<br>", "\n")).all("code") if text.startswith("method =")]
    (tmp_path / "card.toml").write_text(shown, encoding="utf-8")
    assert MethodCard.from_toml(tmp_path / "card.toml") == MethodCard(**tomllib.loads(_pages.EXAMPLE_CARD))
    assert list(_pages.CARD_FIELDS) == [field.name for field in fields(MethodCard)]
    words = Elements(page).words
    assert "Sections 500 to 999 of MitoEM-H and of MitoEM-R" in words
    assert "mitobench leaderboard pack --human H --rat R -o submission.zip" in words


def test_every_command_that_is_shown_can_be_typed(pages):
    shown = [text for _, text in Elements(pages["submit.html"].replace("<br>", "\n")).all("code")]
    commands = [line for text in shown for line in text.splitlines() if re.match("mitobench .* ", line)]
    assert len(commands) == 6
    for command in commands:
        assert build_parser().parse_args(shlex.split(command)[1:]).run


def test_results_that_would_share_a_page_are_refused():
    with pytest.raises(InvalidInputError) as error:
        build_site([measured("U3D BC", 2), measured("U3D-BC", 30)])
    assert str(error.value) == (
        "U3D BC (result 1 of MitoEM test, annotation v2 under the rule mitoem-2020) and U3D-BC (result 2 of MitoEM "
        "test, annotation v2 under the rule mitoem-2020) would share the name 'methods/mitoem-2020/u3d-bc-v2.html' on "
        "the site; rename one"
    )


def test_long_names_of_rules_and_tasks_make_short_names_of_files():
    task = Task(dataset="d" * 60, part="p" * 60, annotation="a" * 60, protocol="q" * 60)
    entry = published()[0]
    result = replace(entry.result, rule={**entry.rule, "label": "rule " * 200})
    for path in build_site([replace(entry, task=task, result=result, card=MethodCard(method="m" * 100))]):
        assert max(map(len, path.split("/"))) <= 105


def test_pages_need_jinja_and_say_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    _pages._environment.cache_clear()
    message = "HTML pages need the jinja2 library, which is not installed; run pip install 'mitobench[report]'"
    with pytest.raises(MissingExtraError, match=f"^{re.escape(message)}$"):
        build_site([])


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


PAGES = {"index.html": "new", "methods/rule/a-v2.html": "a"}


def test_a_site_is_written_and_written_again(tmp_path):
    write_site({"index.html": "old", "methods/gone/b-v2.html": "b"}, tmp_path / "public")
    write_site(PAGES, tmp_path / "public")
    marker = {".mitobench-site": "index.html\nmethods/rule/a-v2.html\n"}
    assert tree(tmp_path / "public") == {**PAGES, **marker}
    assert not (tmp_path / "public/methods/gone").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["public"]


def test_what_others_put_into_the_folder_stays(tmp_path):
    write_site(PAGES, tmp_path)
    (tmp_path / "CNAME").write_text("example.org")
    (tmp_path / "methods/rule/mine.html").write_text("mine")
    write_site({"index.html": "newer"}, tmp_path)
    assert set(tree(tmp_path)) == {".mitobench-site", "CNAME", "index.html", "methods/rule/mine.html"}


def test_a_marker_that_a_hand_wrote_removes_nothing_outside(tmp_path):
    (tmp_path / "precious.html").write_text("x")
    folder = tmp_path / "public"
    write_site(PAGES, folder)
    (folder / "notes.txt").write_text("x")
    (folder / ".mitobench-site").write_text("../precious.html\nnotes.txt\n/etc/passwd\nmethods/../../precious.html\n")
    write_site(PAGES, folder)
    assert (tmp_path / "precious.html").exists()
    assert (folder / "notes.txt").exists()


@pytest.mark.parametrize("name", ["notes.txt", "index.html", ".git"])
def test_a_folder_of_something_else_is_left_alone(tmp_path, name):
    (tmp_path / name).write_text("mine")
    message = (
        f"cannot write the site to {tmp_path}: it holds {name!r} and is no site that mitobench made; name a new or an "
        "empty folder"
    )
    for refuses in (check_site_folder, lambda folder: write_site(PAGES, folder)):
        with pytest.raises(UnusableFileError, match=f"^{re.escape(message)}$"):
            refuses(tmp_path)
    assert tree(tmp_path) == {name: "mine"}


def test_a_folder_that_cannot_be_looked_into_is_an_error(tmp_path, monkeypatch):
    def closed(self):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", closed)
    message = f"cannot write the site to {tmp_path}: Permission denied; name another folder"
    with pytest.raises(UnusableFileError, match=f"^{re.escape(message)}$"):
        check_site_folder(tmp_path)


def test_a_full_disk_leaves_the_old_site(tmp_path, monkeypatch):
    write_site(PAGES, tmp_path / "public")
    before = tree(tmp_path)

    def full(self, *arguments, **settings):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    message = (
        f"cannot write the site to {tmp_path / 'public'}: No space left on device; free space or name another folder"
    )
    with pytest.raises(UnusableFileError, match=f"^{re.escape(message)}$"):
        write_site({"index.html": "newer"}, tmp_path / "public")
    with pytest.raises(UnusableFileError, match="No space left on device"):
        write_site(PAGES, tmp_path / "another")
    assert tree(tmp_path) == before
    assert not (tmp_path / "another").exists()


@pytest.mark.parametrize("moves", range(5))
def test_a_kill_at_any_time_leaves_a_site_and_the_next_run_mends_it(tmp_path, monkeypatch, moves):
    old = {"index.html": "old", "methods/rule/b-v2.html": "b"}
    write_site(old, tmp_path)
    done = []

    def killed(source, target):
        if len(done) == moves:
            raise KeyboardInterrupt
        done.append(target)
        move(source, target)

    move = _folder._move
    with monkeypatch.context() as patch:
        patch.setattr(_folder, "_move", killed)
        if moves < 4:
            with pytest.raises(KeyboardInterrupt):
                write_site(PAGES, tmp_path)
    left = tree(tmp_path)
    assert left["index.html"] in {"old", "new"}
    assert left["index.html"] == "new" or "methods/rule/b-v2.html" in left
    assert left["index.html"] == "old" or "methods/rule/a-v2.html" in left
    (tmp_path / ".mitobench-site.1234").mkdir()
    write_site(PAGES, tmp_path)
    assert set(tree(tmp_path)) == {*PAGES, ".mitobench-site"}
    assert not (tmp_path / ".mitobench-site.1234").exists()


def test_the_command_writes_the_site(tmp_path, capsys):
    folder = tmp_path / "entries/mitoem-2020"
    folder.mkdir(parents=True)
    measured("Ours", 2).to_json(folder / "ours-v2.json")
    out = tmp_path / "public"
    assert main(["leaderboard", "site", "--entries", str(folder.parent), "-o", str(out)]) == 0
    assert capsys.readouterr() == (f"{out / 'index.html'}: 4 pages\n", "")
    assert set(tree(out)) == {
        ".mitobench-site", "index.html", "compare.html", "submit.html", "methods/mitoem-2020/ours-v2.html",
    }  # fmt: skip


def test_the_command_shows_the_entries_that_ship(tmp_path, capsys):
    assert main(["leaderboard", "site", "-o", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""
    assert "U3D-BC+MW" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_the_command_refuses_a_folder_before_it_reads_anything(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["leaderboard", "site", "--entries", str(tmp_path / "absent"), "-o", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"mitobench: error: cannot write the site to {tmp_path}: it holds 'mine.txt' and is no site that mitobench "
        "made; name a new or an empty folder\n"
    )
    assert main(["leaderboard", "site", "-o", str(tmp_path / "absent/public")]) == 2
    assert capsys.readouterr().err == (
        f"mitobench: error: cannot make {tmp_path}/absent/public: the folder {tmp_path}/absent does not exist; create "
        "it first\n"
    )
