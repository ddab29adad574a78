import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../src/errors.ts";
import { defineCommand, parse } from "../../src/cli/flags.ts";
import { helpText } from "../../src/cli/help_text.ts";

const command = defineCommand({
  name: "bake",
  summary: "Bake bread",
  positional: [
    { name: "ACTION", choices: ["knead", "proof"], help: "What to do" },
    { name: "FILE", optional: true, help: "The recipe" },
  ],
  flags: [
    { name: "loaf-count", short: "l", kind: "integer", min: 1, max: 9, default: 2, help: "Loaves" },
    { name: "heat", kind: "number", min: 0, help: "Heat", group: "Oven" },
    { name: "flour", kind: "choice", choices: ["rye", "wheat"], default: "rye", help: "Flour" },
    { name: "name", kind: "string", value: "NAME", help: "Name" },
    { name: "steam", kind: "boolean", help: "Steam", group: "Oven" },
    { name: "salt", kind: "boolean", default: true, help: "No salt" },
  ],
  examples: [["wgrad bake knead", "kneads"]],
  run: () => Promise.resolve(0),
});

const defaults = { loafCount: 2, heat: undefined, flour: "rye", name: undefined, steam: false, salt: true };

Deno.test("parse() gives typed values, defaults and what was given", () => {
  const none = parse(command, ["knead"]);
  assertEquals(none.values, defaults);
  assertEquals([...none.given], []);
  const all = parse(command, [
    "-l",
    "3",
    "knead",
    "--heat",
    "2.5e2",
    "--flour=wheat",
    "--name",
    "a b",
    "--steam",
    "--no-salt",
    "x",
  ]);
  // The types of the values are part of the test.
  const typed: {
    loafCount: number;
    heat: number | undefined;
    flour: "rye" | "wheat";
    name: string | undefined;
    steam: boolean;
  } = all.values;
  assertEquals(typed, { loafCount: 3, heat: 250, flour: "wheat", name: "a b", steam: true, salt: false });
  assertEquals(all.positional, ["knead", "x"]);
  assertEquals([...all.given].sort(), ["flour", "heat", "loafCount", "name", "salt", "steam"]);
});

Deno.test("parse() takes values that look like something else", () => {
  assertEquals(parse(command, ["--name=--heat", "knead"]).values.name, "--heat");
  assertEquals(parse(command, ["--name=a=b", "knead"]).values.name, "a=b");
  assertEquals(parse(command, ["--name", "007", "knead"]).values.name, "007");
  assertEquals(parse(command, ["--steam", "knead"]).positional, ["knead"]);
  assertEquals(parse(command, ["--salt=false", "--steam=true", "knead"]).values, {
    ...defaults,
    salt: false,
    steam: true,
  });
  assertEquals(parse(command, ["--heat", ".5", "knead"]).values.heat, 0.5);
  assertEquals(parse(command, ["--loaf-count", "+4", "knead"]).values.loafCount, 4);
  assertEquals(parse(command, ["--", "knead", "--heat"]).positional, ["knead", "--heat"]);
  assertEquals(parse(command, ["knead", "-"]).positional, ["knead", "-"]);
});

const bad: [argv: string[], message: string][] = [
  [["knead", "--haet", "1"], "unknown flag --haet (did you mean --heat?)"],
  [["knead", "--loaf", "1"], "unknown flag --loaf (did you mean --loaf-count?)"],
  [["knead", "--zzz"], "unknown flag --zzz"],
  [["knead", "--no-heat"], "unknown flag --no-heat (did you mean --heat?)"],
  [["knead", "--no-stem"], "unknown flag --no-stem (did you mean --no-steam?)"],
  [["knead", "-x"], "unknown flag -x"],
  [["knead", "-l3"], "unknown flag -l3"],
  [["knead", "--__proto__=1"], "unknown flag --__proto__"],
  [["knead", "--a.b=1"], "unknown flag --a.b"],
  [["knead", "--heat"], "--heat needs a value"],
  [["knead", "--heat", "--steam"], "--heat needs a value"],
  [["knead", "--heat", "--", "x"], "--heat needs a value"],
  [["knead", "--name="], "--name needs a value"],
  [["knead", "--name", ""], "--name needs a value"],
  [["knead", "--steam="], "--steam needs a value"],
  [["knead", "--heat", "hot"], "--heat must be a number of at least 0, not hot"],
  [["knead", "--heat", "-1"], "--heat must be a number of at least 0, not -1"],
  [["knead", "--heat", "-.5"], "--heat must be a number of at least 0, not -.5"],
  [["knead", "--heat", "NaN"], "--heat must be a number of at least 0, not NaN"],
  [["knead", "--heat", "Infinity"], "--heat must be a number of at least 0, not Infinity"],
  [["knead", "--heat", "1e999"], "--heat must be a number of at least 0, not 1e999"],
  [["knead", "--heat", "0x10"], "--heat must be a number of at least 0, not 0x10"],
  [["knead", "--heat", " 1"], '--heat must be a number of at least 0, not " 1"'],
  [["knead", "--heat", "1,5"], "--heat must be a number of at least 0, not 1,5"],
  [["knead", "--loaf-count", "0"], "--loaf-count must be an integer from 1 to 9, not 0"],
  [["knead", "--loaf-count", "10"], "--loaf-count must be an integer from 1 to 9, not 10"],
  [["knead", "--loaf-count", "2.0"], "--loaf-count must be an integer from 1 to 9, not 2.0"],
  [["knead", "--loaf-count", "1e0"], "--loaf-count must be an integer from 1 to 9, not 1e0"],
  [["knead", "--flour", "ry"], "--flour must be one of rye, wheat, not ry (did you mean rye?)"],
  [["knead", "--steam=yes"], "--steam must be true or false, not yes"],
  [["knead", "--name", "a\nb"], '--name must be text that is not empty and has no control characters, not "a\\nb"'],
  [["knead", "--steam", "--no-steam"], "--steam is given 2 times: give it once"],
  [["knead", "--heat=1", "--heat", "1"], "--heat is given 2 times: give it once"],
  [["knead", "-l", "1", "--loaf-count", "1"], "--loaf-count is given 2 times: give it once"],
  [["knead", "a", "b"], "unexpected argument b"],
  [["knead", ""], "FILE is empty"],
  [["burn"], "ACTION must be one of knead, proof, not burn"],
  [["proff"], "ACTION must be one of knead, proof, not proff (did you mean proof?)"],
  [[], "ACTION is missing: one of knead, proof"],
];

for (const [argv, message] of bad) {
  Deno.test(`parse() refuses ${JSON.stringify(argv)}`, () => {
    const error = assertThrows(() => parse(command, argv), UsageError);
    assertEquals(error.message, `${message}; see wgrad bake --help`);
    assertEquals(error.exitCode, 2);
  });
}

Deno.test("parse() stops at --help", () => {
  for (const argv of [["--help"], ["-h"], ["burn", "--heat", "hot", "--help"]]) {
    assertEquals(parse(command, argv).help, true);
  }
  assertEquals(parse(command, ["knead"]).help, false);
});

Deno.test("help() shows every row of the tables", () => {
  assertEquals(
    helpText(command),
    `Bake bread.

Usage: wgrad bake knead|proof [FILE] [FLAGS]

Arguments:
  ACTION  What to do
  FILE    The recipe

Flags:
  -l, --loaf-count N  Loaves (default: 2)
  --flour NAME        Flour: rye, wheat (default: rye)
  --name NAME         Name
  --no-salt           No salt
  -h, --help          Show this help

Oven:
  --heat N            Heat
  --steam             Steam

Examples:
  wgrad bake knead
      kneads`,
  );
});

Deno.test("a list has an item for each time that its flag is given, and is empty without", () => {
  const flags = [{ name: "topping", kind: "list", value: "NAME=VALUE", help: "Topping" }] as const;
  const pizza = { name: "pizza", flags };
  assertEquals(parse(pizza, []).values, { topping: [] });
  assertEquals(parse(pizza, ["--topping", "a=1", "--topping=b=2,3"]).values, { topping: ["a=1", "b=2,3"] });
  for (const [args, must] of [[["--topping", ""], "needs a value"], [["--topping", "a\nb"], "no control characters"]]) {
    assertThrows(() => parse(pizza, args as string[]), UsageError, must as string);
  }
});

Deno.test("a flag with an optional value takes the next word only if it is a number, and is true without", () => {
  const flags = [
    { name: "port", kind: "integer", optionalValue: true, min: 0, max: 9, value: "PORT", help: "Port" },
    { name: "hot", kind: "boolean", help: "Hot" },
  ] as const;
  const command = { name: "serve", summary: "Serve", flags, examples: [], run: () => Promise.resolve(0) };
  const serve = { ...command, positional: [{ name: "DISH", optional: true, help: "Dish" }] };
  const cases: [argv: string[], port: number | true | undefined, positional: string[]][] = [
    [[], undefined, []],
    [["--port"], true, []],
    [["--port", "8"], 8, []],
    [["--port=8"], 8, []],
    [["--port=true"], true, []],
    [["--port", "--hot"], true, []],
    [["--port", "soup"], true, ["soup"]],
    [["--port", "8", "soup"], 8, ["soup"]],
    [["--port", "--", "8"], true, ["8"]],
  ];
  for (const [argv, port, positional] of cases) {
    const parsed = parse(serve, argv);
    // The type of the value is part of the test.
    const typed: number | true | undefined = parsed.values.port;
    assertEquals([typed, parsed.positional], [port, positional], argv.join(" "));
  }
  for (const text of ["10", "-1", "8080x", "1.5", ".5"]) {
    assertThrows(
      () => parse(serve, ["--port", text]),
      UsageError,
      `--port must be an integer from 0 to 9, not ${text}`,
    );
  }
  assertThrows(() => parse(serve, ["--port="]), UsageError, "--port needs a value");
  assertThrows(() => parse(serve, ["--port", "1", "--port"]), UsageError, "--port is given 2 times: give it once");
  assertEquals(helpText(serve).split("\n").find((line) => line.includes("port")), "  --port [PORT]  Port");
});

Deno.test("a last argument with `rest` stands for one or more", () => {
  const many = {
    ...command,
    positional: [{ name: "DISH", help: "Dish" }, { name: "GUEST", rest: true, help: "Guest" }],
  };
  assertEquals(parse(many, ["soup", "a", "--heat", "1", "b", "-"]).positional, ["soup", "a", "b", "-"]);
  assertThrows(() => parse(many, ["soup"]), UsageError, "GUEST is missing");
});
