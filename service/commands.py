"""The commands of `training`, found by entry point and loaded only when invoked.

`service` must not import `training`, and `danshi serve` must not wait for torch.
"""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

GROUP = "danshi.commands"

# Shown by `danshi --help`, which loads none of them. In the order of the work.
_SUMMARIES = {
    "train": "Train a model, on your file or on the sentences that ship.",
    "evaluate": "Measure an exported model and write a report.",
    "calibrate": "Fit the temperatures that make scores probabilities.",
    "export": "Turn a checkpoint into the artifact that is served.",
    "pretrain": "Let an encoder guess masked words of reviews, before it learns labels.",
    "average": "Average the weights of trainings: often better than each.",
    "promote": "Release a candidate that is no worse than the released model.",
    "rollback": "Go back to the model that was released before.",
}


class CommandGroup(TyperGroup):
    """The service's own commands, then those that entry points name."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names for `--help`: our own commands first."""
        found = _entries()
        ordered = [name for name in _SUMMARIES if name in found]
        return [*self.commands, *ordered, *sorted(found.keys() - _SUMMARIES.keys())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command of ours, or the name and summary of another."""
        if cmd_name in self.commands or cmd_name not in _entries():
            return super().get_command(ctx, cmd_name)
        summary = _SUMMARIES.get(cmd_name, f"See danshi {cmd_name} --help.")
        return TyperCommand(cmd_name, help=summary, rich_help_panel="Training")

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is invoked, loaded."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in self.commands or name is None:
            return name, command, rest
        return name, _load(_entries()[name]), rest


def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _load(entry: EntryPoint) -> Any:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(entry.name)(entry.load())
    return get_command(app)
