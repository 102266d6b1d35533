"""Write the measured figures of the released model into both READMEs: `make figures`."""

import json
import re
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
MANIFEST = ROOT / "models" / "released" / "manifest.json"
BLOCK = re.compile(r"(<!-- quality: [^\n]*-->\n)(.*?)(\n<!-- /quality -->)", re.DOTALL)

# Figures of the manifest, and what the table calls them.
_COLUMNS = {
    "side_accuracy": "side accuracy",
    "side_ece": "side ECE",
    "accuracy": "label accuracy",
    "macro_f1": "macro-F1",
    "mixed_f1": "F1 mixed",
    "label_ece": "label ECE",
    "clause_accuracy": "clause accuracy",
}


def table(manifest: dict[str, Any]) -> str:
    """The scores by held-out set, as Markdown."""
    lines = [
        f"| held-out set | texts | {' | '.join(_COLUMNS.values())} |",
        "|---" * (2 + len(_COLUMNS)) + "|",
    ]
    for name, figures in manifest["scores"]["sets"].items():
        cells = " | ".join(_cell(figures.get(key)) for key in _COLUMNS)
        lines.append(f"| {name} | {figures['texts']:,} | {cells} |")
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    if value is None:
        return "–"
    return str(Decimal(str(value)).quantize(Decimal("0.001"), ROUND_HALF_UP))


def shown(readme: Path) -> str:
    """The table that stands in `readme`."""
    found = BLOCK.search(readme.read_text(encoding="utf-8"))
    assert found is not None, f"{readme.name} has no place for the figures"
    return found[2]


if __name__ == "__main__":
    new = table(json.loads(MANIFEST.read_text(encoding="utf-8")))
    for file in READMES:
        text = file.read_text(encoding="utf-8")
        file.write_text(BLOCK.sub(lambda block: block[1] + new + block[3], text), encoding="utf-8")
