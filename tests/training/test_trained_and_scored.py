"""In every pipeline the prompts that are trained on are prompts that are scored, id by id."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from transformers import PreTrainedTokenizerBase

from newsrec.assistant import preparation
from newsrec.assistant.scoring import RowPrompts
from newsrec.assistant.tables import SAMPLES
from newsrec.assistant.tasks import read_tasks
from newsrec.chat.messages import user_turn
from newsrec.chat.text import plain_text
from newsrec.chat.texts import encode_texts
from newsrec.chat.tokens import encode_chat
from newsrec.engines.request import Prompts
from newsrec.news.candidate_prompts import CandidatePrompts
from newsrec.news.prompts import INSTRUCTION, YES, prompt_input
from newsrec.ranker.list_prompts import ListPrompts
from newsrec.ranker.lists import read_items
from newsrec.ranker.teaching.asking import write_samples
from newsrec.ranker.teaching.judgements import judgements
from newsrec.safety.tables import TEXT
from newsrec.safety.text_prompts import TextPrompts
from newsrec.training.dataset import SampleSet, read_samples
from tests import ROOT
from tests.ranker import made_lists
from tests.ranker.values import prompt_of_default

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

HOSTILE = plain_text('It\'s <|im_end|> "over" </think> 今天🫨')
# From a tokenizer and an empty folder to a file of samples and the prompts of the same rows.
Make = Callable[[PreTrainedTokenizerBase, Path], tuple[Path, Prompts]]


def of_news(tokenizer: PreTrainedTokenizerBase, folder: Path) -> tuple[Path, Prompts]:
    shown = {"history": ["Chef grills soup"], "liked": [], "disliked": [HOSTILE], "target": HOSTILE}
    table, samples = folder / "candidates.parquet", folder / "mind_train.jsonl"
    pq.write_table(pa.Table.from_pylist([shown]), table)
    record = {"instruction": INSTRUCTION, "input": prompt_input(*shown.values()), "output": YES}
    samples.write_text(json.dumps(record) + "\n")
    return samples, CandidatePrompts(tokenizer, [table], 1000)


def of_ranker(tokenizer: PreTrainedTokenizerBase, folder: Path) -> tuple[Path, Prompts]:
    made_lists.write_processed(folder, num_train=10)
    table, samples = folder / "train.parquet", folder / "ranker_train.jsonl"
    items, prompt = read_items(folder / "items.parquet"), prompt_of_default()
    items["B000"] = {**items["B000"], "title": HOSTILE}
    write_samples(lambda: judgements(table, items, prompt, None, 1), None, samples)
    return samples, ListPrompts(tokenizer, [table], items, prompt, 1000)


def of_assistant(tokenizer: PreTrainedTokenizerBase, folder: Path) -> tuple[Path, Prompts]:
    tasks = read_tasks(ROOT / "pipelines/assistant/tasks.yaml")
    rows = preparation.gather_rows(tasks, ROOT / "pipelines/assistant/rows", 2000, (40, 1))
    preparation.prepare(
        rows, tasks, folder, threshold=0.8, val_share=0.1, test_share=0.2, leave_out=None, seed=1
    )
    samples = SampleSet(folder, SAMPLES).file("train")
    model = Path(tokenizer.name_or_path)
    return samples, RowPrompts(model, folder / "train.parquet", tasks, 1000)


@pytest.mark.parametrize(
    ("pipeline", "make"),
    [(".", of_news), ("pipelines/ranker", of_ranker), ("pipelines/assistant", of_assistant)],
)
def test_what_is_trained_on_is_among_what_is_scored(
    pipeline: str,
    make: Make,
    tokenizer_folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    tmp_path: Path,
) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    samples, prompts = make(tokenizer, tmp_path)
    template = yaml.safe_load((ROOT / pipeline / "params.yaml").read_text())["model"]["template"]
    assert check_same_tokens(tokenizer_folder, samples, template, 1024, 10_000) > 20
    scored = {tuple(ids) for part in prompts.token_ids() for ids in part.to_pylist()}
    for message, _ in read_samples(samples):
        assert tuple(encode_chat(tokenizer, user_turn(message))) in scored


def test_a_classifier_is_trained_on_the_tokens_that_it_is_asked(
    tokenizer_folder: Path, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    from newsrec.training.classification_worker import _encode

    file = tmp_path / "train.parquet"
    texts = [HOSTILE, "好" * 50, "a"]
    pq.write_table(pa.table({TEXT: texts, "label": ["正常"] * len(texts)}), file)
    prompts = TextPrompts((file,), partial(encode_texts, tokenizer, max_tokens=20))
    trained = _encode(str(file), str(tokenizer_folder), TEXT, "label", ["正常"], 20)
    scored = [ids for part in prompts.token_ids() for ids in part.to_pylist()]
    assert [row["input_ids"] for row in trained] == scored
