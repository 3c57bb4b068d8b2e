"""`python -m sandbox`: the server, until Ctrl-C."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence

from sandbox.server import Sandbox, SandboxOptions
from sandbox.world.people import DEFAULT_TOKEN, DEFAULT_USERNAME
from sandbox.world.telegram import Settings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="A Telegram on your desk: a Bot API server on loopback with a chat page. "
        "Everything is kept in memory and goes when it ends.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (%(default)s)")
    parser.add_argument("--token", default=DEFAULT_TOKEN, help="the bot's token (%(default)s)")
    parser.add_argument(
        "--username", default=DEFAULT_USERNAME, metavar="NAME", help="the bot's name (%(default)s)"
    )
    parser.add_argument(
        "--enforce-limits",
        action="store_true",
        help="answer 429 to more than Telegram allows: 20 messages a minute into a group, about "
        "one a second to a person",
    )
    parser.add_argument(
        "--no-privacy-mode",
        action="store_true",
        help="let the bot see every message of its groups, as BotFather's setting does",
    )
    return parser


async def _serve(options: SandboxOptions) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        # What is being made of a large clip cannot be interrupted; who asks twice does not wait.
        if ended.is_set():
            os._exit(130)
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    async with Sandbox(options) as sandbox:
        print(f"Chat page   {sandbox.url}/")
        print(f"Bot API     {sandbox.base_url}<token>/<method>")
        print(f"Files       {sandbox.base_file_url}<token>/<path>")
        print(f"Token       {sandbox.token}")
        print("Ctrl-C ends it; nothing is kept.", flush=True)
        await ended.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 after Ctrl-C, 2 if it cannot begin."""
    parser = _parser()
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        options = SandboxOptions(
            host=given.host,
            port=given.port,
            token=given.token,
            username=given.username,
            settings=Settings(
                privacy_mode=not given.no_privacy_mode, enforce_limits=given.enforce_limits
            ),
        )
        asyncio.run(_serve(options))
    except (OSError, ValueError, OverflowError) as exc:
        print(f"python -m sandbox: {exc}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
