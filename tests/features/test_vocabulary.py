"""Cleaning, words, vocabulary, token ids and Jaccard similarity, against plain Python that goes letter by letter."""

import dataclasses
import re
import unicodedata
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.text import languages, words
from nrl_dedup.features.text.cleaning import CYRILLIC_TWINS, LATIN_TWINS, clean
from nrl_dedup.features.text.languages import LANGUAGES, TRANSLITERATIONS
from nrl_dedup.features.text.vocabulary import END, START, UNKNOWN, Vocabulary, encode
from nrl_dedup.features.text.words import jaccard, read_words


def one(text: str | None, language: str = "ru") -> str:
    return clean(pl.Series([text], dtype=pl.String), language).item()


def words_of(*ads: str, language: str = "none") -> words.Words:
    return read_words([pl.Series(ads, dtype=pl.String)], language)


def lists_of(found: words.Words) -> list[list[str]]:
    return [
        found.distinct[found.ids[a:b]].to_list()
        for a, b in zip(found.offsets, found.offsets[1:], strict=False)
    ]


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("Продаю ТЕЛЕФОН", "продаю телефон"),
        ("16Gb", "0gb"),
        ("iPhone6s", "iphone0s"),
        ("3.5 дюйма, 1.200,50 руб. 12.05.2016", "0 дюйма 0 руб 0"),
        ("10 000", "0 0"),
        ("№5. 100%", "0 0"),
        ("٣ шт", "0 шт"),
        ("тел:8-912", "тел 0 0"),
        ("строка\r\n\r\nдругая\tи ещё", "строка другая и ещё"),
        ("  --  ", ""),
        ("Ёлка ещё", "ёлка ещё"),
        ("м² ½ Ⅳ ™ 日本 ελ", "м"),
        ("Café Señor", "café señor"),
        ("", ""),
        (None, ""),
    ],
)
def test_cleaning_keeps_letters_and_zeros(raw: str | None, wanted: str) -> None:
    assert one(raw, "en") == wanted


def test_cleaning_joins_accents_first() -> None:
    assert one("Е\u0308лка и\u0306од") == "ёлка йод"
    assert one("cafe\u0301", "en") == "café"


def test_marks_and_invisible_characters_do_not_break_a_word() -> None:
    assert one("замо\u0301к теле\u00adфон само\u200dвар") == "замок телефон самовар"
    assert one("два\u200bслова") == "два слова"
    assert one("İstanbul", "en") == "istanbul"


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("Cамсунг", "Самсунг"),  # Latin C
        ("Sаmsung", "Samsung"),  # Cyrillic а
        ("ТEЛЕФOН", "ТЕЛЕФОН"),  # Latin E, O
        ("МАКВООК Pго", "МАКВООК Рго"),  # Latin P beside г; the first word is of one script
        ("iPhоne5С", "iPhone5C"),  # Cyrillic о, С; a number does not part a word
        ("СОPТ", "СОPТ"),  # Latin P, look-alikes only: left alone
        ("съtмной", "съtмной"),  # letters of both scripts that look like no other: left alone
        ("ВОХ и BOX", "ВОХ и BOX"),  # one script each
        ("B日Ц A\u200bЦ", "B Ц A Ц"),  # what is removed parts words
        ("S\u00ad\u0301а", "Sa"),  # what vanishes does not
    ],
)
def test_look_alike_letters_go_over_to_the_script_of_the_others(raw: str, wanted: str) -> None:
    assert one(raw, "en") == wanted.lower().replace("5", "0")


def test_look_alike_letters_are_folded_before_lower_case() -> None:
    # Upper-case Н looks like H, but lower-case н like nothing Latin: folded too late, "sнarp" would stay mixed.
    assert one("SНARP", "en") == "sharp"


def test_twins_are_the_letters_of_the_design() -> None:
    assert LATIN_TWINS == "ABCEHKMOPTXYaceopxy"
    names = [
        [unicodedata.name(letter) for letter in twins] for twins in (LATIN_TWINS, CYRILLIC_TWINS)
    ]
    assert all(name.startswith("LATIN") for name in names[0])
    assert all(name.startswith("CYRILLIC") for name in names[1])
    same_case = [a.split()[1] == b.split()[1] for a, b in zip(*names, strict=True)]
    assert all(same_case)


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("prodayu mashinu", "продаю машину"),
        ("shchuka zhaba chashka khalat tsena", "щука жаба чашка халат цена"),
        ("yozh yëlka ryba moy sarai", "ёж ёлка рыба мой сараи"),
        ("Samsung Xerox Jeep", "самсунг ксерокс джееп"),
        ("café Straße Ａｂ", "кафе страссе аб"),
        ("чехолiPhone", "чехолипхоне"),
    ],
)
def test_latin_words_are_transliterated(raw: str, wanted: str) -> None:
    assert one(raw, "ru") == wanted


def test_transliteration_stages_hold_keys_of_one_length() -> None:
    for stages in TRANSLITERATIONS.values():
        for stage in stages:
            assert len({len(key) for key in stage}) == 1
        assert set("abcdefghijklmnopqrstuvwxyz") <= set(stages[-1])


def test_rows_differ_as_their_table_says() -> None:
    text = "Sony ёлки 日本 हिन्दी 5"
    assert one(text, "ru") == "соны ёлки 0"
    assert one(text, "en") == "sony ёлки 0"
    assert one(text, "none") == "sony ёлки 日本 हिन्दी 0"
    assert lists_of(words_of("ёлки", language="ru")) == [["ёлка"]]
    assert lists_of(words_of("ёлки", language="en")) == [["ёлки"]]


@pytest.mark.parametrize("call", [lambda: one("a", "fr"), lambda: words_of("a", language="fr")])
def test_unknown_language_names_the_rows(call) -> None:
    with pytest.raises(NrlDedupError, match=r"--language fr: wanted one of ru, en, none"):
        call()


def script(letter: str) -> str:
    return unicodedata.name(letter, "").split(" ")[0] if letter.isalpha() else ""


def slow_clean(text: str) -> str:
    """The rules of `clean` for `en`, one letter at a time."""
    text = unicodedata.normalize("NFC", text)
    out = []
    for word in re.findall(r"[^\W日]+|[\W日]+", text):
        sure = {script(c) for c in word if c not in LATIN_TWINS + CYRILLIC_TWINS} & {
            "LATIN",
            "CYRILLIC",
        }
        if sure == {"LATIN"}:
            word = word.translate(str.maketrans(CYRILLIC_TWINS, LATIN_TWINS))
        elif sure == {"CYRILLIC"} and any(script(c) == "LATIN" for c in word):
            word = word.translate(str.maketrans(LATIN_TWINS, CYRILLIC_TWINS))
        out.append(word.lower())
    text = re.sub(r"\d+([.,]\d+)*", "0", "".join(out))
    kept = [c if c == "0" or script(c) in ("LATIN", "CYRILLIC") else " " for c in text]
    return " ".join("".join(kept).split())


messy = st.text("aBcHkTxzцЦжсСнНТёЁйé059.,- \n!№日" + "\u0451", max_size=25)


@settings(max_examples=20, deadline=None)
@given(st.lists(messy, max_size=30))
def test_cleaning_agrees_with_letter_by_letter(texts: list[str]) -> None:
    column = pl.Series("t", texts, dtype=pl.String)
    cleaned = clean(column, "en")
    assert cleaned.to_list() == [slow_clean(text) for text in texts]
    assert cleaned.name == "t"
    russian = clean(column, "ru")
    assert not russian.str.contains(r"\p{Latin}").any()
    assert clean(russian, "ru").to_list() == russian.to_list()


def test_words_of_two_columns_stand_one_after_the_other() -> None:
    titles = pl.Series(["a b", None, "", "b"], dtype=pl.String)
    descriptions = pl.Series(["c a", "d", "!!", ""], dtype=pl.String)
    found = read_words([titles, descriptions], "none")
    assert lists_of(found) == [["a", "b", "c", "a"], ["d"], [], ["b"]]
    assert found.distinct.to_list() == ["a", "b", "c", "d"]
    assert found.lengths.tolist() == [[2, 2], [0, 1], [0, 0], [1, 0]]
    assert found.offsets.tolist() == [0, 4, 5, 5, 6]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text("абвzy 5\n", max_size=12), max_size=9), st.integers(1, 4))
def test_words_do_not_depend_on_the_chunks(ads: list[str], at_once: int) -> None:
    whole = words_of(*ads)
    assert lists_of(whole) == [clean(pl.Series([ad]), "none").item().split() for ad in ads]
    assert whole.distinct.to_list() == sorted({word for ad in lists_of(whole) for word in ad})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "CHUNK_ADS", at_once)
        parts = words_of(*ads)
    for field in ("ids", "offsets", "lengths"):
        assert np.array_equal(getattr(parts, field), getattr(whole, field))
    assert parts.distinct.to_list() == whole.distinct.to_list()


def test_no_ads_have_no_words() -> None:
    found = words_of()
    assert (len(found), len(found.ids), found.offsets.tolist(), found.lengths.shape) == (
        0,
        0,
        [0],
        (0, 1),
    )
    assert found.distinct.dtype == pl.String
    vocabulary = Vocabulary.most_frequent(found, 10)
    assert (vocabulary.words, len(encode(found, vocabulary, 5))) == ((), 0)


def test_russian_words_become_lemmas() -> None:
    found = words_of(
        "Продаю телефоны", "телефона, ТЕЛЕФОНОМ", "ежики ёжик", "0 комнат", language="ru"
    )
    assert lists_of(found) == [
        ["продавать", "телефон"],
        ["телефон", "телефон"],
        ["ёжик", "ёжик"],
        ["0", "комната"],
    ]


def test_each_distinct_word_is_lemmatised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def lemmas(distinct):
        seen.extend(distinct)
        return [word.rstrip("аы") for word in distinct]

    monkeypatch.setitem(
        languages.LANGUAGES, "ru", dataclasses.replace(LANGUAGES["ru"], lemmas=lemmas)
    )
    monkeypatch.setattr(words, "CHUNK_ADS", 2)
    found = words_of("рама рамы", "рама мыла", "rama", "мыла рама", language="ru")
    assert sorted(seen) == ["мыла", "рама", "рамы"]
    assert found.distinct.to_list() == ["мыл", "рам"]
    assert lists_of(found) == [["рам", "рам"], ["рам", "мыл"], ["рам"], ["мыл", "рам"]]


def test_vocabulary_is_the_most_frequent_words_and_ties_are_alphabetical() -> None:
    found = words_of("d b b", "a c d", "d e")
    assert Vocabulary.most_frequent(found, 4).words == ("d", "b", "a", "c")
    assert len(Vocabulary.most_frequent(found, 4)) == 8
    assert Vocabulary.most_frequent(found, 99).words == ("d", "b", "a", "c", "e")


ads_of_letters = st.lists(
    st.lists(st.sampled_from("abcdefgh"), max_size=7).map(" ".join), max_size=12
)


@settings(max_examples=40, deadline=None)
@given(ads_of_letters, st.integers(1, 9), st.integers(1, 8), st.integers(1, 5))
def test_token_ids_agree_with_lists(
    ads: list[str], size: int, max_words: int, at_once: int
) -> None:
    found = words_of(*ads)
    vocabulary = Vocabulary.most_frequent(found, size)
    counts = Counter(" ".join(ads).split())
    assert list(vocabulary.words) == sorted(counts, key=lambda word: (-counts[word], word))[:size]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nrl_dedup.features.text.vocabulary.CHUNK_ADS", at_once)
        tokens = encode(found, vocabulary, max_words)
    token = {word: 4 + i for i, word in enumerate(vocabulary.words)}
    for i, ad in enumerate(ads):
        inner = [token.get(word, UNKNOWN) for word in ad.split()[:max_words]]
        wanted = [START, *inner, END] if inner else []
        assert tokens.values[tokens.offsets[i] : tokens.offsets[i + 1]].tolist() == wanted
    assert tokens.has_known_word().tolist() == [
        any(word in token for word in ad.split()[:max_words]) for ad in ads
    ]
    assert len(tokens) == len(ads)
    assert tokens.offsets[-1] == len(tokens.values)


def test_words_of_other_ads_are_unknown() -> None:
    vocabulary = Vocabulary.most_frequent(words_of("кот дом дом"), 10)
    tokens = encode(words_of("дом рак кот", ""), vocabulary, 100)
    assert tokens.values.tolist() == [START, 4, UNKNOWN, 5, END]
    assert tokens.offsets.tolist() == [0, 5, 5]


@settings(max_examples=40, deadline=None)
@given(ads_of_letters.filter(len), st.data(), st.integers(1, 5))
def test_jaccard_agrees_with_sets(ads: list[str], data: st.DataObject, at_once: int) -> None:
    rows = st.lists(st.integers(0, len(ads) - 1), min_size=6, max_size=6)
    left, right = (np.array(data.draw(rows), np.int64) for _ in range(2))
    sets = [set(ad.split()) for ad in ads]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "_CHUNK_PAIRS", at_once)
        similarity = jaccard(words_of(*ads), left, right)
    for value, a, b in zip(similarity, left, right, strict=True):
        union = sets[a] | sets[b]
        assert value == pytest.approx(
            len(sets[a] & sets[b]) / len(union) if union else 0, abs=1e-15
        )


def test_jaccard_of_two_ads_without_words_is_zero() -> None:
    rows = np.array([0, 0, 2], np.int64)
    similarity = jaccard(words_of("", "!!", "a"), rows, np.array([1, 2, 2], np.int64))
    assert similarity.tolist() == [0, 0, 1]
    assert jaccard(words_of(), rows[:0], rows[:0]).tolist() == []
