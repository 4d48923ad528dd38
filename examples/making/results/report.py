"""The whole report, section by section. What it says of the figures follows from them."""

from typing import Any

from nrl_dedup.config import REGION_KINDS
from nrl_dedup.features.photos.backbones import BackboneRow, backbone_row
from nrl_dedup.features.photos.feature_kinds import KINDS
from results.commands import (
    ATTENTION,
    BILINEAR,
    EXACT_FORM,
    OWN_FORM,
    PRODUCT,
    SYSTEMS,
    Plan,
    evaluate_examples,
    evaluate_forms,
    evaluate_real,
    evaluate_trial,
    make_ads,
    make_results,
    train_examples,
    train_form,
    train_real,
)
from results.comparisons import (
    added_parts,
    against_baseline,
    overlap_words,
    systems_table,
    trained_to_the_end,
    verdict,
)
from results.lengths import length_parts, unlike_parts
from results.markdown import bullets, figure, section, table, typed
from results.on_disk import BASELINE, Attention, Data, Evaluation, Interval
from results.standings import Results, by_name

NONE_YET = "No system is finished yet."
SAME_COMMAND = "By the `nrl-dedup evaluate` of the first table."
SAME_PLACE = {  # by where the interval lies
    "above 0": "Duplicates share more than photos of different things do: the interval lies above 0.",
    "below 0": "Duplicates share less than photos of different things do: the interval lies below 0.",
    "around 0": "That duplicates share more than photos of different things do is not shown: the interval holds 0.",
    None: "Whether that is more than chance is not known: there is no interval.",
}
LEARNT = {  # by where the interval of what training added lies
    "above 0": "Training added to what the untrained network shares: the last interval lies above 0.",
    "below 0": "Training took from what the untrained network shares: the last interval lies below 0.",
    "around 0": "That training added to what the untrained network shares is not shown: the last interval holds 0.",
    None: "Whether training added to what the untrained network shares is not known: there is no interval of that.",
}


def report(plan: Plan, results: Results) -> str:
    """The whole report: its title and its sections."""
    shown = plan.shown
    parts = [
        "# The systems of the thesis",
        "Everything in this part was made by one command, which trains and evaluates with the commands below:",
        typed(make_results(shown)),
        "REAL is the folder of the real ads, RUNS that of the trained models, FILE the ImageNet weights of the photo "
        "network. What is said about the figures was computed from them.",
        data_section(results.data, results.split),
        systems_section(shown, results),
        section(
            "What photos add, and what words add",
            *added_parts(results.real),
            "From the first table: means over seeds, and whether the intervals of the kept models overlap.",
        ),
        attention_section(results),
        *evaluation_sections(results.evaluation),
        forms_section(shown, results.forms),
        examples_section(shown, results),
    ]
    return "\n\n".join(parts) + "\n"


def data_section(data: Data, split: dict[str, Any] | None) -> str:
    said = (
        "Real classified ads with constructed duplicates, in English, made by `examples/making/real_ads.py` from two "
        f"public repositories: {data.postings:,} postings, each of them one half of an ad's sentences and one of its "
        f"two photos, degraded. The two halves of an ad are a duplicate pair ({data.duplicates:,}); each of the other "
        f"{data.pairs - data.duplicates:,} labelled pairs joins postings of two ads, of one category or with like "
        "words."
    )
    if split:
        said += (
            " They are split by ads, so that no ad and no group of duplicates stands on two sides: "
            f"{split['pairs_train']:,} pairs train, {split['pairs_valid']:,} choose the epoch, {split['pairs_test']:,} "
            f"test, and {split['pairs_dropped']:,} that join two sides are dropped."
        )
    return section("The data", said, "No row, photo or person of them is shown here.")


def systems_section(shown: Plan, results: Results) -> str:
    evaluation = results.evaluation
    legend = (
        "Average precision (AP); ± is the standard deviation over seeds. The kept epoch is of how many that were "
        "trained, for each seed. Training AP is taken while the weights move, on augmented photos. The kept model is "
        "that of the seed with the highest validation AP."
    )
    if evaluation:
        legend += f" In brackets: 95 % bootstrap intervals over {evaluation.groups:,} groups of duplicates."
    return section(
        "Every system",
        bullets(f"`{name}`: {SYSTEMS[name]}." for name in shown.systems)
        + f"\n- `{BASELINE}`: the thesis's, logistic regression on likeness of words (Jaccard) and distance of photos.",
        systems_table(results.real, "test AP", "test AP of the kept model"),
        legend,
        against_baseline(results.real),
        typed(
            train_real(shown, "NAME"),
            *([evaluate_real(shown, evaluation.systems)] if evaluation else []),
        ),
    )


def attention_section(results: Results) -> str:
    product, attention, bilinear = (
        by_name(results.real, name) for name in (PRODUCT, ATTENTION, BILINEAR)
    )
    models = results.evaluation.models if results.evaluation else {}
    looked = models[ATTENTION].attention if ATTENTION in models else None
    where = []
    if looked:
        what = "Whether attention looks at the same place in both photos of a duplicate: of the fifth of the regions"
        what += " that it looks at most, the share in common. Untrained: the same network as its training began."
        where = [what, *attention_parts(ATTENTION, looked), SAME_COMMAND]
    said = [
        verdict(attention, product),
        *map(trained_to_the_end, (attention, product)),
        verdict(bilinear, product),
    ]
    return section(
        "Attention and bilinear pooling against the product",
        bullets(said),
        "From the first table.",
        *where,
    )


def attention_parts(name: str, found: Attention) -> tuple[str, str]:
    """How much of what attention looks at most is the same in both photos of a duplicate, whether by chance, and
    whether training added anything to what the untrained network shares."""
    rows = [
        (
            title,
            figure(found.pairs),
            figure(one.overlap),
            figure(one.chance),
            *_signed(one.difference, one.interval),
        )
        for title, one in ((f"`{name}`", found.trained), (f"`{name}`, untrained", found.untrained))
    ]
    rows.append(
        ("added by training", None, None, None, *_signed(found.added, found.added_interval))
    )
    header = ("", "duplicates", "overlap", "by chance", "difference", "95 % interval")
    said = SAME_PLACE[_where(found.trained.interval)], LEARNT[_where(found.added_interval)]
    return table(header, rows), " ".join(said)


def _signed(difference: float | None, interval: Interval | None) -> tuple[str | None, str | None]:
    return (
        None if difference is None else f"{difference:+.3f}",
        None if interval is None else f"{interval[0]:+.3f} to {interval[1]:+.3f}",
    )


def _where(interval: Interval | None) -> str | None:
    if interval is None:
        return None
    low, high = interval
    return "above 0" if low > 0 else "below 0" if high < 0 else "around 0"


def evaluation_sections(evaluation: Evaluation | None) -> list[str]:
    """By length, by unlike lengths, blocking."""
    titles = ("By the length of the descriptions", "Descriptions of unlike length", "Blocking")
    if evaluation is None:
        return [section(title, NONE_YET) for title in titles]
    if PRODUCT in evaluation.models:
        what = f"AP of `{PRODUCT}` / of the baseline, and in brackets the pairs, by the words of the shorter "
        unlike = (
            what + "description (down) and of the longer one (to the right).",
            *unlike_parts(evaluation),
        )
    else:
        unlike = (f"`{PRODUCT}` is not finished yet.",)
    searched = next(model.blocking for model in evaluation.models.values())
    search = (
        f"Each of the {searched.ads:,} ads has at most {searched.wanted:,} candidates, on average."
    )
    parts = (length_parts(evaluation), unlike, (search, *blocking_parts(evaluation)))
    return [section(title, *made, SAME_COMMAND) for title, made in zip(titles, parts, strict=True)]


def blocking_parts(evaluation: Evaluation) -> tuple[str, str]:
    """What each model's candidate search keeps, and whose keeps the most."""
    found = {name: model.blocking for name, model in evaluation.models.items() if model.blocking}
    rows = []
    for name, kept in found.items():
        ratio = None if kept.reduction_ratio is None else f"{kept.reduction_ratio:.5f}"
        completeness = figure(kept.pairs_completeness)
        rows.append((f"`{name}`", figure(kept.candidate_pairs), completeness, ratio, kept.part))
    known = {
        name: kept.pairs_completeness
        for name, kept in found.items()
        if kept.pairs_completeness is not None
    }
    said = ""
    if known:
        best, worst = max(known, key=known.get), min(known, key=known.get)
        said = f"Of the duplicates, the search of `{best}` keeps the largest share, {figure(known[best])}"
        said += (
            f", and that of `{worst}` the smallest, {figure(known[worst])}."
            if known[worst] < known[best]
            else "."
        )
    header = (
        "",
        "candidate pairs",
        "pairs completeness",
        "reduction ratio",
        "AP with lost pairs last",
    )
    return table(header, rows), said


def forms_section(shown: Plan, forms: Evaluation | None) -> str:
    done = forms.systems if forms else []
    made_by = [train_form(shown, "FORM")] * any(form != OWN_FORM for form in done)
    made_by += [evaluate_forms(shown, done)] * bool(done)
    return section(
        f"How `{ATTENTION}` keeps the regions of a photo",
        *forms_parts(forms, backbone_row(shown.backbone)),
        f"Bytes of one photo in one view, of `{shown.backbone}`, by "
        "`nrl_dedup.features.photos.feature_kinds`. Test AP on the real ads, with the first seed.",
        typed(*made_by) if made_by else "",
    )


def forms_parts(forms: Evaluation | None, row: BackboneRow) -> tuple[str, str]:
    """The forms in which `san` can keep regions: their size, and what it loses with them."""
    parts = {form: model.overall for form, model in forms.models.items()} if forms else {}
    exact, whole = parts.get(EXACT_FORM), KINDS[EXACT_FORM].bytes_per_photo(row)
    rows, said = [], []
    for form in REGION_KINDS:
        part, size = parts.get(form), KINDS[form].bytes_per_photo(row)
        change = None
        if form != EXACT_FORM and part and exact and None not in (part.ap, exact.ap):
            change = f"{part.ap - exact.ap:+.3f}"
            loses = "loses" if part.ap < exact.ap else "does not lose"
            said.append(
                f"`{form}` {loses} against `{EXACT_FORM}` ({change}); {overlap_words(part, exact)}."
            )
        title = f"`{form}`{', the default' if form == OWN_FORM else ''}"
        places, length = KINDS[form].shape(row)
        rows.append(
            (
                title,
                f"{places} x {length}",
                figure(size),
                f"{size / whole:.0%}",
                part or "not trained",
                change,
            )
        )
    header = (
        "form",
        "regions x size",
        "bytes an ad",
        f"of `{EXACT_FORM}`",
        "test AP",
        f"against `{EXACT_FORM}`",
    )
    return table(header, rows), bullets(said)


def examples_section(shown: Plan, results: Results) -> str:
    evaluation = results.examples_evaluation
    tested, evaluated = "", []
    if evaluation:
        names = evaluation.systems
        tested = f", tested on all {evaluation.models[BASELINE].overall.pairs:,} labelled pairs of the shipped ones"
        evaluated = [evaluate_examples(shown, names), evaluate_trial(shown, names, "NNN")]
    return section(
        "The example ads",
        f"Made up, in Russian; trained on {shown.ads:,} ads of another seed, each photo in a posting of its own"
        f"{tested}. Neither words nor photos alone tell all of these ads apart (`examples/README.md`).",
        systems_table(results.examples, "AP on the shipped pairs", "AP of the kept model"),
        against_baseline(results.examples),
        typed(make_ads(shown, shown.made), train_examples(shown, "NAME"), *evaluated),
    )
