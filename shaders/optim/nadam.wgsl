// NAdam (Dozat 2016), as PyTorch has it, for optimizer_update.wgsl. a: the mean of the gradient; b: that of its square.

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
// 1 − BETA1 and 1 − BETA2, which f32 would round.
const REST1: f32 = 0.1;
const REST2: f32 = 0.001;
const EPS: f32 = 1e-8;
// 0.96 to the power of the momentum's decay: what its schedule loses in a step.
const FACTOR: f32 = 0.99983672;

// With ψ the momentum's decay, μ_t = β₁ (1 − 0.96^(t ψ) / 2). The product is that of all μ so far.
fn scalars_of(t: f32, rate: f32, lost: vec3f, product: ptr<function, f32>) -> vec4f {
  let half = 0.5 * (1.0 - lost.z);
  let mu = BETA1 - BETA1 * half;
  let next = BETA1 - BETA1 * FACTOR * half;
  *product *= mu;
  let of_gradient = rate * (REST1 + BETA1 * half) / (1.0 - *product);
  return vec4f(rate, of_gradient, rate * next / (1.0 - *product * next), 1.0 / sqrt(lost.y));
}

fn update(s: vec4f, g: vec4f, p: ptr<function, vec4f>, a: ptr<function, vec4f>, b: ptr<function, vec4f>, c: ptr<function, vec4f>) {
  *a = BETA1 * *a + REST1 * g;
  *b = BETA2 * *b + REST2 * g * g;
  *p -= (s.y * g + s.z * *a) / (sqrt(*b) * s.w + EPS);
}
