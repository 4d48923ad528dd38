"""`evaluate --plots`: which files there are, and that what is drawn is what the report says and the model saw."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from PIL import Image

from nrl_dedup.bundle.load import load_bundle
from nrl_dedup.catalogue.labelled_pairs import read_pairs
from nrl_dedup.catalogue.read import read_catalogue
from nrl_dedup.evaluation.evaluate import Contender, evaluate
from nrl_dedup.evaluation.pictures import Picture, draw_pictures, file_names, most_certain, pictures
from nrl_dedup.evaluation.report import Report, report
from nrl_dedup.runtime.progress import Silent
from nrl_dedup.runtime.run import Run
from tests.conftest import RunCommand, Shop

CPU = torch.device("cpu")
OF_ALL = ["precision_recall", "calibration", "feature_plane", "class_shares", "ap_by_length"]
KINDS = ("right-linked", "right-apart", "wrong-linked", "wrong-apart")


def files_of(names: list[str]) -> set[str]:
    return {f"{name}.{ending}" for name in names for ending in ("png", "svg")}


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_every_picture_is_drawn_and_other_files_are_left_alone(
    run: RunCommand, trained: Path, attending: Path, tmp_path: Path
) -> None:
    plots = tmp_path / "plots"
    plots.mkdir()
    (plots / "calibration.png").write_text("an older one")
    (plots / "mine.txt").write_text("a note")
    status, _, err = run(
        "evaluate", "--device", "cpu", "--model", trained, "--model", attending, "--plots", plots
    )
    assert status == 0, err
    assert (plots / "mine.txt").read_text() == "a note"
    (plots / "mine.txt").unlink()
    stems = {path.stem for path in plots.iterdir()}
    attention = sorted(stem for stem in stems if stem.startswith("attention-"))
    names = [f"unlike_lengths-{name}" for name in ("shop", "attending", "baseline")]
    names += [*OF_ALL, "history-shop", "history-attending", *attention]
    assert (
        files_in(plots) == files_of(names) and f"{len(names)} pictures" in err and str(plots) in err
    )
    assert set(attention) <= {
        f"attention-attending-{kind}-{place}" for kind in KINDS for place in (1, 2, 3)
    }
    assert "attention-attending-right-apart-1" in attention
    with Image.open(plots / "calibration.png") as image:
        assert image.format == "PNG"


@pytest.mark.parametrize("where", ["a file", "a file/inside", "/proc"])
def test_a_folder_that_cannot_be_written_is_told_before_the_work(
    run: RunCommand, tmp_path: Path, where: str
) -> None:
    (tmp_path / "a file").write_text("here")
    # a bundle that is not there would be told next
    options = ("--model", tmp_path / "no-bundle", "--json", tmp_path / "figures.json")
    status, out, err = run("evaluate", "--plots", tmp_path / where, *options)
    assert status == 1 and not out and "Traceback" not in err
    assert f"--plots {tmp_path / where}" in err and "no-bundle" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["a file"]


def test_matplotlib_is_for_plots_only(trained: Path, tmp_path: Path) -> None:
    code = """if True:
        import sys
        from nrl_dedup.cli.main import cli
        cli(sys.argv[1:], standalone_mode=False)
        assert "nrl_dedup.evaluation.report" in sys.modules and "matplotlib" not in sys.modules
    """
    arguments = ["evaluate", "--model", trained, "--device", "cpu", "--work-dir", tmp_path]
    subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], check=True, capture_output=True
    )


def test_names_of_files() -> None:
    names = [
        "net",
        "Net",
        "a/net",
        "a-net",
        "a net",
        "net-2",
        "..",
        "модель",
        "x" * 200,
        "x" * 201,
        "baseline",
    ]
    assert list(file_names(names).values()) == [
        *(
            "net",
            "Net-2",
            "a-net",
            "a-net-2",
            "a-net-3",
            "net-2-2",
            "..",
            "модель",
            "x" * 60,
            "x" * 60 + "-2",
        ),
        "baseline",
    ]


def test_the_most_certain_pairs() -> None:
    draw = np.random.default_rng(0)
    labels, logits, candidates = (
        draw.random(80) < 0.4,
        np.round(draw.normal(size=80)),
        draw.random(80) < 0.7,
    )
    found = most_certain(labels, logits, logits >= 0, candidates)
    for kind, pairs in found.items():
        right, linked = kind.startswith("right"), kind.endswith("linked")
        of_kind = [
            i
            for i in np.flatnonzero(candidates)
            if (logits[i] >= 0) == linked == (labels[i] == right)
        ]
        assert pairs.tolist() == sorted(of_kind, key=lambda i: (-abs(logits[i]), i))[:3]
    assert list(found) == list(KINDS)
    nothing = most_certain(labels, logits, logits >= 9, labels)
    assert [len(pairs) for pairs in nothing.values()] == [0, 0, 0, 3]


# --- what is drawn ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def reported(
    shop: Shop, trained: Path, attending: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Report, list[Contender]]:
    """Two models on all pairs of the shop, where every third ad has a first photo that is broken, and every fourth a
    long description."""
    folder = tmp_path_factory.mktemp("drawn")
    images = shutil.copytree(shop.images, folder / "images")
    (images / "broken.jpg").write_bytes(b"no photo")
    row = pl.int_range(pl.len())
    ads = pl.read_csv(shop.items, infer_schema=False).with_columns(
        image=pl.when(row % 3 == 0)
        .then(pl.concat_str(pl.lit("broken,"), "image"))
        .otherwise("image"),
        description=pl.when(row % 4 == 0).then(pl.lit("стол " * 30)).otherwise("description"),
    )
    ads.write_csv(folder / "items.csv")
    catalogue = read_catalogue(folder / "items.csv")
    pairs = read_pairs(shop.pairs, catalogue).frame.with_columns(weight=pl.lit(1.0))
    bundles = {"a/net": load_bundle(trained, CPU), "san": load_bundle(attending, CPU)}
    contenders = [Contender(name, bundle, images) for name, bundle in bundles.items()]
    evaluation = evaluate(catalogue, pairs, contenders, Run(folder, device=CPU), threshold=0.6)
    return report(evaluation, {}, {}), contenders


@pytest.fixture
def drawn(reported: tuple[Report, list[Contender]]) -> dict[str, Picture]:
    return pictures(*reported, "all pairs", Run(Path("unused"), CPU))


def legend(figure: Figure) -> list[str]:
    return [text.get_text().strip() for text in figure.legends[0].get_texts()]


def test_curves_are_of_all_models(
    reported: tuple[Report, list[Contender]], drawn: dict[str, Picture]
) -> None:
    models = reported[0].models
    curves = drawn["precision_recall"]()
    aps = [f"AP {model.overall.average_precision:.3f}  {name}" for name, model in models.items()]
    assert legend(curves)[:3] == aps and curves.get_suptitle() == "Precision and recall, all pairs"
    assert [label.split("  ")[-1] for label in legend(drawn["calibration"]())] == [
        *models,
        "perfect",
    ]


def test_bars_and_cells_are_the_reports(
    reported: tuple[Report, list[Contender]], drawn: dict[str, Picture]
) -> None:
    figures = reported[0].as_json()["models"]
    lengths = drawn["ap_by_length"]()
    assert legend(lengths) == ["a/net", "san", "baseline"]
    containers = [bars for bars in lengths.axes[0].containers if isinstance(bars, BarContainer)]
    whiskers = iter(lengths.axes[0].lines)
    for bars, model in zip(containers, figures.values(), strict=True):
        defined = [row for row in model["by_length"] if row["average_precision"] is not None]
        assert [bar.get_height() for bar in bars] == [
            row["average_precision"] for row in defined
        ] and len(defined) > 1
        for interval in (row["average_precision_interval"] for row in defined):
            if interval is not None:
                assert list(next(whiskers).get_ydata()) == interval
    assert next(whiskers, None) is None
    counts = [int(text.get_text().split("(")[1][:-1]) for text in lengths.axes[0].get_xticklabels()]
    assert counts == [row["pairs"] for row in figures["san"]["by_length"]]

    (shares,) = drawn["class_shares"]().axes
    full = [row for row in figures["san"]["by_length"] if row["pairs"]]
    of_bars = [bar.get_height() for bar in shares.patches]
    assert of_bars == pytest.approx([row["positives"] / row["pairs"] for row in full])
    for name, file in (("a/net", "a-net"), ("san", "san"), ("baseline", "baseline")):
        axes = drawn[f"unlike_lengths-{file}"]().axes[0]
        spans = [text.get_text() for text in axes.get_xticklabels()]
        cells = {text.get_position()[::-1]: text.get_text() for text in axes.texts}
        assert cells == {
            (spans.index(row["shorter"]), spans.index(row["longer"])): f"{ap:.2f}\n({row['pairs']})"
            if (ap := row["average_precision"]) is not None
            else f"n/a\n({row['pairs']})"
            for row in figures[name]["by_unlike_length"]
            if row["pairs"]
        }


def test_histories_are_the_bundles(
    reported: tuple[Report, list[Contender]], drawn: dict[str, Picture]
) -> None:
    for contender, file in zip(reported[1], ("a-net", "san"), strict=True):
        figure, epochs = drawn[f"history-{file}"](), contender.bundle.history
        loss, ap = figure.axes
        for line, name in zip(
            (*loss.lines, *ap.lines)[:2], ("train_loss", "valid_loss"), strict=True
        ):
            assert list(line.get_ydata()) == [getattr(epoch, name) for epoch in epochs]
        for line, name in zip(ap.lines[:2], ("train_ap", "valid_ap"), strict=True):
            assert list(line.get_ydata()) == [getattr(epoch, name) for epoch in epochs]
        assert set(loss.lines[2].get_xdata()) == {contender.bundle.best_epoch}


def test_the_plane_has_the_baselines_own_decisions(
    reported: tuple[Report, list[Contender]], drawn: dict[str, Picture]
) -> None:
    evaluation = reported[0].evaluation
    actual, predicted = drawn["feature_plane"]().axes
    claimed = int((evaluation.logits["baseline"] >= np.log(0.6 / 0.4)).sum())
    for axes, duplicates in ((actual, 60), (predicted, claimed)):
        drawn_as = {
            line.get_marker(): len(line.get_xdata())
            for line in axes.lines
            if line.get_marker() in ("o", "x")
        }
        assert drawn_as == {"o": duplicates, "x": 180 - duplicates}


def attention_pictures(drawn: dict[str, Picture]) -> Iterator[tuple[str, Figure]]:
    for name, picture in drawn.items():
        if name.startswith("attention-"):
            yield name, picture()


def test_attention_is_drawn_on_the_photos_that_the_model_saw(
    reported: tuple[Report, list[Contender]], drawn: dict[str, Picture]
) -> None:
    evaluation, (_, contender) = reported[0].evaluation, reported[1]
    ids, pairs = evaluation.catalogue.ids.to_list(), evaluation.pairs
    scores = 1 / (1 + np.exp(-evaluation.logits["san"]))
    features, fusion = evaluation.features["san"].inputs, contender.bundle.model.fusion
    kinds = []
    for name, figure in attention_pictures(drawn):
        title, ads = figure.get_suptitle().split("\n")
        rows = [ids.index(ad) for ad in ads.split(" and ")]
        pair = (
            pairs.select((pl.col("row_l") == rows[0]) & (pl.col("row_r") == rows[1]))
            .to_series()
            .arg_true()[0]
        )
        duplicate, score = bool(pairs["is_duplicate"][pair]), scores[pair]
        assert title == f"{'Duplicates' if duplicate else 'Not duplicates'}, score {score:.3f}"
        linked = score >= 0.6
        kind = f"{'right' if linked == duplicate else 'wrong'}-{'linked' if linked else 'apart'}"
        assert name.startswith(f"attention-san-{kind}-")
        kinds.append(kind)
        for row, axes in zip(rows, (figure.axes[:3], figure.axes[3:]), strict=True):
            with Image.open(contender.photo_folder / f"{int(ids[row])}.jpg") as photo:
                np.testing.assert_array_equal(
                    axes[0].images[0].get_array(), np.asarray(photo.convert("RGB"))
                )
            batch = features.batch(np.array([row]))
            with torch.no_grad():
                maps = fusion.attend(batch.tokens, batch.lengths, batch.image, batch.has_image)[1][
                    :, 0
                ]
            for layer, p in zip(axes[1:], maps.numpy(), strict=True):
                assert f"{49 * p.max():.1f} x the mean" in layer.get_title()
                edges = {
                    tuple(np.round(edge.mean(axis=0), 3))
                    for edge in layer.collections[0].get_segments()
                }
                assert edges == outline(p.tolist())
    assert {"right-linked", "right-apart"} <= set(kinds) and len(kinds) <= 12


def outline(shares: list[float]) -> set[tuple[float, float]]:
    """The middles of the edges around the top 9 of 7 x 7 regions, in pixels of the view: edges of one region only."""
    edges: set[tuple[float, float]] = set()
    for region in sorted(range(49), key=lambda region: (-shares[region], region))[:9]:
        row, column = divmod(region, 7)
        edges ^= {
            (column, row + 0.5),
            (column + 1, row + 0.5),
            (column + 0.5, row),
            (column + 0.5, row + 1),
        }
    return {(round(32 * x - 0.5, 3), round(32 * y - 0.5, 3)) for x, y in edges}


def test_a_photo_that_has_gone_is_said_and_the_rest_drawn(
    reported: tuple[Report, list[Contender]], drawn: dict[str, Picture], tmp_path: Path
) -> None:
    figures, (first, second) = reported
    images = shutil.copytree(second.photo_folder, tmp_path / "images")
    _, figure = next(attention_pictures(drawn))
    gone = figure.get_suptitle().split("\n")[1].split(" and ")[0]
    (images / f"{int(gone)}.jpg").unlink()
    told = Told()
    count = draw_pictures(
        figures,
        [first, Contender("san", second.bundle, images)],
        "p",
        tmp_path / "plots",
        Run(tmp_path, CPU, progress=told),
    )
    assert told.warnings and all("not found" in warning for warning in told.warnings)
    left = [name for name in drawn if not any(name in warning for warning in told.warnings)]
    assert count == len(left) < len(drawn) and files_in(tmp_path / "plots") == files_of(left)


class Told(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_a_threshold_at_the_end_is_drawn(
    run: RunCommand, trained: Path, tmp_path: Path, threshold: float
) -> None:
    options = ("--model", trained, "--threshold", threshold, "--plots", tmp_path / "new" / "plots")
    status, _, err = run("evaluate", "--device", "cpu", *options)
    assert status == 0, err
    assert len(files_in(tmp_path / "new" / "plots")) == 2 * (len(OF_ALL) + 3)
