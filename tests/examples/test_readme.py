"""What the README shows of the first command is what that command does."""

import csv
import re
from pathlib import Path

import draw_cluster
import numpy as np
import pytest
from PIL import Image

from examples.check_links import check
from tests.conftest import RunCommand

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PICTURE = ROOT / "examples" / "cluster.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readme")


@pytest.fixture
def dupes(run: RunCommand, folder: Path) -> Path:
    """What the first set-up command writes, made once; its other words are those of the README."""
    first = re.search(r"<!-- setup -->\n+```sh\n.*?nrl-dedup (.*)\n", README)[1].split()
    output = folder / first[-1]
    if not output.exists():
        words = [str(ROOT / word) if word.startswith("examples/") else word for word in first[:-1]]
        status, _, error = run(*words, output, "--device", "cpu")
        assert status == 0, error
    return output


def test_the_first_lines_of_the_output_are_those_that_the_readme_shows(dupes: Path) -> None:
    block = re.search(
        r"<!-- the first lines of dupes\.csv -->\n```text\n(.*?)```", README, re.DOTALL
    )[1]
    shown = list(csv.reader(block.splitlines()))
    found = list(csv.reader(dupes.read_text("utf-8").splitlines()))[: len(shown)]
    assert len(shown) > 3 and shown[0] == found[0]
    for of_readme, of_link in zip(shown[1:], found[1:], strict=True):
        assert of_readme[:2] == of_link[:2]
        assert float(of_readme[2]) == pytest.approx(
            float(of_link[2]), abs=1e-3
        )  # processors round differently


def drawn(dupes: Path, cluster: str, picture: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    monkeypatch.setattr(
        "sys.argv", ["draw_cluster.py", str(dupes), str(picture), "--cluster", cluster]
    )
    draw_cluster.main()
    return pixels(picture)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_the_picture_is_of_a_cluster_that_was_found(
    dupes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compared loosely: other versions of Pillow and of the fonts draw a little differently."""
    cluster = re.search(r"cluster\.png --cluster (\d+)", draw_cluster.__doc__)[1]
    shown = pixels(PICTURE)
    again = drawn(dupes, cluster, tmp_path / "again.png", monkeypatch)
    assert again.shape == shown.shape and np.abs(again - shown).mean() < 8
    other = drawn(dupes, "1125", tmp_path / "other.png", monkeypatch)
    assert other.shape == shown.shape and np.abs(other - shown).mean() > 16
    assert PICTURE.stat().st_size < 200_000


def test_the_figures_of_the_clusters_are_those_of_the_output(dupes: Path) -> None:
    found = check(dupes, ROOT / "examples" / "truth.csv")
    assert f"F1 of the clusters | | {found.f1:.3f} |" in README


def test_every_figure_of_the_readme_is_among_the_results() -> None:
    """Those in per cent are rounded, and are left out here."""
    results = (ROOT / "examples" / "RESULTS.md").read_text("utf-8")
    figures = re.findall(r"\b0\.\d{3}\b", README.split("## Results", 1)[1])
    assert len(figures) > 20 and {figure for figure in figures if figure not in results} == set()


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 130 and len(README.split()) <= 1200
