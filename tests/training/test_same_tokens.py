"""What LLaMA-Factory trains on is what an engine is asked, for every model that ships."""

import json
from pathlib import Path

import pytest

from newsrec.errors import UserError
from newsrec.prompts import INSTRUCTION, prompt_input
from tests.compose_params import ROOT

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


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_every_shipped_template_gives_the_ids_that_are_scored(
    profile: Path, samples: Path, tiny_model: Path
) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    (template,) = (
        line.split(":")[1].strip() for line in profile.open() if line.startswith("  template:")
    )
    assert 50 < check_same_tokens(tiny_model, samples, template, 1024, 50) < 1024


def test_a_template_that_opens_no_think_block_is_found_by_its_first_token(
    samples: Path, tiny_model: Path
) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    with pytest.raises(UserError, match=r"line 1, .* is nothing in training and .*'<think>'"):
        check_same_tokens(tiny_model, samples, "qwen3_nothink", 1024, 50)


def test_a_sample_that_would_be_cut_is_told(samples: Path, tiny_model: Path) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    with pytest.raises(UserError, match=r"line 1: .* would cut the sample at train\.cutoff_len=60"):
        check_same_tokens(tiny_model, samples, "qwen3", 60, 50)
