"""Turn predictions into numbers; knows no model.

Reads   data/predictions/{base,tuned,random,popularity}.parquet
Writes  metrics/evaluate.json
Run     dvc repro evaluate      (alone: python -m stages.evaluate)
"""

from pathlib import Path

from newsrec.errors import UserError, run_stage
from newsrec.files import write_json
from newsrec.metrics.predictor import measure
from newsrec.predictions import KEYS, decisions, read_predictions

PREDICTORS = ("base", "tuned", "popularity", "random")
TARGET = Path("metrics/evaluate.json")


def main() -> None:
    tables = {
        name: read_predictions(Path(f"data/predictions/{name}.parquet")) for name in PREDICTORS
    }
    for name, table in tables.items():
        if not table[[*KEYS, "label"]].equals(tables["base"][[*KEYS, "label"]]):
            raise UserError(
                f"data/predictions/{name}.parquet: other rows than base.parquet; expected the same "
                "impressions and candidates in the same order; score both again (dvc repro)"
            )
    metrics = {name: measure(table, decisions(table)) for name, table in tables.items()}
    write_json(TARGET, metrics)
    for name in ("base", "tuned"):
        told = "  ".join(f"{key} {metrics[name][key]:.4f}" for key in ("auc", "accuracy", "f1"))
        print(f"evaluate: {name:5} {told}")


if __name__ == "__main__":
    run_stage(main)
