"""Answers in tools that keep track of experiments: Optuna and MLflow."""
