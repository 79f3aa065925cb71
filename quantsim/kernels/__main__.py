"""Compiles functions into the user's cache: ``python -m quantsim.kernels MODULE:FUNCTION ...``."""

from __future__ import annotations

import gc
import sys

from quantsim.kernels.machine_code import compile_missing

if __name__ == "__main__":
    gc.disable()  # it would take a seventh of the time of this short process
    for text in sys.argv[1:]:
        module, _, name = text.partition(":")
        compile_missing((module, name))
    gc.freeze()  # for the last collection
