"""`python -m codexd` is codexd."""

import sys

from codexd.service.main import main

if __name__ == "__main__":
    sys.exit(main())
