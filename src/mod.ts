/**
 * wgrad's library: tensors, automatic differentiation, modules and optimizers on WebGPU, under PyTorch's names.
 *
 * @module
 */
export {
  DataError,
  DeviceLostError,
  GpuError,
  ShapeError,
  TrainingError,
  UsageError,
  WeightsError,
  WgradError,
} from "./errors.ts";
export type { AdapterInfo, AdapterKind } from "./backend/adapter.ts";
export { type BackendName as Backend, BACKENDS, type DeviceOptions } from "./backend/options.ts";
export type { Data, DType, Shape } from "./graph/node.ts";
export { type BackwardOptions, type HookHandle, Tensor } from "./tensor/tensor.ts";
export {
  arange,
  full,
  type Nested,
  noGrad,
  ones,
  rand,
  randint,
  randn,
  tensor,
  type TensorOptions,
  zeros,
} from "./tensor/create.ts";
export { getRngState, manualSeed, setRngState } from "./tensor/random_state.ts";
export { compile, Program } from "./tensor/compile.ts";
export { init } from "./tensor/init.ts";
export { cat, chunk, narrow, split, stack } from "./tensor/join.ts";
export type { GradFn } from "./tensor/autograd.ts";
export { grad, type GradOptions } from "./tensor/grad.ts";
export { gradcheck, type GradcheckOptions } from "./tensor/gradcheck.ts";
export { detectAnomaly, setDetectAnomaly } from "./tensor/anomaly.ts";
export { load, save } from "./nn/files.ts";
export { exportOnnx, type OnnxOptions } from "./onnx/export.ts";
export * as F from "./nn/functional.ts";
export * as nn from "./nn.ts";
export * as optim from "./optim/mod.ts";
