"""What an entry point is, in its own words, without importing it: importing runs the code of whoever wrote it."""

from __future__ import annotations

import ast
import re
from pathlib import Path


def first_line(value: str) -> str:
    """Return the first sentence of what an entry point names, read from its source; ``""`` where there is none.

    Args:
        value: the entry point's value, ``package.module:Name``. The class's own docstring counts, wherever the module
            has the class from, else the module's.
    """
    module, _, name = value.partition(":")
    tree = _tree(module)
    if tree is None:
        return ""
    said = _of_class(tree, name) or ast.get_docstring(tree) or ""
    line = " ".join(said.split("\n\n", 1)[0].split())
    return re.sub(r"^``[^`]+``: (.)", lambda found: found[1].upper(), line).replace("``", "`")


def _of_class(tree: ast.Module | None, name: str, imports: int = 3) -> str:
    """Return the docstring of a class that a module has or imports by name, over a few modules; ``""`` if none."""
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.ClassDef) and node.name == name:
            return ast.get_docstring(node) or ""
        if isinstance(node, ast.ImportFrom) and node.module and not node.level and imports:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _of_class(_tree(node.module), alias.name, imports - 1)
    return ""


def _tree(module: str) -> ast.Module | None:
    source = _source(module)
    try:
        return ast.parse(source.read_bytes()) if source else None
    except (OSError, SyntaxError, ValueError):
        return None


def _source(module: str) -> Path | None:
    """Return the file of a module; its package is looked for, never imported."""
    from importlib.util import find_spec  # noqa: PLC0415 - not every command looks

    top, *below = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin)
    for part in below:
        path = path.parent / part / "__init__.py" if (path.parent / part).is_dir() else path.parent / f"{part}.py"
    return path
