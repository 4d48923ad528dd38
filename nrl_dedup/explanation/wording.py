"""The columns of pair evidence and their values, in plain words."""

from math import expm1

_SPACES = {
    "words": "words",
    "letters": "spelling",
    "titles": "titles",
    "topics": "topics",
    "photos": "what the photos show",
    "layout": "where the colours are",
    "colours": "colours",
    "expected_shown": "photos that the words make expect",
    "expected": "photos that both texts make expect",
    "siamese": "the network's view",
}
_OF_SPACE = {
    "": "{} alike",
    "_above_mean": "{}: more alike than the ads around",
    "_above_max": "{}: more alike than the closer of the ads around",
    "_level_min": "{}: how alike the ads around are (lower)",
    "_level_max": "{}: how alike the ads around are (higher)",
    "_rank_min": "{}: ads that are nearer (fewer)",
    "_rank_max": "{}: ads that are nearer (more)",
}
_TERMS = {"tokens": "words", "codes": "model codes", "quantities": "numbers"}
_OF_TERMS = {
    "_shared": "{} in common",
    "_weight": "{} in common, rare ones counting more",
    "_rarest": "rarity of the rarest of the {} in common",
    "_jaccard": "share of the {} that both have",
    "_contained": "share of the shorter ad's {} that both have",
    "_left_min": "{} of one ad alone (fewer), by rarity",
    "_left_max": "{} of one ad alone (more), by rarity",
    "_count_min": "{} of the ad with fewer",
    "_count_max": "{} of the ad with more",
}
_MEASURES = {
    "title_length": "length of the title",
    "description_length": "length of the description",
    "photo_count": "photos of an ad",
    "file_rarity": "how rare the photo files are",
    "proportion": "proportions of the first photo",
    "tight_stops": "stops without a gap",
    "line_ends": "line ends",
}
_OF_MEASURE = {"_min": "{} (lower)", "_max": "{} (higher)", "_apart": "{}: difference"}
_WHOLE = {
    "same_picture": "same picture",
    "same_file": "same photo file",
    "same_size": "same photo size in pixels",
    "same_proportions": "same proportions of photos",
    "distance": "distance",
    "first_look": "this pair by itself, log-odds",
    "rival_min": "best other pair of the ads, log-odds (lower)",
    "rival_max": "best other pair of the ads, log-odds (higher)",
}
_OF_COLUMN = {
    "_same": "same {}",
    "_rarity": "rarity of the {} that both have",
    "_missing": "ads without {}",
    "_relative": "difference in {}",
    "_between": "ads with a {} between the two",
}
_HABITS = ("capitals", "digits", "punctuation", "exclamations", "commas", "currencies", "gaps")
_SHARES = ("_jaccard", "_contained", "_relative", "_between")
_COUNTS = ("_shared", "_count_min", "_count_max", "_missing", "_rank_min", "_rank_max")


def name_in_words(name: str) -> str:
    """What a column of evidence compares; a column of the user's own catalogue keeps its name."""
    if name in _WHOLE:
        return _WHOLE[name]
    known = (
        (_SPACES, _OF_SPACE),
        (_TERMS, _OF_TERMS),
        (_MEASURES | {habit: habit for habit in _HABITS}, _OF_MEASURE),
    )
    for stems, endings in known:
        for ending, phrase in endings.items():
            stem = name.removesuffix(ending)
            if stem in stems and stem + ending == name:
                return phrase.format(stems[stem])
    for ending, phrase in _OF_COLUMN.items():
        if name.endswith(ending):
            return phrase.format(name.removesuffix(ending))
    return name


def value_in_words(name: str, value: float | None) -> str:
    """A value of such a column: a share in per cent, a count as one, yes or no; `-` where a side is missing."""
    if value is None:
        return "-"
    if name == "same_picture":
        return f"{value:.0%} of the bits"
    if name in ("same_file", "same_size"):
        return "yes" if value > 0 else "no"
    if name == "distance":
        return f"{expm1(value):.1f} km"
    if name.endswith("_same"):
        return "yes" if value else "no"
    if name.endswith(_SHARES):
        return f"{value:.0%}"
    if name.endswith(_COUNTS) or name.startswith("photo_count"):
        return f"{value:.0f}"
    return f"{value:.2f}"
