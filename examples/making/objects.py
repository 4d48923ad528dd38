"""The things that are for sale, each built from the solids of `render`, facing z, standing on y = 0.

Each function draws one category in three shapes (`look.variant`) and in the look's colours and pattern.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from render import Colour, Material, Solids, smooth, turn

Grid = tuple[np.ndarray, np.ndarray, np.ndarray]

BLACK = Material((0.06, 0.06, 0.07), gloss=0.35)
RUBBER = Material((0.09, 0.09, 0.1), gloss=0.05)
CHROME = Material((0.72, 0.74, 0.77), gloss=0.9)
STEEL = Material((0.5, 0.52, 0.55), gloss=0.6)
WHITE = Material((0.93, 0.93, 0.92), gloss=0.3)
GLASS = Material((0.13, 0.18, 0.24), gloss=0.9)
WOOD = Material((0.62, 0.4, 0.2), (0.42, 0.25, 0.11), "wood", 0.03, 0.2)
DARK_WOOD = Material((0.3, 0.17, 0.09), (0.18, 0.1, 0.05), "wood", 0.03, 0.25)
LIT = Material((1.0, 0.93, 0.72), glow=0.9)


@dataclass(frozen=True)
class Look:
    """What can be seen of an object and is not said in its ad."""

    colour: Colour
    second: Colour
    pattern: str
    variant: int

    def material(self, gloss: float = 0.2, scale: float = 0.2) -> Material:
        return Material(self.colour, self.second, self.pattern, scale, gloss)

    def plain(self, gloss: float = 0.2) -> Material:
        return Material(self.colour, gloss=gloss)

    def trim(self, gloss: float = 0.2) -> Material:
        return Material(self.second, gloss=gloss)


def bicycle(s: Solids, look: Look) -> None:
    paint, trim = look.material(0.5, 0.13), look.trim(0.4)
    for x in (-0.78, 0.78):
        s.ring((x, 0.46, 0), 0.42, 0.045, RUBBER)
        s.ring((x, 0.46, 0), 0.36, 0.03, trim)
        s.disc((x, 0.46, 0), 0.05, 0.14, CHROME)
        for dx, dy in ((1, 0), (0.5, 0.87), (-0.5, 0.87)):
            s.tube(
                [(x - 0.37 * dx, 0.46 - 0.37 * dy, 0), (x + 0.37 * dx, 0.46 + 0.37 * dy, 0)],
                0.006,
                CHROME,
            )
    crank, seat, head, rear, front = (
        (-0.14, 0.42, 0),
        (-0.33, 1.02, 0),
        (0.5, 1.02, 0),
        (-0.78, 0.46, 0),
        (0.78, 0.46, 0),
    )
    bars = [(crank, seat), (crank, head), (crank, rear), (seat, rear), (head, front)]
    if look.variant == 1:  # step-through
        bars.append(((-0.24, 0.66, 0), (0.52, 0.9, 0)))
    else:
        bars.append(((-0.31, 0.96, 0), head))
    for a, b in bars:
        s.tube([a, b], 0.06, paint)
    s.tube([seat, (-0.37, 1.18, 0)], 0.025, CHROME)
    s.ball((-0.39, 1.21, 0), (0.2, 0.055, 0.1), BLACK)
    s.tube([head, (0.45, 1.2, 0)], 0.03, CHROME)
    s.tube([(0.45, 1.2, -0.34), (0.45, 1.2, 0.34)], 0.028, CHROME)
    for z in (-0.3, 0.3):
        s.tube([(0.45, 1.2, z), (0.28, 1.21, z * 1.1)], 0.04, BLACK)
    s.disc((-0.14, 0.42, 0.05), 0.13, 0.03, STEEL)
    s.tube([(-0.14, 0.42, 0.08), (-0.02, 0.25, 0.12)], 0.022, STEEL)
    s.box((0.0, 0.24, 0.18), (0.16, 0.03, 0.12), BLACK)
    if look.variant == 1:  # basket
        s.box((0.75, 1.0, 0), (0.34, 0.26, 0.34), trim, 0.03)
        s.box((0.75, 1.1, 0), (0.3, 0.1, 0.3), BLACK)
    if look.variant == 2:  # mudguards and carrier
        for x, low in ((-0.78, 0.15), (0.78, 0.25)):
            s.surface(lambda u, v, x=x, low=low: _arch(u, v, x, 0.46, 0.49, low), (1.5, 0.14), trim)
        s.box((-0.85, 1.0, 0), (0.5, 0.03, 0.18), BLACK)
        s.tube([(-0.85, 1.0, 0), (-0.78, 0.46, 0.05)], 0.015, BLACK)


def _arch(u: np.ndarray, v: np.ndarray, x: float, y: float, radius: float, low: float) -> Grid:
    angle = np.pi * (low + (1.0 - 1.2 * low) * u)
    return x + radius * np.cos(angle), y + radius * np.sin(angle), 0.14 * (v - 0.5)


def sofa(s: Solids, look: Look) -> None:
    cloth, trim = look.material(0.05, 0.22), look.trim(0.05)
    s.box((0, 0.27, 0), (2.0, 0.26, 0.85), cloth, 0.06)
    s.box((0, 0.68, -0.36), (2.0, 0.72, 0.24), cloth, 0.1)
    for x in (-0.46, 0.46):
        s.box((x, 0.47, 0.08), (0.9, 0.2, 0.72), cloth, 0.08)
    for x in (-1.05, 1.05):
        if look.variant == 1:  # round bolsters
            s.disc((x, 0.55, 0.03), 0.2, 0.86, cloth)
            s.box((x, 0.3, 0.03), (0.24, 0.4, 0.84), cloth)
        else:
            s.box((x, 0.42, 0.03), (0.24, 0.6, 0.9), cloth, 0.08)
        for z in (-0.33, 0.36):
            s.lathe([(0.03, 0.0), (0.05, 0.16)], DARK_WOOD, (x * 0.93, 0, z))
    if look.variant == 2:  # corner sofa
        s.box((0.72, 0.28, 0.72), (0.82, 0.28, 0.9), cloth, 0.06)
        s.box((0.72, 0.47, 0.72), (0.8, 0.2, 0.86), cloth, 0.08)
    for x, lean in ((-0.7, 12), (0.62, -10)):
        s.push((x, 0.74, -0.15), turn(0, -20, lean))
        s.box((0, 0, 0), (0.42, 0.4, 0.16), trim, 0.08)
        s.pop()


def teapot(s: Solids, look: Look) -> None:
    glaze, trim = look.material(0.7, 0.3), look.trim(0.5)
    profiles = [
        [(0.0, 0.0), (0.5, 0.02), (0.72, 0.25), (0.76, 0.5), (0.6, 0.8), (0.34, 0.95)],
        [(0.0, 0.0), (0.62, 0.0), (0.58, 0.5), (0.46, 1.0), (0.3, 1.12)],
        [(0.0, 0.0), (0.4, 0.0), (0.66, 0.2), (0.84, 0.36), (0.66, 0.56), (0.3, 0.66)],
    ]
    profile = profiles[look.variant]
    s.lathe(smooth(profile, closed=False), glaze)
    radius, top = profile[-1]
    s.lathe([(radius + 0.03, top - 0.02), (radius * 0.8, top + 0.09), (0.06, top + 0.15)], trim)
    s.ball((0, top + 0.21, 0), (0.08, 0.08, 0.08), trim)
    middle = max(r for r, _ in profile) * 0.85
    s.surface(lambda u, v: _spout(u, v, middle, top), (1.2, 0.9), glaze)
    if look.variant == 1:
        s.tube(
            [(-0.4, 1.0, 0), (-0.42, 1.45, 0), (0, 1.6, 0), (0.42, 1.45, 0), (0.4, 1.0, 0)],
            0.05,
            BLACK,
        )
    else:
        a = middle + 0.05
        s.tube(
            [
                (-a * 0.8, 0.85 * top, 0),
                (-a - 0.25, 0.86 * top, 0),
                (-a - 0.32, 0.5 * top, 0),
                (-a * 0.9, 0.25 * top, 0),
            ],
            0.06,
            trim,
        )


def _spout(u: np.ndarray, v: np.ndarray, start: float, top: float) -> Grid:
    x = start * 0.75 + (0.42 + 0.25 * start) * u
    y = top * (0.28 + 0.75 * u * u)
    radius = 0.14 - 0.08 * u
    across = radius * np.cos(2 * np.pi * v)
    return x - 0.7 * across, y + 0.7 * across, radius * np.sin(2 * np.pi * v)


def lamp(s: Solids, look: Look) -> None:
    shade, trim = look.material(0.1, 0.2), look.trim(0.5)
    if look.variant == 1:  # jointed desk lamp
        s.lathe([(0, 0), (0.36, 0), (0.36, 0.06), (0.05, 0.1)], shade)
        s.tube([(0, 0.08, 0), (-0.35, 0.8, 0), (0.25, 1.4, 0)], 0.035, CHROME)
        s.ball((-0.35, 0.8, 0), (0.07, 0.07, 0.07), trim)
        s.push((0.33, 1.36, 0), turn(0, 25, 35))
        s.lathe([(0.08, 0.2), (0.14, 0.15), (0.36, -0.2)], shade)
        s.ball((0, -0.1, 0), (0.12, 0.12, 0.12), LIT)
        s.pop()
        return
    if look.variant == 0:
        s.lathe(
            [
                (0, 0),
                (0.3, 0),
                (0.3, 0.05),
                (0.06, 0.12),
                (0.05, 0.3),
                (0.15, 0.5),
                (0.05, 0.75),
                (0.04, 1.0),
            ],
            trim,
        )
    else:
        s.ball((0, 0.42, 0), (0.42, 0.42, 0.42), trim)
        s.lathe([(0.05, 0.8), (0.04, 1.0)], CHROME)
    s.lathe([(0.3, 1.55), (0.58, 0.9)] if look.variant == 0 else [(0.5, 1.5), (0.5, 0.95)], shade)
    s.ball((0, 1.15, 0), (0.12, 0.16, 0.12), LIT)


def sneaker(s: Solids, look: Look) -> None:
    cloth, trim = look.material(0.1, 0.16), look.trim(0.1)
    for x, z, yaw in ((0.0, 0.32, 8), (0.1, -0.38, -6)):
        s.push((x, 0, z), turn(yaw))
        _shoe(s, look, cloth, trim)
        s.pop()


def _shoe(s: Solids, look: Look, cloth: Material, trim: Material) -> None:
    stations = [-0.95, -0.85, -0.5, -0.15, 0.2, 0.6, 0.9, 1.0]
    heights = [0.45, 0.72, 0.74, 0.62, 0.45, 0.32, 0.24, 0.08]
    if look.variant == 1:  # high
        heights = [0.8, 1.12, 1.14, 1.0, 0.5, 0.34, 0.26, 0.08]
        stations = [-0.95, -0.85, -0.5, -0.22, 0.08, 0.6, 0.9, 1.0]
    widths = [0.1, 0.22, 0.24, 0.24, 0.27, 0.3, 0.22, 0.05]

    def upper(u: np.ndarray, v: np.ndarray) -> Grid:
        x = -0.95 + 1.95 * u
        angle = np.pi * (0.5 - 0.5 * np.cos(np.pi * v))  # closer rows where it rises steeply
        h, w = np.interp(x, stations, heights), np.interp(x, stations, widths)
        narrow = 1 - 0.35 * np.sin(angle) * (h > 0.5)
        return x, 0.12 + (h - 0.1) * np.abs(np.sin(angle)) ** 0.6, w * np.cos(angle) * narrow

    s.surface(upper, (2.6, 3.4), cloth)
    outline = [
        (-0.98, -0.1),
        (-0.9, 0.24),
        (-0.2, 0.24),
        (0.5, 0.32),
        (0.95, 0.2),
        (1.05, -0.02),
        (0.9, -0.24),
        (0.4, -0.3),
        (-0.2, -0.22),
        (-0.85, -0.24),
    ]
    s.push((0, 0.09, 0), turn(0, -90))
    s.slab(
        smooth(outline), 0, 0.3 if look.variant == 2 else 0.18, WHITE if look.variant != 1 else trim
    )
    s.pop()
    for i in range(5):
        x = -0.2 + i * 0.13
        y = np.interp(x, stations, heights) + 0.04
        s.tube([(x, y, -0.13), (x + 0.03, y + 0.01, 0.13)], 0.03, WHITE if look.variant else trim)
    top = 1.06 if look.variant == 1 else 0.7
    s.push((-0.58, top, 0), turn(0, 0, -4))
    s.ball((0, 0, 0), (0.27, 0.06, 0.14), BLACK)
    s.pop()
    for i in range(3):  # stripes on the side
        for z in (-1, 1):
            x = -0.3 + 0.16 * i
            s.tube([(x, 0.2, z * 0.28), (x - 0.12, 0.5, z * 0.24)], 0.035, trim)
    s.ball((0.86, 0.2, 0), (0.17, 0.1, 0.2), trim)


def guitar(s: Solids, look: Look) -> None:
    paint = look.material(0.7, 0.3)
    trim = look.trim(0.4)
    s.push((0, 0.06, 0), turn(0, -8))
    if look.variant == 0:  # acoustic
        half = [
            (0.0, 0.0),
            (0.5, 0.08),
            (0.62, 0.38),
            (0.42, 0.66),
            (0.46, 0.92),
            (0.24, 1.12),
            (0.0, 1.13),
        ]
    elif look.variant == 1:  # electric with two horns
        half = [
            (0.0, 0.02),
            (0.48, 0.0),
            (0.62, 0.32),
            (0.42, 0.58),
            (0.5, 0.88),
            (0.4, 1.14),
            (0.18, 0.9),
            (0.0, 0.86),
        ]
    else:  # arrow shaped
        half = [(0.0, 0.32), (0.58, 0.0), (0.72, 0.06), (0.22, 0.98), (0.0, 1.02)]
    outline = half + [(-x, y) for x, y in reversed(half[1:-1])]
    s.slab(
        smooth(outline) if look.variant < 2 else outline,
        0,
        0.24 if look.variant == 0 else 0.12,
        paint,
    )
    front = 0.125 if look.variant == 0 else 0.07
    s.box((0, 1.35, front), (0.14, 1.2, 0.06), DARK_WOOD)
    s.box(
        (0, 2.05, front - 0.01), (0.2, 0.32, 0.06), DARK_WOOD if look.variant == 0 else paint, 0.02
    )
    for y in (1.95, 2.05, 2.15):
        for x in (-0.14, 0.14):
            s.ball((x, y, front), (0.04, 0.025, 0.025), CHROME)
    if look.variant == 0:
        s.disc((0, 0.72, front), 0.16, 0.012, trim)
        s.disc((0, 0.72, front), 0.13, 0.02, BLACK)
        s.box((0, 0.32, front), (0.3, 0.06, 0.05), DARK_WOOD)
    else:
        s.slab(
            smooth([(0.05, 0.3), (0.3, 0.25), (0.25, 0.6), (0.1, 0.8), (-0.1, 0.7), (-0.1, 0.4)]),
            front,
            0.012,
            trim,
        )
        for y in (0.42, 0.58, 0.74):
            s.box((0, y, front + 0.01), (0.24, 0.06, 0.04), BLACK)
        for y in (0.2, 0.3):
            s.disc((0.26, y, front), 0.045, 0.06, CHROME)
    for k in range(4):
        x = -0.04 + 0.027 * k
        s.tube([(x, 0.32, front + 0.05), (x, 2.0, front + 0.04)], 0.005, CHROME)
    s.pop()


def laptop(s: Solids, look: Look) -> None:
    shell, trim = look.material(0.4, 0.25), look.trim(0.3)
    open_by = (-14, -14, -32)[look.variant]
    width = (1.7, 1.45, 1.7)[look.variant]
    s.box((0, 0.05, 0.1), (width, 0.08, 1.15), shell, 0.03)
    s.box((0, 0.092, -0.08), (width - 0.2, 0.012, 0.55), BLACK)
    for row in range(4):
        for k in range(11):
            x = (k - 5) * (width - 0.25) / 11
            s.box(
                (x, 0.103, -0.28 + 0.13 * row),
                (0.1, 0.012, 0.1),
                trim if look.variant == 1 else STEEL,
            )
    s.box((0, 0.096, 0.44), (0.5, 0.012, 0.3), trim)
    s.push((0, 0.08, -0.46), turn(0, open_by))
    s.box((0, 0.55, 0), (width, 1.1, 0.05), shell, 0.02)
    s.box((0, 0.56, 0.026), (width - 0.1, 0.98, 0.012), BLACK)
    s.box(
        (0, 0.56, 0.034),
        (width - 0.18, 0.86, 0.006),
        Material(look.second, look.colour, "checks", 0.4, 0.4, 0.45),
    )
    s.pop()


def phone(s: Solids, look: Look) -> None:
    shell, trim = look.material(0.6, 0.2), look.trim(0.5)
    size = ((0.82, 1.66), (0.95, 1.5), (0.75, 1.5))[look.variant]
    for x, back in ((-0.52, True), (0.52, False)):  # its back and its front, as sellers show it
        s.push((x, 0.07, 0.0), turn(0, -16))
        s.box((0, size[1] / 2, 0), (*size, 0.1), shell, 0.05)
        if back:
            if look.variant == 1:
                s.disc((0, size[1] * 0.75, 0.05), 0.26, 0.05, BLACK)
                spots = [(0, 0.1), (0.1, -0.07), (-0.1, -0.07)]
                cx, cy = 0.0, size[1] * 0.75
            else:
                s.box((-size[0] * 0.22, size[1] * 0.82, 0.05), (0.32, 0.4, 0.05), BLACK, 0.02)
                spots = (
                    [(0, 0.1), (0, -0.1)] if look.variant == 0 else [(0.06, 0.09), (-0.06, -0.09)]
                )
                cx, cy = -size[0] * 0.22, size[1] * 0.82
            for dx, dy in spots:
                s.disc((cx + dx, cy + dy, 0.08), 0.07, 0.03, CHROME)
                s.disc((cx + dx, cy + dy, 0.09), 0.05, 0.03, GLASS)
            s.disc((0, size[1] * 0.4, 0.052), 0.1, 0.01, trim)
        else:
            inset = 0.22 if look.variant == 2 else 0.05
            s.box(
                (0, size[1] / 2 + 0.02, 0.052), (size[0] - 0.07, size[1] - 0.1, 0.008), BLACK, 0.004
            )
            s.box(
                (0, size[1] / 2 + 0.03, 0.058),
                (size[0] - 0.1, size[1] - 2 * inset, 0.004),
                Material(look.second, look.colour, "plain", 0.3, 0.3, 0.5),
            )
            for i in range(4):
                for j in range(3):
                    s.box(
                        ((j - 1) * 0.2, 0.35 + 0.24 * i, 0.063),
                        (0.12, 0.12, 0.006),
                        Material(ICONS[(i + j) % 4], glow=0.5),
                    )
            if look.variant == 2:
                s.disc((0, 0.11, 0.06), 0.07, 0.02, STEEL)
        s.pop()


ICONS: list[Colour] = [(0.9, 0.3, 0.25), (0.3, 0.7, 0.35), (0.25, 0.5, 0.9), (0.95, 0.8, 0.2)]


def chair(s: Solids, look: Look) -> None:
    cloth, trim = look.material(0.1, 0.2), look.trim(0.2)
    if look.variant == 1:  # office chair
        s.box((0, 0.82, 0), (0.95, 0.16, 0.9), cloth, 0.07)
        s.push((0, 1.35, -0.45), turn(0, -8))
        s.box((0, 0.1, 0), (0.85, 1.0, 0.14), cloth, 0.07)
        s.pop()
        s.tube([(0, 0.8, -0.1), (0, 0.2, -0.1)], 0.06, CHROME)
        for k in range(5):
            s.push((0, 0, -0.1), turn(72 * k + 20))
            s.tube([(0, 0.2, 0), (0.55, 0.12, 0)], 0.045, BLACK)
            s.ball((0.55, 0.07, 0), (0.07, 0.07, 0.07), BLACK)
            s.pop()
        for x in (-0.54, 0.54):
            s.tube([(x, 0.8, -0.1), (x, 1.1, -0.1)], 0.035, BLACK)
            s.box((x, 1.12, 0), (0.12, 0.06, 0.5), trim, 0.03)
        return
    if look.variant == 0:  # dining chair
        s.box((0, 0.85, 0), (0.9, 0.14, 0.85), cloth, 0.05)
        for x in (-0.38, 0.38):
            s.tube([(x, 0.8, 0.36), (x * 1.05, 0, 0.38)], 0.05, trim)
            s.tube([(x * 1.02, 0, -0.42), (x, 0.85, -0.38), (x, 1.8, -0.5)], 0.05, trim)
        s.box((0, 1.55, -0.46), (0.84, 0.44, 0.08), cloth, 0.04)
        s.box((0, 1.15, -0.42), (0.8, 0.1, 0.06), trim)
        return
    # stool on three legs
    s.disc((0, 1.1, 0), 0.52, 0.16, cloth, "y")
    for k in range(3):
        s.push((0, 0, 0), turn(120 * k + 30))
        s.tube([(0.25, 1.05, 0), (0.5, 0, 0)], 0.05, trim)
        s.pop()
    s.ring((0, 0.4, 0), 0.38, 0.03, trim, "y")


def wardrobe(s: Solids, look: Look) -> None:
    front, body = look.material(0.15, 0.3), look.trim(0.15)
    width, height = ((1.5, 2.1), (1.9, 1.2), (1.1, 2.1))[look.variant]
    s.box((0, height / 2 + 0.08, 0), (width, height, 0.6), body, 0.02)
    s.box((0, 0.05, -0.03), (width - 0.1, 0.1, 0.5), BLACK)
    if look.variant == 1:  # chest of drawers
        for row in range(3):
            for x in (-width / 4, width / 4):
                y = 0.3 + row * 0.38
                s.box((x, y, 0.31), (width / 2 - 0.06, 0.34, 0.05), front, 0.015)
                s.box((x, y + 0.05, 0.36), (0.22, 0.04, 0.04), CHROME)
        return
    doors = 3 if look.variant == 0 else 2
    for k in range(doors):
        x = (k - (doors - 1) / 2) * width / doors
        s.box(
            (x, height / 2 + 0.09, 0.31), (width / doors - 0.05, height - 0.1, 0.05), front, 0.015
        )
        if look.variant == 0 and k == 1:
            s.box(
                (x, height / 2 + 0.1, 0.34),
                (width / doors - 0.14, height - 0.3, 0.01),
                Material((0.72, 0.79, 0.83), gloss=0.7),
            )
        if look.variant == 2:  # glazed above
            s.box((x, height * 0.72, 0.34), (width / doors - 0.18, height * 0.42, 0.01), GLASS)
        side = -1 if k >= doors / 2 else 1
        s.box((x + side * (width / doors / 2 - 0.1), height * 0.5, 0.36), (0.04, 0.3, 0.05), CHROME)


def stroller(s: Solids, look: Look) -> None:
    cloth, trim = look.material(0.1, 0.22), look.trim(0.1)
    radius = 0.26 if look.variant != 2 else 0.18
    for x in (-0.5, 0.45):
        for z in (-0.34, 0.34):
            s.ring((x, radius, z), radius - 0.05, 0.055, RUBBER)
            s.disc((x, radius, z), radius - 0.1, 0.06, CHROME)
    for z in (-0.3, 0.3):
        s.tube([(-0.5, radius, z), (0.25, 0.9, z), (0.8, 1.35, z)], 0.03, CHROME)
        s.tube([(0.45, radius, z), (-0.2, 0.8, z)], 0.03, CHROME)
    s.tube([(0.8, 1.35, -0.3), (0.8, 1.35, 0.3)], 0.045, BLACK)
    s.box((0.0, 0.4, 0), (0.6, 0.12, 0.5), BLACK, 0.03)
    if look.variant == 0:  # carrycot
        s.box((-0.05, 0.85, 0), (1.2, 0.36, 0.58), cloth, 0.14)
        s.box((-0.35, 1.03, 0), (0.6, 0.07, 0.6), trim, 0.03)
    else:  # seat
        s.box((-0.05, 0.72, 0), (0.6, 0.16, 0.56), cloth, 0.06)
        s.push((0.3, 1.0, 0), turn(0, 0, -28))
        s.box((0, 0, 0), (0.14, 0.72, 0.56), cloth, 0.06)
        s.pop()
        s.box((-0.45, 0.5, 0), (0.1, 0.4, 0.5), trim, 0.04)
        s.tube(
            [(-0.1, 0.98, -0.3), (-0.32, 1.0, -0.2), (-0.32, 1.0, 0.2), (-0.1, 0.98, 0.3)],
            0.035,
            BLACK,
        )

    def hood(u: np.ndarray, v: np.ndarray) -> Grid:
        angle = np.pi * (0.02 + 0.62 * u)
        across = np.pi * v
        size = 0.5 * np.abs(np.sin(across)) ** 0.35
        return (
            0.28 + size * np.cos(angle) * 0.95,
            1.0 + size * np.sin(angle),
            -0.31 * np.cos(across),
        )

    s.surface(hood, (1.1, 1.7), cloth)


def clock(s: Solids, look: Look) -> None:
    case, trim = look.material(0.4, 0.25), look.trim(0.2)
    y = 0.95
    face = Material((0.95, 0.94, 0.9))
    if look.variant == 0:
        s.ring((0, y, 0), 0.78, 0.13, case)
        s.disc((0, y, 0), 0.76, 0.06, face)
    elif look.variant == 1:
        s.box((0, y, 0), (1.7, 1.7, 0.16), case, 0.06)
        s.disc((0, y, 0.08), 0.72, 0.03, face)
    else:  # alarm clock with bells
        s.ring((0, y, 0), 0.66, 0.14, case)
        s.disc((0, y, 0), 0.64, 0.2, face)
        for x in (-0.42, 0.42):
            s.ball((x, y + 0.82, 0), (0.26, 0.2, 0.2), trim)
            s.tube([(x, 0.3, 0), (x * 1.25, 0, 0)], 0.06, trim)
        s.tube([(-0.2, y + 1.0, 0), (0.2, y + 1.0, 0)], 0.04, CHROME)
    front = 0.12
    for k in range(12):
        a = np.pi * k / 6
        far = 0.52 if look.variant == 2 else 0.62
        s.push((far * np.sin(a), y + far * np.cos(a), front - 0.02), turn(0, 0, -30 * k))
        s.box((0, 0, 0), (0.05 if k % 3 else 0.08, 0.1 if k % 3 else 0.16, 0.03), BLACK)
        s.pop()
    s.tube([(0, y, front + 0.02), (-0.25, y + 0.22, front + 0.02)], 0.035, BLACK)
    s.tube([(0, y, front + 0.03), (0.3, y + 0.38, front + 0.03)], 0.025, BLACK)
    s.disc((0, y, front + 0.03), 0.06, 0.05, trim)
    if look.variant != 2:
        s.tube([(0, y - 0.7, -0.1), (0, 0.02, -0.5)], 0.04, BLACK)


def backpack(s: Solids, look: Look) -> None:
    cloth, trim = look.material(0.08, 0.24), look.trim(0.1)
    width, height, depth = ((1.05, 1.5, 0.55), (1.2, 1.25, 0.5), (1.0, 1.9, 0.6))[look.variant]
    s.box((0, height / 2, 0), (width, height, depth), cloth, 0.25)
    if look.variant == 1:  # satchel with a flap
        s.box((0, height * 0.72, 0.06), (width + 0.04, height * 0.58, depth + 0.02), trim, 0.16)
        for x in (-0.3, 0.3):
            s.box((x, 0.48, depth / 2 + 0.04), (0.13, 0.4, 0.05), DARK_WOOD)
            s.box((x, 0.42, depth / 2 + 0.07), (0.17, 0.1, 0.04), CHROME)
    else:
        s.box((0, height * 0.28, depth / 2 + 0.06), (width * 0.76, height * 0.42, 0.26), trim, 0.1)
        s.tube(
            [
                (-width * 0.3, height * 0.42, depth / 2 + 0.2),
                (width * 0.3, height * 0.42, depth / 2 + 0.2),
            ],
            0.022,
            CHROME,
        )
        s.tube(
            [
                (-width * 0.36, height * 0.78, depth / 2 - 0.0),
                (width * 0.36, height * 0.78, depth / 2 - 0.0),
            ],
            0.025,
            BLACK,
        )
    if look.variant == 2:  # hiking: roll above, pockets at the sides
        s.disc((0, height + 0.16, 0), 0.2, 1.15, trim, "x")
        for x in (-width / 2 - 0.08, width / 2 + 0.08):
            s.box((x, 0.5, 0), (0.24, 0.7, 0.4), cloth, 0.1)
    s.tube(
        [
            (-0.14, height - 0.04, -0.12),
            (-0.1, height + 0.16, -0.12),
            (0.1, height + 0.16, -0.12),
            (0.14, height - 0.04, -0.12),
        ],
        0.04,
        BLACK,
    )
    for x in (-width / 2 + 0.05, width / 2 - 0.05):
        s.tube(
            [
                (x * 0.6, height * 0.9, -depth / 2),
                (x * 1.25, height * 0.55, -depth / 2 - 0.2),
                (x * 1.1, 0.1, -depth / 2),
            ],
            0.05,
            BLACK,
        )


def washing_machine(s: Solids, look: Look) -> None:
    body, trim = look.material(0.35, 0.35), look.trim(0.4)
    depth = 0.95
    s.box((0, 0.85, 0), (1.2, 1.7, depth), body, 0.03)
    front = depth / 2
    if look.variant == 1:  # top loader
        s.box((0, 1.72, 0.02), (1.14, 0.06, 0.88), trim, 0.03)
        s.box((0, 1.86, -0.36), (1.2, 0.26, 0.2), trim, 0.04)
        s.disc((0.35, 1.88, -0.25), 0.08, 0.08, CHROME)
        s.box((-0.2, 1.88, -0.255), (0.4, 0.1, 0.02), BLACK)
        s.box((0, 0.4, front), (0.9, 0.5, 0.02), trim, 0.01)
        return
    s.box((0, 1.52, front), (1.16, 0.24, 0.03), trim)
    s.box((-0.4, 1.52, front + 0.02), (0.3, 0.16, 0.03), WHITE)
    s.disc((0.1, 1.52, front + 0.03), 0.085, 0.1, CHROME)
    s.box((0.4, 1.54, front + 0.02), (0.22, 0.1, 0.02), BLACK)
    radius = 0.42 if look.variant == 0 else 0.5
    s.ring((0, 0.82, front + 0.02), radius, 0.08, CHROME if look.variant == 0 else BLACK)
    s.disc((0, 0.82, front + 0.01), radius - 0.03, 0.04, trim)
    s.ball((0, 0.82, front + 0.01), (radius - 0.1, radius - 0.1, 0.12), GLASS)
    s.box((radius + 0.01, 0.82, front + 0.1), (0.06, 0.18, 0.06), BLACK)
    s.box((-0.42, 0.16, front), (0.24, 0.16, 0.02), trim)


def television(s: Solids, look: Look) -> None:
    case, trim = look.material(0.4, 0.2), look.trim(0.4)
    if look.variant == 2:  # tube set with an aerial
        s.box((0, 0.75, -0.2), (1.5, 1.2, 0.85), case, 0.08)
        s.box((-0.18, 0.78, 0.22), (1.0, 0.88, 0.06), BLACK, 0.03)
        s.box((-0.18, 0.78, 0.245), (0.88, 0.76, 0.04), GLASS, 0.02)
        for k in range(3):
            s.disc((0.54, 1.1 - 0.24 * k, 0.25), 0.08, 0.08, trim)
        s.box((0.54, 0.42, 0.23), (0.2, 0.24, 0.03), trim)
        for x in (-0.6, 0.6):
            s.tube([(0, 1.34, -0.2), (x, 2.0, -0.3)], 0.018, CHROME)
        for x in (-0.55, 0.55):
            s.tube([(x, 0.2, 0), (x * 1.15, 0, 0)], 0.05, DARK_WOOD)
        return
    width, height = (2.1, 1.25) if look.variant == 0 else (1.7, 1.15)
    s.box((0, 0.3 + height / 2, 0), (width, height, 0.1), case, 0.03)
    picture = Material((0.1, 0.12, 0.16), look.second, "plain", 0.5, 0.6, 0.2)
    s.box((0, 0.32 + height / 2, 0.05), (width - 0.16, height - 0.2, 0.016), picture)
    if look.variant == 0:
        for x in (-0.7, 0.7):
            s.tube([(x, 0.3, 0), (x + 0.08, 0, 0.25)], 0.035, trim)
            s.tube([(x, 0.3, 0), (x + 0.08, 0, -0.22)], 0.035, trim)
    else:
        s.box((0, 0.18, 0), (0.2, 0.3, 0.08), trim)
        s.disc((0, 0.03, 0), 0.45, 0.06, trim, "y")
    s.box((0, 0.34, 0.055), (0.3, 0.05, 0.02), trim)


def car(s: Solids, look: Look) -> None:
    paint, trim = look.material(0.8, 0.3), look.trim(0.4)
    side = [
        [
            (-1.2, 0.22),
            (1.18, 0.22),
            (1.22, 0.45),
            (1.1, 0.55),
            (0.55, 0.62),
            (-1.0, 0.64),
            (-1.2, 0.58),
        ],
        [(-1.2, 0.22), (1.18, 0.22), (1.22, 0.5), (0.6, 0.66), (-1.18, 0.68), (-1.23, 0.5)],
        [(-1.25, 0.2), (1.25, 0.2), (1.25, 0.62), (0.7, 0.7), (-1.25, 0.7)],
    ][look.variant]
    roof = [
        [(-0.85, 0.62), (0.6, 0.6), (0.22, 0.98), (-0.5, 0.98)],
        [(-1.15, 0.66), (0.65, 0.62), (0.3, 1.04), (-1.0, 1.06)],
        [(-0.05, 0.68), (0.7, 0.68), (0.5, 1.15), (-0.05, 1.15)],
    ][look.variant]
    s.slab(side, 0, 0.98, paint)
    s.slab(roof, 0, 0.82, paint)
    inset = 0.06
    cx = sum(x for x, _ in roof) / 4
    cy = sum(y for _, y in roof) / 4
    glass = [(cx + (x - cx) * (1 - inset * 2.2), cy + (y - cy) * (1 - inset * 4)) for x, y in roof]
    s.slab(glass, 0, 0.84, GLASS)
    s.box((cx, cy, 0), (0.07, roof[2][1] - 0.66, 0.85), paint)
    (x0, y0), (x1, y1) = roof[1], roof[2]
    s.surface(
        lambda u, v: (
            x0 + (x1 - x0) * (0.12 + 0.76 * u) + 0.012,
            y0 + (y1 - y0) * (0.12 + 0.76 * u),
            0.7 * (v - 0.5),
        ),
        (0.7, 0.7),
        GLASS,
    )
    (x0b, y0b), (x1b, y1b) = roof[0], roof[3]
    s.surface(
        lambda u, v: (
            x0b + (x1b - x0b) * (0.15 + 0.7 * u) - 0.012,
            y0b + (y1b - y0b) * (0.15 + 0.7 * u),
            0.64 * (v - 0.5),
        ),
        (0.7, 0.7),
        GLASS,
    )
    for x in (-0.72, 0.74):
        for z in (-0.44, 0.44):
            s.disc((x, 0.24, z), 0.24, 0.18, RUBBER)
            s.disc((x, 0.24, z), 0.15, 0.19, CHROME if look.variant != 1 else trim)
    for z in (-0.36, 0.36):
        s.ball((1.2, 0.44, z), (0.05, 0.08, 0.1), Material((1, 0.98, 0.85), gloss=0.9, glow=0.5))
        s.box((-1.21, 0.5, z), (0.05, 0.1, 0.16), Material((0.8, 0.08, 0.06), gloss=0.5, glow=0.2))
    s.box((1.22, 0.28, 0), (0.06, 0.1, 0.94), trim)
    s.box((1.21, 0.42, 0), (0.05, 0.1, 0.4), BLACK)
    if look.variant == 2:  # pick-up bed
        s.box((-0.65, 0.7, 0), (1.1, 0.03, 0.84), BLACK)
    for z in (-0.495, 0.495):
        s.box((0.0, 0.46, z), (0.012, 0.4, 0.012), BLACK)


def suitcase(s: Solids, look: Look) -> None:
    shell, trim = look.material(0.35, 0.25), look.trim(0.3)
    width, height, depth = ((1.05, 1.55, 0.5), (1.7, 1.15, 0.5), (0.95, 1.2, 0.5))[look.variant]
    if look.variant == 1:  # old suitcase with corners and straps
        s.box((0, height / 2, 0), (width, height, depth), shell, 0.06)
        for x in (-0.5, 0.5):
            s.box((x, height / 2, 0), (0.14, height + 0.03, depth + 0.03), trim, 0.02)
            s.box((x, height * 0.75, depth / 2 + 0.03), (0.18, 0.12, 0.04), CHROME)
        for x in (-1, 1):
            for y in (0.08, height - 0.08):
                s.box((x * (width / 2 - 0.08), y, 0), (0.18, 0.18, depth + 0.04), DARK_WOOD, 0.03)
        s.tube(
            [
                (-0.2, height, 0),
                (-0.17, height + 0.14, 0),
                (0.17, height + 0.14, 0),
                (0.2, height, 0),
            ],
            0.04,
            BLACK,
        )
        return
    s.box((0, height / 2 + 0.12, 0), (width, height, depth), shell, 0.12)
    for k in range(5):
        x = (k - 2) * width * 0.18
        s.box(
            (x, height / 2 + 0.12, 0),
            (0.05, height * 0.86, depth + 0.035),
            trim if look.variant == 2 else shell,
            0.02,
        )
    for x in (-width * 0.36, width * 0.36):
        for z in (-0.15, 0.15):
            s.ball((x, 0.07, z), (0.08, 0.07, 0.05), BLACK)
    top = height + 0.12
    if look.variant == 0:
        s.tube(
            [
                (-0.22, top, -0.15),
                (-0.22, top + 0.45, -0.15),
                (0.22, top + 0.45, -0.15),
                (0.22, top, -0.15),
            ],
            0.03,
            CHROME,
        )
        s.tube([(-0.22, top + 0.45, -0.15), (0.22, top + 0.45, -0.15)], 0.05, BLACK)
    else:
        s.box((0, top + 0.06, 0), (0.4, 0.06, 0.08), BLACK, 0.03)


def fridge(s: Solids, look: Look) -> None:
    body, trim = look.material(0.45, 0.35), look.trim(0.4)
    width, height = ((0.95, 2.2), (1.35, 2.1), (1.0, 1.4))[look.variant]
    s.box((0, height / 2, 0), (width, height, 0.85), body, 0.05 if look.variant != 2 else 0.16)
    front = 0.43
    if look.variant == 1:  # side by side
        s.box((0, height / 2, front), (0.03, height - 0.05, 0.02), BLACK)
        for x in (-0.09, 0.09):
            s.tube([(x, 0.7, front + 0.06), (x, 1.6, front + 0.06)], 0.03, CHROME)
        s.box((-0.36, 1.25, front), (0.3, 0.42, 0.03), BLACK, 0.01)
    elif look.variant == 0:
        s.box((0, 0.85, front), (width, 0.03, 0.02), BLACK)
        for low, high in ((0.5, 0.78), (0.95, 1.4)):
            s.tube([(-0.36, low, front + 0.06), (-0.36, high, front + 0.06)], 0.03, CHROME)
        s.box((0.1, 1.95, front), (0.34, 0.1, 0.02), trim)
    else:  # rounded, of the fifties
        s.box((0.0, 1.05, front + 0.01), (width * 0.7, 0.05, 0.04), CHROME)
        s.tube([(-0.36, 0.7, front + 0.08), (-0.36, 0.98, front + 0.08)], 0.045, CHROME)
        s.box((0.16, 1.22, front + 0.01), (0.3, 0.08, 0.03), trim)
    for k, (x, y) in enumerate(((0.2, 1.55), (-0.1, 1.7), (0.22, 1.3))):
        if look.variant != 1:
            s.disc((x, y * height / 2.2, front), 0.06, 0.03, Material(ICONS[k]))


# category -> (function, where it usually stands, half its height, half its width, swing of the viewpoint in degrees)
DRAWERS: dict[str, tuple[Callable[[Solids, Look], None], str, float, float, float]] = {
    "bicycle": (bicycle, "floor", 0.62, 1.25, 38),
    "sofa": (sofa, "floor", 0.52, 1.25, 38),
    "teapot": (teapot, "table", 0.62, 1.1, 40),
    "lamp": (lamp, "table", 0.8, 0.65, 60),
    "sneaker": (sneaker, "table", 0.45, 1.1, 45),
    "guitar": (guitar, "floor", 1.12, 0.65, 32),
    "laptop": (laptop, "table", 0.55, 0.95, 38),
    "phone": (phone, "table", 0.78, 1.0, 25),
    "chair": (chair, "floor", 0.9, 0.65, 50),
    "wardrobe": (wardrobe, "floor", 1.0, 0.95, 36),
    "stroller": (stroller, "floor", 0.76, 0.95, 45),
    "clock": (clock, "table", 1.02, 0.9, 30),
    "backpack": (backpack, "floor", 0.85, 0.75, 38),
    "washing_machine": (washing_machine, "floor", 0.92, 0.75, 38),
    "television": (television, "table", 0.85, 1.1, 32),
    "car": (car, "street", 0.52, 1.25, 40),
    "suitcase": (suitcase, "floor", 0.85, 0.85, 40),
    "fridge": (fridge, "floor", 1.05, 0.75, 36),
}
