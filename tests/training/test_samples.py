"""Both trainers see the same samples through the same template."""

from pathlib import Path

import pytest

from newsrec.training import runs
from newsrec.training.dataset import SampleSet
from tests.training.conftest import RECIPE

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_both_trainers_see_the_same_token_ids_and_labels(
    samples: SampleSet, tokenizer_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # LLaMA-Factory's own way from the files to the Trainer, against the worker's.
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_tokenizer

    from newsrec.training.peft_worker import _encoded

    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    seed, cutoff_len = RECIPE["seed"], RECIPE["cutoff_len"]
    given = {name: RECIPE[name] for name in RECIPE if name not in ("seed", "cutoff_len")}
    trainer = runs.trainer_arguments(output=tmp_path / "output", seed=seed, **given)
    model_args, data_args, training_args, *_ = get_train_args(
        {
            "model_name_or_path": str(tokenizer_folder), "stage": "sft", "finetuning_type": "lora",
            "dataset_dir": str(samples.folder), "dataset": "mind_train", "eval_dataset": "mind_val",
            "template": "qwen3", "enable_thinking": False, "cutoff_len": cutoff_len,
            "overwrite_cache": True, **trainer,
        }
    )  # fmt: skip
    module = load_tokenizer(model_args)
    template = get_template_and_fix_tokenizer(module["tokenizer"], data_args)
    theirs = get_dataset(template, model_args, data_args, training_args, stage="sft", **module)

    job = {"base": str(tokenizer_folder), "template": "qwen3", "cutoff_len": cutoff_len}
    for split, name, num in (("train", "train_dataset", 48), ("val", "eval_dataset", 8)):
        ours = _encoded(str(samples.file(split)), job)
        assert len(ours) == len(theirs[name]) == num
        for key in ("input_ids", "labels", "attention_mask"):
            assert list(ours[key]) == list(theirs[name][key])
        # The answer alone is learned: 'Yes.' or 'No.' and the end of the turn.
        learned = [sum(label != -100 for label in labels) for labels in ours["labels"]]
        assert set(learned) <= set(range(2, 8))


def test_a_sample_longer_than_the_model_is_given_ends_the_run(
    samples: SampleSet, tokenizer_folder: Path
) -> None:
    from newsrec.training.peft_worker import _encode

    with pytest.raises(SystemExit, match=r"val\.jsonl, line 1: \d+ tokens, expected at most 60"):
        list(_encode(str(samples.file("val")), str(tokenizer_folder), "qwen3", 60))
