import { assertEquals } from "@std/assert";
import { nn, zeros } from "../../src/mod.ts";
import { layersOf } from "../../src/measure/summary.ts";

Deno.test("layersOf() leaves a module its forward where that is a property of the module itself", () => {
  const layer = new nn.Linear(3, 2), model = new nn.Sequential(layer, new nn.ReLU());
  const doubled: typeof layer.forward = (x) => nn.Linear.prototype.forward.call(layer, x).mul(2);
  layer.forward = doubled;
  const before = Object.getOwnPropertyDescriptor(layer, "forward");
  assertEquals(layersOf(model, [1, 3]).map(({ kind }) => kind), ["Linear", "ReLU"]);
  assertEquals(layersOf(model, [1, 3]).map(({ multiplyAdds }) => multiplyAdds), [6, 0]);
  assertEquals(layer.forward === doubled, true);
  assertEquals(Object.getOwnPropertyDescriptor(layer, "forward"), before);
  assertEquals(Object.hasOwn(model, "forward"), false);
  assertEquals(model.forward(zeros([1, 3])).shape, [1, 2]);
});
