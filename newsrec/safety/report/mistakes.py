"""The most confident wrong answers of a predictor, with their texts."""

import numpy as np
import pandas as pd

from newsrec.report.text import shortened
from newsrec.safety.labels import BENIGN, CLASSES
from newsrec.safety.predictors import codes
from newsrec.safety.tables import PROBABILITIES

FALSE_ALARM, MISSED, CONFUSED = "false alarm", "missed", "another unsafe class"
KINDS = {
    FALSE_ALARM: f"No {BENIGN} text was given another class.",
    MISSED: f"No unsafe text was called {BENIGN}.",
    CONFUSED: "No unsafe text was given another unsafe class.",
}
TEXT_WIDTH = 400  # columns of a text that are shown


def most_confident_mistakes(
    predictions: pd.DataFrame, rows: pd.DataFrame, num: int
) -> list[tuple[str, list[dict[str, object]], str]]:
    """Kind, up to `num` mistakes and what to say where there is none, for each kind.

    The most confident come first, those with the highest probability of the wrong class; ties keep
    the order of the rows.

    Args:
        predictions: of the test rows.
        rows: the test rows: id, text, tags, in the same order.
        num: of each kind at most.
    """
    probability = predictions[PROBABILITIES].to_numpy()
    label, said = codes(predictions["label"]), probability.argmax(axis=1)
    of_kind = {
        FALSE_ALARM: (label == 0) & (said != 0),
        MISSED: (label != 0) & (said == 0),
        CONFUSED: (label != 0) & (said != 0) & (label != said),
    }
    surest = probability.max(axis=1)
    return [
        (
            kind,
            [
                {
                    "id": rows["id"].iloc[row],
                    "text": shortened(rows["text"].iloc[row], TEXT_WIDTH),
                    "tags": ", ".join(rows["tags"].iloc[row]),
                    "label": CLASSES[label[row]],
                    "answer": CLASSES[said[row]],
                    "probability": float(surest[row]),
                    "of_label": float(probability[row, label[row]]),
                }
                for row in sorted(np.flatnonzero(wrong), key=lambda row: (-surest[row], row))[:num]
            ],
            KINDS[kind],
        )
        for kind, wrong in of_kind.items()
    ]
