// Draws every chart of the page from the JSON beside it, in the page's own colours, and redraws on a new theme.
(() => {
  "use strict";
  const specs = JSON.parse(document.getElementById("charts").textContent);
  const plots = [...document.querySelectorAll(".plot")];

  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    const resolve = (value) => {
      if (typeof value === "string") {
        return value.startsWith("var(") ? style.getPropertyValue(value.slice(4, -1)).trim() : value;
      }
      if (Array.isArray(value)) return value.map(resolve);
      if (value && typeof value === "object") {
        return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, resolve(inner)]));
      }
      return value;
    };
    return resolve;
  };

  const bands = (stages) => stages.map((stage, index) => ({
    type: "rect", layer: "below", xref: "x", yref: "paper", y0: 0, y1: 1, x0: stage.start, x1: stage.end,
    line: { width: 0 }, fillcolor: index % 2 ? "var(--band-odd)" : "var(--band-even)",
  }));

  // A stage's name is written only where it fits: about 6.6 px a letter at 11 px.
  const stageLabels = (stages, span, width) => stages
    .filter((stage) => ((stage.end - stage.start) / span) * width > stage.name.length * 6.6 + 4)
    .map((stage) => ({
      xref: "x", yref: "paper", x: (stage.start + stage.end) / 2, y: 1, yanchor: "bottom", xanchor: "center",
      text: stage.name, showarrow: false, font: { size: 11, color: "var(--muted)" },
    }));

  const markLines = (marks) => marks.map((mark) => ({
    type: "line", xref: "x", yref: "paper", x0: mark.at, x1: mark.at, y0: 0, y1: 1,
    line: { color: "var(--mark)", width: 1.2, dash: "dot" },
  }));
  const markLabels = (marks, span) => marks.map((mark, index) => {
    const toTheLeft = mark.at / span > 0.75;
    return {
      xref: "x", yref: "paper", x: mark.at, y: 0.97 - 0.11 * index, yanchor: "top", showarrow: false,
      xanchor: toTheLeft ? "right" : "left", text: toTheLeft ? mark.label + " " : " " + mark.label,
      bgcolor: "var(--card)", font: { size: 11, color: "var(--ink)" },
    };
  });

  const axis = { gridcolor: "var(--grid)", zeroline: false, linecolor: "var(--line)", automargin: true, fixedrange: false };
  const layoutOf = (spec, width) => {
    const span = Math.max(spec.span, 1e-9);
    return {
      ...spec.layout,
      autosize: true, dragmode: width < 500 ? false : "zoom", hovermode: spec.layout.hovermode || "x unified",
      margin: { l: 8, r: 14, t: 22, b: 8 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, -apple-system, Segoe UI, Roboto, Arial, sans-serif", size: 12, color: "var(--muted)" },
      hoverlabel: { bgcolor: "var(--card)", bordercolor: "var(--line)", font: { color: "var(--ink)" } },
      legend: {
        orientation: "h", x: 0, xanchor: "left", y: 0, yref: "container", yanchor: "bottom", font: { color: "var(--ink)" },
      },
      xaxis: { ...axis, range: [0, span], ticksuffix: " s", ...spec.layout.xaxis },
      yaxis: { ...axis, ...spec.layout.yaxis },
      ...(spec.layout.yaxis2 ? { yaxis2: { ...axis, ...spec.layout.yaxis2 } } : {}),
      shapes: [...bands(spec.stages), ...(spec.layout.shapes || []), ...markLines(spec.marks)],
      annotations: [...stageLabels(spec.stages, span, width - 70), ...markLabels(spec.marks, span)],
    };
  };

  const draw = (plot) => {
    const spec = specs[plot.dataset.chart];
    const resolve = colours();
    const options = { displaylogo: false, displayModeBar: false, responsive: true, plotlyServerURL: "" };
    const traces = spec.traces.map((trace) => (
      trace.type === "heatmap" ? { ...trace, showscale: plot.clientWidth >= 500 } : trace));
    return Plotly.react(plot, resolve(traces), resolve(layoutOf(spec, plot.clientWidth)), options);
  };
  const drawAll = () => Promise.all(plots.map(draw));

  // Zooming one chart in time zooms all of them: a cause is found by looking at the same seconds everywhere.
  let following = false;
  const follow = (event) => {
    if (following) return;
    const dragged = event["xaxis.range[0]"] !== undefined;
    const range = dragged ? [event["xaxis.range[0]"], event["xaxis.range[1]"]] : event["xaxis.range"];
    if (!range && !event["xaxis.autorange"]) return;
    following = true;
    const update = (plot) => {
      const chosen = range || [0, specs[plot.dataset.chart].span];
      return Plotly.relayout(plot, { "xaxis.range": chosen, "xaxis.autorange": false });
    };
    Promise.all(plots.map(update)).finally(() => { following = false; });
  };

  drawAll().then(() => {
    plots.forEach((plot) => plot.on("plotly_relayout", follow));
    document.documentElement.dataset.drawn = "yes";
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  let lastWidth = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== lastWidth) { lastWidth = innerWidth; drawAll(); } });
  addEventListener("beforeprint", () => { document.documentElement.classList.add("printing"); drawAll(); });
  addEventListener("afterprint", () => { document.documentElement.classList.remove("printing"); drawAll(); });
})();
