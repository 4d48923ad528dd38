"""Damage to bytes that knows nothing of what they mean."""

from collections.abc import Callable
from random import Random

EXTREME = (0, 1, 0x7F, 0x80, 0xFF)


def flip_bits(random: Random, data: bytearray) -> None:
    for _ in range(random.choice((1, 1, 2, 5, 30))):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def set_bytes(random: Random, data: bytearray) -> None:
    for _ in range(random.choice((1, 2, 8))):
        data[random.randrange(len(data))] = random.choice((*EXTREME, random.randrange(256)))


def truncate(random: Random, data: bytearray) -> None:
    del data[random.randrange(len(data)) :]


def remove_range(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data))
    del data[at : at + random.choice((1, 2, 8, 100))]


def repeat_range(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data))
    data[at:at] = data[at : at + random.choice((1, 8, 100, 1000))] * random.choice((1, 1, 20))


def swap_ranges(random: Random, data: bytearray) -> None:
    size = random.choice((1, 4, 50))
    one, other = random.randrange(len(data)), random.randrange(len(data))
    first, second = bytes(data[one : one + size]), bytes(data[other : other + size])
    if len(first) == len(second):
        data[one : one + size], data[other : other + size] = second, first


def insert_noise(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = random.randbytes(random.choice((1, 3, 40)))


def zero_range(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data))
    size = min(random.choice((1, 4, 64, 1000)), len(data) - at)
    data[at : at + size] = bytes(size)


def append_noise(random: Random, data: bytearray) -> None:
    data += random.randbytes(random.choice((1, 20, 2000)))


def write_integer(random: Random, data: bytearray) -> None:
    """An extreme whole number of 2, 4 or 8 bytes somewhere, such as a length."""
    size = random.choice((2, 4, 4, 8))
    bits = 8 * size
    value = random.choice(
        (0, 1, (1 << bits) - 1, 1 << (bits - 1), (1 << (bits - 1)) - 1, 1 << (bits // 2), 0xFFFF)
    )
    at = random.randrange(max(1, len(data) - size))
    data[at : at + size] = (value % (1 << bits)).to_bytes(size, random.choice(("little", "big")))


Mutation = Callable[[Random, bytearray], None]
ANY: tuple[Mutation, ...] = (
    *(flip_bits, flip_bits, set_bytes, truncate, remove_range, repeat_range),
    *(swap_ranges, insert_noise, zero_range, append_noise, write_integer),
)


def mutate(
    random: Random, data: bytes, times: int, mutations: tuple[Mutation, ...] = ANY
) -> tuple[bytes, str]:
    """The bytes after some mutations, and their names."""
    changed, names = bytearray(data), []
    for _ in range(times):
        if changed:
            mutation = random.choice(mutations)
            mutation(random, changed)
            names.append(mutation.__name__)
    return bytes(changed), ", ".join(names)
