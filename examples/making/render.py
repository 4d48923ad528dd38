"""A small renderer: solids sampled as points, a depth buffer, one light, a room behind.

A solid is sampled densely enough that every pixel it covers gets a point; the nearest point of each pixel
wins and is then shaded. Lengths are in the object's own unit: it stands on y = 0 around the y axis, x to the
right, z towards the viewer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import cos, radians, sin, tan

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Vector = Sequence[float]
Colour = tuple[float, float, float]

SUPERSAMPLING = 1.25
# A regular grid of this pitch in pixels leaves no pixel empty, however it is turned (it is below 1 / sqrt 2).
PITCH = 0.66


@dataclass(frozen=True)
class Material:
    """A surface: two colours in [0, 1], how they alternate (`pattern`, in steps of `scale`), how it shines."""

    colour: Colour
    second: Colour = (1.0, 1.0, 1.0)
    pattern: str = "plain"
    scale: float = 0.2
    gloss: float = 0.15
    glow: float = 0.0


def turn(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Rotation matrix: roll about z, then pitch about x, then yaw about y (degrees)."""
    a, b, c = radians(yaw), radians(pitch), radians(roll)
    about_y = np.array([[cos(a), 0, sin(a)], [0, 1, 0], [-sin(a), 0, cos(a)]])
    about_x = np.array([[1, 0, 0], [0, cos(b), -sin(b)], [0, sin(b), cos(b)]])
    about_z = np.array([[cos(c), -sin(c), 0], [sin(c), cos(c), 0], [0, 0, 1]])
    return about_y @ about_x @ about_z


def rotate(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """matrix @ points for points (3, n), without a matrix library: the same bits with any number of threads."""
    m = matrix.astype(np.float32)
    turned = np.empty(points.shape, np.float32)
    for k in range(3):
        np.multiply(points[0], m[k, 0], out=turned[k])
        turned[k] += m[k, 1] * points[1]
        turned[k] += m[k, 2] * points[2]
    return turned


@dataclass(frozen=True)
class Part:
    """A sampled surface: which points are its own, as a grid of rows of `row_length` points, or flat."""

    start: int
    count: int
    row_length: int
    normal: tuple[float, float, float] | None
    material: Material
    rotation: np.ndarray
    at: np.ndarray


@dataclass
class Solids:
    """Collects sampled surfaces as arrays (3, n). `density` is in points per unit length.

    Faces of boxes that plainly look away from `eye` are left out.
    """

    density: float
    eye: tuple[float, float, float]
    points: list[np.ndarray] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    _count: int = 0
    _frames: list[tuple[np.ndarray, np.ndarray]] = field(
        default_factory=lambda: [(np.eye(3), np.zeros(3))]
    )

    def push(self, at: Vector = (0, 0, 0), rotation: np.ndarray | None = None) -> None:
        """Everything until the matching `pop` is turned by `rotation`, then moved to `at`."""
        outer_rotation, outer_at = self._frames[-1]
        inner = np.eye(3) if rotation is None else rotation
        self._frames.append(
            (outer_rotation @ inner, outer_rotation @ np.asarray(at, float) + outer_at)
        )

    def pop(self) -> None:
        self._frames.pop()

    def _steps(self, length: float) -> int:
        return max(2, min(1600, int(length * self.density) + 1))

    def _add(self, points: np.ndarray, material: Material, normal: Vector | None = None) -> None:
        """Points (3, rows, row length) of a grid, or (3, n) of a plane with its `normal`."""
        rotation, at = self._frames[-1]
        flat = points.reshape(3, -1)
        turned = (
            None
            if normal is None
            else tuple(float(x) for x in rotation @ np.asarray(normal, float))
        )
        self.points.append(rotate(rotation, flat) + at.astype(np.float32)[:, None])
        self.parts.append(
            Part(self._count, flat.shape[1], points.shape[-1], turned, material, rotation, at)
        )
        self._count += flat.shape[1]

    def _faces_away(self, centre: np.ndarray, normal: np.ndarray, radius: float) -> bool:
        rotation, at = self._frames[-1]
        towards = np.asarray(self.eye) - (rotation @ centre + at)
        return float((rotation @ normal) @ towards) < (
            -0.5 if radius > 0.03 else -0.02
        ) * np.linalg.norm(towards)

    def box(self, centre: Vector, size: Vector, material: Material, radius: float = 0.0) -> None:
        """A box, its edges rounded by `radius`."""
        half = np.asarray(size, np.float32) / 2
        radius = np.float32(min(radius, float(half.min())))
        middle = np.asarray(centre, np.float32)
        for axis in range(3):
            u, v = (axis + 1) % 3, (axis + 2) % 3
            along_u = np.linspace(-half[u], half[u], self._steps(2 * half[u]), dtype=np.float32)[
                :, None
            ]
            along_v = np.linspace(-half[v], half[v], self._steps(2 * half[v]), dtype=np.float32)[
                None
            ]
            core_u = np.clip(along_u, radius - half[u], half[u] - radius)
            core_v = np.clip(along_v, radius - half[v], half[v] - radius)
            out_u, out_v = along_u - core_u, along_v - core_v
            # A point of the cube's face is pulled in to `radius` from the core, the box without its rounding.
            pull = (
                radius / np.sqrt(out_u**2 + out_v**2 + radius**2) if radius > 0 else np.float32(1)
            )
            for side in (-1, 1):
                outward = np.zeros(3, np.float32)
                outward[axis] = side
                if self._faces_away(middle + outward * half, outward, radius):
                    continue
                face = np.empty((3, along_u.size, along_v.size), np.float32)
                face[u] = middle[u] + core_u + out_u * pull
                face[v] = middle[v] + core_v + out_v * pull
                face[axis] = middle[axis] + side * (half[axis] - radius + radius * pull)
                self._add(face, material)

    def surface(
        self,
        shape: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]],
        lengths: tuple[float, float],
        material: Material,
    ) -> None:
        """The surface shape(u, v) for columns u and rows v in [0, 1], whose sides are at most `lengths` long."""
        u = np.linspace(0, 1, self._steps(lengths[0]), dtype=np.float32)[:, None]
        v = np.linspace(0, 1, self._steps(lengths[1]), dtype=np.float32)[None]
        points = np.empty((3, u.size, v.size), np.float32)
        points[0], points[1], points[2] = shape(u, v)
        self._add(points, material)

    def lathe(
        self,
        profile: Sequence[tuple[float, float]],
        material: Material,
        at: Vector = (0, 0, 0),
        up: str = "y",
    ) -> None:
        """The polyline `profile` of (radius, height) turned about the axis `up` through `at`."""
        radii, heights = np.asarray(profile, np.float32).T
        along = np.concatenate([[0], np.cumsum(np.hypot(np.diff(radii), np.diff(heights)))])
        total = float(along[-1])

        def shape(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            radius = np.interp(u * total, along, radii)
            height = np.interp(u * total, along, heights)
            a, b = radius * np.cos(2 * np.pi * v), radius * np.sin(2 * np.pi * v)
            x, y, z = {"x": (height, a, b), "y": (a, height, b), "z": (a, b, height)}[up]
            return x + at[0], y + at[1], z + at[2]

        self.surface(shape, (total, 6.4 * float(radii.max())), material)

    def disc(
        self, centre: Vector, radius: float, depth: float, material: Material, up: str = "z"
    ) -> None:
        """A flat cylinder with both its ends."""
        self.lathe(
            [(0, -depth / 2), (radius, -depth / 2), (radius, depth / 2), (0, depth / 2)],
            material,
            centre,
            up,
        )

    def ball(self, centre: Vector, half: Vector, material: Material) -> None:
        """An ellipsoid with the half axes `half`."""

        def shape(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            ring = np.sin(np.pi * u)
            x, z = ring * np.cos(2 * np.pi * v), ring * np.sin(2 * np.pi * v)
            y = -np.cos(np.pi * u)
            return x * half[0] + centre[0], y * half[1] + centre[1], z * half[2] + centre[2]

        self.surface(shape, (3.2 * max(half), 6.4 * max(half)), material)

    def ring(
        self, centre: Vector, radius: float, thickness: float, material: Material, up: str = "z"
    ) -> None:
        """A torus."""

        def shape(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            far = radius + thickness * np.cos(2 * np.pi * v)
            a, b = far * np.cos(2 * np.pi * u), far * np.sin(2 * np.pi * u)
            c = thickness * np.sin(2 * np.pi * v)
            x, y, z = {"x": (c, a, b), "y": (a, c, b), "z": (a, b, c)}[up]
            return x + centre[0], y + centre[1], z + centre[2]

        self.surface(shape, (6.4 * (radius + thickness), 6.4 * thickness), material)

    def tube(self, path: Sequence[Vector], thickness: float, material: Material) -> None:
        """Round bars from each point of `path` to the next."""
        corners = np.asarray(path, np.float32)
        for start, end in pairwise(corners):
            along = end - start
            length = float(np.linalg.norm(along))
            along = along / length
            side = np.cross(along, [0.0, 0.0, 1.0] if abs(along[2]) < 0.9 else [1.0, 0.0, 0.0])
            side /= np.linalg.norm(side)
            self._bar(start, along * length, side, np.cross(along, side), thickness, material)

    def _bar(
        self,
        start: np.ndarray,
        along: np.ndarray,
        side: np.ndarray,
        other: np.ndarray,
        r: float,
        material: Material,
    ) -> None:
        def shape(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            a, b = r * np.cos(2 * np.pi * v), r * np.sin(2 * np.pi * v)
            x, y, z = (start[k] + along[k] * u + side[k] * a + other[k] * b for k in range(3))
            return x, y, z

        self.surface(shape, (float(np.linalg.norm(along)), 6.4 * r), material)

    def slab(
        self, outline: Sequence[tuple[float, float]], z: float, depth: float, material: Material
    ) -> None:
        """The polygon `outline` of (x, y) with thickness `depth` about the plane z."""
        corners = np.asarray(outline, np.float32)
        low, high = corners.min(0), corners.max(0)
        columns, rows = (self._steps(float(s)) for s in high - low)
        mask = Image.new("1", (columns, rows))
        scale = np.array([columns - 1, rows - 1]) / (high - low)
        ImageDraw.Draw(mask).polygon([tuple(p) for p in (corners - low) * scale], fill=1)
        row, column = np.nonzero(np.asarray(mask))
        x, y = column / scale[0] + low[0], row / scale[1] + low[1]
        for side in (-0.5, 0.5):
            face = np.stack([x, y, np.full_like(x, z + side * depth)]).astype(np.float32)
            self._add(face, material, (0.0, 0.0, np.sign(side)))
        closed = np.vstack([corners, corners[:1]])
        for start, end in pairwise(closed):
            self._edge(start, end, z, depth, material)

    def _edge(
        self, start: np.ndarray, end: np.ndarray, z: float, depth: float, material: Material
    ) -> None:
        def shape(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            return (
                start[0] + (end[0] - start[0]) * u,
                start[1] + (end[1] - start[1]) * u,
                z + depth * (v - 0.5),
            )

        self.surface(shape, (float(np.linalg.norm(end - start)), depth), material)


def smooth(
    outline: Sequence[tuple[float, float]], closed: bool = True, steps: int = 8
) -> list[tuple[float, float]]:
    """The Catmull-Rom curve through the points of `outline`, back to the first if it is closed."""
    p = np.asarray(outline, float)
    last = len(p) if closed else len(p) - 1
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    curve = []
    for i in range(last):
        around = np.arange(i - 1, i + 3)
        a, b, c, d = p[around % len(p) if closed else np.clip(around, 0, last)]
        curve.append(
            0.5
            * (
                2 * b
                + (c - a) * t
                + (2 * a - 5 * b + 4 * c - d) * t**2
                + (3 * b - a - 3 * c + d) * t**3
            )
        )
    if not closed:
        curve.append(p[-1:])
    return [(float(x), float(y)) for x, y in np.concatenate(curve)]


@dataclass(frozen=True)
class Camera:
    """Where the photographer stands: degrees around the object, distance to `target`, picture size in pixels."""

    yaw: float
    pitch: float
    distance: float
    target: tuple[float, float, float]
    width: int
    height: int
    roll: float = 0.0
    field_of_view: float = 42.0

    @property
    def focal(self) -> float:
        return 0.5 * max(self.width, self.height) / tan(radians(self.field_of_view / 2))

    def frame(self) -> tuple[np.ndarray, np.ndarray]:
        """Its place, and its axes right, up, backward as rows."""
        axes = (turn(self.yaw, -self.pitch) @ turn(0, 0, self.roll)).T
        return np.asarray(self.target) + self.distance * axes[2], axes

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Column, row and depth of each point."""
        place, axes = self.frame()
        seen = rotate(axes, points - place.astype(np.float32)[:, None])
        scale = np.float32(self.focal) / np.maximum(-seen[2], 0.05)
        return self.width / 2 + scale * seen[0], self.height / 2 - scale * seen[1], -seen[2]


@dataclass(frozen=True)
class Light:
    """One lamp: the direction towards it, how strong it and the rest of the room are, and its tint."""

    direction: tuple[float, float, float]
    strength: float
    ambient: float
    tint: Colour


@dataclass(frozen=True)
class Room:
    """What stands behind and below: patterns and colours of floor and wall, wall's distance, pattern size."""

    floor: str
    floor_colour: Colour
    wall: str
    wall_colour: Colour
    wall_distance: float
    scale: float


def _noise_tile() -> np.ndarray:
    """A tile of noise of three sizes of grain that repeats without a seam."""
    white = np.random.default_rng(20170101).random((256, 256))
    soft = np.zeros((256, 256))
    for radius, weight in ((1, 0.3), (4, 0.3), (16, 0.4)):
        shifts = range(-radius, radius + 1)
        layer = sum(np.roll(white, k, 0) for k in shifts)
        layer = sum(np.roll(layer, k, 1) for k in shifts)
        soft += weight * (layer - layer.mean()) / layer.std()
    return soft.astype(np.float32)


NOISE = _noise_tile()


def noise(a: np.ndarray, b: np.ndarray, per_unit: float) -> np.ndarray:
    """Smooth noise of mean 0 and standard deviation about 0.6 at the places (a, b)."""
    return NOISE[(a * per_unit).astype(np.int32) & 255, (b * per_unit).astype(np.int32) & 255]


def _line(a: np.ndarray, width: float) -> np.ndarray:
    """1 near whole numbers, 0 elsewhere."""
    return (np.abs(a - np.round(a)) < width).astype(np.float32)


def _ground(kind: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Brightness of a floor or wall at (a, b), about 1."""
    if kind == "planks":
        board = np.floor(a * 2.2)
        shade = 1 + 0.16 * np.sin(board * 12.9898) + 0.07 * noise(a * 6, b, 40)
        return (
            shade
            * (1 - 0.4 * _line(a * 2.2, 0.03))
            * (1 - 0.3 * _line(b * 0.7 + 0.37 * board, 0.012))
        )
    if kind == "tiles":
        return (1 + 0.03 * noise(a, b, 60)) * (
            1 - 0.35 * np.maximum(_line(a * 1.6, 0.025), _line(b * 1.6, 0.025))
        )
    if kind == "chess":
        return np.where((np.floor(a * 1.8) + np.floor(b * 1.8)) % 2 == 0, 1.1, 0.5) + 0.03 * noise(
            a, b, 60
        )
    if kind == "carpet":
        lattice = np.cos(a * 7) * np.cos(b * 7)
        return 1 + 0.22 * (lattice > 0.45) - 0.28 * (lattice < -0.45) + 0.1 * noise(a, b, 180)
    if kind == "grass":
        return 0.9 + 0.3 * noise(a, b * 0.6, 90) + 0.12 * noise(b, a, 17)
    if kind == "asphalt":
        return 0.95 + 0.16 * noise(a, b, 150) + 0.06 * noise(b, a, 11)
    if kind == "cloth":
        return 1.1 - 0.25 * (np.sin(a * 9) > 0.25) - 0.25 * (np.sin(b * 9) > 0.25)
    if kind == "brick":
        row = np.floor(b * 5)
        joint = np.maximum(_line(b * 5, 0.07), _line(a * 2.2 + 0.5 * (row % 2), 0.035))
        brick = np.floor(a * 2.2 + 0.5 * (row % 2) + 0.5)
        return (1 + 0.14 * np.sin(brick * 7.7 + row * 3.1) + 0.06 * noise(a, b, 90)) * (
            1 - joint
        ) + 1.35 * joint
    if kind == "fence":
        board = np.floor(a * 3)
        return (1 + 0.1 * np.sin(board * 9.1) + 0.06 * noise(a, b * 0.1, 130)) * (
            1 - 0.65 * _line(a * 3, 0.06)
        )
    if kind == "stripes":
        return 1.06 - 0.2 * (np.sin(a * 8) > 0)
    if kind == "flowers":
        u, v = a * 2.4, b * 2.4 + 0.5 * (np.floor(a * 2.4) % 2)
        u, v = u - np.floor(u) - 0.5, v - np.floor(v) - 0.5
        reach = 0.2 * (1 + 0.35 * np.cos(5 * np.arctan2(v, u)))
        distance = np.hypot(u, v)
        return 1.05 - 0.35 * (distance < reach) + 0.3 * (distance < 0.06)
    if kind == "curtain":
        return 0.95 + 0.2 * np.sin(a * 7 + 0.8 * np.sin(a * 2.3))
    return 1 + 0.03 * noise(a, b, 12)  # plain plaster


def backdrop(room: Room, camera: Camera, light: Light) -> np.ndarray:
    """The empty room as (height, width, 3) float32."""
    place, axes = camera.frame()
    x = (np.arange(camera.width, dtype=np.float32) + 0.5 - camera.width / 2) / camera.focal
    y = (camera.height / 2 - np.arange(camera.height, dtype=np.float32) - 0.5) / camera.focal
    rays = (
        x[None, :, None] * axes[0].astype(np.float32)
        + y[:, None, None] * axes[1].astype(np.float32)
        - axes[2].astype(np.float32)
    )
    to_floor = np.where(rays[..., 1] < -1e-4, -place[1] / np.minimum(rays[..., 1], -1e-4), 1e4)
    to_wall = np.where(
        rays[..., 2] < -1e-4,
        (-room.wall_distance - place[2]) / np.minimum(rays[..., 2], -1e-4),
        1e4,
    )
    on_floor = to_floor < to_wall
    reach = np.minimum(np.minimum(to_floor, to_wall), 60.0)
    across = place[0] + reach * rays[..., 0]
    up = place[1] + reach * rays[..., 1]
    deep = place[2] + reach * rays[..., 2]
    picture = np.empty((camera.height, camera.width, 3), np.float32)
    for mask, kind, colour, a, b, facing in (
        (on_floor, room.floor, room.floor_colour, across, deep, light.direction[1]),
        (~on_floor, room.wall, room.wall_colour, across, up, 0.75 * max(light.direction[2], 0.3)),
    ):
        a, b = a[mask] / room.scale, b[mask] / room.scale
        shade = _ground(kind, a, b) * (light.ambient + light.strength * 0.8 * facing)
        picture[mask] = shade[:, None].astype(np.float32) * np.asarray(colour, np.float32)
    corner = np.exp(
        -np.abs(np.where(on_floor, deep + room.wall_distance, up)) / (0.35 * room.scale)
    )
    skirting = (~on_floor & (up < 0.16 * room.scale)) if room.wall in INDOOR_WALLS else None
    picture *= (1 - 0.25 * corner)[..., None].astype(np.float32)
    if skirting is not None:
        picture[skirting] = picture[skirting] * 0.2 + 0.5 * light.ambient
    return picture


INDOOR_WALLS = ("plain", "stripes", "flowers")


def _albedo(material: Material, local: np.ndarray) -> np.ndarray:
    first, second = np.asarray(material.colour, np.float32), np.asarray(material.second, np.float32)
    s = local / material.scale
    if material.pattern == "stripes":
        chosen = np.sin(np.pi * (s[:, 0] + s[:, 1] * 0.9 + s[:, 2] * 0.5)) > 0.1
    elif material.pattern == "checks":
        chosen = np.floor(s + 0.013).sum(1) % 2 == 0
    elif material.pattern == "dots":
        shifted = s - np.floor(s) - 0.5
        chosen = (shifted**2).sum(1) < 0.17
    elif material.pattern == "wood":
        grain = np.sin(s[:, 0] * 1.7 + 0.6 * np.sin(s[:, 1] * 0.9) + s[:, 2]) * 0.5 + 0.5
        return first + (second - first) * (grain**3)[:, None].astype(np.float32)
    else:
        raise ValueError(f"no such pattern: {material.pattern}")
    return np.where(chosen[:, None], second, first)


def draw(solids: Solids, room: Room, camera: Camera, light: Light) -> np.ndarray:
    """The picture as (height, width, 3) float32, about [0, 1]."""
    picture = backdrop(room, camera, light)
    points = np.concatenate(solids.points, axis=1)
    picture *= _shadow(np.ascontiguousarray(points[:, ::3]), camera, light)[..., None]
    pixel, point = _nearest(solids.points, camera)
    which = np.searchsorted([part.start for part in solids.parts], point, side="right") - 1
    picture.reshape(-1, 3)[pixel] = _shade(
        points[:, point],
        _normals(points, point, which, solids.parts),
        which,
        solids.parts,
        camera,
        light,
    )
    return picture


def _normals(
    points: np.ndarray, chosen: np.ndarray, which: np.ndarray, parts: list[Part]
) -> np.ndarray:
    """Normals (3, n) of the `chosen` points, of either sign: across the grid to the next point each way."""
    start, count, row_length = (
        np.array([getattr(part, name) for part in parts])[which]
        for name in ("start", "count", "row_length")
    )
    row, column = np.divmod(chosen - start, row_length)
    next_row = np.where(row + 1 < count // row_length, row_length, -row_length)
    next_column = np.where(column + 1 < row_length, 1, -1)
    flat = np.array([part.normal is not None for part in parts])[which]
    down = points[:, np.where(flat, chosen, chosen + next_row)] - points[:, chosen]
    along = points[:, chosen + next_column] - points[:, chosen]
    normals = np.stack(
        [
            down[1] * along[2] - down[2] * along[1],
            down[2] * along[0] - down[0] * along[2],
            down[0] * along[1] - down[1] * along[0],
        ]
    )
    normals /= np.sqrt((normals**2).sum(0)) + np.float32(1e-12)
    given = np.array([part.normal or (0, 0, 0) for part in parts], np.float32)
    return np.where(flat, given[which].T, normals)


def _nearest(parts: list[np.ndarray], camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """The pixels that the points of `parts` cover, and which of all the points is seen in each."""
    pixels, depths, numbers, count = [], [], [], 0
    for points in parts:  # one at a time, as they fit the processor's cache
        column, row, depth = camera.project(points)
        inside = np.flatnonzero(
            (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
        )
        pixels.append(row[inside].astype(np.int32) * camera.width + column[inside].astype(np.int32))
        depths.append(depth[inside])
        numbers.append(inside + count)
        count += points.shape[1]
    pixel, depth = np.concatenate(pixels), np.concatenate(depths)
    nearest = np.full(camera.width * camera.height, np.inf, np.float32)
    np.minimum.at(nearest, pixel, depth)
    won = depth <= nearest[pixel]
    return pixel[won], np.concatenate(numbers)[won]


def _shade(
    points: np.ndarray,
    normals: np.ndarray,
    which: np.ndarray,
    parts: list[Part],
    camera: Camera,
    light: Light,
) -> np.ndarray:
    """Colours (n, 3) of points (3, n): ambient light, Lambert's law and a Blinn highlight."""
    seen = camera.frame()[0].astype(np.float32)[:, None] - points
    seen /= np.sqrt((seen**2).sum(0))
    # Surfaces are thin sheets: whichever side is seen is the outer one.
    normals = normals * np.where((normals * seen).sum(0) < 0, -1, 1).astype(np.float32)
    towards = np.asarray(light.direction, np.float32)[:, None]
    half = seen + towards
    half /= np.sqrt((half**2).sum(0))
    lit = np.maximum((normals * towards).sum(0), 0)
    shine = np.maximum((normals * half).sum(0), 0) ** 28
    ambient = (
        light.ambient * (0.78 + 0.22 * normals[1]) * (0.7 + 0.3 * np.clip(points[1] / 0.25, 0, 1))
    )
    materials = [part.material for part in parts]
    glow = np.asarray([m.glow for m in materials], np.float32)[which]
    gloss = np.asarray([m.gloss for m in materials], np.float32)[which]
    distinct = {material: number for number, material in enumerate(dict.fromkeys(materials))}
    number_of = np.asarray([distinct[m] for m in materials])[which]
    albedo = np.asarray([m.colour for m in distinct], np.float32)[number_of]
    rotations = np.asarray([part.rotation for part in parts], np.float32)
    places = np.asarray([part.at for part in parts], np.float32)
    for material, number in distinct.items():
        if material.pattern != "plain":
            mine = np.flatnonzero(number_of == number)
            part = which[mine]
            moved = points[:, mine] - places[part].T
            local = np.stack([(rotations[part, :, k].T * moved).sum(0) for k in range(3)], axis=1)
            albedo[mine] = _albedo(material, local)
    brightness = (ambient + light.strength * lit) * (1 - glow) + glow
    return albedo * brightness[:, None] + (gloss * shine * light.strength)[:, None]


def _shadow(points: np.ndarray, camera: Camera, light: Light) -> np.ndarray:
    """Brightness of the ground below `points`: 1 in the light, less where they shade it."""
    direction = np.asarray(light.direction, np.float32)[:, None]
    flat = points - direction * (points[1] / direction[1])
    flat[1] = 0
    column, row, _ = camera.project(flat)
    small = (camera.height // 3 + 1, camera.width // 3 + 1)
    column, row = np.floor(column / 3).astype(np.int32), np.floor(row / 3).astype(np.int32)
    inside = (column >= 0) & (column < small[1]) & (row >= 0) & (row < small[0])
    mask = np.zeros(small, np.uint8)
    mask[row[inside], column[inside]] = 255
    soft = (
        Image.fromarray(mask).filter(ImageFilter.MaxFilter(3)).filter(ImageFilter.GaussianBlur(2.5))
    )
    full = soft.resize((camera.width, camera.height), Image.Resampling.BILINEAR)
    return 1 - 0.5 * np.asarray(full, np.float32) / 255


def develop(
    picture: np.ndarray, size: tuple[int, int], light: Light, rng: np.random.Generator
) -> Image.Image:
    """What the camera of a telephone makes of it: tint, vignette, blur, grain; at `size`."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    vignette = 1 - rng.uniform(0.05, 0.3) * (x * x + y * y) / 2
    picture = picture * np.asarray(light.tint, np.float32) * vignette[..., None]
    eight_bit = (np.clip(picture, 0, 1) ** 0.9 * 255).astype(np.uint8)
    image = Image.fromarray(eight_bit).resize(size, Image.Resampling.LANCZOS)
    if rng.random() < 0.35:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 0.9)))
    grain = rng.normal(0, rng.uniform(1.0, 4.0), (size[1], size[0], 1))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))
