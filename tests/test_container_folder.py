"""The folder that the image is built from: plain lines that agree with each other and with the program."""

import json
import platform
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest

from leaderboard.container.folder import container_files
from leaderboard.container.paths import Paths
from leaderboard.container.settings import Settings
from leaderboard.platform import phase_settings
from mitobench import __version__
from mitobench.cli import main
from mitobench.evaluate import evaluate_pair

WHEEL = f"mitobench-{__version__}-py3-none-any.whl"


def lines(dockerfile):
    """Return the instructions, as (name, rest of the line)."""
    found = [line for line in dockerfile.splitlines() if line and not line.startswith("#")]
    assert not any(line.endswith("\\") for line in found)
    return [tuple(line.split(" ", 1)) for line in found]


def values(dockerfile, name):
    return [rest for instruction, rest in lines(dockerfile) if instruction == name]


@pytest.mark.parametrize("mode", ["exec", "invoke"])
def test_the_dockerfile(mode):
    files = container_files(mode, "mitoem-2020")
    dockerfile = files["Dockerfile"]
    assert [name for name, _ in lines(dockerfile)] == [
        *("FROM", "ENV", "WORKDIR", "COPY", "RUN", "RUN", "COPY", "RUN", "USER"),
        *(["LABEL"] if mode == "invoke" else []),
        "ENTRYPOINT",
    ]
    assert values(dockerfile, "FROM") == [f"python:{platform.python_version()}-slim"]
    assert json.loads(values(dockerfile, "ENTRYPOINT")[0]) == ["python", "-m", "leaderboard.container", mode]
    assert values(dockerfile, "LABEL") == (['org.grand-challenge.api-method="invoke"'] if mode == "invoke" else [])
    assert values(dockerfile, "USER") == ["evaluation"]
    assert any(
        run.startswith("useradd --uid 1000 ") and run.endswith(" evaluation") for run in values(dockerfile, "RUN")
    )
    env = dict(shlex.split(rest)[0].split("=") for rest in " ".join(values(dockerfile, "ENV")).split())
    workdir = values(dockerfile, "WORKDIR")[0]
    assert env["NUMBA_CACHE_DIR"] == f"{workdir}/numba-cache"
    assert str(Paths().settings) == f"{workdir}/settings.toml"
    assert str(Paths().ground_truth[1]) == f"{workdir}/ground-truth"


def test_what_is_copied_is_in_the_folder_and_let_through():
    files = container_files("exec", "mitoem-2020")
    copied = [source for rest in values(files["Dockerfile"], "COPY") for source in rest.split()[:-1]]
    assert copied == ["constraints.txt", WHEEL, "settings.toml"]
    assert set(copied) <= {*files, WHEEL}
    ignored = files[".dockerignore"].splitlines()
    assert ignored == ["*", *(f"!{source}" for source in copied), "!ground-truth"]
    install = next(run for run in values(files["Dockerfile"], "RUN") if run.startswith("pip"))
    assert install == f"pip install --no-cache-dir --constraint constraints.txt ./{WHEEL}"


def test_versions_are_those_that_are_installed_here():
    found = dict(line.split("==") for line in container_files("exec", "coco")["constraints.txt"].splitlines())
    assert {"numpy", "numba", "llvmlite", "h5py", "scipy", "rich"} <= set(found)
    assert not {"mitobench", "pytest", "kimimaro"} & set(found)
    assert all(metadata.version(name) == version for name, version in found.items())


@pytest.mark.parametrize(("rule", "ranked"), [("mitoem-2020", "ap_75"), ("mitoem-2023", "accuracy_75")])
def test_settings_of_evaluation_and_phase(rule, ranked):
    files = container_files("exec", rule)
    text = files["settings.toml"]
    assert Settings.from_dict(tomllib.loads(text)) == Settings(rule=rule)
    algorithm = "".join(line.removeprefix("# ") + "\n" for line in text.splitlines() if re.match(r"# (\[|\w+ =)", line))
    assert Settings.from_dict(tomllib.loads(f'rule = "{rule}"\n{algorithm}')).algorithm.inputs["rat"] == "rat"
    assert json.loads(files["phase-settings.json"]) == phase_settings(ranked).to_dict()


@pytest.mark.parametrize("mode", ["exec", "invoke"])
def test_the_readme_tries_the_image_as_the_platform_runs_it(mode):
    text = container_files(mode, "mitoem-2020")["README.md"]
    for option in ("--network none", "--memory 8g", "--read-only", "--tmpfs /tmp", "--user", "--platform linux/amd64"):
        assert f" {option} " in text.replace("\n", " ")
    assert ("localhost:4743/invoke" in text) == (mode == "invoke")
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        assert subprocess.run(["bash", "-n"], input=block, text=True, check=False).returncode == 0


def test_the_command_writes_a_folder_and_never_over_one(tmp_path, capsys):
    folder = tmp_path / "evaluation"
    arguments = ["leaderboard", "container", "init", str(folder), "--mode", "invoke"]
    assert main(arguments) == 0
    names = ["Dockerfile", ".dockerignore", "constraints.txt", "settings.toml", "phase-settings.json", "README.md"]
    assert capsys.readouterr() == ("".join(f"{folder}/{name}\n" for name in names), "")
    assert {path.name: path.read_text() for path in folder.iterdir()} == container_files("invoke", "mitoem-2020")
    (folder / "README.md").write_text("mine")
    (folder / "Dockerfile").unlink()
    assert main(arguments) == 2
    assert capsys.readouterr().err == (
        f"mitobench: error: {folder}: .dockerignore, constraints.txt, settings.toml, phase-settings.json, README.md "
        "there already; name another folder, or delete it\n"
    )
    assert (folder / "README.md").read_text() == "mine"
    assert not (folder / "Dockerfile").exists()
    assert main([*arguments[:3], str(tmp_path / "a"), "--rule", "cocoo"]) == 2
    assert "unknown rule 'cocoo', did you mean 'coco'?" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_the_image_compiles_what_an_evaluation_needs(tmp_path, monkeypatch):
    from leaderboard.container import warm_up

    scored = []

    def note(pred, gt, **options):
        scored.append((gt.dtype.str[1:], pred.dtype.str[1:]))
        return evaluate_pair(pred, gt, **options) if gt.dtype == pred.dtype == "u2" else None

    monkeypatch.setattr(warm_up, "evaluate_pair", note)
    warm_up.warm_up()
    assert len(set(scored)) == 16
    assert {side for pair in scored for side in pair} == {"u1", "u2", "u4", "u8"}


def test_an_evaluation_needs_no_extra():
    missing = ("jinja2", "kimimaro", "zarr", "dask", "neuroglancer", "torch", "skimage")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({missing}))\n"
        "from leaderboard.container.evaluation import failure_of; from leaderboard.container.paths import Paths\n"
        "import leaderboard.score, leaderboard.platform, leaderboard.submission, leaderboard.container.algorithm\n"
        "import leaderboard.container.warm_up"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
