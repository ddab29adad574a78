// Adam (Kingma & Ba 2015), AMSGrad (Reddi et al. 2018) and AdamW (Loshchilov & Hutter 2019), as PyTorch has them, for
// optimizer_update.wgsl. a: the mean of the gradient; b: that of its square; c: the largest b so far.

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
// 1 − BETA1 and 1 − BETA2, which f32 would round.
const REST1: f32 = 0.1;
const REST2: f32 = 0.001;
const EPS: f32 = 1e-8;
const AMSGRAD: bool = false;

fn scalars_of(t: f32, rate: f32, lost: vec3f, product: ptr<function, f32>) -> vec4f {
  return vec4f(rate, rate / lost.x, 1.0 / sqrt(lost.y), 0.0);
}

fn update(s: vec4f, g: vec4f, p: ptr<function, vec4f>, a: ptr<function, vec4f>, b: ptr<function, vec4f>, c: ptr<function, vec4f>) {
  *a = BETA1 * *a + REST1 * g;
  *b = BETA2 * *b + REST2 * g * g;
  var square = *b;
  if (AMSGRAD) {
    square = max(*c, square);
    *c = square;
  }
  *p -= s.y * *a / (sqrt(square) * s.z + EPS);
}
