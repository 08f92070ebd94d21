"""Fetch MIND, check every row and lay it out as train, val and test.

Reads   params: fetch_mind; the folder fetch_mind.path (where fetch_mind.source is local)
Writes  data/raw/{train,val,test,unlabelled}, metrics/fetch_mind.json
Run     dvc repro fetch_mind      (alone: python -m stages.fetch_mind)
"""

import shutil
from pathlib import Path

from newsrec.files import atomic_folder, sha256_folder, write_json
from newsrec.news.mind.download import fetch_zips
from newsrec.news.mind.layout import check_archives
from newsrec.news.mind.sources import split_folders
from newsrec.news.mind.synthetic import write_synthetic
from newsrec.news.params import FetchMind, Params
from newsrec.params.load import load_params
from newsrec.running.stage import run_stage

TARGET = Path("data/raw")
WORK = Path(".work/fetch_mind")  # outlives a kill, so that a download resumes


def main() -> None:
    mind = load_params(Params).fetch_mind
    source = _source(mind)
    with atomic_folder(TARGET) as draft:
        counts = split_folders(source, draft, mind.split, mind.seed)
        (draft / "unlabelled").mkdir(exist_ok=True)  # an output of dvc.yaml must be there
    shutil.rmtree(WORK, ignore_errors=True)
    write_json(
        Path("metrics/fetch_mind.json"),
        {
            "source": mind.source,
            "num_impressions": counts,
            "digest": (digest := sha256_folder(TARGET)),
            "protocol": {"data": f"{mind.source}, {digest[:12]}", "split": _split(mind)},
        },
    )
    summary = ", ".join(f"{count:,} {split}" for split, count in counts.items())
    print(f"fetch_mind: {summary} impressions in {TARGET}")


def _split(mind: FetchMind) -> str:
    return f"{mind.split}, seed {mind.seed}" if mind.split == "by_user" else mind.split


def _source(mind: FetchMind) -> Path:
    """The folder that holds MIND's own files."""
    if mind.source == "local":
        return Path(mind.path)
    if mind.source == "huggingface":
        check_archives(mind.files)
        fetched = fetch_zips(mind.repo, mind.revision, mind.files, WORK / "hub")
        # Beside them may lie what an interrupted run with other files left.
        source = WORK / "source"
        shutil.rmtree(source, ignore_errors=True)
        source.mkdir(parents=True)
        for folder in fetched:
            folder.rename(source / folder.name)
        return source
    assert mind.synthetic is not None
    shutil.rmtree(WORK, ignore_errors=True)
    size = mind.synthetic
    write_synthetic(WORK, size.num_users, size.num_news, size.num_days, mind.seed)
    return WORK


if __name__ == "__main__":
    run_stage(main)
