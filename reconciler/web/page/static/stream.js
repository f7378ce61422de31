// One event stream for all tabs of a browser. A tab says which page it shows; the stream names all of them.
"use strict";
const tabs = new Map(); // port: {page, serial}
let source = null, pending = 0;

function open() {
  if (source) source.close();
  source = null;
  const shown = [...tabs.values()];
  if (!shown.length) return;
  const pages = [...new Set(shown.map((tab) => tab.page))].slice(-12);
  const query = new URLSearchParams(pages.map((page) => ["page", page]));
  query.set("since", oldest(shown.map((tab) => tab.serial)));
  source = new EventSource(`/events?${query}`);
  source.addEventListener("alive", (event) => tell({ kind: "alive", ...JSON.parse(event.data) }));
  source.addEventListener("change", (event) => {
    for (const tab of tabs.values()) tab.serial = event.lastEventId;
    tell({ kind: "change", serial: event.lastEventId, ...JSON.parse(event.data) });
  });
  source.onerror = () => {
    tell({ kind: "lost" });
    if (source.readyState === EventSource.CLOSED) later(5000); // refused: too many watch, or a proxy answered
  };
}

function oldest(serials) {
  const [boot] = serials[0].split("-");
  if (serials.some((serial) => !serial.startsWith(`${boot}-`))) return "";
  return serials.reduce((one, other) => (Number(one.split("-")[1]) < Number(other.split("-")[1]) ? one : other));
}

function later(milliseconds) {
  clearTimeout(pending);
  pending = setTimeout(open, milliseconds);
}

function tell(message) {
  for (const port of tabs.keys()) port.postMessage(message);
}

function receive(port, { page, serial, gone }) {
  if (gone) tabs.delete(port);
  else tabs.set(port, { page, serial });
  later(gone ? 2000 : 50);
}

if (typeof SharedWorkerGlobalScope !== "undefined") {
  self.onconnect = (event) => {
    const [port] = event.ports;
    port.onmessage = (message) => receive(port, message.data);
  };
}
