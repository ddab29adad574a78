// y [SIZE] = (x − mean) / √(variance + EPS) (weight) (+ bias). Element e has the mean and the variance of the set
// e / INNER % SETS, and the weight and the bias of the channel e / PLANE % CHANNELS. An element may be a vector of four;
// so may a weight and a bias, where neighbouring elements have different ones.

alias V = f32;
alias W = f32;
const SIZE: u32 = 1u;
const SETS: u32 = 1u;
const INNER: u32 = 1u;
const CHANNELS: u32 = 1u;
const PLANE: u32 = 1u;
const EPS: f32 = 0.0;
const WEIGHT: bool = true;
const BIAS: bool = true;

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> mean: array<f32>;
@group(0) @binding(2) var<storage, read> variance: array<f32>;
// @if WEIGHT
@group(0) @binding(3) var<storage, read> weight: array<W>;
// @if BIAS
@group(0) @binding(4) var<storage, read> bias: array<W>;
@group(0) @binding(5) var<storage, read_write> y: array<V>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let e = (group.y * groups.x + group.x) * 64u + lane;
  if (e >= SIZE) {
    return;
  }
  let s = e / INNER % SETS;
  let channel = e / PLANE % CHANNELS;
  var value = (x[e] - mean[s]) * inverseSqrt(variance[s] + EPS);
  // @if WEIGHT
  value *= weight[channel];
  // @if BIAS
  value += bias[channel];
  y[e] = value;
}
