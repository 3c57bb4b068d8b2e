"""Whether lips meet when they should: `python -m benchmarks.voice_accuracy`.

Sounds whose phones are known are analysed, and the curves are compared with the phones. Nothing of
it is in the repository; what is missing is left out and said.

    apt-get install festival festvox-kallpc16k festvox-us-slt-hts flite   # English voices
    apt-get install festvox-italp16k festvox-itapc16k festvox-suopuhe-lj festvox-czech-dita
    apt-get install festvox-ru                          # recordings of a speaker, with their phones
    pip download --no-deps --no-binary :all: pocketsphinx   # its test/data is for --recordings

    m b p      share of these phones with a picture whose lips are pressed, 30 ms around them too
    false      share of loud pictures with pressed lips, 80 ms and more from any of these phones
    lag        middle of the pressed pictures against that of the phone: 10th, 50th, 90th percentile
    f v        as the first, for teeth on the lower lip
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from imageio_ffmpeg import get_ffmpeg_exe

from benchmarks.run import row
from inference.voice.analysis import analyse
from inference.voice.features import FRAME_RATE, SAMPLE_RATE, Features, Samples
from inference.voice.phones import has_phones
from inference.voice.speech import SpeechChannel
from jobs.findings import SPEECH_FRAME_RATE

_ENGLISH = (
    "My mother bought a big brown puppy from the farmer.",
    "The boy was there when the sun rose over the mountain.",
    "A rod is used to catch pink salmon before the summer ends.",
    "Paper maps become simple when you remember the numbers.",
    "The box was thrown beside the parked truck in the morning.",
    "Help the woman get back to her feet, perhaps by the bus stop.",
    "Some of my family live in Memphis, but most moved to Boston.",
    "Never eat yellow snow, and do not sing in the rain tonight.",
    "The job of the king is to listen, and then to do nothing at all.",
    "Both lost their lives in the raging storm near the harbour.",
    "Press the pants and sew a button on the vest of the member.",
    "We find joy in the simplest things: a cup of tea, a warm bed, music.",
)
_ITALIAN = (
    "La mamma prepara una buona pappa per il bambino.",
    "Domani mattina il sole illumina le montagne e il mare.",
    "Un uomo anziano cammina piano verso la porta della banca.",
    "Non dimenticare di comprare il pane e un po' di burro.",
)
_FINNISH = (
    "Pieni poika meni mummon luokse maanantaina.",
    "Minulla on punainen pallo ja uusi polkupyörä.",
    "Tomppa pelaa pihalla monta tuntia ennen iltaa.",
    "Ensimmäinen lumi sataa usein marraskuussa.",
)
_CZECH = (
    "Maminka peče dobrou bábovku pro malého bratra.",
    "Na náměstí stojí nový dům a vedle něho stará lípa.",
    "Můj pes bydlí na dvoře a má rád teplé počasí.",
    "Prosím vás, kudy se dostanu na nádraží?",
)
_FESTIVAL = {
    "festival kal": ("voice_kal_diphone", _ENGLISH, "utf-8"),
    "festival slt": ("voice_cmu_us_slt_arctic_hts", _ENGLISH, "utf-8"),
    "festival it lp": ("voice_lp_diphone", _ITALIAN, "latin-1"),
    "festival it pc": ("voice_pc_diphone", _ITALIAN, "latin-1"),
    "festival fi": ("voice_suo_fi_lj_diphone", _FINNISH, "latin-1"),
    "festival cs": ("voice_czech_dita", _CZECH, "iso-8859-2"),
}
_FLITE = ("awb", "rms")
_RUSSIAN = Path("/usr/share/festival/voices/russian/msu_ru_nsh_clunits")
_SHUT = {"m", "mm", "em", "b", "bb", "p", "pp"}
_BITTEN = {"f", "ff", "v", "vv"}
_PRESSED = 0.8
_NEAR_S, _FAR_S = 0.03, 0.08


@dataclass(frozen=True, eq=False)
class Utterance:
    """A sound and its phones: names in lower case, start and end in s."""

    samples: Samples
    phones: list[tuple[str, float, float]]


@dataclass
class Score:
    """Sums over utterances."""

    hits: list[bool] = field(default_factory=list)
    bites: list[bool] = field(default_factory=list)
    false: list[float] = field(default_factory=list)
    lags_ms: list[float] = field(default_factory=list)

    def add(self, utterance: Utterance) -> None:
        """Analyse one."""
        speech = analyse(utterance.samples)
        times = (np.arange(speech.frame_count) + 0.5) / SPEECH_FRAME_RATE
        pressed = speech.curve(SpeechChannel.SEAL) > _PRESSED
        bitten = speech.curve(SpeechChannel.BITE) > _PRESSED
        loudness = Features.of(utterance.samples).loudness
        is_loud = np.interp(times * FRAME_RATE, np.arange(len(loudness)), loudness) > 0.1
        is_far = np.ones(len(times), np.bool_)
        for name, start, end in utterance.phones:
            near = (times >= start - _NEAR_S) & (times <= end + _NEAR_S)
            if name in _BITTEN:
                self.bites.append(bool(bitten[near].any()))
            if name not in _SHUT:
                continue
            is_far &= (times < start - _FAR_S) | (times > end + _FAR_S)
            hit = np.flatnonzero(pressed & near)
            self.hits.append(len(hit) > 0)
            if len(hit):
                self.lags_ms.append(1000 * (times[hit].mean() - (start + end) / 2))
        self.false += [float(value) for value in pressed[is_loud & is_far]]

    def cells(self) -> tuple[str, ...]:
        """Return the cells of a row of the table."""
        lags = " ".join(f"{lag:+.0f}" for lag in np.percentile(self.lags_ms or [0], (10, 50, 90)))
        return (
            f"{np.mean(self.hits):.2f} ({len(self.hits)})",
            f"{np.mean(self.false):.3f}",
            lags,
            f"{np.mean(self.bites):.2f} ({len(self.bites)})" if self.bites else "",
        )


def recordings(folder: Path) -> Iterator[Utterance]:
    """Yield the spoken sentences of pocketsphinx' own test data, aligned with their words."""
    from pocketsphinx import Decoder  # noqa: PLC0415 - not on all machines

    lines = [
        *(folder / "librivox" / "transcription").read_text().splitlines(),
        *(folder / "cards" / "cards.transcription").read_text().splitlines(),
    ]
    paths = {path.stem: path for path in folder.glob("*/*.wav")}
    paths["goforward"] = folder / "goforward.raw"
    for line in (*lines, "<s> go forward ten meters </s> (goforward)"):
        words, _, name = line.strip().rstrip(")").rpartition("(")
        path = paths[name]
        samples: Samples = (
            np.fromfile(path, "<i2").astype(np.float32) / np.float32(32768)
            if path.suffix == ".raw"
            else samples_of(path)
        )
        content = np.round(samples * 32767).astype("<i2").tobytes()
        decoder = Decoder(lm=None, loglevel="FATAL")
        decoder.set_align_text(words.replace("<s>", "").replace("</s>", "").strip())
        for is_second in (False, True):
            if is_second:
                decoder.set_alignment()
            decoder.start_utt()
            decoder.process_raw(content, no_search=False, full_utt=True)
            decoder.end_utt()
        phones = [
            (phone.name.lower(), phone.start / 100, (phone.start + phone.duration) / 100)
            for word in decoder.get_alignment()
            for phone in word
        ]
        yield Utterance(samples, phones)


def festival(name: str) -> Iterator[Utterance]:
    """Yield sentences spoken by a voice of festival."""
    voice, sentences, encoding = _FESTIVAL[name]
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "utterance"
        for sentence in sentences:
            script = (
                f'({voice}) (set! u (utt.synth (Utterance Text "{sentence}")))'
                f'(utt.save.wave u "{base}.wav" (quote riff)) (utt.save.segs u "{base}.segs")'
            )
            base.with_suffix(".scm").write_bytes(script.encode(encoding))
            _run("festival", "-b", f"{base}.scm")
            lines = base.with_suffix(".segs").read_text(encoding).partition("#\n")[2].splitlines()
            ends = [(line.split()[2], float(line.split()[0])) for line in lines]
            yield Utterance(samples_of(base.with_suffix(".wav")), _from_ends(ends))


def samples_of(path: Path) -> Samples:
    """Return the samples of a sound, mono, `SAMPLE_RATE` per second."""
    command = [get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-ac", "1", "-ar"]
    command += [str(SAMPLE_RATE), "-f", "s16le", "-"]
    content = subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603
    return np.frombuffer(content, "<i2").astype(np.float32) / np.float32(32768)


def flite(voice: str) -> Iterator[Utterance]:
    """Yield sentences spoken by a voice of flite."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "utterance.wav"
        for sentence in _ENGLISH:
            said = _run("flite", "-voice", voice, "-psdur", "-t", sentence, "-o", str(path))
            ends = [(part.split(":")[0], float(part.split(":")[1])) for part in said.split()]
            yield Utterance(samples_of(path), _from_ends(ends))


def russian() -> Iterator[Utterance]:
    """Yield recordings of the speaker of a Russian voice, with the labels of their phones."""
    for path in sorted((_RUSSIAN / "lab").glob("*.lab"))[::10]:
        sound = _RUSSIAN / "wav" / f"{path.stem}.wav"
        lines = path.read_text("latin-1").partition("#\n")[2].splitlines()
        ends = [(line.split()[2], float(line.split()[0])) for line in lines if line.split()]
        yield Utterance(samples_of(sound), _from_ends(ends))


def _from_ends(ends: list[tuple[str, float]]) -> list[tuple[str, float, float]]:
    starts = [0.0, *(end for _, end in ends)]
    return [(name.lower(), start, end) for start, (name, end) in zip(starts, ends, strict=False)]


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, check=True, timeout=120)  # noqa: S603
    return done.stdout.decode(errors="replace")


def sources(folder: Path | None) -> dict[str, Callable[[], Iterator[Utterance]]]:
    """Return what can be measured here, by name; says what is missing."""
    found: dict[str, Callable[[], Iterator[Utterance]]] = {}
    if folder is None:
        sys.stderr.write("no --recordings: English recordings are left out\n")
    else:
        found["recordings en"] = lambda: recordings(folder)
    if _RUSSIAN.is_dir():
        found["recordings ru"] = russian
    else:
        sys.stderr.write("festvox-ru is not installed: Russian recordings are left out\n")
    if shutil.which("festival"):
        for name in _FESTIVAL:
            found[name] = lambda name=name: festival(name)  # type: ignore[misc]
    else:
        sys.stderr.write("festival is not installed: its voices are left out\n")
    if shutil.which("flite"):
        for name in _FLITE:
            found[f"flite {name}"] = lambda name=name: flite(name)  # type: ignore[misc]
    else:
        sys.stderr.write("flite is not installed: its voices are left out\n")
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.voice_accuracy", description=__doc__
    )
    parser.add_argument("--recordings", type=Path, help="test/data of pocketsphinx' source")
    found = sources(parser.parse_args().recordings)
    if not has_phones():
        sys.exit("pocketsphinx is not installed: without it no lips are pressed")
    row("", "m b p", "false", "lag, ms", "f v")
    for name, utterances in found.items():
        score = Score()
        try:
            for utterance in utterances():
                score.add(utterance)
        except subprocess.CalledProcessError as error:
            sys.stderr.write(f"{name} is left out: {error}\n")
            continue
        row(name, *score.cells())


if __name__ == "__main__":
    main()
