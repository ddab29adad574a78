/**
 * Formats numbers for readers.
 *
 * @module
 */

/** The text for a missing value. */
export const NOTHING = "–";

/**
 * A number with about four digits: `1.504`, `0.001`, `12,500`, `3.2e-7`.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function number(value) {
  if (typeof value !== "number" || !Number.isFinite(value)) return NOTHING;
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) return value.toLocaleString("en");
  if (size < 1e-4) return value.toExponential(1).replace(".0e", "e");
  return size < 1000 ? String(Number(value.toPrecision(4))) : Math.round(value).toLocaleString("en");
}

/**
 * A loss with three decimals, so that the numbers of a column line up; very large and very small ones with an exponent.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function loss(value) {
  if (typeof value !== "number" || !Number.isFinite(value)) return NOTHING;
  const size = Math.abs(value);
  return size >= 1e5 || (size > 0 && size < 5e-4) ? value.toExponential(2) : value.toFixed(3);
}

/**
 * The labels of the ticks of an axis, all in the same style. If a number is too long for the axis, they have exponents.
 *
 * @param {readonly (number | null)[]} ticks null for a tick without a label.
 * @returns {string[]}
 */
export function tickLabels(ticks) {
  const sizes = ticks.filter((value) => value !== null && value !== 0).map(Math.abs);
  const long = Math.max(...sizes) >= 1e5 || Math.min(...sizes) < 1e-3;
  return ticks.map((value) => {
    if (value === null) return "";
    return long && value !== 0 ? value.toExponential(2).replace(/\.?0+e/, "e") : number(value);
  });
}

/**
 * A fraction from 0 to 1, as `54.3 %`.
 *
 * @param {unknown} value
 * @param {number} digits
 * @returns {string}
 */
export function percent(value, digits = 1) {
  return typeof value === "number" && Number.isFinite(value) ? `${(100 * value).toFixed(digits)} %` : NOTHING;
}

/**
 * A time in seconds, as `42 s`, `3 min 20 s` or `2 h 05 min`.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function time(value) {
  if (typeof value !== "number" || !Number.isFinite(value)) return NOTHING;
  const seconds = Math.max(0, Math.round(value)), two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  if (seconds < 60) return `${value < 10 ? Math.max(0, value).toFixed(1) : seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor(seconds / 60) % 60)} min`;
}

/**
 * A time in seconds as a label of an axis: `0:42`, `3:20`, `2:05:00`.
 *
 * @param {number} value
 * @returns {string}
 */
export function clock(value) {
  const seconds = Math.round(value), two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return `${hours > 0 ? `${hours}:${two(minutes)}` : minutes}:${two(seconds % 60)}`;
}

/**
 * The value of a setting, as text.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function setting(value) {
  if (value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0)) {
    return NOTHING;
  }
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map(setting).join(", ");
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}

/**
 * A date in ISO 8601, as `2026-11-24 15:09` in the reader's time zone.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function date(value) {
  const at = new Date(typeof value === "string" ? value : NaN);
  if (Number.isNaN(at.getTime())) return NOTHING;
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}
