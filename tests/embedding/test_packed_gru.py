"""The packed GRU against nn.GRU over each sequence alone."""

import pytest
import torch
from torch import nn

from nrl_dedup.embedding.fusion.packed_gru import Packing, read

LENGTHS = torch.tensor([3, 0, 7, 1, 7, 2])
SIZE, HIDDEN = 4, 5


def a_gru(layers: int) -> nn.GRU:
    torch.manual_seed(1)
    return nn.GRU(SIZE, HIDDEN, num_layers=layers, batch_first=True, dtype=torch.float64)


def some_tokens() -> torch.Tensor:
    return torch.randint(0, 6, (len(LENGTHS), 9), generator=torch.Generator().manual_seed(2))


def some_vectors() -> torch.Tensor:
    return torch.randn(6, SIZE, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def packed(gru: nn.GRU, vectors: torch.Tensor) -> list[torch.Tensor]:
    """The states of every sequence that has tokens, by its place in the batch."""
    tokens, packing = some_tokens(), Packing.of(LENGTHS)
    states = read(gru, vectors, tokens[packing.rows, packing.columns], packing)
    return [states[packing.rows == row] for row in range(len(LENGTHS))]


def alone(gru: nn.GRU, vectors: torch.Tensor) -> list[torch.Tensor]:
    tokens = some_tokens()
    return [
        gru(vectors[tokens[row, :length]])[0]
        for row, length in enumerate(LENGTHS.tolist())
        if length
    ]


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_states_and_gradients_are_those_of_nn_gru(layers: int) -> None:
    found = []
    for way in (packed, alone):
        gru, vectors = a_gru(layers), some_vectors().requires_grad_()
        states = torch.cat([one for one in way(gru, vectors) if len(one)])
        weights = torch.randn(
            states.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64
        )
        (states * weights).sum().backward()
        found.append([states, vectors.grad, *(weight.grad for weight in gru.parameters())])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_last_state_of_a_sequence_is_where_the_packing_says() -> None:
    gru, vectors, tokens, packing = a_gru(1), some_vectors(), some_tokens(), Packing.of(LENGTHS)
    states = read(gru, vectors, tokens[packing.rows, packing.columns], packing)
    assert sorted(packing.order.tolist()) == [0, 2, 3, 4, 5]
    for row, last in zip(packing.order.tolist(), packing.last.tolist(), strict=True):
        torch.testing.assert_close(states[last], gru(vectors[tokens[row, : LENGTHS[row]]])[0][-1])


def test_sequences_without_tokens_have_no_states() -> None:
    packing = Packing.of(torch.tensor([0, 0]))
    states = read(a_gru(2), some_vectors(), torch.zeros(0, dtype=torch.long), packing)
    assert states.shape == (0, HIDDEN)
    assert not len(packing.order)


def test_autocast_multiplies_in_its_type_and_keeps_states_in_theirs() -> None:
    gru, vectors = a_gru(1).float(), some_vectors().float()
    exact = packed(gru, vectors)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = packed(gru, vectors)
    for ours, theirs in zip(rounded, exact, strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, atol=0.03, rtol=0)
    assert any(not torch.equal(ours, theirs) for ours, theirs in zip(rounded, exact, strict=True))


def test_gradients_have_the_same_bits_each_time_with_two_threads() -> None:
    """A backward pass that adds in any order would not: tokens come again and again."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        draw = torch.Generator().manual_seed(5)
        gru, vectors = nn.GRU(8, 16), torch.randn(50, 8, generator=draw)
        lengths = torch.full((40,), 50)
        packing, which = Packing.of(lengths), torch.randint(0, 50, (2000,), generator=draw)
        found = []
        for _ in range(10):
            distinct = vectors.clone().requires_grad_()
            read(gru, distinct, which, packing).sin().sum().backward()
            found.append(distinct.grad)
        assert all(torch.equal(found[0], one) for one in found)
    finally:
        torch.set_num_threads(threads)
