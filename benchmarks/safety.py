"""How well the safety classifier's default recipe does on clean texts that it never saw.

For each of three seeds: the classifier is trained as the stage `train` does, on the training rows
of the default run, and classifies made-up texts without label noise or near copies; character
TF-IDF, the rival, is fitted on the same rows. The difference has a paired interval over the texts.
Words that no training row has, and reports and warnings about something bad, which are 正常, are
looked at apart.

Needs `dvc repro prepare fetch_model` in pipelines/safety.

Run     python -m benchmarks.safety [--rows 1500] [--seeds 3]      (minutes a seed)
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
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
from newsrec.safety.corpus.synthetic import UNLABELLED_WORD, Document, clean_documents
from newsrec.safety.labels import BENIGN, CLASSES
from newsrec.safety.normalisation import normalise
from newsrec.safety.params import Params
from newsrec.safety.predictors import codes
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
    train = read_table(ROWS / "train.parquet", ["normalised", "label"])
    tfidf = CharTfidf.fit(train["normalised"].tolist(), codes(train["label"]))
    texts = list(clean_documents(options.rows, seed=1_001))
    reports = _reports(NUM_REPORTS)
    label = _labels(texts)
    rival = tfidf.predict([normalise(one.text) for one in texts]).argmax(axis=1)
    is_new = np.array([UNLABELLED_WORD in one.tags for one in texts])
    of_rival = f1_score(label, rival, average="macro")
    bootstrap = ClusterBootstrap(np.arange(len(texts)), NUM_RESAMPLES, seed=1)
    found, new, gains, flagged = [], [], [], 0
    for seed in range(1, options.seeds + 1):
        predicted = _predict(seed, [*texts, *reports])
        ours, of_reports = predicted[: len(texts)], predicted[len(texts) :]
        found.append(f1_score(label, ours, average="macro"))
        new.append(f1_score(label[is_new], ours[is_new], average="macro"))
        gains.append(_samples(label, ours, bootstrap) - _samples(label, rival, bootstrap))
        flagged += int((of_reports != 0).sum())
        print(f"seed {seed}: macro-F1 {found[-1]:.4f}, TF-IDF {of_rival:.4f}, new {new[-1]:.4f}")
    os.chdir(start)
    low, high = np.quantile(np.mean(gains, axis=0), [0.025, 0.975])
    rate = exact_rate(flagged, options.seeds * len(reports))
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
            Row(
                f"normal reports and warnings that are flagged, {options.seeds} x {len(reports):,}",
                f"{rate.value:.2%} ({rate.low:.2%} to {rate.high:.2%})",
                "",
                100 * rate.value,
                2,
                at_most=True,
                unit="%",
                quality=True,
            ),
        ],
        rounds=1,
    )


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
