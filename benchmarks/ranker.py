"""What training by reinforcement costs: its loss, and a list's prompts as one row.

- exact: the expected NDCG@10 of a policy and its gradient, and how it grows with the candidates;
- sampled: its rival, the gradient estimated from 64 drawn rankings, the drawing included;
- packed: forward and backward pass of lists, each a row in which what its prompts share is once;
- single: its rival, the same lists, each prompt a row of its own.

Lists and weights are made up; lengths are those of the ranker's tiny default.

Run     python -m benchmarks.ranker [--rounds 3]      (a minute a round)
"""

import argparse
import json
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.benchmark import Timer
from transformers import Qwen3Config, Qwen3ForCausalLM

from benchmarks.document import save
from benchmarks.rows import Row, limited
from benchmarks.side_by_side import run_alternately, run_once
from newsrec.metrics.plackett_luce import (
    gradient_noise,
    ndcg_gains,
    sample_rankings,
    sampled_gain,
)
from newsrec.ranker.rl.objectives import draw_rankings, exact_losses, group_losses
from newsrec.ranker.rl.policy import Policy
from newsrec.ranker.rl.rows import Packing
from newsrec.running.stage import run_program

NUM_LISTS, NUM_CANDIDATES = 8, 20  # of a step
AT, NUM_RANKINGS = 10, 64  # NDCG@10
SIZES = (10, 20, 50, 100)  # candidates, for how the exact one grows
# Tokens: what all prompts of a list begin with, a candidate, and the question behind it.
PREFIX, BODY, QUESTION = 120, (8, 16), 20
VOCABULARY, ANSWERS = 2048, (7, 9)
TOLERANCE = 1e-4  # of a score, packed and single

Step = Callable[[], object]


def exact(num_candidates: int) -> Step:
    """The loss that is minimised, and its gradient."""
    scores, labels = _scores(num_candidates)
    return lambda: torch.autograd.grad(exact_losses(scores, labels, AT).sum(), scores)


def sampled(num_candidates: int) -> Step:
    """The same, estimated; each step draws anew."""
    scores, labels = _scores(num_candidates)
    numbers, rounds = torch.arange(NUM_LISTS), count()

    def step() -> object:
        rankings = draw_rankings(scores.detach(), numbers, NUM_RANKINGS, 1, next(rounds))
        return torch.autograd.grad(group_losses(scores, labels, AT, rankings).sum(), scores)

    return step


def packed(num_candidates: int) -> Step:
    """A step of training without the optimizer, a row a list."""
    policy, lists = _policy(), _lists(num_candidates)
    return lambda: _backward(policy, _packed_scores(policy, lists))


def single(num_candidates: int) -> Step:
    """The same, a row a prompt."""
    policy, lists = _policy(), _lists(num_candidates)
    return lambda: _backward(policy, _single_scores(policy, lists))


WAYS: dict[str, Callable[[int], Step]] = {
    "exact": exact,
    "sampled": sampled,
    "packed": packed,
    "single": single,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help="used by the benchmark itself")
    parser.add_argument("--candidates", type=int, default=NUM_CANDIDATES)
    options = parser.parse_args()
    if options.way is None:
        compare(options.rounds)
        return
    step = WAYS[options.way](options.candidates)
    step()
    timer = Timer("step()", globals={"step": step}, num_threads=torch.get_num_threads())
    print(json.dumps({"seconds": timer.blocked_autorange(min_run_time=2.0).median}))


def compare(rounds: int) -> None:
    """Measure all ways, and write the results."""
    command = [sys.executable, "-m", "benchmarks.ranker", "--way"]
    found = run_alternately({way: [*command, way] for way in WAYS}, rounds)
    seconds = {way: measured.median for way, measured in found.items()}
    growth = []
    for size in SIZES:
        report, peak = run_once(f"{size}", [*command, "exact", "--candidates", str(size)])
        growth.append((float(size), report["seconds"], float(peak)))
    shown = {way: f"{float(f'{1000 * value:.3g}'):,g} ms" for way, value in seconds.items()}
    work = f"NDCG@{AT} of {NUM_LISTS} lists of {NUM_CANDIDATES}, exact, with its gradient"
    longest = max(len(one["prefix"]) + sum(map(len, one["rests"])) for one in _lists())
    difference, deviation = differences()
    rows = [
        limited(
            "a step for each candidate, one after the other",
            Row(
                work, shown["exact"],
                f"{NUM_RANKINGS} sampled rankings: {shown['sampled']}, gradient {noise():.0%} off",
                seconds["sampled"] / seconds["exact"], 1,
            ),
        ),
        limited(
            "so small a model: a larger one takes longer, the loss does not",
            Row(
                f"{work}: share of a training step", shown["exact"],
                f"the tiny model's forward and backward pass: {shown['packed']}",
                seconds["exact"] / seconds["packed"], 0.1, at_most=True,
            ),
        ),
        limited(
            "attention over the whole row, most of which the mask leaves out",
            Row(
                f"forward and backward pass of {NUM_LISTS} lists of {NUM_CANDIDATES}, tiny model: "
                f"one row of at most {longest} tokens per list",
                shown["packed"], f"one row per prompt: {shown['single']}",
                seconds["single"] / seconds["packed"], 2,
            ),
        ),
        Row(
            "scores of one row per list and of one row per prompt: largest difference",
            f"{difference:.1e}", f"standard deviation of the scores: {deviation:.2f}",
            difference, TOLERANCE, at_most=True, unit="", quality=True,
        ),
    ]  # fmt: skip
    save("ranker", rows, rounds, {f"exact NDCG@{AT}, by candidates": growth})


def noise() -> float:
    """How far the estimated gradient is from the exact one, relative to that one's length."""
    scores, labels = _scores(NUM_CANDIDATES)
    gains, generator = ndcg_gains(AT), torch.Generator().manual_seed(1)

    def estimate(scores: Tensor, generator: torch.Generator) -> Tensor:
        rankings = sample_rankings(scores, NUM_RANKINGS, generator)
        return sampled_gain(scores, labels, gains, rankings)

    return gradient_noise(scores, labels, gains, estimate, 200, generator)


@torch.no_grad()
def differences() -> tuple[float, float]:
    """The largest difference of a score, packed and single, and the scores' deviation."""
    policy, lists = _policy(), _lists()
    found, expected = _packed_scores(policy, lists), _single_scores(policy, lists)
    return float((found - expected).abs().max()), float(expected.std())


def _scores(num_candidates: int) -> tuple[Tensor, Tensor]:
    """Scores of lists, and the target's place in each."""
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(NUM_LISTS, num_candidates, generator=generator)
    return scores.requires_grad_(), torch.arange(NUM_LISTS) % num_candidates


def _lists(num_candidates: int = NUM_CANDIDATES) -> list[dict[str, Any]]:
    """Lists as `Packing` takes them."""
    rng = np.random.default_rng(1)
    question = rng.integers(10, VOCABULARY, QUESTION)
    return [
        {
            "prefix": rng.integers(10, VOCABULARY, PREFIX),
            "rests": [
                np.concatenate([rng.integers(10, VOCABULARY, rng.integers(*BODY)), question])
                for _ in range(num_candidates)
            ],
            "labels": number % num_candidates,
            "number": number,
        }
        for number in range(NUM_LISTS)
    ]


def _policy() -> Policy:
    """A model in the shape of the tiny default, its weights drawn at random."""
    torch.manual_seed(1)
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=96,
        intermediate_size=288,
        num_hidden_layers=3,
        num_attention_heads=3,
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=1088,
        tie_word_embeddings=True,
        initializer_range=0.1,
        attn_implementation="sdpa",
    )
    return Policy(Qwen3ForCausalLM(config), ANSWERS, has_critic=False)


def _backward(policy: Policy, scores: Tensor) -> None:
    policy.zero_grad()
    labels = torch.arange(NUM_LISTS) % scores.shape[1]
    torch.autograd.backward(exact_losses(scores, labels, AT).mean())


def _packed_scores(policy: Policy, lists: list[dict[str, Any]]) -> Tensor:
    batch = Packing(len(lists[0]["rests"]), padding=0)(lists)
    scores: Tensor = policy(**{name: batch[name] for name in batch.keys() - {"labels", "number"}})[
        "scores"
    ]
    return scores


def _single_scores(policy: Policy, lists: list[dict[str, Any]]) -> Tensor:
    """Of rows padded on the left, as generation has them: the last tokens are in one column."""
    prompts = [
        torch.tensor(np.concatenate([one["prefix"], rest]))
        for one in lists
        for rest in one["rests"]
    ]
    network: Any = policy.network
    mask = pad_sequence([torch.ones_like(ids) for ids in prompts], True, 0, "left")
    read = network.get_decoder()(
        input_ids=pad_sequence(prompts, True, 0, "left"),
        attention_mask=mask,
        position_ids=(mask.cumsum(1) - 1).clamp(min=0),
        use_cache=False,
    )
    yes, no = network.get_output_embeddings().weight[list(ANSWERS)]
    scores: Tensor = read.last_hidden_state[:, -1] @ (yes - no)
    return scores.view(len(lists), -1)


if __name__ == "__main__":
    run_program(main)
