"""The library's five functions: what the commands do, from Python.

Paths may be text. `device`: "auto", "cpu", "cuda" or "cuda:N". `work_dir`: where photo features are kept between runs;
None: the folder that the commands use. `progress`: hears what the stages do (`runtime.progress.Progress`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import polars as pl

from nrl_dedup.blocking.block import CANDIDATES_PER_AD
from nrl_dedup.bundle.load import Bundle, load_bundle
from nrl_dedup.bundle.save import check_bundle_target
from nrl_dedup.catalogue.labelled_pairs import read_pairs, require_both_classes
from nrl_dedup.catalogue.read import Catalogue, read_catalogue
from nrl_dedup.catalogue.sides import Sides
from nrl_dedup.catalogue.two_catalogues import joined
from nrl_dedup.clustering import DEFAULT
from nrl_dedup.config import DEFAULT_THRESHOLD, Settings
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.evaluation.evaluate import Contender, names_of
from nrl_dedup.evaluation.evaluate import evaluate as evaluate_models
from nrl_dedup.evaluation.report import Report, report
from nrl_dedup.explanation.explain import explain as explain_pair
from nrl_dedup.explanation.explained_pair import Explanation
from nrl_dedup.features.photos.photo_folder import find_photo_folder
from nrl_dedup.pipeline import LinkResult
from nrl_dedup.pipeline import link as link_catalogue
from nrl_dedup.runtime.default_work_folder import make_work_folder
from nrl_dedup.runtime.device import pick_device
from nrl_dedup.runtime.progress import SILENT, Progress
from nrl_dedup.runtime.run import Run
from nrl_dedup.training.data import prepare_training, prepare_unlabelled
from nrl_dedup.training.defaults import default_settings
from nrl_dedup.training.language import with_language
from nrl_dedup.training.pair_model.held_out import choose_threshold, score_of
from nrl_dedup.training.seen_ads import TrainingFiles, check_before_the_work
from nrl_dedup.training.train_bundle import add_fitted_pair_model, train_network
from nrl_dedup.training.unfinished import unfinished

AnyPath = str | PathLike[str]


@dataclass(frozen=True)
class Duplicates:
    """What `link` found.

    `clusters`: cluster_id, item_id, score: the file of `-o`. `links`: item_id_l, item_id_r, score, and a column for
    each group of evidence: the file of `--links`. `result`: all that `pipeline.link` returns, by row of `catalogue`.
    `threshold`: the score from which two ads were linked.
    """

    clusters: pl.DataFrame
    links: pl.DataFrame
    result: LinkResult
    catalogue: Catalogue
    threshold: float


def load_model(folder: AnyPath | None = None, *, device: str = "auto") -> Bundle:
    """A trained model; without a folder the one that comes with the program.

    >>> load_model().settings.model.fusion
    'towers'

    :raises NrlDedupError: there is none, or it is damaged.
    """
    return load_bundle(None if folder is None else Path(folder), pick_device(device))


def link(
    catalogue: AnyPath,
    other: AnyPath | None = None,
    *,
    source: str | None = None,
    one_to_one: bool = False,
    one_to_many: str | None = None,
    images: AnyPath | None = None,
    model: Bundle | None = None,
    threshold: float = DEFAULT_THRESHOLD,
    precision: float | None = None,
    candidates_per_ad: int = CANDIDATES_PER_AD,
    scorer: str | None = None,
    adapt: bool | None = None,
    clustering: str = DEFAULT,
    compare: Sequence[str] = (),
    backbone_weights: AnyPath | None = None,
    seed: int = 0,
    device: str = "auto",
    work_dir: AnyPath | None = None,
    progress: Progress = SILENT,
) -> Duplicates:
    """The ads of a catalogue that describe the same thing.

    >>> found = link("examples/catalogue.csv", images="examples/images")
    >>> found.links.columns[:3]
    ['item_id_l', 'item_id_r', 'score']
    >>> bool(found.links["score"].min() >= found.threshold)
    True

    :param other: a second catalogue: only ads of different ones are linked. :param source: the column with each ad's
        source, in place of it. Then `clusters` ends with a column `source`, and `links` with source_l and source_r.
    :param one_to_one: clusters hold at most one ad of each source. :param one_to_many: the name of a source whose ads
        may have several partners each, where those of other sources have one.
    :param images: the folder or zip of the photos; None: the one beside the catalogue, if there is one.
    :param threshold: the score from which two ads are linked. :param precision: chooses it in its place, on the pairs
        that the model's training held out.
    :param adapt: whether the pair model learns on from the catalogue at hand, without labels; None: that of the shipped
        model does, and those that were trained without labels.
    :param compare: further columns by which ads are compared.
    :raises NrlDedupError: a file cannot be read, or there is no such scorer or clustering.
    """
    bundle = model or load_model(device=device)
    chosen = choose_threshold(bundle, scorer=scorer, precision=precision)
    if chosen is not None:
        threshold = score_of(chosen)
    ads = _read(catalogue, other, source, compare, bundle.data.compared)
    result = link_catalogue(
        ads,
        bundle,
        _photos(images, ads),
        _run(work_dir, device, seed, progress),
        threshold=threshold,
        candidates_per_ad=candidates_per_ad,
        scorer=scorer,
        adapt=adapt,
        clustering=clustering,
        one_to_one=one_to_one,
        one_to_many=one_to_many,
        backbone_weights=None if backbone_weights is None else Path(backbone_weights),
    )
    clusters, links = result.with_ids(ads)
    return Duplicates(clusters, links, result, ads, threshold)


def explain(
    found: Duplicates,
    id_a: str,
    id_b: str,
    *,
    source_l: str | None = None,
    source_r: str | None = None,
) -> Explanation:
    """Why two ads are in one cluster, or at which stage their pair was lost.

    >>> found = link("examples/catalogue.csv", images="examples/images")
    >>> id_a, id_b = found.links.row(0)[:2]
    >>> explain(found, id_a, id_b).together
    True

    :param source_l: the source of the first ad, where several have its id; None: the first. :param source_r: the same
        of the second ad; None: the second source.
    :raises NrlDedupError: the catalogue has no such ad.
    """
    sides = Sides(source_l, source_r)
    return explain_pair(found.result, found.catalogue, id_a, id_b, found.threshold, sides)


def evaluate(
    items: AnyPath,
    pairs: AnyPath,
    *,
    other: AnyPath | None = None,
    source: str | None = None,
    source_l: str | None = None,
    source_r: str | None = None,
    images: AnyPath | None = None,
    model: Bundle | None = None,
    threshold: float = DEFAULT_THRESHOLD,
    candidates_per_ad: int = CANDIDATES_PER_AD,
    scorer: str | None = None,
    adapt: bool | None = None,
    blocking: bool = False,
    compare: Sequence[str] = (),
    device: str = "auto",
    work_dir: AnyPath | None = None,
    progress: Progress = SILENT,
) -> Report:
    """How well a model tells the labelled pairs of some ads apart; `as_json()` has the figures of `--json`.

    >>> figures = evaluate("examples/catalogue.csv", "examples/pairs.csv", images="examples/images")
    >>> figures.as_json()["models"]["default"]["average_precision"] > 0.9
    True

    :param other, source: as in `link`. :param source_l: the source of the first ids of the pairs, or the column of the
        pairs that names it; None: that of the only ad with this id, or else the first source. `source_r`: the same of
        the second ids.
    :param blocking: whether to say, too, how many of the duplicates blocking keeps.
    :raises NrlDedupError: a file cannot be read, or there is no such scorer.
    """
    bundle = model or load_model(device=device)
    ads = _read(items, other, source, compare, bundle.data.compared)
    read = read_pairs(Path(pairs), ads, source_l=source_l, source_r=source_r)
    labelled = read.frame.with_columns(weight=pl.lit(1.0))
    (name,) = names_of([bundle.folder]) if bundle.folder else ("model",)
    evaluation = evaluate_models(
        ads,
        labelled,
        [Contender(name, bundle, _photos(images, ads), None)],
        _run(work_dir, device, 0, progress),
        threshold=threshold,
        scorer=scorer,
        adapt=adapt,
        candidates_per_ad=candidates_per_ad,
        blocking=blocking,
    )
    return report(evaluation, {}, {}, progress)


def train(
    items: AnyPath,
    pairs: AnyPath | None = None,
    *,
    output: AnyPath,
    other: AnyPath | None = None,
    source: str | None = None,
    source_l: str | None = None,
    source_r: str | None = None,
    images: AnyPath | None = None,
    settings: Settings | None = None,
    compare: Sequence[str] = (),
    backbone_weights: AnyPath | None = None,
    word_vectors: AnyPath | None = None,
    force: bool = False,
    device: str = "auto",
    work_dir: AnyPath | None = None,
    progress: Progress = SILENT,
) -> Bundle:
    """A model trained on a catalogue's ads, and on labelled pairs of them if there are any; saved in `output`.

    A training that was stopped goes on when it is called again with the same arguments.

    :param other, source, source_l, source_r: as in `evaluate`.
    :param settings: None: those of `nrl-dedup train` without options (`training.defaults.default_settings`).
    :param force: whether a bundle that is there may be replaced.
    :raises NrlDedupError: a file cannot be read, there is too little to learn from, or `output` cannot be written.
    """
    settings = settings or default_settings(labelled=pairs is not None)
    folder = Path(output)
    check_bundle_target(folder, force=force)
    ads = _read(items, other, source, compare, ())
    files = TrainingFiles(
        _photos(images, ads),
        None if backbone_weights is None else Path(backbone_weights),
        None if word_vectors is None else Path(word_vectors),
    )
    check_before_the_work(settings, files)
    run = _run(work_dir, device, 0, progress)
    settings = with_language(settings, ads, progress)
    with unfinished(folder) as work:
        if pairs is None:
            data = prepare_unlabelled(ads, settings, files, run, {})
        else:
            labelled = read_pairs(Path(pairs), ads, source_l=source_l, source_r=source_r)
            require_both_classes(labelled)
            data = prepare_training(ads, labelled.frame, None, settings, files, run, {})
        train_network(data, settings, work, run)
        add_fitted_pair_model(ads, work.bundle, files.photo_folder, run)
        work.put_in_place()
    return load_model(folder, device=device)


def _read(
    items: AnyPath,
    other: AnyPath | None,
    source: str | None,
    compare: Sequence[str],
    remembered: Sequence[str],
) -> Catalogue:
    """The ads of one file or two.

    :raises NrlDedupError: a file cannot be read; or there are two, and a column that names sources.
    """
    if other is None:
        return read_catalogue(Path(items), compare=compare, remembered=remembered, source=source)
    if source is not None:
        raise NrlDedupError("source names a column of one file; of two files each is a source.")
    left, right = [
        read_catalogue(Path(path), compare=compare, remembered=remembered, may_lack=True)
        for path in (items, other)
    ]
    return joined(left, right, {f"--compare {name}": name for name in compare})


def _photos(images: AnyPath | None, ads: Catalogue) -> Path | None:
    if images is not None:
        return Path(images)
    beside = find_photo_folder(ads.path)
    if beside is None and ads.other is not None:
        return find_photo_folder(ads.other)
    return beside


def _run(work_dir: AnyPath | None, device: str, seed: int, progress: Progress) -> Run:
    folder = make_work_folder(None if work_dir is None else Path(work_dir), progress)
    return Run(folder, pick_device(device), seed, progress)
