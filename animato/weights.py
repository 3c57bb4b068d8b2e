"""`animato weights list`, `fetch`, `verify`, `convert`, `import` and `check`."""

import argparse
import sys
from pathlib import Path

from inference.engine_options import EngineOptions
from inference.weights.catalogue import Mirror, WeightsFile
from inference.weights.store import WeightsStore
from jobs.settings import Settings
from jobs.weights_errors import WeightsCorrupt

_DEFAULT = "vox-cpk"


def store_of(settings: Settings, *, folder: Path | None = None, is_quiet: bool) -> WeightsStore:
    """Return the weights store of the settings, which prints to stderr what it does.

    Args:
        settings: this machine's.
        folder: where weights are stored; None: the folder of the settings.
        is_quiet: whether it prints nothing.
    """

    def say(sentence: str) -> None:
        if not is_quiet:
            sys.stderr.write(f"{sentence}\n")

    return WeightsStore(
        folder or settings.checkpoints_dir,
        mirror=settings.weights_mirror,
        is_offline=settings.offline,
        say=say,
        shows_progress=not is_quiet,
    )


def print_weights(store: WeightsStore, _arguments: argparse.Namespace) -> None:
    """Print every known file: whether it is there, its hash, and where to get it."""
    for wanted in store.catalogue.files:
        lines = [f"{wanted.name}: {store.state_of(wanted)}", *_facts(wanted)]
        sys.stdout.write("\n    ".join(lines) + "\n\n")
    sys.stdout.write(f"They are stored in {store.folder}.\n")
    if store.mirror:
        sys.stdout.write("ANIMATO_WEIGHTS_MIRROR replaces all addresses above.\n")
    if store.is_offline:
        sys.stdout.write("ANIMATO_OFFLINE is set: nothing is downloaded.\n")


def fetch(store: WeightsStore, arguments: argparse.Namespace) -> None:
    """Fetch the named weights, and print the files that are ready for use.

    Raises:
        UnknownWeights: the catalogue has no such name; nothing was fetched.
        WeightsError: a file cannot be fetched.
    """
    wanted = [
        file for name in arguments.names or [_DEFAULT] for file in store.catalogue.named(name)
    ]
    missing = [file for file in dict.fromkeys(wanted) if store.state_of(file) == "not there"]
    if len(missing) > 1:
        total_mb = sum(file.probable_bytes for file in missing) / 1e6
        store.say(f"{len(missing)} files to download, {total_mb:.0f} MB together")
    for file in dict.fromkeys(wanted):
        sys.stdout.write(f"{store.fetch(file)}\n")


def verify_all(store: WeightsStore, _arguments: argparse.Namespace) -> None:
    """Print for each stored file whether it is correct.

    Raises:
        WeightsCorrupt: the first file that is not.
    """
    wrong = None
    checked = None
    for checked in store.verify():
        state = "right" if checked.is_right else "WRONG"
        sys.stdout.write(f"{state} {checked.path.name}: {checked.finding}\n")
        if not checked.is_right and wrong is None:
            wrong = checked
    if checked is None:
        sys.stdout.write(f"there are no weights in {store.folder}\n")
    if wrong is not None:
        raise WeightsCorrupt(path=str(wrong.path), reason=wrong.finding)


def convert(store: WeightsStore, arguments: argparse.Namespace) -> None:
    """Convert a checkpoint, and print the file that engines load."""
    sys.stdout.write(f"{store.convert(arguments.path)}\n")


def import_file(store: WeightsStore, arguments: argparse.Namespace) -> None:
    """Import a file, and print its hash and the file that engines load."""
    digests, usable = store.import_file(arguments.path)
    name = arguments.path.name
    sys.stdout.write(f"{name}: {digests.size_bytes} bytes, sha256 {digests.sha256}\n")
    if not store.catalogue.with_file(name) or usable != arguments.path:
        sys.stdout.write(f"{usable}\n")
    elif usable.parent.resolve() != store.folder.resolve():
        sys.stdout.write(f"it is the published file; engines look for it in {store.folder}\n")


def check(store: WeightsStore, arguments: argparse.Namespace) -> None:
    """Run an engine on a portrait, print the findings, and write the contact sheet."""
    # The other commands need no pictures.
    from inference.engine import ready_engine  # noqa: PLC0415
    from inference.engine_check import check_engine  # noqa: PLC0415
    from inference.fomm.weights_check import check_weights  # noqa: PLC0415

    options = EngineOptions(
        config=arguments.config, checkpoint=arguments.checkpoint, device=arguments.device
    )

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        # There may be minutes between two lines.
        sys.stdout.flush()

    if arguments.engine == "fomm":
        check_weights(options, store, arguments.output, say)
    else:
        check_engine(ready_engine(arguments.engine)(options, store), arguments.output, say)


def _facts(wanted: WeightsFile) -> list[str]:
    size = f"{wanted.size_bytes} bytes" if wanted.size_bytes else "size not recorded"
    if not wanted.size_bytes and wanted.about_bytes:
        size = f"about {wanted.about_bytes / 1e6:.0f} MB"
    facts = [f"{wanted.file}, {size}"]
    facts += [f"sha256 {wanted.sha256}"] if wanted.sha256 else []
    facts += [f"md5 {wanted.md5}"] if wanted.md5 else []
    if not wanted.hash:
        facts.append("no known hash: never downloaded, `animato weights import PATH` accepts it")
    facts += [_address(mirror) for mirror in wanted.mirrors]
    facts += [f"by hand: {wanted.by_hand}"] if wanted.by_hand else []
    return [*facts, f"licence: {wanted.licence}", f"source: {wanted.source}"]


def _address(mirror: Mirror) -> str:
    tried = "tested" if mirror.tried else "untested"
    note = f"; {mirror.note}" if mirror.note else ""
    return f"{mirror.url} ({tried}{note})"


ACTIONS = {
    "list": print_weights,
    "fetch": fetch,
    "verify": verify_all,
    "convert": convert,
    "import": import_file,
    "check": check,
}
