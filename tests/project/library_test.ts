/**
 * The library in a project of the user's own, which has neither our deno.json nor our import map.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { withFolder } from "../data/fixtures.ts";
import { execute, ROOT } from "./support.ts";

const SCRIPT = `
import { compile, F, load, manualSeed, nn, optim, randint, randn, save } from "LIBRARY";
manualSeed(0);
const net = nn.models.lenet(), images = randn([4, 3, 32, 32]), labels = randint(0, 10, [4]);
const optimizer = new optim.SGD(net.parameters(), { lr: 0.01, momentum: 0.9 });
const step = compile(() => {
  optimizer.zeroGrad();
  const loss = F.crossEntropy(net.forward(images), labels);
  loss.backward();
  optimizer.step();
  return loss;
});
for (const name of ["net.pth", "net.npz", "net.safetensors"]) {
  await save(net.stateDict(), name);
  net.loadStateDict(await load(name));
}
console.log("saved");
await step.run(20);
`;

Deno.test("a script in another folder imports the library without our settings, type-checks, and ends cleanly after step.run()", () =>
  withFolder(async (folder) => {
    const library = pathToFileURL(join(ROOT, "src", "mod.ts")).href;
    await Deno.writeTextFile(join(folder, "script.ts"), SCRIPT.replace("LIBRARY", library));
    const deno = (...args: string[]) => execute(Deno.execPath(), args, { cwd: folder, env: { XDG_RUNTIME_DIR: "" } });
    const checked = await deno("check", "--quiet", "script.ts");
    assertEquals(checked, { code: 0, stdout: "", stderr: "" });
    const run = ["run", "--quiet", "--no-prompt", "--allow-read", "--allow-write", "--allow-env"];
    assertEquals(await deno(...run, "script.ts"), { code: 0, stdout: "saved\n", stderr: "" });
  }));
