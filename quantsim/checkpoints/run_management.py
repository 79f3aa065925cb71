"""What a store does with whole runs: lists, labels and deletes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quantsim.checkpoints.checkpoint import SHORT_RUN_ID, STATUSES, parse_checkpoint_id
from quantsim.checkpoints.database import labels as label_table
from quantsim.checkpoints.database import runs as run_table
from quantsim.checkpoints.database.summaries import find_facts, of_whole
from quantsim.checkpoints.liveness import is_elsewhere
from quantsim.checkpoints.runs.checked import NEWEST, checked_note, checked_tags, checked_title
from quantsim.checkpoints.runs.entries import RunEntry, RunList, entries_of
from quantsim.checkpoints.store_base import StoreBase
from quantsim.errors import CheckpointError, nearest

__all__ = ["RunManagement"]


class RunManagement(StoreBase):
    """Runs as users count them. A key is a run's id, its first characters, a checkpoint's key, a given name, or "newest"."""

    def runs(
        self,
        *,
        study: str | None = None,
        driver: str | None = None,
        tag: str | None = None,
        status: str | None = None,
    ) -> RunList:
        """Returns the runs that match all given values, the newest first, with a constant number of queries.

        The folds of a walk-forward are one entry, and so are the phases of a hybrid run.

        Args:
            study: name of the study, or a name that a user gave to a run.
            driver: "search", "sgd", "hybrid", "imported", ...
            tag: a tag.
            status: "running", "finished", "interrupted" or "failed"; a run whose process was killed counts as interrupted.

        Raises:
            CheckpointError: there is no such status.

        Example:
            >>> with CheckpointStore("quantsim-results/checkpoints.db") as store:  # doctest: +SKIP
            ...     store.runs(driver="search").to_frame()
        """
        if status is not None and status not in STATUSES:
            raise CheckpointError(f"unknown status {status!r}; {nearest(status, STATUSES)}")
        return RunList(
            entry
            for entry in entries_of(self._read(find_facts))
            if (study is None or study in (entry.study, entry.title))
            and (driver is None or driver == entry.driver)
            and (tag is None or tag in entry.tags)
            and (status is None or status == entry.status)
        )

    def entry(self, key: str) -> RunEntry:
        """Returns the entry of a run.

        Args:
            key: the id of one of its runs, the first characters of it, the key of a checkpoint, a given name, or
                "newest" for the run that started last.

        Raises:
            CheckpointError: no run matches, or several do.
        """
        run_ids = self._read(of_whole, self._run_id(key))
        (found,) = entries_of(self._read(find_facts, run_ids))
        return found

    def tag(self, key: str, add: Iterable[str] = (), *, remove: Iterable[str] = ()) -> RunEntry:
        """Adds tags to a run, and removes others; returns its entry.

        Raises:
            CheckpointError: there is no such run, or a tag is not 1 to 64 letters, digits and ``. : + - _``.
        """
        added, gone = checked_tags(add), checked_tags(remove)
        if both := sorted(set(added) & set(gone)):
            raise CheckpointError(f"tag {both[0]!r} is to be added and removed: do one of them")
        entry = self.entry(key)
        self._write(label_table.change_tags, entry.run_ids, added, gone)
        return self.entry(entry.run_id)

    def annotate(self, key: str, note: str | None) -> RunEntry:
        """Sets the note of a run in place of an earlier one, or removes it (None); returns its entry.

        Raises:
            CheckpointError: there is no such run, or the note is empty or longer than 10,000 characters.
        """
        text = None if note is None else checked_note(note)
        entry = self.entry(key)
        self._write(lambda connection: label_table.set_label(connection, entry.run_ids, note=text))
        return self.entry(entry.run_id)

    def rename(self, key: str, name: str | None) -> RunEntry:
        """Gives a run a name, or removes it (None); returns its entry.

        The name of the study, :attr:`Run.name <quantsim.checkpoints.Run.name>`, stays: drivers find runs by it.

        Raises:
            CheckpointError: there is no such run, or the name is empty, too long, the name of another run, or would be
                taken for an id.
        """
        title = None if name is None else checked_title(name)
        entry = self.entry(key)
        if title is not None:
            others = set(self._read(label_table.titled, title)) - set(entry.run_ids)
            if others:
                raise CheckpointError(
                    f"the name {title!r} is that of run {min(others)[:SHORT_RUN_ID]}: give another one"
                )
        self._write(lambda connection: label_table.set_label(connection, entry.run_ids, title=title))
        return self.entry(entry.run_id)

    def delete(self, keys: str | Sequence[str], *, take_over: bool = False) -> RunList:
        """Deletes runs with their checkpoints, daily returns, baselines, reports and states; returns their entries.

        All runs of a walk-forward or of a hybrid run are deleted together. Either all given runs are deleted, or none. The
        Optuna study of a search stays: :func:`quantsim.delete_runs` deletes it, too.

        Args:
            keys: one or more keys.
            take_over: whether to delete a run that says "running" on another machine, because its process has ended.

        Raises:
            CheckpointError: there is no such run, or one of them is in progress.
        """
        named = [keys] if isinstance(keys, str) else list(keys)
        entries = {entry.run_id: entry for entry in map(self.entry, named)}
        for entry in entries.values():
            check_at_rest(entry, "deleted", take_over=take_over)
        self._write(run_table.delete_runs, [run_id for entry in entries.values() for run_id in entry.run_ids])
        if not self.runs(status="running"):
            self._database.compact()
        return RunList(entries.values())

    def _run_id(self, key: str) -> str:
        """Returns the full id of the run that a key names."""
        text = key.strip()
        if text == NEWEST:
            if (run_id := self._read(run_table.newest)) is None:
                raise CheckpointError(f"{self.location} has no run yet: run `quantsim optuna` or `quantsim sgd` first")
            return run_id
        if ":" in text:
            return self.run(parse_checkpoint_id(text)[0]).run_id
        named = self._read(label_table.titled, text)
        if named and set(named) <= set(self._read(of_whole, named[0])):
            return named[0]
        if named:
            keys = ", ".join(run_id[:SHORT_RUN_ID] for run_id in named)
            raise CheckpointError(f"several runs are named {text!r}: name one by its id, {keys}")
        try:
            return self.run(text).run_id
        except CheckpointError as error:
            raise CheckpointError(f"{error}; `quantsim runs` lists the runs") from error


def check_at_rest(entry: RunEntry, action: str, *, take_over: bool = False) -> None:
    """Raises CheckpointError if one of the runs of an entry is in progress.

    Args:
        entry: the entry.
        action: what shall be done with it, for the message.
        take_over: whether a run on another machine counts as ended.
    """
    for one in entry.members:
        if one.status != "running" or (take_over and is_elsewhere(one.run)):
            continue
        remedy = "wait for its end, or stop it"
        if is_elsewhere(one.run):
            where = one.run.notes.get("host", "an unknown machine")
            remedy = f"it says so on {where}; if its process has ended, repeat with take_over=True (--take-over)"
        raise CheckpointError(f"run {entry.key} is in progress and cannot be {action}: {remedy}")
