"""The two ways to be refused: as a bot, in Telegram's words; as a person, in one plain sentence.

    ApiError    what a bot gets: a code, Telegram's own description, sometimes parameters
    SimError    what `/sim/...` answers to the page or to a test, with HTTP status 400

Bots decide by the descriptions, so those are the real server's wherever its words are known.
"""

from sandbox.json_types import JsonObject


class ApiError(Exception):
    """A refused call of the Bot API.

    Args:
        code: the HTTP status, which is also the `error_code`.
        description: Telegram's words, with the prefix that goes with the code.
        parameters: what a bot may act on: `retry_after` or `migrate_to_chat_id`.
    """

    def __init__(self, code: int, description: str, parameters: JsonObject | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters: JsonObject = dict(parameters or {})

    def as_json(self) -> JsonObject:
        """The body of the answer."""
        body: JsonObject = {
            "ok": False,
            "error_code": self.code,
            "description": self.description,
        }
        return body | {"parameters": self.parameters} if self.parameters else body


class SimError(Exception):
    """A request of the person side that cannot be done.

    Args:
        sentence: what is wrong with it, for whoever sits before the page or reads a test's log.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def bad_request(text: str) -> ApiError:
    """400: the call itself is wrong."""
    return ApiError(400, f"Bad Request: {text}")


def unauthorized() -> ApiError:
    """401: a well-formed token that is not this bot's."""
    return ApiError(401, "Unauthorized")


def forbidden(text: str) -> ApiError:
    """403: the bot has no way into the chat."""
    return ApiError(403, f"Forbidden: {text}")


def not_found() -> ApiError:
    """404: no such method, or a token of the wrong form."""
    return ApiError(404, "Not Found")


def conflict(text: str) -> ApiError:
    """409: somebody else is getting this bot's updates."""
    return ApiError(409, f"Conflict: {text}")


def too_large() -> ApiError:
    """413: the body is over the limit."""
    return ApiError(413, "Request Entity Too Large")


def too_many_requests(retry_after: int) -> ApiError:
    """429: the bot may ask again after `retry_after` seconds."""
    return ApiError(
        429, f"Too Many Requests: retry after {retry_after}", {"retry_after": retry_after}
    )
