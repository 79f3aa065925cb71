"""Validates the selected set of runs by the stored daily returns of all trials."""

from __future__ import annotations

import functools
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quantsim.checkpoints.checkpoint import Checkpoint
from quantsim.checkpoints.methods import METHODS
from quantsim.checkpoints.picking import Pick, method_named, pick, pick_among
from quantsim.checkpoints.stored import study_of_run
from quantsim.statistics import cluster_count
from quantsim.validation.cautions import fitted_splits, own_fees, searched_splits, warnings_of
from quantsim.validation.evidence import FEWEST_DAYS, Evidence, weigh
from quantsim.validation.judgement import Judgement, judge
from quantsim.validation.lineage import check_comparable, uncounted, with_sources
from quantsim.validation.loading import evaluated_trials, stored_trials
from quantsim.validation.origin import Origin, origin_of
from quantsim.validation.trials import Trials

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore, Selection
    from quantsim.config import Experiment

__all__ = ["Validation", "validate", "validate_pick"]

_MOST_CLUSTERED = 3000  # clustering takes memory for every pair


@dataclass(frozen=True, repr=False)
class Validation:
    """The validation of a selected set.

    Attributes:
        study: name of the study.
        runs: ids of the runs whose trials count.
        checkpoint: the selected checkpoint.
        method: selection method.
        metric: metric that the method compared.
        origin: origin of the checkpoint.
        trials: the trials, with their returns.
        evidence: the figures; None if the selected set trades like constant weights or there are too few days.
        warnings: warnings about periods and the use of splits, each a sentence without a full stop.
        judgement: verdict and sentences.
    """

    study: str
    runs: tuple[str, ...]
    checkpoint: Checkpoint
    method: str
    metric: str
    origin: Origin
    trials: Trials
    evidence: Evidence | None
    warnings: tuple[str, ...]
    judgement: Judgement

    @property
    def verdict(self) -> str:
        """The verdict in one word: "noise", "another", "skill", "contradicted" or "undecided"."""
        return self.judgement.verdict

    @functools.cached_property
    def clusters(self) -> int | None:
        """Number of clusters of trials with similar returns; None without evidence, or for more than 3000 trials."""
        if self.evidence is None or self.trials.count > _MOST_CLUSTERED:
            return None
        return cluster_count(self.trials.excess(self.evidence.searched))

    def __repr__(self) -> str:
        return f"Validation({self.study!r}, {self.checkpoint.key}: {self.verdict}, {self.trials.count} trials)"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p><p>{html.escape(self.judgement.text)}</p>"

    def to_json(self) -> dict[str, Any]:
        """Returns the figures as JSON values: ratios annualised, returns in logs a year, undefined figures None."""
        from quantsim.validation.as_json import as_json

        return as_json(self)


def validate(
    store: CheckpointStore,
    runs: Sequence[str] = (),
    *,
    study: Experiment | None = None,
    method: str | None = None,
    metrics: Sequence[str] = (),
    selected: Checkpoint | None = None,
    evaluate: bool = False,
    rule_files: Iterable[str | Path] = (),
    n_resamples: int = 1000,
    seed: int = 0,
) -> Validation:
    """Returns a judgement of the selected set of runs, from the daily returns that are stored with every trial.

    All evaluated sets of the runs are trials: the trials of a search, and the sets of every report of gradient training. If
    starts came from other runs, their trials count, too.

    Args:
        store: checkpoint store.
        runs: comparable runs: ids, the first characters of them, or names. Default: all runs that compare with the newest
            one, or with ``study``.
        study: study of the runs; default: the study of the first one.
        method: selection method, as in :func:`~quantsim.pick`.
        metrics: metrics to maximise, as in :func:`~quantsim.pick`.
        selected: the selected checkpoint; default: the one that the method selects.
        evaluate: whether to evaluate the stored sets again instead of reading their returns, for imported runs and those of
            older versions. The store is not changed.
        rule_files: files of users' rules in a stored study.
        n_resamples: number of bootstrap resamples.
        seed: seed of the resamples.

    Raises:
        CheckpointError: there is no such run, or its daily returns are not stored.
        SelectionError: the runs are not comparable, the method selects several sets, or as :func:`~quantsim.pick`.

    Example:
        >>> quantsim.validate(store).judgement.text  # doctest: +SKIP
        'Not distinguishable from noise. ...'
    """
    picked = _picked(store, runs, study, method, metrics, rule_files)
    return validate_pick(store, picked, selected=selected, evaluate=evaluate, n_resamples=n_resamples, seed=seed)


def validate_pick(
    store: CheckpointStore,
    picked: Pick,
    *,
    selected: Checkpoint | None = None,
    evaluate: bool = False,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Validation:
    """Returns a judgement of a selection; see :func:`validate`.

    Args:
        store: checkpoint store.
        picked: selection from the store.
        selected: the selected checkpoint, if it is another than the picked one.
        evaluate: as in :func:`validate`.
        n_resamples: as in :func:`validate`.
        seed: as in :func:`validate`.

    Raises:
        CheckpointError: daily returns are not stored.
        SelectionError: several checkpoints are selected.
    """
    experiment, selection = picked.experiment, picked.selection
    checkpoint = selection.checkpoint if selected is None else selected
    own = {run.run_id: run for run in (*picked.runs, store.run(checkpoint.run_id))}
    runs = with_sources(store, list(own.values()))
    metric = experiment.objective.name if "," in selection.metric else selection.metric
    if evaluate:
        trials = evaluated_trials(store, experiment, runs, checkpoint, metric)
    else:
        trials = stored_trials(store, runs, checkpoint, metric)
    chosen_by = _chosen_by(selection)
    searched, fitted = searched_splits(runs, chosen_by, trials.splits), fitted_splits(runs)
    unfitted = tuple(split for split in searched if split not in fitted)
    if sum(len(trials.returns[split]) for split in unfitted) >= FEWEST_DAYS:
        searched = unfitted
    differing = trials.that_differ(searched)
    evidence = None
    if differing is not None and differing.excess(searched).shape[0] >= FEWEST_DAYS:
        trials = differing
        evidence = weigh(trials, searched, metric, fitted=fitted, n_resamples=n_resamples, seed=seed)
    return Validation(
        study=experiment.name,
        runs=tuple(run.run_id for run in runs),
        checkpoint=checkpoint,
        method=selection.method,
        metric=selection.metric,
        origin=origin_of(store, checkpoint, store.run(checkpoint.run_id)),
        trials=trials,
        evidence=evidence,
        warnings=warnings_of(
            runs, chosen_by, trials.splits, evidence, own_fees(experiment, checkpoint), uncounted(store, runs)
        ),
        judgement=judge(evidence, [row.key for row in trials.rows]),
    )


def _picked(
    store: CheckpointStore,
    runs: Sequence[str],
    study: Experiment | None,
    method: str | None,
    metrics: Sequence[str],
    rule_files: Iterable[str | Path],
) -> Pick:
    if len(runs) < 2:
        only = runs[0] if runs else None
        return pick(store, method, study=study, run=only, metrics=metrics, rule_files=rule_files)
    several = list({run.run_id: run for run in map(store.run, runs)}.values())
    check_comparable(several)
    if study is not None:
        pick(
            store, method, study=study, run=several[0].run_id, metrics=metrics
        )  # raises if the run is of another study
    experiment = study or study_of_run(several[0], rule_files)
    selection = pick_among(store, experiment, several, method_named(method, experiment), metrics)
    return Pick(experiment, tuple(several), selection)


def _chosen_by(selection: Selection) -> tuple[str, ...]:
    """Returns the splits that the selection compares."""
    rule = METHODS[selection.method]
    if rule.uses_test and not selection.used_test_data:  # an imported search without test data
        rule = rule.on_validation()
    return rule.splits
