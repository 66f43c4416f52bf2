// Keeps a page living: one event stream a tab, whose pieces of HTML go where their ids say. See live.py and fragments.py.

const page = document.body.dataset.live;
const status = document.getElementById("live");
const RETRY = 2000;
let source, last = null, closed = false;

function connect() {
  const url = new URL(page, location.href);
  if (last) url.searchParams.set("after", last);
  source = new EventSource(url);
  source.addEventListener("ready", heard);
  source.addEventListener("reset", async (event) => { heard(event); await readAnew(); });
  source.addEventListener("swap", (event) => { heard(event); swap(event.data); });
  source.onerror = () => {
    say("Reconnecting …");
    if (source.readyState === EventSource.CLOSED && !closed) setTimeout(again, RETRY);
  };
}

// The browser gives up when the answer is no stream: the hub is about to start, nobody is signed in any more, or the fleet is gone.
async function again() {
  try {
    const fleet = encodeURIComponent(new URL(page, location.href).searchParams.get("fleet"));
    const answer = await fetch(`/dashboard/signed-in?fleet=${fleet}`, { headers: { accept: "application/json" } });
    if (answer.status === 401 || answer.status === 404) return location.reload();
  } catch { /* not there yet */ }
  connect();
}

function heard(event) {
  last = event.lastEventId || last;
  say("Live");
}

function say(text) {
  if (status && status.textContent !== text) {
    status.textContent = text;
    status.classList.toggle("on", text === "Live");
  }
}

function swap(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const piece of template.content.children) place(piece.content.firstElementChild);
}

function place(piece) {
  const old = document.getElementById(piece.id);
  if ("gone" in piece.dataset) return old?.remove();
  localTimes(piece);
  if (old) return keepingFocus(old, () => old.replaceWith(piece));
  const list = piece.dataset.into && document.getElementById(piece.dataset.into);
  if (!list) return;
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list[piece.dataset.at === "last" ? "append" : "prepend"](piece);
  const most = Number(piece.dataset.keep || Infinity);
  while (list.children.length > most) (piece.dataset.at === "last" ? list.firstElementChild : list.lastElementChild).remove();
  if (piece.dataset.at === "last" && atEnd) list.scrollTop = list.scrollHeight;
}

function keepingFocus(old, work) {
  const inside = old.contains(document.activeElement) && document.activeElement.getAttribute("href");
  work();
  if (inside) document.getElementById(old.id)?.querySelector(`[href="${CSS.escape(inside)}"]`)?.focus();
}

// What was missed cannot be had piece by piece: take the regions from the page as it is now.
async function readAnew() {
  const regions = document.querySelectorAll("[data-region]");
  if (!regions.length) return; // it shows nothing of the past, and may be the answer to a form, which cannot be read again
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const region of regions) {
    const now = fresh.getElementById(region.id);
    if (now) { localTimes(now); region.replaceWith(document.adoptNode(now)); }
  }
  const online = fresh.getElementById("online");
  if (online) document.getElementById("online")?.replaceWith(document.adoptNode(online));
}

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function localTimes(root) {
  for (const time of root.querySelectorAll("time")) {
    time.title = time.textContent;
    time.textContent = clock.format(new Date(time.dateTime));
  }
}

function copyButtons() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
    });
  }
}

// A message is sent without leaving the page: it comes back over the stream. What goes wrong, the page itself tells.
for (const form of document.querySelectorAll("form[data-send]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.ariaBusy) return;
    form.ariaBusy = "true";
    const sent = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" })
      .catch(() => null);
    if (sent?.type !== "opaqueredirect") return form.submit();
    form.reset();
    form.querySelector("textarea").value = "";
    form.elements["_once"].value = newKey();
    form.ariaBusy = null;
  });
}

function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(18)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

localTimes(document);
copyButtons();
document.querySelector("nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
for (const list of document.querySelectorAll("[data-bottom]")) list.scrollTop = list.scrollHeight;
for (const select of document.querySelectorAll(".switch select")) select.addEventListener("change", () => select.form.requestSubmit());
// A menu closes with Escape, and when something else is chosen.
document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && document.activeElement?.closest("details[open]");
  if (open) { open.open = false; open.querySelector("summary").focus(); }
});
if (page) {
  connect();
  addEventListener("pagehide", () => { closed = true; source.close(); });
  addEventListener("pageshow", (event) => { if (event.persisted) { closed = false; connect(); } });
}
