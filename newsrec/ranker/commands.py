"""The commands of `newsrec` that are about products: rank some, and look at reviews and answers."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from newsrec.errors import UserError
from newsrec.files import requested_lines
from newsrec.ranking_requests import check_given, print_rankings
from newsrec.running.help_page import DEFAULT_ENGINE

reviews = typer.Typer(
    help="Inspect ratings and products. By default those in data/raw of the ranker pipeline.",
    no_args_is_help=True,
)

Titles = list[str] | None
RAW = Path("data/raw")
_Folder = Annotated[Path, typer.Argument(help="folder of ratings.csv and meta.jsonl, or .gz")]


def rank_products(
    requests: Annotated[
        str | None, typer.Argument(help="file of JSON lines, or - for standard input")
    ] = None,
    history: Annotated[Titles, typer.Option(help="a product that was bought; oldest first")] = None,
    candidate: Annotated[Titles, typer.Option(help="the title of a product to rank")] = None,
    model: Annotated[
        Path | None, typer.Option(help="folder of a whole model; default: what rl.method trained")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help=f"vllm, transformers or openai-api; {DEFAULT_ENGINE}")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON lines")] = False,
) -> None:
    """Rank products for a person by the trained ranker.

    By log P(Yes) - log P(No). One request from options, or many from a file of JSON lines like
    {"history": ["…"], "candidates": ["…", "…"]}; a product is its title, or an object with more,
    like {"title": "…", "description": "…"} or, of the history,
    {"title": "…", "rating": 4, "days_ago": 30}.
    """
    from newsrec.params.load import load_params
    from newsrec.ranker.params import Params
    from newsrec.ranker.ranking import Bought, Ranked, RankRequest, rank, read_requests
    from newsrec.report.text import printable

    check_given(requests, "--candidate", candidate, history)
    if requests is not None:
        asked = read_requests(requested_lines(requests), requests)
    else:
        products = tuple({"title": title} for title in candidate or ())
        asked = iter([RankRequest(products, tuple(map(Bought, history or ())))])
    values = load_params(Params)
    settings = values.engine_settings(engine)

    def rank_in(work: Path) -> Iterator[list[Ranked]]:
        return rank(
            asked,
            settings,
            model or Path("models/rl") / values.rl.method / "merged",
            values.prompt,
            work,
            window=values.prepare.window,
            max_prompt_tokens=values.score.max_prompt_tokens,
        )

    def row(one: Ranked) -> str:
        return f"{one.rank:4}  {one.score:+7.3f}  {printable(one.title)}"

    print_rankings(rank_in, as_json, "rank    score  title", row)


def generate(
    text: Annotated[str, typer.Argument(help="text of one message, or - for standard input")],
    model: Annotated[Path, typer.Option(help="folder of a model")] = Path("models/merged"),
    max_tokens: Annotated[int, typer.Option(min=1, help="length of the answer, at most")] = 256,
) -> None:
    """Print what a model answers to one message. Greedy, by transformers, thinking off."""
    from newsrec.chat.messages import user_turn
    from newsrec.chat.text import plain_text
    from newsrec.engines.model_process import run_model
    from newsrec.engines.settings import TransformersSettings
    from newsrec.params.load import load_params
    from newsrec.params.sections import SharedParams
    from newsrec.report.text import printable

    if not model.is_dir():
        raise UserError(f"{model}: no such folder; expected a model; make it: dvc repro merge")
    message = plain_text("\n".join(requested_lines("-")) if text == "-" else text)
    if not message:
        raise UserError("the text has nothing to read; expected a visible character")
    params = load_params(SharedParams)
    settings = params.engine_settings("transformers")
    assert isinstance(settings, TransformersSettings)
    room = params.score.max_model_len - max_tokens
    with TemporaryDirectory(prefix="newsrec-generate-") as work:
        log = Path(work) / "model.log"
        limits = {"max_tokens": max_tokens, "max_prompt_tokens": room}
        with run_model(model, settings, log, **limits) as loaded:
            loaded.wait_until_loaded()
            answered = loaded.answer(user_turn(message))
    print(printable(answered.text))


@reviews.command()
def statistics(folder: _Folder = RAW) -> None:
    """Count users, items and ratings, and what the products lack."""
    from newsrec.ranker.tools import statistics as of_files

    print(of_files(folder))


@reviews.command()
def shared_users(
    one: Annotated[Path, typer.Argument(help="a folder such as data/raw")],
    other: Annotated[Path, typer.Argument(help="another one")],
) -> None:
    """How many users two data sets have in common."""
    from newsrec.ranker.tools import shared_users as of_both

    print(of_both(one, other))


@reviews.command()
def history(
    user: Annotated[str, typer.Argument(help="the id of a user")], folder: _Folder = RAW
) -> None:
    """What a user rated, in the order of time."""
    from newsrec.ranker.tools import user_history

    print(user_history(folder, user))
