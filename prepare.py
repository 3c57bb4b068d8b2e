"""The command line of 2021, with the same flags. Run `python prepare.py --help`."""

import sys

try:
    from animato.prepare import main
except ModuleNotFoundError as error:
    sys.exit(
        f"{error.name} is not installed: run `make neural`, then `.venv/bin/python prepare.py`."
    )

if __name__ == "__main__":
    sys.exit(main())
