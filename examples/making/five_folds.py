"""Trains and tests on the five folds of the real ads, through the commands alone, and writes OUT/five_folds.md.

    python examples/making/real_ads.py PHOTOS_REPOSITORY TEXT_REPOSITORY REAL
    python examples/making/five_folds.py REAL OUT --backbone mobilenet_v2 --backbone-weights FILE

It takes hours. Each command fills a folder of its own under OUT: one that has ended well is not run again, one that
failed is tried again, so that the same command goes on after a stop. `--only-report` runs nothing and reports what
there is. `--document examples/RESULTS.md` also puts the report in its place there. A trial of a few minutes:
`--folds 1 --share 0.08 --few 0.5 --epochs 2 --pretrain-epochs 2`. Options that are not known here go to every
`nrl-dedup train`.
"""

import argparse
import sys
from pathlib import Path

from measuring.data import write_files
from measuring.steps import run_all
from measuring.study import FOLDS, SETTINGS, Study, of_setting
from measuring.tables import report
from results.document import put_part


def main() -> None:
    study, only_report, document = parse_options()
    if not only_report:
        write_files(study)
        try:
            run_all(
                [step for setting in SETTINGS for step in of_setting(study, setting).steps],
                study.out,
            )
        except KeyboardInterrupt:
            sys.exit(
                "Stopped. What was finished is kept: the same command goes on, --only-report shows it."
            )
    output = study.out / "five_folds.md"
    made = report(study)
    output.write_text(made, "utf-8")
    print(f"Wrote {output}.")
    if document:
        put_part(document, Path(__file__).name, made)
        print(f"Wrote its part of {document}.")


def parse_options() -> tuple[Study, bool, Path | None]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("real", type=Path, help="the folder that examples/making/real_ads.py made")
    parser.add_argument("out", type=Path, help="for everything that is made")
    parser.add_argument("--backbone", default="mobilenet_v2", help="default: %(default)s")
    parser.add_argument(
        "--backbone-weights",
        type=Path,
        help="its ImageNet weights; default: torchvision's download",
    )
    parser.add_argument(
        "--folds", type=int, default=FOLDS, choices=range(1, FOLDS + 1), help="default: %(default)s"
    )
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the things, for a trial; default: all"
    )
    parser.add_argument(
        "--few",
        type=float,
        nargs="*",
        default=[0.01, 0.1],
        help="shares of the labels; default: 0.01 0.1",
    )
    parser.add_argument(
        "--only-report", action="store_true", help="run nothing; report what is finished"
    )
    parser.add_argument(
        "--document", type=Path, help="a document of which the report is one part, to be replaced"
    )
    options, further = parser.parse_known_args()
    study = Study(
        real=options.real.resolve(),
        out=options.out.resolve(),
        weights=options.backbone_weights and options.backbone_weights.resolve(),
        backbone=options.backbone,
        folds=options.folds,
        share=options.share,
        few=tuple(options.few),
        train_options=tuple(further),
    )
    return study, options.only_report, options.document


if __name__ == "__main__":
    main()
