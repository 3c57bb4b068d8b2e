"""`python -m sandbox`: runs the server until Ctrl-C."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence

from sandbox.limits import TOTAL_LIMIT
from sandbox.server import Sandbox, SandboxOptions
from sandbox.world.people import DEFAULT_TOKEN, DEFAULT_USERNAME
from sandbox.world.telegram import Settings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="Run a local Bot API server with a chat page, for trying a bot. "
        "Everything is kept in memory.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="0 for a free one (%(default)s)")
    parser.add_argument("--token", default=DEFAULT_TOKEN, help="the bot's token (%(default)s)")
    parser.add_argument(
        "--username",
        default=DEFAULT_USERNAME,
        metavar="NAME",
        help="of the bot (%(default)s)",
    )
    parser.add_argument(
        "--enforce-limits",
        action="store_true",
        help="answer 429 above Telegram's flood limits: 20 messages per minute to a group, about "
        "one per second to a person",
    )
    parser.add_argument(
        "--messages-per-second",
        type=int,
        default=TOTAL_LIMIT,
        metavar="N",
        help="with --enforce-limits, to all chats together (%(default)s)",
    )
    parser.add_argument(
        "--no-privacy-mode",
        action="store_true",
        help="let the bot receive all messages of its groups",
    )
    return parser


async def _serve(options: SandboxOptions) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        # Reading a large video cannot be interrupted; a second signal does not wait for it.
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
        print("Press Ctrl-C to stop. Nothing is saved.", flush=True)
        await ended.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and return the exit code: 0 after Ctrl-C, 2 if the server cannot start."""
    parser = _parser()
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        options = SandboxOptions(
            host=given.host,
            port=given.port,
            token=given.token,
            username=given.username,
            messages_per_second=given.messages_per_second,
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
