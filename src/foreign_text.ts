/**
 * Printing text that comes from a file: a name, a value, a message of a parser. Such a text may hold codes that make a
 * terminal move its cursor, change its colours or show text backwards, and it may be very long. Every place that puts such a
 * text into a message uses this module.
 *
 * @module
 */

/** Control characters (also C1), invisible marks such as those for the direction of text, half surrogate pairs, line separators. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * A text as it may be printed in a line: unsafe characters are escaped as in JSON, and at most `length` characters are shown.
 */
export function printable(text: string, length = 300): string {
  return escape(text.length <= length ? text : `${text.slice(0, length)} …`);
}

/** A name or value as it may be printed in a line: quoted as in JSON, with at most `length` characters. */
export function quote(text: string, length = 80): string {
  return escape(JSON.stringify(text.length <= length ? text : `${text.slice(0, length)} …`));
}

function escape(text: string): string {
  return text.replace(UNSAFE, (letter) => {
    const json = JSON.stringify(letter).slice(1, -1);
    if (json !== letter) return json;
    return letter.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
  });
}
