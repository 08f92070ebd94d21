"""The names of the two models that a task compares, in its stages, files and report."""

MODELS = ("base", "tuned")  # before and after training
