"""The words of the ads: what is sold, in many ways of saying it, none of which says how the thing looks."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Goods:
    """What is said of one category. `facts` are groups of alternatives: one of each group is true of a thing,
    and each alternative has several wordings."""

    category_id: int
    avito_kind: str
    nouns: tuple[str, ...]
    models: tuple[tuple[str, str, str], ...]  # (brand, the brand in Cyrillic, model)
    facts: tuple[tuple[tuple[str, ...], ...], ...]
    remarks: tuple[str, ...]
    price: int


def _models(table: str) -> tuple[tuple[str, str, str], ...]:
    rows = []
    for line in table.strip().splitlines():
        brand, models = line.strip().split(":")
        latin, cyrillic = brand.split("/")
        rows += [(latin, cyrillic, model.strip()) for model in models.split(",")]
    return tuple(rows)


GOODS: dict[str, Goods] = {
    "bicycle": Goods(
        34,
        "Горные",
        ("велосипед", "велик", "байк", "скоростной велосипед"),
        _models("""
            Stels/Стелс: Navigator, Pilot, Focus
            Forward/Форвард: Apache, Quadro, Valencia
            Stern/Штерн: Energy, Maya, Motion
            Merida/Мерида: Matts, Crossway, Juliet
            Trek/Трек: Marlin, Domane, Skye
            Altair/Альтаир: City, Disco, Ultra
        """),
        (
            (
                ("рама алюминий", "алюминиевая рама", "алюминий"),
                ("рама стальная", "сталь", "стальная рама"),
            ),
            (("тормоза дисковые", "дисковые тормоза"), ("тормоза ободные", "ободные тормоза")),
            (
                ("переключатели Shimano", "оборудование шимано"),
                ("переключатели Sram", "оборудование срам"),
            ),
        ),
        (
            "колеса 26 дюймов",
            "21 скорость",
            "катались два лета",
            "покрышки новые",
            "цепь смазана",
            "вложений не требует",
        ),
        9000,
    ),
    "sofa": Goods(
        20,
        "Кровати, диваны и кресла",
        ("диван", "диванчик", "мягкий диван", "диван-кровать"),
        _models("""
            Askona/Аскона: Палермо, Карина, Орион
            Ikea/Икея: Клиппан, Бединге, Сольста
            Pushe/Пуше: Бруно, Майами, Портленд
            Moon/Мун: Сиэтл, Верона, Фаворит
            Hoff/Хофф: Атланта, Мадрид, Каприз
            Borovichi/Боровичи: Лагуна, Посейдон, Виктория
        """),
        (
            (
                ("обивка велюр", "велюр", "велюровый"),
                ("обивка рогожка", "рогожка", "ткань рогожка"),
                ("экокожа", "обивка экокожа"),
            ),
            (
                ("механизм еврокнижка", "еврокнижка"),
                ("механизм дельфин", "дельфин"),
                ("аккордеон", "механизм аккордеон"),
            ),
            (
                ("есть ящик для белья", "с бельевым ящиком"),
                ("независимые пружины", "пружинный блок"),
            ),
        ),
        (
            "спальное место 140 на 200",
            "сидушки не продавлены",
            "без животных",
            "пятен нет",
            "чехлы снимаются",
            "помогу вынести",
        ),
        14000,
    ),
    "teapot": Goods(
        87,
        "Посуда",
        ("чайник", "чайничек", "заварник", "заварочный чайник"),
        _models("""
            Tefal/Тефаль: Аромат, Эмоция, Ретро
            Rondell/Ронделл: Премиум, Лорд, Бояр
            Dulevo/Дулево: Агитатор, Тюльпан, Гранат
            Luminarc/Люминарк: Диваль, Карин, Тринити
            Vitross/Витросс: Яблоко, Ромашка, Мак
            Zeidan/Зейдан: Сакура, Пион, Бергамот
        """),
        (
            (("фарфор", "фарфоровый"), ("керамика", "керамический"), ("эмаль", "эмалированный")),
            (("с ситечком", "ситечко внутри"), ("без ситечка", "ситечка нет")),
            (("для плиты", "можно на плиту"), ("для заварки", "заваривать чай")),
        ),
        (
            "объем 1 литр",
            "без сколов",
            "без трещин",
            "стоял в серванте",
            "подарили и не пользовались",
            "накипи нет",
        ),
        900,
    ),
    "lamp": Goods(
        20,
        "Освещение",
        ("лампа", "настольная лампа", "светильник", "ночник"),
        _models("""
            Ikea/Икея: Терциал, Лампан, Форсо
            Camelion/Камелион: Люкс, Студент, Вега
            Odeon/Одеон: Гаэлори, Софья, Палома
            Maytoni/Майтони: Ливорно, Бьянка, Элегия
            Arte/Арте: Пинокио, Джуниор, Секретер
            Gauss/Гаусс: Профи, Комфорт, Спектр
        """),
        (
            (("цоколь обычный", "обычный цоколь"), ("цоколь миньон", "миньон")),
            (
                ("есть диммер", "с диммером", "яркость регулируется"),
                ("кнопка на проводе", "выключатель на проводе"),
                ("сенсорная", "сенсорное включение"),
            ),
            (
                ("основание металл", "металлическая"),
                ("основание керамика", "керамическое основание"),
            ),
        ),
        (
            "лампочка в подарок",
            "провод 1,5 метра",
            "светит мягко",
            "для уроков",
            "для спальни",
            "все работает",
        ),
        1200,
    ),
    "sneaker": Goods(
        27,
        "Обувь",
        ("кроссовки", "кеды", "кроссы", "спортивная обувь"),
        _models("""
            Nike/Найк: Pegasus, Cortez, Blazer
            Adidas/Адидас: Samba, Gazelle, Superstar
            Reebok/Рибок: Classic, Nano, Royal
            Puma/Пума: Suede, Roma, Cali
            Asics/Асикс: Kayano, Nimbus, Cumulus
            Demix/Демикс: Fluid, Magus, Sprint
        """),
        (
            (
                ("замша", "натуральная замша", "замшевые"),
                ("кожа", "натуральная кожа", "кожаные"),
                ("текстиль", "тканевые"),
            ),
            (
                ("женские", "для девушки"),
                ("мужские", "для мужчины"),
                ("подростковые", "для подростка"),
            ),
            (("оригинал", "оригинальные"), ("реплика", "копия")),
        ),
        (
            "размер 39",
            "размер 42",
            "стелька 26 см",
            "надевали пару раз",
            "маломерят",
            "не подошел размер",
            "коробка сохранилась",
        ),
        3000,
    ),
    "guitar": Goods(
        36,
        "Гитары и другие струнные",
        ("гитара", "гитара шестиструнная", "гитарка", "инструмент"),
        _models("""
            Yamaha/Ямаха: Pacifica, Storia, Revstar
            Fender/Фендер: Squier, Malibu, Newporter
            Ibanez/Ибанез: Talman, Gio, Artcore
            Cort/Корт: Earth, Sunset, Action
            Epiphone/Эпифон: Dove, Casino, Explorer
            Amistar/Амистар: Заря, Соната, Рапсодия
        """),
        (
            (("корпус ель", "верх ель", "ель"), ("корпус липа", "липа"), ("корпус ольха", "ольха")),
            (("струны новые", "новые струны"), ("струны под замену", "струны старые")),
            (
                ("с чехлом", "чехол в комплекте"),
                ("с кофром", "кофр в комплекте"),
                ("с ремнем", "ремень в подарок"),
            ),
        ),
        (
            "строй держит",
            "гриф ровный",
            "лады не стерты",
            "звук отличный",
            "для новичка",
            "учился и бросил",
        ),
        8000,
    ),
    "laptop": Goods(
        98,
        "Ноутбуки",
        ("ноутбук", "ноут", "лэптоп", "ультрабук"),
        _models("""
            Asus/Асус: Vivobook, Zenbook, Strix
            Acer/Асер: Aspire, Swift, Nitro
            Lenovo/Леново: Ideapad, Legion, Yoga
            Dell/Делл: Inspiron, Vostro, Latitude
            Samsung/Самсунг: Ativ, Chronos, Galaxy
            Hp/Хьюлетт: Pavilion, Omen, Elitebook
        """),
        (
            (("процессор Intel", "интел", "на интеле"), ("процессор Amd", "амд", "на амд")),
            (("диск ссд", "стоит ssd"), ("обычный диск", "жесткий диск")),
            (
                ("видеокарта Geforce", "джифорс"),
                ("видеокарта Radeon", "радеон"),
                ("видео встроенное", "встроенная графика"),
            ),
        ),
        (
            "память 8 гигабайт",
            "экран 15 дюймов",
            "батарея держит 3 часа",
            "зарядка родная",
            "для учебы",
            "винда стоит",
            "не шумит",
        ),
        18000,
    ),
    "phone": Goods(
        84,
        "Телефоны",
        ("телефон", "смартфон", "мобильный телефон", "мобильник"),
        _models("""
            Samsung/Самсунг: Note, Grand, Neo
            Xiaomi/Сяоми: Redmi, Poco, Mix
            Huawei/Хуавей: Honor, Nova, Mate
            Nokia/Нокиа: Lumia, Asha, Prime
            Sony/Сони: Xperia, Compact, Aqua
            Motorola/Моторола: Razr, Edge, Moto
        """),
        (
            (("две симки", "на две сим карты"), ("одна симка", "на одну сим карту")),
            (
                ("экран целый", "стекло целое"),
                ("экран с царапинами", "есть царапины на экране"),
                ("экран меняли", "стекло менялось"),
            ),
            (("комплект полный", "полный комплект"), ("только аппарат", "без зарядки")),
        ),
        (
            "память 64 гб",
            "батарею держит 1 день",
            "не топили",
            "не вскрывался",
            "аккаунты отвязаны",
            "камера супер",
        ),
        7000,
    ),
    "chair": Goods(
        20,
        "Столы и стулья",
        ("стул", "стульчик", "кресло", "сиденье"),
        _models("""
            Ikea/Икея: Маркус, Ингольф, Стефан
            Chairman/Чаирман: Престиж, Консул, Менеджер
            Tetchair/Тетчер: Барон, Комфорт, Бергамо
            Bureaucrat/Бюрократ: Викинг, Сенатор, Фламинго
            Nowy/Новый: Стиль, Самба, Венус
            Kulik/Кулик: Диамант, Элеганс, Пирамида
        """),
        (
            (("сиденье мягкое", "мягкое сиденье"), ("сиденье жесткое", "жесткое сиденье")),
            (("ткань", "обивка ткань", "тканевая обивка"), ("экокожа", "обивка экокожа", "кожзам")),
            (
                ("каркас бук", "бук"),
                ("каркас металл", "металлический каркас"),
                ("каркас береза", "береза"),
            ),
        ),
        (
            "не скрипит",
            "не шатается",
            "нагрузка до 120 кг",
            "из офиса",
            "на кухню",
            "собран, можно разобрать",
        ),
        2500,
    ),
    "wardrobe": Goods(
        20,
        "Шкафы и комоды",
        ("шкаф", "шкафчик", "мебель для хранения", "гардероб"),
        _models("""
            Ikea/Икея: Паск, Бримнес, Мальм
            Lazurit/Лазурит: Магна, Прага, Эстель
            Shatura/Шатура: Камелия, Рим, Соло
            Stolplit/Столплит: Ирис, Верона, Марта
            Angstrem/Ангстрем: Изотта, Юта, Адель
            Mebelson/Мебельсон: Аврора, Капитан, Гамма
        """),
        (
            (
                ("лдсп", "материал лдсп"),
                ("массив сосны", "сосна", "массив"),
                ("мдф", "материал мдф"),
            ),
            (("полки внутри", "много полок"), ("штанга для одежды", "есть штанга")),
            (
                ("фурнитура австрия", "австрийская фурнитура"),
                ("фурнитура россия", "обычная фурнитура"),
            ),
        ),
        (
            "высота 210 см",
            "глубина 60",
            "разобран",
            "нужна газель",
            "этаж 3, есть лифт",
            "петли целые",
        ),
        7500,
    ),
    "stroller": Goods(
        29,
        "Детские коляски",
        ("коляска", "детская коляска", "колясочка", "коляска для малыша"),
        _models("""
            Riko/Рико: Brano, Nano, Basic
            Tutis/Тутис: Zippy, Mimi, Viva
            Bebetto/Бебетто: Holland, Torino, Murano
            Adamex/Адамекс: Barletta, Luciano, Reggio
            Zekiwa/Зекива: Touring, Saturn, Cora
            Peg/Пег: Pliko, Vela, Book
        """),
        (
            (("колеса надувные", "надувные колеса"), ("колеса литые", "литые колеса")),
            (
                ("есть дождевик", "дождевик в комплекте"),
                ("есть москитка", "москитная сетка"),
                ("есть муфта", "муфта в подарок"),
            ),
            (("после одного ребенка", "от одного ребенка"), ("после двоих детей", "от двух детей")),
        ),
        (
            "вес 12 кг",
            "складывается книжкой",
            "проходит в лифт",
            "амортизация мягкая",
            "зима и лето",
            "стирали, чистая",
        ),
        8500,
    ),
    "clock": Goods(
        21,
        "Предметы интерьера",
        ("часы", "часики", "часы для дома", "интерьерные часы"),
        _models("""
            Rhythm/Ритм: Классика, Мюзик, Соната
            Seiko/Сейко: Токио, Киото, Осака
            Jantar/Янтарь: Мечта, Маяк, Заря
            Slava/Слава: Дружба, Севан, Весна
            Lowell/Лоуэлл: Прованс, Лофт, Тоскана
            Vostok/Восток: Метро, Комета, Адмирал
        """),
        (
            (("кварцевые", "механизм кварц"), ("механические", "механика", "механизм с заводом")),
            (("ход плавный", "плавный ход"), ("тикают", "тикают негромко")),
            (
                ("стекло минеральное", "минеральное стекло"),
                ("пластик вместо стекла", "стекло пластик"),
            ),
        ),
        (
            "идут точно",
            "диаметр 30 см",
            "батарейка в подарок",
            "в гостиную",
            "на кухню",
            "отстают на 1 минуту",
        ),
        1500,
    ),
    "backpack": Goods(
        27,
        "Аксессуары",
        ("рюкзак", "рюкзачок", "ранец", "портфель"),
        _models("""
            Grizzly/Гризли: Винтер, Юниор, Тайга
            Erich/Эрих: Лайт, Эргоном, Студио
            Deuter/Дойтер: Futura, Trail, Gogo
            Nova/Нова: Витим, Юкон, Черный
            Kite/Кайт: Education, Urban, Sport
            Polar/Полар: Адвенчер, Метро, Классик
        """),
        (
            (
                ("полиэстер", "ткань полиэстер"),
                ("нейлон", "из нейлона"),
                ("брезент", "плотный брезент"),
            ),
            (
                ("спинка ортопедическая", "ортопедическая спинка"),
                ("спинка мягкая", "мягкая спинка"),
            ),
            (
                ("карман для ноутбука", "отдел под ноутбук"),
                ("карман для бутылки", "отдел под бутылку"),
            ),
        ),
        (
            "объем 30 литров",
            "молнии целые",
            "лямки крепкие",
            "в школу",
            "в поход",
            "носили один год",
        ),
        1800,
    ),
    "washing_machine": Goods(
        21,
        "Для дома",
        ("стиральная машина", "стиралка", "стир. машина", "машинка стиральная"),
        _models("""
            Bosch/Бош: Maxx, Serie, Avantixx
            Indesit/Индезит: Ecotime, Innex, Comfort
            Lg/Элджи: Direct, Steam, Inverter
            Beko/Беко: Aquawave, Hygiene, Smart
            Candy/Канди: Grand, Aquamatic, Rapido
            Ariston/Аристон: Aqualtis, Margherita, Futura
        """),
        (
            (("прямой привод", "привод прямой"), ("ременной привод", "привод ремень")),
            (
                ("тэн меняли", "новый тэн"),
                ("помпу меняли", "новая помпа"),
                ("ремонта не было", "не ремонтировалась"),
            ),
            (
                ("загрузка до 5 кг", "на пять кило"),
                ("узкая", "узкая модель"),
                ("полноразмерная", "глубокая"),
            ),
        ),
        (
            "отжим 1000",
            "не прыгает",
            "не течет",
            "подключу при вас",
            "шланги есть",
            "можно проверить",
        ),
        8000,
    ),
    "television": Goods(
        32,
        "Телевизоры и проекторы",
        ("телевизор", "телек", "тв", "телик"),
        _models("""
            Samsung/Самсунг: Serif, Frame, Crystal
            Sony/Сони: Bravia, Trinitron, Wega
            Philips/Филипс: Ambilight, Cineos, Matchline
            Panasonic/Панасоник: Viera, Tau, Quintrix
            Horizont/Горизонт: Лидер, Корвет, Престиж
            Rubin/Рубин: Электрон, Садко, Темп
        """),
        (
            (
                ("пульт родной", "родной пульт"),
                ("пульта нет", "без пульта"),
                ("пульт новый", "новый пульт"),
            ),
            (("цифровой тюнер", "принимает цифру"), ("нужна приставка", "под приставку")),
            (("звук стерео", "стерео"), ("звук моно", "моно")),
        ),
        (
            "диагональ 32",
            "показывает отлично",
            "битых пикселей нет",
            "на дачу",
            "есть hdmi",
            "включу, покажу",
        ),
        9000,
    ),
    "car": Goods(
        9,
        "С пробегом",
        ("автомобиль", "машина", "авто", "тачка"),
        _models("""
            Lada/Лада: Granta, Vesta, Largus
            Renault/Рено: Logan, Duster, Sandero
            Hyundai/Хендай: Solaris, Creta, Accent
            Toyota/Тойота: Corolla, Camry, Hilux
            Ford/Форд: Focus, Mondeo, Fiesta
            Skoda/Шкода: Octavia, Fabia, Rapid
        """),
        (
            (
                ("коробка механика", "механика"),
                ("коробка автомат", "автомат"),
                ("коробка робот", "робот"),
            ),
            (
                ("двигатель бензин", "бензин"),
                ("двигатель дизель", "дизель"),
                ("газ бензин", "стоит газ"),
            ),
            (("один хозяин", "один владелец по птс"), ("три хозяина", "трое по птс")),
        ),
        (
            "пробег 120 000 км",
            "2012 год",
            "не бита",
            "кондиционер работает",
            "резина зима и лето",
            "масло менял",
            "страховка до весны",
        ),
        350000,
    ),
    "suitcase": Goods(
        27,
        "Сумки",
        ("чемодан", "чемоданчик", "дорожный чемодан", "багажная сумка"),
        _models("""
            Samsonite/Самсонит: Spark, Flux, Uplite
            Tevin/Тевин: Дорога, Круиз, Вояж
            Redmond/Редмонд: Лион, Ницца, Канны
            Lcase/Элкейс: Bangkok, Singapore, Phuket
            Roncato/Ронкато: Ypsilon, Kinetic, Ghibli
            Delsey/Делси: Helium, Belmont, Securitime
        """),
        (
            (
                ("поликарбонат", "материал поликарбонат"),
                ("пластик", "материал пластик"),
                ("кожзам", "материал кожзам"),
            ),
            (("замок кодовый", "кодовый замок"), ("замок с ключом", "закрывается на ключ")),
            (("подкладка целая", "целая подкладка"), ("подкладка шитая", "подкладка зашита")),
        ),
        (
            "ручная кладь",
            "вес 3 кг",
            "летал один раз",
            "колеса тихие",
            "молния целая",
            "для отпуска",
        ),
        3500,
    ),
    "fridge": Goods(
        21,
        "Для кухни",
        ("холодильник", "холодильничек", "холод. техника", "морозильник"),
        _models("""
            Atlant/Атлант: Минск, Мир, Эталон
            Indesit/Индезит: Ritmo, Combi, Prestige
            Biryusa/Бирюса: Енисей, Саяны, Ангара
            Stinol/Стинол: Липецк, Норд, Кристалл
            Liebherr/Либхер: Comfort, Premium, Biofresh
            Zil/Зил: Москва, Юбилейный, Ретро
        """),
        (
            (("компрессор один", "один компрессор"), ("два компрессора", "компрессора два")),
            (
                ("но фрост", "no frost", "система но фрост"),
                ("капельная система", "размораживать раз в год"),
            ),
            (("резинки целые", "уплотнители целые"), ("резинки меняли", "новые уплотнители")),
        ),
        (
            "высота 180",
            "не шумит",
            "морозит отлично",
            "полки все на месте",
            "запаха нет",
            "стоит на даче",
        ),
        9500,
    ),
}

OPENINGS = (
    "Продам {acc} {name}.",
    "Продаю {acc} {name}, {state}.",
    "{Noun} {name}, {state}.",
    "На продажу {noun} фирмы {brand}, модель {model}.",
    "Отдам недорого {acc} {name}.",
    "{name} — {noun}, {state}.",
    "Здравствуйте! Предлагаю {acc} {name}.",
    "В продаже {noun} {brand}. Модель {model}.",
    "{Noun}. Производитель {brand}, называется {model}.",
)
TITLES = (
    "{Noun} {name}",
    "{name}",
    "{name} {noun}",
    "Продам {acc} {name}",
    "{Noun} {name} {state}",
    "{name}, {fact}",
    "{Noun} {name} б/у",
    "Продаю {name} срочно",
)
STATES = (
    "в хорошем состоянии",
    "в отличном состоянии",
    "состояние отличное",
    "сост. хорошее",
    "в отл. сост.",
    "б/у",
    "почти новый вариант",
    "как из магазина",
    "рабочее состояние",
    "с небольшими следами использования",
)
REASONS = (
    "Продаю в связи с переездом.",
    "Причина продажи — переезд.",
    "Купили новое, это больше не нужно.",
    "Лежит без дела, только место занимает.",
    "Подарили, а нам не пригодилось.",
    "Пользовались аккуратно.",
    "Покупали для себя, брали в магазине.",
    "Срочно нужны деньги.",
    "Освобождаю квартиру.",
    "Делаем ремонт, поэтому избавляемся от лишнего.",
)
DEALS = (
    "Самовывоз.",
    "Самовывоз, торг.",
    "Торг при осмотре.",
    "Без торга!",
    "Возможна доставка по городу за отдельную плату.",
    "Отправлю почтой или СДЭК.",
    "Забирать от метро.",
    "Цена {price} руб.",
    "Цена окончательная, {price} рублей.",
    "Отдам за {price}, новое стоит в 2 раза дороже.",
    "Рассмотрю обмен.",
    "Доставка — 500 р.",
    "Небольшой торг уместен.",
)
CLOSINGS = (
    "Звоните в любое время.",
    "Пишите в сообщения, отвечу сразу.",
    "Звонить с 10 до 21.",
    "Смс не читаю, только звонки.",
    "Остальные вопросы по телефону.",
    "Объявление актуально, пока висит.",
    "Показ вечером после 19.",
    "Все вопросы в личку!",
    "Посредникам не беспокоить.",
)
LOOKS = (
    "Цвет как на фото.",
    "Что на фото, то и продаю.",
    "Фото реальные, сделаны дома.",
    "Смотрите фото.",
    "Внешний вид на фотографиях.",
)

LOOKALIKES = str.maketrans("асеорхАСЕОРХВНКМТ", "aceopxACEOPXBHKMT")
TO_CYRILLIC = str.maketrans("aceopxACEOPX", "асеорхАСЕОРХ")


@dataclass(frozen=True)
class Wording:
    """What an ad says of an entity: its model, and which of each group of facts is true (the text identity)."""

    category: str
    model: int
    facts: tuple[int, ...]


def _pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _accusative(noun: str) -> str:
    """The accusative of a category's noun: feminine endings change, and only ahead of a preposition."""
    head, *rest = noun.split(" для ")
    words = []
    for word in head.split(" "):
        for ending, other in (("ая", "ую"), ("а", "у"), ("я", "ю")):
            if word.endswith(ending):
                word = word.removesuffix(ending) + other
                break
        words.append(word)
    return " для ".join([" ".join(words), *rest])


def write_ad(wording: Wording, price: int, rng: np.random.Generator) -> tuple[str, str]:
    """A title and a description of `wording`, other words each time."""
    goods = GOODS[wording.category]
    latin, cyrillic, model = goods.models[wording.model]
    facts = [
        _pick(group[choice], rng) for group, choice in zip(goods.facts, wording.facts, strict=True)
    ]
    brand = cyrillic if rng.random() < 0.2 else latin
    if brand == latin and rng.random() < 0.1:
        brand = brand.upper()
    noun = _pick(goods.nouns, rng)
    slots = {
        "noun": noun,
        "Noun": _upper_first(noun),
        "acc": _accusative(noun),
        "brand": brand,
        "model": model,
        "name": f"{brand} {model}",
        "state": _pick(STATES, rng),
        "fact": facts[int(rng.integers(len(facts)))],
        "price": str(price),
    }
    title = _upper_first(_pick(TITLES, rng).format(**slots))
    if rng.random() < 0.08:
        title = title.upper()
    slots["noun"] = _pick(goods.nouns, rng)
    slots["Noun"], slots["acc"] = _upper_first(slots["noun"]), _accusative(slots["noun"])
    description = _description(goods, facts, slots, rng)
    if rng.random() < 0.15:
        description = _typo(description, rng)
    if rng.random() < 0.15:
        title, description = _disguise(title, rng), _disguise(description, rng)
    return title, description


def _description(
    goods: Goods, facts: list[str], slots: dict[str, str], rng: np.random.Generator
) -> str:
    said = [fact for fact in facts if rng.random() < 0.8]
    remarks = list(rng.permutation(np.array(goods.remarks)))[: int(rng.integers(1, 4))]
    details = [str(x) for x in rng.permutation(np.array(said + remarks))]
    style = int(rng.integers(4))
    if style == 0:  # one to a line
        middle = "\n".join(f"- {x}" for x in details)
    elif style == 1:
        middle = _upper_first(", ".join(details)) + "."
    elif style == 2:
        middle = " ".join(_upper_first(x) + "." for x in details)
    else:
        middle = "Характеристики: " + "; ".join(details) + "."
    opening = _pick(OPENINGS, rng).format(**slots)
    tail = [
        _pick(pool, rng).format(**slots)
        for pool in (REASONS, DEALS, CLOSINGS, LOOKS)
        if rng.random() < 0.6
    ]
    tail = [tail[i] for i in rng.permutation(len(tail))]
    parts = [opening, middle, *tail]
    if rng.random() < 0.15:  # the details first
        parts[:2] = [middle, opening]
    gap = (" ", "\n", "\n\n")[int(rng.choice(3, p=[0.4, 0.45, 0.15]))]
    if style == 0 and gap == " ":
        gap = "\n"
    return _upper_first(gap.join(parts))


def _typo(text: str, rng: np.random.Generator) -> str:
    """One letter of a long Cyrillic word swapped with the next, or left out. Names, with capitals, are spared."""
    words = text.split(" ")
    long = [
        i
        for i, w in enumerate(words)
        if len(w) > 6 and w.isalpha() and w.islower() and not w.isascii()
    ]
    if not long:
        return text
    i = long[int(rng.integers(len(long)))]
    word, k = words[i], int(rng.integers(2, len(words[i]) - 2))
    words[i] = word[:k] + (
        word[k + 1] + word[k] + word[k + 2 :] if rng.random() < 0.5 else word[k + 1 :]
    )
    return " ".join(words)


def _disguise(text: str, rng: np.random.Generator) -> str:
    """Some words with letters of the other alphabet that look the same, as sellers write to slip past filters."""
    words = text.split(" ")
    for i, word in enumerate(words):
        if rng.random() < 0.3 and len(word) > 3:
            other = word.translate(TO_CYRILLIC if word.isascii() else LOOKALIKES)
            # A word whose every letter has a twin would become a word of the other alphabet, not a disguise.
            mixed = any("a" <= c.lower() <= "z" for c in other) and any(
                "а" <= c.lower() <= "я" for c in other
            )
            words[i] = other if mixed else word
    return " ".join(words)
