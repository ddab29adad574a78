/**
 * Every file of `shaders/`, by its path there: kernels and what they include, of which those in `parts/` are statements. A
 * new file is added here: a test compares the list with the folder.
 *
 * @module
 */
import gatherBatch from "./batch/gather_batch.wgsl" with { type: "text" };
import shuffle from "./batch/shuffle.wgsl" with { type: "text" };
import benchCount from "./bench/bench_count.wgsl" with { type: "text" };
import benchFma from "./bench/bench_fma.wgsl" with { type: "text" };
import benchStream from "./bench/bench_stream.wgsl" with { type: "text" };
import conv2d from "./conv/conv2d.wgsl" with { type: "text" };
import conv2dGradWeight from "./conv/conv2d_grad_weight.wgsl" with { type: "text" };
import conv2dGradWeightShared from "./conv/conv2d_grad_weight_shared.wgsl" with { type: "text" };
import conv2dPool from "./conv/conv2d_pool.wgsl" with { type: "text" };
import conv2dShared from "./conv/conv2d_shared.wgsl" with { type: "text" };
import convShape from "./conv/shape.wgsl" with { type: "text" };
import convWindow from "./conv/window.wgsl" with { type: "text" };
import activation from "./elementwise/activation.wgsl" with { type: "text" };
import binary from "./elementwise/binary.wgsl" with { type: "text" };
import checkFinite from "./elementwise/check_finite.wgsl" with { type: "text" };
import unary from "./elementwise/unary.wgsl" with { type: "text" };
import countCorrect from "./loss/count_correct.wgsl" with { type: "text" };
import crossEntropy from "./loss/cross_entropy.wgsl" with { type: "text" };
import crossEntropyGrad from "./loss/cross_entropy_grad.wgsl" with { type: "text" };
import labelWeights from "./loss/label_weights.wgsl" with { type: "text" };
import logSoftmax from "./loss/log_softmax.wgsl" with { type: "text" };
import logSoftmaxGrad from "./loss/log_softmax_grad.wgsl" with { type: "text" };
import nllLoss from "./loss/nll_loss.wgsl" with { type: "text" };
import nllLossGrad from "./loss/nll_loss_grad.wgsl" with { type: "text" };
import pointwiseLoss from "./loss/pointwise_loss.wgsl" with { type: "text" };
import recordStep from "./loss/record_step.wgsl" with { type: "text" };
import softCrossEntropy from "./loss/soft_cross_entropy.wgsl" with { type: "text" };
import matmul from "./matmul/matmul.wgsl" with { type: "text" };
import matmulShared from "./matmul/matmul_shared.wgsl" with { type: "text" };
import matmulVec4 from "./matmul/matmul_vec4.wgsl" with { type: "text" };
import matmulTile from "./matmul/tile.wgsl" with { type: "text" };
import norm from "./norm/norm.wgsl" with { type: "text" };
import normCombine from "./norm/norm_combine.wgsl" with { type: "text" };
import normGrad from "./norm/norm_grad.wgsl" with { type: "text" };
import normRunning from "./norm/norm_running.wgsl" with { type: "text" };
import normStats from "./norm/norm_stats.wgsl" with { type: "text" };
import normSums from "./norm/norm_sums.wgsl" with { type: "text" };
import adadelta from "./optim/adadelta.wgsl" with { type: "text" };
import adagrad from "./optim/adagrad.wgsl" with { type: "text" };
import adam from "./optim/adam.wgsl" with { type: "text" };
import adamax from "./optim/adamax.wgsl" with { type: "text" };
import clipGrad from "./optim/clip_grad.wgsl" with { type: "text" };
import ema from "./optim/ema.wgsl" with { type: "text" };
import formula from "./optim/formula.wgsl" with { type: "text" };
import gradNorm from "./optim/grad_norm.wgsl" with { type: "text" };
import lion from "./optim/lion.wgsl" with { type: "text" };
import lookahead from "./optim/lookahead.wgsl" with { type: "text" };
import nadam from "./optim/nadam.wgsl" with { type: "text" };
import optimizerScalars from "./optim/optimizer_scalars.wgsl" with { type: "text" };
import optimizerUpdate from "./optim/optimizer_update.wgsl" with { type: "text" };
import radam from "./optim/radam.wgsl" with { type: "text" };
import rmsprop from "./optim/rmsprop.wgsl" with { type: "text" };
import sgd from "./optim/sgd.wgsl" with { type: "text" };
import sgdMomentum from "./optim/sgd_momentum.wgsl" with { type: "text" };
import epiloguePart from "./parts/epilogue.wgsl" with { type: "text" };
import tileSumPart from "./parts/tile_sum.wgsl" with { type: "text" };
import avgPool2d from "./pool/avg_pool2d.wgsl" with { type: "text" };
import maxPool2d from "./pool/max_pool2d.wgsl" with { type: "text" };
import maxPool2dGrad from "./pool/max_pool2d_grad.wgsl" with { type: "text" };
import dropout from "./random/dropout.wgsl" with { type: "text" };
import reduce from "./reduce/reduce.wgsl" with { type: "text" };
import cat from "./shape/cat.wgsl" with { type: "text" };
import pad from "./shape/pad.wgsl" with { type: "text" };
import pick from "./shape/pick.wgsl" with { type: "text" };
import selectIndex from "./shape/select_index.wgsl" with { type: "text" };
import strided from "./shape/strided.wgsl" with { type: "text" };
import upsampleNearest2d from "./shape/upsample_nearest2d.wgsl" with { type: "text" };

/** The texts of all files, by their paths in `shaders/`. */
export const SHADERS = {
  "batch/gather_batch.wgsl": gatherBatch,
  "batch/shuffle.wgsl": shuffle,
  "bench/bench_count.wgsl": benchCount,
  "bench/bench_fma.wgsl": benchFma,
  "bench/bench_stream.wgsl": benchStream,
  "conv/conv2d.wgsl": conv2d,
  "conv/conv2d_grad_weight.wgsl": conv2dGradWeight,
  "conv/conv2d_grad_weight_shared.wgsl": conv2dGradWeightShared,
  "conv/conv2d_pool.wgsl": conv2dPool,
  "conv/conv2d_shared.wgsl": conv2dShared,
  "conv/shape.wgsl": convShape,
  "conv/window.wgsl": convWindow,
  "elementwise/activation.wgsl": activation,
  "elementwise/binary.wgsl": binary,
  "elementwise/check_finite.wgsl": checkFinite,
  "elementwise/unary.wgsl": unary,
  "loss/count_correct.wgsl": countCorrect,
  "loss/cross_entropy.wgsl": crossEntropy,
  "loss/cross_entropy_grad.wgsl": crossEntropyGrad,
  "loss/label_weights.wgsl": labelWeights,
  "loss/log_softmax.wgsl": logSoftmax,
  "loss/log_softmax_grad.wgsl": logSoftmaxGrad,
  "loss/nll_loss.wgsl": nllLoss,
  "loss/nll_loss_grad.wgsl": nllLossGrad,
  "loss/pointwise_loss.wgsl": pointwiseLoss,
  "loss/record_step.wgsl": recordStep,
  "loss/soft_cross_entropy.wgsl": softCrossEntropy,
  "matmul/matmul.wgsl": matmul,
  "matmul/matmul_shared.wgsl": matmulShared,
  "matmul/matmul_vec4.wgsl": matmulVec4,
  "matmul/tile.wgsl": matmulTile,
  "norm/norm.wgsl": norm,
  "norm/norm_combine.wgsl": normCombine,
  "norm/norm_grad.wgsl": normGrad,
  "norm/norm_running.wgsl": normRunning,
  "norm/norm_stats.wgsl": normStats,
  "norm/norm_sums.wgsl": normSums,
  "optim/adadelta.wgsl": adadelta,
  "optim/adagrad.wgsl": adagrad,
  "optim/adam.wgsl": adam,
  "optim/adamax.wgsl": adamax,
  "optim/clip_grad.wgsl": clipGrad,
  "optim/ema.wgsl": ema,
  "optim/formula.wgsl": formula,
  "optim/grad_norm.wgsl": gradNorm,
  "optim/lion.wgsl": lion,
  "optim/lookahead.wgsl": lookahead,
  "optim/nadam.wgsl": nadam,
  "optim/optimizer_scalars.wgsl": optimizerScalars,
  "optim/optimizer_update.wgsl": optimizerUpdate,
  "optim/radam.wgsl": radam,
  "optim/rmsprop.wgsl": rmsprop,
  "optim/sgd.wgsl": sgd,
  "optim/sgd_momentum.wgsl": sgdMomentum,
  "parts/epilogue.wgsl": epiloguePart,
  "parts/tile_sum.wgsl": tileSumPart,
  "pool/avg_pool2d.wgsl": avgPool2d,
  "pool/max_pool2d.wgsl": maxPool2d,
  "pool/max_pool2d_grad.wgsl": maxPool2dGrad,
  "random/dropout.wgsl": dropout,
  "reduce/reduce.wgsl": reduce,
  "shape/cat.wgsl": cat,
  "shape/pad.wgsl": pad,
  "shape/pick.wgsl": pick,
  "shape/select_index.wgsl": selectIndex,
  "shape/strided.wgsl": strided,
  "shape/upsample_nearest2d.wgsl": upsampleNearest2d,
} as const satisfies Readonly<Record<string, string>>;

/** A file of `shaders/`, and those that it may include. */
interface ShaderFile {
  readonly file: string;
  readonly source: string;
  readonly includes: Readonly<Record<string, ShaderFile>>;
}

const files: Record<string, ShaderFile> = {};
for (const [file, source] of Object.entries(SHADERS)) files[file] = { file, source, includes: files };

/** The kernel in a file of `shaders/`, such as `shader("conv/conv2d.wgsl")`. */
export function shader(file: keyof typeof SHADERS): ShaderFile {
  return files[file]!;
}
