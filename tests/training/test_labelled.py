"""Labelled texts: what is counted, what is refused, how classes are weighed."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from newsrec.errors import UserError
from newsrec.training.advice import memory_advice
from newsrec.training.classification import fine_tune_classifier
from newsrec.training.labelled import LabelledTexts, weigh_classes
from tests.training.texts import CLASSES, training, write_reviews, write_texts

ROWS = [("汤很冷", "差"), ("茶很暖", "好"), ("面很棒", "好"), ("房间很晚", "差"), ("茶很晚", "差")]


def texts(file: Path) -> LabelledTexts:
    return LabelledTexts(file, file, "words", "rating", CLASSES)


def test_every_class_is_counted_in_the_order_of_the_ids(tmp_path: Path) -> None:
    file = write_texts(tmp_path / "rows.parquet", ROWS)
    assert list(texts(file).count_labels(file).items()) == [("差", 3), ("一般", 0), ("好", 2)]
    assert list(texts(file).read(file)) == ROWS


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("汤", "坏"), "row 6: rating is '坏'; expected one of: 一般, 好, 差"),
        (("汤", None), "row 6: rating is ''; expected one of"),
        (("", "好"), "row 6: words has no visible character"),
        (("\u200b ", "好"), "row 6: words has no visible character"),
        ((None, "好"), "row 6: words has no visible character"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(
    row: tuple[str, str], message: str, tmp_path: Path
) -> None:
    file = write_texts(tmp_path / "rows.parquet", [*ROWS, row])
    with pytest.raises(UserError, match=message):
        texts(file).count_labels(file)


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    with pytest.raises(UserError, match=r"rows\.parquet: no such file"):
        texts(file).count_labels(file)
    pq.write_table(pa.table({"words": ["汤"], "label": ["好"]}), file)
    with pytest.raises(UserError, match="column is 'rating'; expected one of: label, words"):
        texts(file).count_labels(file)
    pq.write_table(pa.table({"words": [1], "rating": ["好"]}), file)
    with pytest.raises(UserError, match="column words is int64; expected string"):
        texts(file).count_labels(file)
    pq.write_table(pa.table({"words": pa.array([], pa.string()), "rating": []}), file)
    with pytest.raises(UserError, match="column rating is null; expected string"):
        texts(file).count_labels(file)
    empty = pa.array([], pa.string())
    pq.write_table(pa.table({"words": empty, "rating": empty}), file)
    with pytest.raises(UserError, match="no rows; expected labelled texts"):
        texts(file).count_labels(file)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(UserError, match="not a complete Parquet file"):
        texts(file).count_labels(file)


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    labels = ["差"] * 6 + ["一般"] * 3 + ["好"]
    counts = {name: labels.count(name) for name in CLASSES}
    found = weigh_classes(counts, "balanced")
    assert found == pytest.approx(
        list(compute_class_weight("balanced", classes=np.array(CLASSES), y=labels))
    )
    mean = sum(count * weight for count, weight in zip(counts.values(), found, strict=True)) / 10
    assert mean == pytest.approx(1)
    assert weigh_classes(counts, "none") == [1.0, 1.0, 1.0]


def test_a_class_without_rows_has_no_balanced_weight() -> None:
    counts = {"差": 3, "一般": 0, "好": 2}
    with pytest.raises(UserError, match=r"no training row has the label '一般'.*to none"):
        weigh_classes(counts, "balanced")
    assert weigh_classes(counts, "none") == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "full"}, "train.method of a classifier is 'full'; expected one of: lora"),
        ({"pissa": True}, r"train\.pissa is True.*set it to false"),
        ({"loraplus": 16.0}, r"train\.loraplus is 16\.0.*set it to null"),
    ],
)
def test_what_classifiers_are_not_trained_with_is_refused(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    arguments = training(tmp_path, write_reviews(tmp_path), tmp_path)
    arguments["method"] = changes.pop("method", "lora")
    arguments["options"] = arguments["options"] | changes
    with pytest.raises(UserError, match=message):
        fine_tune_classifier(**arguments)


def test_want_of_memory_names_no_method_that_classifiers_are_not_trained_with() -> None:
    advice = memory_advice("lora-classifier")
    assert advice.startswith("lower, in this order: train.batch_size")
    assert "train.rank" in advice
    assert "qlora" not in advice


@pytest.mark.slow
def test_the_loss_is_of_all_rows_of_a_step_and_weighs_their_classes() -> None:
    from newsrec.training.classification_worker import _mean_over_step, row_losses

    class Outputs:
        logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

    labels, weights = torch.tensor([0, 2]), torch.tensor([2.0, 1.0, 0.5])
    plain = torch.nn.functional.cross_entropy(Outputs.logits, labels, reduction="none")
    assert torch.allclose(row_losses(Outputs.logits, labels, weights), plain * weights[labels])
    loss = _mean_over_step(weights)
    total = (plain * weights[labels]).sum()
    assert torch.allclose(loss(Outputs, labels), total / 2)
    assert torch.allclose(loss(Outputs, labels, torch.tensor(8)), total / 8)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_head_of_a_bfloat16_base_is_trained_in_float32(
    tiny_model: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    from newsrec.models.loading import load_model
    from newsrec.training.classification_worker import add_lora
    from tests.training.conftest import OPTIONS

    network = load_model(tiny_model, torch.bfloat16, "sequence-classification", num_labels=3)
    network.config.pad_token_id = 0
    adapted = add_lora(network, OPTIONS["lora"][1])
    trained = {n: weight for n, weight in adapted.named_parameters() if weight.requires_grad}
    assert any("score" in name for name in trained)
    assert {weight.dtype for weight in trained.values()} == {torch.float32}
    before = {name: weight.detach().clone() for name, weight in trained.items()}
    optimizer = torch.optim.AdamW(trained.values(), lr=1e-5)
    for _ in range(3):
        with torch.autocast("cpu", torch.bfloat16):
            logits = adapted(input_ids=torch.tensor([[5, 6, 7], [8, 9, 9]])).logits
        torch.nn.functional.cross_entropy(logits.float(), torch.tensor([0, 2])).backward()
        optimizer.step()
    head = next(name for name in trained if "score" in name)
    moved = (trained[head] != before[head]).float().mean()
    assert moved > 0.9  # rounded to bfloat16, most of so small steps would be none
    assert (trained[head].bfloat16() != before[head].bfloat16()).float().mean() < 0.5
    adapted.save_pretrained(str(tmp_path))
    saved = load_file(tmp_path / "adapter_model.safetensors")
    assert saved["base_model.model.score.weight"].dtype == torch.float32
