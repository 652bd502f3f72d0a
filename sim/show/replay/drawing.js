// Draws one run at a time on a canvas: the source, the router, and a lane for each deployment. It reads no input.

const INK = "#14181f", SOFT = "#4a5361", LINE = "#c9d0d9", WASH = "#f3f5f8", LOST = "#b3261e", PAPER = "#ffffff";
const FONT = 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
const HEAD = 34; // of the names of columns, in pixels
const MOST_BOXES = 24; // slots drawn one by one
const COLUMNS = { source: 0, router: 0.12, name: 0.205, queue: 0.42, service: 0.55, answered: 0.79, money: 0.815, share: 0.915 };
const WITH_PRICES = { ...COLUMNS, router: 0.1, name: 0.175, queue: 0.385, service: 0.49, answered: 0.72, money: 0.74, share: 0.82, price: 1 };
const ROUTER = { width: 60, height: 34 };

/** Return where everything is on a canvas of a width, for a run. */
function layout(run, width, room) {
  const lane = Math.min(104, Math.max(26, (room - HEAD) / run.fleet.length));
  const x = Object.fromEntries(Object.entries(run.prices ? WITH_PRICES : COLUMNS).map(([name, share]) => [name, Math.round(share * width)]));
  const isTall = lane >= 58; // then the name has a line of its own, above the rest
  if (isTall) x.queue = x.name;
  const font = Math.max(14, Math.min(24, lane * (isTall ? 0.26 : 0.5), width / 36));
  const digits = run.n_queries.toLocaleString("en").length * font * 0.64 + 10; // the room of the longest count
  return {
    width, lane, x, font, isTall, digits,
    nameY: (y) => (isTall ? y - lane * 0.24 : y),
    rowY: (y) => (isTall ? y + lane * 0.18 : y),
    height: Math.round(HEAD + lane * run.fleet.length + 4),
    radius: Math.max(4, Math.min(9, lane * 0.14, width / 120)),
    y: (number) => HEAD + lane * (number + 0.5),
    routerY: HEAD + Math.max(lane * run.fleet.length / 2, 30),
  };
}

/** Fit a canvas to its width on the page and a height, for the screen's own pixels; return its context. */
function fitted(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  const [columns, rows] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== columns || canvas.height !== rows) {
    canvas.width = columns;
    canvas.height = rows;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return context;
}

/** Return a text cut to a width, with an ellipsis. */
function cutTo(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let length = text.length;
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > width) length--;
  return `${text.slice(0, length)}…`;
}

/** Draw a query as a dot; an answer is as full as its quality, and has a ring. */
function dot(context, x, y, radius, colour, quality = 1) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = quality >= 1 ? colour : PAPER;
  context.fill();
  if (quality < 1) {
    if (quality > 0) {
      context.beginPath();
      context.arc(x, y, radius * Math.sqrt(quality), 0, 2 * Math.PI);
      context.fillStyle = colour;
      context.fill();
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
    }
    context.lineWidth = 2;
    context.strokeStyle = colour;
    context.stroke();
  }
}

/** Draw a lost query as a cross. */
function cross(context, x, y, radius) {
  context.beginPath();
  context.moveTo(x - radius, y - radius);
  context.lineTo(x + radius, y + radius);
  context.moveTo(x + radius, y - radius);
  context.lineTo(x - radius, y + radius);
  context.lineWidth = 3;
  context.strokeStyle = LOST;
  context.stroke();
}

/** Return how wide a name may be. */
const nameRoom = (at) => (at.isTall ? at.width : at.x.queue) - at.x.name - 8;

/** Return the size of the names of deployments: smaller where that lets the longest stand whole, down to a limit. */
function nameFont(context, run, at) {
  context.font = `600 ${at.font}px ${FONT}`;
  const longest = Math.max(...run.fleet.map((deployment) => context.measureText(deployment.name).width));
  return at.font * Math.max(0.8, Math.min(1, nameRoom(at) / longest));
}

/** Draw what does not move: names, counts, slots, budgets. */
function drawFleet(context, run, now, at, colour, currency) {
  const { x, font, lane, width } = at;
  context.clearRect(0, 0, width, at.height);
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.font = `${Math.max(13, font * 0.88)}px ${FONT}`;
  context.fillStyle = SOFT;
  const hasBudget = run.accounts.some((account) => account.budget !== null);
  if (!at.isTall) context.fillText("deployment", x.name, HEAD / 2);
  context.fillText("waiting", x.queue, HEAD / 2);
  context.fillText("serving", x.service, HEAD / 2);
  context.textAlign = "right";
  context.fillText("answered", x.answered, HEAD / 2);
  context.textAlign = "left";
  const units = new Set(run.accounts.map((account) => (account.unit === "tokens" ? "tokens" : currency)));
  context.fillText(hasBudget ? "budget left" : units.size > 1 ? "spent" : `spent, ${[...units][0]}`, x.money, HEAD / 2);
  if (run.prices) {
    context.textAlign = "right";
    context.fillText("price", x.price - 6, HEAD / 2);
    context.textAlign = "left";
  }
  at.nameFont ??= nameFont(context, run, at);
  now.forEach((deployment, number) => {
    const y = at.y(number);
    if (number % 2 === 0) {
      context.fillStyle = WASH;
      context.fillRect(x.name - 10, y - lane / 2, width - x.name + 10, lane);
    }
    context.strokeStyle = LINE;
    context.lineWidth = 1.5;
    context.beginPath();
    const [from, to] = [x.router + ROUTER.width / 2, x.name - 10];
    context.moveTo(from, at.routerY);
    context.bezierCurveTo(from + (to - from) * 0.6, at.routerY, from + (to - from) * 0.4, y, to, y);
    context.stroke();
    drawLane(context, run, deployment, y, at, colour, currency);
  });
  drawRouter(context, at);
}

function drawLane(context, run, deployment, y, at, colour, currency) {
  const { x, font, lane } = at;
  const [nameY, rowY] = [at.nameY(y), at.rowY(y)];
  const events = deployment.events.map((event) => event.what).join(", ");
  context.textAlign = "left";
  context.font = `600 ${at.nameFont}px ${FONT}`;
  context.fillStyle = INK;
  const name = cutTo(context, deployment.name, nameRoom(at));
  context.fillText(name, x.name, events && !at.isTall ? nameY - lane * 0.2 : nameY);
  if (events) {
    const nameX = at.isTall ? x.name + context.measureText(`${name}  `).width : x.name;
    context.font = `600 ${Math.max(12, font * 0.8)}px ${FONT}`;
    context.fillStyle = LOST;
    context.fillText(cutTo(context, events, nameRoom(at) - (nameX - x.name)), nameX, at.isTall ? nameY : nameY + lane * 0.25);
  }
  context.font = `${font}px ${FONT}`;
  context.fillStyle = deployment.queue > 0 ? INK : SOFT;
  context.fillText(deployment.queue.toLocaleString("en"), x.queue, rowY);
  drawSlots(context, run, deployment, y, at, colour);
  context.font = `600 ${font}px ${FONT}`;
  context.fillStyle = INK;
  context.textAlign = "right";
  context.fillText(deployment.served.toLocaleString("en"), x.answered, rowY);
  context.textAlign = "left";
  if (deployment.price !== null) {
    context.font = `${font}px ${FONT}`;
    context.textAlign = "right";
    context.fillText(short(deployment.price, 3), x.price - 6, rowY);
    context.textAlign = "left";
  }
  const { money, account } = deployment;
  if (money.budget === null) {
    context.font = `${font}px ${FONT}`;
    context.fillText(cutTo(context, run.accounts.every((one) => one.budget === null) ? short(money.spent, 3) : `${short(money.spent, 3)} ${account.unit === "tokens" ? "tokens" : currency}`, (run.prices ? x.share : at.width) - x.money), x.money, rowY);
    return;
  }
  const height = Math.min(24, lane * (at.isTall ? 0.3 : 0.44));
  const length = x.share - x.money - 10;
  const isEmpty = money.left <= 0.0005;
  context.fillStyle = PAPER;
  context.fillRect(x.money, rowY - height / 2, length, height);
  context.fillStyle = colour;
  context.fillRect(x.money, rowY - height / 2, length * money.left, height);
  context.strokeStyle = isEmpty ? LOST : SOFT;
  context.lineWidth = isEmpty ? 2.5 : 1.5;
  context.strokeRect(x.money, rowY - height / 2, length, height);
  context.fillStyle = isEmpty ? LOST : INK;
  context.font = `${isEmpty ? 600 : 400} ${font}px ${FONT}`;
  context.fillText(isEmpty ? "empty" : money.left < 0.01 ? "<1%" : `${Math.floor(money.left * 100 + 1e-9)}%`, x.share, rowY);
}

/** Return the place of a slot in a lane, or null where slots are not drawn one by one. */
function slotPlace(run, deployment, slot, y, at) {
  const count = run.fleet[deployment].slots;
  const isDrawn = run.n_drawn === run.n_queries && (count === null || count <= MOST_BOXES);
  const pitch = at.radius * 2 + 5;
  const fitting = Math.max(1, Math.floor((at.x.answered - at.x.service - at.digits) / pitch));
  const rows = count === null ? 1 : Math.ceil(count / fitting);
  const perRow = count === null ? fitting : Math.ceil(count / rows);
  if (!isDrawn || slot < 0 || slot >= perRow * rows || rows * pitch > at.lane * (at.isTall ? 0.6 : 1)) return null;
  const row = Math.floor(slot / perRow);
  return [at.x.service + at.radius + 2 + (slot % perRow) * pitch, at.rowY(y) + (row - (rows - 1) / 2) * pitch];
}

function drawSlots(context, run, deployment, y, at, colour) {
  const number = run.fleet.findIndex((one) => one.name === deployment.name);
  if (deployment.slots !== null && slotPlace(run, number, 0, y, at) !== null) {
    context.strokeStyle = SOFT;
    context.lineWidth = 1;
    for (let slot = 0; slot < deployment.slots; slot++) {
      const place = slotPlace(run, number, slot, y, at);
      if (place) context.strokeRect(place[0] - at.radius - 1.5, place[1] - at.radius - 1.5, at.radius * 2 + 3, at.radius * 2 + 3);
    }
    return;
  }
  context.font = `${at.font}px ${FONT}`;
  context.fillStyle = deployment.service > 0 ? INK : SOFT;
  if (deployment.slots === null) {
    if (run.n_drawn !== run.n_queries || deployment.service > 8) context.fillText(String(deployment.service), at.x.service, at.rowY(y));
    return;
  }
  const length = (at.x.answered - at.x.service) * 0.3;
  const height = Math.min(20, at.lane * (at.isTall ? 0.26 : 0.4));
  context.fillText(`${deployment.service}/${deployment.slots}`, at.x.service + length + 6, at.rowY(y));
  context.fillStyle = PAPER;
  context.fillRect(at.x.service, at.rowY(y) - height / 2, length, height);
  context.fillStyle = colour;
  context.fillRect(at.x.service, at.rowY(y) - height / 2, length * Math.min(1, deployment.service / deployment.slots), height);
  context.strokeStyle = SOFT;
  context.strokeRect(at.x.service, at.rowY(y) - height / 2, length, height);
}

function drawRouter(context, at) {
  const { x, routerY } = at;
  const { width, height } = ROUTER;
  context.strokeStyle = LINE;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x.source, routerY);
  context.lineTo(x.router - width / 2, routerY);
  context.stroke();
  context.beginPath();
  context.roundRect(x.router - width / 2, routerY - height / 2, width, height, 8);
  context.fillStyle = PAPER;
  context.fill();
  context.strokeStyle = INK;
  context.lineWidth = 2.5;
  context.stroke();
  context.font = `600 15px ${FONT}`;
  context.fillStyle = INK;
  context.textAlign = "center";
  context.fillText("router", x.router, routerY + 1);
  context.textAlign = "left";
  context.font = `14px ${FONT}`;
  context.fillStyle = SOFT;
  context.fillText("queries", x.source, routerY - height / 2 - 14);
}

/** Draw the queries that are somewhere at a time; return where, for clicks.
 *
 * A dot travels for `flight_s` seconds of the run, though the run itself knows no way: so dots are a little late, and
 * counts are exact. `settled_s` is how long the dots have had to arrive since the clock was stopped.
 */
function drawQueries(context, run, time, at, colour, flight_s, settled_s, selected) {
  const { queries, calls } = run;
  const drawn = [];
  const waiting = run.fleet.map(() => []);
  const arrival_s = flight_s * 0.4;
  const shown = time + settled_s;
  const put = (place, x, y, quality, isLost, fading = 1) => {
    context.globalAlpha = Math.max(0.15, fading);
    if (isLost) cross(context, x, y, at.radius * 0.85);
    else dot(context, x, y, at.radius, colour, quality);
    context.globalAlpha = 1;
    drawn.push([x, y, place]);
  };
  let atRouter = 0;
  const room = Math.max(1, Math.floor((at.x.service - at.x.queue - at.digits - 14) / (at.radius * 2 + 3)));
  for (let call = 0; call < calls.query.length; call++) {
    const place = run.callPlace[call];
    const arrived = queries.arrived[place];
    if (arrived > time) continue;
    const isFirst = run.callsOf[place][0] === call;
    const asked = calls.asked[call];
    if (asked > time) {
      if (!isFirst) continue;
      const age = Math.min(1, (shown - arrived) / Math.max(arrival_s, 1e-12));
      const spread = age < 1 ? 0 : (atRouter++ % 5) * (at.radius * 2 + 2);
      put(place, at.x.source + (at.x.router - ROUTER.width / 2 - at.radius - spread - at.x.source) * age, at.routerY, 1, false);
      continue;
    }
    const depart = isFirst ? Math.max(asked, arrived + arrival_s) : asked;
    const ended = calls.ended[call];
    const leaves = Math.max(ended, depart + flight_s);
    if (ended <= time && shown >= leaves + flight_s) continue;
    if (shown < depart) {
      put(place, at.x.source + (at.x.router - ROUTER.width / 2 - at.x.source) * ((shown - arrived) / arrival_s), at.routerY, 1, false);
      continue;
    }
    const word = queries.fates[calls.fate[call]];
    const k = calls.deployment[call];
    const age = flight_s > 0 ? (shown - depart) / flight_s : 2;
    if (k < 0) {
      const way = Math.min(1, age);
      if (age < 2) put(place, at.x.router, at.routerY + (word === "cached" ? -1 : 1) * (24 + 34 * way), 1, word !== "cached", 2 - age);
      continue;
    }
    const y = at.y(k);
    const isRefused = calls.started[call] === null && word !== "served" && ended <= calls.offered[call];
    if (age < 1) {
      put(place, ...onTheWay(at, y, age, isRefused ? at.x.name - 10 : at.x.service - 16), 1, false, at.isTall ? 1 : 0.7); // names show through
    } else if (isRefused) {
      if (age < 2) put(place, at.x.name - 10, y, 1, true, 2 - age);
    } else if (ended > time && (calls.started[call] === null || calls.started[call] > time)) {
      waiting[k].push([calls.offered[call], place]);
    } else {
      const where = run.slot[call] < 0 ? null : slotPlace(run, k, run.slot[call], y, at);
      if (ended > time) {
        if (where) put(place, where[0], where[1], 1, false);
        continue;
      }
      const way = Math.min(1, (shown - leaves) / flight_s);
      const target = at.x.answered - at.digits;
      const [fromX, fromY] = where || [run.fleet[k].slots === null ? at.x.service + at.radius + 2 : target - 18, at.rowY(y)];
      if (word === "served") put(place, fromX + (target - fromX) * way, fromY + (at.rowY(y) - fromY) * way, queries.quality[place], false, 1.3 - way);
      else put(place, where ? fromX : at.x.queue + at.digits, fromY, 1, true, 1 - way);
    }
  }
  waiting.forEach((line, k) => {
    line.sort((a, b) => a[0] - b[0]);
    line.slice(0, room).forEach(([, place], n) => {
      put(place, at.x.service - 14 - at.radius - n * (at.radius * 2 + 3), at.rowY(at.y(k)), 1, false);
    });
  });
  if (selected !== null) {
    for (const [x, y, place] of drawn) {
      if (place !== selected) continue;
      context.beginPath();
      context.arc(x, y, at.radius + 6, 0, 2 * Math.PI);
      context.strokeStyle = INK;
      context.lineWidth = 3;
      context.stroke();
    }
  }
  return drawn;
}

/** Return where a dot is on its way from the router to a lane, at an age from 0 to 1: along the line, then in the lane. */
function onTheWay(at, y, age, targetX) {
  const start = at.x.router + ROUTER.width / 2;
  const bend = at.x.name - 10;
  const share = targetX > bend ? 0.55 : 1;
  if (age < share) {
    const t = age / share;
    const [x1, x2] = [start + (bend - start) * 0.6, start + (bend - start) * 0.4];
    const mix = (a, b, c, d) => (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t ** 2 * c + t ** 3 * d;
    return [mix(start, x1, x2, bend), mix(at.routerY, at.routerY, y, y)];
  }
  const t = (age - share) / (1 - share);
  return [bend + (targetX - bend) * t, y + (at.rowY(y) - y) * t + at.lane * 0.3 * Math.sin(Math.PI * t)];
}
