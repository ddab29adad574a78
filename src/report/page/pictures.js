/**
 * Pictures that the model got wrong, and a window that shows some of them larger.
 *
 * @module
 */
import { h, panel } from "./dom.js";
import { percent } from "./format.js";

/** The most mistakes that are shown at once, and the most of a pair of classes. */
const MAX_SHOWN = 24, MAX_OF_PAIR = 3;

/** The most pictures in a row, on pages of different widths: see the style sheet. */
const ROWS = [12, 8, 6, 4];

/** Whether a run has so few mistakes that they do not fill the width of the page. */
export function hasFewMistakes({ evaluation }) {
  return evaluation !== undefined && evaluation.mistakes.length < 6;
}

/** The columns for a number of pictures, by the most in a row, so that all rows have about the same number. */
function columnsFor(count) {
  return Object.fromEntries(ROWS.map((most) => [`--of-${most}`, `${Math.ceil(count / Math.ceil(count / most))}`]));
}

/** The width of a picture in the window, in pixels. */
const LARGE = 256;

/** The mistakes with the highest predicted probability. */
export function mistakes({ evaluation }) {
  if (evaluation === undefined || evaluation.mistakes.length === 0) return undefined;
  const items = variety(evaluation.mistakes).slice(0, MAX_SHOWN).map((mistake) => {
    const { is, said, alt } = wordsFor(mistake, evaluation);
    return h(
      "figure",
      {},
      h(
        "button.picture",
        { type: "button", "aria-label": `Show larger: ${alt}`, onclick: () => showLarge([mistake], evaluation) },
        h("img", { src: mistake.png, alt, width: "32", height: "32" }),
      ),
      h(
        "figcaption",
        {},
        h("span.is", {}, is),
        h("span.taken", {}, said),
        h("span.sure", {}, percent(mistake.probability)),
      ),
    );
  });
  const note = "The true class of each image, the predicted class, and its probability. A click shows an image larger.";
  return panel(
    "Most confident mistakes",
    { note, wide: true },
    h("div.mistakes", { style: columnsFor(items.length) }, ...items),
  );
}

/** At most three mistakes of each pair of classes. An old evaluation may have more. */
function variety(all) {
  const counts = new Map();
  return all.filter(({ label, predicted }) => {
    const pair = `${label} ${predicted}`, count = (counts.get(pair) ?? 0) + 1;
    counts.set(pair, count);
    return count <= MAX_OF_PAIR;
  });
}

function wordsFor({ index, label, predicted }, { classes }) {
  const [is, said] = [classes[label], classes[predicted]];
  return { is, said, alt: `Image ${index}: ${is}, predicted as ${said}` };
}

/** Opens a window with pictures. All must have the same class and prediction. */
export function showLarge(some, evaluation) {
  const { is, said } = wordsFor(some[0], evaluation);
  const items = some.map((mistake) =>
    h(
      "figure",
      {},
      h("img", { src: mistake.png, alt: wordsFor(mistake, evaluation).alt, width: LARGE, height: LARGE }),
      h("figcaption", {}, `image ${mistake.index}, probability ${percent(mistake.probability)}`),
    )
  );
  const count = evaluation.confusion[some[0].label][some[0].predicted];
  const note = count > some.length ? `The ${some.length} most confident of ${count}.` : undefined;
  openWindow(`${is}, predicted as ${said}`, h("div.large", {}, ...items), note);
}

/**
 * Opens a window over the page. Escape, its button and a click beside it close it.
 *
 * @returns the dialog.
 */
export function openWindow(title, content, note, ...buttons) {
  const close = h("button", { type: "button", onclick: () => dialog.close() }, buttons.length > 0 ? "Cancel" : "Close");
  const dialog = h(
    "dialog",
    {
      "aria-label": title,
      onclose: () => dialog.remove(),
      onclick: (event) => event.target === dialog && dialog.close(),
    },
    h(
      "div.window",
      {},
      h("h2", {}, title),
      note === undefined ? undefined : h("p.note", {}, note),
      content,
      h("div.buttons", {}, ...buttons, close),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
