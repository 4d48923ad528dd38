"""The documents: the results agree with the scripts that write them, and every command that is shown can be typed."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from measuring.study import Study
from measuring.tables import report as five_folds_report
from results.commands import SYSTEMS, Plan
from results.document import find_part, lowered, put_part
from results.on_disk import find_finished
from results.report import report as systems_report
from results.standings import gather

from tests.conftest import write

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "weights" / "README.md",
    *sorted((ROOT / "examples").glob("*.md")),
]
RESULTS = (ROOT / "examples" / "RESULTS.md").read_text("utf-8")
SCRIPT = re.compile(r"python ((?:examples|tests)/\S+\.py)((?: [^`\n\\#]*(?:\\\n)?)*)")


def part_of(script: str) -> str:
    place = find_part(RESULTS, script)
    assert place is not None, script
    return RESULTS[place]


def headings(text: str) -> list[str]:
    return re.findall(r"^#.*$", text, re.MULTILINE)


def blocks(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def table_frames(text: str) -> list[str]:
    """The header of each table and the first cell of each row."""
    lines = re.findall(r"^\|.*\|$", text, re.MULTILINE)
    starts = {at - 1 for at, line in enumerate(lines) if set(line) <= set("|-: ")}
    return [line if at in starts else line.split("|")[1].strip() for at, line in enumerate(lines)]


def test_the_five_folds_are_in_the_form_that_their_script_writes(tmp_path: Path) -> None:
    """All but the figures: nothing is measured in an empty folder, so that the script writes `-` for each of them."""
    study = Study(tmp_path, tmp_path, Path("FILE"), "mobilenet_v2", 5, 1.0, (0.01, 0.1), ())
    written, shown = lowered(five_folds_report(study)), part_of("five_folds.py")
    assert headings(written) == headings(shown)
    assert blocks(written) == blocks(shown) and len(blocks(shown)) == 11
    stages = [line for line in table_frames(shown) if line not in table_frames(written)]
    assert (
        set(table_frames(written)) <= set(table_frames(shown))
        and "clustering" in stages
        and len(stages) == 16
    )


def test_the_systems_are_in_the_form_that_their_script_writes(tmp_path: Path) -> None:
    """Of a plan of which nothing is finished: headings, the script's command and the trainings."""
    write(tmp_path / "ItemInfo.csv", ["itemID"], [])
    write(tmp_path / "ItemPairs.csv", ["isDuplicate"], [])
    plan = Plan(
        real=tmp_path,
        runs=tmp_path,
        weights=Path("FILE"),
        checkout=ROOT,
        systems=tuple(SYSTEMS),
        seeds=3,
        backbone="mobilenet_v2",
        ads=1000,
        train_options=(),
        regions_table=True,
    )
    written, shown = (
        lowered(systems_report(plan, gather(plan, find_finished(plan)))),
        part_of("make_results.py"),
    )
    assert headings(written) == headings(shown)
    commands, of_document = blocks(written), "".join(blocks(shown))
    assert len(commands) == 3 and all(command in of_document for command in commands)


def test_a_script_replaces_its_own_part_and_nothing_else(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    parts = [
        "before\n<!-- written by a.py -->\n",
        "old\n",
        "<!-- end of what a.py wrote -->\nold\n",
    ]
    document.write_text("".join(parts), "utf-8")
    for _ in range(2):
        put_part(document, "a.py", "# Title\n\nnew\n")
        assert document.read_text("utf-8") == f"{parts[0]}\n## Title\n\nnew\n\n{parts[2]}"
    with pytest.raises(SystemExit, match=r"no part of b\.py"):
        put_part(document, "b.py", "# Title\n")


def test_links_between_documents_lead_somewhere() -> None:
    links = 0
    for document in DOCUMENTS:
        text = document.read_text("utf-8")
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            file, _, place = target.partition("#")
            other = document.parent / file if file else document
            assert other.exists(), (document.name, target)
            places = [re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in headings(
                other.read_text("utf-8")
            )] if place else [""]  # fmt: skip
            assert place in places, (document.name, target)
            links += 1
    assert links >= 8


@cache
def options_of(script: str) -> set[str]:
    helped = subprocess.run(
        [sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(re.findall(r"--[a-z][a-z-]+", helped.stdout))


def script_commands() -> dict[str, set[str]]:
    """Every script that a document shows, and the options that it is shown with."""
    found: dict[str, set[str]] = {}
    for document in DOCUMENTS:
        for script, words in SCRIPT.findall(document.read_text("utf-8")):
            options = {
                word.split("=")[0]
                for word in shlex.split(words.replace("\\\n", " "))
                if word.startswith("--")
            }
            found.setdefault(script, set()).update(options)
    return found


@pytest.mark.parametrize("script", script_commands())
def test_scripts_that_are_shown_exist_and_have_the_options_that_they_are_shown_with(
    script: str,
) -> None:
    assert (ROOT / script).is_file()
    options = script_commands()[script]
    assert not options or options <= options_of(script)
