"""`python -m codexd.demo`: the show."""

import sys

from codexd.demo.show import main

sys.exit(main())
