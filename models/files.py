"""A trained model as one file: tensors and JSON, read without running any code from it."""

import hashlib
import json
import pickle
import zipfile
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.errors import InputError
from engine.files import atomic
from engine.measure import PATCH_PX, PATCH_UM_PER_PX
from engine.parameters import from_dict
from engine.project import Project
from models.calibration import Calibration
from models.familiar import Familiar
from models.fast import Encode, fast_encoder
from models.inputs import Typical
from models.network import FateConfig, FateNetwork
from models.score import CellScore, score_cell

FORMAT, VERSION = "lineage fate model", 1
_SAME_SCALE = 0.01  # relative difference of um per px that does not matter


@dataclass(frozen=True)
class Card:
    """What a model is for and where it comes from.

    fates : of score 0 and of score 1; patch_px, um_per_px : of its patches; frame_interval_s : of the movies it was
    trained on; provenance : data, split, seed, parameters; metrics : on held-out data, by name. Both are any JSON.
    """

    name: str
    config: FateConfig
    channel: str = "brightfield"
    fates: tuple[str, str] = ("MegE", "GM")
    um_per_px: float = PATCH_UM_PER_PX
    patch_px: int = PATCH_PX
    frame_interval_s: float | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """Networks that score together, and what their scores mean.

    usual : the typical extras of the training movies, for cells scored without their own movie (None: the published
    preset needs none); calibration, familiar : None where nothing was held out.
    """

    networks: tuple[FateNetwork, ...]
    card: Card
    usual: Typical | None = None
    calibration: Calibration | None = None
    familiar: Familiar | None = None

    @property
    def config(self) -> FateConfig:
        """The shape of the networks."""
        return self.card.config

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with the weights, the calibration and all else that scores depend on."""
        digest = hashlib.sha256(json.dumps(_numbers(self), sort_keys=True).encode())
        for network in self.networks:
            for name, tensor in sorted(network.state_dict().items()):
                digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    @cached_property
    def encoders(self) -> tuple[Encode, ...]:
        """For each network a function like its `encode`, made for scoring."""
        return tuple(fast_encoder(network) for network in self.networks)

    def score(
        self,
        patches: Any,
        displacement: Any,
        mother: CellScore | None = None,
        age_h: Any = None,
        morphology: Any = None,
        usual: Typical | None = None,
    ) -> CellScore:
        """The fate of one cell; see `models.score.score_cell`."""
        return score_cell(self, patches, displacement, mother, age_h, morphology, usual)


def save_model(path: Path | str, model: Model) -> None:
    """Write a model file, atomically."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "json": json.dumps(_numbers(model) | {"card": asdict(model.card)}),
        "networks": [{name: t.cpu() for name, t in network.state_dict().items()} for network in model.networks],
    }
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        torch.save(content, temporary)


def load(path: Path | str) -> Model:
    """The model in a file; raises InputError where it is none, or one of another version."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a model made by `lineage train fate` or `lineage models import`")
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path}: not a model of this program; give a file made by `lineage train fate`")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise InputError(f"{path}: not a model of this program; give a file made by `lineage train fate`") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: not a fate model of this program; give a file made by `lineage train fate`")
    if content["version"] != VERSION:
        raise InputError(f"{path}: model version {content['version']}, this program reads {VERSION}; update Lineage")
    try:
        return _model(json.loads(content["json"]), content["networks"])
    except InputError as error:  # a parameter that is not known here
        raise InputError(f"{path}: made by another version of Lineage ({error}); train or import it again") from error
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise InputError(f"{path}: not a complete model ({_first_line(error)}); restore it from a copy") from error


def check_fits(model: Model, project: Project, channel: str | None = None) -> None:
    """Raise InputError, with the remedy, where a project's pictures or fates are not those that the model knows.

    channel : the one that patches are cut from; the first where None.
    """
    card, said = model.card, f"{project.path}: model {model.card.name!r}"
    measured = project.stages.get("measure", {}).get("parameters") or project.parameters.get("measure", {})
    scale, size = measured.get("patch_um_per_px", PATCH_UM_PER_PX), measured.get("patch_px", PATCH_PX)
    if not project.scale_is_known:
        raise InputError(f"{said} needs the scale of the pictures, unknown here; import them again with --um-per-px")
    if abs(scale / card.um_per_px - 1) > _SAME_SCALE or size != card.patch_px:
        raise InputError(
            f"{said} expects patches of {card.patch_px} px at {card.um_per_px:g} um/px, found {size} at {scale:g}; "
            f"run `lineage measure {project.in_shell} --set patch_um_per_px={card.um_per_px:g} "
            f"--set patch_px={card.patch_px}`"
        )
    channel = channel or (project.channels[0] if project.channels else "none")
    if channel.casefold() != card.channel.casefold():
        raise InputError(
            f"{said} expects channel {card.channel!r}, patches here show {channel!r}; import with that channel first, "
            f"named {card.channel}, or train a model on {channel}"
        )
    if other := sorted(set(project.markers.values()) - set(card.fates)):
        raise InputError(
            f"{said} tells {card.fates[0]} from {card.fates[1]}, the markers here are of {', '.join(other)}; train a "
            "model on these fates, or correct the markers in project.json"
        )


def _numbers(model: Model) -> dict[str, Any]:
    """Everything but weights that scores depend on, as JSON."""
    usual, familiar = model.usual, model.familiar
    return {
        "config": asdict(model.config),
        "usual": usual and {"centre": usual.centre.tolist(), "spread": usual.spread.tolist()},
        "calibration": model.calibration and asdict(model.calibration),
        "familiar": familiar
        and {
            "centre": familiar.centre.tolist(),
            "precision": familiar.precision.tolist(),
            "limit": familiar.limit,
        },
    }


def _model(values: dict[str, Any], weights: list[dict[str, Tensor]]) -> Model:
    config = from_dict(FateConfig, values["config"])
    networks = []
    for state in weights:
        network = FateNetwork(config).eval().requires_grad_(False)
        network.load_state_dict(state)
        networks.append(network)
    usual, calibration, familiar = values["usual"], values["calibration"], values["familiar"]
    return Model(
        tuple(networks),
        from_dict(Card, values["card"]),
        usual and Typical(np.array(usual["centre"], np.float32), np.array(usual["spread"], np.float32)),
        calibration and from_dict(Calibration, calibration),
        familiar and Familiar(np.array(familiar["centre"]), np.array(familiar["precision"]), float(familiar["limit"])),
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:100] if str(error) else type(error).__name__
