import { assertEquals } from "@std/assert";
import { makeConfig } from "../../src/config/config.ts";
import { defaultValSplit, isTutorial } from "../../src/config/recipe.ts";
import type { GivenConfig } from "../../src/config/settings.ts";

Deno.test("the tutorial's run holds out nothing; any other recipe 5 %, if that is 100 images or more", () => {
  const tutorial: GivenConfig[] = [
    {},
    { seed: 3, maxSteps: 2000, name: "x", out: "y", tune: "off", logEvery: 5, saveEvery: 9, evalEvery: 8, keep: 1 },
  ];
  const others: GivenConfig[] = [
    { epochs: 3 },
    { batchSize: 32 },
    { lr: 0.01 },
    { optimizer: "adam" },
    { data: "synthetic" },
    { model: "lenet-gray" },
    { ema: 0.9 },
    { schedule: "cosine" },
    { freeze: ["conv*"] },
  ];
  for (const given of tutorial) assertEquals(defaultValSplit(makeConfig(given), 50_000), 0, JSON.stringify(given));
  for (const given of others) {
    const config = makeConfig(given);
    assertEquals(isTutorial(config), false, JSON.stringify(given));
    assertEquals([1999, 2000, 50_000].map((count) => defaultValSplit(config, count)), [0, 0.05, 0.05]);
  }
});
