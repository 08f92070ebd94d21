"""The Hugging Face Trainer with the losses of `objectives`, on batches of `rows`."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Sampler, SequentialSampler
from transformers import EvalPrediction

from newsrec.ranker.rl.objectives import (
    draw_rankings,
    exact_losses,
    group_losses,
    losses_of,
    mean_ndcg,
)
from newsrec.ranker.rl.ppo import Ppo
from newsrec.training.trainer import TrainedWeightsTrainer

_LOSS = "list_loss"


class WholeSteps(BatchSampler):
    """The batches of whole steps, each step's several times over; what is left over is left out.

    So all batches are of one size, and the mean over a step's lists is the mean over its batches,
    however many processes share them.
    """

    def __init__(
        self, sampler: Sampler[int], batch_size: int, batches_per_step: int, repeats: int
    ) -> None:
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, True
        self._batches_per_step, self._repeats = batches_per_step, repeats

    def __iter__(self) -> Iterator[list[int]]:
        size, held = self.batch_size, []
        for number in self.sampler:
            held.append(number)
            if len(held) == size * self._batches_per_step:
                for _ in range(self._repeats):
                    yield from (held[at : at + size] for at in range(0, len(held), size))
                held = []

    def __len__(self) -> int:
        num_steps = len(self.sampler) // (self.batch_size * self._batches_per_step)  # type: ignore[arg-type]
        return num_steps * self._batches_per_step * self._repeats


class RankerTrainer(TrainedWeightsTrainer):
    """Trains a `Policy` by one of the methods."""

    def __init__(self, *, method: str, options: dict[str, Any], k: int, **trainer: Any) -> None:
        """Take what the Trainer takes, and what is minimised.

        Args:
            method: `exact`, `softmax`, `group` or `ppo`.
            options: of the method, see `newsrec.ranker.rl.params`.
            k: of NDCG@k.
            trainer: what else the Trainer takes.
        """
        self._method, self._options, self._k = method, options, k
        super().__init__(compute_metrics=measure(method, k), **trainer)
        # The loss is the mean of a batch, to be divided by the batches of a step. Where the Trainer
        # takes it for a sum over `labels`, it does not divide.
        self.model_accepts_loss_kwargs = False
        self._ppo = (
            Ppo(
                k=k,
                seed=self.args.seed,
                **{
                    name: options[name]
                    for name in ("num_rankings", "inner_epochs", "clip", "entropy", "value_weight")
                },
            )
            if method == "ppo"
            else None
        )

    def get_train_dataloader(self) -> Any:
        """Batches of whole steps."""
        # `SeedEpochs` puts another sampler in place of this one at the beginning of each epoch.
        batches = WholeSteps(
            SequentialSampler(self.train_dataset),
            self.args.per_device_train_batch_size,
            self.args.gradient_accumulation_steps * self.args.world_size,
            self._options["inner_epochs"] if self._ppo else 1,
        )
        loader = DataLoader(
            self.train_dataset,
            batch_sampler=batches,
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )
        return self.accelerator.prepare(loader)

    def create_optimizer(self) -> torch.optim.Optimizer:
        """As the Trainer's, but for the critic, which has a rate of its own."""
        if self._ppo is None:
            made: torch.optim.Optimizer = super().create_optimizer()
            return made
        kind, values = self.get_optimizer_cls_and_kwargs(self.args, self.model)
        critic = list(self.model.critic.parameters())
        others = [weight for weight in self.model.network.parameters() if weight.requires_grad]
        both: torch.optim.Optimizer = kind(
            [{"params": others}, {"params": critic, "lr": self._options["critic_lr"]}], **values
        )
        self.optimizer = both
        return both

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | None = None,
    ) -> Any:
        """The mean loss of a batch's lists, and the scores.

        By `model` itself, which is DistributedDataParallel where there are several processes: it is
        called, and what it wraps never, or gradients would stay where they were computed.
        """
        inputs = dict(inputs)
        labels, numbers = inputs.pop("labels"), inputs.pop("number")
        outputs = model(**inputs)
        scores = outputs["scores"]
        if model.training:
            losses = self._losses(outputs, labels, numbers)
        else:
            losses = losses_of(self._method, scores, labels, self._k)
        loss = losses.mean()
        return (loss, {"scores": scores}) if return_outputs else loss

    def _losses(self, outputs: dict[str, Tensor], labels: Tensor, numbers: Tensor) -> Tensor:
        scores, step = outputs["scores"], self.state.global_step
        if self._ppo:
            return self._ppo.losses(scores, outputs["values"], labels, numbers, step)
        if self._method == "group":
            num = self._options["num_rankings"]
            rankings = draw_rankings(scores, numbers, num, self.args.seed, step)
            return group_losses(scores, labels, self._k, rankings)
        return losses_of(self._method, scores, labels, self._k)

    def evaluation_loop(self, *arguments: Any, **options: Any) -> Any:
        """As the Trainer's, with the loss of the lists and not of batches."""
        output = super().evaluation_loop(*arguments, **options)
        output.metrics["eval_loss"] = output.metrics.pop(f"eval_{_LOSS}")
        return output

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log PPO's own figures beside the loss."""
        if self._ppo and "loss" in logs:
            logs = logs | self._ppo.figures
        super().log(logs, start_time)


def measure(method: str, k: int) -> Callable[[EvalPrediction], dict[str, float]]:
    """What a validation is measured by: `ndcg` of the order by score, and `expected_ndcg`."""

    def measured(found: EvalPrediction) -> dict[str, float]:
        scores, labels = torch.from_numpy(found.predictions), torch.from_numpy(found.label_ids)
        return {
            "ndcg": mean_ndcg(scores, labels, k),
            "expected_ndcg": -float(exact_losses(scores, labels, k).mean()),
            _LOSS: float(losses_of(method, scores, labels, k).mean()),
        }

    return measured
