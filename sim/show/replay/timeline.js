// Draws quality so far over the whole run, a line for each policy, and the time that is shown. It reads no input.

const DASHES = [[], [10, 5]];
const MOST_NAMED = 6; // events, beyond which their names would hide the lines

const TOP = 26; // below the names of lines, in pixels

/** Draw the lines of runs from 0 to a length. */
function drawLines(context, runs, colours, length, width, height, inset) {
  context.clearRect(0, 0, width, height);
  const [top, bottom] = [TOP, height - 6];
  const [left, right] = [inset, width - inset];
  const most = Math.max(...runs.map((run) => run.overall.quality[run.overall.quality.length - 1] || 0), 1e-9);
  const x = (at) => left + (right - left) * (length > 0 ? at / length : 0);
  const y = (quality) => bottom - (bottom - top) * (quality / most);
  context.fillStyle = WASH;
  context.fillRect(left, top, right - left, bottom - top);
  const names = [];
  for (const { from, until, name } of marksOf(runs[0])) {
    context.fillStyle = "rgba(74, 83, 97, 0.18)";
    context.fillRect(x(from), top, Math.max(2, x(until === null ? length : until) - x(from)), bottom - top);
    names.push([name, Math.min(x(from) + 5, right - 260)]);
  }
  context.font = `16px ${FONT}`;
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.fillStyle = SOFT;
  context.fillText("quality so far", left, 11);
  let nameX = left + context.measureText("quality so far").width + 24;
  runs.forEach((run, number) => {
    context.setLineDash(DASHES[number % DASHES.length]);
    context.strokeStyle = colours[number];
    context.lineWidth = 3;
    context.beginPath();
    context.moveTo(nameX, 11);
    context.lineTo(nameX + 34, 11);
    context.stroke();
    context.fillStyle = colours[number];
    context.font = `600 16px ${FONT}`;
    context.fillText(run.policy, nameX + 42, 11);
    nameX += 42 + context.measureText(run.policy).width + 24;
    context.beginPath();
    context.moveTo(x(0), y(0));
    const { t, quality } = run.overall;
    let drawnX = x(0);
    for (let place = 0; place < t.length; place++) {
      const here = x(t[place]);
      if (here - drawnX < 0.5 && place < t.length - 1) continue; // as fine as the screen
      const before = y(place > 0 ? quality[place - 1] : 0);
      context.lineTo(drawnX, before);
      context.lineTo(here, before);
      context.lineTo(here, y(quality[place]));
      drawnX = here;
    }
    context.lineTo(x(length), y(quality[quality.length - 1] || 0));
    context.stroke();
  });
  context.setLineDash([]);
  context.font = `14px ${FONT}`;
  context.strokeStyle = PAPER;
  context.fillStyle = INK;
  context.lineWidth = 4;
  names.slice(0, MOST_NAMED).forEach(([words, at], number) => {
    const text = cutTo(context, words, right - at);
    const line = top + 12 + 17 * (number % 3);
    context.strokeText(text, at, line); // a halo, as it stands on lines
    context.fillText(text, at, line);
  });
}

/** Draw the lines, which are there as a picture, and where a time is, as a share of the length. */
function drawTimeline(context, lines, share, width, height, inset) {
  context.clearRect(0, 0, width, height);
  context.drawImage(lines, 0, 0, width, height);
  const x = inset + (width - 2 * inset) * share;
  context.strokeStyle = INK;
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(x, TOP - 4);
  context.lineTo(x, height);
  context.stroke();
}
