// Counts a step of COUNT parameters, those that stepping names, and makes of each one's count the scalars of its
// update: by the function `scalars_of` of the optimizer's own file, such as adam.wgsl, which is included instead of
// formula.wgsl.

const COUNT: u32 = 1u;
// The natural logarithms of what decays by a factor in each step.
const DECAYS: array<f32, 3> = array<f32, 3>(-0.1, -0.001, 0.0);
// The optimizer keeps a product of one factor for each step.
const PRODUCT: bool = true;

@group(0) @binding(0) var<storage, read_write> steps: array<u32>;
@group(0) @binding(1) var<storage, read> rate: array<f32>;
@group(0) @binding(2) var<storage, read> stepping: array<u32>;
// @if PRODUCT
@group(0) @binding(3) var<storage, read_write> products: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;

// @include "optim/formula.wgsl"

// 1 − eˣ for x of 0 or less. Near 0 the difference would be lost to rounding: there it is the series
// −x (1 + x/2 (1 + x/3 (…))), whose terms left out are below 1e-8.
fn one_minus_exp(x: f32) -> f32 {
  if (x < -1.0) {
    return 1.0 - exp(x);
  }
  var sum = 1.0;
  for (var n = 11.0; n > 1.5; n -= 1.0) {
    sum = 1.0 + x / n * sum;
  }
  return -x * sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let j = (group.y * groups.x + group.x) * 64u + lane;
  if (j < COUNT) {
    let i = stepping[j];
    let count = steps[i] + 1u;
    steps[i] = count;
    let t = f32(count);
    let lost = vec3f(one_minus_exp(t * DECAYS[0]), one_minus_exp(t * DECAYS[1]), one_minus_exp(t * DECAYS[2]));
    var product: f32;
    // @if PRODUCT
    product = products[i];
    out[i] = scalars_of(t, rate[0], lost, &product);
    // @if PRODUCT
    products[i] = product;
  }
}
