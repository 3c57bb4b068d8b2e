"""The tasks of the queue `media`, as the gate's child does them.

A task's function gets the task, whose files are paths, and a folder. It writes its files there, and
returns what it has made.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from inference.media.chart import draw_chart
from inference.media.forms import make_form
from inference.media.result_sheet import draw_sheet
from jobs.media_tasks import CheckTemplate, Made, MediaTask

_FUNCTIONS: dict[str, Callable[[Any, Path], Made]] = {
    "form": make_form,
    "sheet": draw_sheet,
    "chart": draw_chart,
}


def do_task(_source: Path, folder: Path, request: dict[str, Any]) -> Made:
    """Do the task of a request and return what was made.

    Raises:
        MediaError: a file cannot be used.
        DiskFull, EncoderFailed: a file cannot be written.
    """
    task: MediaTask = TypeAdapter(MediaTask).validate_python(request["task"])
    if isinstance(task, CheckTemplate):
        # Engines, which the other tasks do not need, take long to load.
        from inference.template_check import check_template  # noqa: PLC0415

        return check_template(task, folder, Path(request["checkpoints_dir"]))
    return _FUNCTIONS[task.kind](task, folder)
