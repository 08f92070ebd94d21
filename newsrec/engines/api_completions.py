"""Chat completions of many prompts: asked by several tasks at once, and judged as a whole."""

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

# The share that is tolerated, and by how many roots of the number of prompts more must be found
# before all are asked. Prompts with a text in common come together, and are filtered together.
_DOUBTFUL = (1 / 2, 3)
_UNANSWERED = (1 / 4, 15)

UNCONSTRAINED = Reply([], None, False)  # of a prompt that the server does not constrain


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
        """Raise UserError where replies are of two models, or only some have log-probabilities."""
        if reply.text is None:
            return
        self.model = self.model or reply.model
        if reply.model not in ("", self.model):
            raise self.client.error(
                f"some replies are of the model {self.model!r} and some of {reply.model!r}; one "
                "table cannot hold both; ask for a model that the server never replaces (where it "
                f"now does not, remove {self.journal.path} to ask all again)"
            )
        self.answered = self.answered or reply
        if (self.answered.logprobs is None) != (reply.logprobs is None):
            raise self.client.error(
                "some replies hold log-probabilities and some do not; one table cannot hold both; "
                f"use a server that treats all requests alike (where it now does, remove "
                f"{self.journal.path} to ask all again), or set score.api_top_logprobs: 0 for the "
                "texts alone"
            )

    def without_answer(self) -> str:
        """How many prompts have none, and what the server says of the last."""
        return (
            f"{len(self.unanswered)} of {len(self.replies)} prompts got no answer, the last: "
            f"{self.unanswered[-1].seen}"
        )

    def check_rule(self, *, done: bool) -> None:
        """Raise UserError where as a rule there is no answer, or nothing known of the answers."""
        num = len(self.replies)
        if _is_rule(len(self.unanswered), num, *_UNANSWERED, done=done):
            raise self.client.error(
                f"{self.without_answer()}; change the server's content filter or choose another "
                "server; answers so far are kept: the same command asks only for the rest"
            )
        if _is_rule(len(self.doubtful), num, *_DOUBTFUL, done=done):
            self.journal.forget()
            raise self.client.error(
                f"the first position of {len(self.doubtful)} of {num} replies does not list two "
                f"of the answers {', '.join(map(repr, self.answers))}, or the text begins behind "
                f"it; the last lists {self.doubtful[-1].seen}; it was asked for "
                f"{self.body['top_logprobs']} tokens (score.api_top_logprobs, mostly up to 20); "
                "let the server list them by their texts, with the chat template of the model "
                "that is scored, or set score.api_top_logprobs: 0 to score by the texts alone"
            )


def _constraint(choices: Choices) -> dict[str, Any]:
    """What vLLM's server understands."""
    return {"structured_outputs": {"choice": list(choices)}, "max_tokens": choice_tokens(choices)}


def unconstrain(replies: Sequence[Reply], choices: Sequence[Choices]) -> list[Reply]:
    """The replies, of prompts with choices without a text if any is none of its choices.

    Then the server passes over the constraint, and what it wrote within the choices is free text.
    """
    of = {row: texts for row, texts in enumerate(choices) if texts}
    if all(replies[row].text in (*texts, None) for row, texts in of.items()):
        return list(replies)
    return [UNCONSTRAINED if row in of else reply for row, reply in enumerate(replies)]


def _is_rule(count: int, num: int, share: float, roots: int, *, done: bool) -> bool:
    """Whether `count` of `num` is more than a share; before all are done, far more."""
    return count > share * num + (0 if done else roots * math.sqrt(num))
