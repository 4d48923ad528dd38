"""Where stacked attention looks, in both photos of a pair."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from nrl_dedup.evaluation.plots.style import house_style, new_figure
from nrl_dedup.features.photos.crops import CENTRE_SHORTER_SIDE, VIEW

DRAWN_SIDE = 600  # pixels of the longer side that a drawn photo keeps
DARKEST = 0.85


@dataclass(frozen=True)
class AttendedPhoto:
    """An ad's photo as it was read (RGB, before any view was cut from it), and p_I (3.4) of each attention layer.

    `maps` has the first layer first; region r of W columns is [layer, r div W, r mod W], and a layer's shares sum to 1.
    `top`: the regions that are to be outlined, as those that the layer looks at most.
    """

    item_id: str
    photo: Image.Image
    maps: Float[np.ndarray, "layers height width"]
    top: Bool[np.ndarray, "layers height width"]


@house_style()
def attention(
    left: AttendedPhoto, right: AttendedPhoto, *, outlined: str, is_duplicate: bool, score: float
) -> Figure:
    """Both photos of one pair, whole, and beside each a row for each attention layer: the view that the network saw,
    dark where the layer did not look.

    A region at the layer's largest share is undimmed and one of share 0 nearly black, so even attention dims
    nothing; a line runs around the `top` regions. The frame on the photo is the view: shorter side to 256, the central
    224 x 224 (`features.photos.crops.centre_view`).

    :param left, right: with the same number of layers.
    :param outlined: what the `top` regions are, for the caption.
    """
    layers = len(left.maps)
    label = "Duplicates" if is_duplicate else "Not duplicates"
    title = f"{label}, score {score:.3f}\n{left.item_id} and {right.item_id}"
    figure = new_figure(10.0, 2.9 * layers + 1.1, title)
    grid = figure.add_gridspec(layers, 4)
    for ad, photo_column, map_column in ((left, 0, 1), (right, 3, 2)):
        _whole(figure.add_subplot(grid[:, photo_column]), ad)
        view = _view(ad.photo)
        for layer, (shares, top) in enumerate(zip(ad.maps, ad.top, strict=True)):
            axes = figure.add_subplot(grid[layer, map_column])
            axes.set_title(
                f"layer {layer + 1}: largest share\n{shares.max() * shares.size:.1f} x the mean"
            )
            _overlaid(axes, view, shares)
            _outline(axes, top)
    figure.supxlabel(
        f"Bright: looked at. Line: {outlined}. Frame on a photo: what the network saw.", fontsize=9
    )
    return figure


def _frame(photo: Image.Image) -> tuple[float, float, float]:
    """Left, top and side of the centre view in the photo's own pixels, to the rounding of a pixel of the view."""
    side = min(photo.size) * VIEW / CENTRE_SHORTER_SIDE
    return (photo.width - side) / 2, (photo.height - side) / 2, side


def _whole(axes: Axes, ad: AttendedPhoto) -> None:
    left, top, side = _frame(ad.photo)
    small = ad.photo.copy()
    small.thumbnail((DRAWN_SIDE, DRAWN_SIDE))
    axes.imshow(np.asarray(small), extent=(0, ad.photo.width, ad.photo.height, 0))
    for colour, width in (("white", 3.0), ("black", 1.2)):
        axes.add_patch(
            Rectangle((left, top), side, side, fill=False, edgecolor=colour, linewidth=width)
        )
    axes.set_axis_off()


def _view(photo: Image.Image) -> UInt8[np.ndarray, "224 224 3"]:
    left, top, side = _frame(photo)
    box = (left, top, left + side, top + side)
    return np.asarray(photo.resize((VIEW, VIEW), Image.Resampling.BILINEAR, box=box))


def _overlaid(axes: Axes, view: np.ndarray, shares: Float[np.ndarray, "height width"]) -> None:
    relative = Image.fromarray((shares / shares.max()).astype(np.float32))
    seen = np.asarray(relative.resize((VIEW, VIEW), Image.Resampling.BILINEAR))
    veil = np.zeros((VIEW, VIEW, 4))
    veil[..., 3] = DARKEST * (1 - seen)
    axes.imshow(view)
    axes.imshow(veil)
    axes.set_axis_off()


def _outline(axes: Axes, top: Bool[np.ndarray, "height width"]) -> None:
    """A line along every edge between a region of `top` and one that is not, or the border."""
    around = np.pad(top, 1)
    upright = np.argwhere(around[1:-1, 1:] != around[1:-1, :-1])
    level = np.argwhere(around[1:, 1:-1] != around[:-1, 1:-1])
    corners = np.concatenate(
        [np.stack([at, at + step], axis=1) for at, step in ((upright, (1, 0)), (level, (0, 1)))]
    )
    region = VIEW / np.array(top.shape)
    edges = list((corners * region - 0.5)[..., ::-1])  # x, y; pixel 0 lies from -0.5 to 0.5
    for colour, width in (("black", 4.0), ("white", 1.8)):
        axes.add_collection(
            LineCollection(edges, colors=colour, linewidths=width, capstyle="projecting")
        )
