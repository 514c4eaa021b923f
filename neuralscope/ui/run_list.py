"""The list of all runs: filters, actions on the selected runs, the table, and its pages."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

import streamlit as st

from neuralscope.data import dataset_title
from neuralscope.errors import StoreError, StoreFull
from neuralscope.runs import PAUSED, Run, Store
from neuralscope.runs.listing import (
    accuracy_curves,
    choices,
    is_any,
    is_live,
    list_runs,
    still_there,
)
from neuralscope.ui import (
    frame,
    page_numbers,
    place,
    resources,
    run_card,
    run_picker,
    run_query,
    run_table,
    run_trash,
    unreadable,
    words,
)
from neuralscope.ui.run_view import BADGES

LOOK_EVERY = 1.0
"""Seconds between two looks at runs that are live."""

_CHANGED = "runs_changed"
_TAGS_TO_ADD = "runs_tags_to_add"
_NO_ROOM = "runs_no_room_for"
_ARROWS = {"down": ":material/arrow_downward:", "up": ":material/arrow_upward:"}


def show() -> None:
    """Draw the list; go on drawing its rows while any run is live."""
    store = resources.store()
    st.session_state.pop(_CHANGED, None)
    _tell_of_deleted()
    if not is_any(store):
        invite()
        unreadable.show_runs()
        return
    known = choices(store)
    _filters(known.datasets, known.tags)
    runs = chosen()
    _actions(runs, known.tags)
    statuses = _statuses(run.run_id for run in runs)
    if is_live(store):
        st.fragment(_rows, run_every=LOOK_EVERY)(True, statuses)
    else:
        _rows(False, statuses)
    unreadable.show_runs()
    if len(runs) == 1:
        run_card.show(runs[0], known.tags)


def invite() -> None:
    """Say that there are no runs to be shown, and offer to train one."""
    if resources.store().unreadable(0).total:
        st.info("No run in this store can be read.", icon=":material/model_training:")
        frame.go("Train", "Train a network", icon=":material/play_arrow:")
        return
    st.info("No network has been trained yet.", icon=":material/model_training:")
    frame.go("Train", "Train the first one", icon=":material/play_arrow:")


def chosen() -> list[Run]:
    """Return the selected runs as they stand; runs that are gone are deselected, with a warning."""
    ids = run_query.get("runs")
    runs = still_there(resources.store(), ids)
    if len(runs) < len(ids):
        n_gone = len(ids) - len(runs)
        what = "1 selected run is" if n_gone == 1 else f"{n_gone:,} selected runs are"
        st.warning(f"{what} no longer in this store.", icon=":material/search_off:")
        run_query.put("runs", [run.run_id for run in runs])
    return runs


# Filters -----------------------------------------------------------------------------------------


def _filters(datasets: Sequence[str], tags: Sequence[str]) -> None:
    key, changed = run_query.key, run_query.from_the_start
    with st.container(horizontal=True, vertical_alignment="bottom", key="runs_filters"):
        st.text_input(
            "Search",
            key=key("search"),
            max_chars=200,
            icon=":material/search:",
            placeholder="Name, tag, note or ID",
            on_change=changed,
            persist_state="session",
            width=220,
        )
        st.segmented_control(
            "Show",
            list(run_query.SHOWN),
            key=key("show"),
            format_func=run_query.SHOWN.__getitem__,
            required=True,
            on_change=changed,
            persist_state="session",
        )
        st.selectbox(
            "Sort by",
            list(run_table.SORT_LABELS),
            key=key("sort"),
            format_func=run_table.SORT_LABELS.__getitem__,
            on_change=run_query.order_as_usual,
            persist_state="session",
            width=200,
        )
        st.segmented_control(
            "Order",
            list(run_query.ORDERS),
            key=key("order"),
            format_func=_ARROWS.__getitem__,
            required=True,
            on_change=changed,
            persist_state="session",
            help="Down: largest, latest or Z first. Up: the reverse.",
        )
        n_set = sum(bool(run_query.get(name)) for name in ("status", "data", "tag"))
        label = f"Filters: {n_set}" if n_set else "Filters"
        with st.popover(label, icon=":material/filter_alt:", key="runs_more_filters"):
            st.multiselect(
                "Status",
                list(run_query.STATUSES),
                key=key("status"),
                format_func=lambda status: BADGES[status][0],
                placeholder="Any",
                on_change=changed,
                persist_state="session",
            )
            for name, title, known in (("data", "Data set", datasets), ("tag", "Tag", tags)):
                st.selectbox(
                    title,
                    ["", *sorted({*known, *filter(None, [run_query.get(name)])})],
                    key=key(name),
                    format_func=_title if name == "data" else lambda tag: tag or "Any",
                    on_change=changed,
                    persist_state="session",
                )


def _title(name: str) -> str:
    return dataset_title(name) if name else "Any"


# Actions on the selected runs --------------------------------------------------------------------


def _actions(runs: list[Run], tags: Sequence[str]) -> None:
    ids = [run.run_id for run in runs]
    with st.container(horizontal=True, vertical_alignment="center", key="runs_actions"):
        _open(runs)
        st.button(
            "Compare",
            icon=":material/stacked_line_chart:",
            key="runs_compare",
            disabled=len(runs) < 2,
            type="primary" if len(runs) > 1 else "secondary",
            on_click=run_query.put,
            args=("view", "compare"),
            help="Draws the selected runs over each other; select two or more.",
        )
        _commands(runs)
        starred = bool(runs) and all(run.starred for run in runs)
        _button("Unstar" if starred else "Star", "star", runs, _star, (ids, not starred))
        _tag(runs, tags)
        archived = bool(runs) and all(run.archived for run in runs)
        _button(
            "Unarchive" if archived else "Archive",
            "unarchive" if archived else "archive",
            runs,
            _archive,
            (ids, not archived),
        )
        _ask_to_delete(runs)
        _button("Clear selection", "deselect", runs, _clear_selection, ())
    if runs:
        st.caption(f"{len(runs):,} selected: {run_query.names(runs)}")
    if problem := st.session_state.pop("runs_problem", None):
        st.error(words.plain(problem), icon=":material/error:")
    if run_ids := st.session_state.pop(_NO_ROOM, None):
        _offer_to_remove(run_ids)


def _open(runs: list[Run]) -> None:
    alone = runs[0].run_id if len(runs) == 1 else None
    popover = st.popover(
        "Open",
        icon=":material/open_in_new:",
        disabled=alone is None,
        key=f"runs_open_{alone}",  # another run, another popover, closed
        help="Shows the selected run on another page.",
    )
    if alone is not None:
        with popover:
            for title in frame.PAGES:
                if title != frame.RUNS:
                    frame.link(title, title, query={"run": alone})


def _button(
    label: str, icon: str, runs: list[Run], act: Callable[..., None], args: tuple[object, ...]
) -> None:
    st.button(
        label,
        icon=f":material/{icon}:",
        key=f"runs_do_{icon}",
        disabled=not runs,
        on_click=_try,
        args=(act, *args),
    )


def _try(act: Callable[..., None], *args: object) -> None:
    try:
        act(*args)
    except StoreError as error:
        st.session_state["runs_problem"] = str(error)


def _commands(runs: list[Run]) -> None:
    """Offer to pause, resume and stop those of the selected runs that are live."""
    active = [run for run in runs if run.is_active]
    if not active:
        return
    running = [run.run_id for run in active if run.status != PAUSED]
    if running:
        _button("Pause", "pause", active, _send, (running, "pause"))
    else:
        paused = [run.run_id for run in active]
        _button("Resume", "play_arrow", active, _send, (paused, "resume"))
    _button("Stop", "stop", active, _send, ([run.run_id for run in active], "stop"))


def _send(run_ids: list[str], command: str) -> None:
    """Send a command to all of these runs; raise the first problem once all have been tried."""
    problems = []
    for run_id in run_ids:
        try:
            resources.store().send(run_id, command)
        except StoreError as error:
            problems.append(error)
    if problems:
        raise problems[0]


def _star(run_ids: list[str], yes: bool) -> None:
    for run_id in run_ids:
        resources.store().set_starred(run_id, yes)


def _archive(run_ids: list[str], yes: bool) -> None:
    for run_id in run_ids:
        resources.store().set_archived(run_id, yes)
    _clear_selection()  # they are out of sight


def _clear_selection() -> None:
    run_query.choose([])
    run_table.forget()


def _tag(runs: list[Run], tags: Sequence[str]) -> None:
    with st.popover("Tag", icon=":material/label:", disabled=not runs, key="runs_tag_popover"):
        st.multiselect(
            "Tags to add",
            tags,
            key=_TAGS_TO_ADD,
            accept_new_options=True,
            placeholder="Choose tags, or type new ones",
        )
        st.button(
            "Add" if len(runs) == 1 else f"Add to {len(runs):,} runs",
            key="runs_tag_add",
            icon=":material/new_label:",
            disabled=not st.session_state[_TAGS_TO_ADD],
            on_click=_try,
            args=(_add_tags, runs),
        )


def _add_tags(runs: list[Run]) -> None:
    added = st.session_state[_TAGS_TO_ADD]
    for run in runs:
        resources.store().set_tags(run.run_id, [*run.tags, *added])
    st.session_state[_TAGS_TO_ADD] = []


def _ask_to_delete(runs: list[Run]) -> None:
    ended = [run for run in runs if not run.is_active]
    active = [run for run in runs if run.is_active]
    # Another choice, another popover: it opens for the question that it was opened for.
    key = f"runs_delete_{hash(tuple(run.run_id for run in runs))}"
    with st.popover("Delete", icon=":material/delete:", disabled=not runs, key=key):
        if active:
            one = len(active) == 1
            st.markdown(
                f"{run_query.names(active)} {'is' if one else 'are'} still active. "
                f"Stop {'it' if one else 'them'} before deleting {'it' if one else 'them'}."
            )
        if ended:
            st.markdown(
                f"Delete {run_query.names(ended)}, including all curves and checkpoints? "
                "You can undo this until you leave the page."
            )
            st.button(
                "Delete" if len(ended) == 1 else f"Delete {len(ended):,} runs",
                icon=":material/delete:",
                type="primary",
                key="runs_delete_yes",
                on_click=_try,
                args=(_delete, [run.run_id for run in ended]),
            )


def _delete(run_ids: list[str]) -> None:
    try:
        run_trash.throw_away(run_ids)
    except StoreFull:
        st.session_state[_NO_ROOM] = run_ids
        raise
    _forget(run_ids)


def _offer_to_remove(run_ids: list[str]) -> None:
    """Offer to delete runs that there is no room to put in the trash."""
    what = "this run" if len(run_ids) == 1 else f"these {len(run_ids):,} runs"
    with st.container(horizontal=True, vertical_alignment="center", key="runs_no_room"):
        st.markdown(f"Deleting {what} for good makes room. This cannot be undone.", width="content")
        st.button(
            "Delete for good",
            icon=":material/delete_forever:",
            key="runs_remove",
            on_click=_try,
            args=(_remove, run_ids),
        )


def _remove(run_ids: list[str]) -> None:
    run_trash.remove(run_ids)
    _forget(run_ids)


def _forget(run_ids: list[str]) -> None:
    """Deselect runs that are gone."""
    if st.session_state.get("run_seen") in run_ids:
        run_picker.look_at(None)
    run_query.choose([each for each in run_query.get("runs") if each not in run_ids])
    run_table.forget()


def _tell_of_deleted() -> None:
    deleted = run_trash.deleted()
    if not deleted:
        return
    what = "1 run" if len(deleted) == 1 else f"{len(deleted):,} runs"
    with st.container(horizontal=True, vertical_alignment="center", key="runs_deleted"):
        st.markdown(f"{what} deleted. You can undo this until you leave the page.", width="content")
        st.button("Undo", icon=":material/undo:", key="runs_undo", on_click=_try, args=(_undo,))


def _undo() -> None:
    run_trash.undo()
    run_table.forget()


# The rows ----------------------------------------------------------------------------------------


def _statuses(run_ids: Iterable[str]) -> list[str]:
    """Return how the first few of these runs stand."""
    few = itertools.islice(run_ids, run_query.PER_PAGE)
    return [run.status for run in still_there(resources.store(), few)]


def _rows(live: bool, statuses: list[str]) -> None:
    """Draw a page of the list as it is now; what a fragment repeats.

    Args:
        live: Whether any run was live when the page was drawn.
        statuses: Those of the chosen runs then.
    """
    try:
        store = resources.store()
        is_old = is_live(store) != live or _statuses(run_query.get("runs")) != statuses
        if st.session_state.pop(_CHANGED, False) or is_old:
            st.rerun()  # what stands around the rows depends on it, and how often they are drawn
        _table(store)
    except StoreError as error:  # a fragment has no page around it that would tell
        st.error(words.plain(str(error)), icon=":material/error:")


def _table(store: Store) -> None:
    listing = list_runs(store, run_query.query())
    n_pages = max(1, -(-listing.total // run_query.PER_PAGE))
    if run_query.get("page") > n_pages:
        run_query.put("page", n_pages)
        listing = list_runs(store, run_query.query())
    if not listing.total:
        _nothing_found()
    else:
        if not run_query.get("runs"):
            st.caption(
                "Click a run to open it; tick several to compare, tag, archive or delete them."
            )
        run_table.show(listing, accuracy_curves(store, listing.runs), _changed)
        _pages(listing.total, n_pages)
    run_query.write()


def _changed() -> None:
    st.session_state[_CHANGED] = True
    runs = run_query.get("runs")
    if len(runs) == 1 and runs[0] != st.session_state.get("run_seen"):
        run_picker.look_at(runs[0])  # so that the other pages show it, however one gets there


def _nothing_found() -> None:
    shown = run_query.get("show")
    only = [name for name in run_query.FILTERS if name != "show" and run_query.get(name)]
    if only:
        sentence = "No run matches these filters."
    elif shown == "starred":
        sentence = "No run is starred yet."
    elif shown == "archived":
        sentence = "The archive is empty."
    else:
        sentence = "All runs are archived."
    with st.container(horizontal=True, vertical_alignment="center", key="runs_nothing"):
        st.markdown(sentence, width="content")
        if run_query.is_filtered():
            st.button(
                "Show all runs",
                icon=":material/filter_alt_off:",
                key="runs_clear",
                on_click=_clear_filters,
            )
        else:
            st.button("Show the archive", key="runs_archive", on_click=_show_archive)


def _clear_filters() -> None:
    run_query.clear_filters()
    _touch()


def _show_archive() -> None:
    run_query.put("show", "archived")
    run_query.from_the_start()
    _touch()


def _touch() -> None:
    st.session_state[_CHANGED] = True


def _pages(total: int, n_pages: int) -> None:
    page = run_query.get("page")
    first = (page - 1) * run_query.PER_PAGE + 1
    last = min(total, first + run_query.PER_PAGE - 1)
    with st.container(horizontal=True, vertical_alignment="center", key="runs_pages"):
        noun = "run" if total == 1 else "runs"
        st.caption(f"{first:,} to {last:,} of {total:,} {noun}", width="content")
        if n_pages > 1:
            # Another page, another control: the address and the filters turn pages too.
            key = place.take("runs_pagination", f"{page}_{n_pages}")
            page_numbers.choose(n_pages, page=page, key=key, on_change=_turn, args=(key,))


def _turn(key: str) -> None:
    if place.is_taken_by("runs_pagination", key):
        run_query.put("page", st.session_state[key])
