"""Who runs trials: the loop of a worker, who has which trial; processes here and on clusters."""
