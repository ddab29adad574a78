/** `text` with every run of whitespace, line breaks included, as a single space: an error message is one line. */
export function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
