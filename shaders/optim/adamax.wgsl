// Adamax (Kingma & Ba 2015), as PyTorch has it, for optimizer_update.wgsl. a: the mean of the gradient; b: its largest
// magnitude, which fades.

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
// 1 − BETA1, which f32 would round.
const REST1: f32 = 0.1;
const EPS: f32 = 1e-8;

fn scalars_of(t: f32, rate: f32, lost: vec3f, product: ptr<function, f32>) -> vec4f {
  return vec4f(rate, rate / lost.x, 0.0, 0.0);
}

fn update(s: vec4f, g: vec4f, p: ptr<function, vec4f>, a: ptr<function, vec4f>, b: ptr<function, vec4f>, c: ptr<function, vec4f>) {
  *a = BETA1 * *a + REST1 * g;
  *b = max(BETA2 * *b, abs(g) + EPS);
  *p -= s.y * *a / *b;
}
