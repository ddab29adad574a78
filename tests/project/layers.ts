/**
 * The rule of the house in docs/design.md: an import only ever points down. This file holds the table of rooms and the
 * check of a list of imports; `layers_test.ts` gives it the project's own.
 *
 * @module
 */

/** The rooms from the top down; those of one row do not import each other. */
const ROWS: readonly (readonly string[])[] = [
  ["main.ts"],
  ["src/cli/"],
  ["src/mod.ts"],
  ["src/nn.ts"],
  ["src/report/"],
  ["src/run/"],
  ["src/measure/"],
  ["src/train/"],
  ["src/config/"],
  ["src/models/", "src/onnx/"],
  ["src/nn/", "src/optim/"],
  ["src/tensor/"],
  ["src/tune/"],
  ["src/ops/"],
  ["src/graph/"],
  ["src/backend/"],
  ["src/wgsl/"],
  ["src/data/", "src/io/"],
  ["src/image/"],
  ["src/files/", "shaders/"],
  ["src/errors.ts", "src/foreign_text.ts", "src/random.ts", "src/version.ts"],
  ["deno.json"],
];

/** One import: who imports what, as paths relative to the checkout with `/`. */
export interface Import {
  readonly from: string;
  readonly to: string;
}

function roomOf(path: string): { room: string; row: number } | undefined {
  for (const [row, rooms] of ROWS.entries()) {
    const room = rooms.find((room) => room.endsWith("/") ? path.startsWith(room) : path === room);
    if (room !== undefined) return { room, row };
  }
  return undefined;
}

/** Every import that points up or sideways, or has an end outside the table, as a line of text. */
export function violations(imports: readonly Import[]): string[] {
  return imports.flatMap(({ from, to }) => {
    const [importer, imported] = [roomOf(from), roomOf(to)];
    const stray = importer === undefined ? from : imported === undefined ? to : undefined;
    if (stray !== undefined) return [`${from} imports ${to}: ${stray} is in no room of the table`];
    if (importer?.room === imported?.room || (importer?.row ?? 0) < (imported?.row ?? 0)) return [];
    return [`${from} imports ${to}: ${imported?.room} is not below ${importer?.room}`];
  });
}
