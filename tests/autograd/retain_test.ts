/**
 * backward() frees the graph: what that refuses, what it lets go of, and retainGraph, which keeps it.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ShapeError } from "../../src/errors.ts";
import { type BackwardOptions, compile, F, type GradFn, type Tensor, tensor, zeros } from "../../src/mod.ts";
import { collectGarbage } from "../support/collect.ts";

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });
const grad = async (x: Tensor) => [...await x.grad!.data()];
const SECOND = "backward through the graph a second time";

Deno.test("a second backward() of one graph is refused, names the node and changes nothing", async () => {
  const x = leaf(1, 2), loss = x.exp().mul(x).sum();
  loss.backward();
  const before = await grad(x);
  const error = assertThrows(() => loss.backward(), ShapeError, SECOND);
  for (const part of ["SumBackward0", "retainGraph: true"]) assert(error.message.includes(part), error.message);
  assertEquals(await grad(x), before);
});

Deno.test("retainGraph keeps the graph for another backward(), and the last one frees it", async () => {
  const x = leaf(1, 2), loss = x.mul(x).sum();
  loss.backward({ retainGraph: true });
  loss.backward({ retainGraph: true });
  assertEquals(await grad(x), [4, 8]);
  loss.backward({ retainGraph: false });
  assertEquals(await grad(x), [6, 12]);
  assertThrows(() => loss.backward({ retainGraph: true }), ShapeError, SECOND);
});

Deno.test("two losses of one graph: the second needs what the first freed, unless it is retained", async () => {
  const x = leaf(3);
  for (const retainGraph of [false, true]) {
    const shared = x.mul(x), one = shared.mul(2), two = shared.mul(5);
    x.grad = null;
    one.backward({ retainGraph });
    if (retainGraph) {
      two.backward();
      assertEquals(await grad(x), [42]);
    } else {
      assertThrows(() => two.backward(), ShapeError, SECOND);
      assertThrows(() => shared.add(1).backward(), ShapeError, SECOND);
      assertEquals(await grad(x), [12]);
    }
  }
});

Deno.test("parts that saved nothing are freed as well; a leaf, and what is new, is not", async () => {
  const x = leaf(3), sum = x.add(1);
  sum.backward();
  assertThrows(() => sum.backward(), ShapeError, SECOND);
  x.backward();
  x.backward();
  x.add(1).backward();
  assertEquals(await grad(x), [4]);
});

Deno.test("elements of a freed graph can still be read, and used without gradients", async () => {
  const x = leaf(1, 2), y = x.mul(3), loss = y.sum();
  loss.backward();
  assertEquals([...await y.data()], [3, 6]);
  assertEquals([...await y.detach().add(1).data()], [4, 7]);
  assertEquals(await loss.item(), 9);
  const z = y.mul(2); // Recorded: only its backward() is refused.
  assertThrows(() => z.sum().backward(), ShapeError, SECOND);
  assertEquals([...await z.data()], [6, 12]);
});

const names = (fn: GradFn | null): unknown => fn && [fn.name, ...fn.next.map(names)];

Deno.test("what is computed and freed lets go of the graph behind it, and keeps the names", async () => {
  const make = () => {
    const x = leaf(1, 2), y = x.exp(), loss = y.mul(x).sum();
    return { y, loss, tree: names(loss.gradFn) };
  };
  const tree = ["SumBackward0", ["MulBackward0", ["ExpBackward0", ["AccumulateGrad"]], ["AccumulateGrad"]]];
  const after = make();
  after.loss.backward();
  assert(after.loss.value.node, "the loss is not computed yet");
  await after.loss.item();
  assertEquals([after.loss.value.node, names(after.loss.gradFn), after.tree], [null, tree, tree]);
  assertEquals([after.loss.requiresGrad, after.loss.isLeaf], [true, false]);

  const before = make();
  await before.y.data();
  assert(before.y.value.node, "backward() needs the graph");
  before.loss.backward();
  assertEquals([before.y.value.node, names(before.y.gradFn)], [null, ["ExpBackward0", ["AccumulateGrad"]]]);

  const kept = make();
  kept.loss.backward({ retainGraph: true });
  await kept.loss.item();
  assert(kept.loss.value.node, "a retained graph was let go of");
  kept.loss.backward();
  assertEquals(kept.loss.value.node, null);
});

Deno.test("the input of a loss that was read after backward() can be collected", async () => {
  const w = leaf(1, 2), losses: Tensor[] = [];
  const step = async () => {
    const x = zeros([2]), loss = F.relu(x.mul(w)).sum();
    losses.push(loss);
    loss.backward();
    w.grad = null;
    await loss.item();
    return new WeakRef(x.value);
  };
  const refs: WeakRef<object>[] = [];
  for (let i = 0; i < 3; i++) refs.push(await step());
  await collectGarbage();
  assertEquals(refs.map((ref) => ref.deref()), [undefined, undefined, undefined]);
});

Deno.test("a step of a program: the second backward() is refused as well, and retained it runs each time", async () => {
  const x = leaf(3);
  const step = (options: BackwardOptions) => {
    x.grad = null;
    const loss = x.mul(x).sum();
    loss.backward(options);
    loss.backward();
    return x.grad!;
  };
  assertThrows(() => compile(() => step({})), ShapeError, SECOND);
  const program = compile(() => step({ retainGraph: true }));
  await program.run(3);
  assertEquals([...await program.result.data()], [12]);
});

Deno.test("backward() takes a gradient alone or among options, and refuses what it does not know", async () => {
  const x = leaf(1, 2);
  x.mul(3).backward({ gradient: tensor([1, 10]) });
  x.mul(3).backward(tensor([1, 10]));
  assertEquals(await grad(x), [6, 60]);
  const refused = (options: unknown, part: string) =>
    assertThrows(() => x.sum().backward(options as BackwardOptions), ShapeError, part);
  refused({ createGraph: true }, "createGraph is not supported");
  refused({ retain_graph: true }, 'unknown option "retain_graph"');
  refused({ retainGraph: 1 }, "retainGraph must be true or false, got 1");
  refused({ gradient: 1 }, "expected a Tensor, got 1");
  refused({ gradient: zeros([2]) }, "[2]");
  refused(true, "expected options such as");
});
