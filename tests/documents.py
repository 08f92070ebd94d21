"""What the documents name: commands, code spans, blocks, trees."""

import re
import shlex
from collections.abc import Iterator

from tests import ROOT

# The log is of its day, and results.md is written by `make real`.
NAMES = [
    *("README.md", "README.zh.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"),
    *(
        path.relative_to(ROOT).as_posix()
        for pattern in (
            *("docs/*.md", "data/*/README.md", "models/local/README.md"),
            "pipelines/*/README.md",
        )
        for path in sorted(ROOT.glob(pattern))
        if path.name not in ("LOG.md", "results.md")
    ),
]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"([A-Z_]+=\S+ )*(make|dvc|newsrec|python|git|cd|mkdir|echo)( |$)")


def _text(name: str) -> str:
    """A document; in a table of renamed things the old names, on the left, are left out."""
    text = (ROOT / name).read_text(encoding="utf-8")
    head, table, rows = text.partition("| old | new |")
    return head + table + re.sub(r"^\|[^|]+\|", "|", rows, flags=re.MULTILINE)


TEXTS = {name: _text(name) for name in NAMES}


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language; an empty one is plain text."""
    return [body for kind, body in _BLOCK.findall(text) if kind == language]


def spans(text: str) -> list[str]:
    """The code spans outside blocks, joined where a line ends inside one."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", _BLOCK.sub("", text))]


def commands(text: str) -> list[list[str]]:
    """Every command of the shell blocks and the code spans, as words.

    A span that begins with `-S` is read as `dvc exp run -S ...`.
    """
    lines = [
        line for block in blocks(text, "sh") for line in block.replace("|\n", "|").splitlines()
    ]
    lines += [re.sub("^(?=-S )", "dvc exp run ", span) for span in spans(text)]
    return [
        command
        for line in lines
        if _COMMAND.match(line)
        for command in _split(shlex.split(line, comments=True))
    ]


def _split(words: list[str]) -> Iterator[list[str]]:
    """The commands of a line, without the variables that are set before one."""
    command: list[str] = []
    for word in [*words, "|"]:
        if word in ("&&", "|"):
            yield command
            command = []
        elif command or not re.match(r"[A-Z_]+=", word):
            command.append(word)


def of_program(name: str) -> list[list[str]]:
    """The different commands of one program in all documents, without its name."""
    found = (words for text in TEXTS.values() for words in commands(text))
    return [list(rest) for rest in dict.fromkeys(tuple(w[1:]) for w in found if w[:1] == [name])]


def links(text: str) -> list[str]:
    """The targets of all links and pictures."""
    return re.findall(r"\]\(([^)]+)\)", text)


def tree(text: str) -> str:
    """The block that shows the files of the project."""
    return next(block for block in blocks(text, "") if block.startswith("dvc.yaml"))
