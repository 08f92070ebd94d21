"""Scoring: the prompts of the rows, base and tuned apart, free answers beside choices."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from peft import PeftModel
from transformers import PreTrainedTokenizerBase

from newsrec.assistant import scoring
from newsrec.assistant.prompts import user_message
from newsrec.assistant.scoring import RowPrompts, score_rows
from newsrec.assistant.tables import PREDICTIONS_SCHEMA
from newsrec.assistant.tasks import Task, read_tasks
from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import control_tokens, encode_chat
from newsrec.engines.settings import TransformersSettings
from newsrec.errors import UserError
from newsrec.files import sha256_folder
from newsrec.models.loading import load_model
from newsrec.models.names import MODELS
from tests import ROOT
from tests.assistant.two_models import ENV, ROWS, write_pipeline, write_rows
from tests.models.test_merging import logits, trained_lora

TASKS = read_tasks(ROOT / "pipelines/assistant/tasks.yaml")
SETTINGS = TransformersSettings(dtype="float32", batch_size=4, device="cpu")
FOLDERS = dict(zip(MODELS, ("models/base", "models/merged"), strict=True))


def score(rows: Path, model: Path, tasks: dict[str, Task] | None = None, length: int = 400) -> None:
    score_rows(
        SETTINGS,
        "base",
        model,
        tasks or dict(TASKS),
        rows,
        rows.with_name("predictions.parquet"),
        rows.parent,
        max_model_len=length,
        max_answer_tokens=3,
    )


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test rows, of a process that has scored nothing."""
    monkeypatch.setattr(scoring, "_scored", set())
    write_rows(tmp_path / "test.parquet")
    return tmp_path / "test.parquet"


def test_a_row_with_labels_is_asked_twice_as_it_was_trained(
    tokenizer_folder: Path, tokenizer: PreTrainedTokenizerBase, rows: Path
) -> None:
    prompts = RowPrompts(tokenizer_folder, rows, TASKS, 400)
    assert [bool(one) for one in prompts.choices] == [
        *(False, True), False, *(False, True), False, *(False, True), *(False, True)
    ]  # fmt: skip
    assert prompts.choices[1] == TASKS["scenario"].labels
    chats = list(prompts.messages())
    assert len(chats) == len(prompts) == 10
    assert chats[0] == chats[1] == [
        {"role": "user", "content": "任务: 问题场景分类\n输入: 怎么申请一张表的权限？"}
    ]  # fmt: skip
    assert chats[5][0]["content"] == "任务: 问题回答\n输入: 什么是清洗层？ 请举例"
    ids = [row for part in prompts.token_ids() for row in part.to_pylist()]
    assert ids == [encode_chat(tokenizer, chat) for chat in chats]
    control = control_tokens(tokenizer)
    assert len({sum(id_ in control for id_ in row) for row in ids}) == 1, (
        "a text has control tokens"
    )


def test_a_row_of_another_table_of_tasks_is_refused(tiny_model: Path, rows: Path) -> None:
    fewer = {name: task for name, task in TASKS.items() if name != "kind"}
    with pytest.raises(UserError, match=r"not of this tasks\.yaml: task is 'kind'; expected one"):
        score(rows, tiny_model, fewer)


def test_prompts_that_do_not_fit_are_counted_and_none_is_cut(
    tokenizer_folder: Path, tokenizer: PreTrainedTokenizerBase, rows: Path
) -> None:
    write_rows(rows, [*ROWS, ("answer", "长。" * 200), ("kind", "长。" * 300)])
    chat = user_turn(user_message(TASKS["kind"], "长。" * 300))
    longest = len(encode_chat(tokenizer, chat))
    with pytest.raises(
        UserError, match=f"3 of 13 prompts do not fit: the longest has {longest} tokens, and"
    ):
        score(rows, tokenizer_folder)
    assert not rows.with_name("predictions.parquet").exists()


def test_no_tokenizer_is_loaded_before_the_engine_reads_prompts(
    rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(model: Path) -> None:
        raise UserError(f"{model}: loaded")

    monkeypatch.setattr(scoring, "load_tokenizer", load)
    prompts = RowPrompts(Path("models/base"), rows, TASKS, 400)
    assert len(prompts) == len(prompts.choices) == 10
    for read in (prompts.token_ids, prompts.messages):
        with pytest.raises(UserError, match="models/base: loaded"):
            next(iter(read()))


def test_a_choice_has_room_even_where_answers_are_short(
    tokenizer_folder: Path, tokenizer: PreTrainedTokenizerBase, rows: Path
) -> None:
    parts = RowPrompts(tokenizer_folder, rows, TASKS, 400).token_ids()
    longest = max(length for part in parts for length in part.value_lengths().to_pylist())
    longer = {**TASKS, "kind": replace(TASKS["kind"], labels=("长" * 50, "短"), next={})}
    with pytest.raises(UserError, match=r"max_model_len leaves .* raise it by 1 or more"):
        score(rows, tokenizer_folder, longer, longest + 150)


@pytest.mark.slow
def test_a_second_model_in_one_process_is_refused(
    tiny_model: Path, rows: Path, tmp_path: Path
) -> None:
    score(rows, tiny_model)
    score(rows, tiny_model)
    (tmp_path / "other").symlink_to(tiny_model)
    score(rows, tmp_path / "other")  # the same by another name
    other = tmp_path / "another"
    other.mkdir()
    with pytest.raises(UserError, match=r"another: this process has scored another model .*base"):
        score(rows, other)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_why_peft_injects_in_place_so_that_base_answers_as_tuned(
    tiny_model: Path, tmp_path: Path
) -> None:
    wanted = trained_lora(tiny_model, tmp_path / "adapter", "q_proj", "v_proj")
    base = load_model(tiny_model, "float32")
    alone = logits(base)
    tuned = PeftModel.from_pretrained(base, str(tmp_path / "adapter"))
    assert torch.allclose(logits(tuned), wanted, atol=1e-4)
    # As in published tests: the object that was loaded as the base is the tuned model by now.
    assert torch.equal(logits(base), logits(tuned))
    assert not torch.allclose(logits(base), alone, atol=0.1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_two_stages_score_two_models(tiny_model: Path, tmp_path: Path) -> None:
    write_pipeline(tmp_path, tiny_model, "score.max_model_len=400", "score.max_answer_tokens=8")
    command = [sys.executable, "-m", "stages.assistant.score"]
    runs = [
        subprocess.Popen([*command, *words], cwd=tmp_path, env=ENV, stdout=subprocess.PIPE)
        for words in FOLDERS.items()
    ]
    for run in runs:
        shown, _ = run.communicate(timeout=300)
        assert run.returncode == 0
        assert b": 10 answers in " in shown.splitlines()[-1]
    found = {name: pq.read_table(tmp_path / f"data/predictions/{name}.parquet") for name in MODELS}
    for name, table in found.items():
        assert table.schema == PREDICTIONS_SCHEMA
        assert table["task"].to_pylist() == [task for task, _ in ROWS]
        assert table["input"].to_pylist() == [text for _, text in ROWS]
        assert table["id"].to_pylist() == [f"{task}-{row}" for row, (task, _) in enumerate(ROWS)]
        for row in table.to_pylist():
            assert row["output"] == row["output"].strip()
            assert (row["choice"] in TASKS[row["task"]].labels) == bool(TASKS[row["task"]].labels)
            assert (row["choice"] is None) == (not TASKS[row["task"]].labels)
        metrics = json.loads((tmp_path / f"metrics/score_{name}.json").read_text())
        folder = tmp_path / FOLDERS[name]
        assert metrics == {
            "protocol": {"data": "abc", "engine": "transformers"},
            "engine": "transformers",
            "model": {"folder": FOLDERS[name], "sha256": sha256_folder(folder)},
            "num_rows": 6,
            "num_prompts": 10,
            "longest_prompt": metrics["longest_prompt"],
        }
        timings = json.loads((tmp_path / f"metrics/timings/score_{name}.json").read_text())
        assert timings["prompts_per_second"] == pytest.approx(10 / timings["seconds"])
        assert timings["provenance"]["packages"]["transformers"]
    # What scoring both in one process, one in the other's place, would make equal.
    base, tuned = (found[name]["output"].to_pylist() for name in MODELS)
    assert sum(one != other for one, other in zip(base, tuned, strict=True)) >= 4
    assert not list(tmp_path.glob(".work/score_*"))
