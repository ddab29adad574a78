/**
 * Circles of files: files that import each other, directly or through others. One cannot be read, moved or tested without
 * the others, so only those are allowed that truly are one thing.
 *
 * @module
 */
import type { Import } from "./layers.ts";

/**
 * The strongly connected components with more than one file of a graph of imports, by Tarjan's algorithm.
 *
 * @returns the files of each, sorted; the circles sorted by their first file.
 */
export function circles(imports: readonly Import[]): string[][] {
  const targets = new Map<string, string[]>();
  for (const { from, to } of imports) targets.set(from, [...targets.get(from) ?? [], to]);
  const order = new Map<string, number>(), lowest = new Map<string, number>();
  const stack: string[] = [], found: string[][] = [];
  const visit = (file: string): void => {
    order.set(file, order.size);
    lowest.set(file, order.get(file)!);
    stack.push(file);
    for (const target of targets.get(file) ?? []) {
      if (!order.has(target)) visit(target);
      // Of the files that were visited before, those matter that are on the stack: the others cannot lead back here.
      if (stack.includes(target)) lowest.set(file, Math.min(lowest.get(file)!, lowest.get(target)!));
    }
    if (lowest.get(file) !== order.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1) found.push(circle.sort());
  };
  for (const file of targets.keys()) if (!order.has(file)) visit(file);
  return found.sort(([a], [b]) => a! < b! ? -1 : 1);
}
