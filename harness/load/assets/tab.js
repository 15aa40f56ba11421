// Puts our page into Locust's tab "tidegate", and a link to it above Locust's start form. React owns everything
// else here: we only add one element at the end of its container, and take it away again.
(() => {
  const page = document.currentScript.dataset.page;
  const chosen = () => new URLSearchParams(location.search).get("tab") === "tidegate";

  function frame() {
    const tabs = document.querySelector('[role="tablist"]');
    const home = tabs && tabs.closest(".MuiContainer-root");
    const ours = document.getElementById("tidegate-frame");
    if (!home || !chosen()) { if (ours) ours.remove(); return; }
    if (ours && ours.parentElement === home) return;
    const made = document.createElement("iframe");
    made.id = "tidegate-frame";
    made.title = "tidegate";
    made.src = page + "?framed";
    made.style.cssText = "width:100%;border:0;height:1200px;display:block";
    home.append(made);
  }

  function link() {
    const form = [...document.querySelectorAll("h2")].find(e => e.textContent === "Start new load test");
    const ours = document.getElementById("tidegate-link");
    if (!form || ours) return;
    const made = document.createElement("p");
    made.id = "tidegate-link";
    made.innerHTML = `Scenarios are under “Custom parameters”, or on <a href="${page}">the tidegate page</a>, ` +
      "which also shows them run. The number of users has no meaning for them.";
    form.after(made);
  }

  // The page inside tells its height, so that only one thing scrolls.
  addEventListener("message", event => {
    const ours = document.getElementById("tidegate-frame");
    if (ours && event.source === ours.contentWindow && event.data.tidegateHeight) {
      ours.style.height = `${event.data.tidegateHeight}px`;
    }
  });
  setInterval(() => { frame(); link(); }, 250);
})();
