"""The whole graph on a real language model of 135 million parameters, a dozen steps of it."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from transformers import AutoModelForCausalLM

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import encode_chat, load_tokenizer
from tests.trees import commit, copy_tree, ran_stages, run

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SETTINGS = (
    "model=local",
    "score.dtype=float32",
    "score.enforce_eager=true",
    "score.max_answer_tokens=1",
    "train.lr=3e-4",
    "train.gradient_checkpointing=false",
    "train.max_steps=12",
    "train.batch_size=8",
    "train.gradient_accumulation_steps=1",
    "train.save_steps=12",
    "train.logging_steps=1",
    "prompt.num_history=1",
    "prompt.num_feedback=0",
    "preprocess.max_samples.train=96",
    "preprocess.max_samples.val=4",
    "preprocess.num_impressions=2",
    "preprocess.num_val_impressions=1",
)


def test_the_model_is_a_language_model(smollm2: Path) -> None:
    tokenizer = load_tokenizer(smollm2)
    ids = encode_chat(tokenizer, user_turn("What is the capital of France? One word."))
    model = AutoModelForCausalLM.from_pretrained(smollm2)
    written = model.generate(torch.tensor([ids]), max_new_tokens=12, do_sample=False)
    assert "Paris" in tokenizer.decode(written[0, len(ids) :])


def test_the_whole_graph_runs_on_it(smollm2: Path, tmp_path: Path) -> None:
    tree = tmp_path / "newsrec"
    copy_tree(tree)
    commit(tree)
    settings = [*SETTINGS, f"fetch_model.path={smollm2}"]
    output = run(tree, "dvc", "exp", "run", *(word for one in settings for word in ("-S", one)))
    assert {"fetch_model", "train", "merge", "score@base", "score@tuned", "report"} <= ran_stages(
        output
    )

    def metrics(name: str) -> dict:
        return json.loads((tree / f"metrics/{name}.json").read_text())

    assert metrics("fetch_model")["num_parameters"] == 134_515_008
    assert metrics("train")["num_steps"] == 12
    losses = pd.read_csv(tree / "plots/loss_train.tsv", sep="\t")["loss"]
    assert losses.iloc[-3:].mean() < losses.iloc[:3].mean()
    assert metrics("merge")["max_logit_difference"] <= 1e-3
    # It learns to answer with Yes or No.
    outside = [metrics(f"score_{name}")["mean_mass_outside"] for name in ("base", "tuned")]
    assert outside[1] < outside[0]
    found = metrics("evaluate")
    assert 0 <= found["tuned"]["auc"] <= 1
    page = (tree / "reports/report.html").read_text(encoding="utf-8")
    assert "Tiny model" not in page

    for name in ("base", "tuned"):
        check = metrics(f"check_engine_{name}")
        assert (check["engine"], check["num_prompts"]) == ("vllm", 9)
        assert 0 < check["max_difference"] <= check["tolerance"] == 1e-3
    predictions = pd.read_parquet(tree / "data/predictions/tuned.parquet")
    assert len(predictions) > 10
    assert predictions["p_yes"].std() > 1e-3
