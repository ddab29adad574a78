/**
 * A run whose device is lost goes on with a new one, and what it measures from there on is of the new one.
 */
import { assert, assertEquals } from "@std/assert";
import { DeviceLostError } from "../../src/errors.ts";
import { withFolder } from "../data/fixtures.ts";
import { images } from "../train/fixtures.ts";
import { metricsOf, openSession } from "./session_support.ts";

Deno.test("images per second are measured anew after the device was lost", () =>
  withFolder(async (folder) => {
    let lost = 0;
    const listener = {
      progress() {
        const { data: { gpu }, position: { step } } = session.trainer;
        if (lost > 0 || step < 3) return;
        lost = step;
        gpu.fail(new DeviceLostError("the GPU device was lost (injected)", { remedy: "start again" }));
      },
    };
    const given = { epochs: 1, logEvery: 1 };
    const { session, warned } = await openSession(folder, images(42), given, null, listener);
    // As if ten seconds had passed: then a throughput was measured before the device is lost.
    session.trainer.position = { ...session.trainer.position, seconds: 10 };
    await session.run();
    assert(lost > 0);
    assertEquals(warned, ["WARNING: the GPU device was lost (injected): going on from step 0 on a new one"]);
    const lines = metricsOf(folder).filter(({ loss }) => loss);
    assertEquals(lines.length, 11);
    const [{ step, seconds, imagesPerSecond }] = lines as [typeof lines[number]];
    assertEquals([step, imagesPerSecond], [1, 4 / seconds!]);
  }));
