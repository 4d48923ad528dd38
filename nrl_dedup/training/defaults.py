"""The settings of a training where nobody asks for others: the same for the command line and for the library."""

from dataclasses import replace

from nrl_dedup.config import ModelSettings, PhotoSettings, PretrainSettings, Settings
from nrl_dedup.embedding.fusion import fusion_module

# The network of the results on real ads (examples/RESULTS.md).
DEFAULT_FUSION = "towers"
# At most: early stopping ends most trainings without labels sooner.
PRETRAIN_EPOCHS = 40


def default_settings(*, labelled: bool = True, fusion: str = DEFAULT_FUSION) -> Settings:
    """The settings of `nrl-dedup train` without options.

    Without labels, and with `DEFAULT_FUSION`, the network first learns without labels.

    :raises NrlDedupError: there is no such fusion module.
    """
    module = fusion_module(fusion)
    pool = "one" if module.photo_features == "regions" else "mean"
    learns_without_labels = fusion == DEFAULT_FUSION or not labelled
    settings = Settings(
        photos=PhotoSettings(backbone=module.backbone, pool=pool),
        model=ModelSettings(fusion=fusion),
    )
    if not learns_without_labels:
        return settings
    return replace(settings, pretrain=PretrainSettings(epochs=PRETRAIN_EPOCHS))
