"""The policy: a language model's score of each candidate, and the rows that it reads."""

from collections.abc import Sequence
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel

from newsrec.errors import UserError
from newsrec.ranker.rl.rows import NO_PROMPT, attention_of


class Policy(nn.Module):
    """A language model that scores the prompts of a row: logit(Yes) - logit(No) of each.

    From the weights of the model's own head, in float32 whatever the model computes in: rounded to
    bfloat16, the logits of most prompts would differ by nothing.
    """

    main_input_name = "input_ids"  # whose tokens the Trainer counts

    def __init__(
        self, network: PreTrainedModel | PeftModel, answers: tuple[int, int], has_critic: bool
    ) -> None:
        """Take a model.

        Args:
            network: that is trained, or whose adapter is.
            answers: the tokens of Yes and No.
            has_critic: whether it also estimates the reward of a list, by a head that is trained
                and not kept.
        """
        super().__init__()
        self.network = network
        self._answers = list(answers)
        self.critic = nn.Linear(network.config.hidden_size, 1) if has_critic else None
        if self.critic is not None:
            nn.init.zeros_(self.critic.weight)
            nn.init.zeros_(self.critic.bias)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        position_ids: Tensor,
        owners: Tensor,
        is_prompt: Tensor,
    ) -> dict[str, Tensor]:
        """Score a batch of `Packing`.

        Returns:
            `scores`, shape (rows, prompts), `NO_PROMPT` where there is none; with a critic also
            `values`, shape (rows,). float32.
        """
        network = self._language_model()
        read = network.get_decoder()(
            input_ids=input_ids,
            attention_mask=attention_of(owners, position_ids),
            position_ids=position_ids,
            use_cache=False,
        )
        with torch.autocast(input_ids.device.type, enabled=False):
            last = read.last_hidden_state[:, -is_prompt.shape[1] :].float()
            yes, no = network.get_output_embeddings().weight[self._answers].float()
            found = {"scores": (last @ (yes - no)).masked_fill(~is_prompt, NO_PROMPT)}
            if self.critic is not None:
                shown = is_prompt.unsqueeze(-1)
                means = (last * shown).sum(1) / shown.sum(1)
                # What the critic learns of a list does not change the model.
                found["values"] = self.critic(means.detach()).squeeze(-1)
        return found

    def _language_model(self) -> PreTrainedModel:
        if isinstance(self.network, PeftModel):
            return self.network.get_base_model()
        return self.network

    @torch.no_grad()
    def check_rows(
        self, batch: dict[str, Tensor], prompts: Sequence[Sequence[int]], tolerance: float
    ) -> float:
        """Compare the scores of one row with those that the whole model gives each prompt alone.

        Args:
            batch: of `Packing`, of one list.
            prompts: token ids of the list's prompts.
            tolerance: the largest difference that passes.

        Returns:
            The largest difference.

        Raises:
            UserError: the model reads a row otherwise than the prompts, so it cannot be trained.
        """
        inputs = {name: batch[name] for name in batch.keys() - {"labels", "number"}}
        found = self(**inputs)["scores"][0, : len(prompts)].tolist()
        yes, no = self._answers
        alone = [self._answer_logits(ids) for ids in prompts]
        difference: float = max(
            abs(score - float(logits[yes] - logits[no]))
            for score, logits in zip(found, alone, strict=True)
        )
        if not difference <= tolerance:
            raise UserError(
                f"packed into one row with others, a prompt's score differs by {difference:.3g} "
                f"from that of the prompt alone, expected at most {tolerance:g}: this kind of "
                "model does not attend by a mask alone (a sliding window, or another head); choose "
                "another one"
            )
        return difference

    def _answer_logits(self, ids: Sequence[int]) -> Tensor:
        device = next(self.parameters()).device
        inputs: Any = torch.tensor([list(ids)], device=device)
        logits: Tensor = self._language_model()(input_ids=inputs, logits_to_keep=1).logits
        return logits[0, -1].float()
