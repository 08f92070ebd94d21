"""What a person types in the terminal: texts of one line or several, in any script."""

from prompt_toolkit import PromptSession
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import create_output


class Terminal:
    """Reads texts; Enter ends one, Alt+Enter and a pasted line end begin another line."""

    def __init__(self) -> None:
        keys = KeyBindings()

        @keys.add("enter")
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.validate_and_handle()

        @keys.add("escape", "enter")
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        # The prompt is for the person, wherever the answers go.
        output = create_output(always_prefer_tty=True)
        self._session: PromptSession[str] = PromptSession(
            multiline=True, key_bindings=keys, output=output
        )

    def read(self, label: str) -> str | None:
        """The next text; None at Ctrl-D.

        Raises:
            KeyboardInterrupt: Ctrl-C was typed; the current input is discarded.
        """
        try:
            return self._session.prompt(f"{label}> ")
        except EOFError:
            return None
