"""What must hold before a result is given to others; each gate says what is wrong and what to do.

A gate is a function that yields a sentence for each thing that is wrong.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo

from newsrec.provenance import uncommitted

_NUM_NAMED = 3  # files or stages named in a sentence


def committed_run() -> Iterator[str]:
    """Whether the results here are those of the last commit, and of its code, data and params."""
    if files := uncommitted():
        yield f"files differ from the last commit: {_some(files)}; commit or remove them"
    try:
        with Repo() as repo:
            changed = sorted(repo.status())
    except DvcException as error:
        yield f"dvc status fails: {error}; run this in the folder of a pipeline"
        return
    if changed:
        yield (
            f"dvc status names {_some(changed)}: results here are missing or do not belong to this "
            "commit; dvc checkout brings back what was run, else run dvc repro and commit"
        )


def checked_engine(check: Mapping[str, Any]) -> Iterator[str]:
    """Whether the figures are of the model as transformers, which trained it, reads it.

    Args:
        check: what metrics/check_engine_tuned.json holds.
    """
    if check["engine"] == "openai-api":
        yield (
            "the figures are answers of a server (engine=openai-api), whose weights were not "
            "compared with these; score with engine=vllm or engine=transformers"
        )
    elif check["engine"] == "vllm" and not 0 <= check["max_difference"] <= check["tolerance"]:
        yield (
            f"vLLM's log-probabilities differ by {check['max_difference']:.2g} from transformers', "
            f"tolerance {check['tolerance']:g}; score with engine=transformers"
        )


def checked_merge(merge: Mapping[str, Any], evaluated: Mapping[str, str]) -> Iterator[str]:
    """Whether this is one model, that answers as what was trained, and that the figures are of.

    Args:
        merge: what metrics/merge.json holds.
        evaluated: the protocol of the figures.
    """
    if merge["kind"] not in ("lora", "model"):
        yield (
            "what was trained cannot be merged, and beside its base it is no model that others can "
            "load; train by lora, qlora, full or freeze"
        )
    elif not merge["max_logit_difference"] <= merge["tolerance"] * merge["rounding"]:
        yield (
            f"the written model's logits differ by {merge['max_logit_difference']:.3g}, more than "
            f"{merge['tolerance']:g} times rounding; run dvc repro --force merge"
        )
    other = [name for name, value in merge["protocol"].items() if evaluated.get(name) != value]
    if other:
        yield f"the figures are of another model ({_some(other)} differ); run dvc repro and commit"


def not_tiny(model: Mapping[str, Any]) -> Iterator[str]:
    """Whether the base is a language model.

    Args:
        model: what metrics/fetch_model.json holds.
    """
    if model["source"] == "tiny":
        yield (
            "the model is the tiny test model, which shows that the pipeline runs and no more than "
            "that; choose another one (docs/real-run.md)"
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
    return ", ".join(names[:_NUM_NAMED]) + more
