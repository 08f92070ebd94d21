"""The command `newsrec`: what is done beside the pipeline itself, which DVC runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from newsrec.errors import UserError
from newsrec.files import requested_lines
from newsrec.ranker import commands as ranker
from newsrec.ranking_requests import check_given, print_rankings
from newsrec.running.help_page import DEFAULT_ENGINE, SectionGroup
from newsrec.running.stage import report_user_error
from newsrec.safety import commands as safety

# Sections of the help page; a command of none is for every pipeline.
NEWS, SAFETY = "Commands of the news pipeline", "Commands of the safety pipeline"
ASSISTANT, RANKER = "Commands of the assistant pipeline", "Commands of the ranker pipeline"

app = typer.Typer(
    name="newsrec",
    cls=SectionGroup,
    help="Fine-tune language models for recommendation, and use what was trained. The pipeline "
    "itself is DVC's: dvc repro, dvc exp run, dvc metrics diff.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
submission = typer.Typer(help="Check a file for the leaderboard.", no_args_is_help=True)
app.add_typer(submission, name="submission", rich_help_panel=NEWS)
app.add_typer(ranker.reviews, name="reviews", rich_help_panel=RANKER)

Titles = list[str] | None


def main() -> None:
    """Run the command; a mistake is one line on stderr and exit code 2."""
    with report_user_error("newsrec"):
        app()


@app.command()
def doctor() -> None:
    """Compare the configuration's needs with this machine."""
    from newsrec.assistant.needs import judge_needs
    from newsrec.news.needs import data_needs
    from newsrec.news.params import Params
    from newsrec.params.load import load_params
    from newsrec.params.sections import SharedParams
    from newsrec.preflight.doctor import report

    path = Path("params.yaml")
    if not path.exists():
        raise UserError(f"{path}: no such file; run newsrec in the folder of a pipeline")
    if "fetch_mind:" in path.read_text(encoding="utf-8"):
        params = load_params(Params)
        report(params, data_needs(params.fetch_mind), {"fetch_mind"})
    else:
        report(load_params(SharedParams), None, set(), judge_needs(path))


@app.command(rich_help_panel=NEWS)
def compare(
    revision: Annotated[str, typer.Argument(help="a commit, branch, tag or experiment: HEAD~1")],
    other: Annotated[str, typer.Argument(help="another, or workspace: these files")] = "workspace",
) -> None:
    """Compare the tuned model of two commits or experiments. Both must be measured alike."""
    from newsrec.news.compare import compare as compare_revisions

    print(compare_revisions(revision, other))


@app.command()
def power(
    predictions: Annotated[list[Path], typer.Argument(help="one or two predictions tables")],
    delta: Annotated[float, typer.Option(help="the difference in mean AUC or NDCG@10")] = 0.01,
) -> None:
    """Plan how many impressions or lists show a difference.

    Also the difference that those at hand show. With one table, it is the difference from chance.
    """
    processed = Path("data/processed")
    if (processed / "candidates_test.json").exists():  # in the folder of the ranker
        from newsrec.ranker.power import power as lists_needed

        print(lists_needed(delta, predictions, processed))
    else:
        from newsrec.news.power import power as needed

        print(needed(delta, predictions))


@app.command(short_help="Register the tuned model if it is better.", rich_help_panel=NEWS)
def promote() -> None:
    """Register this commit's tuned model, if it is shown to be better than the last registered."""
    from newsrec.news.params import Params
    from newsrec.news.promote import promote as register_better
    from newsrec.params.load import load_params

    evaluate = load_params(Params).evaluate
    print(register_better(evaluate.num_resamples, evaluate.seed))


@app.command(rich_help_panel=NEWS)
def publish(
    to: Annotated[str | None, typer.Option(help="owner/name on the Hugging Face hub")] = None,
) -> None:
    """Prepare the tuned model for others; with --to, upload it."""
    from newsrec.news.publish import publish as publish_model

    print(publish_model(to))


@app.command()
def params(
    overrides: Annotated[
        list[str] | None, typer.Argument(help="choices and values, like train=qlora train.lr=5e-5")
    ] = None,
    output: Annotated[Path, typer.Option(help="the file to write")] = Path("params.yaml"),
) -> None:
    """Write params.yaml as DVC composes it from conf/."""
    from newsrec.params.compose import compose_pipeline

    compose_pipeline(output, overrides or [])


@app.command()
def push() -> None:
    """Push what dvc.yaml shares to its DVC remote. Never data, or what has push: false."""
    from newsrec.sharing.transfer import push as push_shared

    push_shared()


@app.command()
def pull() -> None:
    """Pull what dvc.yaml shares from its DVC remote. It shares what has no push: false."""
    from newsrec.sharing.transfer import pull as pull_shared

    pull_shared()


@app.command(short_help="Check DVC's cache, and a pull into an empty clone.")
def verify() -> None:
    """Check every object in DVC's cache, and pull the last commit into an empty clone."""
    from newsrec.sharing.verify import verify as verify_shared

    verify_shared()


@app.command(rich_help_panel=NEWS)
def rank(
    requests: Annotated[
        str | None, typer.Argument(help="file of JSON lines, or - for standard input")
    ] = None,
    history: Annotated[Titles, typer.Option(help="a title that was clicked; oldest first")] = None,
    candidate: Annotated[Titles, typer.Option(help="a title to rank")] = None,
    liked: Annotated[Titles, typer.Option(help="a title that was liked")] = None,
    disliked: Annotated[Titles, typer.Option(help="a title that was disliked")] = None,
    model: Annotated[Path, typer.Option(help="folder of the tuned model")] = Path("models/merged"),
    engine: Annotated[
        str | None, typer.Option(help=f"vllm, transformers or openai-api; {DEFAULT_ENGINE}")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON lines")] = False,
) -> None:
    """Rank titles by the P(Yes) that the tuned model gives.

    One request from options, or many from a file of JSON lines like
    {"history": ["…"], "candidates": ["…", "…"]} (also liked and disliked).
    """
    from newsrec.news.params import Params
    from newsrec.news.ranking import Ranked, RankRequest, read_requests
    from newsrec.news.ranking import rank as rank_titles
    from newsrec.params.load import load_params
    from newsrec.report.text import printable

    given = [tuple(titles or ()) for titles in (candidate, history, liked, disliked)]
    check_given(requests, "--candidate", *given)
    asked = iter([RankRequest(*given)])
    if requests is not None:
        asked = read_requests(requested_lines(requests), requests)
    values = load_params(Params)
    settings = values.engine_settings(engine)

    def rank_in(work: Path) -> Iterator[list[Ranked]]:
        return rank_titles(
            asked,
            settings,
            model,
            work,
            num_history=values.prompt.num_history,
            num_feedback=values.prompt.num_feedback,
            max_prompt_tokens=values.score.max_prompt_tokens,
            max_answer_tokens=values.score.max_answer_tokens,
        )

    def row(one: Ranked) -> str:
        return f"{one.rank:4}  {one.probability:6.4f}  {printable(one.title)}"

    print_rankings(rank_in, as_json, "rank  P(Yes)  title", row)


app.command(rich_help_panel=SAFETY)(safety.classify)


@app.command(rich_help_panel=ASSISTANT)
def ask(
    task: Annotated[
        str | None, typer.Option(help="a task of tasks.yaml; default: the first task chooses one")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="JSON lines, or texts, one per line")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON lines")] = False,
) -> None:
    """Ask the base and the tuned assistant side by side. In the terminal, or from a file."""
    from newsrec.assistant.asking import ask as ask_both

    ask_both(task, file, as_json=as_json)


@app.command()
def serve(
    model: Annotated[Path, typer.Option(help="folder of a whole model")] = Path("models/merged"),
    port: Annotated[int, typer.Option(help="port on 127.0.0.1")] = 8000,
) -> None:
    """Serve a model by vLLM's OpenAI-compatible server. Ctrl-C ends it."""
    from newsrec.engines.serving import serve as serve_model
    from newsrec.engines.settings import VllmSettings
    from newsrec.params.load import load_params
    from newsrec.params.sections import SharedParams

    settings = load_params(SharedParams).engine_settings("vllm")
    assert isinstance(settings, VllmSettings)
    serve_model(settings, model, port)


app.command(rich_help_panel=RANKER)(ranker.rank_products)
app.command()(ranker.generate)


@submission.command()
def check(
    prediction: Annotated[Path, typer.Argument(help="prediction.txt, or a zip file with it")],
    behaviors: Annotated[Path, typer.Argument(help="behaviors.tsv of the split")],
) -> None:
    """Check a prediction file against its impressions. Any program may have written it."""
    from newsrec.news.leaderboard.submission import validate_submission

    print(f"valid: {validate_submission(prediction, behaviors):,} impressions")


if __name__ == "__main__":
    main()
