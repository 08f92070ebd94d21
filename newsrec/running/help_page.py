"""The help page of a command with commands, in sections."""

from typing import Any

from typer.core import TyperGroup

# In the help of every --engine.
DEFAULT_ENGINE = "default: score.engine of params.yaml"


class SectionGroup(TyperGroup):
    """Lists commands by their `rich_help_panel`, which Typer does only in boxes of rich.

    Those without one come first; sections are in the order of their first command.
    """

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the sections."""
        names = self.list_commands(ctx)
        longest = max(map(len, names))
        sections: dict[str, list[tuple[str, str]]] = {"Commands": []}
        for name in names:
            command = self.commands[name]
            section = getattr(command, "rich_help_panel", None)
            rows = sections.setdefault(section if isinstance(section, str) else "Commands", [])
            rows.append((name, command.get_short_help_str(formatter.width - 6 - longest)))
        for section, rows in sections.items():
            with formatter.section(section):
                formatter.write_dl(rows)
