/**
 * `wgrad dashboard`: serves a page for each run in a folder.
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
    "Prints the address of a page that lists runs, shows the report of each, and compares the runs that you choose. The " +
    "address contains a secret token; without it the server refuses every request. Reload a page to see what is new. " +
    "Ctrl-C stops the server, with exit code 0.",
  positional: [{ name: "RUNS_DIR", optional: true, help: "The folder with the folders of the runs (default: runs)" }],
  flags: [
    {
      name: "port",
      kind: "integer",
      min: 0,
      max: 65535,
      value: "PORT",
      help: "Port to serve on; 0 means any free port (default: 8484, or the next free port)",
    },
    HOST_FLAG,
  ],
  examples: [
    ["wgrad dashboard", "Show the runs in the folder runs"],
    ["wgrad dashboard /data/runs --port 9000", "Show those in another folder, on another port"],
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
