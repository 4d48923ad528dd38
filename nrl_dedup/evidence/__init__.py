"""Pair evidence: a second, small model over candidate pairs, which sees more than one vector an ad can hold.

`describe_ads` prepares every ad of a catalogue once; `pair_evidence` compares pairs; `co_train` learns from candidate
pairs without a label; `fit_pair_model` fits to labelled ones, `fit_second_look` to what their ads have with others;
`score_evidence` scores many millions.
"""
