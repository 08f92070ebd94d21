"""The prompts of an unlabelled split: every candidate whose clicks only the leaderboard knows."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from newsrec.errors import UserError
from newsrec.files import atomic_file
from newsrec.news.mind.blocks import NewsCodes, read_blocks
from newsrec.news.mind.draws import draws_of
from newsrec.news.mind.news_columns import read_news_columns
from newsrec.news.mind.sample_files import PROMPTS_SCHEMA, SCORE
from newsrec.news.mind.samples import SPLITS, samples_of, with_feedback
from newsrec.news.mind.store import impression_store
from newsrec.news.mind.targets import num_targets, targets
from newsrec.news.mind.titles import shown_titles

UNLABELLED = "unlabelled"
_BATCH_ROWS = 5_000


def write_candidates_unlabelled(
    raw: Path,
    target: Path,
    *,
    feedback: str,
    num_history: int,
    num_feedback: int,
    seed: int,
    num_impressions: int | None = None,
) -> int:
    """Write the candidates of the unlabelled split as an evaluation set; every label is null.

    Args:
        raw: holds train, val, test and unlabelled, each with news.tsv and behaviors.tsv.
        target: the Parquet file to write; a scratch file is beside it meanwhile.
        feedback: `earlier` shows what the user liked in the labelled splits before the impression,
            `none` nothing.
        num_history: the last clicked titles shown, at most.
        num_feedback: liked titles shown at most, and disliked ones.
        seed: of the draw of impressions.
        num_impressions: drawn, for a trial; None takes all, as the leaderboard wants.

    Returns:
        The number of prompts: candidates that have a title in news.tsv.

    Raises:
        UserError: a fault in the raw files, no unlabelled split or nothing of it to score, or
            feedback that needs the labels.
    """
    if feedback == "same_impression":
        raise UserError(
            "prompt.feedback is 'same_impression', which shows the labels of the impression; an "
            "unlabelled split has none; expected 'earlier' or 'none': set it and train again"
        )
    if not (raw / UNLABELLED / "behaviors.tsv").is_file():
        raise UserError(
            f"{raw / UNLABELLED}: no behaviors.tsv; expected the impressions without labels "
            "(MIND's test); add them to the data of fetch_mind.source and run: dvc repro fetch_mind"
        )
    titles: dict[str, str] = {}
    for split in (*SPLITS, UNLABELLED):
        titles |= shown_titles(read_news_columns(raw / split / "news.tsv"))

    # Labelled impressions are walked for the feedback that they give, and not scored.
    others = feedback == "earlier"
    codes = NewsCodes(titles)
    with impression_store(target.parent) as store:
        for split in (*SPLITS, UNLABELLED) if others else (UNLABELLED,):
            path = raw / split / "behaviors.tsv"
            store.open(split, path)
            with tqdm(desc=f"reading {split}", mininterval=5) as progress:
                for block in read_blocks(path, codes):
                    draws = draws_of(seed, split, block.impression_ids)
                    is_titled = block.candidates.codes < len(titles)
                    found = num_targets(block, is_titled, "all", 1.0, draws)
                    is_scored = split == UNLABELLED
                    store.add(split, block, draws, found if is_scored else np.zeros_like(found))
                    progress.update(len(block))
            store.check_ids(split)
        if store.select(UNLABELLED, SCORE, None, num_impressions) == 0:
            raise UserError(
                f"{raw / UNLABELLED / 'behaviors.tsv'}: no impression left to score; expected a "
                "candidate with a title in news.tsv, and num_impressions above 0; correct the "
                "files of fetch_mind"
            )
        with (
            atomic_file(target) as draft,
            # No other columns: they would be a waste at tens of millions of rows.
            pq.ParquetWriter(draft, PROMPTS_SCHEMA, compression="zstd") as writer,
            tqdm(desc="writing prompts", unit="prompt", mininterval=5) as progress,
        ):
            count, rows = 0, list[dict[str, Any]]()
            for moment, liked, disliked in with_feedback(store, others, titles, num_feedback):
                for stored in moment:
                    if not stored.purpose:
                        continue
                    places = targets(stored.impression, titles, "all", 1.0, 0)
                    rows += samples_of(
                        stored, places, titles, feedback, num_history, num_feedback, liked, disliked
                    )
                if len(rows) >= _BATCH_ROWS:
                    writer.write_table(pa.Table.from_pylist(rows, schema=PROMPTS_SCHEMA))
                    count += len(rows)
                    progress.update(len(rows))
                    rows.clear()
            if rows:
                writer.write_table(pa.Table.from_pylist(rows, schema=PROMPTS_SCHEMA))
            return count + len(rows)
