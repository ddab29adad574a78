/**
 * The page while its run trains: it receives server-sent events, and its buttons send actions to the run.
 *
 * @module
 */
import { h } from "./dom.js";
import { loss, number, percent, time } from "./format.js";
import { stateLabel, throughput } from "./sections.js";
import { addLine, figuresOf } from "./series.js";

/** The states after which there are no more events. */
const ENDED = ["finished", "ended-early", "failed", "diverged", "stopped"];

/** The token in the URL of the page. Every request must carry it. */
export const token = new URLSearchParams(location.search).get("token") ?? "";

/**
 * Adds the token to a link.
 *
 * @param {string} path relative to the page.
 * @returns {string}
 */
export function withToken(path) {
  return `${path}?token=${encodeURIComponent(token)}`;
}

/**
 * Follows a run.
 *
 * @param show draws the whole view of the run again.
 * @param update draws only what changes all the time.
 * @returns the bar with the progress of the run and its controls.
 */
export function follow({ show, update }) {
  let run, ended = false, stream;
  const bar = makeBar();
  const on = (name, act) => listeners.push([name, (event) => act(JSON.parse(event.data))]);
  const listeners = [["open", () => bar.connected(true)], ["error", () => lost()]];
  on("snapshot", (view) => {
    run = view;
    bar.say("");
    bar.showFigures(figuresOf(run));
    show(run);
  });
  on("metrics", (lines) => {
    if (run === undefined) return;
    const { length } = run.series.events;
    for (const line of lines) addLine(run.series, line);
    bar.showFigures(figuresOf(run));
    (run.series.events.length === length ? update : show)(run);
  });
  on("evaluation", (result) => {
    if (run === undefined) return;
    if (result.confusion === undefined) addLine(run.series, result);
    else run.evaluation = result;
    show(run);
  });
  on("state", (state) => {
    bar.show(state);
    ended = ENDED.includes(state.state);
    if (run === undefined || run.state === state.state) return;
    run.state = state.state;
    show(run);
  });
  /** Connects, unless the page is hidden: only a limited number of pages can be connected. */
  const listen = () => {
    stream?.close();
    stream = undefined;
    if (document.hidden || ended) return;
    stream = new EventSource(withToken("events"));
    for (const [name, act] of listeners) stream.addEventListener(name, act);
  };
  /** An EventSource does not tell why it failed. This asks the server for the reason, and tries again. */
  const lost = async () => {
    const failed = stream;
    failed.close();
    if (ended) return;
    bar.connected(false);
    const status = await statusOf(withToken("events"));
    if (stream !== failed) return; // The page was hidden or shown again in the meantime.
    bar.complain(LOST[status] ?? LOST[0]);
    if (status !== 403) setTimeout(() => stream === failed && listen(), status === 503 ? 5000 : 2000);
  };
  document.addEventListener("visibilitychange", listen);
  listen();
  return bar.element;
}

/** The message after the connection was lost, by the HTTP status of the next request; 0 if the server does not respond. */
const LOST = {
  0: "The server of the run does not respond: the run has ended, or the connection is lost. Trying again …",
  200: "The connection was lost. Trying again …",
  403: "Another run has this address now, or this run was started again: open the address that it printed.",
  503: "Too many pages of this run are open: close one of them. Trying again …",
};

/** The status of a response, without reading its body; 0 if the server does not respond. */
async function statusOf(path) {
  const asking = new AbortController();
  const status = await fetch(path, { signal: asking.signal }).then(({ status }) => status, () => 0);
  asking.abort();
  return status;
}

/** Makes the bar with the progress, the buttons, and a line for messages. */
function makeBar() {
  const progress = h("progress", { max: "1", value: "0", "aria-label": "Steps done" });
  const facts = h("p.facts", {}), label = h("span", {}, stateLabel("connecting"));
  const said = h("p.said", { role: "status", "aria-live": "polite" });
  let paused = false, shown, state;
  let figures = { trainLoss: null, imagesPerSecond: null };
  const pause = h("button", { type: "button", onclick: () => send({ action: paused ? "resume" : "pause" }) }, "Pause");
  const stop = h("button", { type: "button", onclick: () => send({ action: "stop" }) }, "Stop and save");
  const rate = h("input", { id: "lr", type: "text", inputmode: "decimal", size: "8", autocomplete: "off" });
  const set = h("button", { type: "submit" }, "Set");
  const form = h(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        const lr = Number(rate.value);
        if (rate.value.trim() === "" || !Number.isFinite(lr) || lr < 0) {
          complain("The learning rate must be a number that is 0 or more.");
        } else send({ action: "lr", lr });
      },
    },
    h("label", { for: "lr" }, "Learning rate"),
    rate,
    set,
  );
  const controls = h("div.controls", {}, pause, stop, form);
  const say = (text) => {
    said.textContent = text;
    said.classList.remove("error");
  };
  const complain = (text) => {
    say(text);
    said.classList.add("error");
  };
  const enable = (on) => {
    for (const control of [pause, stop, rate, set]) control.disabled = !on;
  };
  /** The messages while the run does what was asked for. The next state of the run ends them. */
  const doing = {
    pause: "Pausing …",
    resume: "Resuming …",
    stop: "Stopping: the run saves its weights and tests them.",
  };
  async function send(what) {
    say(doing[what.action] ?? "");
    try {
      const answer = await fetch(withToken("control"), {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(what),
      });
      const { error } = answer.ok
        ? {}
        : await answer.json().catch(() => ({ error: `the server responded ${answer.status}` }));
      if (error !== undefined) complain(`That did not work: ${error}`);
      else if (what.action === "lr") say("Learning rate set.");
    } catch {
      complain("The run cannot be reached.");
    }
  }
  /** Writes the facts again. */
  const tell = () => {
    if (shown === undefined) return;
    const { step, totalSteps, epoch, secondsLeft } = shown;
    const left = secondsLeft === null || !["running", "stopping"].includes(state) ? [] : [`${time(secondsLeft)} left`];
    facts.replaceChildren(...[
      `${percent(step / totalSteps, 0)}`,
      `step ${number(step)} of ${number(totalSteps)}`,
      `epoch ${epoch}`,
      `loss ${loss(figures.trainLoss)}`,
      `${throughput(figures)} images/s`,
      ...left,
    ].map((text) => h("span", {}, text)));
  };
  enable(false);
  return {
    element: h(
      "section.live",
      { "aria-label": "Progress and controls" },
      h("div.progress", {}, label, progress, facts),
      controls,
      said,
    ),
    say,
    complain,
    showFigures(some) {
      figures = some;
      tell();
    },
    connected(yes) {
      enable(yes);
      if (yes) say("");
    },
    show(now) {
      const { step, totalSteps, lr } = now;
      if (now.state !== state && now.state !== "stopping") say("");
      shown = now;
      state = now.state;
      label.replaceChildren(stateLabel(state));
      progress.max = totalSteps;
      progress.value = step;
      tell();
      paused = state === "paused";
      pause.textContent = paused ? "Resume" : "Pause";
      if (document.activeElement !== rate && rate.dataset.lr !== String(lr)) {
        rate.value = Number(lr.toPrecision(4));
        rate.dataset.lr = String(lr);
      }
      enable(["running", "paused"].includes(state));
      controls.hidden = ENDED.includes(state);
    },
  };
}
