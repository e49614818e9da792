"""`python -m locus_nb`: what can be asked without a notebook."""

import sys

from locus_nb._doctor.command import main

if __name__ == "__main__":
    sys.exit(main())
