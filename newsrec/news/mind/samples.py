"""MIND's impressions turned into training samples and the evaluation set.

Impressions are walked user by user in the order of time, so that what a prompt says of a user's
feedback comes from that user's earlier impressions alone (`feedback="earlier"`).
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from newsrec.errors import UserError
from newsrec.news.mind.blocks import NewsCodes, read_blocks
from newsrec.news.mind.draws import draws_of
from newsrec.news.mind.news_columns import read_news_columns
from newsrec.news.mind.row_counts import RowCounts, row_counts_as_json
from newsrec.news.mind.sample_files import SAMPLE, SCORE, SampleFiles
from newsrec.news.mind.store import ImpressionStore, StoredImpression, impression_store
from newsrec.news.mind.tables import News
from newsrec.news.mind.targets import num_targets, targets
from newsrec.news.mind.titles import shown_titles
from newsrec.news.prompts import NO, YES

FEEDBACK_CHOICES = ("earlier", "none", "same_impression")
TARGET_CHOICES = ("last", "sampled")
CANDIDATES_CHOICES = ("all", "last")
SPLITS = ("train", "val", "test")


def preprocess(
    raw: Path,
    processed: Path,
    *,
    feedback: str,
    num_history: int,
    num_feedback: int,
    target: str,
    positive_rate: float,
    max_samples: Mapping[str, int | None],
    test_candidates: str,
    num_val_impressions: int,
    num_test_impressions: int | None,
    seed: int,
) -> dict[str, Any]:
    """Write the training samples and the evaluation set of `raw` into the folder `processed`.

    Args:
        raw: holds train, val and test, each with news.tsv and behaviors.tsv; only read.
        processed: where mind_train.jsonl, mind_val.jsonl, dataset_info.json,
            candidates_val.parquet and candidates_test.parquet go.
        feedback: where liked and disliked news come from, one of `FEEDBACK_CHOICES`.
        num_history: the last clicked titles shown, at most.
        num_feedback: liked titles shown at most, and disliked ones.
        target: `last` predicts the last candidate of an impression; `sampled` a clicked one and as
            many that were not as `positive_rate` asks for.
        positive_rate: the share of clicks among sampled targets, between 0 and 1.
        max_samples: of train and val; None takes all.
        test_candidates: `all` candidates of an impression are scored, or the `last` one.
        num_val_impressions: set aside to calibrate scores on, at most half of val.
        num_test_impressions: of the evaluation set; None takes all.
        seed: of every draw.

    Returns:
        How many rows were read, kept, and left out by reason.

    Raises:
        UserError: a fault in the raw files, or a split of which nothing is left.
    """
    news: dict[str, News] = {}
    titles: dict[str, str] = {}
    for split in SPLITS:
        of_split = read_news_columns(raw / split / "news.tsv")
        news |= of_split
        titles |= shown_titles(of_split)
    blank = news.keys() - titles.keys()
    row_counts = {split: RowCounts() for split in SPLITS}
    # The news that have a title come first, then the blank ones; what has no row is added behind.
    codes = NewsCodes([*titles, *blank])

    with impression_store(processed) as store:
        for split in SPLITS:
            how = test_candidates if split == "test" else target
            path = raw / split / "behaviors.tsv"
            store.open(split, path)
            with tqdm(desc=f"reading {split}", mininterval=5) as progress:
                for block in read_blocks(path, codes):
                    draws = draws_of(seed, split, block.impression_ids)
                    is_titled = block.candidates.codes < len(titles)
                    found = num_targets(block, is_titled, how, positive_rate, draws)
                    row_counts[split].count_read(block, len(titles), len(news), found)
                    store.add(split, block, draws, found)
                    progress.update(len(block))
            store.check_ids(split)
        half_of_val = row_counts["val"].num_impressions_read // 2
        wanted: list[tuple[str, str, int | None, int | None]] = [
            ("train", SAMPLE, max_samples["train"], None),
            # The impressions that calibrate the scores are not those that watch the training.
            ("val", SCORE, None, max(1, min(num_val_impressions, half_of_val))),
            ("val", SAMPLE, max_samples["val"], None),
            ("test", SCORE, None, num_test_impressions),
        ]
        for split, purpose, max_targets, max_impressions in wanted:
            kept = store.select(split, purpose, max_targets, max_impressions)
            if kept == 0:
                how = test_candidates if split == "test" else target
                reason = _why_nothing_is_left(
                    row_counts[split], how, split, max_targets, max_impressions
                )
                raise UserError(
                    f"{raw / split / 'behaviors.tsv'}: no impression left to {purpose}: {reason}"
                )
            row_counts[split].num_impressions_kept += kept
        # Feedback of the same users' other impressions is needed, and theirs alone.
        others = feedback == "earlier"
        num_walked = store.num_to_walk(others)
        train_news = {codes.ids[code] for code in row_counts["train"].news_codes}
        with (
            SampleFiles(processed, news, train_news) as writer,
            tqdm(total=num_walked, desc="writing samples", mininterval=5) as progress,
        ):
            for moment, liked, disliked in with_feedback(store, others, titles, num_feedback):
                progress.update(len(moment))
                for stored in moment:
                    if not stored.purpose:
                        continue
                    how = test_candidates if stored.purpose == SCORE else target
                    places = targets(stored.impression, titles, how, positive_rate, stored.draw)
                    for sample in samples_of(
                        stored, places, titles, feedback, num_history, num_feedback, liked, disliked
                    ):
                        row_counts[stored.split].count_sample(stored.purpose, sample["label"])
                        writer.write(stored.split, stored.purpose, sample)
        _require_both_answers(row_counts["train"], raw / "train/behaviors.tsv")
        return row_counts_as_json(row_counts, store)


def _why_nothing_is_left(
    counts: RowCounts, how: str, split: str, max_targets: int | None, max_impressions: int | None
) -> str:
    """The reason, and what to do about it, where no impression was selected."""
    num_usable = counts.num_impressions_read - counts.num_impressions_without_target
    num_without, num_blank = (
        counts.num_candidates_without_news,
        counts.num_candidates_with_blank_title,
    )
    if num_usable == 0 and num_without == counts.num_candidates_read:
        return (
            f"of its {num_without:,} candidates {num_without - num_blank:,} are not in news.tsv "
            f"and {num_blank:,} have a blank title there; expected titles; restore news.tsv from "
            "the original file"
        )
    if num_usable == 0 and how == "last":
        return (
            "no impression's last candidate has a title in news.tsv; set preprocess.target to "
            "sampled and preprocess.candidates to all"
        )
    if num_usable == 0:
        return (
            "no impression has both a click and another candidate with a title in news.tsv; give "
            "more data, or set preprocess.target to last"
        )
    if counts.num_impressions_kept >= num_usable:
        return (
            f"the only {num_usable:,} with a sample are those that calibrate the scores; give more "
            "data"
        )
    if max_impressions is not None:
        return f"preprocess.num_impressions is {max_impressions}; expected 1 or more, or all"
    return (
        f"preprocess.max_samples.{split} is {max_targets}, fewer than the samples of the first "
        "impression that was drawn; raise it"
    )


def _require_both_answers(train: RowCounts, path: Path) -> None:
    if train.num_positives in (0, train.num_samples):
        answer = NO if train.num_positives == 0 else YES
        raise UserError(
            f"{path}: all {train.num_samples} training samples say {answer!r}; expected both "
            "answers; give more data, or set preprocess.target to sampled and "
            "preprocess.positive_rate closer to 0.5"
        )


def with_feedback(
    store: ImpressionStore, others: bool, titles: Mapping[str, str], num_feedback: int
) -> Iterator[tuple[list[StoredImpression], list[str], list[str]]]:
    """Yield each user's moments with the titles that the user liked and disliked before them.

    Args:
        store: of the impressions.
        others: whether the users' other impressions are read; without them no title is known.
        titles: by news id.
        num_feedback: of either kind, at most.
    """
    user = None
    liked: deque[str] = deque(maxlen=num_feedback)
    disliked: deque[str] = deque(maxlen=num_feedback)
    for moment in store.walk(others):
        if moment[0].impression.user_id != user:
            user = moment[0].impression.user_id
            liked.clear()
            disliked.clear()
        yield moment, list(liked), list(disliked)
        for stored in moment if others else ():
            impression = stored.impression
            if impression.labels is None:
                continue  # what an unlabelled split shows is neither liked nor disliked
            last_first = impression.candidates[::-1], impression.labels[::-1]
            for shown, label in (liked, 1), (disliked, 0):
                of_label = _first_titles(*last_first, label, titles, num_feedback)
                shown.extend(reversed(of_label))


def _first_titles(
    news_ids: Sequence[str],
    labels: Sequence[int],
    label: int,
    titles: Mapping[str, str],
    num: int,
) -> list[str]:
    """The titles of the first `num` news that have this label and a title."""
    found: list[str] = []
    place = -1
    while len(found) < num:
        try:
            place = labels.index(label, place + 1)
        except ValueError:
            break
        if news_ids[place] in titles:
            found.append(titles[news_ids[place]])
    return found


def samples_of(
    stored: StoredImpression,
    places: Iterable[int],
    titles: Mapping[str, str],
    feedback: str,
    num_history: int,
    num_feedback: int,
    liked: list[str],
    disliked: list[str],
) -> Iterator[dict[str, Any]]:
    """Yield what a prompt and its answer are made of, for the candidates at `places`."""
    impression = stored.impression
    labels = impression.labels
    last_first = impression.history[::-1]
    history = _first_titles(last_first, [1] * len(last_first), 1, titles, num_history)[::-1]
    for place in places:
        if feedback == "none":
            liked, disliked = [], []
        elif feedback == "same_impression":
            assert labels is not None
            # The target is neither.
            of_others = [*labels[:place], -1, *labels[place + 1 :]]
            liked, disliked = (
                _first_titles(impression.candidates, of_others, label, titles, num_feedback)
                for label in (1, 0)
            )
        yield {
            "impression_id": impression.impression_id,
            "user_id": impression.user_id,
            "news_id": impression.candidates[place],
            "label": None if labels is None else labels[place],
            "time": impression.time,
            "history": history,
            "liked": liked,
            "disliked": disliked,
            "target": titles[impression.candidates[place]],
            "history_length": len(impression.history),
            "user_in_train": stored.user_in_train,
        }
