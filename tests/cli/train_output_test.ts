/**
 * The lines and the bar of a run, for terminals of any width.
 */
import { assert, assertEquals } from "@std/assert";
import { join, resolve } from "node:path";
import { bar, type BarTrainer, intervalLine } from "../../src/cli/train_output.ts";
import { howToGoOn, nextLines } from "../../src/cli/train_listener.ts";
import type { Progress } from "../../src/train/trainer.ts";

const FULL =
  /^epoch \d+\/\d+ \[#*\.*\] \d+\/\d+ {2}loss [\d.]+ {2}accuracy [\d.]+ % {2}lr [\de.-]+ {2}\d+ images\/s {2}(\d+:)?\d\d:\d\d left$/;

/** Batches of 4: 12,500 an epoch, unless there are fewer images. */
function run(epochs: number, rate = 0.001, images = 50_000): BarTrainer {
  const stepsPerEpoch = Math.ceil(images / 4);
  return {
    stepsPerEpoch,
    totalSteps: epochs * stepsPerEpoch,
    epochs,
    imagesPerStep: images / stepsPerEpoch,
    rate: () => rate,
  };
}

function at(trainer: BarTrainer, step: number, more: Partial<Progress> = {}): Progress {
  const epoch = Math.ceil(step / trainer.stepsPerEpoch), stepInEpoch = step - (epoch - 1) * trainer.stepsPerEpoch;
  const losses = Float32Array.of(2.25, 2.3125);
  const correct = Float32Array.of(3, 1), ofEpoch = { steps: 400, loss: 900, images: 1600, correct: 500 };
  const counts = { losses, correct, imagesPerStep: 4, ofEpoch };
  return { epoch, step, stepInEpoch, ...counts, since: 0, seconds: 1, secondsPerStep: 0.002, ...more };
}

Deno.test("the bar shows how far the epoch is, loss, rate, images/s, and the time to the end of the run", () => {
  const tutorial = run(2);
  assertEquals(
    bar(tutorial, at(tutorial, 6250), 120),
    "epoch 1/2 [##########..........] 6250/12500  loss 2.281  accuracy 31.3 %  lr 0.001  2000 images/s  00:38 left",
  );
  assertEquals(
    bar(tutorial, at(tutorial, 25_000), 120),
    "epoch 2/2 [####################] 12500/12500  loss 2.281  accuracy 31.3 %  lr 0.001  2000 images/s  00:00 left",
  );
  // --max-steps ends the second epoch early, and the last batch of the first has two images.
  const short = { ...run(2, 1.23456e-5, 42), totalSteps: 16 };
  assertEquals(
    bar(short, at(short, 15), 120),
    "epoch 2/2 [################....] 4/5  loss 2.281  accuracy 31.3 %  lr 0.0000123  1909 images/s  00:00 left",
  );
  // Or the first, which is the only one then.
  const first = { ...short, totalSteps: 11, epochs: 1 };
  assertEquals(bar(first, at(first, 11), 26), "epoch 1/1 [#######] 11/11");
  assertEquals(/(\d+) images/.exec(bar(short, at(short, 11), 100))![1], "1909");
  const slow = run(100);
  assert(bar(slow, at(slow, 2, { secondsPerStep: 0.5 }), 100).endsWith("  8 images/s  173:36:39 left"));
});

Deno.test("the bar is shorter than the terminal is wide, and what is needed most stays longest", () => {
  const cases: [BarTrainer, Progress][] = [2, 9, 100, 1e6].flatMap((epochs) =>
    [0.001, 1.234e-7].flatMap((rate) => {
      const trainer = run(epochs, rate), last = trainer.totalSteps;
      return [2, 6250, 12_500, last].map((step): [BarTrainer, Progress] => [trainer, at(trainer, step)]);
    })
  );
  cases.push([run(2), at(run(2), 9, { losses: Float32Array.of(123456.789), secondsPerStep: 1e-6 })]);
  for (const [trainer, progress] of cases) {
    const last = trainer.totalSteps;
    let before = 0;
    for (let columns = 10; columns <= 120; columns++) {
      const text = bar(trainer, progress, columns), what = `${columns}: ${text}`;
      assert(text.length < columns && /^[ -~]*$/.test(text), what);
      const shown = [/\d+\/\d+( |$).*\d/, /loss \d+\.\d{3}( |$)/, /accuracy/, /left$/, /images\/s/, / lr /].map((one) =>
        one.test(text)
      );
      // Each that is there has all before it, and what a narrow terminal has a wide one has too.
      const count = shown.lastIndexOf(true) + 1;
      if (columns >= 40) assert(shown.slice(0, count).every(Boolean) && count >= before, what);
      before = Math.max(before, count);
      if (columns >= 40 && progress.epoch < 1000 && last < 1000 * trainer.stepsPerEpoch) assert(shown[1], what);
      if (columns >= 120) assert(FULL.test(text), what);
    }
  }
  const tutorial = run(2), widths = [20, 30, 40, 60, 80].map((columns) => bar(tutorial, at(tutorial, 6250), columns));
  assertEquals(widths, [
    "epoch 1/2 6250/1250",
    "epoch 1/2 [###...] 6250/12500",
    "epoch 1/2 6250/12500  loss 2.281",
    "epoch 1/2 [###....] 6250/12500  loss 2.281  accuracy 31.3 %",
    "epoch 1/2 [#######........] 6250/12500  loss 2.281  accuracy 31.3 %  00:38 left",
  ]);
});

Deno.test("after the training: what can be done with the run, with its paths in quotes where a shell needs them", () => {
  const run = join("runs", "my run's"), quoted = `'${join("runs", "my run'\\''s", "model.safetensors")}'`;
  assertEquals(nextLines(run), [
    `Next: open ${resolve(run, "report.html")} in a browser`,
    `Next: wgrad predict --weights ${quoted} IMAGE`,
    `Next: wgrad export --weights ${quoted} --to model.onnx`,
  ]);
  const plain = join("runs", "lenet-1");
  assertEquals(nextLines(plain)[1], `Next: wgrad predict --weights ${join(plain, "model.safetensors")} IMAGE`);
  assertEquals(howToGoOn(plain), `Resume with: wgrad train --resume ${plain}`);
});

Deno.test("a line of the log is the tutorial's", () => {
  const line = { epoch: 1, step: 2000, stepInEpoch: 2000, loss: 2.19651, accuracy: 0.2, seconds: 1 };
  assertEquals(intervalLine(line), "[1,  2000] loss: 2.197");
  assertEquals(intervalLine({ ...line, epoch: 10, stepInEpoch: 123456 }), "[10, 123456] loss: 2.197");
});
