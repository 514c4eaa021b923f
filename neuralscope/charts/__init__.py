"""Data in, chart out: every picture of the dashboard, and the words for it.

Each builder takes plain arrays and returns a `Figure`: a Vega-Lite specification that is described
with Altair once for each set of options, the tables it draws from, and one sentence that says the
same in words. Nothing here knows of runs, networks, data sets or pages.

    colors.py         the palette, and the scales from number to colour
    figure.py         a chart as structure, data and words
    axes.py           the axes that all curves are drawn on
    comparison.py     several runs over each other, their settings, who is better
    curves.py         learning curves, and how long ones are thinned and smoothed
    network.py        the architecture, sketched
    images.py         weights and digits as pixels
    gallery.py        digits that can be clicked
    confusion.py      which class was taken for which, and what changed
    scores.py         precision and recall of each class
    calibration.py    confidence against accuracy, errors against refusals
    probabilities.py  what a network answers, as bars
    explanation.py    why a network answers as it does
    units.py          what the units of a network do
    projection.py     many digits as dots on a map
    rate_test.py      the loss while the learning rate grows
    saved.py          the data of a chart as a table, to be saved
"""

from __future__ import annotations

from neuralscope.charts.calibration import (
    confidence_histogram,
    describe_confidences,
    describe_refusal,
    describe_reliability,
    refusal_curve,
    reliability_diagram,
)
from neuralscope.charts.confusion import (
    confusion_change,
    confusion_matrix,
    describe_change,
    describe_confusion,
)
from neuralscope.charts.curves import (
    Binned,
    EpochPoints,
    describe_curves,
    learning_curves,
    smooth,
    thin,
)
from neuralscope.charts.explanation import (
    answer_strip,
    contribution_bars,
    describe_contributions,
    describe_removal,
    removal_curve,
    signed_picture,
)
from neuralscope.charts.figure import Figure
from neuralscope.charts.gallery import describe_gallery, gallery
from neuralscope.charts.images import (
    data_uri,
    describe_weights,
    digit_tiles,
    png,
    weight_grid,
    weight_limit,
)
from neuralscope.charts.network import describe_network, network_sketch
from neuralscope.charts.probabilities import describe_probabilities, probability_bars
from neuralscope.charts.projection import describe_digit_map, digit_map, thumbnails
from neuralscope.charts.rate_test import describe_rate_test, rate_test_curve
from neuralscope.charts.saved import harmless, readable, saved_rows
from neuralscope.charts.scores import class_scores, describe_scores
from neuralscope.charts.units import (
    class_bars,
    describe_class_bars,
    describe_unit_heat_map,
    describe_units,
    example_strip,
    unit_grid,
    unit_heat_map,
)

__all__ = [
    "Binned",
    "EpochPoints",
    "Figure",
    "answer_strip",
    "class_bars",
    "class_scores",
    "confidence_histogram",
    "confusion_change",
    "confusion_matrix",
    "contribution_bars",
    "data_uri",
    "describe_change",
    "describe_class_bars",
    "describe_confidences",
    "describe_confusion",
    "describe_contributions",
    "describe_curves",
    "describe_digit_map",
    "describe_gallery",
    "describe_network",
    "describe_probabilities",
    "describe_rate_test",
    "describe_refusal",
    "describe_reliability",
    "describe_removal",
    "describe_scores",
    "describe_unit_heat_map",
    "describe_units",
    "describe_weights",
    "digit_map",
    "digit_tiles",
    "example_strip",
    "gallery",
    "harmless",
    "learning_curves",
    "network_sketch",
    "png",
    "probability_bars",
    "rate_test_curve",
    "readable",
    "refusal_curve",
    "reliability_diagram",
    "removal_curve",
    "saved_rows",
    "signed_picture",
    "smooth",
    "thin",
    "thumbnails",
    "unit_grid",
    "unit_heat_map",
    "weight_grid",
    "weight_limit",
]
