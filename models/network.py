"""The fate network: what one picture of a cell shows, and a memory over the frames of the cell and of its ancestors.

`encode` turns each frame's patch, with measures beside it, into features; `remember` turns the features of the cells of
whole genealogies into one logit per frame. Two presets share these two steps: "heritage", ours, and "buggenthin2017",
the published topology (Buggenthin et al. 2017, Nat Methods 14:403).
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.inheritance import Inheritance
from models.inputs import AGE_H
from models.packing import PackedCells, level_rows, levels, running_mean, step_order

PRESETS = ("heritage", "buggenthin2017")
PATCH = 27  # px
PUBLISHED_FEATURES = 50
TEXTURE = 12  # features
_LEAST_VARIANCE = 1e-4  # of what is seen, so that a gradient is finite where nothing varies
_FAR = 5.0  # spreads beyond which it is all the same how unusual a cell is


@dataclass(frozen=True)
class FateConfig:
    """The shape of a network. `extras` names the measures beside the patch: displacement first, then age, morphology.

    causal : the score at a frame is made of it and of earlier frames only; else a cell's later frames count too.
    inherits : a cell starts from what its mother was believed to be; else as a founder does. memory : False = each
    frame by itself. drop_morphology : share of cells trained without the measures after displacement and age, so that
    the network can do without. Only `dropout` and `extras` of these matter to the published preset.
    """

    preset: str = "heritage"
    extras: tuple[str, ...] = ("displacement",)
    stem: int = 8
    widths: tuple[int, ...] = (16, 24)
    image_features: int = 8
    hidden: int = 64
    causal: bool = True
    inherits: bool = True
    memory: bool = True
    dropout: float = 0.3
    drop_morphology: float = 0.1

    @property
    def picture_features(self) -> int:
        """How many features come from the patch: learned ones and texture."""
        return self.image_features + TEXTURE

    @classmethod
    def published(cls) -> "FateConfig":
        """The topology of Buggenthin et al. 2017: both directions in time, no inheritance, dropout one half."""
        return cls(preset="buggenthin2017", causal=False, inherits=False, dropout=0.5)


def inherits(config: FateConfig) -> bool:
    """Whether a network of that shape looks at more of an ancestry than the cell itself."""
    return config.preset == "heritage" and config.inherits and config.memory


class FateNetwork(nn.Module):
    """An encoder of frames and a memory over cells."""

    def __init__(self, config: FateConfig) -> None:
        super().__init__()
        if config.preset not in PRESETS:
            raise ValueError(f"preset {config.preset!r}, expected one of {', '.join(PRESETS)}")
        self.config = config
        published = config.preset == "buggenthin2017"
        self.encoder = PublishedEncoder(config.dropout) if published else Encoder(config)
        self.memory: nn.Module = PublishedMemory() if published else Memory(config)

    def encode(self, patches: Tensor, extras: Tensor) -> Tensor:
        """(N, D) features of each frame.

        patches : (N, 1, 27, 27) as `models.inputs` prepares them; extras : (N, E) standardised, NaN = not known.
        """
        features: Tensor = self.encoder(patches, extras)
        return features

    def remember(self, cells: PackedCells) -> Tensor:
        """(N,) the logit of GM in each frame."""
        return self.remember_states(cells)[0]

    def remember_states(self, cells: PackedCells) -> tuple[Tensor, Tensor]:
        """(N,) the logits, and (C, S) the state in which each cell ends and its daughters begin."""
        logits, states = self.memory(cells)
        return logits, states

    def classify(self, features: Tensor) -> Tensor:
        """(N,) the logit of GM from single frames: what the encoder is trained by in two-stage training."""
        logits: Tensor = self.encoder.classify(features)
        return logits

    def describe(self, features: Tensor) -> Tensor:
        """(N, E) the extras as guessed from the picture alone: a task to train the encoder by. Ours only."""
        assert isinstance(self.encoder, Encoder)
        guessed: Tensor = self.encoder.describes(features[:, : self.config.picture_features])
        return guessed

    def cell_scores(self, logits: Tensor, lengths: Tensor) -> Tensor:
        """(C,) the score of each cell: at its last frame where the network remembers, the mean over frames where not.

        Published: the mean over frames of the sigmoid.
        """
        if self.config.preset == "heritage" and self.config.memory and self.config.causal:
            return torch.sigmoid(logits[torch.cumsum(lengths, 0) - 1])
        cell = torch.repeat_interleave(torch.arange(len(lengths), device=logits.device), lengths)
        total = torch.zeros(len(lengths), dtype=logits.dtype, device=logits.device)
        return total.index_add(0, cell, torch.sigmoid(logits)) / lengths


class Texture(nn.Module):
    """How much the inside of a cell varies at four widths of structure, within three radii: (N, 12), logarithms.

    Granularity is told from few genealogies only where it need not be discovered first.
    """

    SIGMA_PX, RADII_PX = (0.7, 1.2, 2.0, 3.5), (3.0, 5.0, 7.0)

    bands: Tensor
    discs: Tensor

    def __init__(self) -> None:
        super().__init__()
        place = torch.arange(PATCH) - PATCH // 2
        radius = torch.hypot(*torch.meshgrid(place.float(), place.float(), indexing="ij")).flatten()
        inside = radius < max(self.RADII_PX)
        blurs = [torch.eye(PATCH**2)]
        for sigma in self.SIGMA_PX:
            kernel = torch.exp(-((place - place[:, None]) ** 2) / (2 * sigma**2))
            kernel = kernel / kernel.sum(1, keepdim=True)
            blurs.append(torch.kron(kernel, kernel))  # (729, 729): from patch to blurred patch
        bands = torch.cat([(a - b)[inside] for a, b in pairwise(blurs)])
        bands[bands.abs() < 1e-7] = 0  # numbers near the least that a float can be are slow
        self.register_buffer("bands", bands, persistent=False)  # (4 * P, 729), P pixels inside
        discs = torch.stack([(radius[inside] < limit).float() for limit in self.RADII_PX])
        self.register_buffer("discs", discs / discs.sum(1, keepdim=True), persistent=False)  # (3, P)

    def forward(self, patches: Tensor) -> Tensor:
        """(N, 12) from (N, 1, 27, 27)."""
        structure = functional.linear(patches.reshape(-1, PATCH**2), self.bands)  # (N, 4 * P)
        power = structure.reshape(len(patches), 4, -1) ** 2 @ self.discs.T  # (N, 4, 3)
        return torch.log(power + 1e-4).flatten(1)


class Encoder(nn.Module):
    """A small residual network, texture, and the extras beside it with a sign for each that is missing."""

    def __init__(self, config: FateConfig) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, config.stem, 5, stride=2, padding=2, bias=False)  # (N, 1, 27, 27) -> (N, 8, 14, 14)
        self.stem_norm = nn.BatchNorm2d(config.stem)
        widths = (config.stem, *config.widths)
        self.blocks = nn.Sequential(*(Block(a, b) for a, b in pairwise(widths)))
        self.pool = nn.Linear(widths[-1], config.image_features)
        self.texture = Texture()
        self.norm = nn.BatchNorm1d(config.picture_features, affine=False)
        n_extras = len(config.extras)
        self.head = nn.Linear(config.picture_features + 2 * n_extras, 1)
        self.describes = nn.Linear(config.picture_features, n_extras)

    def forward(self, patches: Tensor, extras: Tensor) -> Tensor:
        """(N, 20 + 2 E): picture, extras with 0 where unknown, and 1 where known."""
        x = patches.contiguous(memory_format=torch.channels_last)
        x = functional.relu(self.stem_norm(self.stem(x)))
        x = self.blocks(x)  # (N, 24, 4, 4)
        x = self.norm(torch.cat([self.pool(x.mean((2, 3))), self.texture(patches)], 1))  # (N, 8 + 12)
        known = torch.isfinite(extras)
        return torch.cat([x, torch.where(known, extras, 0.0), known.to(x.dtype)], 1)

    def classify(self, features: Tensor) -> Tensor:
        """(N,) logits of single frames."""
        logits: Tensor = self.head(features)[:, 0]
        return logits


class Block(nn.Module):
    """Two convolutions beside a shortcut; halves height and width."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(n_in, n_out, 3, stride=2, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(n_out)
        self.second = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(n_out)
        self.shortcut = nn.Conv2d(n_in, n_out, 1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H / 2, W / 2)."""
        y = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(self.second_norm(self.second(y)) + self.shortcut(x))


class Memory(nn.Module):
    """What is remembered of a cell and of its ancestors.

    Traits that tell fates apart change slowly and lie under the noise of single frames. So of each feature two numbers
    are kept: its mean so far, and how much it has varied, which tells as much. Neither depends on how often the cell
    was looked at, and nothing is forgotten over hundreds of frames. What two layers make of them is added, in log odds,
    to what the mother was believed to be at her end, which counts while the cell is young.

    How much a mother's belief counts is not trained along: on genealogies that a network has learned from it is surer
    of the mothers than it can be of others. `Inheritance` is chosen afterwards, on genealogies held out.
    """

    trust: Tensor

    def __init__(self, config: FateConfig) -> None:
        super().__init__()
        self.config = config
        n_extras, width = len(config.extras), config.hidden
        n_seen = 2 * (config.picture_features + n_extras) + n_extras
        self.norm = nn.BatchNorm1d(n_seen, affine=False)
        self.judge = nn.Sequential(
            nn.Linear(n_seen, width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(width, 1),
        )
        self.register_buffer("trust", torch.tensor(Inheritance().numbers()))

    def forward(self, cells: PackedCells) -> tuple[Tensor, Tensor]:
        """(N,) logits and (C, 1) last ones, which daughters inherit."""
        own = self.own(cells)
        if self.training or not inherits(self.config):
            return own, own[cells.last, None]
        return self._with_ancestors(own, cells)

    def own(self, cells: PackedCells) -> Tensor:
        """(N,) logits by each cell's own frames."""
        return self.judged(self.seen(cells), cells.cell)

    def seen(self, cells: PackedCells) -> Tensor:
        """(N, S) what is kept of each cell so far: means, spreads, and in what share of frames each extra was known."""
        n = self.config.picture_features + len(self.config.extras)
        values, known = cells.features[:, :n], cells.features[:, n:]
        if not self.config.memory:
            return torch.cat([values, torch.zeros_like(values), known], 1)
        weights = torch.cat([torch.ones_like(values[:, : self.config.picture_features]), known], 1)
        moments = running_mean(torch.cat([values, values**2], 1), torch.cat([weights, weights], 1), cells)
        mean, square = moments[:, :n], moments[:, n:]
        spread = torch.sqrt((square - mean**2).clamp(min=0) + _LEAST_VARIANCE)
        seen = torch.cat([mean, spread, running_mean(known, torch.ones_like(known), cells)], 1)
        return seen if self.config.causal else seen[cells.last][cells.cell]

    def judged(self, seen: Tensor, cell: Tensor) -> Tensor:
        """(N,) logits from what is kept; in training some cells (N,) lack morphology."""
        if self.training:
            seen = self._without_morphology(seen, cell)
        logits: Tensor = self.judge(self.norm(seen).clamp(-_FAR, _FAR))[:, 0]
        return logits

    def _with_ancestors(self, own: Tensor, cells: PackedCells) -> tuple[Tensor, Tensor]:
        own_share, mother_share = Inheritance.of(self.trust.tolist()).shares(self._age_h(cells))
        level, cell = levels(cells.mother), cells.cell
        believed = own.new_zeros(len(level))
        if cells.mother_state is not None:
            believed = torch.nan_to_num(cells.mother_state[:, 0])
        logits, last = own * own_share, own.new_zeros(len(level))
        for number in range(int(level.max()) + 1 if len(level) else 0):
            rows, members = level_rows(level, number, cell)
            if number:
                believed = believed.index_copy(0, members, last[cells.mother[members]])
            sum_of_both = logits[rows] + mother_share[rows] * believed[cell[rows]]
            logits = logits.index_copy(0, rows, sum_of_both)
            last = last.index_copy(0, members, logits[cells.last[members]])
        return logits, last[:, None]

    def _age_h(self, cells: PackedCells) -> Tensor:
        """(N,) hours since birth, infinite where not known."""
        names, n = self.config.extras, self.config.picture_features
        if "age" not in names:
            return cells.features.new_full((len(cells.features),), torch.inf)
        age, known = (cells.features[:, n + names.index("age") + k * len(names)] for k in (0, 1))
        return torch.where(known > 0, age * AGE_H, torch.inf)

    def _without_morphology(self, seen: Tensor, cell: Tensor) -> Tensor:
        """What is kept, of some cells without the measures after displacement and age."""
        n, e, device = self.config.picture_features, len(self.config.extras), seen.device
        chance = torch.rand(int(cell.max()) + 1, device=device)[cell]
        feature = torch.arange(n + e, device=device)
        of = torch.cat([feature, feature, feature[n:]])  # (S,) the feature that each number is about
        return seen.masked_fill((chance < self.config.drop_morphology)[:, None] & (of >= n + 2), 0.0)


class PublishedEncoder(nn.Module):
    """The published CNN: convolution, ReLU, batch norm without scale and shift, max pooling rounded up."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 20, 5), nn.BatchNorm2d(20, affine=False, momentum=0.05)
        self.conv2, self.bn2 = nn.Conv2d(20, 60, 4), nn.BatchNorm2d(60, affine=False, momentum=0.05)
        self.conv3, self.bn3 = nn.Conv2d(60, 100, 3), nn.BatchNorm2d(100, affine=False, momentum=0.05)
        self.fc6, self.ipm0 = nn.Linear(400, 500), nn.Linear(1, 1)
        self.fc6_bn = nn.BatchNorm1d(501, affine=False, momentum=0.05)
        self.fc7, self.fc7_bn = nn.Linear(501, 50), nn.BatchNorm1d(50, affine=False, momentum=0.05)
        self.fc8 = nn.Linear(50, 2)
        self.dropout = nn.Dropout(dropout)

    def forward(self, patches: Tensor, extras: Tensor) -> Tensor:
        """(N, 51): the 50 values of fc7 after batch norm, then the displacement as given."""
        x = patches.contiguous(memory_format=torch.channels_last)
        x = self._pool(self.bn1(functional.relu(self.conv1(x))))  # (N, 1, 27, 27) -> (N, 20, 12, 12)
        x = self._pool(self.bn2(functional.relu(self.conv2(x))))  # -> (N, 60, 5, 5)
        x = self._pool(self.bn3(functional.relu(self.conv3(x))))  # -> (N, 100, 2, 2)
        x = functional.relu(self.fc6(x.flatten(1)))  # -> (N, 500)
        x = torch.cat([x, functional.relu(self.ipm0(extras[:, :1]))], 1)  # -> (N, 501)
        x = functional.relu(self.fc7(self.dropout(self.fc6_bn(x))))
        return torch.cat([self.fc7_bn(x), extras[:, :1]], 1)  # -> (N, 51)

    @staticmethod
    def _pool(x: Tensor) -> Tensor:
        return functional.max_pool2d(x, 2, ceil_mode=True)

    def class_logits(self, features: Tensor) -> Tensor:
        """(N, 2) what the softmax over (MegE, GM) is taken of."""
        logits: Tensor = self.fc8(self.dropout(features[:, :PUBLISHED_FEATURES]))
        return logits

    def classify(self, features: Tensor) -> Tensor:
        """(N,) logits of single frames."""
        logits = self.class_logits(features)
        return logits[:, 1] - logits[:, 0]


class PublishedMemory(nn.Module):
    """Forwards and backwards in time a stack of two peephole LSTM of its own; both meet in one logit per frame."""

    N_IN, N_STATE = PUBLISHED_FEATURES + 1, 20

    def __init__(self) -> None:
        super().__init__()
        sizes = (self.N_IN, self.N_STATE)
        self.layers = nn.ModuleList(PeepholeLSTM(n, self.N_STATE, directions=2) for n in sizes)
        self.head = nn.Linear(2 * self.N_STATE, 1)

    def forward(self, cells: PackedCells) -> tuple[Tensor, Tensor]:
        """(N,) logits; cells inherit nothing, so the states have no columns."""
        forwards, backwards, sizes = step_order(cells)
        x = torch.stack([cells.features[forwards], cells.features[backwards]])  # (2, N, 51) by step
        for layer in self.layers:
            x = layer(x, sizes)  # (2, N, 20)
        y = torch.zeros_like(x).index_copy(1, forwards, x)
        ahead, behind = y[0], torch.zeros_like(x[1]).index_copy(0, backwards, x[1])
        logits = self.head(torch.cat([ahead, behind], 1))[:, 0]
        return logits, logits.new_zeros(len(cells.lengths), 0)


class PeepholeLSTM(nn.Module):
    """LSTM whose gates see the cell state, run in several directions at once, each with weights of its own."""

    def __init__(self, n_in: int, n_state: int, directions: int) -> None:
        super().__init__()
        self.w_x = nn.Parameter(torch.empty(directions, n_in, 4 * n_state))  # gates: input, forget, cell, output
        self.w_h = nn.Parameter(torch.empty(directions, n_state, 4 * n_state))
        self.bias = nn.Parameter(torch.zeros(directions, 1, 4 * n_state))
        self.peep_i, self.peep_f, self.peep_o = (nn.Parameter(torch.zeros(directions, 1, n_state)) for _ in range(3))
        self.c_0, self.h_0 = (nn.Parameter(torch.zeros(directions, 1, n_state)) for _ in range(2))
        for weight in (self.w_x, self.w_h):
            nn.init.uniform_(weight, -(n_state**-0.5), n_state**-0.5)

    def forward(self, x: Tensor, sizes: list[int]) -> Tensor:
        """(directions, N, n_in) ordered by step, sizes[t] cells alive at step t -> (directions, N, n_state)."""
        gates = torch.baddbmm(self.bias.expand(-1, x.shape[1], -1), x, self.w_x)
        h, c = self.h_0.expand(-1, sizes[0], -1), self.c_0.expand(-1, sizes[0], -1)
        outputs = []
        for gate, n in zip(torch.split(gates, sizes, 1), sizes, strict=True):
            h, c = h[:, :n], c[:, :n]
            i, f, g, o = torch.baddbmm(gate, h, self.w_h).chunk(4, 2)
            i, f = torch.sigmoid(i + c * self.peep_i), torch.sigmoid(f + c * self.peep_f)
            c = f * c + i * torch.tanh(g)
            h = torch.sigmoid(o + c * self.peep_o) * torch.tanh(c)
            outputs.append(h)
        return torch.cat(outputs, 1)
