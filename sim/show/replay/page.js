// Ties the page together: the clock, buttons and keys, panes, the explanation of a query, and what is said aloud.

const record = JSON.parse(document.getElementById("record").textContent);
const byId = (id) => document.getElementById(id);
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
const COLOURS = ["#0b5cad", "#b34700"];
const FLIGHT = 0.6; // seconds on the wall that a dot travels
const LENGTHS = [[10, "10 s"], [30, "30 s"], [60, "1 minute"], [120, "2 minutes"], [300, "5 minutes"], [1200, "20 minutes"]];
const INSET = 8; // of the timeline, so that its time stands above the slider's thumb
const state = { setting: 0, shown: [], time: 0, isPlaying: false, settled: Infinity, lasts: 60, selected: null, last: null, drawnAt: 0, lines: "" };
const panes = [];
const linesCanvas = document.createElement("canvas");

/** Make an element with attributes and children. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const runs = () => state.shown.map((number) => record.settings[state.setting].runs[number]);
const length = () => Math.max(...runs().map((run) => run.end_s));
const rate = () => length() / state.lasts; // seconds of the run in a second on the wall

function build() {
  record.settings.forEach((setting) => setting.runs.forEach(prepare));
  state.shown = record.policies.slice(0, 2).map((_, number) => number);
  for (const [number] of state.shown.entries()) panes.push(makePane(number));
  document.documentElement.style.setProperty("--panes", panes.length);
  for (const [lasts, name] of LENGTHS) byId("speed").append(make("option", { value: lasts }, `whole run in ${name}`));
  state.lasts = runs()[0].n_queries <= 40 ? 30 : 60;
  byId("speed").value = state.lasts;
  if (record.settings.length > 1) {
    byId("setting-label").hidden = false;
    byId("setting-name").textContent = record.varied;
    byId("setting").max = record.settings.length - 1;
    byId("setting").value = 0;
  }
  makeLegend();
  listen();
  changed();
}

function makePane(number) {
  const names = record.policies;
  const heading = make("h2");
  if (names.length > 2) {
    const select = make("select", { "aria-label": `policy ${number + 1}` }, ...names.map((name, k) => make("option", { value: k }, name)));
    select.value = state.shown[number];
    select.addEventListener("change", () => {
      state.shown[number] = Number(select.value);
      changed();
    });
    heading.append(select);
  } else heading.append(names[state.shown[number]]);
  const figures = {};
  const stats = make("dl", { class: "stats" });
  for (const [key, name] of [["quality", "quality"], ["answered", "answered"], ["lost", "not answered"], ["cost_usd", "spent"]]) {
    figures[key] = make("dd", { "data-stat": key, class: key });
    stats.append(make("div", {}, make("dt", {}, name), figures[key]));
  }
  const fates = make("p", { class: "fates" });
  const canvas = make("canvas", { role: "img" });
  const element = make("section", { class: "pane", style: `--colour: ${COLOURS[number]}` }, heading, stats, fates, canvas);
  byId("panes").append(element);
  canvas.addEventListener("click", (event) => pick(number, event));
  return { canvas, figures, fates, drawn: [], at: null };
}

function makeLegend() {
  const marks = [
    ["a query on its way, waiting or in service", (c) => dot(c, 10, 10, 7, COLOURS[0])],
    ["answered: the fuller, the better the answer", (c) => dot(c, 10, 10, 7, COLOURS[0], 0.35)],
    ["answered, and worth nothing", (c) => dot(c, 10, 10, 7, COLOURS[0], 0)],
    ["lost or declined", (c) => cross(c, 10, 10, 6)],
  ];
  for (const [text, draw] of marks) {
    const canvas = make("canvas", { "aria-hidden": "true" });
    draw(fitted(canvas, 20, 20));
    byId("legend").append(make("li", {}, canvas, text));
  }
}

/** Adapt to other runs: another setting, another policy. */
function changed() {
  const [first] = runs();
  byId("time").max = length();
  state.time = Math.min(state.time, length());
  byId("setting-value").textContent = record.settings[state.setting].label;
  byId("setting").setAttribute("aria-valuetext", `${record.varied} ${record.settings[state.setting].label}`);
  const said = [`replication ${record.replication}, ${first.n_queries.toLocaleString("en")} queries in ${seconds(length(), length())}`];
  if (first.n_drawn < first.n_queries) {
    said.push(`${first.n_drawn.toLocaleString("en")} of them are drawn, evenly chosen; all counts, budgets and totals are of all`);
  }
  if (calm.matches) said.push("motion is reduced, as your system asks");
  byId("notice").textContent = `${said.join("; ")}.`;
  byId("query").max = Math.max(...first.queries.id);
  if (state.selected !== null) explain(state.selected);
  else byId("answers").replaceChildren(make("p", {}, "No query is chosen."));
  settle();
}

/** Stand still at a time, let the dots arrive, and say where things are. */
function goTo(time, words) {
  state.time = Math.max(0, Math.min(length(), time));
  settle();
  say(words);
}

function settle() {
  if (calm.matches) state.settled = Infinity;
  request();
}

let sayLater = 0;
function say(words) {
  clearTimeout(sayLater);
  sayLater = setTimeout(() => {
    const standings = runs().map((run) => standing(run, state.time, record.currency));
    byId("said").textContent = [`At ${seconds(state.time, length())}.`, ...(words || []), ...standings].join(" ");
  }, 250);
}

function play(isPlaying) {
  if (isPlaying && state.time >= length()) state.time = 0;
  state.isPlaying = isPlaying;
  state.settled = isPlaying ? 0 : state.settled;
  state.last = null;
  byId("play").textContent = isPlaying ? "Pause" : "Play";
  if (!isPlaying) say();
  request();
}

function step(forward) {
  if (state.isPlaying) play(false);
  const next = nextMoment(runs(), state.time, forward);
  if (next === null) return goTo(forward ? length() : 0, [forward ? "This is the end." : "This is the start."]);
  const words = runs().map((run) => [run.policy, happenings(run, next)]).filter(([, found]) => found.length).map(([name, found]) => `${name}: ${found.join(", ")}.`);
  state.settled = 0;
  return goTo(next, words);
}

let isRequested = false;
function request() {
  if (isRequested) return;
  isRequested = true;
  requestAnimationFrame(frame);
}

function frame(now) {
  isRequested = false;
  const passed = state.last === null ? 0 : Math.min(0.1, (now - state.last) / 1000);
  if (state.isPlaying && calm.matches && state.last !== null && now - state.last < 500) return request();
  state.last = now;
  if (state.isPlaying) {
    state.time = Math.min(length(), state.time + (calm.matches ? 0.5 : passed) * rate());
    if (calm.matches) state.settled = Infinity;
    if (state.time >= length()) {
      play(false);
      state.settled = 0;
    }
  } else if (state.settled < 3 * FLIGHT * rate()) state.settled += passed * rate();
  else state.settled = Infinity;
  draw(now);
  if (state.isPlaying || state.settled < Infinity) request();
  else state.last = null;
}

function draw(now) {
  const shown = runs();
  const total = length();
  byId("clock").textContent = seconds(state.time, total);
  byId("time").value = state.time;
  byId("time").setAttribute("aria-valuetext", `${seconds(state.time, total)} of ${seconds(total, total)}`);
  const canvas = byId("timeline");
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const lines = [width, height, window.devicePixelRatio, state.setting, ...state.shown].join(" ");
  if (state.lines !== lines) { // they are long, and change with what is shown only
    state.lines = lines;
    drawLines(fitted(linesCanvas, width, height), shown, COLOURS, total, width, height, INSET);
  }
  drawTimeline(fitted(canvas, width, height), linesCanvas, total > 0 ? state.time / total : 0, width, height, INSET);
  panes.forEach((pane, number) => drawPane(pane, shown[number], number));
  const isDue = !state.isPlaying || now - state.drawnAt > 1000;
  if (isDue) {
    state.drawnAt = now;
    panes.forEach((pane, number) => pane.canvas.setAttribute("aria-label", standing(shown[number], state.time, record.currency)));
    if (byId("tables").open) fillTables(shown);
  }
}

function drawPane(pane, run, number) {
  const overall = overallAt(run, state.time);
  show(pane.figures.quality, overall.quality, short(overall.quality));
  show(pane.figures.answered, overall.answered, overall.answered.toLocaleString("en"), ` of ${overall.arrived.toLocaleString("en")}`);
  show(pane.figures.lost, overall.lost, overall.lost.toLocaleString("en"));
  show(pane.figures.cost_usd, overall.cost_usd, short(overall.cost_usd, 3), ` ${record.currency}`);
  const lost = Object.entries(lossesAt(run, state.time)).map(([word, count]) => `${count.toLocaleString("en")} ${LOSSES[word]}`);
  const text = lost.length ? `Not answered: ${lost.join(", ")}` : "";
  if (pane.fates.textContent !== text) pane.fates.textContent = text;
  const width = pane.canvas.clientWidth;
  const size = `${width} ${window.innerHeight} ${byId("notice").textContent}`;
  if (pane.size !== size || pane.run !== run) { // to ask where things are makes the browser lay the page out again
    const room = Math.max(260, window.innerHeight - pane.canvas.getBoundingClientRect().top - window.scrollY - 12);
    [pane.size, pane.run, pane.at] = [size, run, layout(run, width, room)];
  }
  const context = fitted(pane.canvas, pane.at.width, pane.at.height);
  drawFleet(context, run, fleetAt(run, state.time), pane.at, COLOURS[number], record.currency);
  const flight_s = FLIGHT * rate();
  pane.drawn = drawQueries(context, run, state.time, pane.at, COLOURS[number], flight_s, state.settled, chosenPlace(run));
}

/** Put a number on the page, and its exact value beside it, for those who read the page by a program. */
function show(element, value, text, small = "") {
  if (element.dataset.value === String(value) && element.dataset.small === small) return;
  element.dataset.value = value;
  element.dataset.small = small;
  element.replaceChildren(text, ...(small ? [make("small", {}, small)] : []));
}

const chosenPlace = (run) => (state.selected === null || !run.places.has(state.selected) ? null : run.places.get(state.selected));

function pick(number, event) {
  const pane = panes[number];
  const box = pane.canvas.getBoundingClientRect();
  let best = null;
  let least = 18;
  for (const [x, y, place] of pane.drawn) {
    const distance = Math.hypot(x - (event.clientX - box.left), y - (event.clientY - box.top));
    if (distance < least) [least, best] = [distance, place];
  }
  if (best === null) return;
  if (state.isPlaying) play(false);
  explain(runs()[number].queries.id[best]);
}

/** Show what is known of a query under each policy. */
function explain(id) {
  state.selected = id;
  byId("query").value = id;
  const cards = runs().map((run, number) => {
    const card = make("article", { class: "answer", style: `--colour: ${COLOURS[number]}` }, make("h3", {}, `Query ${id} under ${run.policy}`));
    const place = chosenPlace(run);
    if (place === null) {
      const last = run.queries.id[run.queries.id.length - 1];
      const why = id > last || id < 0 ? `There is no query ${id}; the last is ${last}.` : `Query ${id} is not among those that are drawn.`;
      card.append(make("p", { class: "why" }, why));
      return card;
    }
    const { reason, sentence, steps, outcome, hindsight } = explained(run, place, record.currency);
    if (reason) card.append(make("p", { class: "why" }, reason));
    card.append(make("p", { class: reason ? "" : "why" }, sentence));
    const list = make("ol");
    for (const [at, text] of steps) list.append(make("li", {}, make("span", {}, seconds(at, length())), make("span", {}, text)));
    card.append(list, make("p", {}, `In all: ${outcome}.${hindsight ? ` ${hindsight}` : ""}`));
    return card;
  });
  byId("answers").replaceChildren(...cards);
  request();
}

function neighbour(by) {
  const { id } = runs()[0].queries;
  const place = state.selected === null ? (by > 0 ? -1 : id.length) : placeAt(id, state.selected) + (by < 0 && !runs()[0].places.has(state.selected) ? 1 : 0);
  explain(id[Math.max(0, Math.min(id.length - 1, place + by))]);
}

function fillTables(shown) {
  const head = ["deployment", "waiting", "in service", "answered", "money", ...(shown.some((run) => run.prices) ? ["price"] : [])];
  byId("table-room").replaceChildren(...shown.map((run) => make("table", {},
    make("caption", {}, `${run.policy} at ${seconds(state.time, length())}`),
    make("thead", {}, make("tr", {}, ...head.map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, ...fleetAt(run, state.time).map((one) => make("tr", {},
      make("th", { scope: "row" }, one.events.length ? `${one.name} (${one.events.map((event) => event.what).join(", ")})` : one.name),
      ...[one.queue, one.slots === null ? one.service : `${one.service} of ${one.slots}`, one.served, moneyWords(one.account, one.money, record.currency), ...(head.length > 5 ? [one.price === null ? "" : short(one.price, 3)] : [])].map((cell) => make("td", {}, String(cell)))))))));
}

function listen() {
  byId("play").addEventListener("click", () => play(!state.isPlaying));
  byId("start").addEventListener("click", () => goTo(0));
  byId("end").addEventListener("click", () => goTo(length()));
  byId("step").addEventListener("click", () => step(true));
  byId("back").addEventListener("click", () => step(false));
  byId("earlier").addEventListener("click", () => neighbour(-1));
  byId("later").addEventListener("click", () => neighbour(1));
  byId("query").addEventListener("change", (event) => event.target.value !== "" && explain(Number(event.target.value)));
  byId("speed").addEventListener("change", (event) => { state.lasts = Number(event.target.value); request(); });
  byId("time").addEventListener("input", (event) => { state.settled = Infinity; goTo(Number(event.target.value)); });
  byId("setting").addEventListener("input", (event) => { state.setting = Number(event.target.value); changed(); say(); });
  byId("tables").addEventListener("toggle", () => fillTables(runs()));
  byId("timeline").addEventListener("pointerdown", (event) => {
    const box = byId("timeline").getBoundingClientRect();
    state.settled = Infinity;
    goTo(((event.clientX - box.left - INSET) / (box.width - 2 * INSET)) * length());
  });
  window.addEventListener("resize", request);
  calm.addEventListener("change", changed);
  document.addEventListener("keydown", pressed);
}

/** Carry out a key, unless it is meant for what has the focus. */
function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const focus = document.activeElement;
  const isField = focus.matches(event.key === " " ? "input:not([type=range]), select" : "input, select");
  const keys = {
    " ": () => play(!state.isPlaying), ArrowRight: () => step(true), ArrowLeft: () => step(false),
    Home: () => goTo(0), End: () => goTo(length()), n: () => neighbour(1), p: () => neighbour(-1),
    "+": () => faster(1), "-": () => faster(-1),
  };
  if (!(event.key in keys) || isField || (event.key === " " && focus.matches("button, summary"))) return;
  event.preventDefault();
  keys[event.key]();
}

function faster(by) {
  const place = LENGTHS.findIndex(([lasts]) => lasts === state.lasts) - by;
  state.lasts = LENGTHS[Math.max(0, Math.min(LENGTHS.length - 1, place))][0];
  byId("speed").value = state.lasts;
  request();
}

build();
