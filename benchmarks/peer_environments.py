"""The virtual environments of the peers, and scripts run in them."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.files import remove

ROOT = Path(__file__).resolve().parent.parent
BUILD_BTRACK = ROOT / "tools" / "build-btrack.sh"
ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)


@dataclass(frozen=True)
class Environment:
    """What is installed; alone: packages installed without what they ask for. shown: whose versions the tables name."""

    shown: tuple[str, ...]
    requirements: tuple[str, ...]
    alone: tuple[str, ...] = ()


TORCH = ("torch==2.13.0", "numpy<2.5", "scipy<1.18")
ENVIRONMENTS = {
    "btrack": Environment(("btrack",), ("btrack==0.7.0", "numpy<2.5")),
    "trackpy": Environment(("trackpy",), ("trackpy==0.7", "pandas<4", "numba")),
    "laptrack": Environment(("laptrack",), ("laptrack==0.17.1",)),
    "ultrack": Environment(("ultrack", "mip"), ("ultrack==0.8.0",)),
    "trackastra": Environment(  # it asks for torchvision, which it never imports, and for a solver that needs a licence
        ("trackastra", "torch"),
        (*TORCH, "scikit-image", "pandas", "pyyaml", "edt", "joblib", "lz4", "imagecodecs", "chardet", "dask")
        + ("fastremap", "numba", "geff>=1", "tqdm", "requests", "psutil", "platformdirs", "networkx", "tifffile"),
        ("trackastra==0.5.6",),
    ),
    "cellpose": Environment(("cellpose", "torch"), ("torch==2.13.0", "cellpose==3.1.1.2")),  # 4 needs torchvision
    "stardist": Environment(("stardist", "tensorflow-cpu"), ("stardist==0.9.2", "tensorflow-cpu==2.21.0")),
}


class PeerFailed(Exception):
    """Why there is no result, in one line."""


def python_of(name: str, cache: Path) -> Path:
    """The interpreter of the environment of that name, which is made where it is not there. Raises PeerFailed."""
    environment, folder = ENVIRONMENTS[name], cache / "environments" / name
    python, stamp = folder / "bin" / "python", folder / ".set-up"
    wanted = "\n".join((*environment.requirements, *environment.alone))
    if stamp.is_file() and stamp.read_text() == wanted:
        return python
    remove(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = folder.with_suffix(".log")
    install = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    steps = [[sys.executable, "-m", "venv", str(folder)], [*install, *environment.requirements]]
    if environment.alone:
        steps.append([*install, "--no-deps", *environment.alone])
    if name == "btrack":
        steps.append(["bash", str(BUILD_BTRACK), str(python)])
    with open(log, "w", encoding="utf-8") as out:
        for step in steps:
            if subprocess.run(step, stdout=out, stderr=subprocess.STDOUT, check=False).returncode:
                raise PeerFailed(f"does not install: {last_line(log)}")
    stamp.write_text(wanted)
    return python


def run_script(
    python: Path, script: Path, name: str, job: dict[str, Any], out: Path, timeout_s: float
) -> dict[str, Any]:
    """The figures that the script writes for this job to the folder `out`. Raises PeerFailed."""
    out.mkdir(parents=True, exist_ok=True)
    log, figures = out / "log.txt", out / "figures.json"
    remove(figures)
    (out / "job.json").write_text(json.dumps(job | {"out": str(out)}))
    variables = os.environ | dict.fromkeys(ONE_THREAD, "1") | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    begun = children_s()
    with open(log, "w", encoding="utf-8") as written:
        process = subprocess.Popen(
            [python, script, name, out / "job.json"],
            stdout=written,
            stderr=subprocess.STDOUT,
            env=variables,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if code is None:
        raise PeerFailed(f"not done in {timeout_s:.0f} s, {children_s() - begun:.0f} s of work")
    if code or not figures.is_file():
        raise PeerFailed(f"failed: {last_line(log)}")
    return json.loads(figures.read_text()) | {"load": os.getloadavg()[0]}


def children_s() -> float:
    """Seconds of work of all processes that were started and have ended."""
    times = os.times()
    return times.children_user + times.children_system


def last_line(log: Path) -> str:
    """The last line of a log that says something, short enough for a table."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return (lines or ["without a word"])[-1].replace("|", "/")[:160]
