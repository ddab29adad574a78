/**
 * `wgrad dashboard`: serves the pages of the runs in a folder.
 *
 * @module
 */
import { startBrowsing } from "../report/runs_server.ts";
import { defineCommand, HOST_FLAG } from "./flags.ts";
import { onInterrupt } from "./interrupt.ts";

/** `wgrad dashboard`. */
export const command = defineCommand({
  name: "dashboard",
  summary: "Serve a page with the runs of a folder, and compare them",
  description:
    "Prints the address of a page that lists runs, shows the report of each, and compares those that are chosen. The " +
    "address holds a secret token, without which nothing is served. Load a page again to see what is new. Ctrl-C ends " +
    "the server, with exit code 0.",
  positional: [{ name: "RUNS_DIR", optional: true, help: "The folder that holds the runs' folders (default: runs)" }],
  flags: [
    {
      name: "port",
      kind: "integer",
      min: 0,
      max: 65535,
      value: "PORT",
      help: "Port to serve on, 0 for any that is free (default: 8484, or the next free one)",
    },
    HOST_FLAG,
  ],
  examples: [
    ["wgrad dashboard", "The runs in the folder runs"],
    ["wgrad dashboard /data/runs --port 9000", "Those in another folder, on another port"],
  ],
  async run({ values: { port, host }, positional: [folder = "runs"] }) {
    const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
    using _ = onInterrupt(stop);
    const server = await startBrowsing(folder, { port, host });
    console.log(`The runs in ${folder}: ${server.url}`);
    if (server.note) console.log(server.note);
    await stopped;
    await server.close();
    return 0;
  },
});
