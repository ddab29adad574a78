"""What TensorBoard reads of a run's folder, as JSON: python read_events.py FOLDER

Both of its readers are asked: the one for scripts (`event_accumulator`), and the one whose data its pages show
(`plugin_event_accumulator`), which turns everything into tensors. Numbers are strings, so that NaN is one too.
"""
import base64
import json
import logging
import sys
from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator
from tensorboard.util import tensor_util

logging.disable(logging.WARNING)  # It tells of each purge, which is what is asked of it.


def strings(array):
    return [strings(row) for row in array] if getattr(array, "ndim", 0) else repr(float(array))


def scripts(folder):
    log = event_accumulator.EventAccumulator(folder, size_guidance=dict.fromkeys(
        [event_accumulator.SCALARS, event_accumulator.IMAGES, event_accumulator.HISTOGRAMS], 0))
    log.Reload()
    tags = log.Tags()
    return {
        "version": log.file_version,
        "scalars": {
            tag: [[e.step, repr(e.value), repr(e.wall_time)] for e in log.Scalars(tag)]
            for tag in tags["scalars"]
        },
        "images": {
            tag: [[e.step, e.width, e.height, base64.b64encode(e.encoded_image_string).decode()]
                  for e in log.Images(tag)]
            for tag in tags["images"]
        },
        "histograms": {
            tag: [
                [
                    e.step,
                    [repr(float(x)) for x in [h.min, h.max, h.num, h.sum, h.sum_squares]],
                    [repr(x) for x in h.bucket_limit],
                    [repr(x) for x in h.bucket],
                ] for e in log.Histograms(tag) for h in [e.histogram_value]
            ] for tag in tags["histograms"]
        },
    }


def pages(folder):
    log = plugin_event_accumulator.EventAccumulator(folder, tensor_size_guidance=dict.fromkeys(
        ["scalars", "images", "histograms", "text"], 0))
    log.Reload()

    def value(plugin, tensor):
        array = tensor_util.make_ndarray(tensor)
        if plugin == "text":
            return [text.decode() for text in array.reshape(-1)]
        if plugin == "images":
            return [array[0].decode(), array[1].decode(), *[base64.b64encode(image).decode() for image in array[2:]]]
        return strings(array)

    return {
        plugin: {
            tag: [[e.step, value(plugin, e.tensor_proto)] for e in log.Tensors(tag)]
            for tag in log.PluginTagToContent(plugin)
        } for plugin in log.ActivePlugins()
    }


print(json.dumps({"scripts": scripts(sys.argv[1]), "pages": pages(sys.argv[1])}))
