"""Blocking against brute force: what is paired, what is not, and what it claims about itself."""

import faiss
import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.distance import cdist

from nrl_dedup.blocking import dense_search as vectors_module
from nrl_dedup.blocking import faiss_indexes as search_module
from nrl_dedup.blocking import item_search as nearest_module
from nrl_dedup.blocking.candidates import unite
from nrl_dedup.blocking.exact_duplicates import collapse
from nrl_dedup.blocking.faiss_indexes import L2, InvertedSearch, faiss_device, without_self
from nrl_dedup.blocking.joint_source import joint_neighbours
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.runtime.progress import Silent

CPU = torch.device("cpu")


class Heard(Silent):
    """Keeps what was said."""

    def __init__(self):
        self.said, self.warned = [], []

    def say(self, message):
        self.said.append(message)

    def warn(self, message):
        self.warned.append(message)


def pairs_of(frame):
    return set(frame.iter_rows())


def brute_force(z, neighbours):
    """The pairs of each row with its nearest others in L1, of vectors without ties, in 64 bits."""
    apart = cdist(z.astype(np.float64), z.astype(np.float64), "cityblock")
    np.fill_diagonal(apart, np.inf)
    nearest = np.argsort(apart, axis=1)[:, : min(neighbours, len(z) - 1)]
    return {
        (min(row, other), max(row, other)) for row, others in enumerate(nearest) for other in others
    }


def candidates_of(z, neighbours, **options):
    """Each ad with all that it lists in the joint space: two ends for each of its neighbours keep to the cap."""
    space = joint_neighbours(z, neighbours, device=CPU, **options)
    return unite([space], [1], candidates_per_ad=2 * neighbours)


def structured(n, size=16, seed=0):
    """Vectors like a trained branch's: not negative, around centres, of few real dimensions."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((n // 20, 6))
    latent = centres[random.integers(0, len(centres), n)] + 0.3 * random.standard_normal((n, 6))
    mixed = latent @ random.standard_normal((6, size)) + 0.2 * random.standard_normal((n, size))
    return np.maximum(mixed, 0).astype(np.float32)


# ---- candidates of the joint space alone


@given(st.integers(2, 40), st.integers(1, 45), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_exact_search_gives_the_pairs_of_brute_force(n, neighbours, seed):
    z = np.random.default_rng(seed).random((n, 5), dtype=np.float32)
    result = candidates_of(z, neighbours, index="exact")
    assert pairs_of(result.frame) == brute_force(z, neighbours)
    assert result.spaces[0].recall == 1.0


def test_the_joint_space_lists_the_nearest_in_their_order_with_minus_their_distance():
    z = structured(200)
    space = joint_neighbours(z, 7, device=CPU, index="exact")
    apart = cdist(z.astype(np.float64), z.astype(np.float64), "cityblock")
    np.fill_diagonal(apart, np.inf)
    assert (space.neighbours.rows == np.argsort(apart, axis=1)[:, :7]).all()
    np.testing.assert_allclose(
        space.neighbours.similarities, -np.sort(apart, axis=1)[:, :7], rtol=1e-5
    )
    assert not space.is_hub.any()


def test_the_nearest_in_l1_are_the_best_by_the_heads_logit():
    random = np.random.default_rng(1)
    n, k = 400, 10
    h = np.maximum(random.standard_normal((n, 8)), 0).astype(np.float32)
    w = -random.gamma(1.0, 1.0, 8).astype(np.float32)
    frame = candidates_of(h * np.abs(w), k, index="exact").frame

    apart = np.abs(h.astype(np.float64)[:, None] - h.astype(np.float64)[None])  # n x n x size
    logit = 0.7 + apart @ w.astype(np.float64)
    np.fill_diagonal(logit, -np.inf)
    last = np.sort(logit, axis=1)[:, -k]
    paired = np.zeros((n, n), dtype=bool)
    paired[frame["distinct_l"], frame["distinct_r"]] = True
    paired |= paired.T
    best = logit >= last[:, None]
    tied = np.abs(logit - last[:, None]) <= 1e-5
    assert not (best & ~paired & ~tied).any()
    assert not (paired & ~best & ~best.T & ~tied & ~tied.T).any()


def test_pairs_are_ordered_unique_and_never_of_an_ad_with_itself(monkeypatch):
    monkeypatch.setattr(nearest_module, "CHUNK_ADS", 7)  # several chunks
    z = structured(60)
    frame = candidates_of(z, 3, index="exact").frame
    assert (frame["distinct_l"] < frame["distinct_r"]).all()
    assert frame.rows() == sorted(set(frame.rows()))
    assert pairs_of(frame) == brute_force(z, 3)


@pytest.mark.parametrize("n", [0, 1])
def test_one_ad_or_none_has_no_candidates(n):
    result = candidates_of(np.ones((n, 4), dtype=np.float32), 5)
    assert result.frame.rows() == []
    assert result.frame.columns == ["distinct_l", "distinct_r"]


def test_with_as_many_neighbours_as_ads_every_pair_is_a_candidate():
    z = structured(20)
    for index in ("exact", "auto"):
        for neighbours in (19, 20, 500):
            frame = candidates_of(z, neighbours, index=index).frame
            assert pairs_of(frame) == {(i, j) for j in range(20) for i in range(j)}


def test_ads_of_one_vector_are_paired_with_their_first_and_hide_nobody():
    z = structured(200, seed=3)
    hubs = np.array([20, 40, 42, 60, 199])  # one more than the neighbours
    z[hubs] = z[20]
    heard = Heard()
    frame = candidates_of(z, 4, index="exact", progress=heard).frame

    # Hubs list only one another; the others list their nearest, among which the hubs are one ad.
    rows = np.setdiff1d(np.arange(200), hubs[1:])
    apart = cdist(z[rows], z[rows], "cityblock")
    np.fill_diagonal(apart, np.inf)
    nearest = rows[np.argsort(apart, axis=1)[:, :4]]
    others = {
        (min(i, j), max(i, j))
        for i, listed in zip(rows, nearest, strict=True)
        if i != 20
        for j in listed
    }
    assert any(20 in pair for pair in others)
    assert pairs_of(frame) == others | {(20, member) for member in hubs[1:]}
    assert frame.rows() == sorted(frame.rows())
    assert any("5 ads are crowded" in message for message in heard.said)


def test_equal_vectors_that_are_no_hubs_are_each_others_neighbours():
    z = structured(100, seed=4)
    z[[10, 50, 90]] = z[10]
    frame = candidates_of(z, 3, index="exact").frame
    assert {(10, 50), (10, 90), (50, 90)} <= pairs_of(frame)
    apart = cdist(z, z, "cityblock")
    np.fill_diagonal(apart, np.inf)
    kth = np.sort(apart, axis=1)[:, 2]
    for left, right in frame.rows():
        assert apart[left, right] <= max(kth[left], kth[right]) + 1e-5
    degree = np.bincount(np.concatenate([frame["distinct_l"], frame["distinct_r"]]), minlength=100)
    assert degree.min() >= 3


def test_all_vectors_equal():
    frame = candidates_of(np.ones((50, 4), dtype=np.float32), 5, index="auto").frame
    assert pairs_of(frame) == {(0, row) for row in range(1, 50)}


def recall_of(frame, z, neighbours):
    """Of the exact neighbours of each ad, the share that is paired with it."""
    paired = np.zeros((len(z), len(z)), dtype=bool)
    paired[frame["distinct_l"], frame["distinct_r"]] = True
    paired |= paired.T
    apart = cdist(z, z, "cityblock")
    np.fill_diagonal(apart, np.inf)
    nearest = np.argsort(apart, axis=1)[:, :neighbours]
    return np.take_along_axis(paired, nearest, axis=1).mean()


def test_inverted_lists_find_what_they_claim():
    z = structured(4_000)
    heard = Heard()
    result = candidates_of(z, 10, index="ivf", progress=heard)
    (space,) = result.spaces
    assert 0.97 <= space.recall <= 1
    # Pairs found from either side count here, so the share may only be higher than the recall of one side.
    assert recall_of(result.frame, z, 10) >= space.recall - 0.02
    assert space.index in heard.said[0] and f"{space.recall:.3f}" in heard.said[0]
    assert heard.warned == []


def test_inverted_lists_warn_where_there_is_no_structure():
    z = np.random.default_rng(0).standard_normal((3_000, 128)).astype(np.float32)
    heard = Heard()
    result = candidates_of(z, 10, index="ivf", progress=heard)
    (space,) = result.spaces
    assert space.recall < 0.97
    assert f"{space.recall:.1%}" in heard.warned[0]
    assert recall_of(result.frame, z, 10) >= space.recall - 0.02


def test_the_same_pairs_each_time_and_on_any_number_of_cores():
    z = structured(3_000, seed=5)
    z[100:104] = z[100]
    first = candidates_of(z, 5, seed=3, index="ivf").frame
    threads = faiss.omp_get_max_threads()
    try:
        for count in (1, 3):
            faiss.omp_set_num_threads(count)
            assert candidates_of(z, 5, seed=3, index="ivf").frame.equals(first)
    finally:
        faiss.omp_set_num_threads(threads)


def test_the_own_row_is_left_out_or_else_the_last():
    found = np.array([[3, 5, 8], [5, 3, 8], [5, 8, 9], [5, 8, -1], [3, -1, -1]])
    others = [[5, 8], [5, 8], [5, 8], [5, 8], []]
    assert [
        row[kept].tolist()
        for row, kept in zip(found, without_self(found, np.full(5, 3)), strict=True)
    ] == others


def test_ranking_again_by_l1_keeps_the_nearest_and_what_is_missing_last(monkeypatch):
    z = np.array([[0, 0], [3, 0], [1, 1], [0, 5]], dtype=np.float32)
    rows = np.array([[3, -1, 1, 2], [-1, -1, -1, 1]])
    for held in (1, 2**24):
        monkeypatch.setattr(search_module, "CHUNK_COORDINATES", held)
        distances, nearest = search_module._ranked_by_l1(z[[0, 2]], torch.from_numpy(z), rows, 3)
        assert nearest.tolist() == [[2, 1, 3], [1, -1, -1]]
        assert distances.tolist() == [[2, 3, 5], [3, np.inf, np.inf]]


def test_a_net_in_l2_ranked_by_l1_finds_the_same_neighbours():
    """What a GPU does, done on the CPU."""
    z = structured(2_000, seed=6)
    search = InvertedSearch(z, 10, CPU, seed=0, in_lists=L2)
    distances, rows = search.nearest(z[:300])
    apart = cdist(z[:300].astype(np.float64), z.astype(np.float64), "cityblock")
    np.testing.assert_allclose(
        distances, np.take_along_axis(apart, rows, axis=1), rtol=1e-5, atol=1e-5
    )
    assert (np.diff(distances, axis=1) >= 0).all()
    exact = np.sort(apart, axis=1)[:, 1:11]
    found = (distances[:, 1:] <= exact[:, -1:] * (1 + 1e-5)).mean()
    assert search.recall >= 0.97
    assert found >= search.recall - 0.02


def test_auto_is_exact_while_cheap_and_inverted_beyond(monkeypatch):
    z = structured(500)
    assert "exact" in candidates_of(z, 5).spaces[0].index
    monkeypatch.setitem(vectors_module.MAX_EXACT_WORK, "cpu", 500 * 500 * 16 - 1)
    assert "inverted" in candidates_of(z, 5).spaces[0].index


def test_torch_and_faiss_share_a_process_in_both_orders():
    weights = torch.ones(64, 64, requires_grad=True)
    for _ in range(2):
        (torch.rand(256, 64) @ weights).relu().sum().backward()
        z = structured(300)
        assert pairs_of(candidates_of(z, 3, index="exact").frame) == brute_force(z, 3)


def test_a_gpu_without_faiss_code_for_it_falls_back_and_says_so(monkeypatch):
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 0, raising=False)
    heard = Heard()
    assert faiss_device(torch.device("cuda", 0), heard) == CPU
    assert "CPU" in heard.said[0]


def test_what_the_joint_space_refuses():
    z = structured(40)
    with pytest.raises(NrlDedupError, match="--candidates 0"):
        candidates_of(z, 0)
    with pytest.raises(NrlDedupError, match="index hnsw: wanted one of auto, exact, ivf"):
        candidates_of(z, 5, index="hnsw")
    for value in (np.nan, np.inf):
        z[3, 2] = value
        with pytest.raises(NrlDedupError, match="not finite"):
            candidates_of(z, 5)


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(2, 12), st.just(2)),
        elements=st.sampled_from([0, -0.0, 1]),
    )
)
@settings(max_examples=60, deadline=None)
def test_many_ties_lose_no_component(z):
    """Whatever ties are cut, ads of one vector are joined, and every ad has its neighbours or the first of its hubs."""
    frame = candidates_of(z, 2, index="exact").frame
    joined = np.eye(len(z), dtype=bool)
    same = (z[:, None] == z[None]).all(axis=2)
    pairs = frame.to_numpy()
    joined[pairs[:, 0], pairs[:, 1]] = True
    joined |= joined.T
    reach = np.linalg.matrix_power((joined & same).astype(np.int64), len(z)) > 0
    assert reach[same].all()
    assert joined.sum(axis=1).min() >= 2


# ---- collapse


def ads(rows):
    return pl.DataFrame(rows, schema={"title": pl.String, "description": pl.String}, orient="row")


texts = st.sampled_from(["", " ", "\n", "a", "A", "b", "дом"])


@given(st.lists(st.tuples(texts, texts, st.sampled_from([0, 7, 2**64 - 1])), max_size=25))
@settings(max_examples=100, deadline=None)
def test_collapse_groups_by_raw_text_and_photo(rows):
    groups = collapse(
        ads([row[:2] for row in rows]), np.array([row[2] for row in rows], dtype=np.uint64)
    )
    smallest = {}
    leader = []
    for number, (title, description, digest) in enumerate(rows):
        nothing = not title.strip() and not description.strip() and digest == 0
        key = number if nothing else (title, description, digest)
        leader.append(smallest.setdefault(key, number))
    assert groups.representatives.tolist() == sorted(set(leader))
    assert groups.representatives[groups.group_of].tolist() == leader
    stars = [(first, number) for number, first in enumerate(leader) if first != number]
    assert groups.copy_pairs().rows() == stars


def test_equal_hashes_do_not_make_different_texts_one(monkeypatch):
    monkeypatch.setattr(pl.Expr, "hash", lambda self, seed=0: self.is_null().cast(pl.UInt64))
    frame = ads([("a", "x"), ("b", "x"), ("a", "x"), ("a", "y")])
    groups = collapse(frame, np.zeros(4, dtype=np.uint64))
    assert groups.representatives[groups.group_of].tolist() == [0, 1, 0, 3]


def test_equal_hashes_do_not_make_different_vectors_one(monkeypatch):
    monkeypatch.setattr(
        pl.DataFrame, "hash_rows", lambda self: pl.zeros(len(self), pl.UInt64, eager=True)
    )
    z = np.ones((12, 3), dtype=np.float32)
    z[[4, 9]] += [[0, 1, 0], [0, 0, 2]]
    frame = candidates_of(z, 3, index="exact").frame
    assert {(0, row) for row in range(1, 12)} <= pairs_of(frame)
    assert (4, 9) in pairs_of(frame)
