"""What LLaMA-Factory is given, and what is refused before it starts."""

from pathlib import Path
from typing import Any

import pytest

from newsrec.errors import UserError
from newsrec.training import llamafactory, runs
from newsrec.training.dataset import SampleSet, write_dataset_info
from tests.training.conftest import OPTIONS, RECIPE


def given(base: Path, samples: SampleSet, name: str = "lora", **options: Any) -> dict[str, Any]:
    method, usual = OPTIONS[name]
    return llamafactory.arguments(
        base=base,
        samples=samples,
        objective="sft",
        template="qwen3",
        method=method,
        options=usual | options,
        cutoff_len=512,
        early_stopping=None,
        trainer={},
    )


@pytest.mark.parametrize(
    "targets", ["all", "q_proj", " q_proj , down_proj", "self_attn.q_proj", "embed_tokens,lm_head"]
)
@pytest.mark.parametrize("name", ["lora", "qlora"])
def test_layers_of_the_model_are_targets(
    name: str, targets: str, tiny_model: Path, samples: SampleSet
) -> None:
    assert given(tiny_model, samples, name, targets=targets)["lora_target"] == targets


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ("q_proj,v_porj", ["'v_porj'", "did you mean 'v_proj'?", "down_proj, embed_tokens"]),
        ("q_proj,,v_proj", ["train.targets is ''"]),
        ("proj", ["'proj'"]),  # the end of a name is none
        ("q_proj,all", ["'all'"]),
        ("q_norm", ["'q_norm'"]),  # no matrix
    ],
)
def test_a_target_that_the_model_does_not_have_is_refused(
    targets: str, words: list[str], tiny_model: Path, samples: SampleSet
) -> None:
    with pytest.raises(UserError) as caught:
        given(tiny_model, samples, targets=targets)
    for word in [*words, str(tiny_model), "k_proj, lm_head, o_proj, q_proj"]:
        assert word in str(caught.value)


def test_what_is_off_is_not_written_into_the_recipe(
    tiny_model: Path, samples: SampleSet, tmp_path: Path
) -> None:
    usual = given(tiny_model, samples)
    assert usual["eval_dataset"] == "mind_val"
    parts = SampleSet(tmp_path, "mind")
    write_dataset_info(parts, ("yes", "no"))
    several = {"eval_dataset": "mind_val,mind_val_yes,mind_val_no", "eval_on_each_dataset": True}
    assert given(tiny_model, parts) == {**usual, **several, "dataset_dir": str(tmp_path)}
    kept = given(tiny_model, samples, gradient_checkpointing=False)
    assert kept == {**usual, "disable_gradient_checkpointing": True}
    settings = {name: value for name, value in RECIPE.items() if name != "cutoff_len"}
    usual = runs.trainer_arguments(output=tiny_model, **settings)
    grouped = runs.trainer_arguments(output=tiny_model, **settings | {"group_by_length": True})
    assert grouped == {**usual, "group_by_length": True}
    half = runs.trainer_arguments(output=tiny_model, **settings | {"precision": "fp16"})
    assert half == {**usual, "fp16": True}
    assert not usual["bf16"]
