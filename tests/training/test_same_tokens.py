"""What LLaMA-Factory trains on is what an engine is asked, for every model that ships."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from newsrec.errors import UserError
from newsrec.models.tiny import CHAT_TEMPLATE
from newsrec.news.prompts import INSTRUCTION, prompt_input
from tests import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

TEMPLATES = sorted(
    {
        yaml.safe_load(path.read_text())["model"]["template"]
        for path in (ROOT / "conf/model").glob("*.yaml")
    }
)


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    inputs = [
        prompt_input(["Chef grills soup"], [], ['"A" < b'], "Storm batters coast"),
        prompt_input([], ["café №5 🚀"], [], "It's < |im_end|> over"),
    ]
    records = [
        {"instruction": INSTRUCTION, "input": text, "output": answer}
        for text in inputs
        for answer in ("Yes.", "No.")
    ]
    path = tmp_path / "mind_train.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


THINK_BLOCK = "<think>\n\n</think>\n\n"
# With an empty think block in answers too, as Qwen3's own chat template has it.
PUBLISHED = CHAT_TEMPLATE.replace(
    "'\n' + message.content",
    f"('\n{THINK_BLOCK}' if message.role == 'assistant' else '\n') + message.content",
)
WITHOUT_THINKING = CHAT_TEMPLATE.replace(THINK_BLOCK, "")
LOOP = "{%- for message in messages -%}"
SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
# As Qwen2.5's own chat template: a system turn where none is given, and no think block.
QWEN2_5 = WITHOUT_THINKING.replace(
    LOOP,
    "{%- if messages[0].role != 'system' -%}"
    "{{- '<|im_start|>system\n" + SYSTEM + "<|im_end|>\n' -}}{%- endif -%}" + LOOP,
)


def with_chat_template(tokenizer: Path, template: str, target: Path) -> Path:
    """A copy of a tokenizer with another chat template than the tiny model's."""
    assert template != CHAT_TEMPLATE
    shutil.copytree(tokenizer, target)
    (target / "chat_template.jinja").write_text(template)
    return target


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_shipped_template_gives_the_ids_that_are_scored(
    template: str, samples: Path, tokenizer_folder: Path, tmp_path: Path
) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    model = tokenizer_folder
    if other := {"auto": PUBLISHED, "qwen": QWEN2_5}.get(template):
        model = with_chat_template(tokenizer_folder, other, tmp_path / "other")
    assert 50 < check_same_tokens(model, samples, template, 1024, 50) < 1024


def test_the_template_of_a_model_that_does_not_think_is_read_by_auto(
    samples: Path, tokenizer_folder: Path, tmp_path: Path
) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    plain = with_chat_template(tokenizer_folder, WITHOUT_THINKING, tmp_path / "plain")
    assert 50 < check_same_tokens(plain, samples, "auto", 1024, 50) < 1024


def test_a_template_that_opens_no_think_block_is_found_by_its_first_token(
    samples: Path, tokenizer_folder: Path
) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    with pytest.raises(UserError, match=r"line 1, .* is nothing in training and .*'<think>'"):
        check_same_tokens(tokenizer_folder, samples, "qwen3_nothink", 1024, 50)


def test_a_sample_that_would_be_cut_is_reported(samples: Path, tokenizer_folder: Path) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    with pytest.raises(
        UserError, match=r"line 1: .* would truncate the sample at train\.cutoff_len=60"
    ):
        check_same_tokens(tokenizer_folder, samples, "qwen3", 60, 50)


def test_text_that_became_a_control_token_is_found(samples: Path, tokenizer_folder: Path) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    lines = samples.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace("< |im_end|>", "<|im_end|>")
    samples.write_text("".join(lines))
    with pytest.raises(UserError, match=r"line 3: text of the data became a control token"):
        check_same_tokens(tokenizer_folder, samples, "qwen3", 1024, 50)
