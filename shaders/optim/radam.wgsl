// RAdam (Liu et al. 2020), as PyTorch has it, for optimizer_update.wgsl. a: the mean of the gradient; b: that of its
// square, which counts from the step on in which its variance can be told.

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
// 1 − BETA1 and 1 − BETA2, which f32 would round.
const REST1: f32 = 0.1;
const REST2: f32 = 0.001;
const EPS: f32 = 1e-8;
// −log β₂; ρ_∞ = 2 / (1 − β₂) − 1; and what this has over 2 / LOG.
const LOG: f32 = 0.0010005;
const RHO: f32 = 1999.0;
const OVER: f32 = 0.00016675;

// ρ_t = ρ_∞ − 2 t β₂ᵗ / (1 − β₂ᵗ), two large numbers whose difference rounding would spoil in the first steps. With
// x = t LOG the second is (2 / LOG) x / (eˣ − 1) = (2 / LOG) (1 − x/2 + x²/12 − x⁴/720 + x⁶/30240 − x⁸/1209600 + …).
fn rho(t: f32, lost: f32) -> f32 {
  let x = t * LOG;
  if (x > 1.0) {
    return RHO - 2.0 * t * (1.0 - lost) / lost;
  }
  let y = x * x;
  return OVER + t * (1.0 - x * (1.0 / 6.0 - y * (1.0 / 360.0 - y * (1.0 / 15120.0 - y / 604800.0))));
}

fn scalars_of(t: f32, rate: f32, lost: vec3f, product: ptr<function, f32>) -> vec4f {
  let length = rho(t, lost.y);
  if (length > 5.0) {
    let rectified = (length - 4.0) / (RHO - 4.0) * (length - 2.0) / (RHO - 2.0) * RHO / length;
    return vec4f(rate, rate / lost.x * sqrt(rectified * lost.y), 1.0, 0.0);
  }
  return vec4f(rate, rate / lost.x, 0.0, 0.0);
}

fn update(s: vec4f, g: vec4f, p: ptr<function, vec4f>, a: ptr<function, vec4f>, b: ptr<function, vec4f>, c: ptr<function, vec4f>) {
  *a = BETA1 * *a + REST1 * g;
  *b = BETA2 * *b + REST2 * g * g;
  *p -= s.y * *a / select(vec4f(1.0), sqrt(*b) + EPS, s.z > 0.0);
}
