"""Systems without a language model: what the tuned model has to beat, by the kind of answer.

Each answers the rows of one task; all but `pattern` learn from its training rows, those of a task
that the model was trained without too.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from newsrec.assistant.tasks import Task
from newsrec.errors import UserError

# By kind of answer.
OF_KIND: Mapping[str, tuple[str, ...]] = {
    "labels": ("majority", "tfidf"),
    "text": ("nearest",),
    "span": ("pattern",),
}
MAX_NGRAMS = 200_000  # the most frequent ones
TFIDF_C = 10.0  # lower: smoother
_CHUNK_ROWS = 1_000  # compared with all training rows at once

_QUOTES = ("“”", "‘’", "「」", "『』", "《》", "〈〉", "【】", '""', "''", "``")
_QUOTED = re.compile("|".join(f"{one[0]}([^{one}]+){one[1]}" for one in _QUOTES))
_NO_NAME = r"\s\\/:*?<>|，。、；：？！…" + "".join(_QUOTES)
# What file systems allow in a name, a dot, and an extension that begins with a letter.
_FILE_NAME = re.compile(
    rf"[^{_NO_NAME}.(（][^{_NO_NAME}]*\.[A-Za-z][A-Za-z0-9]{{0,7}}(?![A-Za-z0-9_]|\.[A-Za-z0-9])"
)


def answer_task(task: Task, train: pd.DataFrame, inputs: Sequence[str]) -> dict[str, list[str]]:
    """The answers of each baseline that knows the task, by its name.

    Args:
        task: what is asked.
        train: input and output of its training rows; may be empty.
        inputs: to answer.

    Raises:
        UserError: see `tfidf`.
    """
    known, answers = train["input"].tolist(), train["output"].tolist()
    found = {}
    for name in OF_KIND[task.answer]:
        if name == "pattern":
            found[name] = [pattern(text, task.none) for text in inputs]
        elif not answers:
            continue
        elif name == "majority":
            found[name] = [majority(task, answers)] * len(inputs)
        elif name == "tfidf":
            found[name] = tfidf(task, known, answers, inputs)
        else:
            found[name] = nearest(known, answers, inputs)
    return found


def majority(task: Task, answers: Sequence[str]) -> str:
    """The most frequent label of the training rows; of equals the first in the table of tasks."""
    counts = Counter(answers)
    return max(task.labels, key=lambda label: counts[label])


def tfidf(
    task: Task, known: Sequence[str], answers: Sequence[str], inputs: Sequence[str]
) -> list[str]:
    """The label by a logistic regression on the TF-IDF of character n-grams of 1 to 4.

    Characters and not words: typos leave most n-grams as they are, and no segmenter is needed.

    Raises:
        UserError: all training rows have one label.
    """
    if len(set(answers)) < 2:
        raise UserError(
            f"training rows of the task {task.name!r}: all {len(answers):,} are {answers[0]!r}; "
            "expected rows of two labels or more; add rows, or take the task out of the table"
        )
    model = make_pipeline(_vectorizer(), LogisticRegression(C=TFIDF_C, max_iter=1000))
    model.fit(known, answers)
    return [str(label) for label in model.predict(inputs)]


def nearest(known: Sequence[str], answers: Sequence[str], inputs: Sequence[str]) -> list[str]:
    """The answer to the training question with the largest TF-IDF cosine, of equals the first."""
    vectorizer = _vectorizer()
    questions = vectorizer.fit_transform(known).T.tocsc()
    found: list[str] = []
    for start in range(0, len(inputs), _CHUNK_ROWS):
        # Rows are of length 1, so the product is the cosine.
        cosine = vectorizer.transform(inputs[start : start + _CHUNK_ROWS]) @ questions
        found += [answers[place] for place in np.asarray(cosine.argmax(axis=1)).ravel()]
    return found


def pattern(text: str, none: str | None) -> str:
    """The first file name, else the longest part in quotation marks, else the word for none.

    A file name is what ends in an extension, from the last space or punctuation mark before it.

    Args:
        text: of the user.
        none: the answer to an input without a span; where there always is one, it is empty.
    """
    if name := _FILE_NAME.search(text):
        return name[0]
    quoted = _quoted(text)
    return max(quoted, key=len, default=none or "")


def _quoted(text: str) -> Iterator[str]:
    groups = chain.from_iterable(found.groups() for found in _QUOTED.finditer(text))
    return (part.strip() for part in groups if part and part.strip())


def _vectorizer() -> TfidfVectorizer:
    return TfidfVectorizer(
        analyzer="char",
        ngram_range=(1, 4),
        max_features=MAX_NGRAMS,
        sublinear_tf=True,
        dtype=np.float32,
    )
