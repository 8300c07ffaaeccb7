"""`python -m quantvietocr`: the console script where it is not on the path."""

import sys

from .cli.main import main

sys.exit(main())
