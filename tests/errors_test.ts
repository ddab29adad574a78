/**
 * Errors carry what failed, what to do about it and in which step, so that no code needs to take a message apart.
 */
import { assert, assertEquals } from "@std/assert";
import { AnomalyError, DeviceLostError, OutOfMemoryError, TrainingError, WgradError } from "../src/errors.ts";

Deno.test("the message of an error is what failed and the remedy", () => {
  const plain = new WgradError("it failed");
  assertEquals([plain.message, plain.what, plain.remedy, plain.step], ["it failed", "it failed", undefined, undefined]);
  const lost = new DeviceLostError("the device was lost", { remedy: "start again", step: 7 });
  assertEquals([lost.message, lost.what, lost.remedy, lost.step], [
    ...["the device was lost: start again", "the device was lost", "start again", 7],
  ]);
  const memory = new OutOfMemoryError("out of memory", "all", 20, 10, { remedy: "use a smaller batch" });
  assertEquals([memory.message, memory.of, memory.asked, memory.available], [
    ...["out of memory: use a smaller batch", "all", 20, 10],
  ]);
});

Deno.test("an anomaly names its step, alone or among those that were submitted with it", () => {
  assertEquals(new AnomalyError("the op made NaN").message, "anomaly: the op made NaN");
  const among = new AnomalyError("the op made NaN", 3, 10);
  assert(among instanceof TrainingError);
  assertEquals([among.message, among.finding, among.step], [
    ...["anomaly in step 3 of run(10): the op made NaN", "the op made NaN", 3],
  ]);
  assertEquals(new AnomalyError(among.finding, 500 + among.step!).message, "anomaly in step 503: the op made NaN");
});
