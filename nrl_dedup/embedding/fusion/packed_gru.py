"""A GRU over sequences of unlike length that reads no padding: for processors, where `nn.GRU` pays for all of it.

The sequences stand the longest first, and time after time: all first tokens, all second tokens, ... Those that have
ended would stand last, so that a step is over a shorter slice, and nothing is gathered or masked. The states of all
times are kept, and the gradient of the recurrent weights is one matrix product over all of them, where automatic
differentiation would make one a step.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import linear


@dataclass(frozen=True)
class Packing:
    """Where the tokens of a padded batch [sequences, times] stand when they are packed.

    `order`: the sequences that have tokens, the longest first. `rows`, `columns`: each packed token's place in the
    batch. `sizes`: tokens of each time. `last`: the last packed token of each sequence of `order`.
    """

    order: Int64[Tensor, "some"]
    rows: Int64[Tensor, "tokens"]
    columns: Int64[Tensor, "tokens"]
    sizes: tuple[int, ...]
    last: Int64[Tensor, "some"]

    @classmethod
    def of(cls, lengths: Int64[Tensor, "sequences"]) -> "Packing":
        order = lengths.argsort(descending=True, stable=True)
        order = order[lengths[order] > 0]
        longest = int(lengths.max()) if len(order) else 0
        there = torch.arange(longest)[:, None] < lengths[order]  # times, sequences
        columns, places = there.nonzero(as_tuple=True)
        sizes = there.sum(1)
        last = (sizes.cumsum(0) - sizes)[lengths[order] - 1] + torch.arange(len(order))
        return cls(order, order[places], columns, tuple(sizes.tolist()), last)


def read(
    gru: nn.GRU,
    inputs: Float[Tensor, "distinct size"],
    which: Int64[Tensor, "tokens"],
    packing: Packing,
) -> Float[Tensor, "tokens hidden"]:
    """The states of `gru`, all its layers, after each packed token.

    :param inputs: the vectors of the distinct tokens; `which` of them each packed token is. What the first layer
        makes of a token is computed once for all its occurrences.
    """
    states = inputs
    for layer in range(gru.num_layers):
        w_input, w_state, b_input, b_state = (
            gru.get_parameter(f"{kind}_l{layer}")
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        reset_and_update, new = b_state.split([2 * gru.hidden_size, gru.hidden_size])
        gates = (
            linear(states, w_input).to(b_input.dtype)
            + b_input
            + torch.cat([reset_and_update, torch.zeros_like(new)])
        )
        states = _Recurrence.apply(
            gates.index_select(0, which) if layer == 0 else gates, w_state, new, packing.sizes
        )
    return states


class _Recurrence(torch.autograd.Function):
    """One layer, in PyTorch's notation (nn.GRU), x being what the layer's input adds to each gate:

    r = sigmoid(x_r + W_hr h), z = sigmoid(x_z + W_hz h), n = tanh(x_n + r (W_hn h + b_hn)), h' = n + z (h - n)

    Under autocast the matrices are multiplied in its type; states and gates stay as they are.
    """

    @staticmethod
    def forward(ctx, gates, weight, bias, sizes):  # type: ignore[no-untyped-def]
        hidden, kind = weight.shape[1], _product_type(weight)
        with torch.autocast(weight.device.type, enabled=False):
            transposed = weight.to(kind).t()
            sigmoids = gates.new_empty(len(gates), 2 * hidden)  # r, z
            proposed, new, states = (gates.new_empty(len(gates), hidden) for _ in range(3))
            h, first = gates.new_zeros(sizes[0] if sizes else 0, hidden), 0
            for size in sizes:
                now, h = slice(first, first + size), h[:size]
                recurrent = h.to(kind) @ transposed
                r, z = (
                    torch.add(
                        gates[now, : 2 * hidden], recurrent[:, : 2 * hidden], out=sigmoids[now]
                    )
                    .sigmoid_()
                    .split(hidden, dim=1)
                )
                torch.add(recurrent[:, 2 * hidden :], bias, out=proposed[now])
                torch.addcmul(gates[now, 2 * hidden :], r, proposed[now], out=new[now]).tanh_()
                h = torch.lerp(new[now], h, z, out=states[now])
                first += size
        ctx.save_for_backward(weight, sigmoids, proposed, new, states)
        ctx.sizes, ctx.kind = sizes, kind
        return states

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        weight, sigmoids, proposed, new, states = ctx.saved_tensors
        kind, hidden, sizes = ctx.kind, weight.shape[1], ctx.sizes
        starts = np.concatenate([[0], np.cumsum(sizes)]).tolist()
        before = torch.zeros_like(states)
        for time in range(1, len(sizes)):
            before[starts[time] : starts[time + 1]] = states[
                starts[time - 1] : starts[time - 1] + sizes[time]
            ]
        r, z = sigmoids.split(hidden, dim=1)
        to_new = (1 - z) * (
            1 - new * new
        )  # of the state's gradient, what reaches the argument of each gate
        to_update = (before - new) * z * (1 - z)
        to_reset = proposed * r * (1 - r)  # by way of n
        recurrent = states.new_empty(len(states), 3 * hidden, dtype=kind)
        of_new = torch.empty_like(states)
        back = weight.to(kind)
        carried = states.new_zeros(0, hidden)
        for time in reversed(range(len(sizes))):
            now = slice(starts[time], starts[time + 1])
            of_state = gradient[now].clone()
            of_state[: len(carried)] += carried
            torch.mul(of_state, to_new[now], out=of_new[now])
            part = recurrent[now]
            part[:, :hidden] = of_new[now] * to_reset[now]
            part[:, hidden : 2 * hidden] = of_state * to_update[now]
            part[:, 2 * hidden :] = of_new[now] * r[now]
            carried = (of_state * z[now]).add_(part @ back)
        of_gates = torch.cat([recurrent[:, : 2 * hidden], of_new], dim=1)
        of_weight = (recurrent.t() @ before.to(kind)).to(weight.dtype)
        return of_gates, of_weight, recurrent[:, 2 * hidden :].sum(0, dtype=weight.dtype), None


def _product_type(like: Tensor) -> torch.dtype:
    device = like.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else like.dtype
