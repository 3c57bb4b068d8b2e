"""Which build of OpenCV is installed: one that needs no desktop, or one that does.

All builds write the same folder `cv2`; pip installs several without a word, and the last one wins.
Other packages ask for the one with windows, which fails to load on servers.
"""

from importlib.metadata import PackageNotFoundError, version

_WITH_WINDOWS = ("opencv-python", "opencv-contrib-python")


def gui_opencv_warning() -> str | None:
    """One sentence with what to type if a build with windows is installed; None if all is well."""
    found = [name for name in _WITH_WINDOWS if _is_installed(name)]
    if not found:
        return None
    names = " ".join(found)
    # Without the second command nothing is left in the folder that they share.
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
