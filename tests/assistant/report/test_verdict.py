"""The verdict on each task and on all: it claims no more than the intervals show."""

from collections.abc import Callable
from typing import Any

import pytest

from newsrec.assistant.report.judged import judged_tasks
from newsrec.assistant.report.summary import summary_markdown
from newsrec.assistant.report.verdict import notices, sentences, task_verdicts, verdict
from tests.assistant.report import made_up

MODEL = {"source": "huggingface", "num_parameters": 600_000_000}


@pytest.fixture
def metrics() -> dict[str, Any]:
    """All better than base; better than the best baseline on all tasks but `answer`."""
    return made_up.metrics()


def set_gain(metrics: dict[str, Any], task: str, system: str, value: float, width: float) -> None:
    of_task = metrics["tasks"][task]
    of_task["gains"][system][of_task["primary"]] = made_up.gain(value, width)


def of_task(metrics: dict[str, Any], name: str) -> str:
    (found,) = (one for one in task_verdicts(metrics) if one.name == name)
    return sentences(found)


def test_a_better_task_is_said_with_both_rivals_and_their_figures(metrics: dict[str, Any]) -> None:
    assert of_task(metrics, "scenario") == (
        "The tuned model's accuracy is 0.970 (95 % interval 0.949 to 0.991) on 40 test rows. It is "
        "better than its untuned base (0.020): +0.950, 95 % interval +0.919 to +0.981, "
        "p = 0.002. It is better than the best baseline, character TF-IDF (0.930): +0.040, 95 % "
        "interval +0.009 to +0.071, p = 0.002."
    )


def test_a_gain_whose_interval_holds_zero_is_no_gain(metrics: dict[str, Any]) -> None:
    assert (
        "It is not significantly different from the best baseline, the answer of the nearest "
        "training question (79.9): +1.0, 95 % interval \u22122.1 to +4.1, p = 0.210."
    ) in of_task(metrics, "answer")
    set_gain(metrics, "answer", "nearest", 1.0, 0.96)  # low: +0.04, printed as 0.0
    assert "It is not significantly different from the best baseline" in of_task(metrics, "answer")
    set_gain(metrics, "answer", "nearest", 1.0, 0.9)
    assert "It is better than the best baseline, the answer" in of_task(metrics, "answer")


def test_a_worse_task_is_said_so(metrics: dict[str, Any]) -> None:
    set_gain(metrics, "kind", "tfidf", -0.1, 0.05)
    assert "It is worse than the best baseline, character TF-IDF (0.930): \u22120.100" in of_task(
        metrics, "kind"
    )


def test_what_was_not_measured_is_not_claimed(metrics: dict[str, Any]) -> None:
    answer = metrics["tasks"]["answer"]
    del answer["systems"]["nearest"], answer["gains"]["nearest"]
    assert of_task(metrics, "answer").endswith("No baseline was measured on this task.")
    assert "No baseline was measured on answer." in verdict(task_verdicts(metrics)).text
    del answer["gains"]["base"]
    assert "It was not compared with its base." in of_task(metrics, "answer")


def test_the_best_baseline_is_the_one_with_the_highest_primary_figure(
    metrics: dict[str, Any],
) -> None:
    systems = metrics["tasks"]["kind"]["systems"]
    systems["majority"]["accuracy"]["value"] = systems["tfidf"]["accuracy"]["value"] + 0.001
    (found,) = (one for one in task_verdicts(metrics) if one.name == "kind")
    assert found.baseline is not None
    assert found.baseline.name == "majority"


def test_external_answers_are_no_baseline_and_have_a_sentence_of_their_own(
    metrics: dict[str, Any],
) -> None:
    kind = metrics["tasks"]["kind"]
    title, before = verdict(task_verdicts(metrics)).title, of_task(metrics, "kind")
    for part in ("systems", "gains"):
        kind[part]["all_tasks"] = kind[part]["tfidf"] | {}
    set_gain(metrics, "kind", "all_tasks", -0.1, 0.05)
    assert verdict(task_verdicts(metrics)).title == title
    assert of_task(metrics, "kind") == (
        f"{before} It is worse than the external system all_tasks (0.930): \u22120.100, "
        "95 % interval \u22120.150 to \u22120.050, p = 0.002."
    )


def all_better(metrics: dict[str, Any]) -> None:
    set_gain(metrics, "answer", "nearest", 9.0, 1.0)


def one_same(metrics: dict[str, Any]) -> None:
    """As it is."""


def one_worse(metrics: dict[str, Any]) -> None:
    set_gain(metrics, "answer", "nearest", -9.0, 1.0)
    set_gain(metrics, "kind", "tfidf", -0.1, 0.01)


def nothing_shown(metrics: dict[str, Any]) -> None:
    for name, task in metrics["tasks"].items():
        for system in task["gains"]:
            set_gain(metrics, name, system, 0.0, 1.0)


def one_left_out(metrics: dict[str, Any]) -> None:
    metrics["left_out"] = "answer"


def no_baselines(metrics: dict[str, Any]) -> None:
    for task in metrics["tasks"].values():
        task["gains"] = {"base": task["gains"]["base"]}


def no_gains(metrics: dict[str, Any]) -> None:
    for task in metrics["tasks"].values():
        task["gains"] = {}


@pytest.mark.parametrize(
    ("change", "title", "said"),
    [
        (
            all_better,
            "The tuned model is better than its base and than the best baseline on every task",
            "The tuned model is better than the best baseline on every task.",
        ),
        (
            one_same,
            "The tuned model is better than its base on every task and is better than the best "
            "baseline on 3 of 4 tasks",
            "The tuned model is better than the best baseline on scenario, kind and file_name; it "
            "is not significantly different from the best baseline on answer.",
        ),
        (
            one_worse,
            "The tuned model is better than its base on every task and is worse than the best "
            "baseline on kind and answer",
            "it is worse than the best baseline on kind and answer.",
        ),
        (
            nothing_shown,
            "The tuned model is not significantly different from its base on any task and is not "
            "significantly different from the best baseline on any task",
            "The tuned model is not significantly different from its base on any task.",
        ),
        (
            one_left_out,
            "The tuned model is better than its base and than the best baseline on every task "
            "that it was trained on",
            "The task answer is not counted: the model was not trained on it.",
        ),
        (
            no_baselines,
            "The tuned model is better than its base on every task",
            "No baseline was measured on scenario, kind, answer and file_name.",
        ),
        (no_gains, "The tuned model was not compared", "No baseline was measured on"),
    ],
)
def test_the_title_is_no_better_than_the_tasks(
    change: Callable[[dict[str, Any]], None], title: str, said: str, metrics: dict[str, Any]
) -> None:
    change(metrics)
    found = verdict(task_verdicts(metrics))
    assert found.title == title
    assert said in found.text


def test_a_task_without_training_is_marked_wherever_it_is_named(metrics: dict[str, Any]) -> None:
    one_left_out(metrics)
    assert of_task(metrics, "answer").startswith("It was not trained on this task. The tuned")
    tasks = task_verdicts(metrics)
    ((kind, title, text),) = notices(tasks, MODEL)
    assert (kind, title) == ("warn", "answer was left out of training.")
    assert text.startswith("Its figures are those of a model that was trained on the other tasks")
    assert text.endswith(of_task(metrics, "answer"))
    assert "| `answer` (not trained on) | 40 | chrF |" in summary_markdown(metrics, MODEL)
    assert [title for _, title, _ in notices(tasks, MODEL | {"source": "tiny"})] == [
        "Tiny model.",
        "answer was left out of training.",
    ]


def test_the_summary_fits_a_terminal_and_has_a_row_for_each_task(metrics: dict[str, Any]) -> None:
    metrics["protocol"]["model"] = "<script>|`a`"
    text = summary_markdown(metrics, MODEL | {"source": "tiny"})
    lines = text.splitlines()
    assert 10 <= len(lines) <= 20
    assert lines[0].startswith("**The tuned model is better than its base on every task")
    assert "> **Tiny model.**" in text
    assert (
        "| `file_name` | 40 | exact match | 0.950 (0.929–0.971) | 0.010 | better: +0.940 (+0.909 "
        "to +0.971) | `pattern` 0.700 | better: +0.250 (+0.219 to +0.281) |"
    ) in lines
    assert sum(line.startswith("| `") for line in lines) == 4
    assert "<script" not in text


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (0.6, 0.9, "The judge prefers the tuned model: of 40 pairs, 30 for tuned, 3 for base"),
        (0.1, 0.4, "The judge prefers the base"),
        (0.4, 0.6, "The judge shows no preference"),
        (0.5001, 0.6, "The judge shows no preference"),
    ],
)
def test_a_judge_prefers_what_its_interval_shows(low: float, high: float, says: str) -> None:
    found = dict(made_up.JUDGE["answer"])
    found["tuned_preferred"] = {"value": 0.5, "low": low, "high": high}
    (judged,) = judged_tasks({"answer": found})
    assert judged.sentence.startswith(says)
    assert "the same for 0.946 of them (95 % interval 0.870 to 0.990)" in judged.sentence


def test_a_judge_without_verdicts_says_nothing() -> None:
    found = {
        name: value
        for name, value in made_up.JUDGE["answer"].items()
        if name not in ("agreement", "tuned_preferred")
    }
    (judged,) = judged_tasks({"answer": found})
    assert judged.sentence.startswith("The judge gave no verdict")
    assert judged.shares == [("–", ""), ("–", "")]
    assert judged_tasks(None) == []


def test_a_task_with_too_few_clusters_for_a_verdict_has_a_notice(metrics: dict[str, Any]) -> None:
    assert not notices(task_verdicts(metrics), MODEL)
    metrics["tasks"]["kind"] |= {"num_rows": 9, "num_clusters": 5}
    ((kind, title, text),) = notices(task_verdicts(metrics), MODEL)
    assert (kind, title) == ("warn", "kind has too few test rows for a verdict.")
    assert text.startswith("Its 9 test rows lie in 5 clusters of near copies.")
    metrics["tasks"]["kind"]["num_clusters"] = 6
    assert not notices(task_verdicts(metrics), MODEL)


def test_a_task_that_is_measured_by_free_text_has_a_notice(metrics: dict[str, Any]) -> None:
    metrics["tasks"]["kind"]["by_text"] = True
    ((kind, title, text),) = notices(task_verdicts(metrics), MODEL)
    assert (kind, title) == ("warn", "kind is measured by free text.")
    assert "only one of the two models" in text
