"""Stored runs as things: listed, compared, labelled, deleted, copied between stores, and watched.

:class:`~quantsim.checkpoints.CheckpointStore` has a method for each. ``docs/runs.md`` explains them.
"""
