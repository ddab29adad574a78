// y [SIZE] = the activation OP of x, or, with GRAD, dx = its slope times dy. For sigmoid and tanh the slope is that at
// the x whose activation is given. No intermediate overflows where the result does not.

// 0 sigmoid, 1 tanh, 2 hardtanh, 3 leaky relu, 4 elu, 5 gelu, 6 gelu by tanh, 7 silu, 8 softplus, 9 log sigmoid,
// 10 hardswish.
const OP: u32 = 0u;
const GRAD: bool = false;
const SIZE: u32 = 1u;
// Its options: 2 the least and the largest value, 3 the slope of negatives, 4 alpha, 8 beta and the threshold.
const A: f32 = 0.0;
const B: f32 = 0.0;

@group(0) @binding(0) var<storage, read> x: array<f32>;
// @if GRAD
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// Comparisons with NaN are false everywhere, but drivers may assume that there is none: look at the bits.
fn is_nan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn sigmoid(v: f32) -> f32 {
  let e = exp(-abs(v));
  return select(e, 1.0, v >= 0.0) / (1.0 + e);
}

// WGSL's tanh may overflow, and is not exact near 0.
fn tanh_of(v: f32) -> f32 {
  let s = v * v;
  if (s < 0.390625) {
    let p = (((-0.0057049864 * s + 0.020639086) * s - 0.05373972) * s + 0.13331442) * s - 0.3333328;
    return v + v * s * p;
  }
  return sign(v) * (1.0 - 2.0 / (exp(2.0 * min(abs(v), 16.0)) + 1.0));
}

// log(1 + e) for e from 0 to 1: 2 atanh(e / (2 + e)), which does not cancel.
fn log1p(e: f32) -> f32 {
  let s = e / (2.0 + e);
  let q = s * s;
  return s * ((((0.28178334 * q + 0.27960601) * q + 0.4002491) * q + 0.66666317) * q + 2.0);
}

// The density of the normal distribution, and its cumulative probability (1 + erf(v / sqrt 2)) / 2: its tail is t P(t)
// exp(-v^2 / 2) with t = 1 / (1 + 0.35 |v|), P being fitted to 3e-8 of the tail up to |v| = 12.
fn normal(v: f32) -> vec2f {
  let e = exp(-0.5 * min(v * v, 400.0));
  let t = 1.0 / (1.0 + 0.35 * abs(v));
  var p = -0.028987568;
  p = p * t + 0.1431846;
  p = p * t - 0.25404963;
  p = p * t + 0.15722300;
  p = p * t - 0.021727579;
  p = p * t + 0.1049039;
  p = p * t + 0.1199914;
  p = p * t + 0.1398391;
  p = p * t + 0.13962276;
  let tail = p * t * e;
  return vec2f(0.3989423 * e, select(tail, 1.0 - tail, v > 0.0));
}

// gelu by tanh is x sigmoid(this): 2 sqrt(2 / pi) (x + 0.044715 x^3).
fn inner(v: f32) -> f32 {
  return 1.5957691 * v * (1.0 + 0.044715 * min(v * v, 1e4));
}

fn activation(v: f32) -> f32 {
  switch (OP) {
    case 0u: { return sigmoid(v); }
    case 1u: { return tanh_of(v); }
    case 2u: { return select(select(v, A, v < A), B, v > B); }
    case 3u: { return select(A * v, v, v > 0.0); }
    case 4u: {
      // exp(v) - 1 does not cancel so.
      let t = tanh_of(0.5 * min(v, 0.0));
      return select(A * 2.0 * t / (1.0 - t), v, v > 0.0);
    }
    case 5u: { return v * normal(v).y; }
    case 6u: { return v * sigmoid(inner(v)); }
    case 7u: { return v * sigmoid(v); }
    case 8u: {
      let scaled = A * v;
      return select((max(scaled, 0.0) + log1p(exp(-abs(scaled)))) / A, v, scaled > B);
    }
    case 9u: { return min(v, 0.0) - log1p(exp(-abs(v))); }
    default: { return v * (clamp(v + 3.0, 0.0, 6.0) / 6.0); }
  }
}

// The slope at v, which is the activation itself for sigmoid and tanh, times d.
fn gradient(v: f32, d: f32) -> f32 {
  switch (OP) {
    case 0u: { return d * (v * (1.0 - v)); }
    case 1u: { return d * (1.0 - v * v); }
    case 2u: { return select(d, 0.0, v <= A || v >= B); }
    case 3u: { return select(A * d, d, v > 0.0); }
    case 4u: { return select(d, d * (A * exp(min(v, 0.0))), v <= 0.0); }
    case 5u: {
      let n = normal(v);
      return d * (n.y + v * n.x);
    }
    case 6u: {
      let u = inner(v);
      let s = sigmoid(u);
      return d * (s + v * (s * sigmoid(-u)) * 1.5957691 * (1.0 + 0.134145 * min(v * v, 1e4)));
    }
    case 7u: { return d * (sigmoid(v) * (1.0 + v * sigmoid(-v))); }
    case 8u: { return select(d * sigmoid(A * v), d, A * v > B); }
    case 9u: { return d * sigmoid(-v); }
    default: { return select(select(d, d * (v / 3.0 + 0.5), v < 3.0), 0.0, v < -3.0); }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= SIZE) {
    return;
  }
  let v = x[i];
  var value = select(activation(v), v, is_nan(v));
  // @if GRAD
  {
    value = gradient(v, dy[i]);
  }
  y[i] = value;
}
