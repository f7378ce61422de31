// Keeps a page as new as the daemon: swaps the parts that the server has rendered anew. Nothing depends on it.
"use strict";
const body = document.body, live = document.getElementById("live"), said = document.getElementById("said"), main = document.getElementById("main");
let serial = body.dataset.version, heard = Date.now(), isLost = false, wasStale = false, port = null;
const skew = Date.parse(body.dataset.at) - Date.now(); // of the clock of the daemon

// Times: the server writes them in full, and this turns them into ages.
function length(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000)), minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  if (seconds < 60) return `${seconds}s`;
  if (minutes < 60) return `${minutes}m`;
  if (hours < 24) return `${hours}h${minutes % 60 ? `${minutes % 60}m` : ""}`;
  if (days < 3) return `${days}d${hours % 24 ? `${hours % 24}h` : ""}`;
  return `${days}d`;
}
const WORDS = { age: (ms) => length(-ms), since: (ms) => `for ${length(-ms)}`, ago: (ms) => `${length(-ms)} ago`, until: (ms) => (ms > 0 ? `in ${length(ms)}` : "now"), left: (ms) => (ms > 0 ? length(ms) : "overdue"), end: (ms) => (ms > 0 ? `in ${length(ms)}` : "overdue"), done: (ms) => (ms > 0 ? `done in ${length(ms)}` : "overdue") };
function tick(root = document) {
  const now = Date.now() + skew;
  for (const each of root.querySelectorAll("time[data-time]")) {
    if (!each.title) each.title = each.textContent;
    const text = WORDS[each.dataset.time](Date.parse(each.dateTime) - now);
    if (each.textContent !== text) each.textContent = text;
  }
  say();
}
function say() {
  const age = Date.now() - heard, isStale = isLost || age > 40000;
  const text = isStale ? `Connection lost; as of ${length(age)} ago` : port ? "Live" : live.textContent;
  live.classList.toggle("lost", isStale);
  live.classList.toggle("on", !isStale && Boolean(port));
  if (live.textContent !== text) live.textContent = text;
  if (isStale !== wasStale) said.textContent = isStale ? "Connection lost" : "Live again"; // not the age, each second
  wasStale = isStale;
}
// On paper, an age needs its date.
addEventListener("beforeprint", () => { live.textContent = `As of ${new Date(heard + skew).toISOString().slice(0, 16).replace("T", " ")} UTC`; });
addEventListener("afterprint", say);

// Changes.
function element(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
}
function change({ title, parts, main: whole }) {
  document.title = `${title} · reconciler`;
  const focus = document.activeElement, id = focus && focus.id, index = spots().indexOf(focus), typed = focus && "value" in focus ? focus.value : null;
  if (whole !== null) {
    const kept = main.querySelector("form");
    main.innerHTML = whole;
    const made = main.querySelector("form");
    if (kept && made && kept.contains(focus)) made.replaceWith(kept);
  }
  for (const [name, html] of Object.entries(parts)) {
    const old = document.getElementById(name), made = element(html);
    if (!old || !made) continue;
    if (made.tagName === "TR") made.classList.add("fresh");
    old.replaceWith(made);
  }
  tick(main);
  rove();
  if (document.activeElement !== focus) {
    const again = (id && document.getElementById(id)) || (index >= 0 && spots()[index]);
    if (again) again.focus({ preventScroll: true });
    if (again && typed !== null && "value" in again) again.value = typed;
  }
}
function hear(message) {
  if (message.kind === "lost") isLost = true;
  else { isLost = false; heard = Date.now(); }
  if (message.kind === "change") {
    serial = message.serial;
    if (body.dataset.page in message.pages) {
      const mine = message.pages[body.dataset.page];
      if (mine === null) location.reload();
      else change(mine);
    }
  }
  say();
}

// One stream for all tabs where the browser has shared workers; else one for each tab that is seen.
function connect() {
  if (typeof SharedWorker !== "undefined") {
    port = new SharedWorker("/static/stream.js", "stream").port;
    port.onmessage = (event) => hear(event.data);
    const join = () => port.postMessage({ page: body.dataset.page, serial });
    join();
    addEventListener("pagehide", () => port.postMessage({ gone: true }));
    addEventListener("pageshow", (event) => { if (event.persisted) join(); });
    return;
  }
  const query = () => new URLSearchParams([["page", body.dataset.page], ["since", serial]]);
  const open = () => {
    if (port) port.close();
    port = document.hidden ? null : new EventSource(`/events?${query()}`);
    if (!port) return;
    port.addEventListener("alive", () => hear({ kind: "alive" }));
    port.addEventListener("change", (event) => hear({ kind: "change", serial: event.lastEventId, ...JSON.parse(event.data) }));
    port.onerror = () => hear({ kind: "lost" });
  };
  open();
  document.addEventListener("visibilitychange", open);
}

// The heat map: one tab stop, arrows move, and the instance under the focus or the pointer is named below.
function spots() { return [...document.querySelectorAll(".map li")]; }
function rove(to = null) {
  const all = spots(), current = to || all.find((each) => each.tabIndex === 0) || all[0];
  for (const each of all) each.tabIndex = each === current ? 0 : -1;
  return current;
}
function name(spot) {
  const line = document.getElementById("spot");
  if (!line) return;
  line.hidden = !spot;
  if (spot) line.textContent = spot.title + (spot.dataset.since ? `, for ${length(Date.now() + skew - Date.parse(spot.dataset.since))}` : "");
}
function below(spot, all, step) {
  const box = spot.getBoundingClientRect();
  const rows = all.filter((each) => (each.getBoundingClientRect().top - box.top) * step > 4);
  if (!rows.length) return null;
  const near = (each) => { const other = each.getBoundingClientRect(); return Math.abs(other.top - box.top) * 1000 + Math.abs(other.left - box.left); };
  return rows.reduce((one, other) => (near(one) <= near(other) ? one : other));
}
main.addEventListener("keydown", (event) => {
  const spot = event.target.closest(".map li");
  if (!spot) return;
  const all = spots(), at = all.indexOf(spot);
  const to = { ArrowRight: () => all[at + 1], ArrowLeft: () => all[at - 1], ArrowDown: () => below(spot, all, 1), ArrowUp: () => below(spot, all, -1), Home: () => all[0], End: () => all.at(-1) }[event.key]?.();
  if (to) { event.preventDefault(); rove(to).focus(); }
});
main.addEventListener("focusin", (event) => name(event.target.closest(".map li")));
main.addEventListener("pointerover", (event) => { const spot = event.target.closest(".map li"); if (spot) name(spot); });
main.addEventListener("pointerleave", () => name(document.activeElement.closest(".map li")));

// "/" goes to the search field, and a change of the order needs no button.
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const field = document.getElementById("q");
  if (field) { event.preventDefault(); field.focus(); }
});
main.addEventListener("change", (event) => { if (event.target.id === "sort") event.target.form.requestSubmit(); });

tick();
rove();
connect();
setInterval(tick, 1000);
