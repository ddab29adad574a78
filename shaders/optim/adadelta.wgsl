// Adadelta (Zeiler 2012), as PyTorch has it, for optimizer_update.wgsl. a: the mean of the gradient's square; b: that
// of the update's.

const RHO: f32 = 0.9;
// 1 − RHO, which f32 would round.
const REST: f32 = 0.1;
const EPS: f32 = 1e-6;

fn update(s: vec4f, g: vec4f, p: ptr<function, vec4f>, a: ptr<function, vec4f>, b: ptr<function, vec4f>, c: ptr<function, vec4f>) {
  *a = RHO * *a + REST * g * g;
  let delta = sqrt(*b + EPS) / sqrt(*a + EPS) * g;
  *b = RHO * *b + REST * delta * delta;
  *p -= s.x * delta;
}
