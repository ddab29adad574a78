/**
 * The names of classes: read from lists of names, and made up where nothing names them.
 *
 * @module
 */
import { DataError } from "../errors.ts";
import { fileSize, readWholeFile } from "../files/read.ts";
import { printable, quote } from "../foreign_text.ts";

/** The most classes: a label is one byte. */
const MOST_CLASSES = 256;

/** The longest list of class names, in bytes, and the longest name, in characters. Names are stored in every checkpoint. */
const MAX_LIST = 1 << 16, MAX_NAME = 100;

/** @throws {DataError} if a list of class names has too many bytes. */
export function checkListSize(bytes: number, where: string): void {
  if (bytes > MAX_LIST) {
    throw new DataError(`${where}: the list of class names has ${bytes} bytes; the limit is ${MAX_LIST}`);
  }
}

/** The names of `count` classes that nothing names: "class 1", "class 2", …. */
export function numberedClasses(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `class ${i + 1}`);
}

/** Whether the names say more than `numberedClasses()` does. */
export function areNamed(classes: readonly string[]): boolean {
  return classes.some((name, i) => name !== `class ${i + 1}`);
}

/**
 * The names in a text, one a line. Empty lines do not count. Control characters are escaped, because names are printed.
 *
 * @param where the name of the file, for errors.
 * @throws {DataError} if there are no names, more than a label can number, or one is too long.
 */
export function classNamesIn(text: string, where: string): readonly string[] {
  const names = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const long = names.find((name) => name.length > MAX_NAME);
  if (long !== undefined) {
    throw new DataError(`${where}: the class name ${quote(long, 40)} is longer than ${MAX_NAME} characters`);
  }
  if (names.length > 0 && names.length <= MOST_CLASSES) return names.map((name) => printable(name));
  throw new DataError(`${where} has ${names.length} names of classes: write one a line, 1 to ${MOST_CLASSES} of them`);
}

/** The file with the names of the classes beside a file of weights whose format cannot hold them. */
export function namesFileOf(weights: string): string {
  return `${weights}.classes.txt`;
}

/**
 * Reads a file with the names of the classes, one a line. @returns undefined if there is no such file.
 *
 * @throws {DataError} if it cannot be read, is too long, or is no list of names.
 */
export async function readClassNames(path: string): Promise<readonly string[] | undefined> {
  checkListSize(await fileSize(path) ?? 0, path);
  const bytes = await readWholeFile(path);
  return bytes && classNamesIn(new TextDecoder().decode(bytes), path);
}
