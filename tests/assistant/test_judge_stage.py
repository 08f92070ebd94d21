"""The stage judge: real replies of a local server, and what evaluate makes of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from newsrec.assistant.judge import PROMPT, ask_judge
from newsrec.assistant.verdicts import JUDGED_SCHEMA
from newsrec.engines.settings import KEY_VARIABLE, URL_VARIABLE, ApiSettings
from newsrec.errors import UserError
from newsrec.files import read_json
from stages.assistant import evaluate, judge
from tests import ROOT
from tests.assistant.judge_server import JudgeServer, judging, longer
from tests.assistant.planted import right, rows_of, write_answers, write_tree

pytestmark = pytest.mark.slow

KEY = "sk-very-secret-123"
JUDGED = Path("data/judged.parquet")
NUM = 8  # pairs: two that base wins by length, four that tuned does, a tie and a same answer


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Right answers of tuned, and of base two that are longer; params with a judge."""
    test = rows_of(NUM, "t")
    judged = {"model": "a-judge", "num_rows": 100, "seed": 1}
    write_tree(tmp_path, test, evaluate={"num_resamples": 30}, judge=judged)
    answers = right(test)
    for place in range(NUM):
        said = answers[f"rt{place}"][0]
        other = said + "等等" if place < 2 else "不知道" if place < 6 else said.replace("数", "树")
        answers[f"rt{place}"] = (other if place < 7 else said, None)
    write_answers(test, answers, tmp_path / "data/predictions/base.parquet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    return tmp_path


def judged_by(
    rule: Callable[[str, str], str | None], patch: pytest.MonkeyPatch
) -> tuple[dict[str, Any], JudgeServer]:
    """What evaluate says of a judge by that rule, and the server that was asked."""
    with judging(rule) as server:
        patch.setenv(URL_VARIABLE, server.url)
        judge.main()
    evaluate.main()
    return read_json(Path("metrics/evaluate.json"))["judge"], server


def test_a_judge_that_prefers_the_longer_answer_agrees_with_itself(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, server = judged_by(longer, monkeypatch)
    (task,) = found.values()
    assert list(found) == ["reply"]
    assert task["verdicts"] == {"tuned": 4, "base": 2, "tie": 2, "order": 0, "none": 0}
    assert (task["num_pairs"], task["num_same"]) == (NUM, 1)
    assert (task["num_unparsed"], task["num_unanswered"]) == (0, 0)
    assert task["agreement"]["value"] == task["agreement"]["high"] == 1
    assert task["agreement"]["low"] == pytest.approx(0.025 ** (1 / 7))
    assert task["tuned_preferred"]["value"] == (4 + 2 / 2) / NUM
    assert task["tuned_preferred"]["low"] < 5 / 8 < task["tuned_preferred"]["high"]
    # Each pair but that of the same answer, in both orders.
    assert len(server.asked) == len(set(server.messages())) == 2 * (NUM - 1)
    assert {body["temperature"] for body in server.asked} == {0}
    assert server.keys == {f"Bearer {KEY}"}


def test_a_judge_that_always_says_a_never_agrees_with_itself(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = judged_by(lambda one, other: "A", monkeypatch)
    task = found["reply"]
    assert task["verdicts"] == {"tuned": 0, "base": 0, "tie": 1, "order": NUM - 1, "none": 0}
    assert task["agreement"]["value"] == task["agreement"]["low"] == 0
    preferred = task["tuned_preferred"]
    # Eight pairs that are all alike are no certainty.
    assert preferred["value"] == 0.5
    assert 0.3 < preferred["low"] < 0.5 < preferred["high"] < 0.7


def test_replies_that_are_no_letter_are_counted_and_not_guessed(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = iter(["", "我选A，因为", "AB", "D", "两者都好"] * 3)
    found, _ = judged_by(lambda one, other: next(replies), monkeypatch)
    task = found["reply"]
    assert task["num_unparsed"] == 2 * (NUM - 1)
    assert task["verdicts"] == {"tuned": 0, "base": 0, "tie": 1, "order": 0, "none": NUM - 1}
    assert "agreement" not in task
    assert task["tuned_preferred"]["value"] == 0.5


def test_the_protocol_names_the_judge_and_its_prompt_and_no_file_has_the_key(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged_by(lambda one, other: f"A {KEY}", monkeypatch)
    protocol = read_json(Path("metrics/evaluate.json"))["protocol"]
    assert protocol["judge_model"] == "a-judge"
    assert protocol["judge_prompt"] == PROMPT
    assert protocol["judge_rows"] == "100 of a task at most, seed 1; both orders"
    assert pq.read_schema(JUDGED).equals(JUDGED_SCHEMA)
    for path in tree.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes()


def test_an_interrupted_judge_is_asked_nothing_twice(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered: list[tuple[str, str]] = []

    def stops(one: str, other: str) -> str | None:
        if len(answered) == 5:
            return None
        answered.append((one, other))
        return longer(one, other)

    with judging(stops) as server:
        monkeypatch.setenv(URL_VARIABLE, server.url)
        with pytest.raises(UserError, match="model"):
            judge.main()
        assert not JUDGED.exists()
        num_before = server.num_asked_at_rest()
        kept = len(Path(".work/judge/journal.jsonl").read_text().splitlines())
        assert 1 <= kept <= 5
        server.rule = longer
        judge.main()
        assert len(server.asked) == num_before + 2 * (NUM - 1) - kept
    assert len(pq.read_table(JUDGED)) == NUM
    assert not Path(".work/judge").exists()


def test_without_a_judge_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tree(tmp_path, rows_of(4, "t"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    judge.main()
    assert pq.read_table(JUDGED).num_rows == 0
    assert read_json(Path("metrics/judge.json")) == {"protocol": {}, "num_pairs": 0}
    evaluate.main()
    figures = read_json(Path("metrics/evaluate.json"))
    assert figures["judge"] is None
    assert not [name for name in figures["protocol"] if name.startswith("judge")]


def test_a_judge_without_a_server_is_one_line(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    with pytest.raises(UserError, match=r"judge\.model is 'a-judge', and NEWSREC_API"):
        judge.main()
    assert not JUDGED.exists()


def test_verdicts_of_other_rows_are_refused(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged_by(longer, monkeypatch)
    table = pq.read_table(JUDGED).to_pandas()
    table.loc[0, "id"] = "another"
    table.to_parquet(JUDGED)
    with pytest.raises(UserError, match="1 judged pairs belong to rows that are not in the test"):
        evaluate.main()


class Noting:
    """Settings that note which of them are read."""

    def __init__(self, settings: ApiSettings) -> None:
        self.settings, self.read = settings, set[str]()

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        return getattr(self.settings, name)


def test_what_is_read_of_scoring_is_all_that_asks_a_judge_again(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noting: list[Noting] = []

    def noted(pairs: Any, model: str, settings: ApiSettings, work: Path) -> Any:
        noting.append(Noting(settings))
        return ask_judge(pairs, model, noting[0], work)  # type: ignore[arg-type]

    monkeypatch.setattr(judge, "ask_judge", noted)
    judged_by(longer, monkeypatch)
    # `extra_body` is what comes of `turns_thinking_off`; how long the first wait is has no key.
    read = noting[0].read - {"extra_body", "first_wait"} | {"turns_thinking_off"}
    graph = yaml.safe_load((ROOT / "pipelines/assistant/dvc.yaml").read_text(encoding="utf-8"))
    listed = set(graph["stages"]["judge"]["params"])
    assert listed == {"judge", *(f"score.api_{name}" for name in read)}
