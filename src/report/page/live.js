/**
 * The page while its run trains: what is new comes in as server-sent events, and what the buttons ask for goes out.
 *
 * @module
 */
import { h } from "./dom.js";
import { loss, number, percent, time } from "./format.js";
import { stateLabel } from "./sections.js";
import { addLine } from "./series.js";

/** States after which nothing more comes. */
const ENDED = ["finished", "failed", "stopped"];

/** The token that the page's own address carries, and every request must. */
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
 * @param show draws a run's view anew as a whole.
 * @param update draws what changes from moment to moment.
 * @returns the bar that shows how far the run is, and its controls.
 */
export function follow({ show, update }) {
  let run, ended = false, stream;
  const bar = makeBar();
  const on = (name, act) => listeners.push([name, (event) => act(JSON.parse(event.data))]);
  const listeners = [["open", () => bar.connected(true)], ["error", () => lost()]];
  on("snapshot", (view) => {
    run = view;
    bar.say("");
    show(run);
  });
  on("metrics", (lines) => {
    if (run === undefined) return;
    const { length } = run.series.events;
    for (const line of lines) addLine(run.series, line);
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
  /** Listens, but for a page that nobody sees: it would keep its place from another. */
  const listen = () => {
    stream?.close();
    stream = undefined;
    if (document.hidden || ended) return;
    stream = new EventSource(withToken("events"));
    for (const [name, act] of listeners) stream.addEventListener(name, act);
  };
  /** An event source does not tell why it has failed: this asks, and tries again. */
  const lost = async () => {
    const failed = stream;
    failed.close();
    if (ended) return;
    bar.connected(false);
    const status = await statusOf(withToken("events"));
    if (stream !== failed) return; // It was hidden meanwhile, or shown again.
    bar.say(LOST[status] ?? LOST[0]);
    if (status !== 403) setTimeout(() => stream === failed && listen(), status === 503 ? 5000 : 2000);
  };
  document.addEventListener("visibilitychange", listen);
  listen();
  return bar.element;
}

/** What is said of a stream that was lost, by what the server answers then; 0 where it does not. */
const LOST = {
  0: "The run's server does not answer: the run has ended, or the connection is lost. Trying again …",
  200: "The connection was lost. Trying again …",
  403: "Another run has this address now, or this one was started anew: open the address that it printed.",
  503: "Too many pages of this run are open: close one. Trying again …",
};

/** The status of an answer that is not read; 0 where there is none. */
async function statusOf(path) {
  const asking = new AbortController();
  const status = await fetch(path, { signal: asking.signal }).then(({ status }) => status, () => 0);
  asking.abort();
  return status;
}

/** The bar, its buttons, and a line for what there is to say. */
function makeBar() {
  const progress = h("progress", { max: "1", value: "0", "aria-label": "Steps done" });
  const facts = h("p.facts", {}), label = h("span", {}, stateLabel("connecting"));
  const said = h("p.said", { role: "status", "aria-live": "polite" });
  let paused = false;
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
          say("The learning rate must be a number of at least 0.");
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
  };
  const enable = (on) => {
    for (const control of [pause, stop, rate, set]) control.disabled = !on;
  };
  async function send(what) {
    try {
      const answer = await fetch(withToken("control"), {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(what),
      });
      const done = {
        pause: "Pausing …",
        resume: "Going on.",
        stop: "Stopping: the run saves first.",
        lr: "Learning rate set.",
      };
      const { error } = answer.ok
        ? {}
        : await answer.json().catch(() => ({ error: `the server said ${answer.status}` }));
      say(error === undefined ? done[what.action] : `That did not work: ${error}`);
    } catch {
      say("The run cannot be reached.");
    }
  }
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
    connected(yes) {
      enable(yes);
      if (yes) say("");
    },
    show({ state, step, totalSteps, epoch, loss: mean, lr, imagesPerSecond, secondsLeft }) {
      label.replaceChildren(stateLabel(state));
      progress.max = totalSteps;
      progress.value = step;
      const left = ENDED.includes(state) || secondsLeft === null ? [] : [`${time(secondsLeft)} left`];
      facts.replaceChildren(...[
        `${percent(step / totalSteps, 0)}`,
        `step ${number(step)} of ${number(totalSteps)}`,
        `epoch ${epoch}`,
        `loss ${loss(mean)}`,
        `${imagesPerSecond === null ? "–" : number(Math.round(imagesPerSecond))} images/s`,
        ...left,
      ].map((text) => h("span", {}, text)));
      if (state === "paused" !== paused) say("");
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
