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
  let run, ended = false;
  const bar = makeBar();
  const events = new EventSource(withToken("events"));
  const on = (name, act) => events.addEventListener(name, (event) => act(JSON.parse(event.data)));
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
  events.addEventListener("open", () => bar.connected(true));
  events.addEventListener("error", () => {
    if (ended) return events.close();
    bar.connected(false);
    bar.say(
      events.readyState === EventSource.CLOSED
        ? "The run's server does not answer any more: the run has ended, or its address has changed."
        : "The connection is lost. Trying again …",
    );
  });
  return bar.element;
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
