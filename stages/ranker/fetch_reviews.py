"""Fetch the ratings and the metadata of a category, and check every row.

Reads   params: fetch_reviews; the folder fetch_reviews.path (where fetch_reviews.source is local)
Writes  data/raw (ratings.csv and meta.jsonl, or with .gz), metrics/fetch_reviews.json
Run     dvc repro fetch_reviews      (alone: python -m stages.ranker.fetch_reviews)
"""

import shutil
from pathlib import Path

from newsrec.files import atomic_folder, sha256_folder, write_json
from newsrec.params.load import load_params
from newsrec.ranker.corpus.synthetic import write_synthetic
from newsrec.ranker.params import FetchReviews, Params
from newsrec.ranker.reviews.sources import (
    Files,
    check_category,
    fetch_huggingface_reviews,
    find_local,
    lay_out,
)
from newsrec.running.stage import run_stage

TARGET = Path("data/raw")
WORK = Path(".work/fetch_reviews")  # outlives a kill, so that a download resumes


def main() -> None:
    reviews = load_params(Params).fetch_reviews
    check_category(reviews.category)
    files = _source(reviews)
    with atomic_folder(TARGET) as draft:
        counts = lay_out(files, draft, move=reviews.source != "local")
    shutil.rmtree(WORK, ignore_errors=True)
    digest = sha256_folder(TARGET)
    write_json(
        Path("metrics/fetch_reviews.json"),
        {
            "source": reviews.source,
            "category": reviews.category,
            **counts,
            "digest": digest,
            "protocol": {"data": f"{reviews.category} ({reviews.source}), {digest[:12]}"},
        },
    )
    print(
        f"fetch_reviews: {counts['num_ratings']:,} ratings and {counts['num_items']:,} items of "
        f"{reviews.category}, in {TARGET}"
    )


def _source(reviews: FetchReviews) -> Files:
    """The two files, as the data set has them."""
    if reviews.source == "local":
        return find_local(Path(reviews.path), reviews.category)
    if reviews.source == "huggingface":
        return fetch_huggingface_reviews(reviews.repo, reviews.revision, reviews.category, WORK)
    assert reviews.synthetic is not None
    shutil.rmtree(WORK, ignore_errors=True)
    size = reviews.synthetic
    write_synthetic(WORK, size.num_users, size.num_items, size.seed, reviews.category)
    return find_local(WORK, reviews.category)


if __name__ == "__main__":
    run_stage(main)
