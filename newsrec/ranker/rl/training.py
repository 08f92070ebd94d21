"""Train the ranker by reinforcement: one run in a process of its own, see `rl.worker`."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from newsrec.chat.tokens import load_tokenizer
from newsrec.errors import UserError
from newsrec.files import read_json
from newsrec.models.folders import is_model_file
from newsrec.models.weights import read_weights
from newsrec.ranker.list_prompts import ListPrompts
from newsrec.ranker.lists import read_items
from newsrec.ranker.params import Prompt
from newsrec.training import runs
from newsrec.training.advice import Advice

WORKER = "newsrec.ranker.rl.worker"
METRIC = "ndcg"
AUDIT = "audit.json"  # of the worker, in its output folder

_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
_ADVICE = Advice(
    memory=(
        "lower, in this order: rl.recipe.batch_size (raise rl.recipe.gradient_accumulation_steps "
        "by as much), prompt.max_description_words, prepare.num_candidates; set "
        "rl.recipe.gradient_checkpointing to true; or choose a smaller model"
    ),
    loss="lower the lr of the method in the section rl, or raise rl.recipe.warmup_ratio",
)


@dataclass(frozen=True)
class Lists:
    """The lists to train and to validate on.

    Attributes:
        train: file of `LISTS_SCHEMA`.
        val: another one.
        items: file of `ITEMS_SCHEMA`.
        prompt: what is shown of a candidate.
        max_prompt_tokens: of a prompt.
    """

    train: Path
    val: Path
    items: Path
    prompt: Prompt
    max_prompt_tokens: int


def describe(
    *,
    base: Path,
    lists: Lists,
    work: Path,
    method: str,
    options: dict[str, Any],
    k: int,
    trains: str,
    lora: dict[str, Any],
    gradient_checkpointing: bool,
    num_val_lists: int,
    seed: int,
    **trainer: Any,
) -> dict[str, Any]:
    """What the worker is given, see `train_by_reinforcement`.

    Raises:
        UserError: checkpoints or logs that would come between steps on the same draws.
    """
    inner = options.get("inner_epochs", 1)
    if trainer["save_steps"] % inner or trainer["logging_steps"] % inner:
        # What was drawn is in no checkpoint, and figures are of the last step on it.
        raise UserError(
            f"rl.{method}.inner_epochs is {inner}; expected rl.recipe.save_steps, "
            f"{trainer['save_steps']}, and rl.recipe.logging_steps, {trainer['logging_steps']}, to "
            "be multiples of it"
        )
    lr = options["lr"] * options.get("model_lr_share", 1.0)
    return {
        "base": str(base),
        "train_lists": str(lists.train),
        "val_lists": str(lists.val),
        "items": str(lists.items),
        "prompt": _plain(asdict(cast(Any, lists.prompt))),
        "max_prompt_tokens": lists.max_prompt_tokens,
        "num_val_lists": num_val_lists,
        "method": method,
        "method_options": options,
        "k": k,
        "trains": trains,
        "options": lora | {"gradient_checkpointing": gradient_checkpointing},
        "early_stopping": trainer["early_stopping"],
        "trainer": runs.trainer_arguments(output=work / "output", lr=lr, seed=seed, **trainer)
        | {
            "metric_for_best_model": f"eval_{METRIC}",
            "greater_is_better": True,
            "adam_beta2": 0.95,
            "max_grad_norm": 1.0,
        },
    }


def train_by_reinforcement(
    *, base: Path, lists: Lists, work: Path, target: Path, **settings: Any
) -> tuple[runs.Outcome, dict[str, Any]]:
    """Train `base` so that it ranks the target of each list as high as it can.

    The best checkpoint is the one with the highest NDCG@k on the validation lists, and early
    stopping waits for a higher one.

    Args:
        base: folder of a language model that answers Yes or No.
        lists: to train and validate on.
        work: checkpoints and log; kept when the run is interrupted, for the caller to drop.
        target: an existing empty folder: gets a PEFT adapter, or a model's weights, and train.yaml,
            which runs the same training by hand.
        settings: `method`, and its `options` (see `newsrec.ranker.rl.params`; `lr` among them);
            `k` of the reward, NDCG@k; `trains`: `lora` with the options `lora`, or `full`;
            `gradient_checkpointing`: compute activations twice, to keep fewer of them;
            `num_val_lists`, to validate on at most, spread over all; `seed` of everything random;
            and what `runs.trainer_arguments` takes but for `lr`.

    Returns:
        The run, and its audit: see `audit.audit_scores`; of PPO also the mean `clip_share`,
        `step_divergence` and `explained_variance` of the steps that were logged.

    Raises:
        UserError: a damaged base, a prompt that does not fit, fewer lists than a step takes, or see
            `describe` and `runs.run`.
    """
    arguments = describe(base=base, lists=lists, work=work, **settings)
    read_weights(base)
    output, is_whole = work / "output", settings["trains"] == "full"
    outcome = runs.run(
        WORKER,
        arguments,
        work,
        base=base,
        samples=[lists.train, lists.val, lists.items],
        output=output,
        seed=settings["seed"],
        method=settings["trains"],
        advice=_ADVICE,
    )
    for path in sorted((output / ("model" if is_whole else "adapter")).iterdir()):
        if path.name in _ADAPTER_FILES or (is_whole and is_model_file(path)):
            shutil.copyfile(path, target / path.name)
    shutil.copyfile(work / "train.yaml", target / "train.yaml")
    return outcome, read_json(output / AUDIT) | _means(output)


def some_prompts(model: Path, lists: Lists, num: int) -> list[list[int]]:
    """Token ids of the first prompts of the validation lists."""
    prompts = ListPrompts(
        load_tokenizer(model),
        [lists.val],
        read_items(lists.items),
        lists.prompt,
        lists.max_prompt_tokens,
    )
    ids: list[list[int]] = next(prompts.token_ids())[:num].to_pylist()
    return ids


def _means(output: Path) -> dict[str, float]:
    """The means of PPO's figures over the steps that were logged."""
    logged = read_json(output / "trainer_state.json")["log_history"]
    names = {"clip_share": "clip_share", "divergence": "step_divergence"}
    names["explained_variance"] = "explained_variance"
    found = {}
    for name, shown in names.items():
        if values := [entry[name] for entry in logged if name in entry]:
            found[shown] = sum(values) / len(values)
    return found


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """As YAML has it, which knows no tuples."""
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items()
    }
