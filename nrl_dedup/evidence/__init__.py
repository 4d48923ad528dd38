"""Pair evidence: a second, small model over candidate pairs, which sees more than one vector an ad can hold.

`describe_ads` prepares every ad of a catalogue once; `pair_evidence` compares pairs; `co_train` learns from candidate
pairs without a label; `fit_pair_model` fits to labelled ones, `fit_second_look` to what their ads have with others;
`score_evidence` scores many millions.
"""

from nrl_dedup.evidence.ads import AdEvidence, describe_ads
from nrl_dedup.evidence.fitting import Fitted, fit_pair_model
from nrl_dedup.evidence.model import PairModel, load_pair_model, save_pair_model, unlabelled_model
from nrl_dedup.evidence.pairs import Evidence, pair_evidence
from nrl_dedup.evidence.rivals import Rivals
from nrl_dedup.evidence.scoring import score_evidence
from nrl_dedup.evidence.second_look import Searched, fit_second_look
from nrl_dedup.evidence.training import TrainingPairs, training_pairs
from nrl_dedup.evidence.views import Views, co_train, pairs_to_learn_from

__all__ = [
    "AdEvidence",
    "Evidence",
    "Fitted",
    "PairModel",
    "Rivals",
    "Searched",
    "TrainingPairs",
    "Views",
    "co_train",
    "describe_ads",
    "fit_pair_model",
    "fit_second_look",
    "load_pair_model",
    "pair_evidence",
    "pairs_to_learn_from",
    "save_pair_model",
    "score_evidence",
    "training_pairs",
    "unlabelled_model",
]
