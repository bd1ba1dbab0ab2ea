"""The documentation's pages and the code blocks in them."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the line it starts on, its language, and its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every page a reader may come to."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
    return sorted([*found, *(path for path in (ROOT / "examples").rglob("*.md") if ".venv" not in path.parts)])


def blocks(*languages: str) -> list[Block]:
    """Every fenced block in one of these languages."""
    out = []
    for path in pages():
        text = path.read_text()
        for found in _FENCE.finditer(text):
            if found[2] in languages:
                line = text.count("\n", 0, found.start()) + 1
                indent = len(found[1])
                body = "\n".join(row[indent:] for row in found[3].splitlines())
                out.append(Block(str(path.relative_to(ROOT)), line, found[2], body))
    return out
