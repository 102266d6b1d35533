"""A result as a person sees it in a terminal. Colour is never the only sign."""

from rich.console import Console
from rich.text import Text

from models import Result, TextError
from models.labels import Label
from models.show import SIGNS, winner

_STYLES: dict[Label, str] = {
    "positive": "green",
    "negative": "red",
    "mixed": "yellow",
    "neutral": "bright_black",
}


def print_error(error: TextError) -> None:
    """Why a text has no result."""
    Console(highlight=False).print(Text(f"error: {error}", "bold red"))


def print_result(result: Result) -> None:
    """The label and which side wins; then each clause with its sign and its connective."""
    console = Console(highlight=False)
    style = _STYLES[result.label]
    console.print(
        Text(f"{result.label} {result.scores[result.label]:.0%}", f"bold {style}"),
        Text(f" {winner(result.polarity)} ({result.polarity:+.2f})"),
    )
    for clause in result.clauses:
        colour = _STYLES[clause.label]
        line = Text("  ").append(f"{SIGNS[clause.label]} ", f"bold {colour}")
        line.append(clause.text, colour)
        if clause.connective is not None:
            begin = 4 + clause.connective.start - clause.start
            line.stylize(f"bold reverse {colour}", begin, begin + len(clause.connective.text))
            line.append(f"  ({clause.relation})", "dim")
        console.print(line)
