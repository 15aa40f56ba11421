// Asks for the state once a second and draws it. Start and stop are Locust's own, so that its page agrees.
"use strict";
const by = id => document.getElementById(id);
const framed = location.search.includes("framed");
document.documentElement.classList.toggle("framed", framed);

const NONE = "–";
const SIGNS = { PASS: "✓", FAIL: "✗", INCONCLUSIVE: "?", INVALID: "⊘", ABORTED: "■", within: "✓", beyond: "✗" };
const count = value => value == null ? NONE : Math.round(value).toLocaleString("en");
const three = value => value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0);
const rate = value => value == null ? NONE : `${value >= 999.5 ? count(value) : three(value)}/s`;
function seconds(value) {
  if (value == null) return NONE;
  if (value === "∞") return "∞";
  return value < 0.9995e-3 ? `${(value * 1e6).toFixed(0)} µs` : value < 0.9995 ? `${three(value * 1e3)} ms` : `${three(value)} s`;
}
const clock = value => `${Math.floor(value / 60)}:${String(Math.floor(value % 60)).padStart(2, "0")}`;

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  Object.assign(made, attributes);
  made.append(...children);
  return made;
}

function tile(name, value, detail = "", warn = false) {
  const parts = [element("dt", { textContent: name }), element("dd", { textContent: value })];
  if (detail) parts.push(element("small", { textContent: detail }));
  return element("dl", { className: warn ? "tile warn" : "tile", style: "margin:0" }, ...parts);
}

function stages(scenario, elapsed, busy) {
  const end = scenario.seconds;
  const all = [...scenario.stages];
  if (scenario.loop === "open") all.push({ name: "drain", start: end, seconds: scenario.drain_seconds, rate: "no new requests" });
  by("stages").replaceChildren(...all.map((stage, index) => {
    const inside = Math.min(Math.max(elapsed - stage.start, 0), stage.seconds);
    const last = index === all.length - 1;
    const current = busy && elapsed >= stage.start && (last || elapsed < stage.start + stage.seconds);
    const bar = element("i", {});
    bar.style.width = `${stage.seconds ? 100 * inside / stage.seconds : 0}%`;
    const detail = scenario.loop === "closed" ? "users ask until they are stopped" : `${stage.rate} · ${stage.seconds.toFixed(0)} s`;
    const made = element("div", { className: current ? "stage current" : "stage", title: `${stage.name}: ${detail}` }, bar,
      element("b", { textContent: stage.name }), element("span", { textContent: detail }));
    made.style.flexGrow = Math.sqrt(stage.seconds + 1);
    return made;
  }));
  by("clock").textContent = `${clock(elapsed)} elapsed`;
}

function lines(svg, times, series, write) {
  const box = svg.getBoundingClientRect(), width = box.width || 560, height = 150, left = 52, bottom = 18;
  const finite = series.flatMap(([, values]) => values).filter(Number.isFinite);
  const top = Math.max(...finite, 1e-9) * 1.08, first = times[0] ?? 0, span = Math.max((times.at(-1) ?? 1) - first, 1);
  const x = at => left + (width - left - 8) * (at - first) / span, y = value => (height - bottom) - (height - bottom - 6) * value / top;
  const parts = [0, 0.5, 1].map(share => {
    const at = y(top / 1.08 * share);
    return `<line class="grid" x1="${left}" x2="${width - 8}" y1="${at}" y2="${at}"/>` +
      `<text x="${left - 6}" y="${at + 4}" text-anchor="end">${write(top / 1.08 * share)}</text>`;
  });
  for (const [colour, values] of series) {
    const runs = [[]];
    values.forEach((value, index) => Number.isFinite(value) ? runs.at(-1).push(`${x(times[index]).toFixed(1)},${y(value).toFixed(1)}`) : runs.push([]));
    for (const points of runs.filter(run => run.length)) parts.push(`<polyline points="${points.join(" ")}" style="stroke:var(--${colour})"/>`);
  }
  if (times.length) parts.push(`<text x="${left}" y="${height - 3}">${clock(first)}</text>`,
    `<text x="${width - 8}" y="${height - 3}" text-anchor="end">${clock(times.at(-1))}</text>`);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.innerHTML = parts.join("");
}

function figures(state) {
  const p = state.progress;
  by("counts").replaceChildren(
    tile("Offered", count(p.offered), "due until now"), tile("Sent", count(p.sent)), tile("Completed", count(p.completed)),
    tile("In flight", count(p.in_flight)), tile("Backlog", count(state.backlog), "due and not ended"),
    tile("Rejected", count(p.rejected), "429, 503", p.rejected > 0), tile("Failed", count(p.failed), "", p.failed > 0),
    tile("Workers", count(p.workers_alive), "alive"));
  by("latencies").replaceChildren(
    tile("TTFT p50, last 5 s", seconds(p.ttft_p50_seconds), `whole run ${seconds(p.run_ttft_p50_seconds)}`),
    tile("TTFT p99, last 5 s", seconds(p.ttft_p99_seconds), `whole run ${seconds(p.run_ttft_p99_seconds)}`),
    tile("Token gap p50, last 5 s", seconds(p.gap_p50_seconds), `whole run ${seconds(p.run_gap_p50_seconds)}`),
    tile("Token gap p99, last 5 s", seconds(p.gap_p99_seconds), `whole run ${seconds(p.run_gap_p99_seconds)}`),
    tile("Goodput, last 5 s", rate(p.goodput), `${count(p.good)} good of ${count(p.completed)}`));
  const h = state.history;
  lines(by("rates"), h.at_seconds, [["offered", h.offered], ["completed", h.completed], ["good", h.good]], rate);
  lines(by("ttft"), h.at_seconds, [["p50", h.ttft_p50], ["p99", h.ttft_p99]], seconds);
}

function objectives(state) {
  by("objectives").hidden = !state.objectives.length;
  const judged = state.conclusion !== null;
  const known = state.objectives.filter(row => row.status !== "at the end");
  by("sofar").textContent = judged ? "as judged" :
    `so far ${known.filter(row => row.status === "within").length} of ${known.length} within; this is not the verdict`;
  by("rows").replaceChildren(...state.objectives.map(row => element("tr", {},
    element("td", { textContent: row.name }), element("td", { textContent: row.metric }),
    element("td", { textContent: row.measured, className: "number" }), element("td", { textContent: row.required, className: "number" }),
    element("td", {}, element("span", { className: `pill ${row.status}`,
      textContent: `${SIGNS[row.status] ?? ""} ${row.status}${SIGNS[row.status] && !judged ? " so far" : ""}`.trim() })))));
}

function verdict(conclusion) {
  by("verdict").hidden = !conclusion;
  if (!conclusion) return;
  by("verdict").className = `banner ${conclusion.verdict}`;
  by("word").textContent = `${SIGNS[conclusion.verdict]} ${conclusion.verdict}`;
  by("why").textContent = conclusion.sentence;
  by("reasons").replaceChildren(...conclusion.reasons.map(reason => element("li", { textContent: reason })));
  by("report").href = conclusion.report;
}

let filled = false;
function form(state) {
  const made = by("start");
  made.hidden = state.busy || state.form.scenario === null;
  if (filled || made.hidden) return;
  filled = true;
  const files = state.form.scenarios.includes(state.form.scenario) || !state.form.scenario ? state.form.scenarios : [state.form.scenario, ...state.form.scenarios];
  made.scenario.replaceChildren(...files.map(file => element("option", { value: file, textContent: file })));
  if (state.form.scenario) made.scenario.value = state.form.scenario;
  made.host.value = state.form.host;
  made.model.value = state.form.model;
}

function draw(state) {
  document.body.classList.toggle("busy", state.busy);
  by("phase").textContent = state.busy ? state.phase : state.conclusion ? "done" : state.error ? "stopped" : "ready";
  by("stop").hidden = !state.busy || ["collecting records", "judging"].includes(state.phase);
  by("error").hidden = !state.error;
  by("error").textContent = state.error ?? "";
  by("title").textContent = state.scenario ? state.scenario.name : state.busy ? "Preparing a run" : "No run yet";
  by("facts").textContent = [state.scenario && `${state.scenario.target} · ${state.scenario.model}`, state.notes.at(-1)].filter(Boolean).join(" · ");
  by("run").hidden = !state.scenario;
  form(state);
  verdict(state.conclusion);
  if (state.scenario) stages(state.scenario, state.progress?.elapsed_seconds ?? 0, state.busy);
  if (state.progress) figures(state);
  objectives(state);
  if (framed) parent.postMessage({ tidegateHeight: document.querySelector("main").offsetHeight + 8 }, "*");
}

async function post(event) {
  event.preventDefault();
  const made = by("start"), body = new URLSearchParams(new FormData(made));
  body.set("user_count", "1");
  body.set("spawn_rate", "1");
  const answer = await (await fetch("../swarm", { method: "POST", body })).json();
  by("problem").textContent = answer.success ? "" : answer.message;
  await refresh();
}

async function refresh() {
  try {
    draw(await (await fetch("state")).json());
  } catch (problem) {
    by("phase").textContent = "Locust does not answer";
  }
}

by("start").addEventListener("submit", post);
by("stop").addEventListener("click", () => { by("stop").disabled = true; fetch("../stop", { method: "POST" }).finally(() => { by("stop").disabled = false; refresh(); }); });
refresh();
setInterval(refresh, 1000);
