/**
 * Source files, positions in them, and the errors that name a position: what every other file of this room needs.
 *
 * @module
 */

/** A kernel as it is in `shaders/`. */
export interface Kernel {
  /** The file's name, for error messages. */
  readonly file: string;
  readonly source: string;
  /** The files that `// @include "NAME"` names, here or in one of them. */
  readonly includes?: Readonly<Record<string, Kernel>>;
}

/** A text and the name of its file. */
export type Source = Pick<Kernel, "file" | "source">;

/** A position in a file: of a token, or of the tree's node that begins with it. */
export interface Position {
  readonly source: Source;
  /** Characters before it. */
  readonly offset: number;
}

/** The line (from 1), the column (from 1) and the text of the line of a position. */
export function lineOf({ source: { source }, offset }: Position): { line: number; column: number; text: string } {
  const start = source.lastIndexOf("\n", offset - 1) + 1, end = source.indexOf("\n", offset);
  let line = 1;
  for (let i = source.indexOf("\n"); i >= 0 && i < start; i = source.indexOf("\n", i + 1)) line++;
  return { line, column: offset - start + 1, text: source.slice(start, end < 0 ? undefined : end).trim() };
}

/** A kernel is not right: that is a bug of ours. The message is `shaders/FILE:LINE:COLUMN: what is wrong in "the line"`. */
export class WgslError extends Error {
  override name = "WgslError";
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The line itself, without the spaces around it. */
  readonly text: string;

  constructor(at: Position, readonly problem: string) {
    const { line, column, text } = lineOf(at), { file } = at.source;
    super(`shaders/${file}:${line}:${column}: ${problem} in "${text}"`);
    [this.file, this.line, this.column, this.text] = [file, line, column, text];
  }
}
