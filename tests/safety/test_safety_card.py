"""The card of the safety classifier."""

from newsrec.report.card import model_card
from newsrec.safety.card import task_card
from newsrec.safety.labels import CLASSES


def test_the_card_says_what_the_classes_are_and_how_it_was_trained() -> None:
    protocol = {"data": "0123456789ab", "model": "tiny, 12", "method": "lora"}
    base = {"source": "tiny", "name": "tiny", "num_parameters": 9, "digest": "abc"}
    settings = {"cutoff_len": 256, "options": {"rank": 8}, "trainer": {"learning_rate": 5e-5}}
    text = model_card(task_card(protocol), base, protocol, settings)
    assert "pipeline_tag: text-classification\n" in text
    for id_, name in enumerate(CLASSES):
        assert f"- {id_}: {name}\n" in text
    for words in ("0123456789ab", "256", "5e-05", "rank"):
        assert words in text
