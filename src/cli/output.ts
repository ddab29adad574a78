/**
 * Prints the lines of a command: to stdout, or with `--json` to stderr, because stdout then gets one JSON object. It also draws
 * the progress line at the bottom of a terminal.
 *
 * @module
 */

/** Options of `Output`. */
export interface OutputOptions {
  /** Stdout gets only the JSON result. */
  readonly json: boolean;
  /** Print only results and errors. Default false. */
  readonly quiet?: boolean;
  /** Draw the progress line if stderr is a terminal. Default true. */
  readonly progress?: boolean;
  /** Go on when nothing can be printed, since the disk is full or the terminal is gone; stderr is told. Default false. */
  readonly goesOn?: boolean;
}

const encoder = new TextEncoder();

/** The output of one command. */
export class Output {
  readonly #draws: boolean;
  #drawn = false;
  #failed = false;

  constructor(readonly options: OutputOptions) {
    this.#draws = (options.progress ?? true) && !options.quiet && Deno.stderr.isTerminal();
  }

  /** Prints a line of the result. */
  readonly result = (line: string): void => {
    this.progress("");
    this.#print(() => this.options.json ? console.error(line) : console.log(line));
  };

  /** Prints a line of information, unless `quiet` is set. */
  readonly say = (line: string): void => {
    if (!this.options.quiet) this.result(line);
  };

  /** Prints a warning to stderr, unless `quiet` is set. */
  readonly warn = (line: string): void => {
    if (!this.options.quiet) this.error(line);
  };

  /** Prints an error to stderr, whatever the options are. */
  readonly error = (line: string): void => {
    this.progress("");
    this.#print(() => console.error(line));
  };

  /** Replaces the progress line by a text; "" removes it. A function gets the width of the terminal. */
  readonly progress = (content: string | ((columns: number) => string)): void => {
    if (!this.#draws || (content === "" && !this.#drawn)) return;
    const columns = terminalColumns(), text = typeof content === "string" ? content : content(columns);
    this.#print(() => Deno.stderr.writeSync(encoder.encode(`\r\x1b[K${text.slice(0, columns - 1)}`)));
    this.#drawn = text !== "";
  };

  /** Prints the result as JSON to stdout, if `json` is set. */
  readonly json = (result: object): void => {
    if (this.options.json) this.#print(() => console.log(JSON.stringify(result)));
  };

  /** Prints. With `goesOn` an error is told once, on stderr if that can be written. */
  #print(print: () => void): void {
    try {
      print();
    } catch (error) {
      if (!this.options.goesOn) throw error;
      if (this.#failed) return;
      this.#failed = true;
      const { message } = error as Error;
      this.#print(() => console.error(`WARNING: cannot print the rest: ${message}: the run goes on`));
    }
  }
}

/** The width of the terminal in characters; 80 if it is unknown. */
export function terminalColumns(): number {
  return Deno.consoleSize().columns || 80;
}

/** Formats a time in seconds: `00:42`, `1:02:03`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds)), two = (n: number) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600), rest = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}
