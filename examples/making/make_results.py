"""Trains every system several times, evaluates all of them on the same pairs, and writes RUNS/results.md.

    python examples/making/real_ads.py PHOTOS_REPOSITORY TEXT_REPOSITORY REAL
    python examples/making/make_results.py REAL --backbone mobilenet_v2 --backbone-weights FILE --regions-table

Everything goes through the command line, as a user would do it, and takes hours. What is finished is kept in the
folder of --runs: stop it, and the same command goes on. `--only-report` trains nothing, evaluates what is finished and
marks the rest; name the other options as in the run, for the report shows its commands. What the report says of the
figures follows from them. `--document examples/RESULTS.md` also puts the report in its place there. The modules of
this script are in `results/`.
"""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from results.commands import (
    OWN_FORM,
    SYSTEMS,
    Plan,
    evaluate_examples,
    evaluate_forms,
    evaluate_real,
    evaluate_trial,
    make_ads,
    train_examples,
    train_form,
    train_real,
    trial_names,
)
from results.document import put_part
from results.on_disk import Finished, find_finished
from results.report import report
from results.standings import gather

from nrl_dedup.config import REGION_KINDS
from nrl_dedup.features.photos.backbones import BACKBONES

CHECKOUT = Path(__file__).parents[2]


def main() -> None:
    options = parse_options()
    plan = Plan(
        real=options.real,
        runs=options.runs,
        weights=options.backbone_weights,
        checkout=CHECKOUT,
        systems=tuple(system for system in SYSTEMS if system in options.systems),
        seeds=options.seeds,
        backbone=options.backbone,
        ads=options.ads,
        train_options=tuple(options.train_options),
        regions_table=options.regions_table,
    )
    plan.runs.mkdir(parents=True, exist_ok=True)
    if not options.only_report:
        train_all(plan)
    finished = find_finished(plan)
    evaluate_all(plan, finished)
    made = report(plan, gather(plan, finished))
    output = options.output or plan.runs / "results.md"
    output.write_text(made, "utf-8")
    print(f"Wrote {output}.")
    if options.document:
        put_part(options.document, Path(__file__).name, made)
        print(f"Wrote its part of {options.document}.")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("real", type=Path, help="the folder that examples/making/real_ads.py made")
    parser.add_argument(
        "--backbone", default="mobilenet_v2", choices=BACKBONES, help="default: %(default)s"
    )
    parser.add_argument(
        "--backbone-weights",
        type=Path,
        help="its ImageNet weights; default: torchvision's download",
    )
    parser.add_argument(
        "--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS, help="default: all"
    )
    parser.add_argument(
        "--seeds", type=int, default=3, help="trainings of each system; default: %(default)s"
    )
    parser.add_argument(
        "--ads", type=int, default=1000, help="made-up ads to train on; default: %(default)s"
    )
    parser.add_argument(
        "--regions-table",
        action="store_true",
        help="train san in every form of regions, one seed each",
    )
    parser.add_argument(
        "--runs",
        type=Path,
        default=CHECKOUT / "weights" / "results",
        help="default: weights/results",
    )
    parser.add_argument(
        "--only-report",
        action="store_true",
        help="train nothing; evaluate and report what is finished",
    )
    parser.add_argument(
        "--train-options",
        type=shlex.split,
        default=[],
        help='further ones, as "--epochs 1 --lr 0.001"',
    )
    parser.add_argument(
        "-o", "--output", type=Path, help="the report; default: results.md in the folder of --runs"
    )
    parser.add_argument(
        "--document", type=Path, help="a document of which the report is one part, to be replaced"
    )
    return parser.parse_args()


def train_all(plan: Plan) -> None:
    for system in plan.systems:
        run(train_real(plan, system))
    if not plan.made.exists():
        part = plan.made.with_suffix(".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        run(make_ads(plan, part))
        part.rename(plan.made)
    for system in plan.systems:
        run(train_examples(plan, system))
    for form in REGION_KINDS:
        if plan.regions_table and form != OWN_FORM:
            plan.form_run(form).parent.mkdir(exist_ok=True)
            run(train_form(plan, form))


def evaluate_all(plan: Plan, finished: Finished) -> None:
    if finished.systems:
        run(evaluate_real(plan, finished.systems))
    if finished.forms:
        run(evaluate_forms(plan, finished.forms))
    if finished.on_examples:
        run(evaluate_examples(plan, finished.on_examples))
        for name in trial_names(plan.seeds):
            run(evaluate_trial(plan, finished.on_examples, name))


def run(words: Sequence[str]) -> None:
    """One command, in a process of its own; the end of all if it fails."""
    program = [sys.executable] if words[0].endswith(".py") else ["nrl-dedup"]
    print("$", shlex.join([*program, *words]), flush=True)
    try:
        ended = subprocess.run([*program, *words]).returncode
    except KeyboardInterrupt:
        ended = 130
    if ended:
        sys.exit(
            "Stopped there. What was finished is kept: the same command goes on, --only-report shows it."
        )


if __name__ == "__main__":
    main()
