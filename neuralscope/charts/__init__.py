"""Data in, chart out: every picture of the dashboard, and the words for it.

Each builder takes plain arrays and returns a `Figure`: a Vega-Lite specification that is described
with Altair once for each set of options, the tables it draws from, and one sentence that says the
same in words. Nothing here knows of runs, networks, data sets or pages.

    colors.py     the palette, and the scales from number to colour
    figure.py     a chart as structure, data and words
    curves.py     learning curves, and how long ones are thinned and smoothed
    confusion.py  which class was taken for which
    gallery.py    digits that can be clicked
    network.py    the architecture, sketched
    images.py     weights and digits as pixels
"""

from __future__ import annotations

from neuralscope.charts.confusion import confusion_matrix, describe_confusion
from neuralscope.charts.curves import (
    Binned,
    EpochPoints,
    describe_curves,
    learning_curves,
    smooth,
    thin,
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

__all__ = [
    "Binned",
    "EpochPoints",
    "Figure",
    "confusion_matrix",
    "data_uri",
    "describe_confusion",
    "describe_curves",
    "describe_gallery",
    "describe_network",
    "describe_weights",
    "digit_tiles",
    "gallery",
    "learning_curves",
    "network_sketch",
    "png",
    "smooth",
    "thin",
    "weight_grid",
    "weight_limit",
]
