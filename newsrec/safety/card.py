"""What the card of a tuned model says of the safety classifier."""

from collections.abc import Mapping

from newsrec.report.card import TaskCard
from newsrec.safety.labels import BENIGN, CLASSES

_LIMITS = (
    "It reads the text that `normalise` makes of what was written: NFKC, no format characters, "
    "simplified characters, no separators inside words. A text that is not normalised is one that "
    "it was not trained on.",
    "A longer text is cut: what comes after the tokens named below is not read.",
    "Its probabilities may be too sure until they are calibrated on data of the place where it "
    "is used, and so is a threshold that was chosen elsewhere.",
    "It learned the judgements of those who labelled the data, their mistakes among them.",
    "It knows one class for a text that may belong to several, and no class for a person: whether "
    "a text is removed or reported is for people to decide.",
    "New words, other platforms and other languages were not measured.",
)


def task_card(protocol: Mapping[str, str]) -> TaskCard:
    """The safety classifier's part of its card.

    Args:
        protocol: of the training.
    """
    names = "\n".join(f"- {id_}: {name}" for id_, name in enumerate(CLASSES))
    return TaskCard(
        title="A classifier of unsafe Chinese text",
        purpose=(
            f"It puts a Chinese text into one of {len(CLASSES)} classes, of which {BENIGN} alone "
            f"is safe:\n\n{names}\n\n"
            "It is asked with the token ids of the text and of the token that ends a turn, without "
            "a chat around them, and the last one's logits are the answer "
            "(`AutoModelForSequenceClassification`)."
        ),
        data=(
            "Texts with one label each, drawn by label from a database or from files. Whose they "
            f"are is not recorded; the rows trained on have the digest {protocol['data']}. No row "
            "of them is part of this model's files."
        ),
        licence="The data: whatever holds for them where they came from.",
        limits=_LIMITS,
        tags=("text-classification", "content-moderation", "chinese"),
        pipeline="text-classification",
    )
