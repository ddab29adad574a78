// Lion (Chen et al. 2023), for optimizer_update.wgsl. a: the mean of the gradient.

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.99;
// 1 − BETA1 and 1 − BETA2, which f32 would round.
const REST1: f32 = 0.1;
const REST2: f32 = 0.01;

fn update(s: vec4f, g: vec4f, p: ptr<function, vec4f>, a: ptr<function, vec4f>, b: ptr<function, vec4f>, c: ptr<function, vec4f>) {
  let direction = BETA1 * *a + REST1 * g;
  // The sign of NaN is NaN. Looks at the bits, since drivers may assume that there is none.
  let nan = (bitcast<vec4u>(direction) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
  *p -= s.x * select(sign(direction), direction, nan);
  *a = BETA2 * *a + REST2 * g;
}
