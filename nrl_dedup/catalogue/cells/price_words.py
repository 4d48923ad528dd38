"""The words that stand beside a number in a price, in the languages of classified ads; all in lower case."""

_NO_PRICE = """
    free giveaway negotiable agreement request ask offer call tbd poa
    бесплатно бесплатная бесплатный даром дар договорная договорной договоренности договорённости запросу звоните
    уточняйте обмен безкоштовно договірна домовленістю безплатно договаряне
    gratis kostenlos verschenken geschenkt vb vhb verhandlungsbasis verhandelbar anfrage gratuit gratuito débattre
    demande donner convenir consultar concordare richiesta darmo uzgodnienia negocjacji zdarma dohodou zadarmo
"""
_CURRENCIES = """
    руб р рубль рубля рублей rub rur грн гривен гривень гривня uah тг тенге тнг kzt бел byn сум сўм uzs лв лева bgn
    usd us дол доллар доллара долларов у е eur euro euros евро gbp pound pounds kč kc czk zł zl złotych zlotych pln
    kr sek nok dkk chf fr ft huf lei ron din rsd kn hrk tl try rs inr aud cad nzd sgd hkd jpy yen cny rmb brl mxn zar
    ils nis aed 元 円 원
"""
_AROUND = """
    от from ab od von partir desde da à starting at about around approx ca circa около примерно цена price preis prix
    cena precio всего до up to max min only just nur за шт штуку штука штук всё все each per a an the for of on free
    charge месяц мес в month mo monat pro monthly сутки день day night год year кв м sqm pcm pw week неделю
    торг торга уместен без с fp festpreis obo neg fix fixed отдам по zu auf preis su za do make и and
    not указана не
"""
SCALES = {
    1e3: ("k", "к", "тыс", "тысяча", "тысячи", "тысяч", "tsd", "tys", "thousand"),
    1e6: ("млн", "миллион", "миллиона", "миллионов", "mio", "mln", "million", "millionen", "mn"),
    1e9: ("млрд", "миллиард", "миллиарда", "миллиардов", "mrd", "bn", "billion"),
}
NO_PRICE = frozenset(_NO_PRICE.split())
CURRENCIES = frozenset(_CURRENCIES.split())
# Of a range.
BETWEEN_NUMBERS = (
    "до",
    "to",
    "bis",
    "do",
    "по",
    "a",
    "à",
    "hasta",
    "and",
    "и",
    "und",
    "et",
    "y",
)
BESIDE_NUMBERS = (
    CURRENCIES
    | NO_PRICE
    | {word for words in (_AROUND.split(), BETWEEN_NUMBERS, *SCALES.values()) for word in words}
)
