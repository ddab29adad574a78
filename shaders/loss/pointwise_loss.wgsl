// y [SIZE] = the loss of each x and its target t, or its slope, times the element's weight, s and SCALE. With d = x −
// t: 0: d². 1, smooth L1: d² / 2 BOUND where |d| < BOUND, else |d| − BOUND / 2. 2, Huber: d² / 2 where |d| <= BOUND,
// else BOUND (|d| − BOUND / 2). 3: −(w t log σ(x) + (1 − t) log(1 − σ(x))), w being the weight of positives.

const OP: u32 = 0u;
// 0: the loss; 1: its slope along x; 2: that along t, which unless OP is 3 is the other's at −d.
const SLOPE: u32 = 0u;
const SIZE: u32 = 1u;
const BOUND: f32 = 1.0;
// 1 / BOUND, or 0 where that is 0.
const INVERSE: f32 = 1.0;
const SCALE: f32 = 1.0;
// s is given, one for all or, if EACH, one for each.
const SCALED: bool = false;
const EACH: bool = false;
const WEIGHTED: bool = false;
const POSITIVE: bool = false;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> t: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
// @if SCALED
@group(0) @binding(3) var<storage, read> s: array<f32>;
// @if WEIGHTED
@group(0) @binding(4) var<storage, read> weights: array<f32>;
// @if POSITIVE
@group(0) @binding(5) var<storage, read> positives: array<f32>;

fn of_difference(d: f32) -> f32 {
  let size = abs(d);
  if (OP == 0u) {
    return select(2.0 * d, d * d, SLOPE == 0u);
  }
  if (OP == 1u) {
    if (SLOPE == 0u) {
      return select(size - 0.5 * BOUND, 0.5 * d * d * INVERSE, size < BOUND);
    }
    return select(select(d * INVERSE, 1.0, d >= BOUND), -1.0, d <= -BOUND);
  }
  if (SLOPE == 0u) {
    return select(BOUND * (size - 0.5 * BOUND), 0.5 * d * d, size <= BOUND);
  }
  return select(select(d, BOUND, d >= BOUND), -BOUND, d <= -BOUND);
}

// With z = exp(−|x|) nothing overflows, and nothing cancels.
fn of_logit(logit: f32, wanted: f32, w: f32) -> f32 {
  let z = exp(-abs(logit));
  let up = logit >= 0.0;
  let share = 1.0 + (w - 1.0) * wanted;
  if (SLOPE == 0u) {
    return select(-w * wanted * logit, (1.0 - wanted) * logit, up) + share * log(1.0 + z);
  }
  if (SLOPE == 1u) {
    let rest = share * z / (1.0 + z);
    return select(rest - w * wanted, 1.0 - wanted - rest, up);
  }
  return (w - 1.0) * (log(1.0 + z) + max(-logit, 0.0)) - logit;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= SIZE) {
    return;
  }
  var value: f32;
  if (OP < 3u) {
    let d = x[i] - t[i];
    value = of_difference(select(d, -d, SLOPE == 2u));
  } else {
    var w = 1.0;
    // @if POSITIVE
    {
      w = positives[i];
    }
    value = of_logit(x[i], t[i], w);
  }
  // @if WEIGHTED
  {
    value *= weights[i];
  }
  // @if SCALED
  {
    value *= s[select(0u, i, EACH)];
  }
  y[i] = value * SCALE;
}
