"""Detect a build of OpenCV with GUI support, which fails to load on servers.

All builds install the same package `cv2`. pip installs several of them without a warning, and the
last one wins.
"""

from importlib.metadata import PackageNotFoundError, version

_WITH_GUI = ("opencv-python", "opencv-contrib-python")


def gui_opencv_warning() -> str | None:
    """Return a sentence with what to type if a build with a GUI is installed; None otherwise."""
    found = [name for name in _WITH_GUI if _is_installed(name)]
    if not found:
        return None
    names = " ".join(found)
    # Uninstalling also deletes the files that they share, hence the second command.
    return (
        f"{' and '.join(found)} took the place of opencv-python-headless and may not load without "
        f"a desktop: .venv/bin/pip uninstall --yes {names} && .venv/bin/pip install "
        "--force-reinstall --no-deps --constraint constraints.txt opencv-python-headless"
    )


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
