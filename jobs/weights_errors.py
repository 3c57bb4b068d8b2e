"""The errors about weight files, part of the tree of `jobs/errors.py`."""

from jobs.errors import OperatorError


class WeightsError(OperatorError):
    """About weight files: their catalogue, their folder, their download."""


class BrokenWeightsCatalogue(WeightsError):
    sentence = "{file} cannot be used as a catalogue of weights: {reason}."


class WeightsMissing(WeightsError):
    sentence = "There are no weights at {path}: {hint}."


class WeightsCorrupt(WeightsError):
    sentence = "{path} cannot be used as weights: {reason}."


class WeightsNeverFetched(WeightsError):
    sentence = (
        "{name} is never downloaded, because its hash is not recorded: get it by hand "
        "({by_hand}), then run `animato weights import PATH`."
    )


class WeightsOffline(WeightsError):
    sentence = (
        "{name} would have to be downloaded, and ANIMATO_OFFLINE is set: put {file} into {folder} "
        "by hand, or unset it."
    )


class DownloadFailed(WeightsError):
    sentence = (
        "{name} could not be downloaded: {reasons}. Try again later (what has arrived is kept), or "
        "put {file} into {folder} by hand."
    )


class WeightsFolderRefused(WeightsError):
    sentence = (
        "{path} cannot be written ({reason}): set ANIMATO_CHECKPOINTS_DIR to a writable folder."
    )


class TooLittleRoom(WeightsError):
    sentence = (
        "{folder} has {free_mb} MB left, and {needed_mb} MB are needed: free some space, or set "
        "ANIMATO_CHECKPOINTS_DIR to another folder."
    )


class WeightsMismatch(WeightsError):
    """A checkpoint for networks of another shape than the config's."""

    sentence = (
        "{file} does not belong to {config}: {key} {reason}. Name the config that the weights were "
        "trained with (--config), or get the weights again."
    )


class WeightsDoubtful(WeightsError):
    sentence = "The weights in {path} do not behave as a model of faces: look at {sheet}."
