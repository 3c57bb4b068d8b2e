"""Starts the gate's child by a fork of a process that has loaded its libraries.

Each line of stdin is JSON: the files of the child, its folder and its variables. Answered are its
process id at once, and its status and its largest memory (KB) when it has ended.
"""

import json
import os
import sys
import tempfile
import traceback
from typing import Any

import cv2

import inference.faces.finder
import inference.media.clip_check
import inference.media.clip_frames
import inference.media.normalised_clip
import inference.media.numbered_sheet
import inference.media.photo
import inference.media.sound
import inference.voice.analysis
import inference.voice.phones
import inference.voice.sound
import inference.voice.speech  # noqa: F401
from inference.media import gate_child


def main() -> None:
    cv2.setNumThreads(2)
    for line in sys.stdin:
        start(json.loads(line))


def start(order: dict[str, Any]) -> None:
    pid = os.fork()
    if pid == 0:
        become_child(order)
    print(pid, flush=True)  # noqa: T201
    _, status, used = os.wait4(pid, 0)
    print(os.waitstatus_to_exitcode(status), used.ru_maxrss, flush=True)  # noqa: T201


def become_child(order: dict[str, Any]) -> None:
    status = 1
    try:
        os.setsid()
        for number, path in enumerate(order["files"]):
            file = os.open(path, os.O_RDONLY if number == 0 else os.O_RDWR)
            os.dup2(file, number)
        sys.stdin = os.fdopen(0)
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        tempfile.tempdir = None
        gate_child.main()
        status = 0
    except BaseException:  # noqa: BLE001 - what the interpreter would do
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
