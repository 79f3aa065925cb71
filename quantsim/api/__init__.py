"""The functions that ``import quantsim`` exports: one call each, with results that show themselves. See docs/python.md.

``simulation`` simulates one set, ``optimization`` finds sets, ``out_of_sample`` trains on folds.
"""
