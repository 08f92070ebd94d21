"""SASRec, self-attention over the products that a user bought, small enough for a CPU.

Kang and McAuley: Self-Attentive Sequential Recommendation, ICDM 2018
(https://arxiv.org/abs/1808.09781). As there: embeddings of items and positions, causal
self-attention, and the score of a candidate is its embedding times the last output. Unlike there,
a softmax contrasts each purchase with many sampled items, in place of a logistic loss with a single
one, which overestimates popular items (Petrov and Macdonald: gSASRec, RecSys 2023).
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from newsrec.errors import UserError
from newsrec.models.threads import one_thread
from newsrec.ranker.baselines.arrays import Lists, Purchases

WIDTH, NUM_BLOCKS, NUM_HEADS = 48, 2, 2
DROPOUT = 0.2
LR = 2e-3
BATCH_USERS = 64
NUM_NEGATIVES = 256  # shared by the purchases of a batch
MAX_LENGTH = 50  # purchases of a user, the last ones
_BATCH_LISTS = 1_000


@dataclass(frozen=True)
class TrainedSasrec:
    """A trained network, and how its training went.

    Attributes:
        network: in evaluation mode.
        num_users: whose purchases it was trained on.
        loss: mean cross-entropy of the last epoch, in nats a purchase.
    """

    network: "SasrecNetwork"
    num_users: int
    loss: float


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before_attention, self.before_output = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.query_key_value = nn.Linear(WIDTH, 3 * WIDTH)
        self.output = nn.Sequential(
            nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(2 * WIDTH, WIDTH)
        )

    def forward(self, states: Tensor) -> Tensor:
        num, length, _ = states.shape
        heads = self.query_key_value(self.before_attention(states))
        heads = heads.view(num, length, 3, NUM_HEADS, WIDTH // NUM_HEADS).permute(2, 0, 3, 1, 4)
        query, key, value = heads
        # What fills up a shorter sequence is behind it, where a causal mask hides it.
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        mixed = mixed.transpose(1, 2).reshape(num, length, WIDTH)
        states = states + F.dropout(mixed, DROPOUT, self.training)
        result: Tensor = states + self.output(self.before_output(states))
        return result


class SasrecNetwork(nn.Module):
    """A user after each purchase, and items, as vectors of the same space."""

    def __init__(self, num_items: int) -> None:
        super().__init__()
        self.items = nn.Embedding(num_items, WIDTH)
        self.positions = nn.Embedding(MAX_LENGTH, WIDTH)
        self.blocks = nn.Sequential(*(_Block() for _ in range(NUM_BLOCKS)))
        self.norm = nn.LayerNorm(WIDTH)
        nn.init.normal_(self.items.weight, std=WIDTH**-0.5)
        nn.init.normal_(self.positions.weight, std=0.02)

    def forward(self, bought: Tensor) -> Tensor:
        """Items (users, length) to the user after each of them, (users, length, WIDTH)."""
        states = self.items(bought) + self.positions.weight[: bought.shape[1]]
        states = self.blocks(F.dropout(states, DROPOUT, self.training))
        result: Tensor = self.norm(states)
        return result


def train_sasrec(
    train: Purchases, num_items: int, *, epochs: int, max_users: int, seed: int
) -> TrainedSasrec:
    """Train on the purchases of train, on one thread: the same for the same seed.

    Args:
        train: in the order of time.
        num_items: that there are.
        epochs: passes over the users.
        max_users: at most, drawn; those with a single purchase teach nothing.
        seed: of users, order, negatives, first weights and dropout.

    Raises:
        UserError: no user has two purchases.
    """
    order = np.argsort(train.user, kind="stable")
    items, bounds = train.item[order], np.flatnonzero(np.diff(train.user[order])) + 1
    sequences = [part[-MAX_LENGTH - 1 :] for part in np.split(items, bounds) if len(part) > 1]
    if not sequences:
        raise UserError(
            "data/processed/purchases.parquet: no user has two purchases before the validation; "
            "expected some to learn from; give more ratings (prepare.start, prepare.k_core)"
        )
    chosen = np.random.default_rng(seed).permutation(len(sequences))[:max_users]
    sequences = [sequences[place] for place in np.sort(chosen)]
    loss_sum, num_bought = 0.0, 0
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SasrecNetwork(num_items)
        optimizer = torch.optim.Adam(network.parameters(), LR)
        network.train()
        steps = range(0, len(sequences), BATCH_USERS)
        with tqdm(total=epochs * len(steps), desc="training sasrec", mininterval=5) as progress:
            for _ in range(epochs):
                loss_sum, num_bought = 0.0, 0
                shuffled = torch.randperm(len(sequences)).tolist()
                for start in steps:
                    batch = [sequences[place] for place in shuffled[start : start + BATCH_USERS]]
                    losses = _losses(network, batch, num_items)
                    optimizer.zero_grad()
                    losses.mean().backward()  # type: ignore[no-untyped-call]
                    optimizer.step()
                    loss_sum += float(losses.detach().sum())
                    num_bought += len(losses)
                    progress.update()
    network.eval()
    return TrainedSasrec(network, len(sequences), loss_sum / num_bought)


def _losses(network: SasrecNetwork, batch: list[np.ndarray], num_items: int) -> Tensor:
    """Cross-entropy of each purchase but the first ones against drawn items, shape (purchases,)."""
    length = max(map(len, batch))
    places = torch.zeros((len(batch), length), dtype=torch.long)
    there = torch.zeros((len(batch), length), dtype=torch.bool)
    for row, sequence in enumerate(batch):
        places[row, : len(sequence)] = torch.from_numpy(sequence)
        there[row, : len(sequence)] = True
    users = network(places[:, :-1])[there[:, 1:]]
    bought = places[:, 1:][there[:, 1:]]
    drawn = torch.randint(num_items, (NUM_NEGATIVES,))
    of_bought = (users * network.items(bought)).sum(dim=1, keepdim=True)
    of_drawn = users @ network.items(drawn).T
    of_drawn = of_drawn.masked_fill(drawn[None, :] == bought[:, None], -torch.inf)
    margins = torch.cat([of_bought, of_drawn], dim=1)
    zeros = torch.zeros(len(margins), dtype=torch.long)
    return F.cross_entropy(margins, zeros, reduction="none")


def sasrec_scores(trained: TrainedSasrec, lists: Lists) -> np.ndarray:
    """The product of a candidate and the user after the history, shape (lists, K)."""
    network, scores = trained.network, np.zeros(lists.candidates.shape)
    starts = np.maximum(lists.starts, lists.ends - MAX_LENGTH)
    with one_thread(), torch.inference_mode():
        for start in range(0, len(lists), _BATCH_LISTS):
            part = slice(start, start + _BATCH_LISTS)
            lengths = torch.from_numpy(lists.ends[part] - starts[part])
            places = torch.zeros((len(lengths), int(lengths.max())), dtype=torch.long)
            for row, (begin, end) in enumerate(zip(starts[part], lists.ends[part], strict=True)):
                places[row, : end - begin] = torch.from_numpy(lists.histories[begin:end])
            users = network(places)[torch.arange(len(lengths)), lengths - 1]
            candidates = network.items(torch.from_numpy(lists.candidates[part]))
            scores[part] = torch.einsum("nw,nkw->nk", users, candidates).double().numpy()
    return scores
