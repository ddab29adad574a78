// Adagrad (Duchi et al. 2011), as PyTorch has it, for optimizer_update.wgsl. a: the sum of the gradient's squares.

const LR_DECAY: f32 = 0.0;
const EPS: f32 = 1e-10;

fn scalars_of(t: f32, rate: f32, lost: vec3f, product: ptr<function, f32>) -> vec4f {
  return vec4f(rate, rate / (1.0 + (t - 1.0) * LR_DECAY), 0.0, 0.0);
}

fn update(s: vec4f, g: vec4f, p: ptr<function, vec4f>, a: ptr<function, vec4f>, b: ptr<function, vec4f>, c: ptr<function, vec4f>) {
  *a += g * g;
  *p -= s.y * g / (sqrt(*a) + EPS);
}
