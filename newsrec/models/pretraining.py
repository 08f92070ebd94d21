"""Pre-training of a tiny model, whose batches can be shared out to several processes.

A small model computes on one thread (`newsrec.models.threads`). Further processes, each with a
thread of its own, use further cores: they have the weights in shared memory, and each computes the
gradients of its part of the batch. No network is needed, as it is for `torch.distributed`.
"""

import signal
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection

import torch
from torch import Tensor, multiprocessing
from tqdm import tqdm
from transformers import Qwen3ForCausalLM

from newsrec.errors import UserError
from newsrec.models.batches import Batches


def pretrain(model: Qwen3ForCausalLM, batches: Batches, steps: int, lr: float) -> float:
    """Train a model in place, with AdamW.

    Args:
        model: in memory that other processes can share afterwards, if batches have several parts.
        batches: with a process for each of their parts.
        steps: optimizer steps.
        lr: peak learning rate, warmed up over a tenth of the steps, then cosine to zero.

    Raises:
        UserError: one of the processes ended early.

    Returns:
        The mean loss of the last tenth of the steps, in nats per answer token.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=lr,
        weight_decay=0.01,
        fused=batches.num_parts > 1,  # twice as fast, and the other processes wait for it
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=lr, total_steps=steps, pct_start=0.1
    )
    model.train()
    losses = []
    with ExitStack() as stack:
        workers = [
            stack.enter_context(_Worker(model, batches, part))
            for part in range(1, batches.num_parts)
        ]
        for step in tqdm(
            range(steps), desc="pre-training the tiny model", unit="step", mininterval=5
        ):
            for worker in workers:
                worker.start(step)
            loss = batches.backward(model, step, 0)
            for worker in workers:
                loss += worker.add_gradients(model)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            losses.append(loss)
    last = losses[-max(1, steps // 10) :]
    return sum(last) / len(last)


class _Worker:
    """A process that computes the gradients of one part of each batch."""

    def __init__(self, model: Qwen3ForCausalLM, batches: Batches, part: int) -> None:
        model.share_memory()
        self._gradients = [torch.zeros_like(weight) for weight in model.parameters()]
        for gradient in self._gradients:
            gradient.share_memory_()  # type: ignore[no-untyped-call]
        self._name = f"process {part + 1} of {batches.num_parts}"
        self._pipe, pipe = multiprocessing.Pipe()
        self._process = multiprocessing.Process(
            target=_work,
            args=(pipe, self._pipe, model, self._gradients, batches, part),
            daemon=True,
        )
        self._process.start()
        pipe.close()  # else the end of the process would not be seen

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def start(self, step: int) -> None:
        with suppress(ConnectionError):  # reported when its gradients are wanted
            self._pipe.send(step)

    def add_gradients(self, model: Qwen3ForCausalLM) -> float:
        """Wait for the gradients and add them to the model's; returns the part's loss."""
        try:
            loss: float = self._pipe.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            raise UserError(
                f"pre-training of the tiny model: {self._name} ended with exit code "
                f"{self._process.exitcode}; expected it to run until the last step. -9 usually "
                "means too little memory: free some and run the stage again"
            ) from None
        for weight, gradient in zip(model.parameters(), self._gradients, strict=True):
            assert weight.grad is not None
            weight.grad += gradient
        return loss


def _work(
    pipe: Connection,
    other_end: Connection,
    model: Qwen3ForCausalLM,
    gradients: list[Tensor],
    batches: Batches,
    part: int,
) -> None:
    """Compute the gradients of a part for each step whose number arrives, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    other_end.close()  # else the end of the process that started it would not be seen
    torch.set_num_threads(1)
    for weight, gradient in zip(model.parameters(), gradients, strict=True):
        weight.grad = gradient
    with suppress(EOFError, ConnectionError):  # the process that started it has ended
        while True:
            step: int = pipe.recv()
            for gradient in gradients:
                gradient.zero_()
            pipe.send(batches.backward(model, step, part))
