// What is said in words: numbers, what happened to a query, what happens at a moment. Nothing here draws.

const FATES = {
  served: "was answered",
  cached: "was answered by the cache",
  declined: "was declined by the policy",
  exhausted: "was lost, as no budget could pay for it",
  rejected: "was lost, as there was no room to wait",
  too_long: "was lost, as it is too long",
  abandoned: "was lost, as it ran out of patience in the queue",
  timed_out: "was lost, as it took too long",
  failed: "was lost, as the deployment was down",
};
const LOSSES = {
  declined: "declined", exhausted: "no budget", rejected: "no room", too_long: "too long",
  abandoned: "out of patience", timed_out: "timed out", failed: "deployment down",
};

const REFUSALS = {
  exhausted: "refused, as no budget could pay", rejected: "refused, as there was no room to wait", too_long: "refused, as it is too long",
  abandoned: "left the queue, out of patience", timed_out: "stopped, as it took too long", failed: "lost, as the deployment was down",
};

/** Return a number to some significant digits, with commas between thousands. */
function short(value, digits = 4) {
  if (value === 0) return "0";
  if (Math.abs(value) >= 10 ** digits) return Math.round(value).toLocaleString("en");
  if (Math.abs(value) < 1e-6) return value.toExponential(2);
  return Number(value.toPrecision(digits)).toLocaleString("en", { maximumFractionDigits: 12 });
}

/** Return a time in seconds, with as many decimals as the length of a run asks for. */
function seconds(value, length) {
  const decimals = length >= 1000 ? 1 : length >= 10 ? 2 : 3;
  return `${value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals })} s`;
}

/** Return how much of a budget is left, or what is spent where there is none. */
function moneyWords(account, money, currency) {
  const unit = account.unit === "tokens" ? "tokens" : currency;
  if (money.budget === null) return `${short(money.spent, 3)} ${unit} spent`;
  if (money.left <= 0.0005) return "nothing left";
  return money.left < 0.01 ? "under 1% left" : `${Math.floor(money.left * 100 + 1e-9)}% left`;
}

/** Return the words for one query at a place: why it went there, what became of it, when, and what hindsight would have done. */
function explained(run, place, currency) {
  const { queries, calls, fleet } = run;
  const id = queries.id[place];
  const fate = queries.fates[queries.fate[place]];
  const named = (deployment) => (deployment < 0 ? "no deployment" : fleet[deployment].name);
  const reason = run.sentences[String(id)] || null;
  const to = queries.deployment[place] < 0 ? "" : ` ${fate === "served" ? "by" : "It had been sent to"} ${named(queries.deployment[place])}`;
  const isStep = queries.task[place] !== null; // of a task, whose quality stands at its last step
  const sentence = fate === "served"
    ? `It ${FATES.served}${to}${isStep ? "" : `, with quality ${short(queries.quality[place], 3)}`} for ${short(queries.cost_usd[place], 3)} ${currency}.`
    : `It ${FATES[fate]}.${to ? `${to}.` : ""}`;
  const source = queries.sources[queries.source[place]];
  const steps = [[queries.arrived[place], `arrived${isStep ? ` as step ${queries.step[place]} of task ${queries.task[place]}` : ""}${source ? ` from ${source}` : ""}, ${queries.input_tokens[place].toLocaleString("en")} input tokens`]];
  for (const call of run.callsOf[place]) {
    const word = queries.fates[calls.fate[call]];
    const where = calls.deployment[call];
    if (where < 0) {
      steps.push([calls.asked[call], word === "cached" ? "found in the cache" : "declined: sent nowhere"]);
      continue;
    }
    steps.push([calls.asked[call], `went to ${named(where)}${queries.explored[place] ? ", to learn about it" : ""}`]);
    if (calls.offered[call] > calls.asked[call]) steps.push([calls.offered[call], "tried for the last time"]);
    if (calls.started[call] !== null) {
      const wait = calls.started[call] - calls.offered[call];
      steps.push([calls.started[call], wait > 1e-9 ? `service began, after ${short(wait, 3)} s in the queue` : "service began at once"]);
    }
    const paid = `${short(calls.cost_usd[call], 3)} ${currency}`;
    steps.push([calls.ended[call], word === "served" ? `answer was there, for ${paid}` : REFUSALS[word]]);
  }
  steps.sort((a, b) => a[0] - b[0]);
  const words = queries.output_tokens[place];
  const last = [...(isStep && !queries.quality[place] ? [] : [`quality ${short(queries.quality[place], 3)}${isStep ? " of the task" : ""}`]), `${short(queries.cost_usd[place], 3)} ${currency}`];
  if (words !== null) last.push(`${words.toLocaleString("en")} output tokens`);
  if (queries.attempts[place] > 1) last.push(`${queries.attempts[place]} tries`);
  let hindsight = null;
  if (queries.optimum) {
    const { deployment, quality, cost_usd: cost } = queries.optimum;
    hindsight = deployment[place] < 0
      ? "With hindsight it is best not to serve it."
      : `With hindsight it goes to ${named(deployment[place])}, with quality ${short(quality[place], 3)} for ${short(cost[place], 3)} ${currency}.`;
  }
  return { id, reason, sentence, steps, outcome: last.join(", "), hindsight };
}

/** Return the spans in which something happened, with a name each; what happens at several deployments at once is one. */
function marksOf(run) {
  const found = new Map();
  for (const { at, what, from, until } of run.events) {
    const key = `${from} ${until} ${what}`;
    if (!found.has(key)) found.set(key, { from, until, what, places: [] });
    if (at !== null) found.get(key).places.push(run.fleet[at].name);
  }
  return [...found.values()].map(({ from, until, what, places }) => {
    const where = places.length === run.fleet.length && places.length > 1 ? "all" : places.length > 2 ? `${places.length} deployments` : places.join(" and ");
    return { from, until, name: where ? `${where}: ${what}` : what };
  });
}

/** Return what happens in a run at one moment, a few phrases at most. */
function happenings(run, time) {
  const { queries, calls, fleet } = run;
  const found = [];
  for (const event of run.events) {
    if (event.from === time) found.push(`${event.at === null ? "arrivals" : fleet[event.at].name}: ${event.what}`);
  }
  for (let call = 0; call < calls.query.length; call++) {
    const where = calls.deployment[call];
    const word = queries.fates[calls.fate[call]];
    const name = `query ${calls.query[call]}`;
    const at = where < 0 ? "" : fleet[where].name;
    if (calls.ended[call] === time && word === "served" && calls.asked[call] < time) found.push(`${name} is answered by ${at}`);
    else if (calls.ended[call] === time && word !== "served") found.push(`${name} ${FATES[word]}${at ? ` (${at})` : ""}`);
    else if (calls.asked[call] === time) found.push(`${name} goes to ${at}`);
    else if (calls.started[call] === time) found.push(`${name} begins at ${at}`);
  }
  return found.length > 4 ? [...found.slice(0, 4), `and ${found.length - 4} more`] : found;
}

/** Return how a run stands at a time, in a sentence. */
function standing(run, time, currency) {
  const now = overallAt(run, time);
  const queued = fleetAt(run, time).reduce((sum, deployment) => sum + deployment.queue, 0);
  return `${run.policy}: ${now.arrived} arrived, ${now.answered} answered, ${now.lost} lost, ${queued} waiting, quality ${short(now.quality)}, ${short(now.cost_usd, 3)} ${currency} spent.`;
}
