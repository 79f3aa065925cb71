"""Searches a pool with fees, then goes on by gradients from the three best trials."""

from __future__ import annotations

import tempfile

from quantsim import CheckpointStore, Experiment
from quantsim.checkpoints import top
from quantsim.drivers.search import run_search
from quantsim.drivers.sgd import run_sgd


def main() -> None:
    settings = [
        "data.bar_minutes=60",
        "search.n_startup_trials=5",
        "sgd.steps=20",
        "sgd.report_every=5",
        "sgd.batch_size=4",
    ]
    experiment = Experiment.load("momentum_fees").override(settings)
    prices = experiment.load_prices()
    with tempfile.TemporaryDirectory() as folder, CheckpointStore(f"{folder}/checkpoints.db") as store:
        search = run_search(experiment, prices, store, trials=15)
        print(f"{search.n_trials} trials, best train {experiment.objective.metric} {search.best_value:.3f}")
        best = top(store.checkpoints(run_id=search.run_id), 3, split="train")
        run = run_sgd(experiment, prices, store, start=[row.raw for row in best])
        trained = top(store.checkpoints(run_id=run.run_id), 1, split="train")[0]
    print(f"after {run.steps} gradient steps: {trained.objective:.3f}")


if __name__ == "__main__":
    main()
