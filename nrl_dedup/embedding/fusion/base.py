"""What every fusion module is, and the shapes that it is given."""

from typing import ClassVar, Literal

from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor, nn

Tokens = Int64[Tensor, "ads words"]
Lengths = Int64[Tensor, "ads"]
HasImage = Bool[Tensor, "ads"]
Vectors = Float32[Tensor, "words size"]
Pooled = Float32[Tensor, "ads features"]
Regions = Float32[Tensor, "ads regions features"]
Fused = Float[Tensor, "ads fused"]
Hidden = Float[Tensor, "ads hidden"]
AnyImage = Float32[Tensor, "ads *features"]


class FusionModule(nn.Module):
    """`Module(settings, vectors, image_size)`, and `forward(tokens, lengths, image, has_image)` -> [ads, output_size].

    `photo_features` say what its `image` is: "pooled", [ads, image_size], or "regions", [ads, regions, image_size].
    `backbone` is the photo network that the thesis gives it. `reads_words` and `reads_photos` say which sides of an ad
    it looks at, `needs_photos` that it is of no use on a catalogue without any. An ad's vector depends on that ad
    alone, and all ads that lack every side that it looks at have one vector. `branched`: whether the thesis's two fully
    connected layers follow; without them the head compares the module's own output. `initialised_from_data`: whether
    `start` is of use.
    """

    reads_words: ClassVar[bool] = True
    reads_photos: ClassVar[bool] = True
    needs_photos: ClassVar[bool] = False
    backbone: ClassVar[str] = "resnet152"
    photo_features: ClassVar[Literal["pooled", "regions"]] = "pooled"
    branched: ClassVar[bool] = True
    initialised_from_data: ClassVar[bool] = False
    output_size: int

    def start(
        self,
        tokens: Tokens,
        image: AnyImage,
        other: AnyImage,
        has_image: HasImage,
    ) -> None:
        """Set the weights before training after a look at some ads; a module of random weights does nothing.

        :param image: a view of each ad's photo; `other` another one of the same.
        """
