"""What was measured on what: the protocols of rows, training and scoring, which must agree."""

from pathlib import Path

from newsrec.errors import UserError
from newsrec.files import read_json, sha256_file
from newsrec.protocol import Protocol, require_same


def read_protocol(folder: Path, num_resamples: int, seed: int) -> Protocol:
    """The protocol of the evaluation, out of those of what it reads.

    Args:
        folder: of the pipeline.
        num_resamples: of clusters, for intervals.
        seed: of the draws.

    Raises:
        UserError: a protocol is missing, base and tuned were scored otherwise than in their
            treatment, either on other rows than the test split, or tuned was trained on rows of
            another preparation.
    """
    rows = read_json(folder / "data/processed/protocol.json")
    trained = read_json(folder / "models/adapter/protocol.json")
    of_rows = {name: trained[name] for name in rows if name in trained}
    require_same(rows, of_rows, ("data/processed", "models/adapter"))
    base, tuned = (
        read_json(folder / f"metrics/score_{name}.json")["protocol"] for name in ("base", "tuned")
    )
    require_same(base, tuned, ("metrics/score_base.json", "metrics/score_tuned.json"))
    test = folder / "data/processed/test.parquet"
    found, expected = tuned.pop("data", None), sha256_file(test)[:12]
    if found != expected:
        raise UserError(
            f"metrics/score_tuned.json: the rows that were scored have the digest {found!r}; "
            f"expected {expected!r}, that of {test}; score again (dvc repro)"
        )
    return {
        **trained,
        **tuned,
        **read_json(folder / "metrics/judge.json")["protocol"],
        "intervals": f"95 %, {num_resamples} resamples of clusters, seed {seed}; exact for a share "
        "of 0 or 1",
    }
