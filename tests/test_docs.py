"""Every command and every Python block of the README and of docs/ runs, in a folder with a small pair."""

import os
import re
import shlex
from pathlib import Path

import pytest

from mitobench.cli import main

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("MITOBENCH_DATA", ROOT.parent / "shared" / "data"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# What the test runner itself is started by, and what is not for a test to install.
NOT_HERE = ("make ", "pip ", "git ")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def steps(page):
    """Yield the blocks of a page from top to bottom: a command as a list of words, a piece of Python as one text."""
    for language, block in re.findall(
        r"^```(console|python)\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL
    ):
        if language == "python":
            yield block
            continue
        for line in block.splitlines():
            assert line.startswith("$ "), f"{page.name}: {line!r} is no command"
            if not line.startswith(tuple(f"$ {word}" for word in NOT_HERE)):
                yield shlex.split(line[2:])


@pytest.fixture
def pair(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["phantom", "make", ".", "--shape", "20,128,128"]) == 0


@pytest.mark.parametrize("page", [p for p in PAGES if any(steps(p))], ids=lambda p: p.stem)
def test_a_page_runs_from_top_to_bottom(page, pair, capsys):
    seen = {}
    for step in steps(page):
        if isinstance(step, str):
            exec(compile(step, page.name, "exec"), seen)  # noqa: S102 - our own documentation
        else:
            program, *arguments = step
            assert program == "mitobench"
            assert main(arguments) == 0, arguments
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"], ids=lambda p: p.stem)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_readme_names_the_two_commands_that_the_makefile_has():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    first = blocks(ROOT / "README.md", "console")[0].split("\n")[:2]
    assert first == ["$ make demo", "$ make test"]
    assert {"demo", "test"} <= set(targets)
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_the_tutorial_runs_on_real_tissue(tmp_path, monkeypatch):
    real = DATA / "epfl" / "testing_aniso10x10x30nm.h5"
    if not real.is_file():
        pytest.skip(f"{real.name} is not there: set MITOBENCH_DATA to the folder of shared data")
    monkeypatch.chdir(tmp_path)
    Path("data.toml").write_text(
        f"""
name = "EPFL hippocampus"
[[volumes]]
name = "testing"
image = '{real}::image'
labels = '{real}::label'
voxel_size = [30, 10, 10]
split = "full"
"""
    )
    seen = {}
    for block in blocks(ROOT / "docs" / "tutorial.md", "python"):
        exec(compile(block, "tutorial.md", "exec"), seen)  # noqa: S102 - our own documentation
    assert seen["volume"].sections("test") == range(14, 28)
    assert 0 < seen["report"].overall["f1_50"] < 1
    assert Path("experiment.html").read_text().startswith("<!doctype html>")
