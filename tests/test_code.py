"""The code's own rules: lint, format, types, the layers of imports, and files short enough to read."""

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.code_density import Density, by_folder, density_of

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "nrl_dedup"
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
CHECKS = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
}


@pytest.mark.parametrize("check", CHECKS)
def test_check(check: str) -> None:
    command = [sys.executable, "-m", *CHECKS[check]]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_imports_run_downward_only() -> None:
    lint = Path(sys.executable).parent / "lint-imports"
    result = subprocess.run(
        [lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_top_of_the_package_is_small() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 10


def test_no_file_and_no_class_has_the_name_of_another() -> None:
    paths = sorted(PACKAGE.rglob("*.py"))
    files = Counter(path.name for path in paths)
    nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    classes = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef))
    assert len(classes) > 100
    assert {name for name, count in files.items() if count > 1} <= {
        "__init__.py",
        "base.py",
        "fit.py",
    }
    assert {name for name, count in classes.items() if count > 1} == set()


def test_the_code_is_not_dense() -> None:
    folders = by_folder()
    whole = sum(folders.values(), Density())
    assert whole.files == len(list(PACKAGE.rglob("*.py")))
    assert whole.per_line <= 9.5
    assert {name: one.per_line for name, one in folders.items() if one.per_line > 10.5} == {}
    assert whole.unpacked / whole.lines <= 0.5 / 1000


def test_density_is_counted_as_it_says() -> None:
    source = '"""A docstring\nof two lines."""\n\n# a comment\nleft, right = (f(x) for x in pair)  # one line\n'
    found = density_of(source)
    assert (found.lines, found.unpacked) == (1, 1)
    assert found.nodes == len(list(ast.walk(ast.parse(source))))


def test_no_file_is_over_300_lines() -> None:
    lengths = {
        path: len(path.read_text("utf-8").splitlines())
        for path in (ROOT / "nrl_dedup").rglob("*.py")
    }
    assert lengths and {path: lines for path, lines in lengths.items() if lines > 300} == {}


def known_options() -> set[str]:
    from nrl_dedup.cli.main import cli

    return {
        option
        for command in cli.commands.values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }


def test_messages_name_options_that_there_are() -> None:
    """Every string of the package: messages, help, and docstrings that say what is raised."""
    others = {"--help", "--version", "--force-reinstall"}  # the last is pip's
    unknown, named = {}, set()
    for path in (ROOT / "nrl_dedup").rglob("*.py"):
        texts = [
            node.value
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Constant)
        ]
        found = {flag for text in texts if isinstance(text, str) for flag in OPTION.findall(text)}
        named |= found
        unknown[path.name] = found - known_options() - others
    assert len(named) > 30 and {name: flags for name, flags in unknown.items() if flags} == {}


@pytest.mark.parametrize("document", ["README.md", "examples/GUIDE.md", "examples/SETTINGS.md"])
def test_documents_name_options_that_there_are(document: str) -> None:
    others = {"--help", "--folds"}  # the last is of examples/making/five_folds.py
    shown = set(OPTION.findall((ROOT / document).read_text("utf-8")))
    assert shown - known_options() <= others and len(shown) > 5


def test_the_settings_name_every_option() -> None:
    """In a table of their own: of each command, or of all commands."""
    text = (ROOT / "examples" / "SETTINGS.md").read_text("utf-8")
    parts = dict(re.findall(r"^## Options of (.*)\n((?:(?!## ).*\n)*)", text, re.MULTILINE))
    common = set(OPTION.findall(parts["all commands"]))
    from nrl_dedup.cli.main import cli

    for name, command in cli.commands.items():
        options = {
            option
            for one in command.params
            if one.param_type_name == "option"
            for option in one.opts
        }
        longer = {option for option in options if option.startswith("--")} - {"--help"}
        assert longer <= common | set(OPTION.findall(parts[f"`{name}`"])), name
