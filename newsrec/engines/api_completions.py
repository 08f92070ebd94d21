"""Chat completions for many prompts, requested by several tasks at once and checked together."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tqdm import tqdm

from newsrec.chat.messages import Messages
from newsrec.engines.api_client import Client
from newsrec.engines.api_errors import UnansweredError
from newsrec.engines.api_replies import Journal, Reply, ReplyError, read_reply
from newsrec.engines.request import Choices, choice_tokens

# The tolerated share, and the number of square roots of the prompts so far by which it must be
# exceeded to stop early. Prompts with a common text come together, and are filtered together.
_DOUBTFUL = (1 / 2, 3)
_UNANSWERED = (1 / 4, 15)

UNCONSTRAINED = Reply([], None, False)  # for a prompt whose answer the server cannot constrain


@dataclass
class Completions:
    """The work that several tasks share: each takes the next prompt until none is left."""

    client: Client
    journal: Journal
    progress: "tqdm[Any]"
    body: Mapping[str, Any]
    identity: str
    answers: Sequence[str]
    ids: Sequence[int]
    weighed: bool
    constrains: bool
    replies: dict[int, Reply] = field(default_factory=dict)
    num_asked: int = 0
    answered: Reply | None = None
    model: str = ""
    doubtful: list[Reply] = field(default_factory=list)
    unanswered: list[Reply] = field(default_factory=list)

    async def answer_next(self, prompts: Iterator[tuple[int, Messages, Choices]]) -> None:
        for row, messages, choices in prompts:
            if choices and not self.constrains:
                self.replies[row] = UNCONSTRAINED
                self.progress.update()
                continue
            asked = json.dumps([messages, choices] if choices else messages, ensure_ascii=False)
            digest = hashlib.sha256(f"{self.identity}\0{asked}".encode()).hexdigest()
            known = self.journal.find(row, digest)
            reply = known or await self._ask(row, messages, choices)
            self._check_alike(reply)
            if known is None:
                self.journal.add(row, digest, reply)
                self.num_asked += 1
            self.replies[row] = reply
            if reply.doubtful:
                self.doubtful.append(reply)
            if reply.text is None:
                self.unanswered.append(reply)
            self.check_rule(done=False)
            self.progress.update()

    async def _ask(self, row: int, messages: Messages, choices: Choices) -> Reply:
        body = {**self.body, "messages": messages, **(_constraint(choices) if choices else {})}

        def read(completion: Mapping[str, Any]) -> Reply:
            reply = read_reply(completion, self.answers, self.ids, weighed=self.weighed)
            return replace(reply, model=str(completion.get("model") or ""))

        try:
            return await self.client.complete(body, read)
        except UnansweredError as error:
            return Reply(None, None, False, seen=str(error))
        except ReplyError as error:
            raise self.client.error(f"prompt {row}: {error}") from None

    def _check_alike(self, reply: Reply) -> None:
        """Raise UserError if replies are from two models, or only some have log-probabilities."""
        if reply.text is None:
            return
        self.model = self.model or reply.model
        if reply.model not in ("", self.model):
            raise self.client.error(
                f"some replies are from the model {self.model!r} and some from {reply.model!r}; "
                "one table cannot contain both; choose a model that the server never replaces (if "
                f"this is now the case, remove {self.journal.path} to send all prompts again)"
            )
        self.answered = self.answered or reply
        if (self.answered.logprobs is None) != (reply.logprobs is None):
            raise self.client.error(
                "some replies have log-probabilities and some do not; one table cannot contain "
                f"both; use a server that handles all requests alike (if this is now the case, "
                f"remove {self.journal.path} to send all prompts again), or set "
                "score.api_top_logprobs: 0 to score by the texts alone"
            )

    def without_answer(self) -> str:
        """The number of prompts without an answer, and the server's reply to the last of them."""
        return (
            f"{len(self.unanswered)} of {len(self.replies)} prompts got no answer, the last: "
            f"{self.unanswered[-1].seen}"
        )

    def check_rule(self, *, done: bool) -> None:
        """Raise UserError if too many prompts have no answer, or only doubtful ones."""
        num = len(self.replies)
        if _is_rule(len(self.unanswered), num, *_UNANSWERED, done=done):
            raise self.client.error(
                f"{self.without_answer()}; change the server's content filter or choose another "
                "server; answers so far are kept, and the same command requests only the others"
            )
        if _is_rule(len(self.doubtful), num, *_DOUBTFUL, done=done):
            self.journal.forget()
            raise self.client.error(
                f"the first position of {len(self.doubtful)} of {num} replies does not list two "
                f"of the answers {', '.join(map(repr, self.answers))}, or the text begins after "
                f"it; the last one lists {self.doubtful[-1].seen}; {self.body['top_logprobs']} "
                "tokens were requested (score.api_top_logprobs, usually at most 20); configure the "
                "server to list tokens by their texts and to use the chat template of the scored "
                "model, or set score.api_top_logprobs: 0 to score by the texts alone"
            )


def _constraint(choices: Choices) -> dict[str, Any]:
    """The constraint in the form that vLLM's server understands."""
    return {"structured_outputs": {"choice": list(choices)}, "max_tokens": choice_tokens(choices)}


def unconstrain(replies: Sequence[Reply], choices: Sequence[Choices]) -> list[Reply]:
    """The replies; if a text is not one of its prompt's choices, without texts for such prompts.

    In that case the server ignores the constraint, and even matching replies are free text.
    """
    of = {row: texts for row, texts in enumerate(choices) if texts}
    if all(replies[row].text in (*texts, None) for row, texts in of.items()):
        return list(replies)
    return [UNCONSTRAINED if row in of else reply for row, reply in enumerate(replies)]


def _is_rule(count: int, num: int, share: float, roots: int, *, done: bool) -> bool:
    """Whether `count` of `num` exceeds a share; before all are done, by a wide margin."""
    return count > share * num + (0 if done else roots * math.sqrt(num))
