"""The names of the two models that a task compares: in its stages, its files and its report."""

MODELS = ("base", "tuned")  # as it was fetched, and after training
