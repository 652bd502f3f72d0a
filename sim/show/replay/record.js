"use strict";
// What the record says at a time. Nothing here draws, or knows a page; Node can run it.

/** Return the last place in sorted times that is not after a time; -1 if all are. */
function placeAt(times, time) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Return what a list of changes says of a name at a time; what held before the first of them is 0. */
function valueAt(changes, name, time) {
  const place = placeAt(changes.t, time);
  return place < 0 ? 0 : changes[name][place];
}

/** Return the counts of a whole run at a time. */
function overallAt(run, time) {
  const place = placeAt(run.overall.t, time);
  const found = {};
  for (const name of ["arrived", "answered", "lost", "quality", "cost_usd"]) {
    found[name] = place < 0 ? 0 : run.overall[name][place];
  }
  return found;
}

/** Return what an account has at a time: spent, budget (null for none), and the share of it that is left. */
function accountAt(account, time) {
  const spent = valueAt(account.spent, "spent", time);
  if (account.budget === null) return { spent, budget: null, left: null };
  const budget = valueAt(account.budget, "budget", time);
  return { spent, budget, left: budget > 0 ? Math.max(0, 1 - spent / budget) : 0 };
}

/** Return what each deployment of a run does at a time, in the order of the fleet. */
function fleetAt(run, time) {
  return run.fleet.map((deployment, number) => {
    const changes = run.deployments[number];
    const place = placeAt(changes.t, time);
    const read = (name) => (place < 0 ? 0 : changes[name][place]);
    return {
      name: deployment.name,
      slots: deployment.slots,
      queue: read("queue"),
      service: read("service"),
      served: read("served"),
      account: run.accounts[deployment.account],
      price: run.prices === null || placeAt(run.prices[number].t, time) < 0 ? null : valueAt(run.prices[number], "price", time),
      money: accountAt(run.accounts[deployment.account], time),
      events: run.events.filter((e) => e.at === number && e.from <= time && (e.until === null || time <= e.until) && e.until !== e.from),
    };
  });
}

/** Return how many queries have met each of the fates that lose one, by its word; those that nobody has met are left out. */
function lossesAt(run, time) {
  const found = {};
  for (const word of run.queries.fates) {
    const count = word in run.overall ? valueAt(run.overall, word, time) : 0;
    if (count > 0) found[word] = count;
  }
  return found;
}

/** Add to a run what drawing needs at once: the place of each query, its calls, and all moments at which something happens. */
function prepare(run) {
  const places = new Map();
  run.queries.id.forEach((id, place) => places.set(id, place));
  const of = run.queries.id.map(() => []);
  const moments = [];
  const { query, asked, started, ended } = run.calls;
  for (let call = 0; call < query.length; call++) {
    of[places.get(query[call])].push(call);
    moments.push(asked[call], ended[call]);
    if (started[call] !== null) moments.push(started[call]);
  }
  for (const time of run.queries.arrived) moments.push(time);
  for (const time of run.queries.ended) moments.push(time);
  for (const event of run.events) moments.push(event.from);
  run.places = places;
  run.callsOf = of;
  run.callPlace = Int32Array.from(query, (id) => places.get(id));
  run.moments = Float64Array.from(new Set(moments)).sort();
  run.slot = slotsOf(run);
  return run;
}

/** Return a slot for each call that is served, the lowest that is free when it begins, so that none moves while it is there. */
function slotsOf(run) {
  const { deployment, started, ended } = run.calls;
  const slot = new Int32Array(started.length).fill(-1);
  const order = [...started.keys()].filter((call) => started[call] !== null && deployment[call] >= 0).sort((a, b) => started[a] - started[b]);
  const busyUntil = run.fleet.map(() => []);
  for (const call of order) {
    const busy = busyUntil[deployment[call]];
    let free = busy.findIndex((until) => until <= started[call]);
    if (free < 0) free = busy.length;
    busy[free] = ended[call];
    slot[call] = free;
  }
  return slot;
}

/** Return the first moment of several runs after a time, or the last one before it; null if there is none. */
function nextMoment(runs, time, forward) {
  let found = null;
  for (const { moments } of runs) {
    const place = placeAt(moments, time);
    let next = null;
    if (forward) next = place + 1 < moments.length ? moments[place + 1] : null;
    else {
      const before = place >= 0 && moments[place] === time ? place - 1 : place;
      next = before >= 0 ? moments[before] : null;
    }
    if (next !== null && (found === null || (forward ? next < found : next > found))) found = next;
  }
  return found;
}
