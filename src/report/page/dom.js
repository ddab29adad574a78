/**
 * Makes the elements of the page. Text is always inserted as text, never as HTML.
 *
 * @module
 */

/**
 * Makes an element.
 *
 * @param {string} tag the tag with its classes, such as `p.note`.
 * @param {Record<string, unknown>} attributes a function is a listener (`onclick`); true is an attribute without a value;
 * false and undefined are left out; `style` is a record of CSS properties.
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
 * Makes a part of the page with a heading.
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
 * Makes a checkbox with a label.
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
