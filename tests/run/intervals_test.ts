import { assertEquals } from "@std/assert";
import { Intervals } from "../../src/run/intervals.ts";

/** Feeds epochs of `perEpoch` steps, whose losses are 1, 2, 3, …, in reports of the given sizes. */
function run(every: number, perEpoch: number, sizes: readonly number[], last?: number) {
  const intervals = new Intervals(every, last);
  let step = 0;
  return sizes.flatMap((size) => {
    const since = step / 10, losses = Float32Array.from({ length: size }, () => ++step);
    const correct = losses.map((loss) => loss % 4); // Of 4 images in each step.
    const epoch = Math.ceil(step / perEpoch), stepInEpoch = step - (epoch - 1) * perEpoch;
    return intervals.add({ epoch, stepInEpoch, step, losses, correct, imagesPerStep: 4, since, seconds: step / 10 });
  });
}

Deno.test("Intervals means the losses of every so many steps, whatever the reports", () => {
  const expected = [
    { epoch: 1, stepInEpoch: 3, step: 3, loss: 2, accuracy: 6 / 12, seconds: 0.3 },
    { epoch: 1, stepInEpoch: 6, step: 6, loss: 5, accuracy: 3 / 12, seconds: 0.6 },
    // Step 7 is left over; the second epoch begins with step 8.
    { epoch: 2, stepInEpoch: 3, step: 10, loss: 9, accuracy: 3 / 12, seconds: 1 },
    { epoch: 2, stepInEpoch: 6, step: 13, loss: 12, accuracy: 4 / 12, seconds: 1.3 },
  ];
  const onAndOn = [
    ...expected.slice(0, 2),
    { epoch: 2, stepInEpoch: 2, step: 9, loss: 8, accuracy: 4 / 12, seconds: 0.9 },
    { epoch: 2, stepInEpoch: 5, step: 12, loss: 11, accuracy: 5 / 12, seconds: 1.2 },
    { epoch: 2, stepInEpoch: 7, step: 14, loss: 13.5, accuracy: 3 / 8, seconds: 1.4 },
  ];
  const round = (seconds: number) => Math.round(seconds * 1e6) / 1e6;
  for (const sizes of [[7, 7], [1, 1, 1, 1, 1, 1, 1, 7], [2, 4, 1, 5, 2], [3, 3, 1, 3, 3, 1], [6, 1, 1, 6]]) {
    for (const [last, intervals] of [[undefined, expected], [14, onAndOn]] as const) {
      const rounded = run(3, 7, sizes, last).map((one) => ({
        ...one,
        seconds: round(one.seconds),
      }));
      assertEquals(rounded, intervals, sizes.join());
    }
  }
});

Deno.test("Intervals of one step are the steps, and intervals longer than an epoch never end", () => {
  assertEquals(run(1, 5, [5]).map(({ loss }) => loss), [1, 2, 3, 4, 5]);
  assertEquals(run(6, 5, [5, 5, 5]), []);
});
