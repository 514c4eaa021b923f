// What every page does by itself: its menu closes where it lies over the page, and it prints light.
//
// Streamlit closes the menu after a choice only in a browser that calls itself a mobile one, and
// whoever left it open finds it open again, on top of every page. Here the width of the window says
// what it covers: on a narrow one it starts closed and closes with each choice, and nothing of that
// is remembered for a wide one, where it stays open.

const COVERS_UP_TO = 768; // pixels of width, as in Streamlit's own style sheet
const REMEMBERED = "stSidebarCollapsed-"; // how its entries in the browser's storage begin

export default function () {
  if (window.innerWidth <= COVERS_UP_TO) {
    // Open though nobody has touched the page yet: it was left open the last time.
    if (!navigator.userActivation?.hasBeenActive) closeMenu();
    forgetMenu();
  }
  // They stay for good: between two pages there is none that would hear a click on the menu.
  document.addEventListener("click", afterClick);
  window.addEventListener("beforeprint", beforePrint);
}

function afterClick(event) {
  if (window.innerWidth > COVERS_UP_TO) return;
  if (event.target.closest?.("[data-testid=stSidebarNavLink]")) closeMenu();
  forgetMenu();
}

// What Streamlit sees when somebody touches the page beside an open menu.
function closeMenu() {
  const page = document.querySelector("[data-testid=stMain]");
  page?.dispatchEvent(new MouseEvent("mousedown", { bubbles: true }));
}

function forgetMenu() {
  for (const name of Object.keys(localStorage)) {
    if (name.startsWith(REMEMBERED)) localStorage.removeItem(name);
  }
}

// A style sheet cannot ask which theme was chosen.
function beforePrint() {
  const { colorScheme } = getComputedStyle(document.querySelector(".stApp"));
  document.body.classList.toggle("neuralscope-dark", colorScheme === "dark");
}
