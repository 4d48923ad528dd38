"""What is there but empty teaches nothing; and scores are compared in the bits that are written."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from nrl_dedup.adaptation.co_training import co_train
from nrl_dedup.bundle.load import load_bundle
from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.text.foreign_words import with_foreign_words
from nrl_dedup.features.text.words import Words, read_words
from nrl_dedup.metrics import are_links, quality
from nrl_dedup.scoring.score import _chunks
from tests.conftest import RunCommand, Shop, write
from tests.training.test_reranking import made_ads

CPU = torch.device("cpu")


def test_a_group_without_a_similarity_teaches_nothing() -> None:
    """Photos that none could be read of: a count of 0 for every ad."""
    made = made_ads(0)
    text = made.evidence.only(["text"])
    nothing = np.zeros((len(text), 2), np.float32)
    nothing[:, 1] = np.nan
    names, groups = ("photo_count_min", "photos_above_mean"), ("photos", "photos")
    both = ComparisonVectors(
        np.hstack([text.values, nothing]),
        (*text.names, *names),
        (*text.groups, *groups),
        text.directions,
    )
    alone, beside = (co_train(evidence, made.left, made.right) for evidence in (text, both))
    found = beside.log_odds(both)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, alone.log_odds(text), atol=1e-9)


def test_nothing_that_can_be_compared_is_said() -> None:
    evidence = ComparisonVectors(
        np.full((3, 1), np.nan, np.float32), ("words_above_mean",), ("text",)
    )
    with pytest.raises(NrlDedupError, match="of these 3 candidate pairs none"):
        co_train(evidence, np.array([0, 0, 1]), np.array([1, 2, 2]))
    none = ComparisonVectors(np.zeros((0, 0), np.float32), (), ())
    with pytest.raises(NrlDedupError, match="of these 0 candidate pairs none"):
        co_train(none, np.zeros(0, np.int64), np.zeros(0, np.int64))


def test_evaluate_links_what_link_links() -> None:
    """0.9 in 32 bits is 0.89999998: a score that lies between the two is a link, as it is in the files."""
    threshold, labels = 0.9, np.array([True, True])
    score = np.array([0.9 - 1e-9, 0.9 - 1e-6])
    logits = np.log(score / (1 - score))
    written = pl.Series(score, dtype=pl.Float32)
    assert (
        are_links(logits, threshold).tolist() == (written >= threshold).to_list() == [True, False]
    )
    assert quality(labels, logits, np.ones(2), threshold).recall == 0.5


def words_of(words: Words) -> list[list[str]]:
    """Of each ad."""
    return [
        words.distinct[words.ids[start:end]].to_list()
        for start, end in pairwise(words.offsets.tolist())
    ]


def test_foreign_words_stand_as_they_are() -> None:
    titles = pl.Series(["диван серый", "Πωλείται Ποδήλατο BMX", "", "出售 手机", "µ 5"])
    texts = pl.Series(["продам", "καινούγιο 29", "!!", "Ｎ 7", ""])
    words = read_words([titles, texts], "ru")
    found = with_foreign_words(words, [titles, texts], "ru")
    known = words_of(words)
    read = words_of(found)
    assert known[0] and read[0] == known[0] and read[2] == [] and read[4] == known[4] == ["0"]
    assert found.distinct.to_list() == sorted(found.distinct.to_list())
    # Those of the title come before those of the description, and in each the known ones first.
    (bmx,) = known[1][:1]
    assert read[1] == [bmx, "πωλείται", "ποδήλατο", "0", "καινούγιο"]
    assert found.lengths[1].tolist() == [3, 2]
    assert read[3] == ["出售", "手机", *known[3]]
    alone = with_foreign_words(read_words([titles[2:3]], "ru"), [pl.Series(["½ 手"])], "ru")
    assert words_of(alone) == [["½", "手"]] and alone.lengths.tolist() == [[2]]
    same = read_words([titles[:1]], "ru")
    assert with_foreign_words(same, [titles[:1]], "ru") is same


def test_chunks_cover_every_pair_once() -> None:
    parts = _chunks(70_000)
    assert [(part.start, part.stop) for part in parts] == [
        (0, 32_768),
        (32_768, 65_536),
        (65_536, 98_304),
    ]


def test_a_training_without_anything_to_tell_ads_apart_makes_no_bundle(
    run: RunCommand, tmp_path: Path
) -> None:
    items = write(
        tmp_path / "items.csv", ["id", "title"], [[str(n), f"деталь {1000 + n}"] for n in range(30)]
    )
    status, _, err = run("train", items, "-o", tmp_path / "bundle", "--device", "cpu")
    assert (
        status == 1
        and "30 ads have only 1 different texts" in err
        and not (tmp_path / "bundle").exists()
    )


def test_compared_columns_are_remembered(run: RunCommand, shop: Shop, tmp_path: Path) -> None:
    items = pl.read_csv(shop.items, infer_schema=False)
    model = [str(100 + place // 2) for place in range(len(items))]
    items.with_columns(model_no=pl.Series(model)).write_csv(tmp_path / "items.csv")
    options = [
        "--fusion",
        "text",
        "--epochs",
        1,
        "--pretrain-epochs",
        0,
        "--device",
        "cpu",
        "--work-dir",
        tmp_path,
    ]
    bundle = tmp_path / "bundle"
    status, _, err = run(
        "train", tmp_path / "items.csv", shop.pairs, "--compare", "model_no", "-o", bundle, *options
    )  # fmt: skip
    assert status == 0, err
    assert load_bundle(bundle, CPU).data.compared == ("model_no",)
    found = {}
    for name, flags in (("remembered", []), ("told", ["--compare", "model_no"])):
        output = [
            "-o",
            tmp_path / f"{name}.csv",
            "--links",
            tmp_path / "links.csv",
            "--work-dir",
            tmp_path,
        ]
        assert (
            run(
                "link",
                tmp_path / "items.csv",
                "--model",
                bundle,
                *output,
                *flags,
                "--device",
                "cpu",
            )[0]
            == 0
        )
        found[name] = (tmp_path / f"{name}.csv").read_bytes()
        assert (tmp_path / "links.csv").read_bytes().count(b"\n") > 1
    assert found["remembered"] == found["told"]
    output = ["-o", tmp_path / "without.csv", "--work-dir", tmp_path, "--device", "cpu"]
    status, _, err = run("link", shop.items, "--model", bundle, *output)
    assert status == 0 and "model_no" in err and "lacks" in err
