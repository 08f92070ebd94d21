"""How well the safety classifier's default recipe does on clean texts that it never saw.

For each of three seeds: the classifier is trained as the stage `train` does, on the training rows
of the default run, and classifies made-up texts without label noise or near copies; character
TF-IDF, the rival, is fitted on the same rows. The difference has a paired interval over the texts.
Words that no training row has, and reports and warnings about something bad, which are 正常, are
looked at apart. The label audit is measured on the labels that the generator made wrong, and the
leak gate on the near copies that it planted.

Needs `dvc repro audit` in pipelines/safety.

Run     python -m benchmarks.safety [--rows 1500] [--seeds 3]      (minutes a seed)
"""

import argparse
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import f1_score

from benchmarks.document import save
from benchmarks.rows import Row
from newsrec.files import read_table
from newsrec.metrics.multiclass import confusion_samples, figures_of_confusions
from newsrec.metrics.rates import exact_rate
from newsrec.metrics.significance import ClusterBootstrap
from newsrec.params.load import load_params
from newsrec.params.train import trainer_values
from newsrec.running.stage import run_program
from newsrec.safety.baselines import CharTfidf
from newsrec.safety.classifying import classify_texts
from newsrec.safety.corpus.synthetic import (
    UNLABELLED_WORD,
    Document,
    clean_documents,
    documents,
)
from newsrec.safety.labels import BENIGN, CLASSES
from newsrec.safety.normalisation import normalise
from newsrec.safety.params import Params
from newsrec.safety.predictors import codes
from newsrec.texts.near_copies import cluster_near_copies
from newsrec.training.classification import fine_tune_classifier
from newsrec.training.labelled import LabelledTexts
from newsrec.training.precision import choose_precision

FOLDER = Path("pipelines/safety")
BASE, ROWS = Path("models/base"), Path("data/processed")
REPORT_STYLE = "report-style"
NUM_REPORTS = 1_000
NUM_RESAMPLES = 1_000

Ints = npt.NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_500, help="clean texts")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    start = Path.cwd()
    os.chdir(FOLDER)
    params = load_params(Params)
    train = read_table(ROWS / "train.parquet", ["normalised", "label"])
    tfidf = CharTfidf.fit(train["normalised"].tolist(), codes(train["label"]))
    texts = list(clean_documents(options.rows, seed=1_001))
    reports = _reports(NUM_REPORTS)
    label = _labels(texts)
    rival = tfidf.predict([normalise(one.text) for one in texts]).argmax(axis=1)
    is_new = np.array([UNLABELLED_WORD in one.tags for one in texts])
    of_rival = f1_score(label, rival, average="macro")
    bootstrap = ClusterBootstrap(np.arange(len(texts)), NUM_RESAMPLES, seed=1)
    found, new, gains, flagged = [], [], [], []
    for seed in range(1, options.seeds + 1):
        predicted = _predict(seed, [*texts, *reports])
        ours, of_reports = predicted[: len(texts)], predicted[len(texts) :]
        found.append(f1_score(label, ours, average="macro"))
        new.append(f1_score(label[is_new], ours[is_new], average="macro"))
        gains.append(_samples(label, ours, bootstrap) - _samples(label, rival, bootstrap))
        flagged.append(int((of_reports != 0).sum()))
        print(f"seed {seed}: macro-F1 {found[-1]:.4f}, TF-IDF {of_rival:.4f}, new {new[-1]:.4f}")
    others = [*_audit_rows(params), _gate_row(params)]
    os.chdir(start)
    low, high = np.quantile(np.mean(gains, axis=0), [0.025, 0.975])
    of_seeds = f"mean of {options.seeds} seeds, {len(texts):,} clean texts"
    save(
        "safety",
        [
            _row(
                f"macro-F1, {of_seeds}",
                np.mean(found),
                f"TF-IDF: {of_rival:.3f}; {_each(found)}",
                0.92,
            ),
            Row(
                f"macro-F1 above TF-IDF, {of_seeds}",
                f"{np.mean(found) - of_rival:+.3f} ({low:+.3f} to {high:+.3f})",
                f"TF-IDF: {of_rival:.3f}",
                float(np.mean(found) - of_rival),
                0.06,
                unit="",
                quality=True,
            ),
            _row(
                f"macro-F1 of {is_new.sum()} texts with words that no training row has",
                np.mean(new),
                f"TF-IDF: {f1_score(label[is_new], rival[is_new], average='macro'):.3f}",
                0.85,
            ),
            report_row(flagged, len(reports)),
            *others,
        ],
        rounds=1,
    )


def report_row(flagged: Sequence[int], num: int) -> Row:
    """The false positives of the worst seed: all seeds are measured on the same texts.

    Args:
        flagged: by seed, how many of the texts are.
        num: of the texts.
    """
    rate = exact_rate(max(flagged), num)
    return Row(
        f"normal reports and warnings flagged, worst of {len(flagged)} seeds, {num:,} texts",
        f"{rate.value:.2%} ({rate.low:.2%} to {rate.high:.2%})",
        f"by seed: {', '.join(map(str, flagged))}",
        100 * rate.value,
        2,
        at_most=True,
        unit="%",
        quality=True,
    )


def audit_figures(
    rows: pd.DataFrame, true_label: Mapping[str, str], suspect: Iterable[str]
) -> tuple[float, float]:
    """Precision and recall of the label audit on labels that are known to be wrong.

    Args:
        rows: of training: id and label.
        true_label: of each id.
        suspect: ids of the rows whose label looks wrong.
    """
    wrong = set(rows["id"][rows["label"] != rows["id"].map(true_label)])
    found = set(suspect)
    return len(found & wrong) / max(len(found), 1), len(found & wrong) / max(len(wrong), 1)


def share_of_copies_found(made: Sequence[Document], threshold: float, seed: int) -> float:
    """The share of planted near copies that the leak gate's search puts beside their original."""
    clusters = cluster_near_copies([normalise(one.text) for one in made], threshold, seed)
    of = dict(zip((one.id for one in made), clusters, strict=True))
    pairs = [(one.id, one.is_near_copy_of) for one in made if one.is_near_copy_of]
    return float(np.mean([of[copy] == of[original] for copy, original in pairs]))


def _audit_rows(params: Params) -> list[Row]:
    corpus = params.extract.corpus
    assert corpus is not None, "the audit is measured on the synthetic corpus"
    true_label = {one.id: one.true_label for one in documents(corpus.num_documents, corpus.seed)}
    rows = read_table(ROWS / "train.parquet", ["id", "label"])
    suspect = read_table(Path("data/audit.parquet"), ["id"])["id"]
    precision, recall = audit_figures(rows, true_label, suspect)
    of = f"of {len(rows):,} training rows with planted wrong labels"
    return [
        _row(f"label audit, precision, {of}", precision, "", 0.8),
        _row(f"label audit, recall, {of}", recall, "", 0.9),
    ]


def _gate_row(params: Params) -> Row:
    corpus, threshold = params.extract.corpus, params.extract.near_copy_threshold
    assert corpus is not None
    made = list(documents(corpus.num_documents, corpus.seed))
    found = share_of_copies_found(made, threshold, params.evaluate.seed + 2)  # as `evaluate` does
    num = sum(one.is_near_copy_of is not None for one in made)
    return _row(f"leak gate, found of {num:,} planted near copies", found, "", 0.95)


def _predict(seed: int, documents: Sequence[Document]) -> Ints:
    """The class of each text by a classifier that is trained with that seed."""
    params = load_params(Params)
    arguments = trainer_values(params.train) | {
        "seed": seed,
        "precision": choose_precision(params.train.precision),
    }
    with tempfile.TemporaryDirectory() as folder:
        target, work = Path(folder) / "adapter", Path(folder) / "answers"
        target.mkdir()
        work.mkdir()
        fine_tune_classifier(
            base=BASE.absolute(),
            samples=LabelledTexts(
                ROWS / "train.parquet", ROWS / "val.parquet", "normalised", "label", CLASSES
            ),
            work=Path(folder) / "train",
            target=target,
            class_weights=params.classifier.class_weights,
            **arguments,
        )
        settings = params.classifier_settings("transformers")
        texts = [one.text for one in documents]
        rows = classify_texts(texts, settings, target, work, params.train.cutoff_len)
    return np.array([CLASSES.index(row.label) if row.label else -1 for row in rows])


def _reports(num: int) -> list[Document]:
    found: list[Document] = []
    wanted = num
    while len(found) < num:  # a twentieth of the clean texts
        wanted *= 4
        made = clean_documents(wanted, seed=2_002)
        found = [one for one in made if REPORT_STYLE in one.tags and one.true_label == BENIGN]
    return found[:num]


def _labels(documents: Sequence[Document]) -> Ints:
    return np.array([CLASSES.index(one.true_label) for one in documents])


def _samples(label: Ints, predicted: Ints, bootstrap: ClusterBootstrap) -> npt.NDArray[np.float64]:
    """Macro-F1 in each resample."""
    drawn = confusion_samples(label, predicted, len(CLASSES), bootstrap)
    return figures_of_confusions(drawn)["macro_f1"]


def _row(work: str, value: float, rival: str, goal: float) -> Row:
    return Row(work, f"{value:.4f}", rival, float(value), goal, unit="", quality=True)


def _each(values: Sequence[float]) -> str:
    return "newsrec by seed: " + ", ".join(f"{value:.3f}" for value in values)


if __name__ == "__main__":
    run_program(main)
