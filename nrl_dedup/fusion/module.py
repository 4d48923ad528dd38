"""What every fusion module is."""

from typing import ClassVar, Literal

from torch import nn


class FusionModule(nn.Module):
    """`Module(settings, vectors, image_size)`, and `forward(tokens, lengths, image, has_image)` -> [ads, output_size].

    `photo_features` say what its `image` is: "pooled", [ads, image_size], or "regions", [ads, regions, image_size]. An
    ad's vector depends on that ad alone.
    """

    photo_features: ClassVar[Literal["pooled", "regions"]] = "pooled"
    output_size: int
