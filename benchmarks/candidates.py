"""Made-up evaluation sets of whole impressions, with the counts of MIND's."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.engines.request import Prompts
from newsrec.files import atomic_file
from newsrec.news.mind.sample_files import PROMPTS_SCHEMA
from newsrec.news.mind.synthetic import TAILS, TOPICS
from newsrec.news.prompt_pieces import LISTS

NUM_CANDIDATES = 37  # of an impression, the mean of MIND
NUM_NEWS = 100_000
NUM_SHOWN = 3  # titles of each list of a prompt, as conf/config.yaml
_WORDS = sorted({word for parts in TOPICS.values() for part in parts for word in part.split()})
_IMPRESSIONS_AT_ONCE = 1_000


def make_titles(num_titles: int, seed: int) -> list[str]:
    """Titles of 6 to 12 words, about as many tokens as those of MIND."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 10, num_titles)
    words = iter(rng.choice(_WORDS, lengths.sum()).tolist())
    tails = rng.choice(TAILS, num_titles)
    return [
        " ".join([*(next(words) for _ in range(length)), str(tail)]).capitalize()
        for length, tail in zip(lengths, tails, strict=True)
    ]


def write_candidates(target: Path, num_impressions: int, seed: int = 1) -> int:
    """Write the evaluation set, once; a few news are shown far more often than the others.

    Returns:
        The number of prompts.
    """
    if target.exists():
        return int(pq.read_metadata(target).num_rows)
    titles = pa.array(make_titles(NUM_NEWS, seed))
    rng = np.random.default_rng(seed)
    with atomic_file(target) as draft, pq.ParquetWriter(draft, PROMPTS_SCHEMA) as writer:
        for start in range(0, num_impressions, _IMPRESSIONS_AT_ONCE):
            numbers = np.arange(start, min(start + _IMPRESSIONS_AT_ONCE, num_impressions))
            of_row = np.repeat(np.arange(len(numbers)), NUM_CANDIDATES)
            targets = _draw(rng, len(of_row))
            columns: dict[str, pa.Array] = {
                "impression_id": pa.array(numbers[of_row].astype(str)),
                "user_id": pa.array(numbers[of_row].astype(str)),
                "news_id": pa.array(targets.astype(str)),
                "label": pa.nulls(len(of_row), pa.int8()),
                "target": titles.take(pa.array(targets)),
            }
            ends = pa.array(np.arange(len(of_row) + 1, dtype=np.int32) * NUM_SHOWN)
            for name in LISTS:
                shown = _draw(rng, len(numbers) * NUM_SHOWN).reshape(-1, NUM_SHOWN)[of_row]
                taken = titles.take(pa.array(shown.ravel()))
                columns[name] = pa.ListArray.from_arrays(ends, taken)
            writer.write_table(pa.table(columns).select(PROMPTS_SCHEMA.names).cast(PROMPTS_SCHEMA))
    return num_impressions * NUM_CANDIDATES


def _draw(rng: np.random.Generator, number: int) -> np.ndarray:
    return (NUM_NEWS * rng.random(number) ** 3).astype(np.int64)


def unique_tokens(prompts: Prompts) -> int:
    """Tokens of all prompts, without what each has in common with the beginning of the last."""
    found, before = 0, np.zeros(0)
    for batch in prompts.token_ids():
        values, offsets = batch.flatten().to_numpy(), batch.offsets.to_numpy()
        for start, end in zip(offsets[:-1] - offsets[0], offsets[1:] - offsets[0], strict=True):
            ids = values[start:end]
            shared = min(len(ids), len(before))
            differs = ids[:shared] != before[:shared]
            found += len(ids) - (int(differs.argmax()) if differs.any() else shared)
            before = ids
    return found
