"""Errors of both sides.

    ApiError    for bots: a code, Telegram's own description, sometimes parameters
    SimError    for the page and for tests: one sentence, with HTTP status 400

Bots act on the descriptions, so they are Telegram's own wherever those are known.
"""

from sandbox.json_types import JsonObject


class ApiError(Exception):
    """A refused call of the Bot API.

    Args:
        code: the HTTP status and `error_code`.
        description: Telegram's words, with the code's prefix.
        parameters: `retry_after` or `migrate_to_chat_id`.
    """

    def __init__(self, code: int, description: str, parameters: JsonObject | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters: JsonObject = dict(parameters or {})

    def as_json(self) -> JsonObject:
        """Return the body of the answer."""
        body: JsonObject = {
            "ok": False,
            "error_code": self.code,
            "description": self.description,
        }
        return body | {"parameters": self.parameters} if self.parameters else body


class SimError(Exception):
    """A request of the person side that cannot be done.

    Args:
        sentence: what is wrong, shown on the page.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def bad_request(text: str) -> ApiError:
    """Return a 400: the call is wrong."""
    return ApiError(400, f"Bad Request: {text}")


def unauthorized() -> ApiError:
    """Return a 401: the token is another bot's."""
    return ApiError(401, "Unauthorized")


def forbidden(text: str) -> ApiError:
    """Return a 403: the bot has no access to the chat."""
    return ApiError(403, f"Forbidden: {text}")


def not_found() -> ApiError:
    """Return a 404: an unknown method, or an invalid token."""
    return ApiError(404, "Not Found")


def conflict(text: str) -> ApiError:
    """Return a 409: another program receives the bot's updates."""
    return ApiError(409, f"Conflict: {text}")


def too_large() -> ApiError:
    """Return a 413: the body is over the limit."""
    return ApiError(413, "Request Entity Too Large")


def too_many_requests(retry_after: int) -> ApiError:
    """Return a 429: the bot may try again after `retry_after` seconds."""
    return ApiError(
        429, f"Too Many Requests: retry after {retry_after}", {"retry_after": retry_after}
    )
