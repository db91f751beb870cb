"""Who may import whom: the house of docs/design.md, read off the imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "mitobench"

# A room -> the rooms that it may import, besides itself.
ALLOWED = {
    "errors": set(),
    "types": set(),
    "files": {"errors", "types"},
    "archives": set(),
    "volumes": {"workers", "errors", "types", "files"},
    "workers": set(),
    "_compiled": set(),
    "overlap": {"workers", "errors", "types", "volumes", "_compiled"},
    "pieces": {"workers", "errors", "types", "volumes", "overlap", "_compiled"},
    "rules": {"errors", "types"},
    "strata": {"errors", "types"},
    "_tables": {"errors", "types"},
    "json_files": {"errors", "types", "files"},
    "scores": {"errors", "types", "_tables", "volumes", "overlap"},
    "cable": {"workers", "errors", "types", "files", "_tables", "overlap"},
    "associations": {"errors", "types"},
    "matching": {"errors", "types", "overlap", "rules", "strata", "associations"},
    "resampling": {"errors", "types", "overlap", "matching"},
    "metrics": {
        "errors", "types", "overlap", "rules", "strata", "associations", "matching", "resampling", "_compiled",
    },
    "uncertainty": {"workers", "errors", "types", "overlap", "strata", "matching", "metrics", "resampling"},
    "report": {"errors", "types", "files", "json_files", "render"},
    "render": {"errors", "types", "report", "compare", "annotation", "pictures", "published"},
    "published": set(),
    "pictures": {"errors", "types", "report", "volumes"},
    "view": {"errors", "types", "volumes", "report"},
    "phantom": {"workers", "errors", "types", "files", "volumes", "_compiled"},
    "dataset": {"workers", "__init__", "errors", "types", "files", "archives", "volumes", "overlap", "strata"},
    "methods": {"errors", "types", "volumes", "dataset"},
    "testing": {"errors", "types", "overlap", "pieces", "rules", "strata", "matching", "metrics"},
    "evaluate": {
        "__init__", "errors", "types", "volumes", "overlap", "rules", "strata", "scores", "cable", "matching",
        "metrics", "resampling", "uncertainty", "report",
    },
    "compare": {
        "workers", "__init__", "errors", "types", "files", "overlap", "rules", "strata", "scores", "cable", "matching",
        "metrics", "resampling", "uncertainty", "report", "render", "evaluate", "json_files",
    },
    "annotation": {
        "__init__", "errors", "types", "files", "volumes", "overlap", "rules", "strata", "scores", "cable",
        "associations", "matching", "metrics", "report", "render", "evaluate", "_compiled", "json_files",
    },
    "cli": {
        "__init__", "errors", "types", "files", "evaluate", "report", "render", "rules", "phantom", "view", "compare",
        "pictures", "resampling", "volumes", "dataset", "annotation",
    },
    "__init__": {"errors", "compare", "evaluate", "report", "resampling", "rules", "volumes"},
    "__main__": {"cli"},
}  # fmt: skip

# The leaderboard -> the rooms of mitobench that it may import. Never the kernels, torch, or what only this house uses.
LEADERBOARD = ROOT / "leaderboard"
LEADERBOARD_ALLOWED = {
    "archives", "errors", "types", "files", "json_files", "workers", "volumes", "pieces", "rules", "strata", "evaluate",
    "resampling", "uncertainty", "report", "render", "published", "cli",
}  # fmt: skip

HEAVY = {
    "numba", "pandas", "torch", "scipy", "h5py", "zarr", "tifffile", "imagecodecs", "rich", "numpy", "skimage",
    "neuroglancer",
}  # fmt: skip


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path):
    """Yield (name of the imported module, line) of every import, also of those inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield node.module, node.lineno


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rooms_import_only_what_the_design_allows(path):
    room = room_of(path)
    assert room in ALLOWED, f"{room} is a new room: say in docs/design.md, and here, what it may import"
    for name, line in imports(path):
        parts = name.split(".")
        if parts[0] == "mitobench":
            other = parts[1] if len(parts) > 1 else "__init__"
            assert other == room or other in ALLOWED[room], f"{path}:{line}: {room} must not import {name}"
        assert parts[0] not in {"torch", "baselines", "leaderboard"}, f"{path}:{line}: mitobench imports {name}"


# The baselines -> the rooms of mitobench that they may import.
BASELINES = ROOT / "baselines"
BASELINES_ALLOWED = {
    "errors", "types", "files", "json_files", "workers", "volumes", "overlap", "dataset", "methods", "rules",
    "evaluate", "report", "phantom", "cli",
}  # fmt: skip


@pytest.mark.parametrize("path", sorted(BASELINES.rglob("*.py")), ids=lambda p: str(p.relative_to(BASELINES)))
def test_the_baselines_import_only_what_the_design_allows(path):
    for name, line in imports(path):
        parts = name.split(".")
        assert parts[0] != "leaderboard" or path == BASELINES / "experiment.py", f"{path}:{line}: imports {name}"
        if parts[0] == "mitobench" and len(parts) > 1:
            assert parts[1] in BASELINES_ALLOWED, f"{path}:{line}: the baselines must not import {name}"
            assert parts[1] != "cli" or "cli" in path.relative_to(BASELINES).parts, f"{path}:{line}: {name}"
            assert not any(part.startswith("_") for part in parts), f"{path}:{line}: {name} is private"


@pytest.mark.parametrize("path", sorted(LEADERBOARD.rglob("*.py")), ids=lambda p: str(p.relative_to(LEADERBOARD)))
def test_the_leaderboard_imports_only_what_the_design_allows(path):
    for name, line in imports(path):
        parts = name.split(".")
        assert parts[0] not in {"torch", "numba", "baselines"}, f"{path}:{line}: imports {name}"
        if parts[0] == "mitobench" and len(parts) > 1:
            assert parts[1] in LEADERBOARD_ALLOWED, f"{path}:{line}: the leaderboard must not import {name}"
            assert parts[1] != "cli" or "cli" in path.relative_to(LEADERBOARD).parts, f"{path}:{line}: {name}"
            assert not any(part.startswith("_") for part in parts), f"{path}:{line}: {name} is private"


def test_numba_is_imported_in_one_file_only():
    users = {path.relative_to(PACKAGE).as_posix() for path in modules() for name, _ in imports(path) if name == "numba"}
    assert users == {"_compiled.py"}


def test_compiled_loops_are_in_the_kernels_only():
    name = "mitobench._compiled"
    users = {path.name for path in modules() for imported, _ in imports(path) if imported == name}
    assert users == {"_kernels.py"}


def test_metrics_never_touch_files():
    forbidden = {"h5py", "os", "pathlib", "io", "json", "zarr", "tifffile"}
    for path in (PACKAGE / "metrics").rglob("*.py"):
        assert not forbidden & {name.split(".")[0] for name, _ in imports(path)}
        assert "open(" not in path.read_text()


def test_nothing_heavy_is_imported_by_the_package_or_the_help():
    for statement in ("import mitobench", "import mitobench.cli as c; c.build_parser()"):
        code = f"import sys; {statement}; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
        loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
        assert not HEAVY & set(loaded.split()), statement


def test_public_names_are_there_and_none_is_called_evaluate():
    import mitobench
    import mitobench.evaluate

    assert all(hasattr(mitobench, name) for name in mitobench.__all__)
    assert len(mitobench.__all__) <= 12
    assert mitobench.evaluate.__name__ == "mitobench.evaluate"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mitobench.nothing
