"""How many lists show a difference in NDCG@10, and what those at hand show."""

from collections.abc import Sequence
from pathlib import Path

from newsrec.errors import UserError
from newsrec.metrics.power import power_sentence
from newsrec.ranker.evaluation.figures import MAIN, greedy, of_random_order
from newsrec.ranker.evaluation.tables import load_lists, load_scores


def power(delta: float, sources: Sequence[Path], processed: Path) -> str:
    """How many lists a difference takes, and the smallest that these could show.

    Args:
        delta: the difference in NDCG@10, between 0 and 1, such as 0.01.
        sources: one or two predictions tables of the test lists; with one, the difference of its
            NDCG@10 from that of a random order.
        processed: folder of the prepared lists.

    Returns:
        One sentence.

    Raises:
        UserError: delta or the number of tables is out of range, a table is missing or of other
            lists, or nothing varies or fewer than two users are left to plan with.
    """
    if not 0 < delta < 1 or not 1 <= len(sources) <= 2:
        raise UserError(
            f"delta {delta}, {len(sources)} files; expected 0 < delta < 1, 1 or 2 files"
        )
    lists = load_lists(processed)
    found = [greedy(lists, load_scores(source, lists))[MAIN] for source in sources]
    random = of_random_order(lists.candidates.shape[1])[MAIN]
    one, other, *_ = [*(source.stem for source in sources), f"a random order ({random:.3f})"]
    try:
        return power_sentence(
            found[1] - found[0] if len(found) == 2 else found[0] - random,
            lists.users,
            delta,
            metric="NDCG@10",
            names=(one, other),
            groups="lists",
            clusters="users",
        )
    except ValueError as error:
        raise UserError(f"{sources[-1]}: {error}") from None
