"""Whole pipelines with a model of one layer and a handful of rows, on transformers."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from newsrec.params.compose import compose
from newsrec.safety.labels import CLASSES
from tests.faults import stopping
from tests.trees import ENV, commit, copy_tree, run

SETTINGS = [
    "engine=transformers",
    "fetch_model.tiny.hidden_size=32",
    "fetch_model.tiny.num_layers=1",
    "fetch_model.tiny.steps=20",
    "fetch_mind.synthetic.num_users=60",
    "fetch_mind.synthetic.num_news=120",
    "preprocess.num_impressions=12",
    "preprocess.num_val_impressions=6",
    "preprocess.max_samples.train=60",
    "preprocess.max_samples.val=8",
    "train.max_steps=6",
    "train.save_steps=2",
    "train.logging_steps=1",
    "train.batch_size=4",
    "train.gradient_accumulation_steps=1",
    "baselines.nrms_epochs=1",
    "evaluate.num_resamples=20",
]
SAFETY = [
    "engine=transformers",
    "fetch_model.tiny.hidden_size=32",
    "fetch_model.tiny.num_layers=1",
    "fetch_model.tiny.steps=20",
    "score.max_model_len=1088",
    "extract.corpus.num_documents=600",
    "prepare.num_evasion=6",
    "train.max_steps=6",
    "train.save_steps=2",
    "train.logging_steps=1",
    "train.batch_size=4",
    "evaluate.num_resamples=20",
]
SAFETY_QUOTAS = {"train": 20, "val": 6, "test": 8}  # rows of each class
# Seconds and memory are in these.
VARYING = ("metrics/train.json", "metrics/timings/")


def make_small(tree: Path) -> None:
    """The pipeline, run to its end."""
    copy_tree(tree)
    compose(tree / "params.yaml", SETTINGS)
    commit(tree)
    run(tree, "dvc", "repro")


def make_small_safety(tree: Path) -> None:
    """The safety pipeline, run to its end; beside it how many files each stage renames."""
    copy_tree(tree)
    shutil.copyfile(Path(stopping.__file__), tree / "sitecustomize.py")
    folder, renames = tree / "pipelines/safety", tree.parent / "renames"
    compose(folder / "params.yaml", SAFETY, "safety")
    values = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    # Hydra's command line knows no such keys.
    values["extract"]["quotas"] = {
        split: dict.fromkeys(CLASSES, number) for split, number in SAFETY_QUOTAS.items()
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    commit(tree)
    renames.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENV, "RENAMES", str(renames))
        run(folder, "dvc", "repro")


def copy_without(finished: Path, tree: Path, stage: str, pipeline: str = ".") -> Path:
    """A copy of a finished tree in which DVC knows nothing of one stage: `repro -s` must run it.

    Returns the pipeline's folder in the copy.
    """
    shutil.copytree(finished, tree, symlinks=True, ignore=shutil.ignore_patterns("cache", ".work"))
    folder = tree / pipeline
    lock = folder / "dvc.lock"
    values = yaml.safe_load(lock.read_text())
    for out in values["stages"].pop(stage)["outs"]:
        path = folder / out["path"]
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    lock.write_text(yaml.safe_dump(values, sort_keys=False))
    return folder


def outputs(tree: Path, stage: str) -> dict[str, bytes]:
    """What a stage wrote, as dvc.lock names it, but what differs from run to run."""
    outs = yaml.safe_load((tree / "dvc.lock").read_text())["stages"][stage]["outs"]
    paths = [tree / out["path"] for out in outs]
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    found = {
        file.relative_to(tree).as_posix(): file.read_bytes() for file in files if file.is_file()
    }
    return {name: found[name] for name in sorted(found) if not name.startswith(VARYING)}


def drafts(tree: Path) -> list[Path]:
    """What is half-written beside outputs."""
    names = ("models", "data", "metrics", "plots", "reports", ".work", ".")
    folders = [tree / name for name in names]
    return [
        path
        for folder in folders
        for path in (folder.rglob(".*.????????") if folder != tree else folder.glob(".*.????????"))
    ]


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk of that size; skips the test where none can be mounted."""
    folder.mkdir()
    options = f"size={megabytes}m"
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o {options} tmpfs {folder} 2>/dev/null"):
        pytest.skip("no disk can be mounted here")
    try:
        yield folder
    finally:
        run(folder.parent, "umount", "--lazy", folder)


def fill(disk: Path, kilobytes: int) -> Path:
    """A file that leaves that much of the disk."""
    filler = disk / "filler"
    with filler.open("wb") as stream:
        free = shutil.disk_usage(disk).free
        os.posix_fallocate(stream.fileno(), 0, free - kilobytes * 1024)
    return filler
