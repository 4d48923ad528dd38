"""What is drawn, read back from the artists, against scikit-learn, counts one by one, and the equations."""

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, precision_recall_curve

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.evaluation.plots.attention_plot import AttendedPhoto, attention
from nrl_dedup.evaluation.plots.calibration_plot import calibration
from nrl_dedup.evaluation.plots.feature_plane import feature_plane
from nrl_dedup.evaluation.plots.figure_files import save
from nrl_dedup.evaluation.plots.history import history
from nrl_dedup.evaluation.plots.lengths import ap_by_length, class_shares, unlike_lengths
from nrl_dedup.evaluation.plots.precision_recall import precision_recall
from nrl_dedup.evaluation.plots.style import Scores, look
from nrl_dedup.features.photos.crops import DEVIATION, MEAN, centre_view
from nrl_dedup.scoring.baseline import Baseline, fit_baseline

LONG = "w" * 130
PAIRS = "test pairs"


def scores(seed: int = 0, count: int = 400, strength: float = 1.5) -> Scores:
    draw = np.random.default_rng(seed)
    labels = draw.random(count) < 0.35
    logits = np.round(
        strength * (labels - 0.5) + draw.normal(size=count), 1
    )  # rounded, so that there are ties
    return Scores(labels, logits, np.where(labels, 1.0, 1.7))


def pair_features(count: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    labels = draw.random(count) < 0.4
    similarity = np.where(labels, draw.beta(3, 3, count), draw.beta(1, 5, count))
    distance = np.where(labels, draw.normal(12, 3, count), draw.normal(18, 3, count)).clip(0.5)
    distance[::10] = np.nan
    return np.column_stack([similarity, distance]), labels


def gradient(width: int, height: int) -> Image.Image:
    """Red grows from left to right, green from top to bottom: a pixel's colour is its place."""
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(
        np.stack([across, down, np.full_like(across, 128)], axis=2).astype(np.uint8)
    )


def attended(name: str = "17", size: tuple[int, int] = (640, 480), layers: int = 2, seed: int = 0):
    maps = (
        np.random.default_rng(seed)
        .dirichlet(np.full(196, 0.3), size=layers)
        .reshape(layers, 14, 14)
    )
    return AttendedPhoto(name, gradient(*size), maps, maps > np.median(maps))


def drawn_pair(left: AttendedPhoto, right: AttendedPhoto) -> Figure:
    return attention(left, right, outlined="most regions", is_duplicate=True, score=0.9)


def length_figures() -> tuple[np.ndarray, np.ndarray]:
    ap = np.array([[0.91, 0.85, np.nan], [np.nan, 0.62, np.nan], [np.nan, np.nan, 1.0]])
    return ap, np.array([[1_234_567, 60, 0], [0, 9, 4], [0, 0, 2]])


EVIDENCE, CLASSES = pair_features()
BASELINE = fit_baseline(EVIDENCE, CLASSES)
BY_BUCKET = [0.9, 0.8, None, 0.7, 0.65, 0.6, 0.6, 0.55, 0.5, 0.45, 0.4]
COUNTS = np.array(
    [1_036_531, 63573, 41254, 27039, 18984, 14836, 11684, 8925, 6910, 6144, 1_023_809]
)
NAMES = ("0-9", "10-99", "100")

PICTURES: dict[str, Callable[[], Figure]] = {
    "precision_recall": lambda: precision_recall({"a": scores(), "b": scores(1)}, PAIRS),
    "precision_recall, eight long names": lambda: precision_recall(
        {f"{i}{LONG}": scores(i) for i in range(8)}, PAIRS
    ),
    "feature_plane": lambda: feature_plane(EVIDENCE, CLASSES, BASELINE.logits, PAIRS),
    "history": lambda: history(
        [1, 2, 3], [0.6, 0.5, 0.4], [0.6, 0.5, 0.5], [0.5, 0.6, 0.7], [None] * 3, 2, LONG
    ),
    "history of one epoch": lambda: history([1], [0.6], [0.5], [None], [None], 1, "a"),
    "class_shares": lambda: class_shares(CLASSES, np.ones(300), np.arange(300) % 7),
    "ap_by_length": lambda: ap_by_length(
        {f"{i}{LONG}": BY_BUCKET for i in range(6)}, COUNTS, {f"1{LONG}": [(0.3, 1.0)] * 11}
    ),
    "unlike_lengths": lambda: unlike_lengths(*length_figures(), NAMES, LONG),
    "calibration": lambda: calibration({"a": scores(), "b": scores(1)}, PAIRS),
    "attention": lambda: drawn_pair(attended(LONG), attended(size=(300, 900))),
}


def legend_texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def note(figure: Figure) -> str:
    return figure.legends[0].get_title().get_text()


def points(axes: Axes, marker: str) -> set[tuple[float, float]]:
    lines = [line for line in axes.lines if line.get_marker() == marker]
    return {(float(x), float(y)) for line in lines for x, y in zip(*line.get_data(), strict=True)}


def bars(axes: Axes) -> dict[float, float]:
    """Centre and height of each bar."""
    return {round(bar.get_x() + bar.get_width() / 2, 6): bar.get_height() for bar in axes.patches}


# --- every picture ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("picture", PICTURES)
def test_a_picture_is_written_twice_the_same(picture: str, tmp_path: Path) -> None:
    first = save(PICTURES[picture](), tmp_path / "made" / "here", "one")
    with matplotlib.rc_context(
        {"font.size": 3, "axes.facecolor": "red"}
    ):  # a user's own settings do not matter
        second = save(PICTURES[picture](), tmp_path, "two")
    assert [path.name for path in first] == ["one.png", "one.svg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    with Image.open(first[0]) as image:
        image.load()
        width, height = PICTURES[picture]().get_size_inches() * 150
        assert image.format == "PNG" and image.size == (int(width), int(height))
    assert ElementTree.parse(first[1]).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert "dc:date" not in first[1].read_text("utf-8")
    assert {path.name for path in tmp_path.iterdir()} == {"made", "two.png", "two.svg"}


@pytest.mark.parametrize("picture", PICTURES)
def test_a_picture_can_be_read_whole(picture: str) -> None:
    figure = PICTURES[picture]()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    assert min(text.get_fontsize() for text in figure.findobj(Text)) >= 9
    drawn = figure.get_tightbbox(canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height


def test_drawing_leaves_no_trace_in_matplotlib(tmp_path: Path) -> None:
    code = """if True:
        import sys, matplotlib
        before = {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"}
        from pathlib import Path
        from nrl_dedup.evaluation.plots.history import history
        from nrl_dedup.evaluation.plots.figure_files import save
        save(history([1], [0.6], [0.5], [0.7], [0.8], 1, "a"), Path(sys.argv[1]), "a")
        assert before == {key: matplotlib.rcParams[key] for key in before}
        assert "matplotlib.pyplot" not in sys.modules
    """
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(tmp_path)], check=True)


def test_two_models_never_look_the_same() -> None:
    looks = [look(place) for place in range(840)]
    assert (
        len({(style.colour, str(style.line), style.marker, style.hatch) for style in looks}) == 840
    )
    assert all(a.line != b.line and a.marker != b.marker for a, b in pairwise(looks))


@pytest.mark.parametrize("inside", [".", "deeper"])
def test_a_file_in_the_folders_place_is_an_error(tmp_path: Path, inside: str) -> None:
    (tmp_path / "plots").write_text("a file")
    with pytest.raises(NrlDedupError, match=r"--plots .*plots.*cannot be made"):
        save(PICTURES["history of one epoch"](), tmp_path / "plots" / inside, "a")
    assert (tmp_path / "plots").read_text() == "a file"


def test_a_picture_that_cannot_be_replaced_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(NrlDedupError, match=r"a\.png: could not be written"):
        save(PICTURES["history of one epoch"](), tmp_path, "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("name", ["$x$ and _y^2", "_hidden", "商品", "a\\b{c}%"])
def test_a_models_name_is_drawn_as_it_is(name: str, tmp_path: Path) -> None:
    figure = precision_recall({name: scores()}, PAIRS)
    save(figure, tmp_path, "a")
    assert legend_texts(figure)[0].endswith(f"  {name}")
    bar_chart = ap_by_length({name: BY_BUCKET}, COUNTS)
    save(bar_chart, tmp_path, "b")
    assert legend_texts(bar_chart) == [f" {name}"]


# --- precision and recall --------------------------------------------------------------------------------------------


def test_precision_recall_draws_scikit_learns_points() -> None:
    models = {"strong": scores(0, strength=3), "weak": scores(1)}
    figure = precision_recall(models, PAIRS)
    (axes,) = figure.axes
    for line, text, (name, model) in zip(
        axes.lines, legend_texts(figure), models.items(), strict=False
    ):
        precision, recall, _ = precision_recall_curve(
            model.labels, model.logits, sample_weight=model.weights
        )
        x, y = np.array(line.get_data())
        np.testing.assert_allclose(x[1:], recall[-2::-1], atol=1e-12)
        np.testing.assert_allclose(y[1:], precision[-2::-1], atol=1e-12)
        assert (x[0], y[0]) == (0.0, y[1])
        expected = average_precision_score(model.labels, model.logits, sample_weight=model.weights)
        assert line.get_drawstyle() == "steps-pre"
        assert np.sum(np.diff(x) * y[1:]) == pytest.approx(expected)  # the area below the steps
        assert text == f"AP {expected:.3f}  {name}"
    shares = [np.average(model.labels, weights=model.weights) for model in models.values()]
    chance = sorted(line.get_ydata()[0] for line in axes.lines[2:])
    np.testing.assert_allclose(chance, sorted(shares), atol=5e-4)


@pytest.mark.parametrize("label", [True, False])
def test_one_class_has_no_curve(label: bool) -> None:
    one_class = Scores(np.full(3, label), np.array([1.0, 2.0, 3.0]), np.ones(3))
    figure = precision_recall({"a": one_class}, PAIRS)
    assert len(figure.axes[0].lines[0].get_xdata()) == 0
    assert legend_texts(figure)[0] == "AP n/a  a"


def test_no_pairs_have_no_curve_and_no_chance() -> None:
    nothing = Scores(np.array([], dtype=bool), np.array([]), np.array([]))
    assert legend_texts(precision_recall({"a": nothing}, PAIRS)) == ["AP n/a  a"]
    assert legend_texts(calibration({"a": nothing}, PAIRS)) == ["ECE n/a  a", "perfect"]


# --- the feature plane -----------------------------------------------------------------------------------------------


def decision(axes: Axes) -> np.ndarray:
    """Ends of the decision line in the plane, one a row."""
    return np.column_stack(
        next(line.get_data() for line in axes.lines if line.get_color() == "black")
    )


@pytest.mark.parametrize("threshold", [0.5, 0.8])
def test_the_decision_line_is_the_baselines(threshold: float) -> None:
    figure = feature_plane(EVIDENCE, CLASSES, BASELINE.logits, PAIRS, threshold)
    odds = np.log(threshold / (1 - threshold))
    (a, b), (m, n), (s, t) = BASELINE.coefficients, BASELINE.mean, BASELINE.deviation
    for axes in figure.axes:
        ends = decision(axes)
        assert ends.shape == (2, 2) and len(set(map(tuple, ends))) == 2
        for x, y in ends:
            assert a * (x - m) / s + b * (y - n) / t + BASELINE.intercept == pytest.approx(
                odds, abs=1e-9
            )
            assert 0 <= x <= 1 and 0 <= y <= np.nanmax(EVIDENCE[:, 1])
        (in_strip,) = [
            line for line in axes.lines if line.get_color() == "black" and max(line.get_ydata()) < 0
        ]
        for x in in_strip.get_xdata():  # a missing distance is the mean
            assert a * (x - m) / s + BASELINE.intercept == pytest.approx(odds, abs=1e-9)


def test_the_plane_shows_every_pair_by_its_class() -> None:
    actual, predicted = feature_plane(EVIDENCE, CLASSES, BASELINE.logits, PAIRS).axes
    known = ~np.isnan(EVIDENCE[:, 1])
    claimed = BASELINE.logits(EVIDENCE) >= 0
    for axes, classes in ((actual, CLASSES), (predicted, claimed)):
        for marker, chosen in (("o", classes), ("x", ~classes)):
            drawn = points(axes, marker)
            assert {point for point in drawn if point[1] >= 0} == set(
                map(tuple, EVIDENCE[chosen & known])
            )
            assert {x for x, y in drawn if y < 0} == set(EVIDENCE[chosen & ~known, 0])


def test_the_plane_says_how_many_have_no_distance() -> None:
    figure = feature_plane(EVIDENCE, CLASSES, BASELINE.logits, PAIRS)
    assert note(figure) == "30 of 300 pairs have no distance: a photo is missing."
    assert figure.axes[0].get_yticklabels()[-1].get_text() == "none"
    whole = ~np.isnan(EVIDENCE[:, 1])
    figure = feature_plane(EVIDENCE[whole], CLASSES[whole], BASELINE.logits, PAIRS)
    assert note(figure) == "" and "none" not in [
        text.get_text() for text in figure.axes[0].get_yticklabels()
    ]


def test_a_large_plane_is_sampled_and_says_so() -> None:
    evidence, labels = pair_features(6_000)
    first, again = (feature_plane(evidence, labels, BASELINE.logits, PAIRS) for _ in range(2))
    assert note(first).startswith(
        "5,000 of 6,000 pairs are drawn, chosen at random.\n600 of 6,000 pairs have no"
    )
    drawn = points(first.axes[0], "o") | points(first.axes[0], "x")
    assert len(drawn) == 5_000
    assert {point for point in drawn if point[1] >= 0} <= set(map(tuple, evidence))
    assert drawn == points(again.axes[0], "o") | points(again.axes[0], "x")


def test_a_plane_without_photos_has_only_the_strip() -> None:
    evidence = np.column_stack([EVIDENCE[:, 0], np.full(300, np.nan)])
    baseline = fit_baseline(evidence, CLASSES)
    figure = feature_plane(evidence, CLASSES, baseline.logits, PAIRS)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["none"]
    assert len(points(figure.axes[0], "o") | points(figure.axes[0], "x")) == 300


@pytest.mark.parametrize(
    "baseline",
    [
        Baseline(
            (0.0, 0.0), (1.0, 1.0), (1.0, -1.0), 500.0
        ),  # says duplicate of everything that can be drawn
        Baseline((0.0, 0.0), (1.0, 1.0), (0.0, 0.0), -1.0),  # uses neither feature
    ],
)
def test_a_decision_outside_the_picture_is_said(baseline: Baseline) -> None:
    figure = feature_plane(EVIDENCE, CLASSES, baseline.logits, PAIRS)
    assert legend_texts(figure)[2].replace("\n", " ") == "decision: outside the picture"
    assert decision(figure.axes[0]).size == 0


@pytest.mark.parametrize(("coefficients", "constant"), [((4.0, 0.0), 0), ((0.0, -0.5), 1)])
def test_a_decision_on_one_feature_is_a_straight_line(
    coefficients: tuple[float, float], constant: int
) -> None:
    baseline = Baseline((0.5, 12.0), (1.0, 1.0), coefficients, 0.0)
    ends = decision(feature_plane(EVIDENCE, CLASSES, baseline.logits, PAIRS).axes[0])
    np.testing.assert_allclose(ends[:, constant], baseline.mean[constant])
    assert ends[:, 1 - constant].tolist() == [0.0, 1.0 if constant else np.nanmax(EVIDENCE[:, 1])]


# --- history ---------------------------------------------------------------------------------------------------------


def test_history_draws_each_epoch_and_marks_the_kept_one() -> None:
    figure = history(
        [1, 2, 3],
        [0.7, 0.5, 0.3],
        [0.6, 0.5, 0.55],
        [0.4, None, 0.8],
        [0.4, 0.5, 0.45],
        2,
        "rnn-cnn",
    )
    loss, ap = figure.axes
    for axes, train, valid in (
        (loss, [0.7, 0.5, 0.3], [0.6, 0.5, 0.55]),
        (ap, [0.4, np.nan, 0.8], [0.4, 0.5, 0.45]),
    ):
        for line, values in zip(axes.lines, (train, valid), strict=False):
            np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
            np.testing.assert_array_equal(line.get_ydata(), values)
        assert list(axes.lines[2].get_xdata()) == [2, 2]
    assert legend_texts(figure) == ["training", "validation", "kept: epoch 2"]


def test_an_average_precision_that_is_never_defined_is_said() -> None:
    loss, ap = PICTURES["history of one epoch"]().axes
    assert [text.get_text() for text in ap.texts] == ["not defined: one class only"]
    assert not loss.texts


# --- description length ----------------------------------------------------------------------------------------------


def test_class_shares_are_counted_pair_by_pair() -> None:
    draw = np.random.default_rng(0)
    labels, buckets = draw.random(200) < 0.3, draw.choice([0, 1, 2, 3, 9, 10], size=200)
    labels[buckets == 3] = False
    weights = np.where(labels, 1.0, draw.uniform(1, 2, 200))
    figure = class_shares(labels, weights, buckets)
    (axes,) = figure.axes
    texts = {float(text.xy[0]): text.get_text() for text in axes.texts}
    expected = {}
    for bucket in range(11):
        rows = [row for row in range(200) if buckets[row] == bucket]
        found = [row for row in rows if labels[row]]
        if rows:
            expected[float(bucket)] = sum(weights[row] for row in found) / sum(
                weights[row] for row in rows
            )
            assert texts[bucket] == f"{len(found)}\nof\n{len(rows)}"
        else:
            assert texts[bucket] == "empty"
    assert bars(axes) == pytest.approx(expected)
    assert bars(axes)[3.0] == 0.0
    overall = np.average(labels, weights=weights)
    assert axes.lines[0].get_ydata()[0] == pytest.approx(overall)
    assert legend_texts(figure) == [f"all pairs: {overall:.3f}"]
    assert [tick.get_text() for tick in axes.get_xticklabels()][::5] == ["0-9", "50-59", "100"]


def test_no_pairs_have_only_empty_buckets() -> None:
    nothing = np.array([], dtype=np.int64)
    (axes,) = class_shares(nothing.astype(bool), nothing.astype(float), nothing).axes
    assert [text.get_text() for text in axes.texts] == ["empty"] * 11 and not axes.patches


def test_ap_by_length_has_a_bar_for_each_defined_value_only() -> None:
    second: list[float | None] = [None, 0.0, *[0.5] * 9]
    whiskers: list[tuple[float, float] | None] = [(0.85, 0.95), None, None, *[(0.3, 0.9)] * 8]
    figure = ap_by_length({"a": BY_BUCKET, "b": second}, COUNTS, {"a": whiskers})
    (axes,) = figure.axes
    first_bars = {
        round(bucket - 0.21, 6): value
        for bucket, value in enumerate(BY_BUCKET)
        if value is not None
    }
    second_bars = {
        round(bucket + 0.21, 6): value for bucket, value in enumerate(second) if value is not None
    }
    assert bars(axes) == first_bars | second_bars
    marked = [(round(text.xy[0], 6), text.get_text()) for text in axes.texts]
    assert marked == [(1.79, "n/a"), (0.21, "n/a")]
    drawn = {round(line.get_xdata()[0], 6): tuple(line.get_ydata()) for line in axes.lines}
    assert drawn == {round(bucket - 0.21, 6): pair for bucket, pair in enumerate(whiskers) if pair}
    assert legend_texts(figure) == [" a", " b"]
    assert axes.get_xticklabels()[0].get_text() == "0-9\n(1,036,531)"
    hatches = [container.patches[0].get_hatch() for container in axes.containers]
    assert hatches[0] != hatches[1]


def test_unlike_lengths_shows_each_cell_and_hatches_the_undefined() -> None:
    ap, counts = length_figures()
    figure = unlike_lengths(ap, counts, NAMES, "rnn-cnn")
    axes = figure.axes[0]
    texts = {
        (int(text.get_position()[1]), int(text.get_position()[0])): text for text in axes.texts
    }
    assert {cell: text.get_text() for cell, text in texts.items()} == {
        (0, 0): "0.91\n(1,234,567)",
        (0, 1): "0.85\n(60)",
        (1, 1): "0.62\n(9)",
        (1, 2): "n/a\n(4)",
        (2, 2): "1.00\n(2)",
    }
    hatched = {
        (int(patch.get_y() + 0.5), int(patch.get_x() + 0.5))
        for patch in axes.patches
        if patch.get_hatch()
    }
    assert hatched == {(0, 2), (1, 2)}
    shown = axes.images[0].get_array()
    np.testing.assert_array_equal(np.ma.getmaskarray(shown), np.isnan(ap))
    np.testing.assert_array_equal(shown.compressed(), ap[~np.isnan(ap)])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for (row, column), text in texts.items():
        box = text.get_window_extent(canvas.get_renderer())
        corners = axes.transData.transform([(column - 0.5, row + 0.5), (column + 0.5, row - 0.5)])
        assert (
            corners[0][0] < box.x0
            and box.x1 < corners[1][0]
            and corners[0][1] < box.y0
            and box.y1 < corners[1][1]
        )


def test_unlike_lengths_of_nothing_are_hatched() -> None:
    axes = unlike_lengths(
        np.full((3, 3), np.nan), np.zeros((3, 3), dtype=np.int64), NAMES, "a"
    ).axes[0]
    assert not axes.texts and len(axes.patches) == 6


# --- calibration -----------------------------------------------------------------------------------------------------


def test_calibration_draws_scikit_learns_bins() -> None:
    draw = np.random.default_rng(0)
    logits = draw.normal(0, 2, size=400)
    labels = draw.random(400) < 0.4
    figure = calibration({"a": Scores(labels, logits, np.ones(400))}, PAIRS)
    probability = 1 / (1 + np.exp(-logits))
    observed, predicted = calibration_curve(labels, probability, n_bins=10, strategy="quantile")
    above, below = figure.axes
    np.testing.assert_allclose(above.lines[0].get_data(), [predicted, observed], atol=1e-12)
    steps = below.patches[0].get_data()
    assert steps.values.tolist() == [
        ((probability >= i / 20) & (probability < (i + 1) / 20)).sum() for i in range(20)
    ]
    assert legend_texts(figure)[0] == f"ECE {np.mean(np.abs(observed - predicted)):.3f}  a"


# --- attention -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(640, 480), (300, 900), (224, 224), (1000, 333)])
def test_the_frame_is_the_view_that_the_network_saw(size: tuple[int, int]) -> None:
    ad = attended(size=size)
    figure = drawn_pair(ad, ad)
    whole, *overlaid = figure.axes[:3]
    frame = next(patch for patch in whole.patches if isinstance(patch, Rectangle))
    width, height = size
    pixels = centre_view(ad.photo).numpy().transpose(1, 2, 0) * DEVIATION + MEAN
    # the gradient gives the place of the view's corner pixels in the photo
    left, right = (
        pixels[:, 0, 0].mean() * (width - 1) + 0.5,
        pixels[:, -1, 0].mean() * (width - 1) + 0.5,
    )
    top, bottom = (
        pixels[0, :, 1].mean() * (height - 1) + 0.5,
        pixels[-1, :, 1].mean() * (height - 1) + 0.5,
    )
    pixel = frame.get_width() / 224
    slack = pixel + max(size) / 255  # a pixel of the view, a step of the gradient
    assert frame.get_x() + pixel / 2 == pytest.approx(left, abs=slack)
    assert frame.get_x() + frame.get_width() - pixel / 2 == pytest.approx(right, abs=slack)
    assert frame.get_y() + pixel / 2 == pytest.approx(top, abs=slack)
    assert frame.get_y() + frame.get_height() - pixel / 2 == pytest.approx(bottom, abs=slack)
    for axes in overlaid:
        np.testing.assert_allclose(axes.images[0].get_array() / 255, pixels, atol=0.02)


@pytest.mark.parametrize(("regions", "row", "column"), [(14, 3, 11), (14, 0, 0), (7, 6, 2)])
def test_the_veil_lifts_where_the_layer_looks(regions: int, row: int, column: int) -> None:
    lit = np.full((regions, regions), 0.1 / regions**2)
    lit[row, column] += 0.9
    even = np.full((regions, regions), 1 / regions**2)
    ad = AttendedPhoto(
        "17", gradient(300, 300), np.stack([lit, even]), np.stack([lit == lit.max(), even > 1])
    )
    figure = attention(ad, ad, outlined="the brightest", is_duplicate=False, score=0.25)
    assert figure.get_suptitle() == "Not duplicates, score 0.250\n17 and 17"
    assert len(figure.axes) == 2 * (1 + 2)
    _, looking, indifferent = figure.axes[:3]
    veil = looking.images[1].get_array()[..., 3]
    brightest = np.argwhere(veil == veil.min()).mean(axis=0)
    size = 224 / regions
    assert brightest == pytest.approx(
        [(row + 0.5) * size - 0.5, (column + 0.5) * size - 0.5], abs=size / 2
    )
    assert (
        veil.min() == pytest.approx(0, abs=0.06) and veil.max() > 0.8
    )  # no pixel is at a region's very centre
    peak = lit.max() * regions**2
    assert looking.get_title() == f"layer 1: largest share\n{peak:.1f} x the mean"
    assert indifferent.images[1].get_array()[..., 3].max() == 0
    corners = [
        ((column + x) * size - 0.5, (row + y) * size - 0.5)
        for x, y in ((0, 0), (1, 0), (0, 1), (1, 1))
    ]
    for line in looking.collections:
        assert {tuple(point) for edge in line.get_segments() for point in edge} == set(corners)
        assert len(line.get_segments()) == 4
    assert all(not line.get_segments() for line in indifferent.collections)
    assert "Line: the brightest." in figure.get_supxlabel()


def test_the_outline_runs_between_top_regions_and_others() -> None:
    draw = np.random.default_rng(0)
    top = draw.random((1, 5, 5)) < 0.5
    ad = AttendedPhoto("17", gradient(300, 300), np.full((1, 5, 5), 1 / 25), top)
    _, overlaid = drawn_pair(ad, ad).axes[:2]
    inside = {(row, column) for row in range(5) for column in range(5) if top[0, row, column]}
    expected = set()
    for row, column in inside:
        sides = {
            (0, -1): ((0, 0), (0, 1)),
            (0, 1): ((1, 0), (1, 1)),
            (-1, 0): ((0, 0), (1, 0)),
            (1, 0): ((0, 1), (1, 1)),
        }
        for (down, right), ends in sides.items():
            if (row + down, column + right) not in inside:
                expected.add(frozenset((column + x, row + y) for x, y in ends))
    for line in overlaid.collections:
        edges = [(np.array(edge) + 0.5) * 5 / 224 for edge in line.get_segments()]
        assert {
            frozenset(map(tuple, edge.round().astype(int).tolist())) for edge in edges
        } == expected
        assert len(edges) == len(expected)
