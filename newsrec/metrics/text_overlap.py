"""The similarity of a generated answer to its reference: exact match, character F1, chrF, spans.

Each function returns a value for every row, shape (rows,), so that rows can be resampled; the
figure is the mean. White space around an answer is ignored.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def exact_match(answers: Sequence[str], references: Sequence[str]) -> Floats:
    """1 where the answer equals the reference, else 0."""
    pairs = zip(answers, references, strict=True)
    return np.array([answer.strip() == reference.strip() for answer, reference in pairs], float)


def char_f1(answers: Sequence[str], references: Sequence[str], none: str | None = None) -> Floats:
    """F1 of the characters that answer and reference have in common, from 0 to 1.

    This is SQuAD's F1 (Rajpurkar et al., 2016) on characters instead of words, for scripts without
    spaces; white space is ignored. If either is the word for no answer, both must be (SQuAD 2.0:
    Rajpurkar et al., 2018).

    Args:
        answers: the generated answers, shape (rows,).
        references: the reference answers, shape (rows,).
        none: the word for no answer; None if there always is an answer.
    """
    pairs = zip(answers, references, strict=True)
    return np.array([_char_f1(answer, reference, none) for answer, reference in pairs], float)


def chrf(answers: Sequence[str], references: Sequence[str]) -> Floats:
    """chrF of each row (Popović, 2015) by sacrebleu, from 0 to 100.

    Uses character n-grams of lengths 1 to 6 without white space, and gives recall twice the weight
    of precision (beta 2). The mean over rows weights all rows equally; sacrebleu's corpus chrF sums
    the n-grams of all rows and so gives long rows more weight.
    """
    # Takes 0.1 s and needs lxml, which only evaluations of text require.
    from sacrebleu.metrics.chrf import CHRF

    metric = CHRF()
    pairs = zip(answers, references, strict=True)
    scores = [metric.sentence_score(answer, [reference]).score for answer, reference in pairs]
    return np.array(scores, dtype=np.float64)


def invented(answers: Sequence[str], texts: Sequence[str], none: str | None = None) -> Floats:
    """1 where the answer is neither part of its text nor the word for no answer, else 0.

    An empty answer does not count as invented.

    Args:
        answers: the generated answers, shape (rows,).
        texts: the texts that the answers should be parts of, shape (rows,).
        none: the word for no answer; None if there always is an answer.
    """
    pairs = zip(map(str.strip, answers), texts, strict=True)
    return np.array([answer not in text and answer != none for answer, text in pairs], float)


def _char_f1(answer: str, reference: str, none: str | None) -> float:
    answer, reference = "".join(answer.split()), "".join(reference.split())
    if answer == reference:
        return 1.0
    if none is not None and none in (answer, reference):
        return 0.0
    common = (Counter(answer) & Counter(reference)).total()
    return 2 * common / (len(answer) + len(reference))
