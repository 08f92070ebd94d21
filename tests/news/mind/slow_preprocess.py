"""`preprocess` as plain as it can be: every row in memory, one at a time, and no shortcut.

What `newsrec.news.mind.samples` does in blocks is held against it.
"""

import json
import random
from hashlib import blake2b
from pathlib import Path
from typing import Any

from newsrec.chat.text import plain_text
from newsrec.news.mind.tables import Impression, read_behaviors, read_news
from newsrec.news.mind.titles import is_blank
from newsrec.news.prompts import INSTRUCTION, NO, YES, prompt_input

SPLITS = ("train", "val", "test")


def draw_of(seed: int, split: str, impression_id: str) -> int:
    digest = blake2b(f"{seed}:{split}:{impression_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def places_of(
    row: Impression, titles: dict[str, str], how: str, positive_rate: float, draw: int
) -> list[int]:
    known = [place for place, news_id in enumerate(row.candidates) if news_id in titles]
    assert row.labels is not None
    if how == "all":
        return known
    if how == "last":
        return [place for place in known if place == len(row.candidates) - 1]
    clicked = [place for place in known if row.labels[place] == 1]
    others = [place for place in known if row.labels[place] == 0]
    if not clicked or not others:
        return []
    rng = random.Random(draw)
    wanted = (1 - positive_rate) / positive_rate
    num_others = int(wanted) + (rng.random() < wanted % 1)
    return sorted([rng.choice(clicked), *rng.sample(others, min(num_others, len(others)))])


def slow_preprocess(
    raw: Path,
    *,
    feedback: str,
    num_history: int,
    num_feedback: int,
    target: str,
    positive_rate: float,
    max_samples: dict[str, int | None],
    test_candidates: str,
    num_val_impressions: int,
    num_test_impressions: int | None,
    seed: int,
) -> dict[str, Any]:
    """The lines of mind_train.jsonl and mind_val.jsonl, the rows of both tables, and counts."""
    titles: dict[str, str] = {}
    rows: dict[str, list[Impression]] = {}
    for split in SPLITS:
        for news_id, news in read_news(raw / split / "news.tsv").items():
            if not is_blank(plain_text(news.title)):
                titles[news_id] = plain_text(news.title)
        rows[split] = list(read_behaviors(raw / split / "behaviors.tsv"))

    purposes: dict[tuple[str, int], str] = {}
    for split, purpose, max_targets, max_impressions in (
        ("train", "sample", max_samples["train"], None),
        ("val", "score", None, max(1, min(num_val_impressions, len(rows["val"]) // 2))),
        ("val", "sample", max_samples["val"], None),
        ("test", "score", None, num_test_impressions),
    ):
        how = test_candidates if split == "test" else target
        num_targets = num_chosen = 0
        for row in sorted(rows[split], key=lambda row: draw_of(seed, split, row.impression_id)):
            draw = draw_of(seed, split, row.impression_id)
            num = len(places_of(row, titles, how, positive_rate, draw))
            if not num or (split, row.line) in purposes:
                continue
            num_targets += num
            if max_targets is not None and num_targets > max_targets:
                break
            if max_impressions is not None and num_chosen >= max_impressions:
                break
            num_chosen += 1
            purposes[split, row.line] = purpose

    every = [(split, row) for split in SPLITS for row in rows[split]]
    every.sort(key=lambda one: (one[1].user_id.encode(), one[1].time, one[0], one[1].line))
    lines: dict[str, list[str]] = {"train": [], "val": []}
    tables: dict[str, list[dict[str, Any]]] = {"val": [], "test": []}
    for split, row in every:
        user_id, time = row.user_id, row.time
        purpose = purposes.get((split, row.line), "")
        if not purpose:
            continue
        how = test_candidates if purpose == "score" else target
        assert row.labels is not None
        earlier = [one for _, one in every if one.user_id == user_id and one.time < time]
        draw = draw_of(seed, split, row.impression_id)
        for place in places_of(row, titles, how, positive_rate, draw):
            shown = {
                label: [
                    titles[news_id]
                    for before in earlier
                    for news_id, found in zip(before.candidates, before.labels or (), strict=True)
                    if found == label and news_id in titles
                ][-num_feedback:]
                for label in (1, 0)
            }
            if feedback == "none":
                shown = {1: [], 0: []}
            if feedback == "same_impression":
                shown = {
                    label: [
                        titles[news_id]
                        for other, news_id in enumerate(row.candidates)
                        if other != place and row.labels[other] == label and news_id in titles
                    ][:num_feedback]
                    for label in (1, 0)
                }
            history = [titles[news_id] for news_id in row.history if news_id in titles]
            news_id, label = row.candidates[place], row.labels[place]
            if purpose == "sample":
                text = prompt_input(history[-num_history:], shown[1], shown[0], titles[news_id])
                sample = {
                    "instruction": INSTRUCTION,
                    "input": text,
                    "output": YES if label else NO,
                    "user_id": user_id,
                    "impression_id": row.impression_id,
                    "news_id": news_id,
                }
                lines[split].append(json.dumps(sample, ensure_ascii=False))
            else:
                tables[split].append(
                    {
                        "impression_id": row.impression_id,
                        "user_id": user_id,
                        "news_id": news_id,
                        "label": label,
                        "time": time,
                        "history": history[-num_history:],
                        "liked": shown[1],
                        "disliked": shown[0],
                        "target": titles[news_id],
                        "user_in_train": user_id in {one.user_id for one in rows["train"]},
                        "news_in_train": any(
                            news_id in one.candidates or news_id in one.history
                            for one in rows["train"]
                        ),
                        "history_length": len(row.history),
                    }
                )
    counts = {
        split: {
            "num_candidates_without_news": sum(
                news_id not in titles for row in rows[split] for news_id in row.candidates
            ),
            "num_history_ids_without_news": sum(
                news_id not in titles for row in rows[split] for news_id in row.history
            ),
            "num_news": len(
                {news_id for row in rows[split] for news_id in row.candidates + row.history}
            ),
            "num_clicks_read": sum(sum(row.labels or ()) for row in rows[split]),
            "num_users": len({row.user_id for row in rows[split]}),
        }
        for split in SPLITS
    }
    return {"lines": lines, "tables": tables, "counts": counts}
