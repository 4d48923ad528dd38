"""`--language auto`: Russian, English, or neither."""

import polars as pl
import pytest

from nrl_dedup.features.text.language_detection import MAX_ADS, detect_language

RUSSIAN = [
    "Продам диван в хорошем состоянии, самовывоз из центра",
    "Сдаётся двухкомнатная квартира на длительный срок",
    "Велосипед Stels Navigator 500 MD, новый, колёса 26",
    "Apple iPhone 6s 16GB серый космос, без царапин, в комплекте зарядка",
]
ENGLISH = [
    "Large sofa with two cushions, from a clean and quiet home",
    "The bicycle is in good condition and comes with a lock",
    "Panasonic cordless phone with answering machine, black",
]
OTHERS = {
    "Uzbek": "Yangi velosiped sotiladi, holati aʼlo darajada, narxi kelishiladi, yetkazib berish bepul",
    "Uzbek in Cyrillic": "Янги велосипед сотилади, ҳолати аъло, нархи келишилади, етказиб бериш бепул қилинади",
    "Ukrainian": "Продам велосипед у гарному стані, можлива доставка, ціна договірна, є пробіг",
    "Belarusian": "Прадаю дзіцячы веласіпед у добрым стане, магчымая дастаўка ў іншы горад",
    "Bulgarian": "Продавам колело в отлично състояние, малко карано, възможна доставка до друг град",
    "Bulgarian without a hard sign": "Продава се нова маса за кухня, размерите са на снимката",
    "Serbian": "Продајем бицикл у одличном стању, мало вожен, могућа достава до куће",
    "Kazakh": "Жаңа велосипед сатылады, жағдайы өте жақсы, бағасы келісімді, жеткізу тегін",
    "Mongolian": "Шинэ дугуй зарна, байдал маш сайн, үнэ тохирно, хүргэлт үнэгүй",
    "Greek": "Πωλείται ποδήλατο σε άριστη κατάσταση, ελάχιστα χρησιμοποιημένο",
    "Georgian": "იყიდება ველოსიპედი კარგ მდგომარეობაში, ფასი შეთანხმებით",
    "Romanian": "Vand bicicleta in stare foarte buna, putin folosita, pret negociabil, se poate livra",
    "Romanian with its marks": "Vând bicicletă în stare foarte bună, puțin folosită, preț negociabil",
    "Chinese": "出售二手苹果手机白色，几乎全新，成都自提",
    "Japanese": "自転車を売ります。状態は良好です。",
    "German": "Verkaufe ein gut erhaltenes Fahrrad mit Licht und neuem Sattel, nur in der Stadt gefahren",
    "Dutch": "Te koop een fiets in goede staat, weinig gebruikt, is op te halen in het centrum of te bezorgen",
    "Danish": "Cykel sælges for en god pris, den er brugt lidt, og der er lys på for og bag",
    "Polish": "Sprzedam rower w dobrym stanie, mało używany, to jest okazja, możliwa wysyłka",
    "French": "On vend un vélo en très bon état, peu servi, ou échange possible, livraison",
    "Spanish": "Se vende bicicleta en buen estado, poco usada, precio negociable, a domicilio",
    "Turkish": "Satılık bisiklet, az kullanılmış, çok temiz, fiyatı pazarlık olur",
    "Hindi": "साइकिल बिक्री के लिए, अच्छी हालत में, कम इस्तेमाल की गई",
    "Arabic": "دراجة للبيع بحالة ممتازة، استعمال قليل، السعر قابل للتفاوض",
    "Hebrew": "אופניים למכירה במצב מצוין, שימוש מועט, המחיר גמיש",
    "numbers": "42 17, 600",
    "nothing": "",
}


def language_of(*texts: str) -> str:
    return detect_language([pl.Series(texts)]).name


@pytest.mark.parametrize("text", RUSSIAN)
def test_russian(text: str) -> None:
    assert language_of(text) == "ru"


@pytest.mark.parametrize("text", ENGLISH)
def test_english(text: str) -> None:
    assert language_of(text) == "en"


@pytest.mark.parametrize("language", OTHERS)
def test_neither(language: str) -> None:
    assert language_of(OTHERS[language]) == "none"


def test_the_language_of_most_of_the_text_counts() -> None:
    ukrainian = OTHERS["Ukrainian"]
    assert language_of(*RUSSIAN * 2, ukrainian) == "ru"
    assert language_of(RUSSIAN[0], *[ukrainian] * 3) == "none"
    assert language_of(*ENGLISH * 3, OTHERS["Romanian with its marks"]) == "none"
    assert language_of(*ENGLISH * 9, RUSSIAN[0], "Café") == "en"
    assert language_of(*["出售二手苹果手机白色"] * 3, "iPhone with the box") == "none"


def test_titles_descriptions_and_empty_cells() -> None:
    titles = pl.Series(["Sofa", None])
    descriptions = pl.Series([None, "with the two cushions"])
    assert detect_language([titles, descriptions]).name == "en"
    nothing = pl.Series([], dtype=pl.String)
    assert detect_language([nothing, nothing]).name == "none"


def test_of_many_ads_some_are_read_from_the_whole_catalogue() -> None:
    texts = ["Продам диван"] * MAX_ADS + ["The sofa with cushions and the table"] * (4 * MAX_ADS)
    assert language_of(*texts) == "en"
