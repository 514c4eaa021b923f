"""How each layer does: a quiet table that speaks up when something is wrong.

It stands folded under one line while all is well, and opens by itself when a layer is not. Between
two epochs nothing of it changes, and so nothing of it is computed: what it says is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import pandas as pd
import streamlit as st

from neuralscope.analysis import Verdict, circumstances_of, judge_layers, tell_health
from neuralscope.analysis.health import RECENT
from neuralscope.data import known_dataset
from neuralscope.engine import LayerHealth
from neuralscope.engine.health import ENDS
from neuralscope.runs import Epochs, Run, Store
from neuralscope.ui import chart, words

# The word says it, the sign says it, and only then the colour: the theme's, in a shade for each of
# its two backgrounds.
BADGES = {
    "good": ":green-badge[:material/check: good]",
    "watch": ":orange-badge[:material/visibility: watch]",
    "bad": ":red-badge[:material/error: bad]",
}

# What matters most comes first: on a telephone the rest is scrolled to.
HEAD = ("Layer", "Verdict", "Idle units", "Update ratio", "Gradient norm", "Weight norm")
EXPLANATION = (
    "Measured in the last step of the epoch. The update ratio is how far that step moved the "
    "weights, as a part of their norm; about 0.1 % is usual. Idle units are of no use on a sample "
    "of the data: dead ones never fire, saturated ones are stuck where their activation is flat."
)


class _Said(NamedTuple):
    """What is said of an epoch; the sentences are empty while all is well."""

    summary: str
    table: pd.DataFrame
    sentences: str


def show(store: Store, run: Run, epochs: Epochs) -> None:
    """Draw how the layers of a run did in its newest epoch."""
    if len(epochs.epoch) == 0 or epochs.epoch[-1] == 0:
        if run.is_active:
            st.caption("How each layer does is measured at the end of every epoch.")
        else:
            st.empty()  # the place is always taken: else all that follows would be drawn anew
        return
    state = (str(store.path), run.run_id, run.rewinds, int(epochs.epoch[-1]))
    said = _said(state, store, run, epochs)
    if said is None:
        st.caption("How each layer did was not recorded when this epoch was trained.")
        return
    is_ill = bool(said.sentences)
    # Two keys: whoever folds or unfolds it has their way until the state of things changes.
    key = "health_ill" if is_ill else "health_well"
    with st.expander(said.summary, expanded=is_ill, key=key, icon=":material/monitor_heart:"):
        chart.table(
            said.table,
            "Layer health",
            key="health_table",
            alt=said.summary,
            of=run,
            width="content",
            hide_index=True,
        )
        if is_ill:
            st.markdown(said.sentences)
        st.caption(EXPLANATION)


@st.cache_resource(show_spinner=False, max_entries=64)
def _said(
    state: tuple[str, str, int, int], _store: Store, _run: Run, _epochs: Epochs
) -> _Said | None:
    """Return what is said of an epoch; None if its health was not recorded whole.

    Args:
        state: Path of the store, run, how often it has gone on from an earlier point, epoch.
    """
    _, run_id, _, epoch = state
    # There may be later ones by now, which belong to the next look.
    recent = _store.health(run_id, last=RECENT, until=epoch)
    if not recent or recent[-1].epoch != epoch:
        return None
    if len(recent[-1].layers) != len(_run.config.hidden) + 1:  # rows of it cannot be read
        return None
    seen = circumstances_of(_run.config, _epochs, _run.learning_rate)
    verdicts = judge_layers([each.layers for each in recent], seen)
    info, config = known_dataset(_run.config.dataset), _run.config
    if info is None:  # a person's own data that has gone: without it the sizes are not known
        return None
    shapes = pairwise(config.sizes(info.n_features, info.n_classes))
    kinds = (*config.activations, "output")
    layers = zip(shapes, kinds, recent[-1].layers, verdicts, strict=True)
    rows = [_row(number, *layer) for number, layer in enumerate(layers, 1)]
    sentences = [f"{BADGES[state]} {sentence}" for state, sentence in tell_health(verdicts)]
    table = pd.DataFrame(rows, columns=list(HEAD))
    return _Said(_summary(verdicts), table, "\n\n".join(sentences))


def _row(
    number: int, shape: tuple[int, int], kind: str, layer: LayerHealth, verdict: Verdict
) -> tuple[str, ...]:
    n_in, n_out = shape
    if kind == "output":
        idle = "–"
    elif kind in ENDS:
        idle = f"{words.percent(layer.saturated, 0)} saturated"
    else:
        idle = f"{words.percent(layer.dead, 0)} dead"
    return (
        f"**{number}** · {n_in:,} → {n_out:,} {kind.replace('_', ' ')}",
        BADGES[verdict.state],
        idle,
        f"{100 * layer.update_ratio:.2g} %",
        f"{layer.gradient_norm:.2g}",
        f"{layer.weight_norm:.3g}",
    )


def _summary(verdicts: Sequence[Verdict]) -> str:
    states = [verdict.state for verdict in verdicts]
    n_bad, n_watch, n = states.count("bad"), states.count("watch"), len(states)
    layers = "1 layer" if n == 1 else f"{n} layers"
    if n_bad:
        counts = f"{n_bad} of {layers} {'has' if n_bad == 1 else 'have'} problems"
        if n_watch:
            counts += f", {n_watch} to watch"
    else:
        counts = f"{n_watch} of {layers} to watch" if n_watch else "all good"
    return f"Layer health: {counts}"
