"""What all pages share: templates, styles, and how text of strangers gets onto them. No page asks for anything."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from mitobench.errors import MissingExtraError
from mitobench.render import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

__all__ = ["assets", "content_policy", "encodable", "new_environment", "safe", "safe_json"]


def new_environment(package: str) -> Environment:
    """Return what renders the templates of a package: escaping, strict, with the filters that all pages have.

    Parameters
    ----------
    package
        Such as ``mitobench.render``: its folder ``templates`` is looked through.

    Raises
    ------
    MissingExtraError
        Jinja is not installed.
    """
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError(
            "HTML pages need the jinja2 library, which is not installed; run pip install 'mitobench[report]'"
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters |= {
        "number": words.number,
        "ends": words.ends,
        "metric": words.metric_label,
        "amount": words.amount,
        "chart": safe,
        "nanometres": words.length,
    }
    environment.globals["words"] = words
    return environment


def _shown(value: object) -> object:
    """Make any text that comes from outside harmless to the order of text on the page."""
    return words.visible(value) if type(value) is str else value


@cache
def assets(package: str, names: tuple[str, ...]) -> str:
    """Return style sheets or scripts of a package's folder ``templates``, one behind the other."""
    folder = files(package) / "templates"
    return "".join((folder / name).read_text(encoding="utf-8") for name in names)


def content_policy(scripts: Sequence[str]) -> str:
    """Return the policy of a page that runs these inline scripts, and loads nothing."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{value}'" for value in hashes) or "'none'"
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def safe(text: str) -> Any:  # noqa: ANN401 - jinja2 is optional, so its types are too
    """Keep a text from being escaped: our own files and charts, and JSON made by `safe_json`."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - only for what is said above


def safe_json(values: Any) -> str:  # noqa: ANN401
    """Return JSON in ASCII that cannot end the script element that holds it.

    Examples
    --------
    >>> "<" in safe_json({"name": "</script>"})
    False
    """
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def encodable(page: str) -> str:
    """Return the page without what no encoding has, which names of files can hold."""
    return page.encode("utf-8", "replace").decode("utf-8")
