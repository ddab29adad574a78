/**
 * Random steps, eager and as a program: whatever is read, changed, viewed, detached or kept, both must come to the same.
 */
import { assert } from "@std/assert";
import { compile, noGrad, optim, type Tensor, tensor } from "../../src/mod.ts";
import { assertClose, assertSameBits } from "../support/close.ts";
import { withMerging } from "../support/merging.ts";
import { bits, uniform } from "../support/random.ts";

const SIZE = 3, STEPS = 4;

/** A sequence of choices, the same for the same seed. */
class Choices {
  #at = 0;
  readonly #draws: Uint32Array;
  constructor(seed: number) {
    this.#draws = bits(seed, 4096);
  }
  /** A whole number in [0, count). */
  of(count: number): number {
    return count === 0 ? 0 : this.#draws[this.#at++ % 4096]! % count;
  }
}

/** Parameters, states and optimizers, and one random thing after the other done to them. */
class World {
  readonly parameters = [1, 2, 3].map((i) => tensor(start(i), { requiresGrad: true }));
  readonly states = [4, 5, 6].map((i) => tensor(start(i)));
  readonly optimizers = [
    new optim.SGD(this.parameters.slice(0, 2), { lr: 0.1, momentum: 0.9, dampening: 0.1 }),
    new optim.SGD(this.parameters.slice().reverse(), { lr: 0.2 }),
    new optim.SGD(this.parameters, { lr: 0.05, momentum: 0.5, nesterov: true }),
  ];

  /** A random expression over what there is. Bounded, so that nothing runs away. */
  expression(choose: Choices, made: readonly Tensor[], depth = 3): Tensor {
    const inner = () => this.expression(choose, made, depth - 1);
    switch (depth === 0 ? choose.of(3) : choose.of(9)) {
      case 0:
        return this.states[choose.of(3)]!;
      case 1:
        return this.parameters[choose.of(3)]!;
      case 2:
        return made[choose.of(made.length)] ?? this.states[0]!;
      case 3:
        return inner().add(inner()).mul(0.5);
      case 4:
        return inner().maximum(-1).mul(inner().minimum(1)).minimum(2).maximum(-2);
      case 5:
        return inner().reshape([SIZE, 1]).relu().flatten();
      case 6:
        return inner().detach();
      case 7:
        return inner().reshape([SIZE]);
      default:
        return inner().clone();
    }
  }

  /** A random step. @returns the tensors that it makes of what it saw. */
  step(choose: Choices): Tensor[] {
    const made: Tensor[] = [];
    for (let left = 3 + choose.of(5); left > 0; left--) {
      const at = choose.of(3), kind = choose.of(7), value = this.expression(choose, made);
      if (kind === 0) made.push(value.mul(1));
      else if (kind === 1) noGrad(() => this.states[at]!.copy_(value));
      else if (kind === 2) noGrad(() => this.states[at]!.add_(value).mul_(0.7));
      else if (kind === 3) noGrad(() => this.parameters[at]!.mul_(0.9));
      else if (kind === 4) noGrad(() => made.push(value.detach()));
      else {
        for (const parameter of this.parameters) parameter.grad = null;
        this.parameters[1]!.mul(value).add(this.parameters[0]!.mul(0.3)).sum().backward();
        if (kind === 6) noGrad(() => this.parameters[0]!.grad!.mul_(0.5));
        this.optimizers[at]!.step();
      }
    }
    return made.slice(-2);
  }

  async read(tensors: readonly Tensor[]): Promise<number[]> {
    const all = await Promise.all([...this.parameters, ...this.states, ...tensors].map((one) => one.data()));
    return all.flatMap((data) => [...data]);
  }
}

const start = (seed: number) => Array.from(uniform(seed, [SIZE]).data);

Deno.test("80 random steps give the same eagerly and as programs", async () => {
  for (let seed = 0; seed < 80; seed++) {
    const eager = new World(), compiled = new World();
    // Some programs begin with what an eager step left unread.
    const late = seed % 3 === 0 ? 1 : 0;
    let snapshot: Tensor | undefined, expected: Tensor | undefined, program;
    for (let i = 0; i < STEPS; i++) {
      const results = eager.step(new Choices(1000 + seed));
      if (i < late) {
        compiled.step(new Choices(1000 + seed));
        continue;
      }
      program ??= compile(() => compiled.step(new Choices(1000 + seed)));
      await program.run();
      assertClose(await compiled.read(program.result), await eager.read(results), {
        rtol: 1e-5,
        atol: 1e-5,
        what: `seed ${seed}, step ${i}`,
      });
      if (snapshot) {
        assertClose(await snapshot.data(), await expected!.data(), { atol: 1e-5, what: `seed ${seed}, before` });
      }
      // What is recorded now must keep the values of now over the next run.
      snapshot = compiled.parameters[i % 3]!.detach().reshape([1, SIZE]);
      expected = eager.parameters[i % 3]!.detach().reshape([1, SIZE]);
    }
    await program?.dispose();
  }
});

Deno.test("20 random steps give the same bits, their dispatches merged or not", async () => {
  let before = 0, after = 0;
  for (let seed = 0; seed < 20; seed++) {
    const run = async () => {
      const world = new World(), program = compile(() => world.step(new Choices(2000 + seed))), found: number[] = [];
      for (let i = 0; i < STEPS; i++) {
        await program.run();
        found.push(...await world.read(program.result));
      }
      const dispatches = await program.dispatches();
      await program.dispose();
      return { dispatches, found: Float32Array.from(found) };
    };
    const off = await withMerging(false, run), on = await withMerging(true, run);
    assertSameBits(on.found, off.found, `seed ${seed}`);
    before += off.dispatches;
    after += on.dispatches;
  }
  assert(after < before, `${before} dispatches, ${after} merged`);
});
