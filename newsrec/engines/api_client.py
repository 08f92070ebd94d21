"""Chat completions over HTTP: tried again, and every refusal in one line."""

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from newsrec.engines.settings import KEY_VARIABLE, MODEL_VARIABLE, URL_VARIABLE
from newsrec.errors import UserError

_RETRIED = {408, 409, 425, 429, 500, 502, 503, 504, 529}
_LONGEST_WAIT = 60.0  # seconds between two tries, unless the server asks for more
_LONGEST_ASKED = 600.0  # seconds; a server that asks for more means a quota, not a queue


def connect(url: str, key: str | None, *, timeout: float, concurrency: int) -> httpx.AsyncClient:
    """Connections to the server at `url`; opened when the first request is sent.

    Raises:
        UserError: `url` or `key` is nothing that could be one.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo or parsed.query:
        # Not shown: it may hold a password.
        raise UserError(
            f"{URL_VARIABLE}: expected an address like http://127.0.0.1:8000/v1, without a user, "
            f"password or query; the key goes to {KEY_VARIABLE}"
        )
    if key is not None and not (key.isascii() and key.isprintable() and key and " " not in key):
        raise UserError(f"{KEY_VARIABLE}: expected the key alone, without spaces or line ends")
    return httpx.AsyncClient(
        base_url=url,
        headers={} if key is None else {"Authorization": f"Bearer {key}"},
        timeout=timeout,
        limits=httpx.Limits(max_connections=concurrency),
        # A proxy does not reach this machine's own servers.
        trust_env=parsed.host not in ("127.0.0.1", "localhost", "::1"),
    )


@dataclass(frozen=True)
class Client:
    """One model of one server; `first_wait` is in seconds and doubled with each try."""

    http: httpx.AsyncClient
    model: str
    key: str | None
    max_tries: int
    first_wait: float

    async def complete(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The server's reply to one request.

        Raises:
            UserError: the server refuses, or failed `max_tries` times.
        """
        problem, tries = "none was made", 0
        while tries < self.max_tries:
            tries += 1
            asked_wait = 0.0
            try:
                response = await self.http.post("chat/completions", json=body)
            except httpx.RequestError as error:
                problem = f"{type(error).__name__} {error}".strip()
            else:
                if response.status_code == 200:
                    return self._json(response)
                problem = f"{response.status_code} {response.text[:300]}".strip()
                if response.status_code not in _RETRIED:
                    raise await self._refusal(response.status_code, problem)
                asked_wait = _retry_after(response)
            if asked_wait > _LONGEST_ASKED:
                problem += f"; it asks to wait {asked_wait:.0f} s"
                break
            if tries < self.max_tries:
                wait = min(_LONGEST_WAIT, self.first_wait * 2 ** (tries - 1))
                # Spread, or all the requests that failed together come back together.
                await asyncio.sleep(max(wait, asked_wait) + random.uniform(0, wait / 2))
        raise self.error(
            f"no answer in {tries} tries, the last: {problem}; see whether the server is up, lower "
            "score.api_concurrency or raise score.api_timeout; what was answered is kept: the same "
            "command continues from there"
        )

    def error(self, text: str) -> UserError:
        """The error of this server, without the key, which a server may have repeated."""
        shown = text if self.key is None else text.replace(self.key, "***")
        return UserError(f"{str(self.http.base_url).rstrip('/')}: {shown}")

    async def _refusal(self, status: int, problem: str) -> UserError:
        if status in (401, 403):
            found = "wants a key" if self.key is None else "refuses the key"
            return self.error(f"the server {found} ({status}); set {KEY_VARIABLE} to a valid one")
        if status == 404:
            names = await self._models()
            if self.model not in names and names:
                return self.error(
                    f"no model {self.model!r}; expected one of: {', '.join(names)}; set "
                    f"{MODEL_VARIABLE}BASE or {MODEL_VARIABLE}TUNED"
                )
            return self.error(
                f"no chat completions there (404); set {URL_VARIABLE} to the address of an "
                "OpenAI-compatible server, up to and with /v1"
            )
        return self.error(
            f"the server refuses the request: {problem}; where that is about log-probabilities, "
            "lower score.api_top_logprobs (0 asks for none); else choose another server"
        )

    async def _models(self) -> list[str]:
        """The models that the server lists; none where it lists nothing."""
        try:
            response = await self.http.get("models")
            return [str(entry["id"]) for entry in response.json()["data"]]
        except (httpx.RequestError, ValueError, LookupError, TypeError):
            return []

    def _json(self, response: httpx.Response) -> dict[str, Any]:
        try:
            reply = response.json()
        except ValueError:
            reply = None
        if not isinstance(reply, dict) or not reply.get("choices"):
            raise self.error(
                f"expected a chat completion, found {response.text[:200]!r}; set {URL_VARIABLE} to "
                "the address of an OpenAI-compatible server, up to and with /v1"
            )
        return reply


def _retry_after(response: httpx.Response) -> float:
    """Seconds that the server asks to wait, as a number or a date; 0 where it does not ask."""
    given = response.headers.get("Retry-After", "0")
    if given.isdigit():
        return float(given)
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except ValueError:
        return 0.0
