"""How dense the code is: `python -m tests.code_density` counts syntax nodes per line of code, for each folder.

A line of code holds neither only a comment, nor a docstring, nor nothing. The syntax nodes are all of `ast.walk`. Code
that engineers praise has 5 to 10 of them per line; with more it is read slowly.
"""

import ast
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "nrl_dedup"
_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass
class Density:
    """`unpacked`: assignments that unpack a generator expression, as in `a, b = (f(x) for x in pair)`."""

    files: int = 0
    lines: int = 0
    nodes: int = 0
    unpacked: int = 0

    @property
    def per_line(self) -> float:
        """Syntax nodes per line of code; 0 of a folder without code."""
        return self.nodes / self.lines if self.lines else 0.0

    def __add__(self, other: "Density") -> "Density":
        return Density(
            self.files + other.files,
            self.lines + other.lines,
            self.nodes + other.nodes,
            self.unpacked + other.unpacked,
        )


def density_of(source: str) -> Density:
    """The density of one file."""
    nodes = list(ast.walk(ast.parse(source)))
    in_docstrings = {line for node in nodes for line in _docstring_lines(node)}
    lines = [
        line.strip()
        for number, line in enumerate(source.splitlines(), 1)
        if number not in in_docstrings
    ]
    code = sum(bool(line) and not line.startswith("#") for line in lines)
    return Density(1, code, len(nodes), sum(map(_unpacks_generator, nodes)))


def _docstring_lines(node: ast.AST) -> range:
    if not isinstance(node, _WITH_DOCSTRING) or ast.get_docstring(node, clean=False) is None:
        return range(0)
    first = node.body[0]
    assert first.end_lineno is not None
    return range(first.lineno, first.end_lineno + 1)


def _unpacks_generator(node: ast.AST) -> bool:
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.GeneratorExp):
        return False
    return any(isinstance(target, ast.Tuple | ast.List) for target in node.targets)


def by_folder() -> dict[str, Density]:
    """The density of each folder of the package, by its path below `nrl_dedup`."""
    found: dict[str, Density] = defaultdict(Density)
    for path in sorted(PACKAGE.rglob("*.py")):
        folder = str(path.parent.relative_to(PACKAGE))
        found[folder] += density_of(path.read_text("utf-8"))
    return dict(found)


def main() -> None:
    folders = by_folder()
    folders["all"] = sum(folders.values(), Density())
    print(f"{'folder':24} {'files':>6} {'lines':>7} {'nodes':>8} {'per line':>9} {'unpacked':>9}")
    for name, density in folders.items():
        counts = f"{density.files:6} {density.lines:7,} {density.nodes:8,}"
        print(f"{name:24} {counts} {density.per_line:9.2f} {density.unpacked:9}")


if __name__ == "__main__":
    main()
