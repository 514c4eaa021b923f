// What is settled before Streamlit's own script starts.
(() => {
  // One entry of the browser's history for each page, and for each thing that is opened on it.
  // Streamlit makes one whenever a page writes its address: for each value of a slider, for each
  // picture of a film, and Back leads through all of them. So an address that a page writes takes
  // the place of the one before, unless it names another thing than that one did.
  const OPENS = ["run", "digit", "unit", "cell", "dot", "race", "view"];
  const push = history.pushState.bind(history);
  let isTouched = false; // since the page was opened: until then it only completes its address

  const isAnotherThing = (from, to) =>
    OPENS.some((name) => from.searchParams.get(name) !== to.searchParams.get(name));

  // The number of a unit can be clicked on a chart, which opens it, or counted up in its field.
  const isSetInField = () =>
    document.activeElement?.matches("[role=slider], [role=spinbutton], input[type=number]");

  history.pushState = (state, title, url) => {
    const from = new URL(location.href);
    const to = new URL(url, from);
    const isPage = to.pathname !== from.pathname;
    if (isPage) isTouched = false;
    if (isPage || (isTouched && isAnotherThing(from, to) && !isSetInField()))
      push(state, title, url);
    else history.replaceState(state, title, url);
  };
  for (const kind of ["pointerdown", "keydown"])
    addEventListener(kind, () => (isTouched = true), { capture: true });
  addEventListener("popstate", () => (isTouched = false));

  // Streamlit would look for its server beneath the page first: the browser's console then says of
  // every link to a page that two things were not found.
  const root = location.pathname.replace(/[^/]*$/, "");
  window.__streamlit = { BACKEND_BASE_URL: location.origin + root };
})();
