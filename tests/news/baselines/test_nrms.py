"""NRMS."""

import math
from pathlib import Path

import pandas as pd
import pytest
import torch

from newsrec.news.baselines import nrms
from newsrec.news.baselines.nrms import nrms_scores, train_nrms
from newsrec.news.baselines.pairs import Click
from tests.news.baselines.conftest import mean_auc


@pytest.mark.slow
def test_titles_are_ranked_clearly_better_than_by_chance(
    mind: Path, candidates: pd.DataFrame
) -> None:
    model = train_nrms(mind / "raw/train", epochs=4, max_train_impressions=None, seed=1)
    assert mean_auc(candidates, nrms_scores(model, candidates, mind / "raw/test")) > 0.6
    assert model.loss < 0.95 * math.log(5)
    assert model.num_clicks > 1000
    encoder = (64 + 1) * 3 * 64 + (64 + 1) * 64 + 64
    assert model.num_parameters == (len(model.word_ids) + 2) * 64 + 2 * encoder


def test_padding_of_titles_and_of_histories_counts_nothing() -> None:
    torch.manual_seed(1)
    network = nrms.NrmsNetwork(10).eval()
    short = torch.tensor([[3, 4] + [0] * 18])
    beside_a_long_one = torch.cat([short, torch.arange(1, 21).remainder(9).add(1)[None]])
    torch.testing.assert_close(network.titles(short)[0], network.titles(beside_a_long_one)[0])
    clicked = torch.randn(1, 20, 64)
    mask = torch.arange(20)[None] < 3
    other = clicked.clone()
    other[:, 3:] = 9.0
    torch.testing.assert_close(network.users(clicked, mask), network.users(other, mask))
    assert not torch.allclose(network.users(clicked, mask), network.users(other, mask | True))


@pytest.mark.slow  # a second and more
def test_the_random_state_that_it_finds_decides_nothing(
    mind: Path, candidates: pd.DataFrame
) -> None:
    scores = []
    for state in (1, 2):
        torch.manual_seed(state)
        model = train_nrms(mind / "raw/train", epochs=1, max_train_impressions=20, seed=5)
        scores.append(nrms_scores(model, candidates, mind / "raw/test"))
    assert (scores[0] == scores[1]).all()


def test_a_click_beside_fewer_others_is_reported_from_these_alone() -> None:
    network = nrms.NrmsNetwork(10).eval()
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    words = nrms._title_words(["rain", "snow", "sun"], {"rain": 2, "snow": 3, "sun": 4})
    loss = nrms._loss(network, words, [Click((), 0, (1,)), Click((2,), 1, (0, 2, 0))])
    assert loss.item() == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_words_are_those_of_several_training_titles_alone() -> None:
    word_ids = nrms._vocabulary(["Rain again", "rain, RAIN!", "snow"])
    assert word_ids == {"rain": 2}
    assert nrms._title_words(["Snow? Rain", ""], word_ids)[:, :3].tolist() == [
        [1, 0, 0],
        [1, 2, 0],
        [1, 0, 0],
    ]


def test_a_title_is_read_to_its_twentieth_word_or_64th_ngram() -> None:
    title = " ".join(f"w{number}" for number in range(30))
    ids = nrms._title_words([title], {f"w{number}": number + 2 for number in range(30)})
    assert ids[1, :22].tolist() == [*range(2, 22), 0, 0]
    chinese = "".join(chr(0x4E00 + number) for number in range(100))
    word_ids = nrms._vocabulary([chinese, chinese])
    assert len(word_ids) == 99
    ids = nrms._title_words([chinese, f"{title} {chinese}"], word_ids)
    assert ids.shape == (3, 64)
    assert ids[1].min() > 1
    assert ids[2].max() == 1, "the run is the 31st word"


@pytest.mark.slow  # trains
def test_random_numbers_and_threads_of_the_caller_stay(
    mind: Path, candidates: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(torch, "set_num_threads", seen.append)
    threads = torch.get_num_threads()
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    model = train_nrms(mind / "raw/train", epochs=1, max_train_impressions=20, seed=1)
    nrms_scores(model, candidates, mind / "raw/test")
    assert torch.equal(torch.rand(3), expected)
    assert seen == [1, threads, 1, threads]
