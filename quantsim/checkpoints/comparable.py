"""Finds comparable runs: metrics are only comparable if study, prices and parameters agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quantsim.checkpoints.checkpoint import IMPORTED, Run
from quantsim.checkpoints.stored import content_of, of_same_study
from quantsim.config import Experiment
from quantsim.config.identity import GRADIENTS, Decides, differences
from quantsim.discovery import is_own
from quantsim.errors import ConfigError, SelectionError

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore

__all__ = ["check_strategy", "comparable_runs", "runs_to_pick_from", "same_prices", "without_folds"]

_MOST_LISTED = 8


def comparable_runs(runs: Iterable[Run], study: Experiment | Run) -> list[Run]:
    """Returns the runs whose metrics are comparable with a study, or with a run on the same prices."""
    return of_same_study(runs, study, Decides.VALUE)


def same_prices(runs: Sequence[Run]) -> list[Run]:
    """Returns the runs on the same prices as the first one."""
    return [run for run in runs if run.data_id == runs[0].data_id]


def without_folds(store: CheckpointStore) -> list[Run]:
    """Returns the runs that are no folds of a walk-forward, the newest first; all runs if there are only folds."""
    return store.find_runs(in_groups=False) or store.find_runs()


def runs_to_pick_from(
    store: CheckpointStore,
    study: Experiment | None,
    run: str | None = None,
    *,
    any_study: bool = False,
    settled: bool = False,
) -> list[Run]:
    """Returns the runs that a method selects from: runs of one study on the same prices, the newest first.

    Args:
        store: checkpoint store.
        study: study of the runs; None if the store only has runs of one study.
        run: a single run to use: its id, the first characters of it, or its name.
        any_study: whether to use runs of another study with the same rule and tokens if there are none of ``study``.
        settled: whether to leave out unfinished gradient runs, so that a command that resumes a gradient run finds the same
            start again.

    Raises:
        CheckpointError: there is no such run.
        SelectionError: there are no matching runs, or there are runs of several studies; the message lists them.
    """
    if run is not None:
        return [store.run(run)]
    runs = [one for one in without_folds(store) if not (settled and _unfinished(one, study))]
    if study is not None:
        known, runs = runs, comparable_runs(runs, study)
        if not runs:
            wanted = _strategy(study.model_dump(mode="json"))
            runs = [one for one in known if _strategy(one.config) == wanted]
            if runs and not any_study:
                raise SelectionError(_no_run_of(study, runs))
    if not runs:
        what = "" if study is None else f" of {study.pool.strategy_name} on {', '.join(study.tokens)}"
        raise SelectionError(
            f"{store.location} has no run{what} to select from: run `quantsim optuna` or `quantsim sgd` without --from, or "
            "name a checkpoint by its key"
        )
    groups = _by_study(runs)
    if len(groups) > 1:
        raise SelectionError(_which(groups))
    return runs


def check_strategy(key: str, run: Run, experiment: Experiment) -> None:
    """Raises ConfigError if the parameters of a run do not fit an experiment: rule, tokens or their order differ.

    Args:
        key: key of the checkpoint, for the message.
        run: run of the checkpoint.
        experiment: experiment that uses the parameters.
    """
    if _strategy(run.config) != _strategy(experiment.model_dump(mode="json")):
        pool, tokens = run.config["pool"], _strategy(run.config)["tokens"]
        raise ConfigError(
            f"checkpoint {key} is for {pool.get('rule') or pool.get('ensemble')} on {', '.join(tokens)}, but study "
            f"{experiment.name!r} has {experiment.pool.strategy_name} on {', '.join(experiment.tokens)}: rule, tokens and "
            "their order must agree"
        )


def _strategy(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the part of a configuration that defines its parameters, with names of users' rules without folders."""
    pool = config.get("pool", {})
    tokens = pool.get("tokens") or config.get("data", {}).get("tokens", ())
    parts = {name: (list(part["tokens"]), *_rules(part)) for name, part in config.get("subsidiaries", {}).items()}
    return {"tokens": list(tokens), "rules": _rules(pool), "subsidiaries": parts}


def _rules(pool: Mapping[str, Any]) -> tuple[Any, Any]:
    def anywhere(name: str | None) -> str | None:
        return f"file:{name.rpartition(':')[2].partition('@')[0]}" if name and is_own(name) else name

    return anywhere(pool.get("rule")), {name: anywhere(rule) for name, rule in (pool.get("ensemble") or {}).items()}


def _unfinished(run: Run, study: Experiment | None) -> bool:
    """Whether this is an unfinished gradient run, which the current command may have started."""
    unfinished = run.driver == "sgd" and run.status != "finished"
    return unfinished and (study is None or bool(of_same_study([run], study, GRADIENTS)))


def _by_study(runs: Iterable[Run]) -> list[list[Run]]:
    groups: list[tuple[Any, list[Run]]] = []
    for run in runs:
        what = content_of(run, Decides.VALUE), run.data_id, run.driver == IMPORTED
        members = next((members for known, members in groups if known == what), None)
        if members is None:
            groups.append((what, [run]))
        else:
            members.append(run)
    return [members for _, members in groups]


def _which(groups: Sequence[Sequence[Run]]) -> str:
    """Returns the message that a method could select from runs of several studies."""
    newest = groups[0][0]
    lines = []
    for members in groups[:_MOST_LISTED]:
        run, others = members[0], len(members) - 1
        more = "" if not others else f" and {others} more {'run' if others == 1 else 'runs'}"
        words = "{key} {given}, and {stored} in the newest"
        changed = differences(content_of(newest, Decides.VALUE), content_of(run, Decides.VALUE), words)
        told = "; ".join(changed) if changed else _same_study(run, newest)
        lines.append(f"  run {run.key}: {run.name} ({run.driver}), {run.started_at:%Y-%m-%d %H:%M} UTC{more}: {told}")
    if len(groups) > _MOST_LISTED:
        lines.append(f"  and {len(groups) - _MOST_LISTED} more")
    return (
        f"there are runs of {len(groups)} studies, whose metrics are not comparable: name the study (--study) or a run (--run) "
        "to select from, or a checkpoint by its key\n" + "\n".join(lines)
    )


def _same_study(run: Run, newest: Run) -> str:
    """Describes how a run differs from the newest one with the same study."""
    if run is newest:
        return "the newest"
    return "the same study on other prices" if run.data_id != newest.data_id else "the same study, imported or not"


def _no_run_of(study: Experiment, runs: Sequence[Run]) -> str:
    wanted = study.content(Decides.VALUE)
    found = ((differences(content_of(run, Decides.VALUE), wanted), run) for run in runs)
    changed, run = min(found, key=lambda pair: len(pair[0]))
    return (
        f"no run of the given study {study.name!r} is stored. Run {run.key}, {run.name!r} ({run.driver}), "
        "differs in what decides metrics:\n"
        + "\n".join(f"  {line}" for line in changed)
        + "\nRemove the study and its changes (--study, --set) to use the study of the run, or use its parameters in the given "
        "study with as_study (--as-study)"
    )
