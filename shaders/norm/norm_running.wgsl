// running = (1 − f) running + f batch, for the means and the variances [CHANNELS] of batches. The variance of a batch with
// COUNT elements in each channel is multiplied by COUNT / (COUNT − 1): the unbiased estimate. batches counts the batches;
// f is MOMENTUM, or, if CUMULATIVE, 1 / batches. There is one workgroup.

const CHANNELS: u32 = 1u;
const COUNT: u32 = 2u;
const MOMENTUM: f32 = 0.1;
const COUNTED: bool = true;
const CUMULATIVE: bool = true;

@group(0) @binding(0) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(1) var<storage, read_write> running_variance: array<f32>;
// @if COUNTED
@group(0) @binding(2) var<storage, read_write> batches: array<u32>;
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> variance: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  var f = MOMENTUM;
  // @if CUMULATIVE
  f = 1.0 / f32(batches[0] + 1u);
  for (var c = lane; c < CHANNELS; c += 64u) {
    running_mean[c] = (1.0 - f) * running_mean[c] + f * mean[c];
    running_variance[c] = (1.0 - f) * running_variance[c] + f * variance[c] * (f32(COUNT) / f32(COUNT - 1u));
  }
  // All lanes have read the count.
  // @if CUMULATIVE
  workgroupBarrier();
  // @if COUNTED
  if (lane == 0u) {
    batches[0] += 1u;
  }
}
