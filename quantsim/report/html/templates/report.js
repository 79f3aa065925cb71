"use strict";
(() => {
  const root = document.documentElement;
  const paper = { width: 680, shrink: 0.75 }; // pixels between the margins of a printed page, and the share of the height
  const figures = [...document.querySelectorAll("[data-figure]")].map((script) => ({
    place: document.getElementById(script.dataset.figure),
    spec: JSON.parse(script.textContent),
    height: document.getElementById(script.dataset.figure).clientHeight,
  }));

  // The style sheet knows the colours: replaces each "var(--name)" by its value.
  const coloured = (value) => {
    if (typeof value === "string") {
      return value.startsWith("var(") ? getComputedStyle(root).getPropertyValue(value.slice(4, -1)).trim() : value;
    }
    if (Array.isArray(value)) return value.map(coloured);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, coloured(one)]));
  };

  const draw = ({ width, shrink = 1 } = {}) => {
    // A finger scrolls the page; a mouse zooms into the figure.
    const touched = { dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom" };
    const config = { responsive: true, displayModeBar: false };
    for (const { place, spec, height } of figures) {
      place.style.height = `${shrink * height}px`;
      const size = { width, height: shrink * height, autosize: width === undefined };
      const { data, layout } = coloured(spec);
      Plotly.react(place, data, { ...layout, ...touched, ...size }, config);
    }
  };

  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
  addEventListener("beforeprint", () => { root.classList.add("printed"); draw(paper); });
  addEventListener("afterprint", () => { root.classList.remove("printed"); draw(); });
})();
