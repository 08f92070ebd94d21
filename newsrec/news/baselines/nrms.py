"""NRMS, a recommender trained from scratch on titles: what a small network learns without an LLM.

Wu, Wu, Ge, Qi, Huang and Xie: Neural News Recommendation with Multi-Head Self-Attention, EMNLP 2019
(https://aclanthology.org/D19-1671). As there: a title is word embeddings, self-attention and
additive attention; a user is self-attention and additive attention over the titles clicked; the
score is their dot product, trained to distinguish a click from 4 others of its impression. Other
than there: embeddings are not pre-trained, titles without spaces are n-grams of characters
(`newsrec.news.baselines.words`), and everything is small enough for a CPU.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from newsrec.models.threads import one_thread
from newsrec.news.baselines.pairs import Click, read_evaluation_pairs, read_training_clicks
from newsrec.news.baselines.words import are_spaced, runs, words

WIDTH = 64
NUM_HEADS = 4
NUM_TITLE_WORDS = 20
# A run of letters without spaces counts as one word, but is an n-gram for almost every letter.
NUM_TITLE_NGRAMS = 64
NUM_HISTORY = 20
NUM_NEGATIVES = 4
MAX_WORDS = 30_000
# A word of a single title would keep its random embedding wherever else it turns up.
MIN_WORD_COUNT = 2
DROPOUT = 0.2
LR = 1e-3
BATCH_CLICKS = 64
_BATCH_TITLES = 2_048
_BATCH_USERS = 512
_BATCH_ROWS = 100_000
_PADDING, _UNKNOWN = 0, 1


@dataclass(frozen=True, slots=True)
class TrainedNrms:
    """A trained network, its words, whether spaces separate them, and how its training went."""

    network: "NrmsNetwork"
    word_ids: dict[str, int]
    spaced: bool
    num_clicks: int
    loss: float

    @property
    def num_parameters(self) -> int:
        """Trained numbers, word embeddings included."""
        return sum(parameter.numel() for parameter in self.network.parameters())


class _Encoder(nn.Module):
    """Multi-head self-attention over a sequence, then additive attention to one vector."""

    def __init__(self) -> None:
        super().__init__()
        self.query_key_value = nn.Linear(WIDTH, 3 * WIDTH)
        self.hidden = nn.Linear(WIDTH, WIDTH)
        self.weight = nn.Linear(WIDTH, 1, bias=False)

    def forward(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """(n, length, WIDTH) and a mask of what is there, (n, length), to (n, WIDTH)."""
        num, length, _ = sequence.shape
        heads = self.query_key_value(sequence).view(num, length, 3, NUM_HEADS, WIDTH // NUM_HEADS)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value, mask[:, None, None, :])
        mixed = mixed.transpose(1, 2).reshape(num, length, WIDTH)
        mixed = F.dropout(mixed, DROPOUT, self.training)
        weight: Tensor = self.weight(torch.tanh(self.hidden(mixed)))[..., 0]
        weight = weight.masked_fill(~mask, -torch.inf).softmax(dim=1)
        return (weight[..., None] * mixed).sum(dim=1)


class NrmsNetwork(nn.Module):
    """Titles and users as vectors of the same space."""

    def __init__(self, num_words: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_words, WIDTH, padding_idx=_PADDING)
        self.title_encoder = _Encoder()
        self.user_encoder = _Encoder()

    def titles(self, words: Tensor) -> Tensor:
        """Word ids (n, NUM_TITLE_NGRAMS), the first of each never padding, to (n, WIDTH)."""
        words = words[:, : int((words != _PADDING).sum(dim=1).max())]  # most are far shorter
        embedded = F.dropout(self.embedding(words), DROPOUT, self.training)
        vectors: Tensor = self.title_encoder(embedded, words != _PADDING)
        return vectors

    def users(self, clicked: Tensor, mask: Tensor) -> Tensor:
        """Vectors of the clicked titles (n, NUM_HISTORY, WIDTH) to (n, WIDTH)."""
        vectors: Tensor = self.user_encoder(clicked, mask)
        return vectors


def train_nrms(
    train: Path, *, epochs: int, max_train_impressions: int | None, seed: int
) -> TrainedNrms:
    """Train on the clicks of the training split, on the CPU, the same for the same seed.

    Args:
        train: folder with the news.tsv and behaviors.tsv of the training split.
        epochs: passes over the clicks.
        max_train_impressions: impressions to learn from at most; None takes all.
        seed: of the impressions, their negatives, the first weights, dropout and order.

    Returns:
        The network in evaluation mode; its loss is the mean cross-entropy over the last epoch, in
        nats per click (ln 5 = 1.609 at chance with four others).

    Raises:
        UserError: a fault in the files, or nothing to learn from.
    """
    training = read_training_clicks(
        train,
        num_history=NUM_HISTORY,
        num_negatives=NUM_NEGATIVES,
        max_impressions=max_train_impressions,
        seed=seed,
    )
    spaced = are_spaced(training.titles)
    word_ids = _vocabulary(training.titles, spaced)
    title_words = _title_words(training.titles, word_ids, spaced)
    clicks = training.clicks
    with one_thread(), torch.random.fork_rng(devices=[]):  # the caller's random numbers stay
        torch.manual_seed(seed)
        network = NrmsNetwork(len(word_ids) + 2)
        optimizer = torch.optim.Adam(network.parameters(), LR)
        network.train()
        loss_sum = 0.0
        num_steps = epochs * -(-len(clicks) // BATCH_CLICKS)
        with tqdm(total=num_steps, desc="training nrms", mininterval=5) as progress:
            for _ in range(epochs):
                loss_sum = 0.0
                order = torch.randperm(len(clicks)).tolist()
                for start in range(0, len(clicks), BATCH_CLICKS):
                    batch = [clicks[place] for place in order[start : start + BATCH_CLICKS]]
                    loss = _loss(network, title_words, batch)
                    optimizer.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimizer.step()
                    loss_sum += loss.item() * len(batch)
                    progress.update()
    network.eval()
    return TrainedNrms(network, word_ids, spaced, len(clicks), loss_sum / len(clicks))


def nrms_scores(model: TrainedNrms, candidates: pd.DataFrame, test: Path) -> np.ndarray:
    """The logistic function of user times title, for every row.

    Training compares candidates of one impression, so the order within an impression has a meaning
    and the distance to 0.5 has none.

    Args:
        model: of `train_nrms`.
        candidates: rows with impression_id, news_id and target, shape (rows,).
        test: folder of the test split, for histories and titles alone.

    Returns:
        Scores from 0 to 1, shape (rows,).

    Raises:
        UserError: a fault in the files, or an impression of `candidates` is not in them.
    """
    pairs = read_evaluation_pairs(candidates, test, NUM_HISTORY)
    title_words = _title_words(pairs.titles, model.word_ids, model.spaced)
    with one_thread(), torch.inference_mode():
        titles = torch.cat(
            [
                model.network.titles(title_words[start : start + _BATCH_TITLES])
                for start in range(0, len(title_words), _BATCH_TITLES)
            ]
        )
        users = []
        for start in range(0, len(pairs.histories), _BATCH_USERS):
            history, mask = _padded(pairs.histories[start : start + _BATCH_USERS], NUM_HISTORY)
            users.append(model.network.users(titles[history], mask))
    title_vectors = titles.double().numpy()
    user_vectors = torch.cat(users).double().numpy()
    scores = np.empty(len(candidates))
    for start in range(0, len(candidates), _BATCH_ROWS):
        rows = slice(start, start + _BATCH_ROWS)
        user, title = user_vectors[pairs.impression[rows]], title_vectors[pairs.news[rows] + 1]
        margin = np.einsum("rw,rw->r", user, title)
        scores[rows] = 0.5 * (1 + np.tanh(margin / 2))  # the logistic function, without overflow
    return scores


def _loss(network: NrmsNetwork, words: Tensor, clicks: Sequence[Click]) -> Tensor:
    """Mean cross-entropy of each click, the first of its candidates, against the others."""
    history, history_mask = _padded([click.history for click in clicks], NUM_HISTORY)
    shown, shown_mask = _padded(
        [(click.clicked, *click.others) for click in clicks], 1 + NUM_NEGATIVES
    )
    # A title is in many histories of a batch, and is encoded once.
    used, place = torch.unique(torch.cat([history, shown], dim=1), return_inverse=True)
    vectors = network.titles(words[used])[place]
    clicked, candidates = vectors[:, :NUM_HISTORY], vectors[:, NUM_HISTORY:]
    user = network.users(clicked, history_mask)
    margin = torch.einsum("nw,ncw->nc", user, candidates).masked_fill(~shown_mask, -torch.inf)
    return F.cross_entropy(margin, torch.zeros(len(clicks), dtype=torch.long))


def _padded(rows: Sequence[tuple[int, ...]], length: int) -> tuple[Tensor, Tensor]:
    """Rows of places as places in `_title_words`, and a mask, both (rows, length).

    An empty row gets the empty title, so that attention always has something to attend to.
    """
    places = np.zeros((len(rows), length), dtype=np.int64)
    for number, row in enumerate(rows):
        places[number, : len(row)] = np.add(row, 1)
    mask = places > 0
    mask[:, 0] = True
    return torch.from_numpy(places), torch.from_numpy(mask)


def _vocabulary(titles: Sequence[str], spaced: bool = True) -> dict[str, int]:
    """Ids of the most frequent words, from 2 on; padding and unknown words have the first two."""
    counts = Counter(word for title in titles for word in words(title, spaced=spaced))
    kept = [word for word, count in counts.most_common(MAX_WORDS) if count >= MIN_WORD_COUNT]
    return {word: place for place, word in enumerate(kept, start=2)}


def _title_words(titles: Sequence[str], word_ids: dict[str, int], spaced: bool = True) -> Tensor:
    """Word ids, (1 + titles, NUM_TITLE_NGRAMS); row 0 is the empty title, one unknown word."""
    ids = np.full((1 + len(titles), NUM_TITLE_NGRAMS), _PADDING, dtype=np.int64)
    ids[:, 0] = _UNKNOWN
    for row, title in enumerate(titles, start=1):
        first = chain.from_iterable(runs(title, spaced=spaced)[:NUM_TITLE_WORDS])
        found = [word_ids.get(word, _UNKNOWN) for word in islice(first, NUM_TITLE_NGRAMS)]
        ids[row, : len(found)] = found
    return torch.from_numpy(ids)
