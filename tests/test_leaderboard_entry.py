"""Cards, entries and boards: what goes in comes out, and nothing else gets in."""

import copy
import functools
import json
import random
import re
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from leaderboard_entries import RULE, measured_entry, published_entry

from leaderboard.board import boards
from leaderboard.card import MethodCard
from leaderboard.challenger import challenger_table
from leaderboard.entry import ENTRY_VERSION, Entry, File, Task, slug
from leaderboard.platform import phase_settings, platform_metrics, value_at
from leaderboard.ranking import rank_board
from leaderboard.stability import rank_stability
from mitobench.errors import InvalidInputError, UnusableFileError
from mitobench.rules import RULES

HOSTILE = (
    "<script>alert(1)</script>",
    "'; DROP TABLE entries; --",
    '"quoted", and \\back\\slashed',
    "=HYPERLINK(1)",
    "../../etc/passwd",
    "線粒體 Μιτοχόνδριο",
    "é",
    "+++",
    "x" * 100,
)


def refused(message, error=InvalidInputError):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


@functools.cache
def measured():
    """Return an entry with everything in it, its long tables cut short."""
    entry = measured_entry("U2D-B+CC", 0.7, team="Blue")
    files = (File("0_human_instance_seg_pred.h5", 123, "ab" * 32),)
    return replace(entry, files=files, remark="a trial").without_instances()


FIELDS = "method, team, authors, description, code, paper, command"
LINES = 'expected lines such as method = "..."'

# Cards.


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_every_kind_survive(name, tmp_path):
    entry = published_entry(name, team=name)
    entry.to_json(tmp_path / "e.json")
    again = Entry.from_json(tmp_path / "e.json")
    assert again == entry
    assert again.card.method == name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", again.key)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method": ""}, "a method card needs the name of the method; got none"),
        ({"method": "   "}, "a method card needs the name of the method; got none"),
        ({"team": "Blue"}, "a method card needs the name of the method; got none"),
        ({"method": 3}, "method of a method card is 3; allowed: text"),
        ({"method": "x" * 10_000}, "method of a method card has 10,000 characters; allowed: up to 100"),
        ({"method": "a\nb"}, "method of a method card holds the invisible character U+000A; remove it"),
        ({"method": "a\u202eb"}, "method of a method card holds the invisible character U+202E; remove it"),
        ({"method": "a", "team": "b\x1b[2J"}, "team of a method card holds the invisible character U+001B; remove it"),
        ({"method": "a", "team": "\u200b"}, "team of a method card holds the invisible character U+200B; remove it"),
        ({"method": "a", "code": "javascript:alert(1)"},
         "code of a method card is 'javascript:alert(1)'; allowed: an address that starts with https://"),
        ({"method": "a", "authers": "b"},
         f"a method card has no field 'authers', did you mean 'authors'?; allowed: {FIELDS}"),
    ],
)  # fmt: skip
def test_cards_that_could_fool_a_reader_are_refused(values, message):
    with refused(message):
        MethodCard.from_dict(values)


def test_a_card_is_read_from_toml(tmp_path):
    path = tmp_path / "card.toml"
    path.write_text('method = "U2D"\ndescription = """two\nlines"""\npaper = "https://example.org/x"\n')
    assert MethodCard.from_toml(path) == MethodCard(
        method="U2D", description="two\nlines", paper="https://example.org/x"
    )


@pytest.mark.parametrize(
    ("content", "message", "error"),
    [
        (b"method = U2D", f"not TOML (Invalid value (at line 1, column 10)); {LINES}", UnusableFileError),
        (b'method = "\xff"',
         f"not TOML ('utf-8' codec can't decode byte 0xff in position 10: invalid start byte); {LINES}",
         UnusableFileError),
        (None, "cannot be read (No such file or directory); check the path", UnusableFileError),
        (b"[method]\na = 1", "method of a method card is {'a': 1}; allowed: text", InvalidInputError),
    ],
)  # fmt: skip
def test_files_that_are_no_cards_are_refused(tmp_path, content, message, error):
    path = tmp_path / "card.toml"
    if content is not None:
        path.write_bytes(content)
    with refused(f"{path}: {message}", error):
        MethodCard.from_toml(path)


@given(st.text(max_size=200))
@example("\u200f")
@example("a" * 101)
def test_a_name_is_kept_as_it_is_or_refused(name):
    try:
        card = MethodCard(method=name)
    except InvalidInputError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert card.method == name
    assert name.isprintable() or any(ord(character) > 127 for character in name)


# Names of files.


@given(st.text(max_size=300))
def test_a_slug_is_part_of_a_file_name_everywhere(text):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug(text))
    assert len(slug(text)) <= 160
    assert slug(slug(text)) == slug(text) or len(text) > 150


def test_slugs_of_names_that_lose_letters_differ():
    names = ["線粒體", "線粒", "線粒體 1", "線-net", "粒-net", "x" * 151, "x" * 152, "x" * 150 + "y"]
    assert len(set(map(slug, names))) == len(names)
    assert slug("x" * 150) == "x" * 150


def test_a_key_names_what_is_not_usual_in_a_task():
    keys = [
        published_entry("m", **task).key
        for task in ({}, {"part": "val"}, {"dataset": "test"}, {"protocol": "budget-5"}, {"annotation": "v1"})
    ]
    assert keys == ["m-v2", "m-v2-val", "m-v2-test", "m-v2-budget-5", "m-v1"]


@pytest.mark.parametrize("value", ["", " x", "../x", "a/b", "x" * 61, "v2\n", 2])
def test_tasks_are_of_plain_characters(value):
    message = f"annotation of a task is {value!r}; allowed: up to 60 letters, digits, spaces and . _ + -"
    with refused(message):
        Task(annotation=value)


# Entries.


def test_an_entry_survives_dictionaries_and_files(tmp_path):
    for entry in (measured(), published_entry("x", None, created="2026-11-23"), published_entry("x", 1)):
        assert Entry.from_dict(entry.to_dict()) == entry
        entry.to_json(tmp_path / "e.json")
        assert Entry.from_json(tmp_path / "e.json") == entry
        assert Entry.from_json(tmp_path / "e.json").to_dict() == entry.to_dict()


def test_a_published_entry_may_hold_frozen_mappings():
    entry = published_entry("x")
    frozen = replace(entry, result=replace(entry.result, overall=MappingProxyType(entry.result.overall)))
    assert Entry.from_dict(frozen.to_dict()) == entry


def test_an_entry_reads_its_result():
    entry, other = measured(), published_entry("x", 0.5)
    assert (entry.kind, other.kind) == ("measured", "published")
    assert entry.score == entry.overall("ap_75") == entry.report.overall["ap_75"]
    assert entry.value("MitoEM-R", "ap_75") == entry.report.volumes[1].metrics["ap_75"]["all"]
    assert entry.overall_interval("ap_75") == entry.report.overall_intervals["ap_75"]
    assert (other.report, other.overall_interval("ap_75"), other.value("MitoEM-H", "ap_50")) == (None, None, None)
    assert (other.volumes, other.metrics, other.value("no", "ap_75")) == (("MitoEM-H", "MitoEM-R"), ("ap_75",), None)
    assert all(volume.instances == {} for volume in entry.report.volumes)
    assert entry.without_instances() == entry
    assert other.without_instances() is other


@pytest.mark.parametrize("created", ["yesterday", "2026-13-01", "12:00"])
def test_a_time_is_one(created):
    message = f"created of an entry is {created!r}; allowed: a date or time of ISO 8601, such as 2026-11-23"
    with refused(message):
        published_entry("x", created=created)


def test_two_volumes_of_one_name_are_refused():
    first, second = measured().result.volumes
    twice = replace(measured().result, volumes=(first, replace(second, name=first.name)))
    with refused("two volumes of an entry have the same name; each needs its own"):
        replace(measured(), result=twice)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"entry_version": "1"}, "entry.entry_version is '1', expected a number"),
        ({"card": ["U2D"]}, "entry.card is ['U2D'], expected names with values"),
        ({"task": {"dataset": "MitoEM", "color": "red"}}, "a task has no color"),
        ({"files": [{"name": "a", "size": 1.5, "sha256": ""}]}, "entry.files.size is 1.5, expected a whole number"),
        ({"published": None, "report": None}, "either a report or published numbers belong in it"),
        ({"published": []}, "published is [], expected names with values"),
    ],
)
def test_what_is_no_entry_is_refused_with_the_place(change, reason):
    values = published_entry().to_dict() | change
    with refused(f"not a leaderboard entry ({reason}); expected an entry of `mitobench leaderboard score`"):
        Entry.from_dict(values)


def test_an_entry_of_a_newer_version_is_refused():
    values = published_entry().to_dict() | {"entry_version": ENTRY_VERSION + 1}
    with refused(f"the entry has version {ENTRY_VERSION + 1}, this mitobench reads up to 1; upgrade mitobench"):
        Entry.from_dict(values)


WRONG = (None, True, -1, 10**400, 1e308, "", "x\u202e", "2026-01-01", [], [None], [[]], {}, {"": {}}, {"all": "x"})


def places(value, path=()):
    """Yield the path of every value inside, but of long lists the first only."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def mutated(values, rng):
    """Return a copy in which one to three values are replaced, removed, or moved elsewhere."""
    values = copy.deepcopy(values)
    for _ in range(rng.randint(1, 3)):
        paths = list(places(values))
        *parents, last = rng.choice(paths)
        holder = functools.reduce(lambda inner, key: inner[key], parents, values)
        action = rng.choice(("replace", "remove", "rename", "copy"))
        if action == "remove":
            del holder[last]
        elif action == "rename" and isinstance(holder, dict):
            holder[rng.choice(("", "extra", "all", "x" * 500))] = holder.pop(last)
        elif action == "copy":
            holder[last] = copy.deepcopy(functools.reduce(lambda inner, key: inner[key], rng.choice(paths), values))
        else:
            holder[last] = rng.choice(WRONG)
    return values


@pytest.mark.parametrize("kind", ["measured", "published"])
def test_mutated_entries_are_refused_or_good(kind, tmp_path):
    values = measured().to_dict() if kind == "measured" else published_entry().to_dict()
    others = measured_entry("a", 0.8), measured_entry("b", 0.6)
    rng, good = random.Random(7), 0  # noqa: S311
    for _ in range(300):
        spoiled = mutated(values, rng)
        (tmp_path / "e.json").write_text(json.dumps(spoiled))
        try:
            entry = Entry.from_json(tmp_path / "e.json")
        except (InvalidInputError, UnusableFileError) as error:
            assert len(str(error)) < 1500  # noqa: PT017
            continue
        good += 1
        assert Entry.from_dict(entry.to_dict()) == entry
        # Whatever got in can be read by all that follows.
        (board,) = boards([entry])
        everything = replace(board, entries=(entry, *others))
        assert rank_board(everything).standings
        assert rank_stability(everything) is not None
        assert challenger_table(everything).rows
        assert value_at(platform_metrics(entry), phase_settings(board.rank_by).score.path) == entry.score
    assert 20 < good < 280


# Boards.


def test_entries_of_a_rule_and_a_task_make_a_board_the_best_first():
    entries = [
        published_entry("low", 0.2),
        published_entry("none", None),
        published_entry("high", 0.9),
        published_entry("other", 0.9, rule=RULES["coco"]),
        published_entry("b", 0.9),
        published_entry("val", 0.5, part="val"),
        published_entry("v1", 0.5, annotation="v1"),
    ]
    found = boards(entries)
    assert [(board.rule, board.task.label, [entry.card.method for entry in board.entries]) for board in found] == [
        ("coco", "MitoEM test, annotation v2", ["other"]),
        ("mitoem-2020", "MitoEM test, annotation v1", ["v1"]),
        ("mitoem-2020", "MitoEM test, annotation v2", ["b", "high", "low", "none"]),
        ("mitoem-2020", "MitoEM val, annotation v2", ["val"]),
    ]
    assert {board.rank_by for board in found} == {"ap_75"}
    assert boards([]) == ()
    assert boards(reversed(entries)) == found


def test_a_board_knows_the_volumes_of_all_entries():
    one = measured_entry("one", 0.7, seeds=(1,))
    (board,) = boards([one, measured_entry("two", 0.8)])
    assert board.volumes == ("MitoEM-H", "MitoEM-R")
    assert board.rule == RULE.label


# What the platform sees.


def test_the_platform_sees_numbers_only_under_keys_without_dots():
    metrics = json.loads(json.dumps(platform_metrics(measured()), allow_nan=False))
    assert set(metrics) == {"case", "aggregates"}
    assert set(metrics["case"]) == {"human", "rat"}
    leaves = [value for by_metric in metrics["case"].values() for by in by_metric.values() for value in by.values()]
    assert all(isinstance(value, int | float) for value in [*leaves, *metrics["aggregates"].values()])
    keys = {*metrics["aggregates"], *metrics["case"]["human"], *metrics["case"]["human"]["ap_75"]}
    assert not [key for key in keys if "." in key]
    low, high = measured().overall_interval("ap_75")
    assert metrics["aggregates"]["ap_75_error"] == pytest.approx((high - low) / 2)


def test_every_column_of_the_settings_leads_to_a_number_where_it_is_defined():
    settings, metrics = phase_settings("ap_75"), platform_metrics(measured())
    undefined = {column.path for column in settings.extra if value_at(metrics, column.path) is None}
    assert undefined == {f"case.{key}.ap_75.{bucket}" for key in ("human", "rat") for bucket in ("medium", "large")}
    assert value_at(metrics, settings.score.path) == measured().score
    assert value_at(metrics, settings.score.error_path) is not None
    assert all(column.exclude_from_ranking for column in settings.extra)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (0, 0),
        (0.5, 0.5),
        (10**400, 10**400),
        (True, None),
        ("0.5", None),
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        ([1], None),
        ({"b": 1}, None),
    ],
)
def test_only_finite_numbers_are_ranked(value, found):
    assert value_at({"a": value}, "a") == found
    assert value_at({"a": value}, "a.x") is None
    assert value_at({"a": value}, "") is None
