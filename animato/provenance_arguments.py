"""The arguments of `animato provenance`."""

import argparse
from pathlib import Path
from typing import Any

from inference.extras import need_extras


def add_provenance(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "provenance",
        help="check the Content Credentials (C2PA) of files",
        description="Check the Content Credentials (C2PA) of files. See docs/provenance.md.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    action = actions.add_parser(
        "verify",
        help="say whether files are unchanged, who signed them and how they were made",
        description="Say of each file whether it is unchanged since it was signed, who signed it "
        "and how it was made. No server is asked. Exit with 0 if all files are unchanged, "
        "otherwise with 1.",
    )
    action.add_argument("files", type=Path, nargs="+", metavar="FILE", help="a video or picture")
    trust = action.add_mutually_exclusive_group()
    trust.add_argument(
        "--trust", type=Path, metavar="PEM", help="trust the certificates in this file"
    )
    trust.add_argument(
        "--own", action="store_true", help="trust the certificates that this installation made"
    )

    def run(arguments: argparse.Namespace) -> None:
        need_extras("animato provenance", "bot")
        from animato.provenance import verify  # noqa: PLC0415

        verify(arguments)

    action.set_defaults(run=run)
