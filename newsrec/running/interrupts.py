"""Ctrl-C at any moment, imports included; imports itself next to nothing, to be in time."""

import os
import signal
import sys
from typing import NoReturn

_SECONDS_BEHIND = 0.05


def quit_at_interrupt() -> None:
    """Have Ctrl-C end a program of this project at once, with one line, while it still imports.

    Called where a package is imported first: `python -m stages.train` is not in `main` before
    PyTorch is imported, for seconds. An exception would not do: many an import swallows it.
    """
    # "-m" stands there only until the module to run is found, inside its package.
    is_program = sys.argv[0] == "-m" or _is_command()
    if is_program and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _quit)


def raise_at_interrupt() -> None:
    """Have Ctrl-C raise `KeyboardInterrupt` from here on, so that what was begun is ended."""
    if signal.getsignal(signal.SIGINT) is _quit:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = _interrupt_again


def is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C is at the bottom of it; typer wraps it, and so does a class being made."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def end_interrupted(name: str) -> NoReturn:
    """Print the line and exit with 130, as a shell reports a program that Ctrl-C ended."""
    # A thread that is still at work, like a download, is waited for: not any longer then.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    print(f"{name}: interrupted", file=sys.stderr)
    sys.exit(130)


def _is_command() -> bool:
    return sys.argv[0].rpartition("/")[2] == "newsrec"


def _quit(*_: object) -> None:
    """Nothing is begun yet: there is no process to end and no file to remove."""
    module = " ".join(sys.orig_argv[1:]).partition("-m")[2].split()
    name = "newsrec" if _is_command() or not module else module[0].rpartition(".")[2]
    os.write(2, f"{name}: interrupted\n".encode())
    os._exit(130)


def _interrupt_again(unraisable: "sys.UnraisableHookArgs") -> None:
    """Where Ctrl-C came in a place that cannot raise, like a destructor, raise it behind that."""
    if unraisable.exc_type is KeyboardInterrupt:
        from threading import Timer, get_ident

        # Not at once: that would raise in here.
        Timer(_SECONDS_BEHIND, signal.pthread_kill, (get_ident(), signal.SIGINT)).start()
    else:
        sys.__unraisablehook__(unraisable)
