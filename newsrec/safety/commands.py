"""The command of `newsrec` that puts texts into classes."""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from newsrec.errors import UserError
from newsrec.running.help_page import DEFAULT_ENGINE

if TYPE_CHECKING:
    from newsrec.safety.classifying import Classified


def classify(
    text: Annotated[
        str | None, typer.Argument(help="a text, or - for standard input, one per line")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="file of texts, one per line")] = None,
    output: Annotated[
        Path | None, typer.Option(help="file of JSON lines to write; default: standard output")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="flag texts with unsafe above it; the report's planner gives one"),
    ] = None,
    model: Annotated[Path, typer.Option(help="folder of the classifier")] = Path("models/merged"),
    engine: Annotated[
        str | None, typer.Option(help=f"vllm, transformers or onnx; {DEFAULT_ENGINE}")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON lines")] = False,
) -> None:
    """Put texts into classes of the safety pipeline.

    One text, or each line of a file. An interrupted run over a file resumes where it was stopped.
    """
    from newsrec.params.load import load_params
    from newsrec.safety.classifying import as_row, classify_stream, classify_texts
    from newsrec.safety.params import Params

    if (text is None) == (file is None):
        raise UserError("expected a text, - for standard input, or --file")
    if output is not None and text not in (None, "-"):
        raise UserError("--output is for --file and -; of one text, write --json > FILE instead")
    if threshold is not None and not 0 <= threshold <= 1:
        raise UserError(
            f"--threshold is {threshold}; expected a number from 0 to 1, as the threshold planner "
            "in reports/report.html gives"
        )
    values = load_params(Params)
    settings, cutoff = values.classifier_settings(engine), values.train.cutoff_len
    if text is None or text == "-":
        classify_stream(file, output, settings, model, cutoff, threshold)
        return
    with TemporaryDirectory(prefix="newsrec-classify-") as work, redirect_stdout(sys.stderr):
        (found,) = classify_texts([text], settings, model, Path(work), cutoff)
    if as_json:
        print(json.dumps(as_row(found, threshold), ensure_ascii=False))
    else:
        _print(found, threshold)


def _print(found: "Classified", threshold: float | None) -> None:
    from newsrec.report.text import printable

    if found.unsafe is None:
        raise UserError("the text has nothing to read; expected a visible character")
    print("P       class")
    for name, probability in sorted(found.probabilities.items(), key=lambda one: -one[1]):
        print(f"{probability:6.4f}  {printable(name)}")
    # All digits: what a threshold is compared with.
    print(f"unsafe: {found.unsafe!r}")
    if threshold is not None:
        above = "yes, above" if found.unsafe > threshold else "no, not above"
        print(f"flagged: {above} {threshold!r}")
