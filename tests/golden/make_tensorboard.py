#!/usr/bin/env python3
"""Writes tests/golden/tensorboard/events with an independent implementation.

The records are framed by tensorboardX and encoded by protobuf's own encoder. tests/unit/
test_tensorboard.c writes the same events to the same bytes. Afterwards TensorBoard's own reader has
to agree on every value, step and time; it also reads the file given as an argument, if any.

Made with: Python 3.11.7, tensorboardX 2.6.5, protobuf 7.36.2, tensorboard 2.21.0, numpy 2.4.6.
Run with:  python3 -m pip install tensorboardX==2.6.5 protobuf==7.36.2 tensorboard==2.21.0 &&
           python3 tests/golden/make_tensorboard.py [event file to check]
"""

import math
import pathlib
import shutil
import struct
import sys
import tempfile
import time
from unittest import mock

from tensorboard.backend.event_processing import event_accumulator
from tensorboardX import event_file_writer, summary
from tensorboardX.proto import event_pb2

TARGET = pathlib.Path(__file__).parent / "tensorboard" / "events"
START = 1763781845.25  # 2025-11-22T03:24:05.25Z; every event is half a second later

# Step, then tag and value; one event each.
SCALARS = [
    (0, [("train/loss_nats", 0.5)]),
    (7, [("train/loss_nats", 0.25), ("kl_nats_mean", -0.0015)]),
    (8, [("kl_nats_mean", math.inf), ("reward.margin-2", math.nan)]),
    (2**40, [("train/loss_nats", 0.0), ("kl_nats_mean", 1e30)]),
]
TEXT = (3, "config", "# caf\u00e9\n" + "x" * 200)
RESTART = 9


def events():
    wall_time = START
    for step, values in SCALARS:
        wall_time += 0.5
        event = event_pb2.Event(wall_time=wall_time, step=step)
        for tag, value in values:
            event.summary.value.append(summary.scalar(tag, value).value[0])
        yield event
    step, tag, text = TEXT
    yield event_pb2.Event(wall_time=wall_time + 0.5, step=step, summary=summary.text(tag, text))
    log = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    yield event_pb2.Event(wall_time=wall_time + 1.0, step=RESTART, session_log=log)


def write(folder):
    with mock.patch.object(time, "time", lambda: START):
        writer = event_file_writer.EventsWriter(str(pathlib.Path(folder) / "events"))
    for event in events():
        writer.write_event(event)
    writer.close()
    return next(pathlib.Path(folder).iterdir())


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def check(path):
    """TensorBoard's reader sees exactly the events above."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, pathlib.Path(folder) / "events.out.tfevents.1763781845.host")
        reader = event_accumulator.EventAccumulator(
            folder, size_guidance={"scalars": 0, "tensors": 0}, purge_orphaned_data=False)
        reader.Reload()
    expected = {}
    for i, (step, values) in enumerate(SCALARS):
        for tag, value in values:
            expected.setdefault(tag, []).append((START + 0.5 * (i + 1), step, float32(value)))
    assert sorted(reader.Tags()["scalars"]) == sorted(expected), reader.Tags()
    for tag, rows in expected.items():
        found = [(s.wall_time, s.step, s.value) for s in reader.Scalars(tag)]
        assert repr(found) == repr(rows), (tag, found, rows)
    step, tag, text = TEXT
    (found,) = reader.Tensors(tag + "/text_summary")
    assert found.step == step and found.tensor_proto.string_val == [text.encode()], found
    assert reader.PluginTagToContent("text") == {tag + "/text_summary": b""}
    assert reader.file_version == 2.0


def main():
    with tempfile.TemporaryDirectory() as folder:
        TARGET.parent.mkdir(exist_ok=True)
        shutil.copy(write(folder), TARGET)
    for path in [TARGET, *sys.argv[1:]]:
        check(path)
        print(f"TensorBoard agrees with '{path}'")


if __name__ == "__main__":
    main()
