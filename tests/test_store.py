"""Folders of entries: what is in them stays in them, whoever else writes there."""

import errno
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from leaderboard_entries import RULE, measured_entry, published_entry, report

from leaderboard.entry import Entry, Task, slug
from leaderboard.published import published_entries
from leaderboard.store import SHIPPED, add_all, add_entry, entry_path, is_writable, load_entries
from mitobench.cli import main
from mitobench.errors import InvalidInputError, UnusableFileError
from mitobench.published import PUBLISHED, PUBLISHED_METRIC, PUBLISHED_SOURCE
from mitobench.rules import RULES

ROOT = Path(__file__).parent.parent


def files(folder):
    """Return every file below a folder, hidden ones too."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def refused(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def test_what_is_added_is_loaded(tmp_path):
    entries = [
        published_entry("線粒體"),
        published_entry("U2D", part="val"),
        published_entry("U2D", rule=RULES["coco"]),
        published_entry("U2D"),
    ]
    paths = [add_entry(tmp_path, entry) for entry in entries]
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        f"mitoem-2020/{slug('線粒體')}-v2.json",
        "mitoem-2020/u2d-v2-val.json",
        "coco/u2d-v2.json",
        "mitoem-2020/u2d-v2.json",
    ]
    assert len(files(tmp_path)) == 4
    assert sorted(load_entries(tmp_path), key=repr) == sorted(entries, key=repr)


def test_a_measured_entry_keeps_every_digit(tmp_path):
    entry = measured_entry("U2D", 0.7)
    path = add_entry(tmp_path, entry)
    assert load_entries(tmp_path) == (entry,)
    assert json.loads(path.read_text()) == entry.to_dict()
    assert max(map(len, path.read_text().splitlines())) > 1000, "lists of numbers stay in one line"


def test_a_second_result_of_a_method_is_refused_unless_it_is_to_replace_the_first(tmp_path):
    first = published_entry("U2D", 0.5, team="Blue", created="2026-01-02")
    path = add_entry(tmp_path, first)
    second = published_entry("U2D", 0.6)
    message = (
        f"{path}: U2D of Blue (MitoEM test, annotation v2, 2026-01-02) is there already; --replace puts the new "
        "result in its place"
    )
    for add in (lambda: add_entry(tmp_path, second), lambda: add_all(tmp_path, [published_entry("new"), second])):
        with refused(InvalidInputError, message):
            add()
    assert load_entries(tmp_path) == (first,)
    add_entry(tmp_path, second, replace=True)
    assert load_entries(tmp_path) == (second,)
    assert files(tmp_path) == ["mitoem-2020/u2d-v2.json"]


def test_two_names_that_look_alike_in_a_file_name_are_told_apart_by_the_message(tmp_path):
    path = add_entry(tmp_path, published_entry("U2D-B+CC"))
    message = (
        f"{path}: U2D-B+CC (MitoEM test, annotation v2) is there already; --replace puts the new result in its place"
    )
    with refused(InvalidInputError, message):
        add_entry(tmp_path, published_entry("u2d b cc"))
    with refused(InvalidInputError, "A (MitoEM test, annotation v2) is to be added twice; leave one of them out"):
        add_all(tmp_path / "other", [published_entry("a"), published_entry("A")])
    path.write_text("{")
    with refused(
        InvalidInputError, message.replace("U2D-B+CC (MitoEM test, annotation v2)", "a file that is no entry")
    ):
        add_entry(tmp_path, published_entry("U2D-B+CC"))


def _spoil(folder, how):
    """Spoil a folder that holds one entry, and return the file to blame."""
    good = folder / "mitoem-2020" / "u2d-v2.json"
    if how == "moved":
        return good.rename(folder / "mitoem-2020" / "other.json")
    if how == "other rule":
        (folder / "coco").mkdir()
        return good.rename(folder / "coco" / good.name)
    if how in {"broken", "list", "no rule"}:
        good.write_text({"broken": '{"entry', "list": "[1]", "no rule": "{}"}[how])
        return good
    stray = {"text": "notes.txt", "deep": "mitoem-2020/deep", "beside": "mitoem-2020/a.txt"}[how]
    (folder / stray).mkdir() if how == "deep" else (folder / stray).write_text("x")
    return folder / stray


STRAY = "is no entry; in a folder of entries there are only RULE/METHOD.json, as `mitobench leaderboard add` names it"
MOVED = "holds U2D (MitoEM test, annotation v2), which belongs into DIR/mitoem-2020/u2d-v2.json; move it there"
UNNAMED = "MitoEM-H has sections of 128 x 128 voxels, and MitoEM of 4096 x 4096; name the data with --dataset"
REPORT = "expected the JSON that `mitobench evaluate --json` writes"
EXPECTED = "expected an entry of `mitobench leaderboard score`"


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("moved", MOVED),
        ("other rule", MOVED),
        ("broken", f"not JSON; {EXPECTED}"),
        ("list", f"not a leaderboard entry (entry is [1], expected names with values); {EXPECTED}"),
        ("no rule", f"not a leaderboard entry (entry.entry_version is missing); {EXPECTED}"),
        ("text", STRAY),
        ("deep", STRAY),
        ("beside", STRAY),
    ],
)
def test_what_is_out_of_place_is_named(tmp_path, how, message):
    add_entry(tmp_path, published_entry())
    path = _spoil(tmp_path, how)
    with refused((InvalidInputError, UnusableFileError), f"{path}: {message.replace('DIR', str(tmp_path))}"):
        load_entries(tmp_path)


def test_hidden_files_are_passed_over_and_folders_may_be_empty(tmp_path):
    assert load_entries(tmp_path) == ()
    add_entry(tmp_path, published_entry())
    (tmp_path / ".notes").write_text("x")
    (tmp_path / "mitoem-2020" / ".u2d-v2.json.01234567.json").write_text('{"half')
    assert load_entries(tmp_path) == (published_entry(),)


def test_a_folder_that_is_not_there_is_said(tmp_path):
    expected = "expected a folder that `mitobench leaderboard add` filled"
    with refused(UnusableFileError, f"{tmp_path}/no: cannot be read (No such file or directory); {expected}"):
        load_entries(tmp_path / "no")
    (tmp_path / "file").write_text("")
    with refused(UnusableFileError, f"{tmp_path}/file: cannot be read (Not a directory); {expected}"):
        load_entries(tmp_path / "file")


def test_a_result_may_be_in_one_folder_only(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    first, second = (add_entry(folder, published_entry()) for folder in (a, b))
    with refused(InvalidInputError, f"{second}: this result is in {first} too; remove one of the two files"):
        load_entries(a, b)
    assert load_entries(a, a) == (published_entry(),)


def test_a_label_is_that_of_the_settings(tmp_path):
    entry = published_entry()
    lying = replace(entry, result=replace(entry.result, rule={**entry.result.rule, "min_gt_size": 2000}))
    message = (
        "the rule is labelled 'mitoem-2020', but its settings are those of 'mitoem-2020 with min_gt_size=2000'; score "
        "it again with this version of mitobench"
    )
    with refused(InvalidInputError, message):
        add_entry(tmp_path, lying)
    assert files(tmp_path) == []
    path = add_entry(tmp_path, entry)
    path.write_text(lying.to_json())
    with refused(InvalidInputError, f"{path}: {message}"):
        load_entries(tmp_path)


def test_two_rules_of_one_name_are_not_mixed(tmp_path):
    own = replace(RULES["coco"], name="own")
    first = add_entry(tmp_path, published_entry("a", rule=own))
    second = add_entry(tmp_path, published_entry("b", rule=replace(own, min_gt_size=5)))
    message = f"{second}: its rule is called 'own' as another one in {first}; give one of them another name"
    with refused(InvalidInputError, message):
        load_entries(tmp_path)


def test_a_publication_need_not_spell_out_the_rule_that_it_names(tmp_path):
    entry = published_entry()
    rule = {key: entry.rule[key] for key in ("name", "label", "rank_by", "source")}
    short = replace(entry, result=replace(entry.result, rule=rule))
    add_entry(tmp_path, short)
    add_entry(tmp_path, published_entry("other"))
    assert len(load_entries(tmp_path)) == 2


def test_what_could_not_be_read_again_is_not_written(tmp_path):
    entry = published_entry(score=float("nan"))
    with pytest.raises(InvalidInputError, match=r"published\.scores\.MitoEM-H\.ap_75\.all is nan, expected a number"):
        add_entry(tmp_path, entry)
    assert files(tmp_path) == []


def test_a_long_name_makes_a_file_name_that_every_disk_takes(tmp_path):
    entry = published_entry("x" * 100, dataset="d" * 60, part="p" * 60, annotation="a" * 60, protocol="q" * 60)
    other = replace(entry, task=replace(entry.task, protocol="q" * 59 + "r"))
    add_all(tmp_path, [entry, other])
    assert len(load_entries(tmp_path)) == 2


def test_a_full_disk_is_a_clear_line_and_leaves_nothing(tmp_path, monkeypatch):
    def full(self, text, **options):
        self.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    path = entry_path(tmp_path / "new", published_entry())
    message = f"cannot write {path}: No space left on device; free space or name another folder"
    with refused(UnusableFileError, message):
        add_entry(tmp_path / "new", published_entry())
    assert list(tmp_path.iterdir()) == []


def _add(folder, method, start, outcomes):
    start.wait()
    try:
        add_entry(folder, published_entry(method, team=str(os.getpid())))
        outcomes.put((method, "added"))
    except InvalidInputError as error:
        outcomes.put((method, str(error)))


def test_processes_that_add_at_once_lose_nothing_and_one_of_equals_wins(tmp_path):
    # Processes are forked from one that has no threads.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["leaderboard.store", "mitobench.evaluate", "pytest"])
    methods = [f"m{k}" for k in range(8)] + ["same"] * 4
    start, outcomes = context.Barrier(len(methods)), context.Queue()
    workers = [context.Process(target=_add, args=(tmp_path / "new", m, start, outcomes)) for m in methods]
    for worker in workers:
        worker.start()
    found = [outcomes.get(timeout=60) for _ in methods]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert sorted(method for method, outcome in found if outcome == "added") == sorted(set(methods))
    losers = [outcome for _, outcome in found if outcome != "added"]
    assert len(losers) == 3
    assert all("is there already; --replace puts the new result in its place" in outcome for outcome in losers)
    assert sorted(entry.card.method for entry in load_entries(tmp_path / "new")) == sorted(set(methods))
    assert len(files(tmp_path / "new")) == 9, "no temporary file is left"


def test_killed_at_any_moment_no_half_file_has_a_name(tmp_path):
    """The child says when it is about to write and when half of it is written, and is killed there."""
    code = (
        "import pathlib, sys, time\n"
        "from leaderboard.store import add_entry\n"
        "from leaderboard_entries import published_entry\n"
        "def half(self, text, **options):\n"
        "    with self.open('w') as file:\n"
        "        file.write(text[:100]); file.flush(); print('half', flush=True); time.sleep(60)\n"
        "pathlib.Path.write_text = half\n"
        "add_entry(sys.argv[1], published_entry())\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, cwd=ROOT / "tests", text=True
    )
    assert child.stdout.readline() == "half\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert [Path(name).name[:13] for name in files(tmp_path)] == [".u2d-v2.json."]
    assert load_entries(tmp_path) == ()
    add_entry(tmp_path, published_entry())
    assert load_entries(tmp_path) == (published_entry(),)


def test_the_shipped_entries_are_the_published_results_to_the_digit(tmp_path):
    add_all(tmp_path, published_entries())
    assert files(SHIPPED) == files(tmp_path), "write them with add_all(SHIPPED, published_entries(), replace=True)"
    for name in files(SHIPPED):
        assert (SHIPPED / name).read_text() == (tmp_path / name).read_text(), name
    assert len(files(SHIPPED)) == len(PUBLISHED)


def test_the_published_entries_say_what_was_published():
    for entry, result in zip(published_entries(), PUBLISHED, strict=True):
        assert (entry.kind, entry.created, entry.files) == ("published", "", ())
        assert entry.card.method == result.method
        assert entry.task == Task(annotation=result.annotation)
        assert entry.score == result.overall
        assert {name: {b: entry.value(name, PUBLISHED_METRIC, b) for b in scores} for name, scores in
                result.scores.items()} == {name: dict(scores) for name, scores in result.scores.items()}  # fmt: skip
        assert entry.result.source == PUBLISHED_SOURCE
        assert entry.rule["label"] == "mitoem-2020"
    remarks = [entry.remark for entry in published_entries()]
    assert remarks == ["", "", "old implementation", "updated implementation"]


def test_the_shipped_entries_are_in_the_wheel():
    """They lie in a package that is shipped whole, and git does not ignore them."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert SHIPPED.relative_to(ROOT).parts[0] in wheel["packages"]
    assert not wheel.keys() & {"include", "exclude", "only-include"}
    command = ["git", "check-ignore", *SHIPPED.rglob("*.json")]
    ignored = subprocess.run(command, check=False, cwd=ROOT, capture_output=True)
    assert ignored.stdout == b""


def test_shipped_entries_can_be_added_to_in_a_clone_only(tmp_path, monkeypatch, capsys):
    assert is_writable(SHIPPED)
    installed = tmp_path / "site-packages" / "leaderboard" / "entries"
    shutil.copytree(SHIPPED, installed)
    monkeypatch.setattr("leaderboard.store.SHIPPED", installed)
    assert not is_writable(installed)
    assert is_writable(tmp_path)
    published_entry().to_json(tmp_path / "e.json")
    assert main(["leaderboard", "add", str(tmp_path / "e.json")]) == 2
    assert capsys.readouterr().err == (
        f"mitobench: error: {installed}: these entries ship with mitobench, and an upgrade would undo what is added to "
        "them; name a folder of your own with --entries DIR\n"
    )
    assert files(installed) == files(SHIPPED)


def test_the_command_adds_entries_and_prints_where(tmp_path, capsys):
    entries = [published_entry("a"), measured_entry("b", 0.7)]
    names = [str(tmp_path / f"{k}.json") for k in range(2)]
    for entry, name in zip(entries, names, strict=True):
        entry.to_json(name)
    folder = tmp_path / "results"
    assert main(["leaderboard", "add", *names, "--entries", str(folder), "--without-instances"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == [str(entry_path(folder, entry)) for entry in entries]
    assert set(load_entries(folder)[1].report.volumes[0].instances) == set()
    assert load_entries(folder) == (entries[0], entries[1].without_instances())
    assert main(["leaderboard", "add", names[0], "--entries", str(folder)]) == 2
    assert "is there already; --replace puts" in capsys.readouterr().err
    assert main(["leaderboard", "add", *names, "--entries", str(folder), "--replace"]) == 0
    assert load_entries(folder) == tuple(entries)


def test_the_command_makes_an_entry_of_a_report_and_a_card(tmp_path):
    report(0.7).to_json(tmp_path / "r.json")
    (tmp_path / "card.toml").write_text('method = "Mine"\nteam = "Blue"\n')
    command = ["leaderboard", "add", str(tmp_path / "r.json"), "--entries", str(tmp_path / "new")]
    assert main([*command, "--card", str(tmp_path / "card.toml"), "--dataset", "EPFL", "--created", "2026-11-23"]) == 0
    (entry,) = load_entries(tmp_path / "new")
    assert (entry.card.method, entry.card.team, entry.created) == ("Mine", "Blue", "2026-11-23")
    assert (entry.task, entry.result, entry.files) == (Task(dataset="EPFL"), report(0.7), ())
    # Nobody says that these are other data, and their sections are as large as those of MitoEM.
    volumes = tuple(replace(volume, shape=(100, 4096, 4096)) for volume in report(0.7).volumes)
    replace(report(0.7), volumes=volumes).to_json(tmp_path / "r.json")
    assert main([*command, "--method", "Other", "--part", "val"]) == 0
    assert load_entries(tmp_path / "new")[1].task == Task(part="val")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("r.json", [], "DIR/r.json: is a report, which does not say whose it is; give --card FILE or --method NAME"),
        ("e.json", ["--method", "x"], "DIR/e.json: is an entry, which says so itself; leave out --method"),
        (
            "r.json",
            ["--method", "x", "--part", "val"],
            f"DIR/r.json: {UNNAMED}",
        ),
        ("e.json", ["--part", "val"], "DIR/e.json: is an entry, which says so itself; leave out --part"),
        ("no.json", [], "DIR/no.json: cannot be read (No such file or directory); check the path"),
        ("c.json", ["--method", "x"], f"DIR/c.json: not a mitobench report (key 'rule' is missing); {REPORT}"),
        (
            "r.json",
            ["--method", "x", "--created", "today"],
            "DIR/r.json: created of an entry is 'today'; allowed: a date or time of ISO 8601, such as 2026-11-23",
        ),
        (
            "r.json",
            ["--method", "x", "--part", "../up"],
            "DIR/r.json: part of a task is '../up'; allowed: up to 60 letters, digits, spaces and . _ + -",
        ),
    ],
)
def test_the_command_refuses_what_it_cannot_add_before_it_adds_anything(tmp_path, capsys, name, options, message):
    report(0.7).to_json(tmp_path / "r.json")
    published_entry().to_json(tmp_path / "e.json")
    (tmp_path / "c.json").write_text('{"schema_version": 1}')
    # Without options that belong to a report, a good entry comes first.
    first = [] if options else [str(tmp_path / "e.json")]
    command = ["leaderboard", "add", *first, str(tmp_path / name), "--entries", str(tmp_path / "new"), *options]
    assert main(command) == 2
    assert capsys.readouterr().err == f"mitobench: error: {message.replace('DIR', str(tmp_path))}\n"
    assert not (tmp_path / "new").exists()


def test_the_rule_of_the_tests_is_named_by_its_settings():
    assert entry_path("x", measured_entry("b", 0.7)) == Path("x/mitoem-2020-with-iou-thresholds-0-75/b-v2-val.json")
    assert RULE.label == "mitoem-2020 with iou_thresholds=(0.75,)"
    assert Entry.from_dict(measured_entry("b", 0.7).to_dict()) == measured_entry("b", 0.7)
