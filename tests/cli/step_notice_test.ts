import { assertEquals, assertMatch } from "@std/assert";
import { stepNotices } from "../../src/cli/step_notice.ts";
import { withFolder } from "../data/fixtures.ts";
import { wgrad, writeData } from "./support.ts";

const LENET = { batchSize: 4, accumulate: 1, images: 50_000, multiplyAdds: 657_000, kind: "software gpu" } as const;

Deno.test("a step is announced if its batch is larger than the data, or if it takes long", () => {
  assertEquals(stepNotices(LENET), []);
  assertEquals(stepNotices({ ...LENET, batchSize: 60_000, kind: "gpu" }), [
    "NOTE: --batch-size 60000 is more than the 50000 training images: each epoch is one step.",
  ]);
  for (const [batchSize, accumulate] of [[32_768, 1], [8192, 4]] as const) {
    assertEquals(stepNotices({ ...LENET, batchSize, accumulate }), [
      "NOTE: a step of 32768 images may take about 20 s here, in which nothing is shown and Ctrl-C has to wait.",
    ]);
  }
});

Deno.test("wgrad train says before it starts that a batch is larger than the data", () =>
  withFolder(async (folder) => {
    await writeData(folder);
    const { code, err } = await wgrad(folder, ["train", "--data", "data", "--batch-size", "43", "--epochs", "1"]);
    assertEquals(code, 0);
    assertMatch(
      err.join("\n"),
      /^NOTE: --batch-size 43 is more than the 42 training images: each epoch is one step\.$/m,
    );
  }));
