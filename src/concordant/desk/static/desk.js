"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const say = (text) => { const box = $("#said"); if (box) box.textContent = text; };
  const isTyping = (target) => target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");

  // -- the inbox: a row is where the cursor is ---------------------------------------------------------------------
  const rows = () => $$(".row[data-id]");
  let at = sessionStorage.getItem("desk-at");
  const current = () => rows().find((row) => row.dataset.id === at);
  const go = (row) => {
    rows().forEach((one) => one.classList.toggle("at", one === row));
    if (!row) return;
    at = row.dataset.id;
    sessionStorage.setItem("desk-at", at);
    $("a", row).focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  };
  const move = (step) => {
    const all = rows();
    const here = all.indexOf(current());
    go(all[Math.min(Math.max(here < 0 ? 0 : here + step, 0), all.length - 1)]);
  };
  const quick = (row, action) => {
    const form = $("#quick");
    form.action = row.dataset.href;
    form.elements.version.value = row.dataset.version;
    form.elements.action.value = action;
    form.requestSubmit();
  };
  const inInbox = (key) => {
    if (key === "j" || key === "k") { move(key === "j" ? 1 : -1); return true; }
    const row = current();
    if (!row) return false;
    if (key === "Enter") { location.href = row.dataset.href; return true; }
    if (key === "x") { const box = $("input[name=pick]", row); box.checked = !box.checked; return true; }
    const action = /^[1-9]$/.test(key) ? `take-${key}` : { c: "claim", d: "dismiss" }[key];
    if (!action || (/^[1-9]$/.test(key) && $$(".brief > li", row).length < Number(key))) return false;
    quick(row, action);
    return true;
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
    if (event.key === "Enter" && event.target.closest("a, button, summary, input") && !event.target.closest(".row.at .head")) return;
    const button = $(`[data-key="${CSS.escape(event.key)}"]`);
    if (button) { event.preventDefault(); button.click(); return; }
    if (rows().length && inInbox(event.key)) event.preventDefault();
  });

  // -- what is fetched anew keeps what was selected ----------------------------------------------------------------
  let picked = new Set();
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "list") {
      picked = new Set($$("input[name=pick]:checked").map((box) => box.value.split("@")[0]));
    }
    if (event.detail.target.id === "sides" && event.detail.xhr.status === 200) {
      event.detail.target.dataset.was = event.detail.target.dataset.version;
    }
  });
  let known = null;
  document.addEventListener("htmx:afterSwap", () => {
    $$("input[name=pick]").forEach((box) => { box.checked = box.checked || picked.has(box.value.split("@")[0]); });
    const row = current();
    if (row) row.classList.add("at");
    const count = $("#list");
    if (count && $("h1 .count")) $("h1 .count").textContent = count.dataset.total;
    const sides = $("#sides");
    if (sides && known !== null && known !== `${sides.dataset.version} ${sides.dataset.state}`) {
      say("The sides of this question have changed.");
      const form = $("form[data-draft]");
      if (form && !$("#came")) {
        const note = document.createElement("p");
        note.id = "came"; note.className = "notice strong"; note.setAttribute("role", "status");
        note.textContent = "The sides above have changed while you were here. What you typed is kept.";
        form.prepend(note);
      }
    }
    known = sides ? `${sides.dataset.version} ${sides.dataset.state}` : null;
  });

  // -- whether the page still hears of changes ----------------------------------------------------------------------
  document.addEventListener("htmx:sseError", (event) => {
    if (event.detail.source.readyState !== EventSource.CLOSED || $("#quiet")) return;
    const note = document.createElement("p");
    note.id = "quiet"; note.className = "notice strong"; note.setAttribute("role", "status");
    note.textContent = "This page hears of no changes now: the desk has stopped, or you are logged out. What you typed is kept. ";
    const again = document.createElement("a");
    again.href = location.href; again.textContent = "Load the page again";
    note.append(again);
    $("main").prepend(note);
  });
  document.addEventListener("htmx:sseOpen", () => { const note = $("#quiet"); if (note) note.remove(); });

  // -- what was sent is on its way: a second click sends it no second time ---------------------------------------------
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    say("Sending …");
  });
  addEventListener("pageshow", () => $$("form[data-sent]").forEach((form) => { delete form.dataset.sent; }));

  // -- what was typed outlives the page, until it is sent ----------------------------------------------------------
  const drafts = () => $$("form[data-draft]").forEach((form) => {
    const name = `desk-draft-${form.dataset.draft}`;
    const inputs = () => [...form.elements].filter((one) => one.name && one.type !== "hidden" && one.tagName !== "BUTTON");
    if (!("typed" in form.dataset)) {
      const kept = JSON.parse(sessionStorage.getItem(name) || "{}");
      inputs().forEach((one) => { if (one.name in kept) one.value = kept[one.name]; });
    }
    form.addEventListener("input", () => {
      try {
        sessionStorage.setItem(name, JSON.stringify(Object.fromEntries(inputs().map((one) => [one.name, one.value]))));
      } catch { /* no room: then the page alone keeps it */ }
    });
  });
  const settle = () => {
    const id = new URLSearchParams(location.search).get("done");
    if (id) sessionStorage.removeItem(`desk-draft-${id}`);
  };

  // -- the timeline ------------------------------------------------------------------------------------------------
  const timeline = () => {
    const slider = $("#at");
    if (!slider) return;
    slider.addEventListener("input", () => { $("#at-shown").textContent = slider.value; });
    slider.addEventListener("change", () => slider.form.submit());
  };

  // -- plots: each is drawn from its table --------------------------------------------------------------------------
  const COLOURS = ["#2f78d0", "#d0802f", "#2f9e55", "#b04fae", "#cf4a40", "#2b9c9c", "#94861f", "#7468d6", "#808080"];
  const plot = (table) => {
    const names = $$("th", table).map((cell) => cell.textContent);
    const cells = $$("tbody tr", table).map((row) => $$("td", row).map((cell) => cell.textContent));
    const into = document.getElementById(table.dataset.into);
    const ink = getComputedStyle(into).color;
    const line = getComputedStyle(document.documentElement).getPropertyValue("--line");
    const axis = { stroke: ink, font: `${into.clientWidth < 420 ? 10 : 12}px system-ui, sans-serif`, grid: { stroke: line }, ticks: { stroke: line } };
    const size = { width: into.clientWidth || 320, height: 220 };
    const numbers = (column) => cells.map((row) => Number(row[column]));
    const isTime = table.dataset.plot === "time";
    const bars = uPlot.paths.bars({ size: [isTime ? 0.5 : 0.7, 60], align: 0 });
    const few = isTime && cells.length < 3;
    const series = names.slice(1).map((label, n) => ({
      label, stroke: COLOURS[n % COLOURS.length], width: 2, points: { show: few, size: 8 },
      ...(isTime ? {} : { fill: COLOURS[n % COLOURS.length], paths: bars, points: { show: false } }),
    }));
    const days = isTime ? cells.map((row) => Date.parse(`${row[0]}T00:00:00Z`) / 1000) : [];
    const pad = (all, before, after) => (few ? [before, ...all, after] : all);
    const x = isTime ? pad(days, days[0] - 86400, days.at(-1) + 86400) : cells.map((_, n) => n);
    const labels = isTime ? { values: (_, ticks) => ticks.map((t) => (t % 86400 ? "" : new Date(t * 1000).toISOString().slice(0, 10))), space: 90 } : { values: (_, ticks) => ticks.map((n) => (Number.isInteger(n) && cells[n] ? cells[n][0] : "")), splits: () => x, gap: 4, size: 40 };
    const scale = isTime ? { time: true } : { time: false, range: [-0.6, cells.length - 0.4] };
    const options = { ...size, scales: { x: scale, y: { range: (_, low, high) => [0, Math.max(high * 1.1, 1)] } },
      series: [{ label: names[0], ...(isTime ? { value: (_, v) => (v === null ? "" : new Date(v * 1000).toISOString().slice(0, 10)) } : { value: (_, v) => (v === null || !cells[v] ? "" : cells[v][0]) }) }, ...series],
      axes: [{ ...axis, ...labels }, axis], tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "Etc/UTC"), padding: [null, 36, null, null], legend: { live: true } };
    const made = new uPlot(options, [x, ...names.slice(1).map((_, n) => pad(numbers(n + 1), null, null))], into);
    addEventListener("resize", () => made.setSize({ width: into.clientWidth, height: 220 }));
  };

  const tools = $("details.tools");
  if (tools && !("narrowed" in tools.dataset) && matchMedia("(max-width: 40rem)").matches) tools.open = false;
  settle();
  drafts();
  timeline();
  if (current()) current().classList.add("at");
  const sides = $("#sides");
  known = sides ? `${sides.dataset.version} ${sides.dataset.state}` : null;
  if (window.uPlot) $$("table[data-plot=time], table[data-plot=bars]").forEach(plot);
})();
