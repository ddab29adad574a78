/**
 * Making elements of the page. Text only ever enters as text, never as HTML.
 *
 * @module
 */

/**
 * Makes an element.
 *
 * @param {string} tag `p`, or with classes `p.note`.
 * @param {Record<string, unknown>} attributes `onclick` and the like are listeners; true is an attribute without a value;
 * false and undefined are none; `style` is a record of CSS properties.
 * @param {...(Node | string | undefined)} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  element.classList.add(...classes);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (key === "style") {
      for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
    } else if (typeof value === "function") element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/**
 * A part of the page with a heading.
 *
 * @param {string} title
 * @param {{ note?: string, tools?: Node, wide?: boolean }} options
 * @param {...(Node | string | undefined)} children
 * @returns {HTMLElement}
 */
export function panel(title, { note, tools, wide = false }, ...children) {
  return h(
    `section.panel${wide ? ".wide" : ""}`,
    {},
    h("header", {}, h("h2", {}, title), tools),
    note === undefined ? undefined : h("p.note", {}, note),
    ...children,
  );
}

/**
 * A box to tick.
 *
 * @param {string} label
 * @param {boolean} checked
 * @param {(checked: boolean) => void} changed
 * @returns {HTMLElement}
 */
export function tick(label, checked, changed) {
  const box = h("input", { type: "checkbox", checked, onchange: (event) => changed(event.target.checked) });
  return h("label.tick", {}, box, label);
}
