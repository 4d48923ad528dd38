"""Ads in any language and any letters are found by the shipped model; none is dropped because of its letters."""

from pathlib import Path

import numpy as np
import pytest
from measuring.unspaced import CANDIDATES, IN_COMMON, THINGS, made_up_ads, quality, write_ads

import nrl_dedup
from nrl_dedup.api import Duplicates
from nrl_dedup.comparison.compare import compare_pairs
from nrl_dedup.scoring.score import profiles_of
from tests.conftest import write

# Two postings of one thing, in most of the same words, and three ads of other things.
ADS = {
    "Uzbek": [
        ("Velosiped sotiladi", "Togʻ velosipedi, holati aʼlo, yangi gʻildirak, narxi kelishiladi"),
        ("Togʻ velosipedi", "Velosiped sotiladi, holati aʼlo, yangi gʻildirak, kelishiladi"),
        ("Divan sotiladi", "Burchakli divan, holati yaxshi, yetkazib berish bepul"),
        ("Telefon Samsung", "Ekrani butun, qutisi bor, xotirasi katta"),
        ("Kvartira ijaraga", "Ikki xonali, metro yonida, taʼmirlangan"),
    ],
    "Uzbek in Cyrillic": [
        ("Велосипед сотилади", "Тоғ велосипеди, ҳолати аъло, янги ғилдирак, нархи келишилади"),
        ("Тоғ велосипеди", "Велосипед сотилади, ҳолати аъло, янги ғилдирак, келишилади"),
        ("Диван сотилади", "Бурчакли диван, ҳолати яхши, етказиб бериш бепул"),
        ("Телефон Samsung", "Экрани бутун, қутиси бор, хотираси катта"),
        ("Квартира ижарага", "Икки хонали, метро ёнида, таъмирланган"),
    ],
    "Ukrainian": [
        ("Продам велосипед", "Гірський велосипед, гарний стан, нові шини, ціна договірна"),
        ("Гірський велосипед", "Продам велосипед, гарний стан, нові шини, договірна"),
        ("Продам диван", "Кутовий диван, розкладається, є доставка"),
        ("Телефон Samsung", "Екран цілий, є коробка, велика пам'ять"),
        ("Оренда квартири", "Дві кімнати, біля метро, свіжий ремонт"),
    ],
    "Greek": [
        ("Πωλείται ποδήλατο", "Ποδήλατο βουνού, άριστη κατάσταση, καινούργια λάστιχα 29"),
        ("Ποδήλατο βουνού", "Πωλείται ποδήλατο, άριστη κατάσταση, καινούργια λάστιχα"),
        ("Πωλείται καναπές", "Γωνιακός καναπές, γκρι, δωρεάν μεταφορά 2"),
        ("Κινητό Samsung", "Οθόνη χωρίς γρατζουνιές, με το κουτί του"),
        ("Ενοικιάζεται σπίτι", "Δύο δωμάτια, δίπλα στο μετρό, ανακαινισμένο"),
    ],
    "Georgian": [
        ("იყიდება ველოსიპედი", "მთის ველოსიპედი, კარგი მდგომარეობა, ახალი საბურავები 29"),
        ("მთის ველოსიპედი", "იყიდება ველოსიპედი, კარგი მდგომარეობა, ახალი საბურავები"),
        ("იყიდება დივანი", "კუთხის დივანი, ნაცრისფერი, უფასო მიტანა 2"),
        ("ტელეფონი Samsung", "ეკრანი მთელია, ყუთით, დიდი მეხსიერება"),
        ("ქირავდება ბინა", "ორი ოთახი, მეტროსთან, ახალი რემონტი"),
    ],
    "Romanian": [
        ("Vând bicicletă", "Bicicletă de munte, stare foarte bună, anvelope noi, preț negociabil"),
        ("Bicicletă de munte", "Vând bicicletă, stare foarte bună, anvelope noi, negociabil"),
        ("Vând canapea", "Canapea de colț, extensibilă, livrare gratuită"),
        ("Telefon Samsung", "Ecranul întreg, cutie, memorie mare"),
        ("Închiriez apartament", "Două camere, lângă metrou, renovat"),
    ],
    "Hindi": [
        ("साइकिल बिक्री के लिए", "पहाड़ी साइकिल, अच्छी हालत, नए टायर, कीमत तय होगी"),
        ("पहाड़ी साइकिल", "साइकिल बिक्री, अच्छी हालत, नए टायर, कीमत"),
        ("सोफा बिक्री", "कोने वाला सोफा, धूसर रंग, मुफ्त डिलीवरी"),
        ("फोन Samsung", "स्क्रीन ठीक है, डिब्बा साथ में"),
        ("मकान किराये पर", "दो कमरे, मेट्रो के पास, मरम्मत की हुई"),
    ],
    "Arabic": [
        ("دراجة للبيع", "دراجة جبلية، حالة ممتازة، إطارات جديدة، السعر قابل للتفاوض"),
        ("دراجة جبلية", "دراجة للبيع، حالة ممتازة، إطارات جديدة، قابل للتفاوض"),
        ("أريكة للبيع", "أريكة زاوية رمادية، توصيل مجاني"),
        ("هاتف Samsung", "الشاشة سليمة مع العلبة، ذاكرة كبيرة"),
        ("شقة للإيجار", "غرفتان قرب المترو، مجددة"),
    ],
    "Hebrew": [
        ("אופניים למכירה", "אופני הרים, מצב מצוין, צמיגים חדשים, מחיר גמיש"),
        ("אופני הרים", "אופניים למכירה, מצב מצוין, צמיגים חדשים, גמיש"),
        ("ספה למכירה", "ספה פינתית אפורה, משלוח חינם"),
        ("טלפון Samsung", "מסך שלם, עם הקופסה, זיכרון גדול"),
        ("דירה להשכרה", "שני חדרים, ליד הרכבת, משופצת"),
    ],
    "Chinese": [
        ("出售山地自行车", "几乎全新，轮胎已换，成都自提，价格可议"),
        ("山地自行车出售", "轮胎已换，几乎全新，成都自提"),
        ("出售沙发", "转角沙发，灰色，免费送货"),
        ("手机Samsung", "屏幕完好，带原装盒子，内存大"),
        ("公寓出租", "两间卧室，靠近地铁站，新装修"),
    ],
    "Thai": [
        ("ขายจักรยานเสือภูเขา", "สภาพดีมาก ยางใหม่ ราคาต่อรองได้"),
        ("จักรยานเสือภูเขา", "ขายสภาพดีมาก ยางใหม่ ต่อรองได้"),
        ("ขายโซฟา", "โซฟาเข้ามุม สีเทา ส่งฟรี"),
        ("โทรศัพท์ Samsung", "จอไม่แตก มีกล่อง หน่วยความจำใหญ่"),
        ("ห้องให้เช่า", "สองห้องนอน ใกล้รถไฟฟ้า ตกแต่งใหม่"),
    ],
}
WORD_COLUMNS = ("words", "letters", "tokens_jaccard", "titles")


def linked(ads: list[tuple[str, str]], folder: Path) -> Duplicates:
    rows = [[str(number), *ad] for number, ad in enumerate(ads)]
    path = write(folder / "ads.csv", ["id", "title", "description"], rows)
    return nrl_dedup.link(path, scorer="evidence", device="cpu", work_dir=folder / "work")


@pytest.mark.parametrize("language", ADS)
def test_two_postings_are_found_and_their_words_count(language: str, tmp_path: Path) -> None:
    result = linked(ADS[language], tmp_path).result
    blocked = result.blocked
    ads = np.arange(len(ADS[language]))
    assert blocked.ads.has(ads).all()
    first, second = np.array([0, 0]), np.array([1, 2])
    assert blocked.finds(first[:1], second[:1]).all()
    left, right = blocked.ads.of_rows(first), blocked.ads.of_rows(second)
    catalogue = nrl_dedup.api.read_catalogue(tmp_path / "ads.csv")
    profiles = profiles_of(catalogue, result.features, blocked)
    compared = compare_pairs(profiles, left, right)
    words = compared.columns(WORD_COLUMNS)
    assert np.isfinite(words).all()
    of_whole_ads = words[:, :3]
    assert (of_whole_ads[0] > 0.5).all() and (of_whole_ads[1] < 0.3).all()
    same, other = result.scorer.logits(left, right)
    assert same > other


def test_chinese_as_it_is_written(tmp_path: Path) -> None:
    """Two postings of a thing have 8 of 10 words in common, in any order."""
    items, truth = write_ads(tmp_path)
    ads, things = made_up_ads()
    assert len(truth.read_text().splitlines()) == len(ads) + 1
    assert IN_COMMON == 8 and things.count(0) == 2 and len(ads) == 2 * THINGS + 300
    assert not any(sign.isspace() for ad in ads for text in ad for sign in text)
    found = quality(
        nrl_dedup.link(
            items, candidates_per_ad=CANDIDATES, device="cpu", work_dir=tmp_path / "work"
        ),
        things,
    )
    assert found.completeness >= 0.95
    assert found.clusters.recall >= 0.9 and found.clusters.precision >= 0.9
