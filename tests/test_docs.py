"""Every command and every Python block of the README and of docs/ runs, in a folder with a small pair."""

import re
import shlex
from pathlib import Path

import pytest

from mitobench.cli import main

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# What the test runner itself is started by, and what is not for a test to install.
NOT_HERE = ("make ", "pip ", "git ")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def commands(page):
    for block in blocks(page, "console"):
        for line in block.splitlines():
            assert line.startswith("$ "), f"{page.name}: {line!r} is no command"
            if not line.startswith(tuple(f"$ {word}" for word in NOT_HERE)):
                yield shlex.split(line[2:])


@pytest.fixture
def pair(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["phantom", "make", ".", "--shape", "20,128,128"]) == 0


@pytest.mark.parametrize("page", [p for p in PAGES if any(commands(p))], ids=lambda p: p.stem)
def test_commands_run(page, pair, capsys):
    for program, *arguments in commands(page):
        assert program == "mitobench"
        assert main(arguments) == 0, arguments
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=lambda p: p.stem)
def test_python_blocks_run(page, pair):
    seen = {}
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), seen)  # noqa: S102 - our own documentation


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
