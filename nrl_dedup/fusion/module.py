"""What every fusion module is."""

from typing import ClassVar, Literal

from torch import nn


class FusionModule(nn.Module):
    """`Module(settings, vectors, image_size)`, and `forward(tokens, lengths, image, has_image)` -> [ads, output_size].

    `photo_features` say what its `image` is: "pooled", [ads, image_size], or "regions", [ads, regions, image_size].
    `backbone` is the photo network that the thesis gives it. `reads_words` and `reads_photos` say which sides of an ad
    it looks at, `needs_photos` that it is of no use on a catalogue without any. An ad's vector depends on that ad
    alone, and all ads that lack every side that it looks at have one vector.
    """

    reads_words: ClassVar[bool] = True
    reads_photos: ClassVar[bool] = True
    needs_photos: ClassVar[bool] = False
    backbone: ClassVar[str] = "resnet152"
    photo_features: ClassVar[Literal["pooled", "regions"]] = "pooled"
    output_size: int
