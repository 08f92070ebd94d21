"""The label audit finds labels changed on purpose; the states it reads are what the head reads."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from newsrec.errors import UserError
from newsrec.safety.audit import audit, counts, most_suspect, out_of_fold
from newsrec.safety.labels import CLASSES
from newsrec.safety.predictors import codes

pytestmark = pytest.mark.slow

NUM = 600
BELOW = 0.3


def planted(seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """States, true labels, labels of which one in thirty is wrong, and clusters of two."""
    rng = np.random.default_rng(seed)
    true = np.repeat(rng.integers(len(CLASSES), size=NUM // 2), 2)
    states = rng.normal(size=(NUM, 12)).astype(np.float32)
    states[np.arange(NUM), true] += 8
    label = true.copy()
    wrong = rng.choice(NUM, NUM // 30, replace=False)
    label[wrong] = (label[wrong] + rng.integers(1, len(CLASSES), len(wrong))) % len(CLASSES)
    return states, true, label, np.arange(NUM) // 2


def rows_of(label: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {"id": [f"r{place}" for place in range(NUM)], "label": np.array(CLASSES)[label]}
    )


def test_wrong_labels_are_found_with_what_they_should_be() -> None:
    states, true, label, cluster = planted()
    rows = rows_of(label)
    found = audit(rows, out_of_fold(states, label, cluster, seed=1), BELOW)
    places = found["id"].str.removeprefix("r").astype(int).to_numpy()
    wrong = np.flatnonzero(label != true)
    hits = np.isin(places, wrong)
    assert hits.mean() >= 0.9
    assert hits.sum() >= 0.9 * len(wrong)
    assert (codes(found["suggested"])[hits] == true[places[hits]]).mean() > 0.9
    assert found["quality"].is_monotonic_increasing
    figures = counts(rows, found)
    assert figures["num_suspect"] == len(found) == sum(figures["num_suspect_of"].values())
    assert (figures["num_rows"], list(figures["num_suspect_of"])) == (NUM, list(CLASSES))


def test_no_row_is_predicted_by_its_own_cluster() -> None:
    _, _, label, cluster = planted()
    # States that tell the cluster and nothing else: only a fold that holds it can use them.
    codes_of = np.random.default_rng(2).normal(size=(NUM // 2, 300)).astype(np.float32)[cluster]
    found = out_of_fold(codes_of, label, cluster, seed=1)
    assert (found.argmax(axis=1) == label).mean() < 0.3
    assert found.sum(axis=1) == pytest.approx(np.ones(NUM))


def test_a_class_without_rows_is_no_suggestion() -> None:
    states, true, label, cluster = planted()
    some = (label != 2) & (true != 2)
    rows = rows_of(label)[some]
    probability = out_of_fold(states[some], label[some], cluster[some], seed=1)
    assert (probability[:, 2] == 0).all()
    assert CLASSES[2] not in set(audit(rows, probability, BELOW)["suggested"])


def test_too_few_rows_are_refused() -> None:
    states, _, label, cluster = planted()
    with pytest.raises(UserError, match=r"training rows: 4 of .* extract more rows"):
        out_of_fold(states[:4], label[:4], cluster[:4], seed=1)


def test_the_first_suspects_are_shown_with_their_texts_cut() -> None:
    audited = pd.DataFrame(
        {"id": ["b", "a"], "label": "暴恐", "suggested": "正常", "quality": [0.1, 0.2]}
    )
    texts = pd.DataFrame({"id": ["a", "b"], "text": ["短", "长" * 300]})
    (shown,) = most_suspect(audited, texts, 1)
    assert (shown["id"], shown["quality"]) == ("b", 0.1)
    assert shown["text"] == "长" * 100 + "…"


def test_states_times_the_head_are_the_logits(tmp_path: Path, tiny_model: Path) -> None:
    import torch

    from newsrec.engines.settings import TransformersSettings
    from newsrec.engines.states import pooled_states
    from newsrec.models.loading import load_model

    torch.manual_seed(1)
    network = load_model(tiny_model, "float32", "sequence-classification", num_labels=6)
    network.config.pad_token_id = 0
    network.save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((tiny_model / name).read_bytes())
    texts = [[9, 8, 7], [5], [9, 3, 11, 30, 31], [7, 7]]
    found = pooled_states(TransformersSettings("float32", 2), tmp_path, texts)
    head = network.score.weight.detach().numpy()
    for text, state in zip(texts, found, strict=True):
        with torch.inference_mode():
            expected = network(input_ids=torch.tensor([text])).logits[0].numpy()
        assert head @ state == pytest.approx(expected, abs=1e-4)
