"""`python -m animato`."""

import sys

from animato.cli import main

sys.exit(main())
