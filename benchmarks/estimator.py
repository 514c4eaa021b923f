"""Accuracy of the scikit-learn estimator beside that of MLPClassifier.

    python -m benchmarks.estimator [--repeat 20] [--json]

Both with all parameters as they are, behind a StandardScaler, on scikit-learn's own data sets;
five folds, dealt anew and with new first weights in each repetition, the same folds for both.
Prints a table in Markdown: mean accuracy, and the mean difference with its standard error.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from neuralscope.estimator import NeuralScopeClassifier

DATA_SETS = {
    "digits": load_digits,
    "iris": load_iris,
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
}


def accuracies(classifier: Any, x: np.ndarray, y: np.ndarray, repeat: int) -> np.ndarray:
    """Return the cross-validated accuracy of each repetition."""
    scores = []
    for seed in range(repeat):
        pipeline = make_pipeline(StandardScaler(), classifier(random_state=seed))
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        scores.append(cross_val_score(pipeline, x, y, cv=folds).mean())
    return np.array(scores)


def main() -> None:
    """Compare the two and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=20, help="repetitions, two or more")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    if arguments.repeat < 2:
        parser.error("--repeat must be 2 or more")
    # Some data sets are not learned to the end in max_iter epochs, by either.
    warnings.simplefilter("ignore", ConvergenceWarning)

    results = {}
    for name, load in DATA_SETS.items():
        x, y = load(return_X_y=True)
        ours = accuracies(NeuralScopeClassifier, x, y, arguments.repeat)
        theirs = accuracies(MLPClassifier, x, y, arguments.repeat)
        error = float((ours - theirs).std(ddof=1) / np.sqrt(arguments.repeat))
        results[name] = {
            "neuralscope": float(ours.mean()),
            "mlp_classifier": float(theirs.mean()),
            "difference": float((ours - theirs).mean()),
            "standard_error": error,
        }
        print(f"{name} done", file=sys.stderr)

    if arguments.json:
        print(json.dumps(results))
        return
    print("| data set | NeuralScopeClassifier | MLPClassifier | difference |")
    print("|---|---|---|---|")
    for name, row in results.items():
        print(
            f"| {name} | {row['neuralscope']:.2%} | {row['mlp_classifier']:.2%} "
            f"| {row['difference'] * 100:+.2f} ± {row['standard_error'] * 100:.2f} points |"
        )


if __name__ == "__main__":
    main()
