"""Put texts into classes with the trained model: one, or a file of a million lines."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import softmax
from tqdm import tqdm

from newsrec.chat.messages import Messages
from newsrec.chat.pieces import TOKEN_IDS
from newsrec.chat.texts import encode_texts
from newsrec.chat.tokens import load_tokenizer
from newsrec.engines.classifying import classify
from newsrec.engines.request import ClassRequest
from newsrec.engines.settings import ClassifierSettings
from newsrec.errors import UserError
from newsrec.files import atomic_file, read_text_lines, sha256_file
from newsrec.models.folders import base_of
from newsrec.running.stage_runs import locked
from newsrec.safety.labels import CLASSES
from newsrec.safety.normalisation import normalise

_LINES_AT_ONCE = 1000


@dataclass(frozen=True)
class Classified:
    """A text and its class.

    Attributes:
        text: as it was given.
        label: the most probable class; None of a text with nothing to read.
        probability: of that class, as the model gives it.
        unsafe: the probability of all classes but the first together.
        probabilities: of each class.
    """

    text: str
    label: str | None
    probability: float | None
    unsafe: float | None
    probabilities: dict[str, float]


def as_row(found: Classified, threshold: float | None) -> dict[str, Any]:
    """What is written of a text, as JSON.

    Args:
        found: of the text.
        threshold: of `unsafe`; where it is given, `flagged` says whether `unsafe` is above it, or
            is None of a text with nothing to read.
    """
    row = vars(found)  # not `asdict`, whose copies take as long as all else
    if threshold is None:
        return row
    return {**row, "flagged": None if found.unsafe is None else found.unsafe > threshold}


class Lines:
    """The lines of a text file as prompts, read anew each time that they are walked."""

    def __init__(self, path: Path, name: str, model: Path, max_tokens: int) -> None:
        self._path, self._name = path, name
        tokenizer = load_tokenizer(base_of(model) or model)
        self._encode = partial(encode_texts, tokenizer, max_tokens=max_tokens)

    @cached_property
    def _num(self) -> int:
        return sum(1 for _ in self.texts())

    def __len__(self) -> int:
        return self._num

    def token_ids(self) -> Iterator[pa.LargeListArray]:
        """A thousand lines at once."""
        lines = self.texts()
        while texts := list(islice(lines, _LINES_AT_ONCE)):
            yield pa.array(self._encode([normalise(text) for text in texts]), type=TOKEN_IDS)

    def messages(self) -> Iterator[Messages]:
        """A classifier is asked no question."""
        raise NotImplementedError

    def texts(self) -> Iterator[str]:
        """The lines without their ends.

        Raises:
            UserError: a line is not UTF-8, or too long to be one.
        """
        with self._path.open("rb") as stream:
            yield from read_text_lines(stream, self._name)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Refuse a file that is edited in the block, and would give lines the classes of others.

        Raises:
            UserError: its bytes at the end are not those at the start.
        """
        before, failure = sha256_file(self._path), None
        try:
            yield
        except Exception as error:  # may be of lines that are suddenly more or fewer
            failure = error
        if not self._path.exists() or sha256_file(self._path) != before:
            raise UserError(
                f"{self._name}: was changed while it was being classified; run the same again when "
                "nothing writes to it, or classify a copy"
            ) from failure
        if failure is not None:
            raise failure


def classify_texts(
    texts: Sequence[str], settings: ClassifierSettings, model: Path, work: Path, max_tokens: int
) -> list[Classified]:
    """The class of each of a few texts.

    Args:
        texts: in any spelling; each is normalised as those were that the model was trained on.
        settings: of the engine.
        model: folder of a classifier.
        work: an empty folder.
        max_tokens: of a text; more are cut off.

    Raises:
        UserError: see `newsrec.engines.classifying.classify`.
    """
    source = work / "texts"
    # Normalised here already: a text may hold line ends, and halves of surrogate pairs.
    source.write_bytes(b"".join(normalise(text).encode() + b"\n" for text in texts))
    lines = Lines(source, "the text", model, max_tokens)
    found = classify_lines(lines, settings, model, work)
    return [replace(row, text=text) for row, text in zip(found, texts, strict=True)]


def classify_stream(
    file: Path | None,
    output: Path | None,
    settings: ClassifierSettings,
    model: Path,
    max_tokens: int,
    threshold: float | None = None,
) -> None:
    """Classify the lines of a file, or of standard input, into another or standard output.

    What an interrupted run had answered is in `.work/classify` and is not computed again, of
    standard input too where the same lines come again.

    Args:
        file: of texts; None: standard input.
        output: of JSON lines; appears whole or not at all; None: standard output.
        settings: of the engine.
        model: folder of a classifier.
        max_tokens: of a text; more are cut off.
        threshold: see `as_row`.

    Raises:
        UserError: there is no such file, it changes meanwhile, another process classifies the same
            input with the same model here, or see `classify_lines`.
    """
    name = "standard input" if file is None else str(file)
    if file is not None and not file.is_file():
        raise UserError(f"{file}: no such file; expected texts, one a line")
    source = f"{'-' if file is None else file.absolute()}\0{model.absolute()}"
    key = hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()[:16]
    with locked(f"classify-{key}") as holder:
        if holder is not None:
            raise UserError(
                f"{name}: process {holder} is classifying it with the same model in this folder; "
                f"wait for it to finish, or stop it: kill {holder}"
                + ("; or save the texts to a file and use --file" if file is None else "")
            )
        work = Path(".work/classify") / key
        work.mkdir(parents=True, exist_ok=True)
        lines = Lines(file or _spooled(work / "texts"), name, model, max_tokens)
        classify_all = partial(classify_lines, lines, settings, model, work)
        _write(lines, classify_all, output, work, threshold)
        shutil.rmtree(work)


def _spooled(target: Path) -> Path:
    """Standard input as a file: it is read several times."""
    with atomic_file(target) as draft, draft.open("wb") as spooled:
        shutil.copyfileobj(sys.stdin.buffer, spooled)
    return target


def _write(
    lines: Lines,
    classify_all: Callable[[], Iterator[Classified]],
    output: Path | None,
    work: Path,
    threshold: float | None,
) -> None:
    with ExitStack() as stack:
        target: TextIO = sys.stdout
        if output is not None:
            opened = stack.enter_context(_only_draft(output, work / "draft"))
            target = stack.enter_context(opened.open("w", encoding="utf-8", newline="\n"))
        # The output of an engine must not mix with the result.
        stack.enter_context(redirect_stdout(sys.stderr))
        stack.enter_context(lines.unchanged())
        found = classify_all()
        for one in tqdm(found, total=len(lines), desc="writing", unit="text", disable=None):
            target.write(json.dumps(as_row(one, threshold), ensure_ascii=False) + "\n")
        print(f"classify: {len(lines):,} texts{'' if output is None else f', in {output}'}")


@contextmanager
def _only_draft(output: Path, name: Path) -> Iterator[Path]:
    """`atomic_file`, which leaves its draft where it is killed; the next run removes it.

    Args:
        output: the file to write.
        name: file to keep the name of the draft in.
    """
    if name.exists():
        Path(os.fsdecode(name.read_bytes())).unlink(missing_ok=True)
    with atomic_file(output) as draft:
        name.write_bytes(os.fsencode(draft.absolute()))
        yield draft


def classify_lines(
    lines: Lines, settings: ClassifierSettings, model: Path, work: Path
) -> Iterator[Classified]:
    """What each line is, one in memory at a time, once all are known.

    Args:
        lines: a text each.
        settings: of the engine.
        model: folder of a classifier.
        work: an existing folder, with the answers that an interrupted run had.

    Raises:
        UserError: a line cannot be read, or see `newsrec.engines.classifying.classify`.
    """
    answers = work / "answers.parquet"
    classify(settings, model, ClassRequest(lines), answers, work)
    return _classified_lines(lines, answers)


def _classified_lines(lines: Lines, answers: Path) -> Iterator[Classified]:
    parts = pq.ParquetFile(answers).iter_batches(_LINES_AT_ONCE, columns=["logits"])
    found = chain.from_iterable(part["logits"].to_pylist() for part in parts)
    for text, logits in zip(lines.texts(), found, strict=True):
        yield _classified(text, logits)


def _classified(text: str, logits: list[float] | None) -> Classified:
    if logits is None:
        return Classified(text, None, None, None, {})
    shares = softmax(np.array(logits)).tolist()
    best = int(np.argmax(shares))
    probabilities = dict(zip(CLASSES, shares, strict=True))
    # Their sum as in `evaluation.unsafe.unsafe_score`, so that a threshold chosen there acts here.
    unsafe = min(sum(shares[1:]), 1.0)
    return Classified(text, CLASSES[best], shares[best], unsafe, probabilities)
