"""Packages with methods, as pip would leave them, and the method of docs/methods.md."""

import re
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "methods.md"
DOCUMENTED = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]


def install(monkeypatch, folder, name, value, code, package="others"):
    """Put a package on the path whose one method is `value`, ``module:attribute``.

    Each test needs a module name of its own, since modules stay loaded.
    """
    home = folder / package
    facts = home / f"{package}-1.0.dist-info"
    facts.mkdir(parents=True)
    (home / f"{value.partition(':')[0]}.py").write_text(code)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[mitobench.methods]\n{name} = {value}\n")
    monkeypatch.syspath_prepend(home)
