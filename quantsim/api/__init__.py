"""The functions that ``import quantsim`` exports: one call each, with results that have tables and figures; see docs/python.md.

``simulation`` simulates one set, ``drivers`` finds sets, ``out_of_sample`` trains on folds.
"""
