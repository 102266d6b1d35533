"""Write the measured figures of the released model into both READMEs: `make figures`."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
# Its figures were rounded once; the manifest's, with four digits, would be rounded again.
MODEL_CARD = ROOT / "models" / "released" / "MODEL_CARD.md"
BLOCK = re.compile(r"(<!-- quality: [^\n]*-->\n)(.*?)(\n<!-- /quality -->)", re.DOTALL)

_COLUMNS = (
    "set",
    "texts",
    "side accuracy",
    "side ECE",
    "label accuracy",
    "macro-F1",
    "F1 mixed",
    "label ECE",
    "clause accuracy",
)


def table(model_card: str) -> str:
    """The scores by held-out set, as Markdown."""
    _, scores = model_card.split("\n## Scores\n")
    first, _, *rest = re.findall(r"(?:^\|.*\n)+", scores, re.MULTILINE)[0].splitlines()
    places = [_cells(first).index(name) for name in _COLUMNS]
    rows = ([_cells(line)[place] for place in places] for line in rest)
    head = _line(["held-out set", *_COLUMNS[1:]])
    return "\n".join((head, "|---" * len(_COLUMNS) + "|", *map(_line, rows)))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def shown(readme: Path) -> str:
    """The table that stands in `readme`."""
    found = BLOCK.search(readme.read_text(encoding="utf-8"))
    assert found is not None, f"{readme.name} has no place for the figures"
    return found[2]


if __name__ == "__main__":
    new = table(MODEL_CARD.read_text(encoding="utf-8"))
    for file in READMES:
        text = file.read_text(encoding="utf-8")
        file.write_text(BLOCK.sub(lambda block: block[1] + new + block[3], text), encoding="utf-8")
