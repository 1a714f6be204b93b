"""One step of the quasi-GAN: the discriminator, then generator and encoder (Liu et al. 2023, Eq. 2 to 10)."""

from dataclasses import dataclass

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from natadv.batches import to_batch
from natadv.models.quasi_gan.discriminator import Discriminator
from natadv.models.quasi_gan.encoder import Encoder
from natadv.training.quasi_gan.checkpoint import create_generator
from natadv.training.quasi_gan.feed import Batch
from natadv.training.quasi_gan.losses import (
    adversarial_loss,
    balanced_l1,
    discriminator_loss,
    generator_loss,
    kl_divergence,
    opacity_loss,
    reparametrised,
    saturating_generator_loss,
)
from natadv.training.quasi_gan.recipe import QuasiGanRecipe

Losses = dict[str, float]


@dataclass(frozen=True, slots=True)
class _Pictures:
    """A batch on the device, float RGB (n, 3, h, w); `fresh` are the clean pictures that prior codes wet."""

    clean: Tensor
    rain: Tensor
    fresh: Tensor
    real: Tensor
    labelled: Tensor
    labels: Tensor


class QuasiGan:
    """Generator, encoder and discriminator with their optimizers; the transfer classifier stays as it is.

    Attributes:
        generator: G, without Fabric's wrapping.
    """

    def __init__(self, fabric: Fabric, recipe: QuasiGanRecipe, classifier: nn.Module) -> None:
        self._fabric, self._recipe = fabric, recipe
        literal = recipe.kind == "literal"
        self.generator = create_generator(recipe.kind, recipe.width)
        self._encoder = Encoder(recipe.width, sees_clean=not literal, spatial=not literal)
        self._discriminator = Discriminator(spectral=not literal)
        self._classifier = fabric.to_device(classifier.eval().requires_grad_(False))
        rate = {"lr": recipe.learning_rate, "betas": (recipe.beta1, 0.999)}
        makers = nn.ModuleList([self.generator, self._encoder])
        maker = torch.optim.Adam(makers.parameters(), **rate)
        judge = torch.optim.Adam(self._discriminator.parameters(), **rate)
        self._makers, self._maker = fabric.setup(_Makers(self.generator, self._encoder), maker)
        self._makers.mark_forward_method("encoded")
        self._judge_net, self._judge = fabric.setup(self._discriminator, judge)

    def state(self) -> dict[str, object]:
        """Return all that a continuation needs, the generator's weights aside."""
        return {
            "encoder": self._encoder.state_dict(),
            "discriminator": self._discriminator.state_dict(),
            "maker": self._maker.state_dict(),
            "judge": self._judge.state_dict(),
        }

    def begin_from(self, weights: dict[str, Tensor], state: dict[str, object]) -> None:
        """Take up the three networks of another run, whose generator's weights and `state` are given."""
        self.generator.load_state_dict(weights)
        self._encoder.load_state_dict(state["encoder"])  # type: ignore[arg-type]
        self._discriminator.load_state_dict(state["discriminator"])  # type: ignore[arg-type]

    def restore(self, weights: dict[str, Tensor], state: dict[str, object]) -> None:
        """Take up what `state` returned, optimizers and all."""
        self.begin_from(weights, state)
        self._maker.load_state_dict(state["maker"])  # type: ignore[arg-type]
        self._judge.load_state_dict(state["judge"])  # type: ignore[arg-type]

    def step(self, batch: Batch, chance: torch.Generator, *, say: float = 1.0) -> Losses:
        """Train all three on one batch.

        Args:
            batch: the pictures.
            chance: all noise, on the CPU.
            say: of discriminator and classifier in what the generator becomes, 0..1.
        """
        self._makers.train()
        pictures = self._on_device(batch)
        shape = (len(pictures.fresh), self.generator.latent_dim)
        prior, noise = (torch.randn(shape, generator=chance).to(self._fabric.device) for _ in range(2))
        told = noise[: len(pictures.clean)]
        mean, log_variance = self._makers.encoded(pictures.rain, pictures.clean)
        code = reparametrised(mean, log_variance, told)
        wet, opacity = self._makers(pictures.clean, code)
        dreamt, dreamt_opacity = self._makers(pictures.fresh, prior)
        losses = self._judged(pictures, wet, dreamt)
        terms = self._terms(pictures, mean, log_variance, wet, dreamt, prior)
        terms |= {name: say * terms[name] for name in ("gan", "adversarial")}
        if opacity is not None and dreamt_opacity is not None:
            gap = (dreamt_opacity.mean() - opacity.mean().detach()).abs()
            terms["coverage"] = self._recipe.coverage * gap
            terms["opacity"] = self._recipe.opacity * opacity_loss(opacity, pictures.rain, pictures.clean)
        total = torch.stack(list(terms.values())).sum()
        self._maker.zero_grad()
        self._fabric.backward(total)
        self._maker.step()
        return losses | {name: float(value.detach()) for name, value in terms.items()}

    def _on_device(self, batch: Batch) -> _Pictures:
        device = self._fabric.device
        clean, rain, real_clean, real_rain, labelled = (
            to_batch(images, device)
            for images in (batch.clean, batch.rain, batch.real_clean, batch.real_rain, batch.labelled)
        )
        # Prior codes wet the real pairs' clean sides too: scenery must not tell the judge which is which.
        fresh = torch.cat([clean[len(real_clean) :], real_clean])
        real = torch.cat([rain[len(real_rain) :], real_rain])
        return _Pictures(clean, rain, fresh, real, labelled, torch.from_numpy(batch.labels).to(device))

    def _judged(self, pictures: _Pictures, wet: Tensor, dreamt: Tensor) -> Losses:
        """Train the discriminator: raindrop images against those of encoded and of prior codes."""
        self._judge.zero_grad()
        real = self._judge_net(pictures.real)
        fake = self._judge_net(torch.cat([dreamt, wet]).detach())
        loss = discriminator_loss(real, fake)
        self._fabric.backward(loss)
        self._judge.step()
        return {"discriminator": float(loss.detach())}

    def _terms(
        self, pictures: _Pictures, mean: Tensor, log_variance: Tensor, wet: Tensor, dreamt: Tensor, prior: Tensor
    ) -> dict[str, Tensor]:
        """Return the generator's weighted losses (Eq. 10)."""
        recipe = self._recipe
        literal = recipe.kind == "literal"
        for weight in self._discriminator.parameters():
            weight.requires_grad_(False)
        fooled = self._judge_net(torch.cat([dreamt, wet]))
        for weight in self._discriminator.parameters():
            weight.requires_grad_(True)
        attack = self._makers(pictures.labelled, prior[: len(pictures.labelled)])[0]
        missed = adversarial_loss(self._classifier(attack), pictures.labels, recipe.eta).mean()
        terms = {
            "gan": recipe.gan * (saturating_generator_loss(fooled) if literal else generator_loss(fooled)),
            "kl": recipe.kl * kl_divergence(mean, log_variance).mean(),
            "adversarial": recipe.adversarial * missed,
        }
        if literal:
            # o' is either image in Eq. 3; a mean over values where Eq. 7 has a norm.
            change = (wet - pictures.clean).abs().mean() + (dreamt - pictures.fresh).abs().mean()
            terms["reconstruction"] = recipe.reconstruction * change / 2
        else:
            terms["reconstruction"] = recipe.reconstruction * balanced_l1(wet, pictures.rain, pictures.clean)
            seen, _ = self._makers.encoded(dreamt, pictures.fresh)
            terms["regression"] = recipe.regression * (seen - prior).square().mean()
        return terms


class _Makers(nn.Module):
    """Generator and encoder under one wrapper of Fabric's, which sets up one module for one optimizer."""

    def __init__(self, generator: nn.Module, encoder: Encoder) -> None:
        super().__init__()
        self.generator, self.encoder = generator, encoder

    def forward(self, images: Tensor, z: Tensor) -> tuple[Tensor, Tensor | None]:
        composed = getattr(self.generator, "composed", None)
        return composed(images, z) if composed else (self.generator(images, z), None)

    def encoded(self, rain: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
        return self.encoder(rain, clean)
