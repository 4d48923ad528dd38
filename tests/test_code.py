"""The code's own rules: lint, format, types, the layers of imports, and files short enough to read."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
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
        for option in parameter.opts
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
