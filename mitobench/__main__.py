"""``python -m mitobench`` is the command ``mitobench``."""

import sys

from mitobench.cli import main

sys.exit(main())
