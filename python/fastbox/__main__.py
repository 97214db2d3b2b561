"""`python -m fastbox` is the command `fastbox`."""

import sys

from fastbox.cli import main

sys.exit(main())
