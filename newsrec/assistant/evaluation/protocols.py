"""What was measured on what: the protocols of rows, training and scoring, which must agree."""

from pathlib import Path

from newsrec.files import read_json
from newsrec.models.names import MODELS
from newsrec.protocol import Protocol, require_same


def read_protocol(folder: Path, num_resamples: int, seed: int) -> Protocol:
    """The protocol of the evaluation, out of those of what it reads.

    Args:
        folder: of the pipeline.
        num_resamples: of clusters, for intervals.
        seed: of the draws.

    Raises:
        UserError: a protocol is missing, or base or tuned was scored, or tuned trained, on rows of
            another preparation.
    """
    rows = read_json(folder / "data/processed/protocol.json")
    trained = read_json(folder / "models/adapter/protocol.json")
    of_rows = {name: trained[name] for name in rows if name in trained}
    require_same(rows, of_rows, ("data/processed", "models/adapter"))
    scored = {}
    for name in MODELS:
        source = f"metrics/score_{name}.json"
        scored[name] = read_json(folder / source)["protocol"]
        require_same(rows, scored[name], ("data/processed", source))
    return {
        **trained,
        **scored["tuned"],
        **read_json(folder / "metrics/judge.json")["protocol"],
        "intervals": f"95 %, {num_resamples} resamples of clusters, seed {seed}; of shares exact, "
        "by the effective number of clusters; others no narrower than by exact bounds",
    }
