/**
 * The texts of all kernels, so that what was measured with other texts is known to be out of date. A test compares the list
 * with the folder.
 *
 * @module
 */
import activation from "../../shaders/elementwise/activation.wgsl" with { type: "text" };
import adadelta from "../../shaders/optim/adadelta.wgsl" with { type: "text" };
import adagrad from "../../shaders/optim/adagrad.wgsl" with { type: "text" };
import adam from "../../shaders/optim/adam.wgsl" with { type: "text" };
import adamax from "../../shaders/optim/adamax.wgsl" with { type: "text" };
import avgPool2d from "../../shaders/pool/avg_pool2d.wgsl" with { type: "text" };
import benchCount from "../../shaders/bench/bench_count.wgsl" with { type: "text" };
import benchFma from "../../shaders/bench/bench_fma.wgsl" with { type: "text" };
import benchStream from "../../shaders/bench/bench_stream.wgsl" with { type: "text" };
import binary from "../../shaders/elementwise/binary.wgsl" with { type: "text" };
import cat from "../../shaders/shape/cat.wgsl" with { type: "text" };
import checkFinite from "../../shaders/elementwise/check_finite.wgsl" with { type: "text" };
import clipGrad from "../../shaders/optim/clip_grad.wgsl" with { type: "text" };
import conv2d from "../../shaders/conv/conv2d.wgsl" with { type: "text" };
import conv2dGradWeight from "../../shaders/conv/conv2d_grad_weight.wgsl" with { type: "text" };
import conv2dGradWeightShared from "../../shaders/conv/conv2d_grad_weight_shared.wgsl" with { type: "text" };
import conv2dPool from "../../shaders/conv/conv2d_pool.wgsl" with { type: "text" };
import conv2dShared from "../../shaders/conv/conv2d_shared.wgsl" with { type: "text" };
import crossEntropy from "../../shaders/loss/cross_entropy.wgsl" with { type: "text" };
import crossEntropyGrad from "../../shaders/loss/cross_entropy_grad.wgsl" with { type: "text" };
import dropout from "../../shaders/random/dropout.wgsl" with { type: "text" };
import ema from "../../shaders/optim/ema.wgsl" with { type: "text" };
import gatherBatch from "../../shaders/batch/gather_batch.wgsl" with { type: "text" };
import gradNorm from "../../shaders/optim/grad_norm.wgsl" with { type: "text" };
import labelWeights from "../../shaders/loss/label_weights.wgsl" with { type: "text" };
import lion from "../../shaders/optim/lion.wgsl" with { type: "text" };
import logSoftmax from "../../shaders/loss/log_softmax.wgsl" with { type: "text" };
import logSoftmaxGrad from "../../shaders/loss/log_softmax_grad.wgsl" with { type: "text" };
import lookahead from "../../shaders/optim/lookahead.wgsl" with { type: "text" };
import matmul from "../../shaders/matmul/matmul.wgsl" with { type: "text" };
import matmulShared from "../../shaders/matmul/matmul_shared.wgsl" with { type: "text" };
import matmulVec4 from "../../shaders/matmul/matmul_vec4.wgsl" with { type: "text" };
import maxPool2d from "../../shaders/pool/max_pool2d.wgsl" with { type: "text" };
import maxPool2dGrad from "../../shaders/pool/max_pool2d_grad.wgsl" with { type: "text" };
import nadam from "../../shaders/optim/nadam.wgsl" with { type: "text" };
import nllLoss from "../../shaders/loss/nll_loss.wgsl" with { type: "text" };
import nllLossGrad from "../../shaders/loss/nll_loss_grad.wgsl" with { type: "text" };
import norm from "../../shaders/norm/norm.wgsl" with { type: "text" };
import normCombine from "../../shaders/norm/norm_combine.wgsl" with { type: "text" };
import normGrad from "../../shaders/norm/norm_grad.wgsl" with { type: "text" };
import normRunning from "../../shaders/norm/norm_running.wgsl" with { type: "text" };
import normStats from "../../shaders/norm/norm_stats.wgsl" with { type: "text" };
import normSums from "../../shaders/norm/norm_sums.wgsl" with { type: "text" };
import optimizerScalars from "../../shaders/optim/optimizer_scalars.wgsl" with { type: "text" };
import optimizerUpdate from "../../shaders/optim/optimizer_update.wgsl" with { type: "text" };
import pad from "../../shaders/shape/pad.wgsl" with { type: "text" };
import pick from "../../shaders/shape/pick.wgsl" with { type: "text" };
import pointwiseLoss from "../../shaders/loss/pointwise_loss.wgsl" with { type: "text" };
import radam from "../../shaders/optim/radam.wgsl" with { type: "text" };
import recordLoss from "../../shaders/loss/record_loss.wgsl" with { type: "text" };
import reduce from "../../shaders/reduce/reduce.wgsl" with { type: "text" };
import rmsprop from "../../shaders/optim/rmsprop.wgsl" with { type: "text" };
import selectIndex from "../../shaders/shape/select_index.wgsl" with { type: "text" };
import sgd from "../../shaders/optim/sgd.wgsl" with { type: "text" };
import sgdMomentum from "../../shaders/optim/sgd_momentum.wgsl" with { type: "text" };
import shuffle from "../../shaders/batch/shuffle.wgsl" with { type: "text" };
import softCrossEntropy from "../../shaders/loss/soft_cross_entropy.wgsl" with { type: "text" };
import strided from "../../shaders/shape/strided.wgsl" with { type: "text" };
import sumParts from "../../shaders/reduce/sum_parts.wgsl" with { type: "text" };
import unary from "../../shaders/elementwise/unary.wgsl" with { type: "text" };
import upsampleNearest2d from "../../shaders/shape/upsample_nearest2d.wgsl" with { type: "text" };
import { sha256 } from "../files/files.ts";

/** Every file of `shaders/`. */
export const KERNEL_TEXTS: Readonly<Record<string, string>> = {
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
  "elementwise/activation.wgsl": activation,
  "elementwise/binary.wgsl": binary,
  "elementwise/check_finite.wgsl": checkFinite,
  "elementwise/unary.wgsl": unary,
  "loss/cross_entropy.wgsl": crossEntropy,
  "loss/cross_entropy_grad.wgsl": crossEntropyGrad,
  "loss/label_weights.wgsl": labelWeights,
  "loss/log_softmax.wgsl": logSoftmax,
  "loss/log_softmax_grad.wgsl": logSoftmaxGrad,
  "loss/nll_loss.wgsl": nllLoss,
  "loss/nll_loss_grad.wgsl": nllLossGrad,
  "loss/pointwise_loss.wgsl": pointwiseLoss,
  "loss/record_loss.wgsl": recordLoss,
  "loss/soft_cross_entropy.wgsl": softCrossEntropy,
  "matmul/matmul.wgsl": matmul,
  "matmul/matmul_shared.wgsl": matmulShared,
  "matmul/matmul_vec4.wgsl": matmulVec4,
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
  "pool/avg_pool2d.wgsl": avgPool2d,
  "pool/max_pool2d.wgsl": maxPool2d,
  "pool/max_pool2d_grad.wgsl": maxPool2dGrad,
  "random/dropout.wgsl": dropout,
  "reduce/reduce.wgsl": reduce,
  "reduce/sum_parts.wgsl": sumParts,
  "shape/cat.wgsl": cat,
  "shape/pad.wgsl": pad,
  "shape/pick.wgsl": pick,
  "shape/select_index.wgsl": selectIndex,
  "shape/strided.wgsl": strided,
  "shape/upsample_nearest2d.wgsl": upsampleNearest2d,
};

/** The SHA-256 of them all. */
export function kernelsHash(): Promise<string> {
  const encoder = new TextEncoder();
  return sha256(Object.entries(KERNEL_TEXTS).map((entry) => encoder.encode(JSON.stringify(entry))));
}
