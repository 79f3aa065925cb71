"""Imports result files of quantammsim into the checkpoint store. See docs/fingerprints.md.

``result_file`` reads the list in a file, entry by entry; ``raw`` and ``entries`` convert an entry to checkpoints;
``importing`` writes them to a store.
"""

from quantsim.checkpoints.published.importing import PublishedResults, import_results, read_results

__all__ = ["PublishedResults", "import_results", "read_results"]
