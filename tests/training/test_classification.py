"""A sequence classifier in the same frame: trained by a worker of its own, resumed, merged."""

import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import encode_chat, load_tokenizer
from newsrec.errors import UserError
from newsrec.files import sha256_folder
from newsrec.models.checks import check_model
from newsrec.models.loading import load_model
from newsrec.models.merging import merge_adapter
from newsrec.training import runs
from newsrec.training.dataset import SPLITS, SampleSet, read_samples, write_dataset_info
from tests import ROOT
from tests.training.classification_worker import CLASSES
from tests.training.conftest import RECIPE, checkpoints, num_tokens, start_and_kill

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("one_thread"),
]

HEAD = "sequence-classification"
WORDS = {"bad": ("cold", "late"), "mixed": ("plain", "usual"), "good": ("warm", "great")}


def write_reviews(folder: Path) -> SampleSet:
    """48 texts to train on and 12 to validate on; the last word tells the class."""
    texts = [
        (f"The {thing} of {place} was {word}", rating)
        for place in ("Rome", "Oslo", "Lima", "Bonn", "Cork")
        for thing in ("soup", "room")
        for rating, words in WORDS.items()
        for word in words
    ]
    samples = SampleSet(folder, "reviews")
    write_dataset_info(samples)
    for split, part in zip(SPLITS, (texts[:48], texts[48:]), strict=True):
        records = ({"instruction": "Rate it.", "input": t, "output": rating} for t, rating in part)
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"reviews_{split}.jsonl").write_text(lines)
    return samples


def run_arguments(base: Path, samples: SampleSet, work: Path) -> dict[str, Any]:
    """All that `runs.run` is given: 36 steps, enough for a kill to come before the end."""
    files = {split: samples.file(split) for split in SPLITS}
    trainer = {name: value for name, value in RECIPE.items() if name != "cutoff_len"}
    trainer |= {"epochs": 3.0, "early_stopping": None}
    return {
        "worker": "tests.training.classification_worker",
        "arguments": {
            "base": str(base),
            **{f"{split}_samples": str(file) for split, file in files.items()},
            "early_stopping": None,
            "trainer": runs.trainer_arguments(output=work / "output", **trainer),
        },
        "work": work,
        "base": base,
        "samples": list(files.values()),
        "output": work / "output",
        "seed": RECIPE["seed"],
        "method": "lora",
    }


def test_a_classifier_trains_resumes_and_is_merged_as_a_language_model_is(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)  # where Python finds the worker
    samples = write_reviews(tmp_path)
    whole, killed, merged = tmp_path / "whole", tmp_path / "killed", tmp_path / "merged"
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(runs.run, **run_arguments(tiny_model, samples, whole))
        arguments = run_arguments(tiny_model, samples, killed)
        start_and_kill(f"from newsrec.training.runs import run\nrun(**{arguments!r})", "10/36")
    outcome = future.result()
    adapter = load_file(whole / "output/adapter/adapter_model.safetensors")
    assert outcome.num_trainable_parameters == sum(weight.numel() for weight in adapter.values())
    assert (outcome.num_steps, outcome.num_epochs) == (36, 3.0)
    assert [step for step, _ in outcome.val_curve] == list(range(4, 37, 4))
    losses = dict(outcome.val_curve)
    guess = math.log(len(CLASSES))
    assert losses[outcome.kept_step] == min(losses.values()) < guess - 0.2
    # The mean over all samples of a step, not the sum over its two batches.
    assert outcome.train_curve[0][1] == pytest.approx(guess, rel=0.5)
    assert outcome.tokens_per_second > 0

    assert checkpoints(killed)[-1] >= 10 - RECIPE["save_steps"]
    assert not (killed / "output/adapter").exists()
    resumed = runs.run(**arguments)
    assert sha256_folder(killed / "output/adapter") == sha256_folder(whole / "output/adapter")
    assert resumed.train_curve == outcome.train_curve
    assert resumed.val_curve == outcome.val_curve
    assert resumed.kept_step == outcome.kept_step
    assert num_tokens(resumed) < num_tokens(outcome)  # it did not begin again

    tokenizer = load_tokenizer(tiny_model)
    prompts = [
        encode_chat(tokenizer, user_turn(text)) for text, _ in read_samples(samples.file("val"))
    ]
    merged.mkdir()
    trained, num_labels = killed / "output/adapter", len(CLASSES)
    difference, rounding = merge_adapter(
        tiny_model, trained, merged, prompts, "4GB", HEAD, num_labels=num_labels
    )
    assert 0 < rounding < 1e-4
    assert difference < 1e-4
    beside = load_model(tiny_model, torch.float32, HEAD, num_labels=num_labels)
    beside = PeftModel.from_pretrained(beside, str(trained))
    one = load_model(merged, torch.float32, HEAD)
    for ids in prompts:
        wanted, found = logits(beside, ids), logits(one, ids)
        assert found.shape == (1, len(CLASSES))
        assert torch.allclose(found, wanted, atol=1e-4)
    assert check_model(merged, HEAD)["architecture"] == "Qwen3ForSequenceClassification"
    with pytest.raises(UserError, match=r"Qwen3ForSequenceClassification.*one \*ForCausalLM"):
        check_model(merged)
    with pytest.raises(UserError, match=r"Qwen3ForCausalLM.*one \*ForSequenceClassification"):
        check_model(tiny_model, HEAD)


@torch.no_grad()
def logits(model: torch.nn.Module, ids: list[int]) -> torch.Tensor:
    return model.eval()(input_ids=torch.tensor([ids])).logits
