"""Chat completions over HTTP, with retries; every refusal is reported in one line."""

import asyncio
import json
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx

from newsrec.engines.api_errors import (
    PassingError,
    UnansweredError,
    advise,
    find_error,
    is_of_the_account,
    is_of_the_prompt,
    may_pass,
    named_status,
    names_no_model,
)
from newsrec.engines.settings import KEY_VARIABLE, MODEL_VARIABLE, URL_VARIABLE
from newsrec.errors import UserError

_LONGEST_WAIT = 60.0  # seconds between two tries, unless the server asks for more
_LONGEST_ASKED = 600.0  # seconds; a server that asks for more means a quota, not a queue
_SHORTEST_KEY = 8  # a shorter one is a placeholder for servers without keys, such as EMPTY
_SHOWN = 300  # characters of a reply in a message
_WHEN_UNREACHABLE = (
    "check that the server is up, lower score.api_concurrency or raise score.api_timeout"
)

Answer = TypeVar("Answer")


def connect(url: str, key: str | None, *, timeout: float, concurrency: int) -> httpx.AsyncClient:
    """Create a client for the server at `url`; it connects when the first request is sent.

    Raises:
        UserError: `url` is not a usable URL, or `key` is not a usable key.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo or parsed.query:
        # The URL is not shown, as it may contain a password.
        raise UserError(
            f"{URL_VARIABLE}: expected a URL such as http://127.0.0.1:8000/v1, without a user, "
            f"password or query; set the key in {KEY_VARIABLE}"
        )
    if key is not None and not (key.isascii() and key.isprintable() and key and " " not in key):
        raise UserError(f"{KEY_VARIABLE}: expected only the key, without spaces or line breaks")
    return httpx.AsyncClient(
        base_url=url,
        headers={} if key is None else {"Authorization": f"Bearer {key}"},
        timeout=timeout,
        limits=httpx.Limits(max_connections=concurrency),
        # A proxy cannot reach servers on this machine.
        trust_env=parsed.host not in ("127.0.0.1", "localhost", "::1"),
    )


@dataclass(frozen=True)
class Client:
    """One model on one server.

    Attributes:
        http: connections to the server.
        model: the server's name for the model.
        key: the key for the server.
        max_tries: attempts for one request.
        first_wait: seconds before the second attempt; doubled each time.
        named_by: the variable or parameter by which a user names the model.
    """

    http: httpx.AsyncClient
    model: str
    key: str | None = field(repr=False)
    max_tries: int
    first_wait: float
    named_by: str = f"{MODEL_VARIABLE}BASE or {MODEL_VARIABLE}TUNED"

    async def complete(
        self,
        body: Mapping[str, Any],
        read: Callable[[dict[str, Any]], Answer],
        failed: Callable[[str], None] = lambda kind: None,
    ) -> Answer:
        """Send one request, with retries, and return the reply as parsed by `read`.

        Args:
            body: the body of the request.
            read: parses the reply; if it raises `PassingError`, the request is sent again.
            failed: called with the kind of each failure: `PassingError.kind`, or `connection`.

        Raises:
            UnansweredError: the server filters this prompt.
            UserError: the server refuses the request, or failed `max_tries` times.
        """
        problem, remedy, tries = "none was made", _WHEN_UNREACHABLE, 0
        # httpx's timeout restarts with every byte, so a very slow reply would never time out.
        longest = 2 * (self.http.timeout.read or 0)
        while tries < self.max_tries:
            tries += 1
            asked_wait = 0.0
            try:
                async with asyncio.timeout(longest):
                    response = await self.http.post("chat/completions", json=body)
                asked_wait = _retry_after(response)
                return read(await self._completion(response))
            except httpx.RequestError as error:
                problem, remedy = f"{type(error).__name__} {error}".strip(), _WHEN_UNREACHABLE
                failed("connection")
            except TimeoutError:
                problem, remedy = f"no complete reply in {longest:g} s", _WHEN_UNREACHABLE
                failed("connection")
            except PassingError as error:
                problem, remedy = str(error), error.remedy or _WHEN_UNREACHABLE
                failed(error.kind)
            if asked_wait > _LONGEST_ASKED:
                problem += f"; the server asks to wait {asked_wait:.0f} s"
                break
            if tries < self.max_tries:
                wait = min(_LONGEST_WAIT, self.first_wait * 2 ** (tries - 1))
                # With jitter, so that requests that failed together are not all retried together.
                await asyncio.sleep(max(wait, asked_wait) + random.uniform(0, wait / 2))
        raise self.error(
            f"no answer in {tries} tries, the last: {problem}; {remedy}; answers so far are kept, "
            "and the same command continues from there"
        )

    def error(self, text: str) -> UserError:
        """An error for this server, without the key, which its reply may repeat."""
        return UserError(f"{str(self.http.base_url).rstrip('/')}: {self._hidden(text)}")

    def _hidden(self, text: str) -> str:
        """The text without the key; call it before truncating, or a part of the key may remain."""
        if self.key is None or len(self.key) < _SHORTEST_KEY:
            return text
        return text.replace(self.key, "***").replace(self.key.replace("/", "\\/"), "***")

    async def _completion(self, response: httpx.Response) -> dict[str, Any]:
        """The chat completion in a response.

        Raises:
            PassingError, UnansweredError, UserError: it has none; the class depends on the error.
        """
        status, text = response.status_code, self._hidden(response.text)
        try:
            # Its content is stored in predictions and the journal.
            body = response.json() if text == response.text else json.loads(text)
        except (ValueError, RecursionError):
            body = None
        error = find_error(body)
        if status == 200 and error is None:
            return self._checked(body, text)
        problem = f"{status} {text[:_SHOWN]}".strip()
        if status == 200:
            status = named_status(error) or 200
            problem = f"{status} inside a reply of status 200: {text[:_SHOWN]}"
        if error is None:
            error = text
        if is_of_the_prompt(status, error):
            raise UnansweredError(problem)
        if is_of_the_account(status, error):
            raise self.error(
                f"the account has no credit left: {problem}; add credit or raise its limit; "
                "answers so far are kept, and the same command continues from there"
            )
        if may_pass(status, error):
            raise PassingError(problem, kind=str(status))
        if status == 200:
            raise self._no_completion(text)
        raise await self._refusal(status, error, problem, response.headers.get("Location", ""))

    def _checked(self, body: object, text: str) -> dict[str, Any]:
        """The body of a reply without an error, if it is a chat completion."""
        if isinstance(body, dict) and "choices" in body:
            if body["choices"]:
                return body
            raise PassingError(f"a reply without any choice: {text[:_SHOWN]}")
        start = text.lstrip()[:5]
        if start == "data:":
            raise self.error(
                f"expected one reply, found a stream: {text[:_SHOWN]!r}; choose another server, or "
                "configure it to stream only on request"
            )
        if body is None and not start.startswith("<"):
            raise PassingError(f"a truncated reply: {text[:_SHOWN]!r}")
        raise self._no_completion(text)

    def _no_completion(self, text: str) -> UserError:
        return self.error(
            f"expected a chat completion, found {text[:_SHOWN]!r}; set {URL_VARIABLE} to the "
            "URL of an OpenAI-compatible server, including /v1; if it answered before, check the "
            "proxies between this machine and the server; answers so far are kept"
        )

    async def _refusal(self, status: int, error: object, problem: str, location: str) -> UserError:
        if status in (401, 403):
            found = "requires a key" if self.key is None else "refuses the key"
            return self.error(
                f"the server {found} ({status}); set {KEY_VARIABLE} to a valid key; its reply: "
                f"{problem}"
            )
        if status == 404:
            names = await self._models()
            if self.model not in names and names:
                return self.error(
                    f"no model {self.model!r}; expected one of: {', '.join(names)}; set "
                    f"{self.named_by}"
                )
            if not names_no_model(error):
                return self.error(
                    f"no chat completions at this URL (404); set {URL_VARIABLE} to the URL of an "
                    "OpenAI-compatible server, including /v1"
                )
        return self.error(
            f"the server refuses the request: {problem}; {advise(status, error, location)}"
        )

    async def _models(self) -> list[str]:
        """The models that the server lists, if any."""
        try:
            response = await self.http.get("models")
            return [str(entry["id"]) for entry in response.json()["data"]]
        except (httpx.RequestError, ValueError, LookupError, TypeError):
            return []


def _retry_after(response: httpx.Response) -> float:
    """Seconds that the server asks to wait, given as a number or a date; 0 if it does not ask."""
    given = response.headers.get("Retry-After", "0")
    try:
        seconds = float(given)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(given).timestamp() - time.time()
        except (ValueError, OverflowError):
            return 0.0
    return 0.0 if math.isnan(seconds) else max(0.0, seconds)
