"""A GRU over sequences of unlike length that reads no padding: for processors, where `nn.GRU` pays for all of it.

The sequences are in order, the longest first, and time after time: all first tokens, all second tokens, ... Those that
have ended would be last, so that a step is over a shorter slice, and nothing is gathered or masked. The states of all
times are kept, and the gradient of the recurrent weights is one matrix product over all of them, where automatic
differentiation would make one per step.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import linear


@dataclass(frozen=True)
class Packing:
    """Where the tokens of a padded batch [sequences, times] are when they are packed.

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
        longest = 0
        if len(order):
            longest = int(lengths.max())
        times = torch.arange(longest)
        is_token = times[:, None] < lengths[order]  # times, sequences
        columns, places = is_token.nonzero(as_tuple=True)
        sizes = is_token.sum(1)
        starts = sizes.cumsum(0) - sizes
        last = starts[lengths[order] - 1] + torch.arange(len(order))
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
        w_input = gru.get_parameter(f"weight_ih_l{layer}")
        w_state = gru.get_parameter(f"weight_hh_l{layer}")
        b_input = gru.get_parameter(f"bias_ih_l{layer}")
        b_state = gru.get_parameter(f"bias_hh_l{layer}")
        reset_and_update, new = b_state.split([2 * gru.hidden_size, gru.hidden_size])
        added = torch.cat([reset_and_update, torch.zeros_like(new)])
        gates = linear(states, w_input).to(b_input.dtype) + b_input + added
        if layer == 0:
            gates = gates.index_select(0, which)
        states = _Recurrence.apply(gates, w_state, new, packing.sizes)
    return states


class _Recurrence(torch.autograd.Function):
    """One layer, in PyTorch's notation (nn.GRU), x being what the layer's input adds to each gate:

    r = sigmoid(x_r + W_hr h), z = sigmoid(x_z + W_hz h), n = tanh(x_n + r (W_hn h + b_hn)), h' = n + z (h - n)

    Under autocast the matrices are multiplied in its type; states and gates stay as they are.
    """

    @staticmethod
    def forward(ctx, gates, weight, bias, sizes):  # type: ignore[no-untyped-def]
        hidden = weight.shape[1]
        kind = _product_type(weight)
        with torch.autocast(weight.device.type, enabled=False):
            transposed = weight.to(kind).t()
            sigmoids = gates.new_empty(len(gates), 2 * hidden)  # r, z
            proposed = gates.new_empty(len(gates), hidden)
            new = torch.empty_like(proposed)
            states = torch.empty_like(proposed)
            sequences = sizes[0] if sizes else 0
            h = gates.new_zeros(sequences, hidden)
            first = 0
            for size in sizes:
                now = slice(first, first + size)
                h = h[:size]
                recurrent = h.to(kind) @ transposed
                from_input = gates[now]
                r_and_z = sigmoids[now]
                torch.add(from_input[:, : 2 * hidden], recurrent[:, : 2 * hidden], out=r_and_z)
                r, z = r_and_z.sigmoid_().split(hidden, dim=1)
                torch.add(recurrent[:, 2 * hidden :], bias, out=proposed[now])
                n = new[now]
                torch.addcmul(from_input[:, 2 * hidden :], r, proposed[now], out=n).tanh_()
                h = torch.lerp(n, h, z, out=states[now])
                first += size
        ctx.save_for_backward(weight, sigmoids, proposed, new, states)
        ctx.sizes = sizes
        ctx.kind = kind
        return states

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        weight, sigmoids, proposed, new, states = ctx.saved_tensors
        kind = ctx.kind
        sizes = ctx.sizes
        hidden = weight.shape[1]
        starts = np.concatenate([[0], np.cumsum(sizes)]).tolist()
        before = torch.zeros_like(states)
        for time in range(1, len(sizes)):
            last = starts[time - 1]
            before[starts[time] : starts[time + 1]] = states[last : last + sizes[time]]
        r, z = sigmoids.split(hidden, dim=1)
        # Of the state's gradient, what reaches the argument of each gate.
        to_new = (1 - z) * (1 - new * new)
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
            of_n = of_new[now]
            torch.mul(of_state, to_new[now], out=of_n)
            part = recurrent[now]
            part[:, :hidden] = of_n * to_reset[now]
            part[:, hidden : 2 * hidden] = of_state * to_update[now]
            part[:, 2 * hidden :] = of_n * r[now]
            carried = (of_state * z[now]).add_(part @ back)
        of_gates = torch.cat([recurrent[:, : 2 * hidden], of_new], dim=1)
        of_weight = (recurrent.t() @ before.to(kind)).to(weight.dtype)
        of_bias = recurrent[:, 2 * hidden :].sum(0, dtype=weight.dtype)
        return of_gates, of_weight, of_bias, None


def _product_type(like: Tensor) -> torch.dtype:
    device = like.device.type
    if torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return like.dtype
