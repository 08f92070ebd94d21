"""What LLaMA-Factory trains on is what an engine is asked, for every model that ships."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from newsrec.errors import UserError
from newsrec.news.prompts import INSTRUCTION, prompt_input
from tests import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

PROFILES = sorted((ROOT / "conf/model").glob("*.yaml"))


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


def with_chat_template(model: Path, old: str, new: str, target: Path) -> Path:
    """A tokenizer as in `model`, with another chat template."""
    shutil.copytree(model, target)
    file = target / "chat_template.jinja"
    template = file.read_text()
    assert old in template
    file.write_text(template.replace(old, new))
    return target


@pytest.fixture
def published(tiny_model: Path, tmp_path: Path) -> Path:
    """With an empty think block in answers too, as Qwen3's own chat template has it."""
    return with_chat_template(
        tiny_model,
        "'\n' + message.content",
        "('\n<think>\n\n</think>\n\n' if message.role == 'assistant' else '\n') + message.content",
        tmp_path / "published",
    )


@pytest.fixture
def qwen2_5(tiny_model: Path, tmp_path: Path) -> Path:
    """As Qwen2.5's own chat template: a system turn where none is given, and no think block."""
    plain = with_chat_template(tiny_model, THINK_BLOCK, "", tmp_path / "no-thinking")
    system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    loop = "{%- for message in messages -%}"
    turn = "{{- '<|im_start|>system\n" + system + "<|im_end|>\n' -}}"
    return with_chat_template(
        plain,
        loop,
        "{%- if messages[0].role != 'system' -%}" + turn + "{%- endif -%}" + loop,
        tmp_path / "qwen2.5",
    )


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_every_shipped_template_gives_the_ids_that_are_scored(
    profile: Path, samples: Path, tiny_model: Path, published: Path, qwen2_5: Path
) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    template = yaml.safe_load(profile.read_text())["model"]["template"]
    model = {"auto": published, "qwen": qwen2_5}.get(template, tiny_model)
    assert 50 < check_same_tokens(model, samples, template, 1024, 50) < 1024


def test_the_template_of_a_model_that_does_not_think_is_read_by_auto(
    samples: Path, tiny_model: Path, tmp_path: Path
) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    plain = with_chat_template(tiny_model, THINK_BLOCK, "", tmp_path / "plain")
    assert 50 < check_same_tokens(plain, samples, "auto", 1024, 50) < 1024


def test_a_template_that_opens_no_think_block_is_found_by_its_first_token(
    samples: Path, tiny_model: Path
) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    with pytest.raises(UserError, match=r"line 1, .* is nothing in training and .*'<think>'"):
        check_same_tokens(tiny_model, samples, "qwen3_nothink", 1024, 50)


def test_a_sample_that_would_be_cut_is_reported(samples: Path, tiny_model: Path) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    with pytest.raises(UserError, match=r"line 1: .* would cut the sample at train\.cutoff_len=60"):
        check_same_tokens(tiny_model, samples, "qwen3", 60, 50)


def test_text_that_became_a_control_token_is_found(samples: Path, tiny_model: Path) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    lines = samples.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace("< |im_end|>", "<|im_end|>")
    samples.write_text("".join(lines))
    with pytest.raises(UserError, match=r"line 3: text of the data became a control token"):
        check_same_tokens(tiny_model, samples, "qwen3", 1024, 50)
