import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { UsageError } from "../../src/errors.ts";
import { configFromJson, configToJson, makeConfig, readConfig } from "../../src/config/config.ts";
import { type GivenConfig, SETTINGS } from "../../src/config/settings.ts";
import { camelCase, complaint, didYouMean, type Setting } from "../../src/config/setting.ts";

Deno.test("the defaults are the seed run", () => {
  assertEquals(makeConfig(), {
    model: "lenet",
    data: "cifar10",
    normalize: "half",
    valSplit: 0,
    init: undefined,
    freeze: [],
    offline: false,
    epochs: 2,
    maxSteps: undefined,
    batchSize: 4,
    seed: 0,
    accumulate: 1,
    labelSmoothing: 0,
    clipGrad: undefined,
    ema: undefined,
    onNan: "stop",
    detectAnomaly: false,
    optimizer: "sgd",
    lr: 0.001,
    momentum: 0.9,
    dampening: 0,
    weightDecay: 0,
    nesterov: false,
    opt: [],
    schedule: "none",
    warmup: 0,
    sched: [],
    out: "runs",
    name: undefined,
    saveEvery: undefined,
    keep: 3,
    evalEvery: undefined,
    final: undefined,
    logEvery: 2000,
    adapter: undefined,
    backend: undefined,
    tune: "auto",
  });
});

Deno.test("every row of SETTINGS has one name and a default that it allows", () => {
  const rows: readonly Setting[] = SETTINGS;
  assertEquals(new Set(rows.map(({ name }) => camelCase(name))).size, rows.length);
  for (const row of rows) {
    assert(/^[a-z]+(-[a-z]+)*$/.test(row.name), row.name);
    assert(!row.help.endsWith("."), row.name);
    if (row.default !== undefined) assertEquals(complaint(row, row.default), undefined, row.name);
  }
});

Deno.test("config.json gives back the configuration that was written", () => {
  const configs: GivenConfig[] = [
    {},
    { model: "lenet-gray", data: "a folder/x", maxSteps: 7, lr: 1e-7, nesterov: true, name: "é 1", backend: "gl" },
    { optimizer: "adam", opt: ["betas=0.5,0.6", "amsgrad=true"], schedule: "step", sched: ["gamma=0.5"], warmup: 3 },
    { optimizer: "rmsprop", momentum: 0.5, ema: 0.99, clipGrad: 1, labelSmoothing: 0.1, accumulate: 4 },
  ];
  for (const given of configs) {
    const config = makeConfig(given);
    const text = configToJson(config);
    assert(text.endsWith("}\n"));
    assertEquals(configFromJson(text, "config.json"), config);
  }
  assertEquals(configFromJson("{}", "config.json"), makeConfig());
});

const badFiles: [text: string, message: string | RegExp][] = [
  ["", /^config\.json is not JSON: [^\n]+$/],
  ["[]", "config.json must hold one JSON object of settings"],
  ["null", "config.json must hold one JSON object of settings"],
  ['{"batchsize": 4}', 'config.json: unknown setting "batchsize" (did you mean batchSize?)'],
  ['{"batch-size": 4}', 'config.json: unknown setting "batch-size" (did you mean batchSize?)'],
  ['{"__proto__": 4}', 'config.json: unknown setting "__proto__"'],
  ['{"lr": "0.1"}', 'config.json: lr is "0.1", not a number from 0 to 1000000'],
  ['{"epochs": 1.5}', "config.json: epochs is 1.5, not an integer from 1 to 1000000"],
  ['{"nesterov": 1}', "config.json: nesterov is 1, not true or false"],
  ['{"model": "alexnet"}', 'config.json: model is "alexnet", not one of lenet, lenet-gray'],
  ['{"seed": [1]}', "config.json: seed is [1], not an integer from 0 to 4294967295"],
  [
    '{"opt": "eps=1"}',
    'config.json: opt is "eps=1", not a list of texts that are not empty and have no control characters',
  ],
  [
    '{"optimizer": "adam", "opt": ["epss=1"]}',
    /^--opt: adam has no option "epss" \(did you mean eps\?\): there are betas, /,
  ],
  ['{"optimizer": "adam", "opt": ["lr=1"]}', /^--opt: adam has no option "lr"/],
  ['{"optimizer": "adam", "opt": ["eps=-1"]}', "Adam: eps must be a number of 0 or more that f32 holds, got -1"],
  ['{"optimizer": "adam", "momentum": 0.9}', /^momentum is no option of adam: it has lr, betas, eps, /],
  ['{"optimizer": "rmsprop", "nesterov": true}', /^nesterov is no option of rmsprop: it has lr, /],
  ['{"schedule": "step", "sched": ["power=2"]}', '--sched: step has no option "power": there are stepSize, gamma'],
  ['{"schedule": "step", "sched": ["gamma=-2"]}', "step: gamma must be a number of 0 or more, got -2"],
  ['{"ema": 1.5}', "config.json: ema is 1.5, not a number from 0 to 1"],
  ['{"accumulate": 0}', "config.json: accumulate is 0, not an integer from 1 to 65536"],
  ['{"out": ""}', 'config.json: out is "", not text that is not empty and has no control characters'],
];

for (const [text, message] of badFiles) {
  Deno.test(`configFromJson() refuses ${text || "an empty file"}`, () => {
    const error = assertThrows(() => configFromJson(text, "config.json"), UsageError);
    if (typeof message === "string") assertEquals(error.message, message);
    else assert(message.test(error.message), error.message);
  });
}

Deno.test("makeConfig() refuses numbers that are not finite", () => {
  for (const lr of [NaN, Infinity, -Infinity]) {
    const error = assertThrows(() => makeConfig({ lr }), UsageError);
    assertEquals(error.message, `run configuration: lr is ${lr}, not a number from 0 to 1000000`);
  }
});

Deno.test("nesterov needs momentum and no dampening", () => {
  for (const given of [{ momentum: 0 }, { dampening: 0.1 }, { momentum: 0, dampening: 0.1 }]) {
    assertThrows(() => makeConfig({ nesterov: true, ...given }), UsageError, "SGD: nesterov needs a momentum");
    makeConfig(given);
  }
});

const OPTIMIZER_NAMES = "sgd adam adamw rmsprop adagrad adadelta adamax nadam radam lion muon";
const SCHEDULE_NAMES = "none step multistep exponential cosine cosine-restarts one-cycle linear polynomial plateau";

Deno.test("a step must have fewer images than a kernel can count", () => {
  assertEquals(makeConfig({ batchSize: 65536, accumulate: 65535 }).accumulate, 65535);
  assertThrows(
    () => makeConfig({ batchSize: 65536, accumulate: 65536 }),
    UsageError,
    "a step of 65536 x 65536 images is too large",
  );
});

Deno.test("each optimizer and schedule has its own defaults, and the names of the table", () => {
  for (const row of SETTINGS) {
    if (row.name === "optimizer") assertEquals(row.choices.join(" "), OPTIMIZER_NAMES);
    if (row.name === "schedule") assertEquals(row.choices.join(" "), SCHEDULE_NAMES);
  }
  const of = (given: GivenConfig) => {
    const { lr, momentum, dampening, weightDecay, nesterov } = makeConfig(given);
    return [lr, momentum, dampening, weightDecay, nesterov];
  };
  assertEquals(of({ optimizer: "adamw" }), [1e-3, undefined, undefined, 0.01, undefined]);
  assertEquals(of({ optimizer: "rmsprop", lr: 0.5 }), [0.5, 0, undefined, 0, undefined]);
  assertEquals(of({ optimizer: "adadelta", weightDecay: 0.1 }), [1, undefined, undefined, 0.1, undefined]);
  assertEquals(of({ optimizer: "muon" }), [1e-3, 0.95, undefined, 0.1, true]);
});

Deno.test("readConfig() gives a run's settings with others laid over them, and a name of its own", async () => {
  const path = await Deno.makeTempFile();
  try {
    const given = {
      name: "first",
      optimizer: "adam",
      lr: 0.5,
      opt: ["eps=1"],
      schedule: "step",
      sched: ["gamma=0.5"],
    } as const;
    await Deno.writeTextFile(path, configToJson(makeConfig(given)));
    assertEquals(makeConfig(await readConfig(path, {})), makeConfig({ ...given, name: undefined }));
    assertEquals(
      makeConfig(await readConfig(path, { lr: 2, seed: 3 })),
      makeConfig({ ...given, name: undefined, lr: 2, seed: 3 }),
    );
    // Another optimizer has other options, another schedule too.
    const { lr: _, opt: __, ...rest } = given;
    assertEquals(
      makeConfig(await readConfig(path, { optimizer: "sgd" })),
      makeConfig({ ...rest, name: undefined, optimizer: "sgd" }),
    );
    assertEquals(makeConfig(await readConfig(path, { schedule: "cosine" })).sched, []);
    await Deno.writeTextFile(path, "{");
    await assertRejects(() => readConfig(path, {}), UsageError, "is not JSON");
    await assertRejects(() => readConfig(`${path}.none`, {}), UsageError, "cannot read");
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("a run's name must be a folder's name everywhere", () => {
  for (
    const name of [
      "..",
      ".",
      "a/b",
      "a\\b",
      "-x",
      "a:b",
      " a",
      "a ",
      "a.",
      "a*",
      "x".repeat(101),
      "CON",
      "nul",
      "Aux.1",
      "com1",
      "LPT9.x",
    ]
  ) {
    assertThrows(() => makeConfig({ name }), UsageError, "cannot name a folder");
  }
  for (const name of ["a", "lenet-1", "run 2.b", "v1.0", "übung_3", "x".repeat(100), "console", "com10", "nul-1"]) {
    makeConfig({ name });
  }
});

Deno.test("didYouMean() hints at a near word only", () => {
  const words = ["--epochs", "--lr", "--out", "--batch-size"];
  assertEquals(didYouMean("--epoch", words), " (did you mean --epochs?)");
  assertEquals(didYouMean("--EPOCHS", words), " (did you mean --epochs?)");
  assertEquals(didYouMean("--batch", words), " (did you mean --batch-size?)");
  assertEquals(didYouMean("--xx", words), "");
  assertEquals(didYouMean("--weights", words), "");
});
