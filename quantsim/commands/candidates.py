"""Which stored runs a selection method picks from: those of one study, whose metrics compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quantsim.checkpoints import Run
from quantsim.checkpoints.checkpoint import IMPORTED
from quantsim.checkpoints.stored import content_of, of_same_study
from quantsim.config import Experiment
from quantsim.config.identity import GRADIENTS, Decides, differences
from quantsim.discovery import is_in_file
from quantsim.errors import PriceError, SelectionError

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore

__all__ = ["check_same_prices", "comparable_runs", "runs_to_pick_from", "same_strategy", "strategy_of"]

_MOST_LISTED = 8


def comparable_runs(runs: Iterable[Run], study: Experiment | Run) -> list[Run]:
    """The runs whose metrics can be compared with those of that study, or of that run's."""
    return of_same_study(runs, study, Decides.VALUE)


def runs_to_pick_from(
    store: CheckpointStore,
    study: Experiment | None,
    run_id: str | None,
    *,
    any_study: bool = False,
    settled: bool = False,
) -> list[Run]:
    """The runs that a method picks from, all of one study and on the same prices, the newest first.

    Args:
        store: where they are.
        study: whose runs count; None where the store has runs of one study only.
        run_id: the only run that counts; its first characters will do.
        any_study: where there is no run of ``study``, whether runs of another study with its rule and tokens will do.
        settled: whether unfinished gradient runs are left out, so that the command that began one finds the same start when
            it is given again to go on with it.

    Raises:
        CheckpointError: there is no such run.
        SelectionError: there is no run that counts, or there are runs of several studies; the message lists them.
    """
    if run_id is not None:
        return [store.run(run_id)]
    runs = [run for run in store.find_runs() if not (settled and _unfinished(run, study))]
    if study is not None:
        known, runs = runs, comparable_runs(runs, study)
        if not runs:
            runs = same_strategy(known, study)
            if runs and not any_study:
                raise SelectionError(_no_run_of(study, runs))
    if not runs:
        what = "" if study is None else f" of {study.pool.strategy_name} on {', '.join(study.tokens)}"
        raise SelectionError(
            f"{store.location} has no run{what} to pick from: run `quantsim optuna` or `quantsim sgd` without --from first, or "
            "name a checkpoint by its key"
        )
    groups = _by_study(runs)
    if len(groups) > 1:
        raise SelectionError(_which(groups))
    return runs


def same_strategy(runs: Iterable[Run], study: Experiment) -> list[Run]:
    """The runs of the same rule and tokens, whatever else their studies say."""
    wanted = strategy_of(study.model_dump(mode="json"))
    return [run for run in runs if strategy_of(run.config) == wanted]


def check_same_prices(data_id: str, stored: str) -> None:
    """Raises PriceError where the prices and series that a stored study names are not those that its run had."""
    if data_id != stored:
        raise PriceError(
            f"the prices or series that the study names are not those of the run: their identity is {data_id[:12]}…, and was "
            f"{stored[:12]}…, so its figures cannot come out again. Restore the files, name those of the run with --set "
            "data.source=FILE, or add --as-study to take the parameters to the prices that are there now"
        )


def strategy_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that decides what its parameters are; of users' rules their names, wherever the files lie."""
    pool = config.get("pool", {})
    tokens = pool.get("tokens") or config.get("data", {}).get("tokens", ())
    parts = {name: (list(part["tokens"]), *_rules(part)) for name, part in config.get("subsidiaries", {}).items()}
    return {"tokens": list(tokens), "rules": _rules(pool), "subsidiaries": parts}


def _rules(pool: Mapping[str, Any]) -> tuple[Any, Any]:
    def anywhere(name: str | None) -> str | None:
        return f"file:{name.rpartition(':')[2]}" if name and is_in_file(name) else name

    return anywhere(pool.get("rule")), {name: anywhere(rule) for name, rule in (pool.get("ensemble") or {}).items()}


def _unfinished(run: Run, study: Experiment | None) -> bool:
    """Whether it is a gradient run that the command at hand may have begun."""
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
    """What to answer where a method could pick from runs of several studies."""
    newest = groups[0][0]
    lines = []
    for members in groups[:_MOST_LISTED]:
        run, others = members[0], len(members) - 1
        more = "" if not others else f" and {others} more {'run' if others == 1 else 'runs'}"
        words = "{key} {given}, and {stored} in the newest"
        changed = differences(content_of(newest, Decides.VALUE), content_of(run, Decides.VALUE), words)
        told = "; ".join(changed) if changed else _same_study(run, newest)
        lines.append(
            f"  --run {run.run_id[:8]}: {run.name} ({run.driver}), {run.started_at:%Y-%m-%d %H:%M} UTC{more}: {told}"
        )
    if len(groups) > _MOST_LISTED:
        lines.append(f"  and {len(groups) - _MOST_LISTED} more")
    return (
        f"there are runs of {len(groups)} studies, whose metrics do not compare: say which to pick from with --study, or from "
        "which run alone with --run, or name a checkpoint by its key\n" + "\n".join(lines)
    )


def _same_study(run: Run, newest: Run) -> str:
    """In what a run differs from the newest, where their studies do not."""
    if run is newest:
        return "the newest"
    return "the same study on other prices" if run.data_id != newest.data_id else "the same study, imported or not"


def _no_run_of(study: Experiment, runs: Sequence[Run]) -> str:
    wanted = study.content(Decides.VALUE)
    found = ((differences(content_of(run, Decides.VALUE), wanted), run) for run in runs)
    changed, run = min(found, key=lambda pair: len(pair[0]))
    return (
        f"no run of study {study.name!r}, as it is given, is stored. Run {run.run_id[:8]}, {run.name!r} ({run.driver}), "
        "differs in what decides the figures:\n"
        + "\n".join(f"  {line}" for line in changed)
        + "\nLeave --study and --set out to take a "
        "run's own study, or add --as-study to take its parameters into the study given"
    )
