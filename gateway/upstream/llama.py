"""llama.cpp's own OpenAI-compatible server: `python -m gateway.upstream.llama --model PATH --port N`.

A child process (`upstream/local.py` starts it): the engine is a C++ server with threads of its own, and what
crashes it must not take the gateway along. The only importer of xllamacpp.
"""

import argparse
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import xllamacpp

_QUIET = 1
"""llama.cpp's verbosity: errors only. At its default, 3, it writes twenty lines a start."""


def parameters(arguments: argparse.Namespace) -> xllamacpp.CommonParams:
    """The engine's settings: everything of a request stays in this process, and memory has bounds."""
    params = xllamacpp.CommonParams()
    params.model.path = str(arguments.model)
    params.model_alias = {arguments.model.stem}
    params.hostnames = ["127.0.0.1"]
    params.port = arguments.port
    params.n_parallel = arguments.parallel
    params.n_ctx = arguments.context
    params.kv_unified = True  # a long conversation may use what the others leave; else each has its share
    params.n_predict = arguments.tokens
    params.sampling.temp = arguments.temperature
    # Small models fall into loops, and a loop is spoken aloud.
    params.sampling.penalty_repeat = 1.1
    params.sampling.dry_multiplier = 0.8
    if arguments.threads:
        params.cpuparams.n_threads = arguments.threads
        params.cpuparams_batch.n_threads = arguments.threads
    params.cache_prompt = True
    params.cache_ram_mib = arguments.cache
    params.ui = False
    params.endpoint_slots = False  # it shows the prompts of others
    params.cors_origins = f"http://127.0.0.1:{arguments.port}"  # no web page may ask; the default is any
    params.verbosity = _QUIET
    return params


def options() -> argparse.ArgumentParser:
    """What the program takes."""
    parser = argparse.ArgumentParser(prog="gateway.upstream.llama", description="Serve a GGUF model on 127.0.0.1.")
    parser.add_argument("--model", type=Path, required=True, help="the GGUF file")
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1")
    parser.add_argument("--context", type=int, default=8192, help="tokens of prompts and answers, in all")
    parser.add_argument("--parallel", type=int, default=2, help="requests served at once")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: as many as the engine finds fit")
    parser.add_argument("--tokens", type=int, default=200, help="longest answer where the request sets no limit")
    parser.add_argument("--temperature", type=float, default=0.2, help="where the request sets none")
    parser.add_argument("--cache", type=int, default=256, help="MiB of memory for prompts seen before")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    arguments = options().parse_args(argv)
    # Blocked before the engine starts threads, which inherit the mask: the signal is left to sigwait.
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        server = xllamacpp.Server(parameters(arguments))
    except RuntimeError as error:  # the engine has said why
        raise SystemExit(str(error)) from None
    signal.sigwait(ends)
    del server  # joins its threads: what runs is cancelled
    os._exit(0)  # the engine's static destructors may wait for a generation that nobody reads


if __name__ == "__main__":
    main()
