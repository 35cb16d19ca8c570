"""One model of whisper.cpp, loaded: sound in, words out. It is not to be used by two threads at once."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import _pywhispercpp as whisper
import numpy as np
from numpy.typing import NDArray
from pywhispercpp.utils import redirect_stderr

from scriza.kernel.errors import Unavailable, UpstreamFailed
from scriza.ports.asr import Transcript
from scriza_adapters.whisper.guards import Said
from scriza_adapters.whisper.hints import Hints
from scriza_adapters.whisper.words import NOTHING, TokenizedWord, mean_logprob, transcript
from scriza_adapters.whisper_cpp.messages import Recognise, Settings

RATE = 16_000
_STEPS_PER_S = 50
"""Of the encoder."""
_ROOM_S = 0.5
"""Of silence behind the last word."""
_SHORTEST_S = 0.2
"""whisper.cpp looks at no less than 0.1 s."""
_MOST_TOKENS, _TOKENS_ANYWAY, _TOKENS_PER_S = 200, 16, 8.0
"""Nobody speaks more than eight tokens a second: a longer text is a loop."""
_NO_SPEECH, _UNSURE = 0.6, -0.7
_SURE_OF_LANGUAGE = 0.5
_HEAD = struct.Struct("<I11i")
"""The magic number, and eleven sizes."""
_WEIGHTS_PER_BYTE = 4
"""More than any quantisation has."""

Sound = NDArray[np.float32]


class _Token(NamedTuple):
    piece: bytes
    probability: float


class Context:
    """Loads a ggml file. Raises Unavailable when it is none."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        options = whisper.whisper_context_default_params()
        if _whole(Path(settings.model)):
            with redirect_stderr(None):  # it tells a hundred lines about a model
                self._model = whisper.whisper_init_from_file_with_params(settings.model, options)
        else:
            self._model = None
        if self._model is None:
            raise Unavailable("the file is no model of whisper.cpp, or is cut off")
        self._multilingual = bool(whisper.whisper_is_multilingual(self._model))
        self._steps = int(whisper.whisper_model_n_audio_ctx(self._model))
        self._names = [whisper.whisper_lang_str(number) for number in range(whisper.whisper_lang_max_id() + 1)]

    @property
    def languages(self) -> list[str]:
        """Codes of those that the model knows."""
        return self._names if self._multilingual else ["en"]

    def language_of(self, sound: Sound) -> str:
        """The language that is spoken; empty when the model is not sure, or knows one only."""
        if not self._multilingual:
            return ""
        code, probability = self._detected(sound)
        return code if probability >= _SURE_OF_LANGUAGE else ""

    def recognise(self, sound: Sound, asked: Recognise, cancelled: Callable[[], bool]) -> Transcript:
        """Words in at most 30 s of `sound`, 16 kHz; none when it was cancelled meanwhile.

        Words lie where their letters are in the text: whisper.cpp's own times are no better without timestamps in it.
        Raises UpstreamFailed when whisper.cpp fails.
        """
        seconds = len(sound) / RATE
        if len(sound) < _SHORTEST_S * RATE:
            sound = np.concatenate([sound, np.zeros(int(_SHORTEST_S * RATE) - len(sound), np.float32)])
        options = self._options(sound, asked)
        whisper.assign_abort_callback(options, cancelled)
        failed = whisper.whisper_full(self._model, options, sound, len(sound))
        if cancelled():
            return NOTHING
        if failed:
            raise UpstreamFailed(f"whisper.cpp failed: {failed}")
        tokens = self._tokens()
        words = _words(tokens)
        logprob = mean_logprob([token.probability for token in tokens])
        # What whisper.cpp takes for silence it has left out, and it does not tell how sure it was.
        said = Said("".join(word.text for word in words), logprob, 0.0)
        return transcript(words, said, Hints(asked.words, asked.prompt), seconds)

    # The binding has no types of its own.
    def _options(self, sound: Sound, asked: Recognise) -> object:
        search = whisper.whisper_sampling_strategy
        options = whisper.whisper_full_default_params(
            search.WHISPER_SAMPLING_BEAM_SEARCH if asked.beam_size > 1 else search.WHISPER_SAMPLING_GREEDY
        )
        options.print_progress = options.print_timestamps = options.print_realtime = False
        options.n_threads = self._settings.threads
        options.no_context = options.no_timestamps = options.single_segment = True
        options.suppress_nst = True
        options.temperature_inc = 0.0
        options.greedy = {"best_of": 1}
        if asked.beam_size > 1:
            options.beam_search = {"beam_size": asked.beam_size, "patience": -1.0}
        options.no_speech_thold, options.logprob_thold = _NO_SPEECH, _UNSURE
        options.max_tokens = min(_MOST_TOKENS, _TOKENS_ANYWAY + int(_TOKENS_PER_S * len(sound) / RATE))
        options.audio_ctx = self._window(len(sound) / RATE)
        if self._multilingual:
            options.language = asked.language or self._detected(sound)[0]
        else:
            options.language = "en"
        if hinted := Hints(asked.words, asked.prompt).text:
            options.initial_prompt = hinted
        return options

    def _window(self, seconds: float) -> int:
        """Steps that the encoder sees: those of the setting, or of the sound and a little silence."""
        return min(self._steps, int(max(self._settings.window_s, seconds + _ROOM_S) * _STEPS_PER_S))

    def _detected(self, sound: Sound) -> tuple[str, float]:
        threads = self._settings.threads
        probabilities = np.zeros(len(self._names), np.float32)
        whisper.whisper_pcm_to_mel(self._model, sound, len(sound), threads)
        number = whisper.whisper_lang_auto_detect(self._model, 0, threads, probabilities)
        if number < 0:
            raise UpstreamFailed("whisper.cpp failed to find out the language")
        return self._names[number], float(probabilities[number])

    def _tokens(self) -> list[_Token]:
        """Of the text; not those that tell where it begins and ends."""
        end_of_text = whisper.whisper_token_eot(self._model)
        found: list[_Token] = []
        for segment in range(whisper.whisper_full_n_segments(self._model)):
            for place in range(whisper.whisper_full_n_tokens(self._model, segment)):
                token = whisper.whisper_full_get_token_id(self._model, segment, place)
                if token < end_of_text:
                    probability = whisper.whisper_full_get_token_p(self._model, segment, place)
                    found.append(_Token(whisper.whisper_token_to_bytes(self._model, token), probability))
        return found


def _whole(file: Path) -> bool:
    """Whether the weights can all be there; whisper.cpp believes a file that ends early, and takes long over it."""
    with file.open("rb") as beginning:
        head = beginning.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return False
    numbers: tuple[int, ...] = _HEAD.unpack(head)
    vocabulary, text_state = numbers[1], numbers[7]
    return file.stat().st_size > vocabulary * text_state // _WEIGHTS_PER_BYTE


def _words(tokens: list[_Token]) -> list[TokenizedWord]:
    """Tokens that follow each other without a space between are one word."""
    groups: list[list[_Token]] = []
    for token in tokens:
        if not groups or token.piece.startswith(b" "):
            groups.append([])
        groups[-1].append(token)
    return [
        TokenizedWord(
            b"".join(token.piece for token in group).decode(errors="replace"),
            [token.probability for token in group],
            0.0,
            0.0,
        )
        for group in groups
    ]
