/**
 * Where a command's lines go: stdout, or stderr where stdout is kept for one JSON object; and the line at the bottom of a
 * terminal that shows how far a long action is.
 *
 * @module
 */

export interface OutputOptions {
  /** Stdout gets the JSON result alone. */
  readonly json: boolean;
  /** Only results and warnings are printed. */
  readonly quiet?: boolean;
  /** Draw the line of progress where there is a terminal. Default true. */
  readonly progress?: boolean;
}

const encoder = new TextEncoder();

export class Output {
  readonly #draws: boolean;
  #drawn = false;

  constructor(readonly options: OutputOptions) {
    this.#draws = (options.progress ?? true) && !options.quiet && Deno.stderr.isTerminal();
  }

  /** Prints a line that belongs to the result. */
  readonly result = (line: string): void => {
    this.progress("");
    if (this.options.json) console.error(line);
    else console.log(line);
  };

  /** Prints a line of news. */
  readonly say = (line: string): void => {
    if (!this.options.quiet) this.result(line);
  };

  /** Prints a line on stderr, whatever was asked for. */
  readonly warn = (line: string): void => {
    this.progress("");
    console.error(line);
  };

  /** Draws a text over the last line of progress; "" removes it. It may be made for the width of the terminal. */
  readonly progress = (made: string | ((columns: number) => string)): void => {
    if (!this.#draws || (made === "" && !this.#drawn)) return;
    const columns = terminalColumns(), text = typeof made === "string" ? made : made(columns);
    Deno.stderr.writeSync(encoder.encode(`\r\x1b[K${text.slice(0, columns - 1)}`));
    this.#drawn = text !== "";
  };

  /** Ends stdout with the result, where it was asked for as JSON. */
  readonly json = (result: object): void => {
    if (this.options.json) console.log(JSON.stringify(result));
  };
}

/** How wide the terminal is; 80 where it does not say. */
export function terminalColumns(): number {
  return Deno.consoleSize().columns || 80;
}

/** `00:42`, `1:02:03`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds)), two = (n: number) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600), rest = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}

/** Text from outside as a terminal may see it: without control characters. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, (letter) => `\\u{${letter.codePointAt(0)!.toString(16)}}`);
}
