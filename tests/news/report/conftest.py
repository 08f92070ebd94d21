"""What the stage gives to the page, small."""

import copy
from typing import Any

import pandas as pd
import pytest

from tests.report.reading import HOSTILE


def figures(auc: float) -> dict[str, float]:
    named = {
        "auc": auc, "mrr": 0.3, "ndcg_at_5": 0.5, "ndcg_at_10": 0.6, "pooled_auc": auc,
        "accuracy": 0.6, "precision": 0.4, "recall": 0.7, "f1": 0.5, "log_loss": 0.6,
        "brier": 0.2, "ece": 0.1,
    }  # fmt: skip
    bounds = {f"{key}_low": value - 0.03 for key, value in named.items()}
    bounds |= {f"{key}_high": value + 0.03 for key, value in named.items()}
    counts = {"tn": 50, "fp": 10, "fn": 5, "tp": 15, "num_impressions": 10, "num_candidates": 80}
    return named | bounds | counts | {"num_users": 5, "num_one_class": 1, "tie_rate": 0.0}


def gain(delta: float, half: float = 0.02) -> dict[str, Any]:
    found = {"delta": delta, "low": delta - half, "high": delta + half, "p": 0.002}
    return {key: dict(found) for key in ("auc", "mrr", "ndcg_at_10", "accuracy")}


def evaluation(tuned: float = 0.7, base: float = 0.5, probe: float = 0.55) -> dict[str, Any]:
    aucs = {"base": base, "tuned": tuned, "leak_probe": probe, "random": 0.5, "nrms": 0.6}
    metrics: dict[str, Any] = {
        "protocol": {"data": "made up", "feedback": "earlier", "candidates": "all"}
    }
    metrics |= {name: figures(auc) for name, auc in aucs.items()}
    for name in ("base", "tuned"):
        metrics[name] |= {"unparsed_rate": 0.0, "answer_mass": 0.9}
    metrics["tuned"] |= {"temperature": 1.1, "ece_calibrated": 0.05}
    metrics["tuned"] |= {"log_loss_calibrated": 0.5, "brier_calibrated": 0.2}
    for key in ("accuracy", "precision", "recall", "f1", "log_loss", "brier", "ece"):
        del metrics["nrms"][key], metrics["nrms"][f"{key}_low"], metrics["nrms"][f"{key}_high"]
    for name, auc in aucs.items():
        if name != "tuned":
            metrics[f"tuned_vs_{name}"] = gain(tuned - auc) | {"detectable_auc": 0.04}
    del metrics["tuned_vs_nrms"]["accuracy"]
    return metrics


def probe(is_leak: bool = False, rule: str = "target has many words means Yes") -> dict[str, Any]:
    """The leak probe of metrics/baselines.json."""
    best = {"rule": "target holds a digit means No", "auc": 0.634}
    return {"rule": rule, "is_leak": is_leak, "train_auc": 0.6, "best_on_test": best}


def arguments() -> dict[str, Any]:
    """The arguments of `render`."""
    slices = {
        "protocol": {},
        "topic": {
            name: {
                model: {"value": 0.6, "low": 0.5, "high": 0.7, "num_clicks": 9}
                for model in ("base", "tuned")
            }
            for name in ("food", HOSTILE)
        },
    }
    audit = {
        "engine": "vllm", "token_yes": 1, "token_no": 2, "token_yes_text": "Yes",
        "token_no_text": "No", "mean_mass_outside": 0.01, "num_unparsed": 0, "num_thinking": 0,
        "num_text_only": 0, "num_prompts": 100, "num_shortened": 0, "num_items_dropped": 0,
        "longest_prompt": 90, "protocol": {},
    }  # fmt: skip
    mistake = {
        "kind": "false positive", "score": 0.9, "label": 0, "text": "Yes.",
        "impression_id": "1", "user_id": "U1", "news_id": "N1", "history": [HOSTILE],
        "liked": ["liked"], "disliked": [], "target": HOSTILE, "category": HOSTILE,
    }  # fmt: skip
    curve = pd.DataFrame({"step": [1, 2], "loss": [0.5, 0.4]})
    roc = pd.DataFrame({"false_positive_rate": [0.0, 0.4, 1.0], "true_positive_rate": [0, 0.7, 1]})
    points = pd.DataFrame(
        {
            "kind": ["raw", "raw", "calibrated"],
            "mean_probability": [0.2, 0.8, 0.5],
            "click_rate": [0.1, 0.6, 0.5],
            "num_rows": [40, 40, 80],
        }
    )
    train = {
        "method": "lora", "num_steps": 9, "num_epochs": 1.0, "num_trainable_parameters": 10,
        "num_total_parameters": 100, "train_loss": 0.4, "val_loss": 0.5,
        "kept_step": 9,
    }  # fmt: skip
    return copy.deepcopy(
        {
            "metrics": evaluation(),
            "slices": slices,
            "model": {
                "source": "tiny",
                "num_parameters": 400_000,
                "name": "tiny-qwen3",
                "digest": "abc",
            },
            "train": train,
            "audits": {"base": audit, "tuned": audit},
            "timings": {
                "score_base": {"seconds": 20.0, "prompts_per_second": 5.0},
                "score_tuned": {"seconds": 20.0, "prompts_per_second": 5.0},
            },
            "row_counts": {"train": {"num_samples": 10}, "shared": {}, "protocol": {}},
            "probe": probe(),
            "train_loss": curve,
            "val_loss": curve,
            "roc": {"base": roc, "tuned": roc},
            "reliability_points": points,
            "mistakes": [mistake],
        }
    )


@pytest.fixture
def given() -> dict[str, Any]:
    """The arguments of `render`, to change."""
    return arguments()


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave matplotlib out, a third of a second a page: for tests that only read its words."""
    for module in ("curves", "figures"):
        name = f"newsrec.report.{module}.inline_svg"
        monkeypatch.setattr(name, lambda *_, **__: "<svg></svg>")
