// RMSprop (Tieleman & Hinton 2012; centered: Graves 2013), as PyTorch has it, for optimizer_update.wgsl. a: the mean of
// the gradient's square; then, where they are asked for, the mean of the gradient and the momentum.

const ALPHA: f32 = 0.99;
// 1 − ALPHA, which f32 would round.
const REST: f32 = 0.01;
const EPS: f32 = 1e-8;
const CENTERED: bool = false;
const MOMENTUM: f32 = 0.0;

fn update(s: vec4f, g: vec4f, p: ptr<function, vec4f>, a: ptr<function, vec4f>, b: ptr<function, vec4f>, c: ptr<function, vec4f>) {
  *a = ALPHA * *a + REST * g * g;
  var square = *a;
  if (CENTERED) {
    *b = ALPHA * *b + REST * g;
    // Rounding may leave less than nothing of a gradient that stays the same.
    square = max(square - *b * *b, vec4f());
  }
  var step = g / (sqrt(square) + EPS);
  if (MOMENTUM != 0.0) {
    if (CENTERED) {
      step += MOMENTUM * *c;
      *c = step;
    } else {
      step += MOMENTUM * *b;
      *b = step;
    }
  }
  *p -= s.x * step;
}
