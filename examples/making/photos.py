"""Shots: one object in one room, seen from somewhere in some light, as a JPEG."""

import io
from dataclasses import dataclass

import numpy as np
from objects import DRAWERS, Look
from render import (
    PITCH,
    SUPERSAMPLING,
    Camera,
    Colour,
    Light,
    Material,
    Room,
    Solids,
    develop,
    draw,
    turn,
)

COLOURS: dict[str, Colour] = {
    "red": (0.75, 0.09, 0.08),
    "orange": (0.95, 0.48, 0.06),
    "yellow": (0.95, 0.82, 0.15),
    "green": (0.12, 0.48, 0.16),
    "cyan": (0.25, 0.72, 0.78),
    "blue": (0.08, 0.2, 0.66),
    "violet": (0.45, 0.18, 0.58),
    "pink": (0.95, 0.52, 0.66),
    "white": (0.92, 0.92, 0.9),
    "black": (0.09, 0.09, 0.1),
    "brown": (0.38, 0.2, 0.1),
    "grey": (0.5, 0.51, 0.53),
}
# The second colour goes with the first so that pattern and trim stand out from it.
TRIMS: dict[str, tuple[str, ...]] = {
    "red": ("white", "black", "yellow"),
    "orange": ("white", "black", "blue"),
    "yellow": ("black", "green", "violet"),
    "green": ("white", "yellow", "orange"),
    "cyan": ("white", "brown", "red"),
    "blue": ("white", "yellow", "orange"),
    "violet": ("white", "yellow", "cyan"),
    "pink": ("white", "violet", "black"),
    "white": ("red", "blue", "black"),
    "black": ("white", "red", "yellow"),
    "brown": ("white", "orange", "cyan"),
    "grey": ("red", "white", "blue"),
}
PATTERNS = ("plain", "stripes", "checks", "dots")
VARIANTS = 3

ROOMS: dict[str, tuple[Room, ...]] = {
    "floor": (
        Room("planks", (0.62, 0.42, 0.25), "flowers", (0.82, 0.76, 0.6), 2.2, 1.0),
        Room("planks", (0.72, 0.63, 0.5), "plain", (0.62, 0.74, 0.82), 2.6, 1.0),
        Room("carpet", (0.58, 0.2, 0.18), "stripes", (0.85, 0.8, 0.66), 2.0, 0.8),
        Room("tiles", (0.78, 0.8, 0.8), "tiles", (0.72, 0.84, 0.84), 2.0, 0.7),
        Room("chess", (0.62, 0.6, 0.58), "plain", (0.78, 0.72, 0.52), 2.2, 0.7),
        Room("grass", (0.28, 0.46, 0.16), "fence", (0.5, 0.36, 0.22), 3.2, 0.9),
        Room("asphalt", (0.42, 0.42, 0.43), "brick", (0.55, 0.25, 0.18), 2.8, 0.9),
        Room("carpet", (0.3, 0.42, 0.36), "plain", (0.78, 0.6, 0.56), 2.2, 0.8),
    ),
    "table": (
        Room("planks", (0.5, 0.3, 0.16), "plain", (0.76, 0.74, 0.68), 2.0, 1.6),
        Room("cloth", (0.85, 0.4, 0.36), "plain", (0.84, 0.8, 0.64), 1.8, 0.8),
        Room("cloth", (0.5, 0.64, 0.84), "flowers", (0.84, 0.8, 0.72), 1.9, 0.7),
        Room("plain", (0.86, 0.85, 0.82), "brick", (0.6, 0.3, 0.22), 1.9, 0.9),
        Room("planks", (0.8, 0.7, 0.54), "tiles", (0.62, 0.78, 0.7), 1.8, 0.9),
        Room("carpet", (0.42, 0.26, 0.46), "stripes", (0.66, 0.68, 0.76), 2.0, 0.7),
        Room("plain", (0.24, 0.22, 0.22), "curtain", (0.5, 0.62, 0.42), 1.9, 0.8),
        Room("chess", (0.7, 0.62, 0.5), "curtain", (0.66, 0.5, 0.36), 2.0, 0.5),
    ),
    "street": (
        Room("asphalt", (0.42, 0.42, 0.43), "brick", (0.55, 0.25, 0.18), 2.6, 0.7),
        Room("asphalt", (0.34, 0.35, 0.38), "fence", (0.36, 0.5, 0.34), 2.6, 0.9),
        Room("grass", (0.28, 0.46, 0.16), "fence", (0.5, 0.36, 0.22), 2.8, 0.7),
        Room("tiles", (0.66, 0.62, 0.56), "plain", (0.84, 0.76, 0.56), 2.6, 0.5),
        Room("asphalt", (0.5, 0.46, 0.4), "plain", (0.6, 0.68, 0.74), 3.4, 0.8),
        Room("grass", (0.4, 0.46, 0.2), "brick", (0.72, 0.68, 0.6), 2.8, 0.8),
        Room("chess", (0.6, 0.58, 0.56), "fence", (0.3, 0.34, 0.5), 2.6, 0.6),
        Room("planks", (0.5, 0.42, 0.34), "tiles", (0.72, 0.74, 0.78), 2.4, 0.8),
    ),
}
ROOM_COUNT = 8
SIZES = ((320, 256), (320, 256), (256, 320), (288, 288))
QUALITY = 80


@dataclass(frozen=True)
class Appearance:
    """What a photo of an entity shows: its category, its look, and the seller's room."""

    category: str
    colour: str
    trim: str
    pattern: str
    variant: int
    room: int

    def look(self) -> Look:
        return Look(COLOURS[self.colour], COLOURS[self.trim], self.pattern, self.variant)


def shot(appearance: Appearance, home: int, rng: np.random.Generator) -> bytes:
    """One JPEG of `appearance`; `home` seeds what stays the same at the seller's, `rng` what each shot changes."""
    draw_object, place, middle, radius, swing = DRAWERS[appearance.category]
    size = SIZES[rng.integers(len(SIZES))]
    # The object fills the narrower way, a little more or a little less.
    narrow = 0.38 * min(size) / max(size)
    distance = max(1.05 * radius, 1.2 * middle) / narrow * rng.uniform(0.92, 1.15) + 0.3
    camera = Camera(
        yaw=rng.uniform(-16, 16),
        pitch=rng.uniform(10, 24),
        distance=distance,
        target=(rng.uniform(-0.1, 0.1), middle + rng.uniform(-0.08, 0.08), rng.uniform(-0.1, 0.1)),
        width=int(size[0] * SUPERSAMPLING),
        height=int(size[1] * SUPERSAMPLING),
        roll=rng.normal(0, 2.0),
    )
    solids = Solids(camera.focal / (distance - 0.5) / PITCH, tuple(camera.frame()[0]))
    solids.push(rotation=turn(rng.uniform(-0.7, 0.7) * swing))
    draw_object(solids, appearance.look())
    solids.pop()
    room = ROOMS[place][appearance.room]
    if rng.random() < 0.06:  # now and then the seller takes it elsewhere
        room = ROOMS[place][rng.integers(ROOM_COUNT)]
    _clutter(solids, max(radius, 0.85), np.random.default_rng([home, 7]), rng)
    light = _light(rng)
    picture = develop(draw(solids, room, camera, light), size, light, rng)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _light(rng: np.random.Generator) -> Light:
    across, up, front = rng.uniform(-0.8, 0.8), rng.uniform(0.7, 1.3), rng.uniform(0.5, 1.0)
    length = float(np.sqrt(across**2 + up**2 + front**2))
    exposure = rng.uniform(0.9, 1.1)
    strength = rng.uniform(0.4, 0.75)
    warmth = rng.uniform(-0.06, 0.06)
    return Light(
        (across / length, up / length, front / length),
        strength * exposure,
        (1.06 - 0.75 * strength) * exposure,
        (1 + warmth, 1.0, 1 - warmth),
    )


def _clutter(
    solids: Solids, radius: float, home: np.random.Generator, rng: np.random.Generator
) -> None:
    """Small things of the seller's around the object: the same few things, not always in view or in one place."""
    for _ in range(int(home.integers(0, 3))):
        kind, colour = int(home.integers(4)), list(COLOURS.values())[home.integers(len(COLOURS))]
        size = radius * home.uniform(0.12, 0.2)
        side = home.choice([-1.0, 1.0])
        x = side * radius * (home.uniform(0.95, 1.25) + rng.uniform(-0.1, 0.1))
        z = radius * (home.uniform(-0.9, -0.3) + rng.uniform(-0.1, 0.1))
        if rng.random() < 0.35:
            continue
        _thing(solids, kind, Material(colour, gloss=0.3), size, x, z, float(rng.uniform(0, 90)))


def _thing(
    solids: Solids, kind: int, material: Material, size: float, x: float, z: float, yaw: float
) -> None:
    solids.push((x, 0, z), turn(yaw))
    if kind == 0:  # ball
        solids.ball((0, size, 0), (size, size, size), material)
    elif kind == 1:  # books
        for k in range(3):
            solids.box(
                (0.03 * k, size * (0.2 + 0.36 * k), 0),
                (size * 2.2, size * 0.33, size * 1.6),
                material,
                0.01,
            )
    elif kind == 2:  # cardboard box
        solids.box(
            (0, size * 0.9, 0),
            (size * 2, size * 1.8, size * 2),
            Material((0.66, 0.5, 0.32), gloss=0.05),
        )
    else:  # pot plant
        solids.lathe([(0, 0), (size * 0.6, 0), (size * 0.85, size), (0, size)], material)
        leaf = Material((0.14, 0.42, 0.12), (0.25, 0.55, 0.2), "dots", 0.12)
        for dx, dy in ((0, 1.9), (-0.5, 1.5), (0.5, 1.6)):
            solids.ball((dx * size, dy * size, 0), (size * 0.55, size * 0.7, size * 0.5), leaf)
    solids.pop()
