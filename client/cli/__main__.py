"""Run the command line as `python -m cipherlens.client.cli`."""

import sys

from cipherlens.client.cli import main

sys.exit(main())
